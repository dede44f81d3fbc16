"""Sockets and headers of strangers: what names no address, links that lead elsewhere, floods of small pieces."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest
import twisted.internet
from django.conf import settings
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from clusterlab.runtime.talk import Talk
from clusterlab.web import asgi, bounded, throttle
from clusterlab.web.bounded import _HttpFactory as HTTPFactory
from clusterlab.web.podsession import PodSession
from clusterlab.web.portforward import PortForward
from clusterlab.web.spdy import Frame, Spdy
from tests.server import Server
from tests.terminal.typist import Visit

PING = struct.pack(">HHII", 0x8003, 6, 4, 7)


def raw(server: Server, path: str, *headers: str, method: str = "GET", body: bytes = b"") -> str:
    """The answer to a request as it stands, as far as it came at once."""
    head = (f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", "")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall("\r\n".join(head).encode("latin-1") + body)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
            if answer.startswith(b"HTTP/1.1 101"):
                break
    return answer.decode("utf-8", "replace")


def upgrade(server: Server, path: str, *headers: str) -> str:
    head = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *headers, "", "")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall("\r\n".join(head).encode("latin-1"))
        return client.recv(4096).decode("latin-1")


def test_no_header_moves_the_links_of_this_server(server: Server) -> None:
    """Daphne would let whoever asks say where addresses begin: `http://HOST@evil.example/accounts/reset/…` in somebody's mail."""
    page = raw(server, "/accounts/sign-in", "Daphne-Root-Path: @evil.example")
    assert page.startswith("HTTP/1.1 200") and "/accounts/" in page and "evil.example" not in page
    lab = server.lab(nodes=1)
    assert upgrade(server, f"/ws/labs/{lab.id}/", "Daphne-Root-Path: /elsewhere").startswith("HTTP/1.1 101")


def test_headers_that_nobody_can_read(server: Server) -> None:
    """Each is refused, and nothing is said in the log."""
    log = server.folder / "server.log"
    before = log.read_text()
    for origin in ("http://[", "http://\u00e9", "null"):
        refused = raw(server, "/api/labs", f"Origin: {origin}", method="POST", body=b"{}")
        assert refused.startswith("HTTP/1.1 403"), refused[:200]
    for path in ("/ws/labs/nosuchlab1/", "/ws/classes/nosuchroom/", "/kube/nokey/api/v1/namespaces/a/pods/b/exec"):
        for header in ("Sec-WebSocket-Protocol: \u00e9", "Origin: http://["):
            assert upgrade(server, path, header).split(" ")[1] in ("400", "403", "404"), (path, header)
    assert log.read_text() == before


class Turns:
    """Counts how often others have their turn."""

    def __init__(self) -> None:
        self.taken = 0

    async def take(self) -> None:
        while True:
            self.taken += 1
            await asyncio.sleep(0)

    def during(self, work: Callable[[], Any]) -> int:
        async def both() -> None:
            other = asyncio.create_task(self.take())
            await work()
            other.cancel()

        asyncio.run(both())
        return self.taken


async def nothing(*_: Any) -> Any:
    return 0, ""


@pytest.mark.parametrize("flood", [PING * 20_000, Spdy.data(9, b"") * 30_000], ids=["pings", "empty frames"])
def test_port_forward_leaves_others_their_turn(flood: bytes) -> None:
    sent: list[bytes] = []

    async def send(data: bytes) -> None:
        sent.append(data)

    forward = PortForward("p", nothing, lambda port: "", nothing, lambda port, data: Talk(True), send)
    turns = Turns().during(lambda: forward.take(flood))
    assert turns >= len(flood) // 50_000
    assert len(sent) <= turns and sum(map(len, sent)) in (0, len(flood))


@pytest.mark.parametrize("port", ["9" * 5000, "65536", "-1", "", "x"])
def test_ports_that_are_none_end_the_connection(port: str) -> None:
    forward = PortForward("p", nothing, lambda port: "", nothing, lambda port, data: Talk(True), nothing)
    assert not asyncio.run(forward._frame(Frame("open", 1, {"port": port, "streamtype": "data"}, b"", False)))


def test_a_long_paste_into_an_attached_program_is_echoed_at_once() -> None:
    sent: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["bytes"])

    session = PodSession(None, "", "default", "p", "attach", {"tty": ["true"]}, nothing, send)  # type: ignore[arg-type]
    turns = Turns().during(lambda: session.edited("", "a\x7f" * 50_000 + "bc"))
    assert turns > 20 and len(sent) < 20
    assert b"".join(piece[1:] for piece in sent) == b"a\b \b" * 50_000 + b"bc"


class Served:
    """As much of Daphne's server as its factories ask for."""

    def __init__(self) -> None:
        self.connections: dict[Any, Any] = {}

    def protocol_connected(self, protocol: Any) -> None:
        self.connections[protocol] = {}

    def protocol_disconnected(self, protocol: Any) -> None:
        self.connections.pop(protocol, None)


def connected(factory: HTTPFactory) -> tuple[Any, StringTransport]:
    protocol, transport = factory.buildProtocol(None), StringTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def http_factory() -> tuple[Clock, HTTPFactory]:
    clock, factory = Clock(), HTTPFactory(Served())
    factory.reactor = clock
    return clock, factory


