"""kubectl port-forward: connections to a pod's port, through a websocket.

Follows staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/httpstream.go: each connection is a pair of streams, one for errors and
one for data. Containers run no code, so what answers is the behaviour of the image: ports that speak HTTP (each request is a command of the
lab, so that it counts and what it causes is seen), those of redis, and what `runtime.talk` knows of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from clusterlab.runtime.talk import Talk, http_response, request_of, sent_of
from clusterlab.web import resp
from clusterlab.web.spdy import Frame, Spdy, SpdyError

__all__ = ["PROTOCOL", "PortForward"]

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
MAX_REQUEST = 1 << 20
MAX_STREAMS = 200
#: Frames after which others have their turn.
BREATH = 32
#: Bytes that are looked at before others have their turn: the smallest frames have 8.
SLICE = 32_768
CHUNK = 32_000

#: (port, path, method) -> (status, body); status 0 where nothing listens.
Ask = Callable[[int, str, str, str, dict[str, str]], Awaitable[tuple[int, str]]]
#: (port, bytes) -> what a server that speaks neither HTTP nor redis says to them.
Say = Callable[[int, bytes], Talk]
#: (port) -> what it speaks: http, redis, tcp, or "" where nothing listens.
Speaks = Callable[[int], str]
#: (port, words of a redis command) -> what redis-cli would print.
Tell = Callable[[int, list[str]], Awaitable[str]]


class _Stream(NamedTuple):
    """A stream of the client: `error` or `data`, for a port; `partner` is the number that both of a connection share."""

    kind: str
    port: int
    partner: str
    buffer: bytes = b""


class PortForward:
    """One kubectl port-forward. `ask` asks the pod over HTTP, `tell` as redis; `send` sends bytes to kubectl."""

    def __init__(self, pod: str, ask: Ask, speaks: Speaks, tell: Tell, say: Say, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._pod, self._ask, self._send = pod, ask, send
        self._speaks, self._tell, self._say = speaks, tell, say
        self._spdy = Spdy()
        self._streams: dict[int, _Stream] = {}

    async def take(self, data: bytes) -> bool:
        """Takes bytes of the client; False when the connection is over."""
        for start in range(0, len(data), SLICE):
            if not await self._slice(data[start : start + SLICE]):
                return False
            await asyncio.sleep(0)
        return True

    async def _slice(self, data: bytes) -> bool:
        try:
            frames = self._spdy.feed(data)
        except SpdyError:
            return False
        if self._spdy.pings:
            await self._send(b"".join(self._spdy.pings))
            self._spdy.pings = []
        for number, frame in enumerate(frames):
            if frame.kind == "end" or not await self._frame(frame):
                return False
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)  # thousands of frames may come in one message
        return True

    async def _frame(self, frame: Frame) -> bool:
        if frame.kind == "open":
            port = frame.headers.get("port", "")
            if len(self._streams) >= MAX_STREAMS or not port.isdecimal() or len(port) > 5 or int(port) > 65_535:
                return False
            self._streams[frame.stream] = _Stream(frame.headers.get("streamtype", ""), int(port), frame.headers.get("requestid", ""))
            await self._send(self._spdy.reply(frame.stream))
            await self._greet(frame.stream, self._streams[frame.stream])
        elif frame.kind == "reset":
            self._streams.pop(frame.stream, None)
        elif (stream := self._streams.get(frame.stream)) is not None and stream.kind == "data":
            await self._data(frame, stream)
        return True

    async def _greet(self, number: int, stream: _Stream) -> None:
        """What a server says before it is asked anything."""
        if stream.kind == "data" and self._speaks(stream.port) == "tcp":
            found = self._say(stream.port, b"")
            if found.data:
                await self._send(self._spdy.data(number, found.data))
            if found.close:
                await self._close(number)

    async def _data(self, frame: Frame, stream: _Stream) -> None:
        buffer = stream.buffer + frame.data
        kind = self._speaks(stream.port)
        if not kind:
            await self._refused(stream)
            await self._close(frame.stream)
            return
        if kind != "http":
            await self._other(frame, stream, buffer, kind)
            return
        while (taken := request_of(buffer)) is not None:
            path, size, keep = taken
            method, body, fields = sent_of(buffer[:size])
            buffer = buffer[size:]
            if not await self._answer(frame.stream, stream, keep, (stream.port, path, method, body, fields)):
                return
        if b"\r\n\r\n" in buffer and request_of(buffer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n") is None:
            await self._send(self._spdy.data(frame.stream, http_response(400, "", False)))
            await self._close(frame.stream)
            return
        if frame.last or len(buffer) > MAX_REQUEST:
            await self._close(frame.stream)
            return
        self._streams[frame.stream] = stream._replace(buffer=buffer)

    async def _other(self, frame: Frame, stream: _Stream, buffer: bytes, kind: str) -> None:
        """A connection that does not speak HTTP."""
        try:
            while kind == "redis" and (taken := resp.take(buffer)) is not None:
                words, size = taken
                buffer = buffer[size:]
                if words and words[0].upper() == "QUIT":
                    frame = frame._replace(last=True)
                elif words:
                    await self._send(self._spdy.data(frame.stream, resp.answer(words, await self._tell(stream.port, words))))
        except resp.ProtocolError:
            await self._send(self._spdy.data(frame.stream, b"-ERR Protocol error\r\n"))
            frame = frame._replace(last=True)
        if kind == "tcp" and frame.data:
            found = self._say(stream.port, frame.data)
            if found.data:
                await self._send(self._spdy.data(frame.stream, found.data))
            frame = frame._replace(last=frame.last or found.close)
        if frame.last or len(buffer) > MAX_REQUEST:
            await self._close(frame.stream)
            return
        self._streams[frame.stream] = stream._replace(buffer=buffer if kind == "redis" else b"")

    async def _answer(self, number: int, stream: _Stream, keep: bool, asked: tuple[int, str, str, str, dict[str, str]]) -> bool:
        status, body = await self._ask(*asked)
        if not status:
            await self._refused(stream)
            await self._close(number)
            return False
        data = http_response(status, body, keep)
        if asked[2] == "HEAD":
            data = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        for start in range(0, len(data), CHUNK):
            await self._send(self._spdy.data(number, data[start : start + CHUNK]))
        if not keep:
            await self._close(number)
        return keep

    async def _refused(self, stream: _Stream) -> None:
        """Tells it on the connection's stream for errors."""
        text = (
            f"error forwarding port {stream.port} to pod {self._pod}, uid : failed to connect to localhost:{stream.port} inside "
            f"namespace: dial tcp4 127.0.0.1:{stream.port}: connect: connection refused"
        )
        for number, other in list(self._streams.items()):
            if other.kind == "error" and other.partner == stream.partner:
                del self._streams[number]
                await self._send(self._spdy.data(number, text.encode(), last=True))

    async def _close(self, number: int) -> None:
        """Ends a connection: its data stream, and its stream for errors."""
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        await self._send(self._spdy.data(number, b"", last=True))
        for other, each in list(self._streams.items()):
            if each.kind == "error" and each.partner == stream.partner:
                del self._streams[other]
                await self._send(self._spdy.data(other, b"", last=True))
