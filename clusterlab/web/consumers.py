"""The websocket of a lab: frames out, commands in. docs/stream-protocol.md says what goes over it.

Each browser is served from the lab's history by its own sequence number, so a slow one holds up nobody: what it has not read yet
is read later, or replaced by a snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from clusterlab.web import access, runs
from clusterlab.web.hosts import allowed_host, from_here
from clusterlab.web.labs import metrics
from clusterlab.web.labs.driving import CHANGING
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import LabError
from clusterlab.web.messages import read_message
from clusterlab.web.said import said
from clusterlab.web.scale.seen import Seen, look_at
from clusterlab.web.speech import speak
from clusterlab.web.throttle import address_of, misses

__all__ = ["LabConsumer"]

_log = logging.getLogger(__name__)
VERSION = 1
MAX_MESSAGE = 64 * 1024
MAX_BAD = 20
#: Commands of one browser that may be under way at the same time.
MAX_RUNNING = 20
BATCH = 200
#: A browser that is this many frames behind gets a snapshot instead.
FAR_BEHIND = 3000


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

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.lab: Seen | None = None
        self.sender: asyncio.Task[None] | None = None
        self.news = asyncio.Event()
        self.bad = 0
        self.packed = False  # it understands snapshots of tables
        self.running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Lets go of everything in any case: the server ends who is still at a message some seconds after the browser has left, and
        `disconnect` is not called then."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.let_go()

    async def connect(self) -> None:
        speak(self.scope)
        headers = dict(self.scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        where = headers.get(b"host", b"").decode("latin-1")
        if not allowed_host(where) or (origin and not from_here(origin, where)):
            await self.close(4403)
            return
        lab_id = self.scope["url_route"]["kwargs"]["lab_id"]
        address = address_of(self.scope)
        if lab_id not in host.labs and misses.exhausted(address):
            await self.close(4429)
            return
        await self.accept()  # first: a lab that wakes, or is taken up by another host, may take a while
        try:
            lab = await look_at(lab_id)
        except LabError as error:
            await self._error(error.code, str(error))
            await self.close(4410 if error.status == 410 else 4013)
            return
        if lab is None:
            misses.count(address)
            await self._error("NotFound", "there is no such lab; it may have expired")
            await self.close(4404)
            return
        if lab.listeners() >= settings.CLUSTERLAB["MAX_SOCKETS_PER_LAB"]:
            await self._error("TooManySockets", "as many browsers watch this lab as may; try again later")
            await self.close(4429)
            return
        self.lab, self.can_edit = lab, bool(await self._key(lab.id))

    async def _key(self, lab_id: str) -> str:
        """The key with which this browser may change the lab now; "" where it may not."""
        key = await access.session_key(self.scope["session"], lab_id)
        return key if key and await access.key_fits(lab_id, key) else ""

    async def disconnect(self, code: int) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Holds nothing any more, however often it is called."""
        if self.lab is not None:
            self.lab.unlisten(self.news.set)
        if self.sender is not None:
            metrics.SOCKETS.dec()
            self.sender.cancel()
            self.sender = None
        for task in list(self.running):
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
            await self._handle(read_message(raw))
        except LabError as error:
            await self._bad(error.code, str(error), error.field)
        except Exception:  # a fault of ours: the next message may fare better, and what runs goes on
            _log.exception("a message of a websocket met an error")
            await self._bad("InternalError", "this met an internal error; try again")

    async def _bad(self, code: str, text: str, field: str = "") -> None:
        await self._error(code, text, field)
        self.bad += 1
        if self.bad > MAX_BAD:
            await self.close(4400)

    async def _error(self, code: str, text: str, field: str = "") -> None:
        await self._send({"type": "error", "code": code, "message": said(text), **({"field": field} if field else {})})

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
            key = await self._key(lab.id)  # asked anew: in a class the right comes and goes
            if not key:
                raise LabError("you may watch this lab, not change it", code="Forbidden")
            if len(self.running) >= MAX_RUNNING:
                raise LabError("too many commands are under way; wait for some to end", code="TooManyRequests")
            # Long runs and commands must not keep a pause from being heard.
            # Nothing is awaited before the lab has them: they are done in the order in which they came.
            task = asyncio.create_task(self._change(lab, kind, message, key))
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        else:
            raise LabError(f"unknown message type {kind!r}")

    async def _change(self, lab: Seen, kind: str, message: dict[str, Any], key: str) -> None:
        failed = True
        if kind == "kubectl":
            await access.tell(key, lab.id, _words_for(kind, message))  # before its requests come in
        try:
            answer = await lab.drive(message, key)
            failed = answer is not None and bool(answer.get("exit"))
            if answer is not None:
                await self._send(answer)
        except LabError as error:
            await self._error(error.code, str(error), error.field)
        finally:
            if kind != "kubectl" or failed:
                await access.tell(key, lab.id, _words_for(kind, message), failed)

    async def _replay(self, lab: Seen, message: dict[str, Any]) -> None:
        first, last = runs.integer(message, "from"), runs.integer(message, "to")
        if not 0 < first <= last or last - first >= 1000:
            raise LabError("from and to name at most 1,000 steps", "from")
        frames = await lab.frames(first, last)
        await self.send(text_data='{"type":"steps","replay":true,"frames":[' + b",".join(frames).decode() + "]}")

    # Out.

    async def _hello(self, lab: Seen, message: dict[str, Any]) -> None:
        if self.sender is not None:
            raise LabError("hello was said already")
        self.packed = message.get("packed") is True
        told = await lab.tell(self.packed)
        self.sent, self.jump = told["seq"], (told["generation"], told["retold"])
        about = {**told["lab"], "canEdit": self.can_edit, "server": ""}
        if "notice" in about:
            about["notice"] = said(about["notice"])
        hello: dict[str, Any] = {
            "type": "hello", "version": VERSION, "mode": told["mode"], "recent": told["recent"], "resumed": False, "lab": about,
        }
        since = message.get("from")
        if isinstance(since, int) and message.get("lab") == lab.id and message.get("generation") == told["generation"] \
                and told["first"] - 1 <= since <= told["seq"] and told["seq"] - since <= FAR_BEHIND:
            hello["resumed"], self.sent = True, since
        else:
            hello["snapshot"] = told["snapshot"]
        await self._send(hello)
        lab.listen(self.news.set)
        metrics.SOCKETS.inc()
        self.news.set()
        self.sender = asyncio.create_task(self._feed(lab))

    async def _feed(self, lab: Seen) -> None:
        """Sends what is new, as fast as this browser takes it."""
        mode: dict[str, Any] = {}
        while not lab.gone:
            await self.news.wait()
            self.news.clear()
            await lab.standing()
            if lab.jump != self.jump or not 0 <= lab.last_seq - self.sent <= FAR_BEHIND:
                try:
                    mode = await self._start_over(lab)
                except LabError:
                    await asyncio.sleep(0.5)  # its host has gone: it is being taken up elsewhere
                    self.news.set()
                continue
            while self.sent < (last := min(lab.last_seq, self.sent + BATCH)) and lab.jump == self.jump and lab.stands:
                frames = await lab.frames(self.sent + 1, last)
                if lab.jump != self.jump or len(frames) != last - self.sent:
                    break
                self.sent = last
                await self.send(text_data='{"type":"steps","frames":[' + b",".join(frames).decode() + "]}")
            if not lab.stands:
                continue  # there is news when it does
            state = lab.state()
            if {**state, "time": 0} != {**mode, "time": 0} or (state["mode"] == "paused" and state["time"] != mode["time"]):
                mode = state
                await self._send({"type": "mode", **state})
        await self.close(4012)  # the lab has gone to another host: the browser comes again

    async def _start_over(self, lab: Seen) -> dict[str, Any]:
        """Sends the present as a whole, where frames do not lead to it; returns the mode."""
        told = await lab.tell(self.packed)
        self.jump, self.sent = (told["generation"], told["retold"]), told["seq"]
        await self._send({"type": "snapshot", **{name: told[name] for name in ("snapshot", "mode", "recent", "generation")}})
        mode: dict[str, Any] = told["mode"]
        return mode

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send(text_data=orjson.dumps(message).decode())


