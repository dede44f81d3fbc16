"""Lessons for the pages: the catalogue, the rendered text, the checks of a lab, and the progress kept in a browser's session."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from clusterlab.lessons.allowed import refusal
from clusterlab.lessons.checks import Past, check_task
from clusterlab.lessons.loader import PATHS, Lesson, LessonError, load_all, load_lesson, run_lines
from clusterlab.lessons.render import render_end, render_step
from clusterlab.lessons.running import named
from clusterlab.web import lesson_done
from clusterlab.web.labs.lab import Lab, LabError

__all__ = [
    "PROGRESS", "catalogue", "checks", "find", "folder_for", "labs_of", "lesson_for_page", "lesson_of", "lessons_folder",
    "more_lessons", "next_lesson", "note_progress", "open_lesson", "openers", "others", "page_of", "paths", "progress_keepers",
    "progress_sources", "put_files", "read_progress", "ready", "refused", "remember_lab", "rendered", "shelves", "skip",
]

#: Where the session keeps {lesson: [ids of the tasks that were done]}.
PROGRESS = "lessons"
#: Where it keeps {lesson: id of the lab in which it was begun last}, to go on there.
LABS = "lesson_labs"
#: (session, lesson, ids of all tasks done in it): told of what is done for the first time in this browser.
progress_keepers: list[Callable[[Any, str, list[str]], Awaitable[None]]] = []
#: (session): what is known from elsewhere of what was done, and of the labs in which lessons were begun.
#: (name): the folder in which a lesson of that name lies, where it is none of the course.
shelves: list[Callable[[str], Path | None]] = []
#: (request, name): makes a lesson ready for whoever asks, or (None) for the server itself. Raises LabError when it is not for them.
openers: list[Callable[[HttpRequest | None, str], Awaitable[None]]] = []
#: (request): lessons beside those of the course.
more_lessons: list[Callable[[HttpRequest], Awaitable[list[Lesson]]]] = []
progress_sources: list[Callable[[Any], Awaitable[tuple[dict[str, list[str]], dict[str, str]]]]] = []
_pasts: WeakKeyDictionary[Lab, tuple[int, Past]] = WeakKeyDictionary()
_skipped: WeakKeyDictionary[Lab, set[str]] = WeakKeyDictionary()


def language() -> str:
    """The language of whoever asks, as a translation's file names it."""
    return (get_language() or "").partition("-")[0]


def lessons_folder() -> Path:
    return Path(settings.CLUSTERLAB["LESSONS"])


def catalogue(
    progress: dict[str, list[str]] | None = None, labs: dict[str, str] | None = None, found: list[Lesson] | None = None
) -> list[dict[str, Any]]:
    """All lessons (or those that are given), in their order, with what was done of them and the lab to go on in."""
    done, labs = progress or {}, labs or {}
    return [
        {
            "name": lesson.name, "title": lesson.title, "summary": lesson.summary, "minutes": lesson.minutes, "level": lesson.level,
            "path": lesson.path or PATHS[0], "tags": list(lesson.tags), "objectives": list(lesson.objectives),
            "prerequisites": list(lesson.prerequisites), "tasks": len(lesson.tasks), "lab": labs.get(lesson.name, ""),
            "done": len({task.id for task in lesson.tasks} & set(done.get(lesson.name, ()))),
        }
        for lesson in (load_all(lessons_folder(), language()) if found is None else found)
    ]


def paths(progress: dict[str, list[str]], labs: dict[str, str] | None = None, more: list[Lesson] | None = None) -> list[dict[str, Any]]:
    """The catalogue path by path: [{title, lessons, tasks, done}]."""
    lessons = catalogue(progress, labs)
    found = []
    for title in PATHS:
        row = [lesson for lesson in lessons if lesson["path"] == title]
        if row:
            done = sum(lesson["done"] == lesson["tasks"] for lesson in row)
            found.append({"title": title, "lessons": row, "done": done, "count": len(row)})
    if more:
        row = catalogue(progress, labs, more)
        done = sum(lesson["done"] == lesson["tasks"] for lesson in row)
        found.append({"title": _("From other authors"), "lessons": row, "done": done, "count": len(row)})
    return found


def folder_for(name: str) -> Path:
    """The folder that holds the lesson's folder."""
    return next((found for shelf in shelves if (found := shelf(name)) is not None), lessons_folder())


async def open_lesson(request: HttpRequest, name: str) -> None:
    """Makes a lesson ready, wherever it is kept. Raises LabError when it is not for whoever asks."""
    for opener in openers:
        await opener(request, name)


async def ready(name: str) -> None:
    """Lays a lesson out in this process, for what the server itself does with it: who may see it was asked when its lab was made."""
    for opener in openers:
        with contextlib.suppress(LabError):
            await opener(None, name)


async def others(request: HttpRequest) -> list[Lesson]:
    """The lessons beside those of the course that whoever asks may open."""
    return [lesson for source in more_lessons for lesson in await source(request)]


def find(name: str) -> Lesson:
    """A lesson of the course or of somebody's own. Raises LabError."""
    return _lesson(name)


def _lesson(name: str) -> Lesson:
    try:
        return load_lesson(folder_for(name), name, language())
    except LessonError:
        raise LabError(f"there is no lesson called {name!r}", "lesson", "NotFound", 404) from None


def lesson_of(lab: Lab) -> Lesson:
    """The lesson of a lab. Raises LabError when it has none."""
    if not lab.lesson:
        raise LabError("this lab belongs to no lesson", code="NotFound", status=404)
    return _lesson(lab.lesson)


