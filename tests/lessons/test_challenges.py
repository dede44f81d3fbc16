"""Every challenge can be solved; in a module of its own, so that two workers share the lessons."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.lessons.bench import Bench
from clusterlab.lessons.loader import lesson_names
from clusterlab.lessons.verify import verify

LESSONS = Path(__file__).resolve().parent.parent.parent / "lessons"
NAMES = [name for name in lesson_names(LESSONS) if name.startswith("challenge-")]


@pytest.mark.parametrize("name", NAMES)
def test_a_challenge_holds(name: str, bench: Bench) -> None:
    assert [str(problem) for problem in verify(LESSONS, name, bench)] == []
