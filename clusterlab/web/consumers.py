"""The websocket of a lab: frames out, commands in. docs/stream-protocol.md says what goes over it.

Each browser is served from the lab's history by its own sequence number, so a slow one holds up nobody: what it has not read yet
is read later, or replaced by a snapshot.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from clusterlab.web import access, runs, terminal
from clusterlab.web.hosts import allowed_host
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.throttle import address_of, misses

__all__ = ["LabConsumer"]

VERSION = 1
MAX_MESSAGE = 64 * 1024
MAX_BAD = 20
#: Commands of one browser that may be under way at the same time.
MAX_RUNNING = 20
BATCH = 200
#: A browser that is this many frames behind gets a snapshot instead.
FAR_BEHIND = 3000
CHANGING = {"run", "play", "pause", "seek", "back", "reset", "fault", "heal", "kubectl", "hold", "breakpoints"}


def _words_for(kind: str, message: dict[str, Any]) -> str:
    """A change in a few words, for those who ask who did what."""
    if kind == "kubectl":
        line = str(message.get("line", ""))[:190]
        return line if line.startswith(("kubectl", "etcdctl")) else f"kubectl {line}"
    if kind == "run":
        return "step" if message.get("until") in ("step", "request") else "run"
    if kind == "fault" and isinstance(message.get("fault"), dict):
        return f"fault {str(message['fault'].get('kind'))[:40]} {str(message['fault'].get('target', ''))[:80]}"
    return kind


class LabConsumer(AsyncWebsocketConsumer):
    """One browser on one lab."""

    max_message = MAX_MESSAGE

    async def connect(self) -> None:
        self.lab: Lab | None = None
        self.sender: asyncio.Task[None] | None = None
        self.news = asyncio.Event()
        self.bad = 0
        self.running: set[asyncio.Task[None]] = set()
        headers = dict(self.scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        where = headers.get(b"host", b"").decode("latin-1")
        if not allowed_host(where) or (origin and urlsplit(origin).netloc != where):
            await self.close(4403)
            return
        lab_id = self.scope["url_route"]["kwargs"]["lab_id"]
        address = address_of(self.scope)
        if lab_id not in host.labs and misses.exhausted(address):
            await self.close(4429)
            return
        try:
            lab = await host.get(lab_id)
        except LabError as error:
            await self.accept()
            await self._error(error.code, str(error))
            await self.close(4410)
            return
        if lab is None:
            misses.count(address)
        await self.accept()
        if lab is None:
            await self._error("NotFound", "there is no such lab; it may have expired")
            await self.close(4404)
            return
        if lab.listeners() >= settings.CLUSTERLAB["MAX_SOCKETS_PER_LAB"]:
            await self._error("TooManySockets", "as many browsers watch this lab as may; try again later")
            await self.close(4429)
            return
        self.lab, self.can_edit = lab, await self._may_edit(lab.id)

    async def _may_edit(self, lab_id: str) -> bool:
        key = await access.session_key(self.scope["session"], lab_id)
        return bool(key) and await access.key_fits(lab_id, key)

    async def disconnect(self, code: int) -> None:
        if self.lab is not None:
            self.lab.unlisten(self.news.set)
        for task in [self.sender, *self.running]:
            if task is not None:
                task.cancel()

    # In.

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        raw = text_data if text_data is not None else bytes_data or b""
        if len(raw) > self.max_message:
            await self.close(4413)
            return
        if self.lab is None:
            return
        try:
            message = orjson.loads(raw)
            if not isinstance(message, dict) or not isinstance(message.get("type"), str):
                raise LabError('a message is a JSON object with a "type"')
            await self._handle(message)
        except orjson.JSONDecodeError as error:
            await self._bad("BadRequest", f"that is not JSON: {error}")
        except LabError as error:
            await self._bad(error.code, str(error), error.field)

    async def _bad(self, code: str, text: str, field: str = "") -> None:
        await self._error(code, text, field)
        self.bad += 1
        if self.bad > MAX_BAD:
            await self.close(4400)

    async def _error(self, code: str, text: str, field: str = "") -> None:
        await self._send({"type": "error", "code": code, "message": text, **({"field": field} if field else {})})

    async def _handle(self, message: dict[str, Any]) -> None:
        kind, lab = message["type"], self.lab
        assert lab is not None
        if kind == "hello":
            await self._hello(lab, message)
        elif self.sender is None:
            raise LabError('the first message must be {"type": "hello"}')
        elif kind == "frames":
            await self._replay(lab, message)
        elif kind in CHANGING:
            if not await self._may_edit(lab.id):  # asked anew: in a class the right comes and goes
                raise LabError("you may watch this lab, not change it", code="Forbidden")
            if len(self.running) >= MAX_RUNNING:
                raise LabError("too many commands are under way; wait for some to end", code="TooManyRequests")
            # Long runs and commands must not keep a pause from being heard.
            task = asyncio.create_task(self._change(lab, kind, message))
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        else:
            raise LabError(f"unknown message type {kind!r}")

    async def _change(self, lab: Lab, kind: str, message: dict[str, Any]) -> None:
        failed = True
        key = await access.session_key(self.scope["session"], lab.id) or ""
        if kind == "kubectl":
            await access.tell(key, lab.id, _words_for(kind, message))  # before its requests come in
        try:
            if kind == "run":
                await runs.run(lab, message)
            elif kind == "play":
                await runs.play(lab, message)
            elif kind == "pause":
                await lab.pause()
            elif kind == "seek":
                await lab.seek(runs.integer(message, "seq"))
            elif kind == "back":
                await lab.seek(await runs.before(lab))
            elif kind == "reset":
                await lab.seek(0)
            elif kind == "hold":
                await lab.set_hold(bool(message.get("hold", True)))
            elif kind == "breakpoints":
                await lab.set_breakpoints(message.get("breakpoints"))
            elif kind == "fault":
                fault = message.get("fault")
                if not isinstance(fault, dict):
                    raise LabError("fault must be an object with kind and target", "fault")
                await runs.fault(lab, fault)
            elif kind == "heal":
                await runs.heal(lab, str(message.get("id", "")))
            elif kind == "kubectl":
                failed = await self._kubectl(lab, message)
            failed = failed and kind == "kubectl"
        except LabError as error:
            await self._error(error.code, str(error), error.field)
        finally:
            if kind != "kubectl" or failed:
                await access.tell(key, lab.id, _words_for(kind, message), failed)

    async def _kubectl(self, lab: Lab, message: dict[str, Any]) -> bool:
        """Runs a line and answers; whether it failed."""
        line = message.get("line")
        if not isinstance(line, str) or len(line) > 4000:
            raise LabError("line must be a text of at most 4,000 characters", "line")
        key = await access.session_key(self.scope["session"], lab.id)
        if key is None:
            raise LabError("you may watch this lab, not change it", code="Forbidden")
        answer = await terminal.run_line(lab, key, line)
        await self._send({"type": "kubectl", "line": line, **answer})
        return bool(answer["exit"])

    async def _replay(self, lab: Lab, message: dict[str, Any]) -> None:
        await lab.past()
        first, last = runs.integer(message, "from"), runs.integer(message, "to")
        if not 0 < first <= last or last - first >= 1000:
            raise LabError("from and to name at most 1,000 steps", "from")
        frames = lab.frames.get(first, min(last, lab.cluster.sim.last_seq))
        await self.send(text_data='{"type":"steps","replay":true,"frames":[' + b",".join(frames).decode() + "]}")

    # Out.

    async def _hello(self, lab: Lab, message: dict[str, Any]) -> None:
        if self.sender is not None:
            raise LabError("hello was said already")
        sim = lab.cluster.sim
        self.sent, self.generation, self.retold = sim.last_seq, lab.generation, lab.retold
        hello: dict[str, Any] = {
            "type": "hello", "version": VERSION, "mode": lab.state(), "recent": lab.frames.recent(), "resumed": False,
            "lab": {
                "id": lab.id, "scenario": lab.cluster.scenario.name or "blank", "epoch": sim.epoch.isoformat(), "canEdit": self.can_edit,
                "server": "",
            },
        }
        since = message.get("from")
        if isinstance(since, int) and message.get("lab") == lab.id and message.get("generation") == lab.generation \
                and sim.first_seq - 1 <= since <= sim.last_seq and sim.last_seq - since <= FAR_BEHIND:
            hello["resumed"], self.sent = True, since
        else:
            hello["snapshot"] = lab.frames.snapshot()
        hello["lab"]["generation"] = lab.generation
        if lab.notice:
            hello["lab"]["notice"] = lab.notice
        await self._send(hello)
        lab.listen(self.news.set)
        self.news.set()
        if lab.history.first_known:  # the list of earlier steps follows once they are known
            self.past = asyncio.create_task(lab.past())
        self.sender = asyncio.create_task(self._feed(lab))

    async def _feed(self, lab: Lab) -> None:
        """Sends what is new, as fast as this browser takes it."""
        told: dict[str, Any] = {}
        while True:
            await self.news.wait()
            self.news.clear()
            behind, jumped = lab.cluster.sim.last_seq - self.sent, (lab.generation, lab.retold) != (self.generation, self.retold)
            if jumped or not 0 <= behind <= FAR_BEHIND:
                self.generation, self.retold, self.sent = lab.generation, lab.retold, lab.cluster.sim.last_seq
                told = lab.state()
                await self._send({
                    "type": "snapshot", "snapshot": lab.frames.snapshot(), "mode": told, "recent": lab.frames.recent(),
                    "generation": lab.generation,
                })
                continue
            while self.sent < (last := min(lab.cluster.sim.last_seq, self.sent + BATCH)) and lab.generation == self.generation:
                frames = lab.frames.get(self.sent + 1, last)
                self.sent = last
                await self.send(text_data='{"type":"steps","frames":[' + b",".join(frames).decode() + "]}")
            state = lab.state()
            if {**state, "time": 0} != {**told, "time": 0}:
                told = state
                await self._send({"type": "mode", **state})

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send(text_data=orjson.dumps(message).decode())


