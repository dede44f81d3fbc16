"""A class as tests know it: an instructor, learners, and their websockets."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.server import Server
from tests.sockets import connect
from tests.waiting import LONG_S
from tests.web.people import Person

__all__ = ["Page", "join", "open_class"]


def open_class(server: Server, name: str, **fields: str) -> tuple[Person, str]:
    """An instructor with a class; its id."""
    teacher = Person(server, name).instructor()
    answer = teacher.send("/classes/new", {"title": f"Class of {name}", "nodes": "2", **fields}, form="/classes/")
    assert answer.status_code == 302, answer.text
    return teacher, answer.headers["location"].split("/")[2]


def join(server: Server, code: str, name: str) -> Person:
    """A learner who has joined."""
    person = Person(server, name)
    answer = person.send("/join", {"code": code, "name": name})
    assert answer.status_code == 302, re.sub(r"\s+", " ", answer.text)[-600:]
    return person


class Page:
    """A page of a class: the websocket of somebody."""

    def __init__(self, server: Server, person: Person, room_id: str) -> None:
        self.url = f"ws://127.0.0.1:{server.port}/ws/classes/{room_id}/"
        self.person = person
        self.socket: ClientConnection
        self.state: dict[str, Any] = {}
        self.tiles: dict[str, dict[str, Any]] = {}
        self.heard: list[dict[str, Any]] = []

    async def __aenter__(self) -> Page:
        # No pings of its own: a page that is not read for a while hears no answer to them, and would take the server for dead.
        headers = {"Cookie": self.person.cookie()}
        self.socket = await connect(self.url, additional_headers=headers, proxy=None, max_size=4 << 20, ping_interval=None)
        await self.read()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.socket.close()

    async def send(self, type_: str, /, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def read(self, timeout_s: float = 60) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), timeout_s))
        self.heard.append(message)
        if message["type"] in ("hello", "class"):
            self.state = message["class"]
        elif message["type"] == "tiles":
            self.tiles |= {tile["name"]: tile for tile in message["tiles"]}
            for seat in message["gone"]:
                self.tiles = {name: tile for name, tile in self.tiles.items() if tile["seat"] != seat}
        return message

    async def until(self, holds: Callable[[Page], Any]) -> Any:
        """Reads until something holds, which what was read already may do."""
        end = time.monotonic() + LONG_S
        while True:
            try:
                if found := holds(self):
                    return found
            except (TypeError, KeyError):  # what it looks at is not there yet
                pass
            assert time.monotonic() < end, f"not within {LONG_S:.0f} s; what was heard last: {self.heard[-3:]}"
            await self.read()

    async def answer(self, type_: str, /, **fields: Any) -> dict[str, Any]:
        """Sends, and reads until an error or "done" comes."""
        await self.send(type_, **fields)
        heard = len(self.heard)
        await self.until(lambda page: any(message["type"] in ("error", "done") for message in page.heard[heard:]))
        return self.heard[-1]
