"""Scenarios by name: those of the lessons."""

from __future__ import annotations

from typing import Any

import yaml

from clusterlab.lessons.loader import LessonError, load_lesson
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lessons import lessons_folder

__all__ = ["named"]


def named(name: str) -> dict[str, Any]:
    """The scenario of the lesson of that name, its manifests in place. Raises LabError when there is none."""
    try:
        scenario: dict[str, Any] = load_lesson(lessons_folder(), name).scenario
    except (LessonError, OSError, yaml.YAMLError):
        raise LabError(f"there is no scenario called {name!r}", "scenario", "NotFound", 404) from None
    return scenario
