"""Commands of redis out of bytes, whatever pieces they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.web import resp

WORDS = st.lists(st.text(max_size=30), min_size=1, max_size=6)


def encoded(words: list[str]) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


@given(WORDS, WORDS)
def test_a_command_is_taken_once_it_is_whole(words: list[str], next_words: list[str]) -> None:
    data = encoded(words)
    assert all(resp.take(data[:end]) is None for end in range(0, len(data), 7))
    assert resp.take(data + encoded(next_words)) == (words, len(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_refused(data: bytes) -> None:
    try:
        found = resp.take(data)
    except resp.ProtocolError:
        return
    assert found is None or 0 < found[1] <= len(data)


@pytest.mark.parametrize(("words", "text", "sent"), [
    (["PING"], "PONG\n", b"+PONG\r\n"), (["INCR", "n"], "42\n", b":42\r\n"), (["GET", "a"], "bar\n", b"$3\r\nbar\r\n"),
    (["GET", "no"], "\n", b"$-1\r\n"), (["KEYS", "*"], "a\nb\n", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"), (["X"], "ERR unknown\n", b"-ERR unknown\r\n"),
])
def test_answers(words: list[str], text: str, sent: bytes) -> None:
    assert resp.answer(words, text) == sent
