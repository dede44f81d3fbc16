"""Addresses as clients write them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Url", "parse", "path_of"]

_PORTS = {"https": 443}


class Url(NamedTuple):
    """The parts of an address. `target` is the path with its query."""

    host: str
    port: int
    path: str
    target: str


def parse(text: str) -> Url | None:
    """The parts of "http://web:8080/a?b", "web:8080" or "web"; None for what is no address."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or _PORTS.get(parts.scheme, 80)
    except ValueError:
        return None
    path = parts.path or "/"
    return Url((parts.hostname or "").lower(), port, path, path + (f"?{parts.query}" if parts.query else ""))


def path_of(text: str) -> str:
    """The path of an address, without its query."""
    found = parse(text)
    return found.path if found is not None else "/"
