"""The sentences of steps in the language of whoever reads them where the server writes them: `step` and `why` of the terminal.

The page translates them by templates (static/src/i18n/sentences.ts tells how they are read); the build lays the same ones out as JSON
(static/dist/steps.de.json). Without a build, and for what no template fits, the sentence stays English.
"""

from __future__ import annotations

import functools
import json
import re
from typing import NamedTuple

from django.conf import settings

__all__ = ["step_said"]

_PLACE = re.compile(r"\{(\d+)([;*]?)\}")
#: Where one sentence ends and the next begins.
_BETWEEN = re.compile(r"(?<=\.) (?=[A-Z]|etcd-)")
_LONGEST = 1500


class _Template(NamedTuple):
    start: str
    pattern: re.Pattern[str]
    #: The mark of each value: ";" for clauses, "*" for words that may hold sentences.
    marks: dict[int, str]
    words: str


def step_said(text: str, language: str) -> str:
    """What a step says of itself, or several steps, in a language."""
    known = _templates(language.partition("-")[0])
    return _translated(text, known) if known and text and len(text) <= _LONGEST else text


Known = dict[str, list[_Template]]


@functools.cache
def _templates(language: str) -> Known:
    if language != "de":
        return {}
    try:
        pairs = json.loads((settings.BASE_DIR / "static" / "dist" / "steps.de.json").read_text())
    except (OSError, ValueError):
        return {}
    own = functools.partial(sorted, key=lambda pair: -len(_PLACE.sub("", pair[0])))  # those with the most words of their own first
    return {kind: [_template(*pair) for pair in own(found)] for kind, found in pairs.items()}


def _template(english: str, words: str) -> _Template:
    marks: dict[int, str] = {}
    pattern, at, start = "", 0, english
    for place in _PLACE.finditer(english):
        if not at and not pattern:
            start = english[:place.start()]
        pattern += re.escape(english[at:place.start()]) + ("(.*)" if place[2] == "*" else r"((?:(?!\. (?:[A-Z]|etcd-)).)+?)")
        marks[int(place[1])] = place[2]
        at = place.end()
    return _Template(start, re.compile(pattern + re.escape(english[at:]), re.DOTALL), marks, words)


def _translated(text: str, known: Known) -> str:
    whole = _fitting(text, known["sentences"], known)
    if whole is not None:
        return whole
    parts = _BETWEEN.split(text)
    for end in range(len(parts) - 1, 0, -1):  # some templates are two sentences long
        head = _fitting(" ".join(parts[:end]), known["sentences"], known)
        if head is not None:
            return f"{head} {_translated(' '.join(parts[end:]), known)}"
    return f"{parts[0]} {_translated(' '.join(parts[1:]), known)}" if len(parts) > 1 else text


def _fitting(text: str, templates: list[_Template], known: Known) -> str | None:
    for each in templates:
        if text.startswith(each.start) and (match := each.pattern.fullmatch(text)):
            return _PLACE.sub(lambda place: _value(match[int(place[1]) + 1], each.marks.get(int(place[1]), ""), known), each.words)  # noqa: B023
    return None


def _value(text: str, mark: str, known: Known) -> str:
    if mark == ";":
        return "; ".join(_fitting(each, known["clauses"], known) or each for each in text.split("; "))
    if mark == "*" and len(parts := _BETWEEN.split(text)) > 1:
        last = _fitting(f"{parts[-1]}.", known["sentences"], known)
        return text if last is None else f"{' '.join(parts[:-1])} {last.removesuffix('.')}"
    return text
