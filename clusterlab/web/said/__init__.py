"""What labs refuse and report, in the language of whoever reads it.

Such messages are made in English where they arise, with the values already in them: the model and the hosts of labs know no readers.
At the edge (an answer of the REST API, a websocket, a line of the terminal) a message is looked up by the template that it fits; `{0}`,
`{1}` … stand for the values, in the order in which they come in the English text. What no template fits stays English, as do the
sentences of steps and everything that Kubernetes itself prints.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from django.utils.translation import get_language

from clusterlab.web.said.de import GERMAN

__all__ = ["TEMPLATES", "lines_said", "piece_by_piece", "said"]

#: By language: the template in English and in that language.
TEMPLATES: Mapping[str, Mapping[str, str]] = {"de": GERMAN}
#: Longer texts are no messages of ours.
_MOST = 2000
_PLACE = re.compile(r"\{(\d)\}")


def said(message: str, language: str | None = None) -> str:
    """A message in a language (without one: that of the request), or as it is where there is no translation."""
    templates = TEMPLATES.get(((get_language() or "en") if language is None else language).partition("-")[0])
    if not templates or len(message) > _MOST:
        return message
    exact = templates.get(message)
    return exact if exact is not None else _fitting(message, templates)


def lines_said(text: str, language: str) -> str:
    """Each line of a text in a language; the name of the command may stand before a message, with a colon."""
    if language.partition("-")[0] not in TEMPLATES:
        return text
    return "\n".join(_line(line, language) for line in text.split("\n"))


def piece_by_piece(message: str) -> str:
    """A message that begins with places, each with a colon, as those about lessons do: what a language has of its pieces."""
    whole = said(message)
    head, _, rest = message.partition(": ")
    return f"{said(f'{head}:')} {piece_by_piece(rest)}" if whole == message and rest else whole


def _line(line: str, language: str) -> str:
    whole = said(line, language)
    name, mark, rest = line.partition(": ")
    return f"{name}{mark}{said(rest, language)}" if whole == line and rest and " " not in name else whole


def _fitting(message: str, templates: Mapping[str, str]) -> str:
    for start, pattern, words in _patterns(id(templates)):
        if message.startswith(start) and (match := pattern.fullmatch(message)):
            return _PLACE.sub(lambda place: match.group(int(place[1]) + 1), words)
    return message


@functools.cache
def _patterns(which: int) -> list[tuple[str, re.Pattern[str], str]]:
    """(how it begins, what it must fit, its words) of each template with places; those with the most words of their own first."""
    templates = next(each for each in TEMPLATES.values() if id(each) == which)
    found = []
    for english, words in templates.items():
        parts = _PLACE.split(english)
        if len(parts) > 1:
            pattern = re.compile("(.*?)".join(re.escape(part) for part in parts[::2]), re.DOTALL)
            found.append((len("".join(parts[::2])), parts[0], pattern, words))
    return [(start, pattern, words) for _, start, pattern, words in sorted(found, key=lambda each: -each[0])]
