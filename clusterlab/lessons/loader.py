"""Lesson files: a folder with `lesson.md` (front matter, then steps as level-two headings), `scenario.yaml` and `manifests/`.

Directives are fenced blocks whose first word is one of `DIRECTIVES`; schema.json says what each may hold. docs/lessons.md is the
guide for authors.
"""

from __future__ import annotations

import difflib
import functools
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

from clusterlab.machinery.decode import ParseError, parse_yaml, yaml_documents
from clusterlab.scenario.manifests import with_files
from clusterlab.scenario.reader import ScenarioError

__all__ = [
    "DIRECTIVES", "Check", "Directive", "Lesson", "LessonError", "Step", "Task", "lesson_names", "load_all", "load_lesson", "markdown",
    "parse_parts", "run_lines", "task_of",
]

MAX_BYTES = 200_000
logger = logging.getLogger(__name__)
#: A message of the schema that quotes a long value is cut.
MOST_SAID = 300
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
#: The fenced blocks that are more than code, and whether they hold YAML that the schema describes.
DIRECTIVES = {
    "run": False, "manifest": False, "stage": True, "predict": True, "quiz": True, "task": True, "fault": True, "wait": True,
    "debrief": True, "clock": True, "detail": False, "aside": False,
}
PATHS = ("First sight", "Components", "Why Kubernetes", "Objects", "Strategies", "Operations", "Challenges")


class LessonError(ValueError):
    """A lesson that cannot be loaded: file, line and remedy in the text."""


@dataclass(frozen=True)
class Directive:
    """A fenced block. `data` is its YAML (empty for those that hold text), `info` what stands after its name, `line` counts from 1."""

    kind: str
    info: str
    text: str
    data: dict[str, Any]
    line: int

    @property
    def id(self) -> str:
        return str(self.data.get("id", ""))


@dataclass(frozen=True)
class Check:
    """One thing that must be so. `data` as docs/lessons.md describes; `text` is shown, `message` says what is missing."""

    text: str
    data: dict[str, Any]
    message: str = ""


@dataclass(frozen=True)
class Task:
    """Something for the learner to do. `solution` holds kubectl lines and mappings (fault, heal, wait)."""

    id: str
    text: str
    checks: tuple[Check, ...]
    hints: tuple[str, ...] = ()
    solution: tuple[Any, ...] = ()
    why: str = ""
    allow: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Step:
    """A heading and what follows it: Markdown tokens, with directives in their places."""

    title: str
    items: tuple[Token | Directive, ...]
    line: int = 0

    @property
    def directives(self) -> tuple[Directive, ...]:
        return tuple(item for item in self.items if isinstance(item, Directive))

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(task_of(item) for item in self.directives if item.kind == "task")


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
    folder: Path
    prerequisites: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    path: str = ""
    order: int = 0
    docs: tuple[str, ...] = ()
    #: How far the cluster has run when the lesson begins, as `running.run_until` takes it; "" for not at all.
    begin: str = ""
    steps: tuple[Step, ...] = field(default=())
    #: The language of the words.
    language: str = "en"

    @property
    def file(self) -> Path:
        return self.folder / "lesson.md"

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(task for step in self.steps for task in step.tasks)

    def directive(self, kind: str, name: str) -> Directive | None:
        """The directive of that kind and id."""
        return next((d for step in self.steps for d in step.directives if d.kind == kind and d.id == name), None)

    def manifests(self) -> dict[str, str]:
        """The files that a learner finds in the lab's folder, by name: those of manifests/ and those written in the text."""
        found = {
            path.name: path.read_text(encoding="utf-8")
            for path in sorted((self.folder / "manifests").glob("*")) if path.is_file()
        }
        for step in self.steps:
            for directive in step.directives:
                if directive.kind == "manifest" and directive.text.strip():
                    found[directive.info.split()[0]] = directive.text
        return found


def markdown() -> MarkdownIt:
    """The parser for lesson text: CommonMark with tables; raw HTML stays text."""
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").use(front_matter_plugin)


def lesson_names(folder: Path) -> list[str]:
    """The names of a folder's lessons."""
    return sorted(path.parent.name for path in folder.glob("*/lesson.md"))


def load_all(folder: Path, language: str = "") -> list[Lesson]:
    """Every lesson of a folder that can be read, path by path, each in its order. One that is being written hides no other."""
    lessons = []
    for name in lesson_names(folder):
        try:
            lessons.append(load_lesson(folder, name, language))
        except LessonError as error:
            logger.warning("left out of the catalogue: %s", error)

    def place(lesson: Lesson) -> tuple[int, int, str]:
        row = PATHS.index(lesson.path) if lesson.path in PATHS else len(PATHS)
        return row, lesson.order, lesson.name

    return sorted(lessons, key=place)


