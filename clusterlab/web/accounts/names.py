"""Names that people give themselves, made safe to show to others."""

from __future__ import annotations

import unicodedata

__all__ = ["MAX_NAME", "clean_name"]

MAX_NAME = 40
#: Control characters, marks that turn the direction of text, invisible ones, private ones, lone surrogates.
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
#: Combining marks that may follow each other; more of them climb over the lines above.
_MAX_MARKS = 2


def clean_name(text: str) -> str:
    """The name in NFC, on one line, without hidden characters and towers of marks, cut to MAX_NAME; "" where nothing to read is left."""
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text[: 4 * MAX_NAME]):
        kind = unicodedata.category(char)
        marks = marks + 1 if kind.startswith("M") else 0
        if kind in _HIDDEN and char not in "\t\n":
            continue
        if marks <= _MAX_MARKS:
            kept.append(" " if char.isspace() else char)
    name = " ".join("".join(kept).split())[:MAX_NAME].rstrip()
    return name if any(char.isalnum() for char in name) else ""
