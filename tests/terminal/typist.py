"""A person at the terminal of a lab's page, without the page: the websocket itself."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.server import Server
from tests.sockets import connect
from tests.waiting import LONG_S

__all__ = ["Typist", "Visit"]


class Visit:
    """A browser's session with a lab of its own."""

    def __init__(self, server: Server, **body: Any) -> None:
        self.server = server
        jar = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        ask = urllib.request.Request(server.url + "/api/labs", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with opener.open(ask, timeout=60) as answer:
            made = json.load(answer)
        self.id, self.key = made["id"], made["key"]
        self.cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
        self.folder = server.folder / "terminal" / self.id

    def terminal(self, cookie: str | None = None) -> Typist:
        return Typist(self, self.cookie if cookie is None else cookie)


class Typist:
    """`async with visit.terminal() as typist: await typist.run("kubectl get pods")`."""

    def __init__(self, visit: Visit, cookie: str) -> None:
        self.visit, self.cookie = visit, cookie
        self.ready: dict[str, Any] = {}
        self.exit = -1
        self.messages: list[dict[str, Any]] = []
        self.edit = lambda text: None

    async def __aenter__(self) -> Typist:
        url = f"ws://127.0.0.1:{self.visit.server.port}/ws/labs/{self.visit.id}/terminal/"
        self.socket: ClientConnection = await connect(url, additional_headers={"Cookie": self.cookie}, max_size=None)
        self.ready = json.loads(await asyncio.wait_for(self.socket.recv(), 60))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def start(self, line: str) -> None:
        await self.send(type="run", line=line)

    async def read(self, kind: str = "done", until: str = "") -> str:
        """Output up to a message of that kind, or up to a text."""
        text, end = "", time.monotonic() + LONG_S
        while True:
            assert time.monotonic() < end, f"no {until or kind!r} within {LONG_S:.0f} s: …{text[-500:]}"
            got = await asyncio.wait_for(self.socket.recv(), 60)
            if isinstance(got, bytes):
                text += got.decode(errors="replace")
                if until and until in text:
                    return text
                continue
            message = json.loads(got)
            self.messages.append(message)
            if message["type"] == "edit":
                await self.send(type="edited", id=message["id"], text=self.edit(message["text"]))
            if message["type"] == kind or message["type"] == "error":
                self.exit = message.get("exit", -1)
                return text.replace("\r\n", "\n")

    async def run(self, line: str) -> str:
        await self.start(line)
        return await self.read()
