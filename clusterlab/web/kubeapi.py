"""The Kubernetes endpoint: `/kube/KEY/…` as a plain ASGI application, so that a kubectl request costs no more than it must.

It turns an ASGI request into the model's plain values and back, and streams watches. Everything Kubernetes-like happens in
clusterlab.apiserver.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Generator
from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.conf import settings

from clusterlab.machinery.errors import StatusError
from clusterlab.web import access, pieces
from clusterlab.web.hosts import allowed_host
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.labs.metrics import KUBE
from clusterlab.web.throttle import address_of, misses
from clusterlab.web.tls import scopes
from clusterlab.web.tls.kubeconfig import NO_TLS, kubeconfig, kubeconfig_over_tls

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

__all__ = ["ClientGoneError", "KubeApi", "guest_headers", "headers_of", "in_pieces", "lab_of", "perform"]

MAX_BODY = 3 * 1024 * 1024
#: Request headers that the API server looks at.
HEADERS = {"accept", "content-type", "authorization", "user-agent", "x-remote-user"}
#: Those of them that say who it is.
CREDENTIALS = {"authorization", "client-cert"}
#: A watch that nobody hears, and a long answer, are sent in batches of at most this many bytes.
BATCH = 256 * 1024


def _failure(code: int, reason: str, message: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}
    return code, [(b"content-type", b"application/json")], orjson.dumps(body)


class KubeApi:
    """ASGI application for HTTP under /kube/."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key, _, rest = scope["path"].removeprefix("/kube/").partition("/")
        try:
            lab = await lab_of(key, scope)
        except LabError as error:  # it is there, and cannot be opened
            await _send(send, *_failure(error.status, error.code, str(error)))
            return
        if lab is None and misses.exhausted(address_of(scope)):
            await _send(send, *_failure(429, "TooManyRequests", "too many keys that fit no lab came from your address; wait a minute"))
            return
        if lab is None:
            await _send(send, *_failure(404, "NotFound", "there is no lab with this key; start one on the front page"))
            return
        headers = headers_of(scope)
        if (name := scope.get("guest")) and not any(one in CREDENTIALS or one.startswith("impersonate-") for one in headers):
            headers |= {"impersonate-user": name, "impersonate-group": "system:masters"}  # so that steps tell who did it
        method, path, query = scope["method"], "/" + rest, scope.get("query_string", b"").decode("latin-1")
        if path == "/kubeconfig":
            await _kubeconfig(lab, key, scope, send)
            return
        body = await _read_body(receive)
        if body is None:
            message = f"Request entity too large: limit is {MAX_BODY}"
            await _send(send, *_failure(413, "RequestEntityTooLarge", message))
            return
        try:
            answer = await perform(lab, method, path, query, headers, body, receive)
            if method == "GET" and path.endswith("/log") and "follow=true" in query and getattr(answer, "code", 0) == 200:
                with lab.stream():
                    await _follow_log(lab, path, query, answer.body, receive, send)
                return
        except ClientGoneError:
            return
        except LabError as error:
            await _send(send, *_failure(error.status, "TooManyRequests" if error.status == 429 else "InternalError", str(error)))
            return
        if key.startswith(access.GUEST) and not lab.cluster.is_read(method, path, query):
            await access.tell(key, lab.id, f"api {method} {_what(path)}"[:190], getattr(answer, "code", 200) >= 400)
        if hasattr(answer, "body"):
            await _send(send, answer.code, [(k.lower().encode(), v.encode("latin-1", "replace")) for k, v in answer.headers], answer.body)
        else:
            await _stream(lab, answer, receive, send)


def _what(path: str) -> str:
    """The end of a path that tells what it is about: default/pods/web, nodes/node-1."""
    parts = path.strip("/").split("/")
    return "/".join(parts[parts.index("namespaces") + 1 :] if "namespaces" in parts[:-2] else parts[-2:])


async def lab_of(key: str, scope: Scope) -> Lab | None:
    """The lab of the key in an address. Who guesses too often is not even looked up.

    A guest's name is left in the scope. Raises LabError for a guest's key that opens nothing just now."""
    address = address_of(scope)
    if not 0 < len(key) <= 64 or (misses.exhausted(address) and not host.knows(key)):
        return None
    if key.startswith(access.GUEST):
        guest = await access.guest_of(key)
        lab = await host.get(guest.lab_id) if guest else None
        scope["guest"] = guest.name if guest else ""
    else:
        lab = await host.by_key(key)
    if lab is None:
        misses.count(address)
    return lab


