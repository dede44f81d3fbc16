"""Requests from one process of a deployment to another: plain HTTP on the inner network, with the shared secret."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import aiohttp
import orjson

from clusterlab.web.labs.errors import LabError
from clusterlab.web.scale.leases import Owner
from clusterlab.web.scale.router import SECRET_HEADER, router, secret

__all__ = ["Away", "ask", "close", "session", "while_living"]

T = TypeVar("T")

_CONNECT_S = 2.0
_sessions: list[aiohttp.ClientSession] = []


class Away(Exception):
    """The process does not answer, or has not what it was asked for. `sent`: it may have begun to do what was asked."""

    def __init__(self, why: str, sent: bool = False) -> None:
        super().__init__(why)
        self.sent = sent


def session() -> aiohttp.ClientSession:
    """The client of this process, made on its event loop."""
    if not _sessions:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=20)
        _sessions.append(aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, read_bufsize=1 << 18, max_line_size=1 << 16,
            max_field_size=1 << 16, cookie_jar=aiohttp.DummyCookieJar(),
        ))
    return _sessions[0]


async def close() -> None:
    """Lets go of the connections to other processes."""
    while _sessions:
        await _sessions.pop().close()


async def ask(owner: Owner, path: str, body: Any = None, timeout_s: float | None = 30) -> bytes:
    """The answer to an inner request. Raises Away, and LabError for what the other process refuses."""
    data = orjson.dumps(body if body is not None else {})
    return await while_living(owner, _ask(owner, path, data, timeout_s))


async def while_living(owner: Owner, work: Coroutine[Any, Any, T]) -> T:
    """What comes of `work`, which waits for another process. Raises Away when that one does not live any more: it may hang, or its machine
    be gone, so that no connection to it ever ends."""
    task, over = asyncio.ensure_future(work), asyncio.ensure_future(router.outlived(owner))
    try:
        await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Away("the process does not live any more", sent=True)
        return task.result()
    finally:
        for one in (task, over):
            one.cancel()
        await asyncio.gather(task, over, return_exceptions=True)


async def _ask(owner: Owner, path: str, data: bytes, timeout_s: float | None) -> bytes:
    try:
        async with session().post(
            owner.address + path, data=data, headers={SECRET_HEADER: secret(), "content-type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S),
        ) as answer:
            text = await answer.read()
    except aiohttp.ClientConnectorError as error:
        raise Away(str(error)) from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Away(str(error) or "it did not answer in time", sent=True) from None
    if answer.status == 421:
        raise Away("the lab is elsewhere")
    if answer.status >= 400:
        try:
            told = orjson.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            raise Away(f"it answers {answer.status}", sent=True) from None
        raise LabError(told["message"], told.get("field", ""), told["code"], answer.status)
    return text
