"""What the server answers over HTTP, as plain values."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["HttpAnswer", "plain"]


class HttpAnswer(NamedTuple):
    """A whole answer."""

    code: int
    headers: list[tuple[str, str]]
    body: bytes


def plain(code: int, text: str, media: str = "text/plain; charset=utf-8") -> HttpAnswer:
    """An answer in plain text."""
    return HttpAnswer(code, [("Content-Type", media), ("X-Content-Type-Options", "nosniff")], text.encode())