def load_lesson(folder: Path, name: str, language: str = "") -> Lesson:
    """Loads one lesson, in a language if it has been translated well; else in its own. Raises LessonError."""
    if not NAME.match(name):
        raise LessonError(f"{name!r} is not a lesson's name: small letters, digits and dashes")
    path = folder / name / "lesson.md"
    if not path.is_file():
        raise LessonError(f"{path}: there is no such lesson")
    files = [file for file in sorted(path.parent.rglob("*")) if file.is_file()]
    stamp = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    if language and (path.parent / f"lesson.{language}.md") in files:
        return _load_translated(path, stamp, language)
    return _load(path, stamp)


@functools.lru_cache(maxsize=256)
def _load_translated(path: Path, stamp: tuple[Any, ...], language: str) -> Lesson:
    """A translation that does not fit is passed over; `lesson check` tells of it."""
    from clusterlab.lessons.translation import translated

    lesson = _load(path, stamp)
    try:
        return translated(lesson, language)
    except LessonError:
        return lesson


def parse_parts(path: Path) -> tuple[dict[str, Any], tuple[Step, ...]]:
    """The front matter and the steps of a file, its blocks not held to the schema. Raises LessonError."""
    tokens = _tokens(path)
    return _mapping(tokens[0].content, f"{path}:1"), _steps(tokens[1:], path, whole=False)


@functools.lru_cache(maxsize=256)
def _load(path: Path, stamp: tuple[Any, ...]) -> Lesson:
    """Reads a lesson anew whenever one of its files has changed."""
    tokens = _tokens(path)
    front = _mapping(tokens[0].content, f"{path}:1")
    _valid("front", front, f"{path}:1", tokens[0].content)
    if front.get("path", PATHS[0]) not in PATHS:
        raise LessonError(f"{path}:1: path must be one of {', '.join(PATHS)}, not {front['path']!r}")
    return Lesson(
        name=path.parent.name, title=front["title"], summary=front["summary"], level=front["level"], minutes=front["minutes"],
        objectives=tuple(front["objectives"]), scenario=_scenario(path.parent), folder=path.parent,
        prerequisites=tuple(front.get("prerequisites", ())), tags=tuple(front.get("tags", ())), path=front.get("path", ""),
        order=front.get("order", 0), docs=tuple(front.get("docs", ())), begin=front.get("begin", ""), steps=_steps(tokens[1:], path),
    )


def _tokens(path: Path) -> list[Token]:
    """The Markdown of a file; the first token is its front matter."""
    text = path.read_text(encoding="utf-8")
    if len(text) > MAX_BYTES:
        raise LessonError(f"{path}: longer than {MAX_BYTES} characters; split it")
    tokens = markdown().parse(text)
    if not tokens or tokens[0].type != "front_matter":
        raise LessonError(f"{path}:1: begin with front matter between lines of ---")
    return tokens


def _mapping(text: str, where: str) -> dict[str, Any]:
    try:
        data = parse_yaml(text.encode())
    except ParseError as error:
        plain = re.sub(r"^error converting YAML to JSON: (yaml: )?|line \d+: ", "", str(error))
        raise LessonError(f"{_further(where, _yaml_line(error))}: not YAML: {plain}") from None
    if not isinstance(data, dict):
        raise LessonError(f"{_further(where, int(where.endswith(':0')))}: must be a mapping of names to values")
    return data


@functools.cache
def _validator(part: str) -> Any:
    schema = json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for({"$schema": schema["$schema"], "$ref": f"#/$defs/{part}", "$defs": schema["$defs"]})


def _valid(part: str, data: dict[str, Any], where: str, text: str) -> None:
    """Holds data to a part of the schema; `text` is its YAML, which begins on the line after `where`."""
    for error in _validator(part).iter_errors(data):
        place = ".".join(str(piece) for piece in error.instance_path)
        line = _further(where, _line_of(text, list(error.instance_path)))
        raise LessonError(f"{line}: {part} {place or 'as a whole'}: {_remedy(error, data)}; see docs/lessons.md")


def _remedy(error: Any, data: dict[str, Any]) -> str:
    """What is wrong and, where a check is none of the kinds that there are, which kinds there are."""
    text = str(error.message)
    if "oneOf" in [str(piece) for piece in error.schema_path]:
        found = functools.reduce(lambda value, piece: value[piece], error.instance_path, data)
        given = ", ".join(found) if isinstance(found, dict) else str(found)[:80]
        kinds = "object, count, event, happened, never, traffic (with field), share, fault, may, any, settled"
        return f"a check needs exactly one of {kinds}; this one has {given}"
    if unknown := re.match(r"Additional properties are not allowed \('([^']{1,60})' was unexpected\)", text):
        meant = difflib.get_close_matches(unknown[1], _names(), 1)
        return f"{unknown[1]} is no field of it" + (f"; did you mean {meant[0]}?" if meant else "")
    return text if len(text) <= MOST_SAID else text[:MOST_SAID] + " …"


