"""SPDY/3.1 as kubectl port-forward speaks it inside a websocket: streams over one flow of bytes.

Follows the SPDY/3.1 draft and what client-go uses of it (tools/portforward/tunneling_connection.go): streams are opened by the client,
there is no flow control, and a ping is sent back.
"""

from __future__ import annotations

import struct
import zlib
from itertools import groupby
from typing import NamedTuple

__all__ = ["Frame", "Spdy", "SpdyError"]

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization "
    "cache-control connection content-base content-encoding content-language content-length content-location content-md5 "
    "content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after "
    "server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version "
    "HTTP/1.1 url public set-cookie keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No "
    "Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,"
    "text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
#: What both sides of the header compression know beforehand.
DICTIONARY = b"".join(
    struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in _WORDS.split()
) + _TAIL.encode()

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
MAX_FRAME = 1 << 20
MAX_HEADERS = 1 << 16


class SpdyError(ValueError):
    """Bytes that are no SPDY."""


class Frame(NamedTuple):
    """What the client sent: `kind` is open, data, reset or end."""

    kind: str
    stream: int
    headers: dict[str, str]
    data: bytes
    last: bool


def _of_stream(frame: Frame) -> tuple[str, int]:
    return frame.kind, frame.stream


def _joined(frames: list[Frame]) -> list[Frame]:
    """Frames of one kind and stream: those of data become one, up to the one that ends the stream."""
    if frames[0].kind != "data" or len(frames) == 1:
        return frames
    last = next((at for at, frame in enumerate(frames) if frame.last), len(frames) - 1)
    return [frames[0]._replace(data=b"".join(frame.data for frame in frames[: last + 1]), last=frames[last].last)]


class Spdy:
    """The server's side of one connection: bytes in, frames out; and the frames that it sends, as bytes."""

    def __init__(self) -> None:
        self._buffer = b""
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self.pings: list[bytes] = []

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now; data of a stream that came in several frames behind each other is one. Pings wait in
        `pings` to be sent back."""
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        while len(self._buffer) - at >= 8:
            head, flags_length = struct.unpack_from(">II", self._buffer, at)
            flags, length = flags_length >> 24, flags_length & 0xFFFFFF
            if length > MAX_FRAME:
                raise SpdyError("the frame is too large")
            end = at + 8 + length
            if len(self._buffer) < end:
                break
            body = self._buffer[at + 8 : end]
            if head >> 31:
                frames += self._control(head & 0xFFFF, flags, body, self._buffer[at:end])
            else:
                frames.append(Frame("data", head, {}, body, bool(flags & 1)))
            at = end
        self._buffer = self._buffer[at:]
        return [joined for _, same in groupby(frames, _of_stream) for joined in _joined(list(same))]

    def _control(self, kind: int, flags: int, body: bytes, whole: bytes) -> list[Frame]:
        if kind == SYN_STREAM and len(body) >= 10:
            stream = struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF
            return [Frame("open", stream, self._headers(body[10:]), b"", bool(flags & 1))]
        if kind == RST_STREAM and len(body) >= 8:
            return [Frame("reset", struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF, {}, b"", True)]
        if kind == GOAWAY:
            return [Frame("end", 0, {}, b"", True)]
        if kind == PING:
            self.pings.append(whole)
        return []

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, MAX_HEADERS)
            (count,), at, out = struct.unpack(">I", plain[:4]), 4, {}
            for _ in range(count):
                words = []
                for _ in range(2):
                    (size,) = struct.unpack(">I", plain[at : at + 4])
                    words.append(plain[at + 4 : at + 4 + size].decode("latin-1"))
                    at += 4 + size
                out[words[0].lower()] = words[1]
        except (zlib.error, struct.error) as error:
            raise SpdyError(str(error)) from None
        return out

    # What the server sends.

    def reply(self, stream: int) -> bytes:
        """Accepts a stream."""
        block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack(">I", stream) + block
        return struct.pack(">HHI", 0x8003, SYN_REPLY, len(body)) + body

    @staticmethod
    def data(stream: int, data: bytes, last: bool = False) -> bytes:
        return struct.pack(">II", stream, (int(last) << 24) | len(data)) + data