def lesson_for_page(name: str) -> dict[str, Any]:
    """What `api.new_lab` needs to start a lab of a lesson."""
    lesson = _lesson(name)
    return {"lesson": lesson.name, "scenario": lesson.scenario, **({"begin": lesson.begin} if lesson.begin else {})}


def rendered(name: str) -> dict[str, Any] | None:
    """A lesson as the lab page shows it; None when it has gone."""
    try:
        lesson = load_lesson(folder_for(name), name, language())
    except LessonError:
        return None
    return page_of(lesson)


def page_of(lesson: Lesson) -> dict[str, Any]:
    """What the lab page needs of a lesson: {name, title, html, steps}."""
    name = lesson.name
    following = next_lesson(name)
    end = f'<cl-lesson-end name="{escape(name)}" tasks="{len(lesson.tasks)}"'
    if following is not None:
        end += f' next="{escape(following.name)}" label="{escape(following.title)}"'
    count = len(lesson.steps)
    steps = "".join(render_step(step, number, number == count - 1, name) for number, step in enumerate(lesson.steps))
    html = steps + render_end(lesson) + end + "></cl-lesson-end>"
    titles = [step.title for step in lesson.steps]
    return {"name": lesson.name, "title": lesson.title, "html": html, "language": lesson.language, "steps": titles}


def next_lesson(name: str) -> Lesson | None:
    """The lesson after this one."""
    lessons = load_all(lessons_folder(), language())
    names = [lesson.name for lesson in lessons]
    place = names.index(name) + 1 if name in names else len(names)
    return lessons[place] if place < len(lessons) else None


def checks(lab: Lab) -> dict[str, Any]:
    """How far the tasks of the lab's lesson are: {tasks: [{id, done, checks: [{text, done, message}]}]}."""
    if not lab.lesson:
        return {"tasks": []}
    generation, past = _pasts.get(lab, (lab.generation, Past()))
    if generation != lab.generation:
        past = Past()
    _pasts[lab] = (lab.generation, past)
    try:
        tasks = _lesson(lab.lesson).tasks
    except LabError:  # its author is just mending it
        return {"tasks": []}
    found = [check_task(task, lab.cluster, past) for task in tasks]
    lesson_done.hold(lab, found)
    return {"tasks": found}


def refused(lab: Lab, line: str) -> str:
    """Why the lesson of a lab does not allow a kubectl line now, or "".

    Its first task that was neither done once nor skipped may name the verbs to use. What the lesson's own text runs is always allowed: a
    line above the task may prepare it."""
    if not lab.lesson:
        return ""
    try:
        lesson = _lesson(lab.lesson)
    except LabError:
        return ""
    tasks = lesson.tasks
    if not any(task.allow for task in tasks) or _stands_in(lesson, line, lab):
        return ""
    checks(lab)
    past = lesson_done.so_far(lab) | _skipped.get(lab, set())
    current = next((task for task in tasks if task.id not in past), None)
    return refusal(line, current.allow) if current is not None else ""


def _stands_in(lesson: Lesson, line: str, lab: Lab) -> bool:
    """Whether a block of the lesson's text runs this line, or applies the manifest that it applies."""
    line = line.strip()
    for directive in (each for step in lesson.steps for each in step.directives):
        if directive.kind == "manifest":
            name, *words = directive.info.split()
            if "draft" not in words and line == f"kubectl apply -f {name}":
                return True
        elif directive.kind == "run":
            for known, _words in run_lines(directive):
                with contextlib.suppress(LookupError):  # nobody is there whom it could name
                    if line in (known, named(known, lab.cluster)):
                        return True
    return False


def put_files(lab: Lab, folder: Path) -> None:
    """Lays a lesson's manifests into the folder in which the lab's command line runs; files that are there stay."""
    if not lab.lesson:
        return
    for name, text in _lesson(lab.lesson).manifests().items():
        path = folder / name
        if not path.exists():
            path.write_text(text, encoding="utf-8")


def skip(lab: Lab, task: str, skipped: bool) -> None:
    """Passes over a task, or takes it up again: a task that is skipped forbids nothing."""
    (_skipped.setdefault(lab, set()).add if skipped else _skipped.setdefault(lab, set()).discard)(task)


async def read_progress(session: Any) -> dict[str, list[str]]:
    """What this browser has done so far."""
    kept = await session.aget(PROGRESS, {})
    found = {name: list(tasks) for name, tasks in kept.items()} if isinstance(kept, dict) else {}
    for source in progress_sources:
        for name, tasks in (await source(session))[0].items():
            found[name] = [*found.get(name, []), *(task for task in tasks if task not in found.get(name, []))]
    return found


async def remember_lab(session: Any, name: str, lab_id: str) -> None:
    """Remembers in which lab a lesson was begun."""
    kept = await session.aget(LABS, {})
    await session.aset(LABS, {**(kept if isinstance(kept, dict) else {}), name: lab_id})


async def labs_of(session: Any) -> dict[str, str]:
    """The labs to go on in, by lesson."""
    kept = await session.aget(LABS, {})
    found = dict(kept) if isinstance(kept, dict) else {}
    for source in progress_sources:
        found = {**(await source(session))[1], **found}
    return found


async def note_progress(session: Any, name: str, done: list[str]) -> None:
    """Remembers tasks that are done. Done stays done, whatever becomes of the lab."""
    progress = await read_progress(session)
    known = progress.get(name, [])
    new = [task for task in done if task not in known]
    if new:
        await session.aset(PROGRESS, {**progress, name: [*known, *new]})
        for keeper in progress_keepers:
            await keeper(session, name, [*known, *new])
