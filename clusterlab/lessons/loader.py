"""Lesson files: a folder with `lesson.md` (front matter, then steps as level-two headings) and `scenario.yaml`.

Directives are fenced blocks: ```run (a command to run with one click) and ```task (YAML: `id`, `text`, `checks`, `hints`,
`solution`). docs/lessons.md is the guide for authors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

__all__ = ["Check", "Lesson", "LessonError", "Step", "Task", "load_all", "load_lesson"]

MAX_BYTES = 200_000
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
LEVELS = ("beginner", "intermediate", "advanced")


class LessonError(ValueError):
    """A lesson that cannot be loaded: file, line and remedy in the text."""


@dataclass(frozen=True)
class Check:
    """One thing that must be so. `data` as docs/lessons.md describes; `text` is shown, `message` says what is missing."""

    text: str
    data: dict[str, Any]
    message: str = ""


@dataclass(frozen=True)
class Task:
    """Something for the learner to do."""

    id: str
    text: str
    checks: tuple[Check, ...]
    hints: tuple[str, ...] = ()
    solution: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A heading and what follows it."""

    title: str
    tokens: tuple[Token, ...]
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Lesson:
    """A lesson. `scenario` is the plain data of its scenario.yaml, with manifests in place."""

    name: str
    title: str
    summary: str
    level: str
    minutes: int
    objectives: tuple[str, ...]
    scenario: dict[str, Any]
    steps: tuple[Step, ...] = field(default=())


def markdown() -> MarkdownIt:
    """The parser for lesson text: CommonMark with tables; raw HTML stays text."""
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").use(front_matter_plugin)


def load_all(folder: Path) -> list[Lesson]:
    """Every lesson of a folder, in the order of their names."""
    names = sorted(path.parent.name for path in folder.glob("*/lesson.md"))
    return [load_lesson(folder, name) for name in names]


def load_lesson(folder: Path, name: str) -> Lesson:
    """Loads one lesson. Raises LessonError."""
    if not NAME.match(name):
        raise LessonError(f"{name!r} is not a lesson's name: small letters, digits and dashes")
    path = folder / name / "lesson.md"
    if not path.is_file():
        raise LessonError(f"{path}: there is no such lesson")
    text = path.read_text(encoding="utf-8")
    if len(text) > MAX_BYTES:
        raise LessonError(f"{path}: longer than {MAX_BYTES} characters; split it")
    tokens = markdown().parse(text)
    if not tokens or tokens[0].type != "front_matter":
        raise LessonError(f"{path}:1: begin with front matter between lines of ---")
    front = _mapping(tokens[0].content, f"{path}:1")
    for key in ("title", "summary"):
        if not isinstance(front.get(key), str):
            raise LessonError(f"{path}:1: front matter needs a text {key!r}")
    level = front.get("level", "beginner")
    if level not in LEVELS:
        raise LessonError(f"{path}:1: level must be one of {', '.join(LEVELS)}, not {level!r}")
    return Lesson(
        name, front["title"], front["summary"], level, int(front.get("minutes", 10)), tuple(front.get("objectives", ())),
        _scenario(folder / name), _steps(tokens[1:], path),
    )


def _mapping(text: str, where: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise LessonError(f"{where}: not YAML: {error}") from None
    if not isinstance(data, dict):
        raise LessonError(f"{where}: must be a mapping of names to values")
    return data


def _scenario(folder: Path) -> dict[str, Any]:
    path = folder / "scenario.yaml"
    scenario = _mapping(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else {}
    manifests: list[Any] = []
    for entry in scenario.get("manifests", ()):
        if isinstance(entry, dict):
            manifests.append(entry)
            continue
        source = (folder / "manifests" / str(entry)).resolve()
        if not source.is_relative_to(folder.resolve()) or not source.is_file():
            raise LessonError(f"{path}: there is no manifest {entry!r} under {folder.name}/manifests/")
        manifests += [document for document in yaml.safe_load_all(source.read_text(encoding="utf-8")) if document]
    if manifests:
        scenario = {**scenario, "manifests": manifests}
    return scenario


def _steps(tokens: list[Token], path: Path) -> tuple[Step, ...]:
    """Cuts the token stream at level-two headings; what comes before the first one belongs to it."""
    starts = [i for i, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    if not starts:
        raise LessonError(f"{path}: has no step; begin each one with a heading of level two (## …)")
    bounds = [0, *starts[1:], len(tokens)]
    steps = []
    for start, begin, end in zip(starts, bounds, bounds[1:], strict=False):
        part = tokens[begin:end]
        tasks = tuple(_task(t, path) for t in part if t.type == "fence" and t.info.strip() == "task")
        steps.append(Step(tokens[start + 1].content, tuple(part), tasks))
    return tuple(steps)


def _task(token: Token, path: Path) -> Task:
    where = f"{path}:{(token.map or [0])[0] + 1}"
    data = _mapping(token.content, where)
    if not isinstance(data.get("id"), str) or not isinstance(data.get("text"), str):
        raise LessonError(f"{where}: a task needs an id and a text")
    checks = []
    for raw in data.get("checks") or ():
        if not isinstance(raw, dict) or not isinstance(raw.get("text"), str):
            raise LessonError(f"{where}: each check is a mapping with a text")
        rest = {key: value for key, value in raw.items() if key not in ("text", "message")}
        checks.append(Check(raw["text"], rest, str(raw.get("message", ""))))
    if not checks:
        raise LessonError(f"{where}: task {data['id']} has no checks; how would it know that it is done?")
    return Task(data["id"], data["text"], tuple(checks), tuple(data.get("hints") or ()), tuple(data.get("solution") or ()))
