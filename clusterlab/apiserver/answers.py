"""What the server answers over HTTP, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["HttpAnswer", "plain", "warning_headers"]


class HttpAnswer(NamedTuple):
    """A whole answer."""

    code: int
    headers: list[tuple[str, str]]
    body: bytes


def plain(code: int, text: str, media: str = "text/plain; charset=utf-8") -> HttpAnswer:
    """An answer in plain text."""
    return HttpAnswer(code, [("Content-Type", media), ("X-Content-Type-Options", "nosniff")], text.encode())


def warning_headers(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Warnings as headers, quoted."""
    return [("Warning", f'299 - "{_quoted(text)}"') for text in texts]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