def test_what_the_jails_socket_serves_outlives_the_request_that_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line that somebody ran began to listen for all kubectls, within its own request: later ones met its thread for the
    database, which had ended."""
    asked_by: ContextVar[str] = ContextVar("asked_by", default="nobody")
    seen: list[str] = []
    monkeypatch.setattr(bounded, "_running", [SimpleNamespace(http_factory=None)])
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", SimpleNamespace(adoptStreamPort=lambda *_: seen.append(asked_by.get())))
    monkeypatch.setattr(twisted.internet, "reactor", sys.modules["twisted.internet.reactor"], raising=False)
    asked_by.set("a request")
    with socket.socket() as listening:
        bounded.adopt(listening.fileno())
    assert seen == ["nobody"]


@pytest.mark.parametrize("head", [b"", b"POST / HT"], ids=["nothing", "half a line"])
def test_who_never_asks_anything_is_let_go(head: bytes) -> None:
    clock, factory = http_factory()
    protocol, transport = connected(factory)
    for _ in range(8):
        if head:
            protocol.dataReceived(head)
        clock.advance(10)
    assert transport.disconnecting or transport.disconnected
    protocol.connectionLost(Failure(ConnectionDone()))
    assert not factory.waiting and not clock.getDelayedCalls()


def test_of_many_that_wait_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_WAITING", 3)
    _, factory = http_factory()
    asking, busy = connected(factory)
    asking.dataReceived(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n")
    others = [connected(factory)[1] for _ in range(5)]
    assert [transport.disconnected for transport in others] == [True, True, False, False, False] and not busy.disconnected
    asking.connectionLost(Failure(ConnectionDone()))


@pytest.mark.parametrize("head", [b"POST / HTTP/1.1\r\nA: ", b"POST / HTTP/1.1\r\nContent-Length: 999\r\n\r\n"], ids=["headers", "a body"])
def test_a_request_that_trickles_in_is_let_go(head: bytes) -> None:
    clock, factory = http_factory()
    protocol, transport = connected(factory)
    protocol.dataReceived(head)
    for _ in range(9):
        assert not transport.disconnecting
        clock.advance(30)
        protocol.dataReceived(b"x")
    clock.advance(40)
    assert transport.disconnecting and transport.value().startswith(b"HTTP/1.1 408 ")
    protocol.connectionLost(Failure(ConnectionDone()))
    assert not factory.server.connections and not clock.getDelayedCalls()


def test_one_client_cannot_take_all_websockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.CLUSTERLAB, "MAX_SOCKETS_PER_ADDRESS", 2)

    async def answers(*clients: str) -> list[int]:
        """What sockets to nowhere are closed with that are open at the same time."""
        go, told = asyncio.Event(), dict.fromkeys(range(len(clients)), 0)

        async def one(number: int, client: str) -> None:
            async def receive() -> dict[str, Any]:
                await go.wait()
                return {"type": "websocket.connect"}

            async def send(message: dict[str, Any]) -> None:
                told[number] = message["code"]

            await asgi.websocket({"type": "websocket", "path": "/ws/nowhere", "headers": [], "client": [client, 1]}, receive, send)

        tasks = [asyncio.create_task(one(number, client)) for number, client in enumerate(clients)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*tasks)
        return list(told.values())

    assert asyncio.run(answers(*["198.51.100.7"] * 3, "198.51.100.8", *["127.0.0.1"] * 4)) == [4404, 4404, 4429, 4404, *[4404] * 4]
    assert not throttle.sockets.counts


def test_the_proxys_word_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some proxies add to the client's line, some add a line of their own behind it."""
    line = (b"x-forwarded-for", b"127.0.0.1")
    one, two = [(b"x-forwarded-for", b"127.0.0.1, 198.51.100.7")], [line, (b"host", b"lab.example"), (b"x-forwarded-for", b"198.51.100.7")]
    for headers in (one, two):
        scope = {"headers": headers, "client": ["192.0.2.1", 1]}
        monkeypatch.setattr(settings, "HTTPS", True)
        assert throttle.address_of(scope) == "198.51.100.7"
        monkeypatch.setattr(settings, "HTTPS", False)
        assert throttle.address_of(scope) == "192.0.2.1"


def test_a_flood_of_messages_waits_its_turn(server: Server) -> None:
    """Of more than may wait none is lost, and nobody is cut off: the server reads on when the first ones are answered."""
    visit = Visit(server, nodes=1)

    async def flood() -> str:
        async with visit.terminal() as typist:
            assert not typist.socket.protocol.extensions, "compression would let little become much"
            for columns in range(100, 100 + 10 * bounded.MAX_QUEUED, 2):
                await typist.send(type="resize", columns=100 + columns % 800, rows=24)
            return await typist.run("echo still here")

    assert asyncio.run(flood()) == "still here\n"


def test_an_edited_file_may_be_as_large_as_any_of_the_terminals(server: Server) -> None:
    """Daphne by itself would cut the connection at 1 MiB."""
    visit = Visit(server, nodes=1)

    async def edit() -> str:
        async with visit.terminal() as typist:
            typist.edit = lambda text: "\n" * (1500 << 10)
            await typist.run("vi big.txt")
            return await typist.run("wc -c big.txt")

    assert asyncio.run(edit()).split()[0] == str(1500 << 10)