@functools.cache
def _names() -> list[str]:
    """The names of all fields that there are."""
    found: set[str] = set()
    parts = [json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8"))["$defs"]]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            found.update(part.get("properties", ()))
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return sorted(found)


def _further(where: str, lines: int) -> str:
    """A place FILE:LINE, so many lines further down."""
    file, _, line = where.rpartition(":")
    return f"{file}:{int(line) + lines}" if line.isdigit() else where


def _yaml_line(error: ParseError) -> int:
    """The line of a text, from 1, that a parser complains about; 0 where it does not say."""
    found = re.search(r"line (\d+)", str(error))
    return int(found.group(1)) if found else 0


def _line_of(text: str, path: list[str | int]) -> int:
    """The line of a YAML text, from 1, on which the value at a path begins; 0 where it cannot be found."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return 0
    line = 0
    for piece in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(piece)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(piece, int) and piece < len(node.value):
            node = node.value[piece]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _scenario(folder: Path) -> dict[str, Any]:
    path = folder / "scenario.yaml"
    scenario = _mapping(path.read_text(encoding="utf-8"), f"{path}:0") if path.is_file() else {}
    try:
        return with_files(scenario, folder / "manifests")
    except ScenarioError as error:
        raise LessonError(f"{path}: {error}") from None


def _steps(tokens: list[Token], path: Path, whole: bool = True) -> tuple[Step, ...]:
    """Cuts the token stream at level-two headings; what comes before the first one belongs to it. With `whole`, blocks must be complete."""
    starts = [i for i, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    if not starts:
        raise LessonError(f"{path}: has no step; begin each one with a heading of level two (## …)")
    bounds = [0, *starts[1:], len(tokens)]
    steps, ids = [], set()
    for start, begin, end in zip(starts, bounds, bounds[1:], strict=False):
        items = tuple(_items(tokens[begin:end], path, whole))
        for item in items:
            if isinstance(item, Directive) and item.id:
                if item.id in ids:
                    raise LessonError(f"{path}:{item.line}: the id {item.id!r} is taken; each one must be different")
                ids.add(item.id)
        steps.append(Step(tokens[start + 1].content, items, (tokens[start].map or [0])[0] + 1))
    return tuple(steps)


def _items(tokens: list[Token], path: Path, whole: bool) -> Iterator[Token | Directive]:
    for token in tokens:
        kind, _, info = token.info.strip().partition(" ") if token.type == "fence" else ("", "", "")
        if kind not in DIRECTIVES:
            yield token
            continue
        line = (token.map or [0])[0] + 1
        where = f"{path}:{line}"
        data = {}
        if DIRECTIVES[kind]:
            data = _mapping(token.content, where) if whole or token.content.strip() else {}
            if whole:
                _valid(kind, data, where, token.content)
        elif kind == "manifest" and whole:
            _check_manifest(info, token.content, path, where)
        yield Directive(kind, info.strip(), token.content, data, line)


def _check_manifest(info: str, text: str, path: Path, where: str) -> None:
    name = info.strip().partition(" ")[0]
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,60}\.(yaml|json)", name):
        raise LessonError(f"{where}: write the file's name after manifest, as ```manifest web.yaml")
    source = text
    if not text.strip():
        file = path.parent / "manifests" / name
        if not file.is_file():
            raise LessonError(f"{where}: there is no manifests/{name}; make it, or write the YAML into the block")
        source = file.read_text(encoding="utf-8")
    try:
        yaml_documents(source)
    except ParseError as error:
        raise LessonError(f"{where}: {name} is not YAML: {error}") from None


def run_lines(directive: Directive) -> list[tuple[str, tuple[str, ...]]]:
    """The command lines of a run block, each with the words that its output must hold (`# shows …` below it)."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for line in filter(None, map(str.strip, directive.text.splitlines())):
        if not line.startswith("#"):
            found.append((line, ()))
        elif found and line.startswith("# shows "):
            found[-1] = (found[-1][0], (*found[-1][1], line.removeprefix("# shows ").strip()))
    return found


def task_of(directive: Directive) -> Task:
    """A task directive as a task."""
    data = directive.data
    checks = tuple(
        Check(raw["text"], {key: value for key, value in raw.items() if key not in ("text", "message")}, raw["message"])
        for raw in data["checks"]
    )
    return Task(
        data["id"], data["text"], checks, tuple(data["hints"]), tuple(data["solution"]), data.get("why", ""),
        tuple(data.get("allow", ())), directive.line,
    )
