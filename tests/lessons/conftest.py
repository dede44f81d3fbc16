"""The bench on which lessons are played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.lessons.bench import Bench
from clusterlab.web.management.commands.lesson import EXAMPLE


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    running = Bench(tmp_path_factory.mktemp("bench"))
    yield running
    running.close()


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The folder of a lesson that holds, to be broken."""
    folder = tmp_path / "lessons" / "example"
    (folder / "manifests").mkdir(parents=True)
    for file, text in EXAMPLE.items():
        (folder / file).write_text(text)
    return folder
