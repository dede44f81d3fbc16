"""Daphne with bounds: what one connection may make the server hold.

Daphne hands each message of an application to the transport at once, and each message of a client to the application's queue, however
slow the other side is. Here an application waits until a slow reader has read, and a flood of messages until the application has. A body
that no answer could need ends its connection, and so does the first line of a request that never ends.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from contextvars import Context
from typing import Any

import daphne.server
from autobahn.exception import Disconnected
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol

from clusterlab.web.tls.listener import TlsTransport, listener, say

__all__ = ["Server", "adopt", "can_adopt", "listen_with_tls"]

#: Bytes that may wait for a slow reader before its application has to; and how long a reader may read nothing at all.
MAX_UNREAD = 1 << 20
STALLED_S = 60.0
#: A body beyond this is not even read to its end. Up to there the application says what is wrong with it.
MAX_BODY = 32 << 20
#: How long a request may take to arrive, from its first line to the end of its body.
ARRIVAL_S = 300.0
#: How long the first line of a request may take to arrive. Twisted itself lets go who sends nothing at all for a minute.
FIRST_LINE_S = 30.0
#: Connections that wait for a request; of more, the one goes that has waited longest.
MAX_WAITING = 4000
#: Messages, and their bytes, that may wait for the application of a websocket; then nothing more is read until it has taken them all.
MAX_QUEUED = 500
MAX_QUEUED_BYTES = 8 << 20
#: An application that takes none of them for so long does not want them.
UNTAKEN_S = 60.0
#: Requests and websockets that are open at the same time.
MAX_CONNECTIONS = 5000

_LARGE, _SLOW = "413 Content Too Large", "408 Request Timeout"


class _Request(WebRequest):  # type: ignore[misc]
    _size = 0
    _refused = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Twisted's own timeout begins anew with each byte.
        self._arrival = self.channel.callLater(ARRIVAL_S, self._refuse, _SLOW)

    def connectionLost(self, reason: Any) -> None:
        self._arrived()
        super().connectionLost(reason)

    def _arrived(self) -> None:
        if self._arrival.active():
            self._arrival.cancel()

    def process(self) -> None:
        """Takes away the header by which whoever asks would tell Daphne (and so every link of a page or a mail) where this server's
        addresses begin, and refuses subprotocols that Daphne cannot read."""
        self._arrived()
        self.requestHeaders.removeHeader(b"daphne-root-path")
        if not all(value.isascii() for value in self.requestHeaders.getRawHeaders(b"sec-websocket-protocol", [])):
            self.basic_error(400, b"Bad Request", "Invalid header value")
            return
        super().process()

    def gotLength(self, length: int | None) -> None:
        if length is not None and length > MAX_BODY:
            self._refuse()
        super().gotLength(None if self._refused else length)

    def handleContentChunk(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_BODY and not self._refused:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def _refuse(self, status: str = _LARGE) -> None:
        self._refused = True
        self.channel.transport.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        self.channel.loseConnection()


class _Channel(HTTPChannel):
    """A connection, which waits for a request or answers one."""

    _late: Any = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self._wait()

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self.requests:
            self._served()
        elif self._late is None:
            self._late = self.callLater(FIRST_LINE_S, self._let_go)

    def requestDone(self, request: Any) -> None:
        super().requestDone(request)
        if not self.requests:
            self._wait()

    def connectionLost(self, reason: Any) -> None:
        self._served()
        super().connectionLost(reason)

    def _wait(self) -> None:
        waiting = self.factory.waiting
        waiting[self] = None
        if len(waiting) > MAX_WAITING:
            next(iter(waiting))._let_go()

    def _served(self) -> None:
        self.factory.waiting.pop(self, None)
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = None

    def _let_go(self) -> None:
        self._served()
        if self.transport is not None:
            self.transport.abortConnection()


class _HttpFactory(HTTPFactory):  # type: ignore[misc]
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        #: Connections that wait for a request, the one that has waited longest first.
        self.waiting: dict[_Channel, None] = {}

    def protocol(self) -> Any:
        return _GenericHTTPChannelProtocol(_Channel())

    def buildProtocol(self, addr: Any) -> Any:
        if len(self.server.connections) >= MAX_CONNECTIONS:
            return None
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = _Request
        return protocol


class _Socket(WebSocketProtocol):  # type: ignore[misc]
    _since_empty = 0
    _paused_s = 0.0

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        queue = self.application_queue
        self._since_empty = len(payload) if queue.empty() else self._since_empty + len(payload)
        super().onMessage(payload, isBinary)
        if not self._paused_s and (queue.qsize() >= MAX_QUEUED or (self._since_empty > MAX_QUEUED_BYTES and queue.qsize() > 1)):
            self._paused_s = time.monotonic()
            self.transport.pauseProducing()
            self._go_on(queue.qsize())

    def _go_on(self, waited: int) -> None:
        """Reads on once the application has taken what waits for it."""
        size = self.application_queue.qsize()
        if size < waited:
            self._paused_s = time.monotonic()
        if not size or time.monotonic() - self._paused_s > UNTAKEN_S:
            self._paused_s = 0.0
            self.transport.resumeProducing()
            if size:
                self.sendClose(code=1013, reason="too many messages wait")
        else:
            self.factory.reactor.callLater(0.02, self._go_on, size)

    def sendMessage(self, payload: bytes, *args: Any, **options: Any) -> None:
        """Sends whatever its size: the limit on messages is for what comes in. The snapshot of a large lab has some megabytes.
        To a client that has left nothing is sent: its application is about to hear of it."""
        limit, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            with suppress(Disconnected):
                super().sendMessage(payload, *args, **options)
        finally:
            self.maxMessagePayloadSize = limit


class _SocketFactory(WebSocketFactory):  # type: ignore[misc]
    protocol = _Socket


# Daphne's server makes its factories from these two names and offers no other way in.
daphne.server.HTTPFactory = _HttpFactory
daphne.server.WebSocketFactory = _SocketFactory


_running: list[Server] = []


class Server(daphne.server.Server):  # type: ignore[misc]
    """Daphne's server, whose applications feel how fast their clients read."""

    def run(self) -> None:
        _running[:] = [self]
        super().run()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """An application hears of the client's certificate what TLS has seen of it (ASGI's extension `tls`)."""
        transport = getattr(protocol, "transport", None)
        if isinstance(transport, TlsTransport):
            scope["extensions"] = {**scope.get("extensions", {}), "tls": {"client_cert_chain": transport.client_chain()}}
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        transport = getattr(protocol, "transport", None)
        await super().handle_reply(protocol, message)
        if transport is not None and (message["type"] == "websocket.send" or message.get("more_body")):
            await self._drained(protocol, transport)

    async def _drained(self, protocol: Any, transport: Any) -> None:
        """Returns once the client has read most of what was sent, or has gone. One that reads nothing for long is let go."""
        least, since = _unread(transport), time.monotonic()
        while (unread := _unread(transport)) > MAX_UNREAD:
            if "disconnected" in self.connections.get(protocol, {"disconnected": 0}):
                return
            if unread < least:
                least, since = unread, time.monotonic()
            elif time.monotonic() - since > STALLED_S:
                transport.abortConnection()
                return
            await asyncio.sleep(0.02)


def _unread(transport: Any) -> int:
    """Bytes that Twisted still holds for a connection."""
    if isinstance(transport, TlsTransport):
        return transport.unsent() + _unread(transport.transport)
    return len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0) + getattr(transport, "_tempDataLen", 0)


def can_adopt() -> bool:
    """Whether this process serves with a server that takes listening sockets from elsewhere."""
    return bool(_running)


def adopt(descriptor: int, tls: bool = False) -> None:
    """Serves one more listening socket, of any network namespace. The descriptor stays the caller's. Raises OSError where there is to
    be TLS and its certificates cannot be kept.

    In a context of its own: what comes in over a socket is served in the one in which it was begun to listen, and that of the request
    that happened to ask for it holds a thread for the database, which ends with it."""
    from twisted.internet import reactor

    os.set_blocking(descriptor, False)
    factory = _running[0].http_factory
    made = listener.factory(factory) if tls else factory
    Context().run(reactor.adoptStreamPort, descriptor, socket.AF_INET, made)  # type: ignore[attr-defined]


def listen_with_tls(host: str, port: int) -> None:
    """Serves the Kubernetes endpoint over TLS as well, and says where, or why not. Once the server runs."""
    say(host, port, listener.begin(host, port, _running[0].http_factory))
