"""Lessons for the pages: the catalogue, the rendered text, and the checks of a lab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from clusterlab.lessons.checks import check_task
from clusterlab.lessons.loader import Lesson, LessonError, load_all, load_lesson
from clusterlab.lessons.render import render_step
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["catalogue", "checks", "lesson_for_page", "lessons_folder", "rendered"]


def lessons_folder() -> Path:
    return Path(settings.CLUSTERLAB["LESSONS"])


def catalogue() -> list[dict[str, Any]]:
    """All lessons, for the front page."""
    return [
        {"name": lesson.name, "title": lesson.title, "summary": lesson.summary, "minutes": lesson.minutes, "level": lesson.level}
        for lesson in load_all(lessons_folder())
    ]


def _lesson(name: str) -> Lesson:
    try:
        return load_lesson(lessons_folder(), name)
    except LessonError:
        raise LabError(f"there is no lesson called {name!r}", "lesson", "NotFound", 404) from None


def lesson_for_page(name: str) -> dict[str, Any]:
    """What POST /labs/new needs to start a lab of a lesson."""
    lesson = _lesson(name)
    return {"lesson": lesson.name, "scenario": lesson.scenario}


def rendered(name: str) -> dict[str, Any] | None:
    """A lesson as the lab page shows it; None when it has gone."""
    try:
        lesson = load_lesson(lessons_folder(), name)
    except LessonError:
        return None
    html = "".join(render_step(step) for step in lesson.steps)
    return {"name": lesson.name, "title": lesson.title, "html": html, "steps": [step.title for step in lesson.steps]}


def checks(lab: Lab) -> dict[str, Any]:
    """How far the tasks of the lab's lesson are: {tasks: [{id, done, checks: [{text, done, message}]}]}."""
    if not lab.lesson:
        return {"tasks": []}
    lesson = _lesson(lab.lesson)
    return {"tasks": [check_task(task, lab.cluster) for step in lesson.steps for task in step.tasks]}
