"""The flow of bytes of kubectl port-forward: cut anywhere it says the same, and junk is told apart."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.web.spdy import MAX_FRAME, Spdy, SpdyError

PIECES = st.lists(st.tuples(st.sampled_from([1, 3, 5]), st.binary(max_size=6), st.booleans()), max_size=12)


@given(PIECES, st.lists(st.integers(1, 30), max_size=20))
def test_streams_say_the_same_wherever_the_bytes_are_cut(pieces: list[tuple[int, bytes, bool]], cuts: list[int]) -> None:
    flow = b"".join(Spdy.data(stream, data, last) for stream, data, last in pieces)
    spdy, frames = Spdy(), []
    for cut in cuts:
        frames += spdy.feed(flow[:cut])
        flow = flow[cut:]
    frames += spdy.feed(flow)
    for stream in (1, 3, 5):
        wanted: list[tuple[bytes, bool]] = []
        for _, data, last in (piece for piece in pieces if piece[0] == stream):
            before = wanted.pop()[0] if wanted and not wanted[-1][1] else b""
            wanted.append((before + data, last))
            if last:
                break  # what comes after the end of a stream is nobody's
        got: list[tuple[bytes, bool]] = []
        for frame in (each for each in frames if each.stream == stream):
            before = got.pop()[0] if got and not got[-1][1] else b""
            got.append((before + frame.data, frame.last))
            if frame.last:
                break
        assert got == wanted


def test_a_flood_of_small_frames_is_one_piece_of_work() -> None:
    frames = Spdy().feed(Spdy.data(1, b"x") * 100_000)
    assert [(len(frame.data), frame.last) for frame in frames] == [(100_000, False)]


def test_frames_and_headers_are_bounded() -> None:
    with pytest.raises(SpdyError):
        Spdy().feed(struct.pack(">II", 1, MAX_FRAME + 1))
    with pytest.raises(SpdyError):
        Spdy().feed(struct.pack(">HHI", 0x8003, 1, 14) + bytes(10) + b"junk")
