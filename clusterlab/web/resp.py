"""The protocol of redis (RESP 2), as far as forwarded ports need it: commands out of bytes, and answers as bytes.

Follows redis.io/docs/latest/develop/reference/protocol-spec. What a command does is the model's business (`runtime/shell/tools_redis.py`),
which answers as redis-cli prints it.
"""

from __future__ import annotations

__all__ = ["ProtocolError", "answer", "take"]

WORDS_MOST, LENGTH_MOST = 100, 100_000
_SIMPLE = frozenset(("PING", "SET", "FLUSHALL", "FLUSHDB", "SELECT", "AUTH"))
_NUMBERS = frozenset(("INCR", "DECR", "INCRBY", "DEL", "EXISTS", "RPUSH", "LPUSH", "LLEN", "DBSIZE"))
_LISTS = frozenset(("KEYS", "LRANGE", "CONFIG"))


class ProtocolError(ValueError):
    """Bytes that are no command."""


def take(buffer: bytes) -> tuple[list[str], int] | None:
    """The first whole command: (its words, its length in bytes). None where it is not all there yet; raises ProtocolError."""
    line, end, _ = buffer.partition(b"\r\n")
    if not end:
        if len(buffer) > LENGTH_MOST:
            raise ProtocolError("too long")
        return None
    if not line.startswith(b"*"):
        return line.decode("utf-8", "replace").split()[:WORDS_MOST], len(line) + 2
    count, at = _number(line[1:], WORDS_MOST), len(line) + 2
    words = []
    for _ in range(count):
        head, end, _ = buffer[at:].partition(b"\r\n")
        if not end:
            return None
        if not head.startswith(b"$"):
            raise ProtocolError("a length is missing")
        size = _number(head[1:], LENGTH_MOST)
        start = at + len(head) + 2
        if len(buffer) < start + size + 2:
            return None
        words.append(buffer[start:start + size].decode("utf-8", "replace"))
        at = start + size + 2
    return words, at


def _number(text: bytes, most: int) -> int:
    if not text.isdigit() or int(text[:12]) > most:
        raise ProtocolError("no such length")
    return int(text)


def answer(words: list[str], text: str) -> bytes:
    """What redis-cli would print, as the server sends it."""
    command = words[0].upper() if words else ""
    plain = text.removesuffix("\n")
    if plain.startswith("ERR"):
        return f"-{plain}\r\n".encode()
    if command in _SIMPLE:
        return f"+{plain}\r\n".encode()
    if command in _NUMBERS:
        return f":{plain}\r\n".encode()
    if command in _LISTS:
        lines = plain.split("\n") if plain else []
        return f"*{len(lines)}\r\n".encode() + b"".join(_bulk(line) for line in lines)
    return _bulk(plain) if plain else b"$-1\r\n"


def _bulk(text: str) -> bytes:
    data = text.encode()
    return f"${len(data)}\r\n".encode() + data + b"\r\n"
