"""Translations: `lesson.de.md` beside `lesson.md` says the same in another language.

It has the same steps and, in each, the same blocks in the same order; pictures of the stage may be left out. A block of a translation
need hold only its id and the words; what the machine reads (checks, solutions, answers, commands) always comes from lesson.md, and must
be the same where it is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from markdown_it.token import Token

from clusterlab.lessons.loader import Directive, Lesson, LessonError, Step, parse_parts

__all__ = ["digest", "fallen_behind", "languages", "translated"]

#: Fields of blocks that hold words.
_WORDS = frozenset(("text", "question", "explain", "message", "feedback", "why", "say"))
_FRONT = ("title", "summary", "objectives")
#: What a translation says of itself: its schema, and the digest of the words that it translates.
_OWN = ("schema_version", "of")
_FILE = re.compile(r"lesson\.([a-z]{2}(?:-[A-Za-z]{2,8})?)\.md\Z")


def languages(folder: Path) -> list[str]:
    """The languages into which a lesson has been translated."""
    return sorted(match.group(1) for path in folder.glob("lesson.*.md") if (match := _FILE.match(path.name)))


def translated(lesson: Lesson, language: str) -> Lesson:
    """The lesson in a language; unchanged where there is no such translation. Raises LessonError when the two do not fit."""
    path = lesson.folder / f"lesson.{language}.md"
    if not path.is_file():
        return lesson
    front, steps = parse_parts(path)
    for name, value in front.items():
        if name not in _FRONT and name not in _OWN:
            raise LessonError(f"{path}:1: {name} stands in lesson.md only; a translation has {', '.join(_FRONT)}")
        if name in ("title", "summary") and not (isinstance(value, str) and value.strip()):
            raise LessonError(f"{path}:1: {name} must be a text")
    objectives = front.get("objectives", list(lesson.objectives))
    if not isinstance(objectives, list) or len(objectives) != len(lesson.objectives):
        raise LessonError(f"{path}:1: lesson.md has {len(lesson.objectives)} objectives")
    if len(steps) != len(lesson.steps):
        raise LessonError(f"{path}:1: has {len(steps)} steps (## …), and lesson.md has {len(lesson.steps)}")
    return replace(
        lesson, title=front.get("title", lesson.title), summary=front.get("summary", lesson.summary), language=language,
        objectives=tuple(str(one) for one in objectives),
        steps=tuple(_step(mine, theirs, path) for mine, theirs in zip(steps, lesson.steps, strict=True)),
    )


def fallen_behind(lesson: Lesson, language: str) -> str:
    """What is to be done where the words of lesson.md have changed since they were translated; "" where a translation is up to date, or
    does not say of which words it is one."""
    path = lesson.folder / f"lesson.{language}.md"
    of = parse_parts(path)[0].get("of") if path.is_file() else None
    now = digest(lesson)
    if of is None or str(of) == now:
        return ""
    return f"lesson.md has changed since it was translated: bring this up to date, then write of: {now!r} into its front matter"


def digest(lesson: Lesson) -> str:
    """Ten digits that change with the words of a lesson: what a reader sees of its front matter, text and blocks. Checks, commands and
    solutions may change without it."""
    words: list[str] = [lesson.title, lesson.summary, *lesson.objectives]
    for step in lesson.steps:
        words.append(step.title)
        for item in step.items:
            if not isinstance(item, Directive):
                words.append(item.content)
            elif item.kind in ("detail", "aside"):
                words += [item.info, item.text]
            else:
                words += _words_of(item.data)
    return sha256("\0".join(filter(None, words)).encode()).hexdigest()[:10]


def _words_of(data: dict[str, Any]) -> Iterator[str]:
    for name, value in data.items():
        if name in _WORDS and isinstance(value, str):
            yield value
        elif name == "hints":
            yield from map(str, value)
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, dict):
                    yield from _words_of(each)


def _step(mine: Step, theirs: Step, path: Path) -> Step:
    """A step in the words of the translation. Pictures of the stage that it does not have yet stand where lesson.md has them."""
    ours = list(theirs.directives)
    if len(_working(mine)) != len(_working(theirs)):
        raise _unlike(mine, theirs, path)
    items: list[Token | Directive] = []
    for item in mine.items:
        if not isinstance(item, Directive):
            items.append(item)
            continue
        while ours and ours[0].kind == "stage" and (item.kind != "stage" or not _same_picture(item, ours[0])):
            items.append(ours.pop(0))
        if not ours:
            raise _unlike(mine, theirs, path)
        items.append(_block(item, ours.pop(0), path))
    return Step(mine.title, (*items, *ours), mine.line)


def _working(step: Step) -> list[Directive]:
    """The blocks that are more than a picture."""
    return [directive for directive in step.directives if directive.kind != "stage"]


def _same_picture(mine: Directive, original: Directive) -> bool:
    return all(original.data.get(name) == value for name, value in mine.data.items() if name != "text")


def _unlike(mine: Step, theirs: Step, path: Path) -> LessonError:
    return LessonError(
        f"{path}:{mine.line}: the step {mine.title!r} has {len(mine.directives)} blocks, and {theirs.title!r} in lesson.md has "
        f"{len(theirs.directives)}: {', '.join(each.kind for each in theirs.directives)}"
    )


def _block(mine: Directive, original: Directive, path: Path) -> Directive:
    where = f"{path}:{mine.line}"
    if mine.kind != original.kind:
        raise LessonError(f"{where}: here lesson.md has a {original.kind} block, not {mine.kind}")
    if mine.kind in ("detail", "aside"):
        return replace(mine, info=mine.info or original.info)
    if mine.kind in ("run", "manifest"):
        if mine.info and mine.info != original.info:
            raise LessonError(f"{where}: write ```{original.kind} {original.info}, as in lesson.md")
        if mine.text.strip() and mine.text.strip() != original.text.strip():
            raise LessonError(f"{where}: what runs stands in lesson.md; leave this block empty, or repeat it exactly")
        return replace(original, line=mine.line)
    return replace(original, data=_merged(mine.data, original.data, where, original.kind), line=mine.line)


def _merged(mine: dict[str, Any], original: dict[str, Any], where: str, place: str) -> dict[str, Any]:
    """The original with the words of the translation."""
    found = dict(original)
    if mine.get("id", original.get("id")) != original.get("id"):
        raise LessonError(f"{where}: here lesson.md has the id {original.get('id')!r}, not {mine.get('id')!r}")
    for name, value in mine.items():
        spot = f"{place}.{name}"
        if name not in original:
            raise LessonError(f"{where}: {spot} is not in lesson.md")
        known = original[name]
        if name in _WORDS:
            if not isinstance(value, str) or not value.strip():
                raise LessonError(f"{where}: {spot} must be a text")
            found[name] = value
        elif name == "hints":
            if not isinstance(value, list) or len(value) != len(known):
                raise LessonError(f"{where}: {spot}: lesson.md has {len(known)} hints")
            found[name] = [str(hint) for hint in value]
        elif isinstance(known, list) and known and isinstance(known[0], dict) and name in ("checks", "choices", "notes"):
            if not isinstance(value, list) or len(value) != len(known) or not all(isinstance(one, dict) for one in value):
                raise LessonError(f"{where}: {spot}: lesson.md has {len(known)} of these")
            found[name] = [_merged(one, other, where, f"{spot}[{at}]") for at, (one, other) in enumerate(zip(value, known, strict=True))]
        elif value != known:
            raise LessonError(f"{where}: {spot} is not for translating; leave it away, or repeat it exactly")
    return found
