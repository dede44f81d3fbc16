"""Hands on what is for a lab to the process that has it: HTTP as it streams, and websockets.

An ASGI application around all others. A request that comes from another process of the deployment (it shows the shared secret) is never
handed on again: if its lab is not here and cannot be taken, the answer is 421, and the sender looks anew. What was certainly not begun
is tried again for as long as a dead host's labs take to be taken up; what may have been begun is not.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from django.conf import settings
from django.db import DatabaseError
from yarl import URL

from clusterlab.web import access
from clusterlab.web.labs.errors import LabError
from clusterlab.web.labs.host import host
from clusterlab.web.labs.metrics import FORWARDED
from clusterlab.web.scale import link
from clusterlab.web.scale.internal import Internal
from clusterlab.web.scale.leases import Owner
from clusterlab.web.scale.router import ADDRESS_HEADER, SECRET_HEADER, is_secret, router, secret
from clusterlab.web.throttle import address_of, is_loopback, misses
from clusterlab.web.tls import scopes

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["Forwarder"]

_log = logging.getLogger(__name__)

#: How long a request waits for a lab whose host has died.
PATIENCE_S, PAUSE_S = 15.0, 0.3
MAX_BODY = 32 << 20
#: Closes a websocket whose host is gone: come again.
GONE = 4012
_HOP = {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
_OWN = {SECRET_HEADER.encode(), ADDRESS_HEADER.encode(), scopes.HEADER.encode()}
_SOCKET = {b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol"}
_SKIP = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_LAB = re.compile(r"/(?:api/)?labs/(?!new$|import$)([a-z0-9]{1,16})(?:/|$)|/ws/labs/([a-z0-9]{1,16})/terminal/")
_NEW = re.compile(r"/api/labs$|/api/labs/import$|/api/import$|/labs/new$|/replays/[^/]+/$|/classes/new$|/lti/launch$")
#: Open to whoever reaches a lab host: what orchestrators ask.
_OPEN = ("/healthz", "/readyz", "/metrics")


class Forwarder:
    """ASGI application in front of a process's own."""

    def __init__(self, app: App) -> None:
        self.app, self.internal = app, Internal()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves; while the database is away, with 503 and a word instead of an error of the server's."""
        begun = False

        async def sending(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._take(scope, receive, sending)
        except DatabaseError as error:
            if begun or scope["type"] not in ("http", "websocket"):
                raise
            _log.warning("a request met a database that does not answer: %s", error)
            await _refuse(scope, send, 503, "ServiceUnavailable", "the database does not answer just now; try again in a moment")

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not settings.SCALED or scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        trusted = is_secret(headers)
        if trusted:
            scope["client"] = [headers.get(ADDRESS_HEADER, ""), 0]
            if headers.get(scopes.HEADER):
                scopes.taken_over(scope, headers[scopes.HEADER])
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _OWN]
        path = scope["path"]
        if path.startswith("/internal/"):
            refused = _refuse(scope, send, 403, "Forbidden", "this is for lab hosts alone") if not trusted else None
            await (self.internal(scope, receive, send) if refused is None else refused)
        elif trusted:
            await self._serve(scope, receive, send)
        elif settings.ROLE == "host" and not (path in _OPEN or (path.startswith("/kube/") and is_loopback(address_of(scope)))):
            await _refuse(scope, send, 403, "Forbidden", "this process hosts labs for others; ask a web process")
        else:
            await self._hand_on(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves what another process has handed on: the lab must be here."""
        lab_id = await _lab_id(scope)
        if lab_id is not None:
            try:
                await host.get(lab_id, ask=False)
            except LabError as error:
                if error.code == "Elsewhere":
                    await _refuse(scope, send, 421, "Elsewhere", str(error))
                    return
        await self.app(scope, receive, send)

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        lab_id = await _lab_id(scope)
        find: Callable[[], Awaitable[Owner | None]]
        if lab_id is not None:
            find = lambda: router.of(lab_id)  # noqa: E731
        elif scope["type"] == "http" and scope["method"] == "POST" and _NEW.match(scope["path"]):
            find = router.for_new
        else:
            await self.app(scope, receive, send)
            return
        try:
            owner = await find()
            if owner is None or owner.id == router.here:
                await self.app(scope, receive, send)
            elif scope["type"] == "http":
                await self._http(scope, receive, send, find, lab_id)
            else:
                await self._socket(scope, receive, send, find, lab_id)
        except LabError as error:
            await _refuse(scope, send, error.status, error.code, str(error))

    async def _http(self, scope: Scope, receive: Receive, send: Send, find: Any, lab_id: str | None) -> None:
        body = await _body(receive)
        if body is None:
            await _refuse(scope, send, 413, "TooLarge", f"the body is larger than {MAX_BODY} bytes")
            return
        gone = asyncio.create_task(_gone(receive))
        passing = asyncio.create_task(self._patiently(scope, send, find, lab_id, body, receive))
        try:
            await asyncio.wait({gone, passing}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
        finally:
            gone.cancel()
            passing.cancel()

    async def _patiently(self, scope: Scope, send: Send, find: Any, lab_id: str | None, body: bytes, receive: Receive) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            owner = await find()
            try:
                if owner is None or owner.id == router.here:
                    await self.app(scope, _again(body), send)
                else:
                    begun: list[bool] = []
                    try:
                        await link.while_living(owner, _pass_http(owner, scope, body, send, begun))
                    except link.Away:
                        if not begun:
                            raise
                        await send({"type": "http.response.body", "body": b""})  # a watch whose host has died ends; its client asks anew
                    FORWARDED.labels("http", "done").inc()
                return
            except link.Away as away:
                FORWARDED.labels("http", "away").inc()
                if lab_id is not None:
                    router.forget(lab_id)
                harmless = not away.sent or scope["method"] in ("GET", "HEAD", "OPTIONS")
                if not harmless or time.monotonic() > until:
                    text = "the host of this lab went away while it answered; look whether it was done, and ask again"
                    raise LabError(text, code="Unavailable", status=503) from None
            await asyncio.sleep(PAUSE_S)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, find: Any, lab_id: str | None) -> None:
        await receive()
        until = time.monotonic() + PATIENCE_S
        while True:
            owner = await find()
            if owner is None:
                await send({"type": "websocket.close", "code": 4404})
                return
            if owner.id == router.here:
                await self.app(scope, _connect_again(receive), send)
                return
            try:
                await _pass_socket(owner, scope, receive, send)
                return
            except link.Away:
                if lab_id is not None:
                    router.forget(lab_id)
                if time.monotonic() > until:
                    await send({"type": "websocket.close", "code": 4013})
                    return
            await asyncio.sleep(PAUSE_S)


async def _lab_id(scope: Scope) -> str | None:
    """The id of the lab that a request is for; None where it is for none, or for one that its sender may not even guess at."""
    path = scope["path"]
    if path.startswith("/kube/"):
        key = path.removeprefix("/kube/").partition("/")[0]
        if not 0 < len(key) <= 64 or (misses.exhausted(address_of(scope)) and not host.knows(key)):
            return None
        if key.startswith(access.GUEST):
            try:
                guest = await access.guest_of(key)
            except LabError:  # said again, to whoever asks, where the request is served
                return None
            return guest.lab_id if guest else None
        return await host.id_of(key)
    found = _LAB.match(path)
    return (found[1] or found[2]) if found else None


def _headers_for(scope: Scope, leave: set[bytes]) -> list[tuple[str, str]]:
    kept = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"] if n not in _HOP and n not in leave]
    own = [(SECRET_HEADER, secret()), (ADDRESS_HEADER, str((scope.get("client") or [""])[0])), (scopes.HEADER, scopes.passed_on(scope))]
    return [*kept, *((name, value) for name, value in own if value or name != scopes.HEADER)]


def _url(owner: Owner, scope: Scope) -> URL:
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope.get("query_string", b"")
    text = owner.address + path.decode("latin-1").partition("?")[0] + (f"?{query.decode('latin-1')}" if query else "")
    return URL(text, encoded=True)


async def _pass_http(owner: Owner, scope: Scope, body: bytes, send: Send, begun: list[bool]) -> None:
    """One request, and its answer as it comes; `begun` is filled when something of the answer is sent. Raises Away."""
    headers = _headers_for(scope, {b"content-length"})
    try:
        async with link.session().request(
            scope["method"], _url(owner, scope), headers=headers, data=body or None, allow_redirects=False, skip_auto_headers=_SKIP
        ) as answer:
            if answer.status == 421:
                raise link.Away("the lab is elsewhere")
            begun.append(True)
            told = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() not in _HOP]
            await send({"type": "http.response.start", "status": answer.status, "headers": told})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except aiohttp.ClientConnectorError as error:
        raise link.Away(str(error)) from None
    except aiohttp.ClientError as error:
        raise link.Away(str(error), sent=True) from None


async def _pass_socket(owner: Owner, scope: Scope, receive: Receive, send: Send) -> None:
    """One websocket, both ways until either side leaves. Raises Away before it was accepted."""
    try:
        socket = await link.while_living(owner, _connected(owner, scope))
    except aiohttp.WSServerHandshakeError as error:
        if error.status == 421:
            raise link.Away("the lab is elsewhere") from None
        await send({"type": "websocket.close", "code": 4403})
        return
    except aiohttp.ClientError as error:
        raise link.Away(str(error)) from None
    await send({"type": "websocket.accept", "subprotocol": socket.protocol})

    async def outward() -> None:
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT:
                await send({"type": "websocket.send", "text": message.data})
            elif message.type == aiohttp.WSMsgType.BINARY:
                await send({"type": "websocket.send", "bytes": message.data})
        # A server may close with 1000 or with codes of its own alone; the rest says how a connection ended.
        code = socket.close_code or GONE
        await send({"type": "websocket.close", "code": code if code == 1000 or 3000 <= code <= 4999 else GONE})

    async def inward() -> None:
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") is not None:
                await socket.send_str(message["text"])
            else:
                await socket.send_bytes(message.get("bytes") or b"")

    over = asyncio.create_task(router.outlived(owner))
    tasks = {asyncio.create_task(outward()), asyncio.create_task(inward()), over}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            await send({"type": "websocket.close", "code": GONE})
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await socket.close()


async def _connected(owner: Owner, scope: Scope) -> aiohttp.ClientWebSocketResponse:
    protocols, headers = tuple(scope.get("subprotocols", ())), _headers_for(scope, _SOCKET)
    return await link.session().ws_connect(_url(owner, scope), headers=headers, protocols=protocols, max_msg_size=16 << 20)


async def _body(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes) -> Receive:
    """A body that was read, to be read once more."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def _connect_again(receive: Receive) -> Receive:
    waiting = [{"type": "websocket.connect"}]

    async def first() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return first


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(scope: Scope, send: Send, status: int, code: str, text: str) -> None:
    """An error in the words of the door at which it came in."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4000 + status})
        return
    if scope["path"].startswith("/kube/"):
        body: dict[str, Any] = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text,
            "reason": "ServiceUnavailable" if status == 503 else code, "code": status,
        }
    else:
        body = {"error": {"code": code, "message": text}}
    data = orjson.dumps(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
