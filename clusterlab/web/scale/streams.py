"""Frames through Redis Streams, from the process that has a lab to all that show it.

Two streams for a lab: `…:frames`, whose entries are frames with the id `GENERATION-SEQ`, so that any process can read on from any step; and
`…:mode`, whose newest entry is the lab's state. Both are short: what is older than they reach is asked of the lab's host. A lab is
published while somebody elsewhere watches it, which they say every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextvars import Context
from typing import Any

import orjson
from django.conf import settings
from redis import asyncio as redis
from redis.exceptions import RedisError, ResponseError

from clusterlab.web.labs.lab import Lab

__all__ = ["KEEP_FRAMES", "Publisher", "client", "names", "publish"]

_log = logging.getLogger(__name__)

#: Frames in a stream, about; modes in the other. Keys of labs that nobody watches go after a while.
KEEP_FRAMES, KEEP_MODES, KEEP_S = 3000, 20, 600
#: Without a word from a watcher for so long, a lab is published no more.
WATCHED_S = 10.0
BATCH = 100
_clients: list[Any] = []


def client() -> Any:
    """This process's Redis client."""
    if not _clients:
        _clients.append(redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=30))
    return _clients[0]


def names(lab_id: str) -> tuple[str, str]:
    """The two streams of a lab."""
    return f"clusterlab:{lab_id}:frames", f"clusterlab:{lab_id}:mode"


class Publisher:
    """Publishes one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.until_s = time.monotonic() + WATCHED_S
        self.sent = lab.cluster.sim.last_seq
        self.generation = lab.generation
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Makes sure that what will be published comes after what was, and begins."""
        frames, _ = names(self.lab.id)
        try:
            newest = await client().xrevrange(frames, count=1)
        except RedisError as error:
            _log.warning("Redis does not answer: %s", error)
            newest = []
        if newest:
            top = int(newest[0][0].partition(b"-")[0])
            self.lab.generation = max(self.lab.generation, top + 1)
        self.sent, self.generation = self.lab.cluster.sim.last_seq, self.lab.generation
        self.lab.listen(self._news.set)
        self._task = asyncio.create_task(self._run(), name=f"publish {self.lab.id}", context=Context())

    def watched(self) -> None:
        self.until_s = time.monotonic() + WATCHED_S

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        told: Any = None
        try:
            while not self.lab.lost and time.monotonic() < self.until_s:
                try:
                    async with asyncio.timeout(1.0):
                        await self._news.wait()
                except TimeoutError:
                    continue
                self._news.clear()
                await self.lab.stands.wait()
                try:
                    told = await self._publish(told)
                except RedisError as error:
                    _log.warning("Redis does not answer: %s", error)  # those who watch ask the host meanwhile
                    await asyncio.sleep(0.5)
        finally:
            self.lab.unlisten(self._news.set)
            _publishers.pop(self.lab.id, None)

    async def _publish(self, told: Any) -> Any:
        lab = self.lab
        frames_key, mode_key = names(lab.id)
        if self.generation != lab.generation:
            self.generation, self.sent = lab.generation, lab.cluster.sim.last_seq
        while self.sent < lab.cluster.sim.last_seq and self.generation == lab.generation and lab.stands.is_set():
            first, last = self.sent + 1, min(lab.cluster.sim.last_seq, self.sent + BATCH)
            frames = lab.frames.get(first, last)
            self.sent = last
            pipe = client().pipeline(transaction=False)
            for seq, frame in enumerate(frames, first):
                pipe.xadd(frames_key, {b"f": frame}, id=f"{self.generation}-{seq}", maxlen=KEEP_FRAMES, approximate=True)
            pipe.expire(frames_key, KEEP_S)
            await pipe.execute(raise_on_error=False)
        if not lab.stands.is_set():
            return told  # there is news when it does
        state = lab.state()
        # While it plays, frames tell the time.
        now = (lab.generation, lab.retold, state if state["mode"] == "paused" else {**state, "time": 0})
        if now != told:
            pipe = client().pipeline(transaction=False)
            entry = {b"state": orjson.dumps(lab.state()), b"generation": lab.generation, b"retold": lab.retold}
            pipe.xadd(mode_key, entry, maxlen=KEEP_MODES, approximate=True)
            pipe.expire(mode_key, KEEP_S)
            try:
                await pipe.execute()
            except ResponseError as error:
                _log.warning("the mode of lab %s could not be published: %s", lab.id, error)
        return now


_publishers: dict[str, Publisher] = {}


async def publish(lab: Lab) -> Publisher:
    """Sees to it that a lab is published for some seconds from now on."""
    found = _publishers.get(lab.id)
    if found is None or found.lab is not lab or not found.running:
        found = _publishers[lab.id] = Publisher(lab)
        await found.begin()
    found.watched()
    return found