async def guest_headers(key: str) -> dict[str, str]:
    """What a request of the page's carries, so that steps tell which guest of a lab made it; nothing for the lab's own key."""
    guest = await access.guest_of(key)
    return {"impersonate-user": guest.name, "impersonate-group": "system:masters"} if guest is not None and guest.name else {}


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers that the API server looks at; one that comes several times (Impersonate-Group) is joined with commas. The token of our
    own kubeconfigs is the key that stands in the address, and says nothing more."""
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1")
        if name in HEADERS or name.startswith("impersonate-"):
            text = value.decode("latin-1")
            headers[name] = f"{headers[name]},{text}" if name in headers else text
    if headers.get("authorization") == f"Bearer {scope['path'].removeprefix('/kube/').partition('/')[0]}":
        del headers["authorization"]
    if certificate := scopes.client_certificate(scope):  # from TLS alone: a header of this name is not among those that are read
        headers["client-cert"] = certificate
    return headers


class ClientGoneError(Exception):
    """Nobody waits for an answer any more."""


async def perform(
    lab: Lab, method: str, path: str, query: str, headers: dict[str, str], body: bytes, receive: Receive | None = None,
) -> Any:
    """Has a lab answer a Kubernetes request; writes become commands of the lab, reads do not. Raises ClientGoneError where `receive` says
    so while a long list is written down."""
    lab.used_s = asyncio.get_running_loop().time()
    cluster = lab.cluster
    if cluster.is_read(method, path, query):
        for _ in cluster.preparing(method, path, headers):
            await asyncio.sleep(0)
        await lab.stands.wait()
        lab.tick_clock()
        return await in_pieces(lab, cluster.answering(method, path, query, headers, body), receive)
    try:
        text: dict[str, str] = {"body": body.decode()}
    except UnicodeDecodeError:
        text = {"body64": base64.b64encode(body).decode()}
    data = {"kind": "request", "method": method, "path": path, "query": query, "headers": headers, **text}
    return await pieces.perform(lab, data)


async def in_pieces(lab: Lab, work: Generator[None, None, Any], receive: Receive | None) -> Any:
    """Has a read done, and lets others do something after each of its pieces. What it reads is read in its first piece. A lab writes
    few long lists at a time: what is made of them so far takes memory, what was read hardly any."""
    try:
        next(work)
    except StopIteration as done:
        return done.value
    gone = asyncio.create_task(_disconnected(receive)) if receive is not None else None
    try:
        async with lab.writing:
            while gone is None or not gone.done():
                await asyncio.sleep(0)
                next(work)
            raise ClientGoneError
    except StopIteration as done:
        return done.value
    finally:
        work.close()
        if gone is not None:
            gone.cancel()


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body; None when it is over the limit (the rest is read and dropped, so that the client hears the answer)."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts) if size <= MAX_BODY else None


async def _send(send: Send, code: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    KUBE.labels(str(code)).inc()
    headers = [*headers, (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-cache, private")]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    for start in range(0, len(body) - BATCH, BATCH):
        await send({"type": "http.response.body", "body": body[start : start + BATCH], "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": body[max(0, (len(body) - 1) // BATCH * BATCH) :]})


async def _stream(lab: Lab, watch: Any, receive: Receive, send: Send) -> None:
    """Sends a watch as it goes, until it ends, times out, or the client leaves."""
    if lab.cluster.watch_count() > settings.CLUSTERLAB["MAX_WATCHES_PER_LAB"]:
        watch.close()
        await _send(send, *_failure(429, "TooManyRequests", "this lab has as many open watches as it may; close some"))
        return
    headers = [(b"content-type", watch.content_type.encode()), (b"cache-control", b"no-cache, private")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    news = asyncio.Event()
    loop = asyncio.get_running_loop()
    watch.on_event = news.set
    ends = loop.time() + watch.timeout_s if watch.timeout_s else None
    gone = asyncio.create_task(_disconnected(receive))
    try:
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        while not gone.done():
            news.clear()
            while chunk := watch.take(BATCH):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await asyncio.sleep(0)
            left = None if ends is None else ends - loop.time()
            if watch.closed or (left is not None and left <= 0):
                break
            waiter = asyncio.create_task(news.wait())
            await asyncio.wait({waiter, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
    finally:
        watch.close()
        gone.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _follow_log(lab: Lab, path: str, query: str, begin: bytes, receive: Receive, send: Send) -> None:
    """kubectl logs -f: what is there, then each new line as simulated time brings it, until the container ends."""
    _, _, _, _, namespace, _, pod, _ = path.split("/")
    asked = dict(parse_qsl(query))
    node_server, sim = lab.cluster.node_server, lab.cluster.sim
    seen = sim.time_ms
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": begin, "more_body": True})
    gone = asyncio.create_task(_disconnected(receive))
    try:
        more = True
        while more and not gone.done():
            await asyncio.wait({gone}, timeout=0.2)
            lab.tick_clock()
            try:
                lines, more = node_server.log_lines(namespace, pod, asked.get("container", ""), after_ms=seen)
            except StatusError:
                break  # the pod has gone
            seen = max([seen, *(line[0] for line in lines)])
            text = "".join(node_server.shown(line, asked.get("timestamps") == "true") for line in lines)
            if text:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
    finally:
        gone.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _kubeconfig(lab: Lab, key: str, scope: Scope, send: Send) -> None:
    where = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    if not allowed_host(where):
        await _send(send, *_failure(400, "BadRequest", "this server does not answer to that host name"))
        return
    name, asked = f"clusterlab-{lab.id}", dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("tls", "")
    plain = f"{'https' if settings.HTTPS else 'http'}://{where}/kube/{key}"
    if asked == "1" or (not asked and scopes.tls_of(scope) is not None):
        offer = scopes.offer_of(scope)
        if offer is None and not settings.HTTPS:
            await _send(send, *_failure(404, "NotFound", NO_TLS))
            return
        text = kubeconfig(plain, name) if offer is None else kubeconfig_over_tls(offer, where, key, name)
    else:
        text = kubeconfig(plain, name)
    await _send(send, 200, [(b"content-type", b"application/yaml")], text.encode())
