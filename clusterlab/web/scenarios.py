"""Scenarios by name: those of the gallery of releases, and those of the lessons."""

from __future__ import annotations

from typing import Any

import yaml

from clusterlab.lessons.loader import LessonError, load_lesson
from clusterlab.scenario.releases import gallery
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lessons import lessons_folder

__all__ = ["named"]


def named(name: str) -> dict[str, Any]:
    """The scenario of that name in the gallery, or of the lesson of that name, its manifests in place. Raises
    LabError when there is none."""
    shown = gallery(name)
    if shown is not None:
        return shown
    try:
        scenario: dict[str, Any] = load_lesson(lessons_folder(), name).scenario
    except (LessonError, OSError, yaml.YAMLError):
        raise LabError(f"there is no scenario called {name!r}", "scenario", "NotFound", 404) from None
    return scenario
