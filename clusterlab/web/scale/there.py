"""A lab of another process, as it is shown in this one: its frames are read from Redis, once for all browsers here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

import orjson
from redis.exceptions import RedisError

from clusterlab.web.labs.errors import LabError
from clusterlab.web.scale import link
from clusterlab.web.scale.router import router
from clusterlab.web.scale.streams import client, names

__all__ = ["There", "there"]

_log = logging.getLogger(__name__)

KEEP = 4000
#: How often the lab's host is asked whether it still has the lab and where it stands.
ASK_S = 1.5
BLOCK_MS = 2000
#: How long a lab is looked for whose host has died, before those who want to see it are told.
PATIENCE_S = 15.0
#: A lab that nobody here looks at is forgotten after so long.
FORGET_S = 5.0


class There:
    """One lab of another process."""

    def __init__(self, lab_id: str) -> None:
        self.id = lab_id
        self.gone = False
        self._cache: dict[int, bytes] = {}
        self._listeners: set[Callable[[], None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: dict[bool, asyncio.Task[dict[str, Any]]] = {}
        self._state: dict[str, Any] = {}
        self._generation, self._retold, self._last = -1, 0, 0
        self._unwatched_s = time.monotonic()
        self._read = "0-0"  # the newest frame that was read from the stream

    # As it is shown.

    @property
    def jump(self) -> tuple[int, int]:
        return self._generation, self._retold

    stands = True  # its host tells nothing of it while it does not

    async def standing(self) -> None:
        return

    @property
    def last_seq(self) -> int:
        return self._last

    def state(self) -> dict[str, Any]:
        return self._state

    def listeners(self) -> int:
        return len(self._listeners)

    def listen(self, callback: Callable[[], None]) -> None:
        self._listeners.add(callback)

    def unlisten(self, callback: Callable[[], None]) -> None:
        self._listeners.discard(callback)
        self._unwatched_s = time.monotonic()

    async def tell(self, packed: bool) -> dict[str, Any]:
        """What the lab's host tells of it now; asked once for all who want to know at the same time."""
        if packed not in self._telling:
            self._telling[packed] = asyncio.create_task(self._tell(packed), context=Context())
            self._telling[packed].add_done_callback(lambda _: self._telling.pop(packed, None))
        return await asyncio.shield(self._telling[packed])

    async def _tell(self, packed: bool) -> dict[str, Any]:
        head, _, snapshot = (await self._ask("tell", {"packed": packed})).partition(b"\n")
        data: dict[str, Any] = {**orjson.loads(head), "snapshot": orjson.Fragment(snapshot)}
        self._move(data["generation"], data["retold"], data["seq"], data["mode"])
        return data

    async def frames(self, first: int, last: int) -> list[bytes]:
        last = min(last, self._last)
        if any(seq not in self._cache for seq in range(first, last + 1)):
            await self._fetch(first, last)
        return [self._cache[seq] for seq in range(first, last + 1) if seq in self._cache]

    async def drive(self, message: dict[str, Any], key: str) -> dict[str, Any] | None:
        answer = orjson.loads(await self._ask("drive", {"message": message, "key": key}, timeout_s=None))
        return answer if isinstance(answer, dict) else None

    # Behind it.

    async def _ask(self, verb: str, body: Any = None, timeout_s: float | None = 30) -> bytes:
        """Asks the lab's host, whichever it is by now. Raises LabError."""
        until = time.monotonic() + PATIENCE_S
        while True:
            owner = await router.of(self.id)
            if owner is None:
                raise LabError("there is no such lab; it may have expired", code="NotFound", status=404)
            if owner.id == router.here:
                self.gone = True
                self._news()
                raise LabError("the lab has come here; ask again", code="Elsewhere", status=503)
            try:
                return await link.ask(owner, f"/internal/labs/{self.id}/{verb}", body, timeout_s)
            except link.Away as away:
                router.forget(self.id)
                if (away.sent and verb == "drive") or time.monotonic() > until:
                    text = "the host of this lab went away; it is being taken up by another one"
                    raise LabError(text, code="Unavailable", status=503) from None
            await asyncio.sleep(0.3)

    async def begin(self) -> None:
        """Asks where the lab stands, and follows it from there."""
        await self._tell(packed=True)
        self._tasks = [
            asyncio.create_task(self._follow(), name=f"follow {self.id}", context=Context()),
            asyncio.create_task(self._keep(), name=f"keep {self.id}", context=Context()),
        ]

    def _move(self, generation: int, retold: int, seq: int, state: dict[str, Any]) -> None:
        if generation != self._generation:
            self._cache.clear()
            self._last, self._read = seq, f"{generation}-{seq}"
        self._generation, self._retold, self._state, self._last = generation, retold, state, max(self._last, seq)

    def _news(self) -> None:
        for callback in list(self._listeners):
            callback()

    async def _fetch(self, first: int, last: int) -> None:
        """Frames that did not come through Redis, or came too long ago."""
        generation = self._generation
        text = await self._ask("frames", {"from": first, "to": last})
        if generation == self._generation and text:
            for seq, frame in enumerate(text.split(b"\n"), first):
                self._put(seq, frame)

    def _put(self, seq: int, frame: bytes) -> None:
        self._cache[seq] = frame
        while len(self._cache) > KEEP:
            del self._cache[next(iter(self._cache))]

    async def _follow(self) -> None:
        """Reads both streams."""
        frames_key, mode_key = (name.encode() for name in names(self.id))
        mode_id: Any = b"$"
        while True:
            generation = self._generation
            streams = {frames_key: self._read, mode_key: mode_id}
            try:
                found = await client().xread(streams, count=200, block=BLOCK_MS)
            except (RedisError, OSError) as error:
                _log.warning("Redis does not answer: %s", error)
                await asyncio.sleep(0.5)
                continue
            entries = dict(found)
            for entry_id, fields in entries.get(frames_key, ()):
                gen, _, seq = entry_id.decode().partition("-")
                if int(gen) == self._generation == generation:
                    self._read = entry_id.decode()
                    self._put(int(seq), fields[b"f"])
                    self._last = max(self._last, int(seq))
            for entry_id, fields in entries.get(mode_key, ()):
                mode_id = entry_id
                state = orjson.loads(fields[b"state"])
                self._move(int(fields[b"generation"]), int(fields[b"retold"]), state["seq"], state)
            if found:
                self._news()

    async def _keep(self) -> None:
        """Keeps the lab published and awake while somebody looks, and notices when its host has changed or Redis has lost something."""
        while not self.gone:
            await asyncio.sleep(ASK_S)
            if not self._listeners and time.monotonic() - self._unwatched_s > FORGET_S:
                break
            try:
                told = orjson.loads(await self._ask("watch"))
            except LabError as error:
                if error.code == "NotFound":
                    break
                continue
            self._move(told["generation"], told["retold"], told["seq"], told["state"])
            self._news()
        self.gone = True
        _seen.pop(self.id, None)
        self._news()
        self._tasks[0].cancel()


_seen: dict[str, There] = {}
_opening: dict[str, asyncio.Task[There]] = {}


async def there(lab_id: str) -> There:
    """The lab of another process, one for all who look at it here. Raises LabError."""
    found = _seen.get(lab_id)
    if found is not None and not found.gone:
        found._unwatched_s = time.monotonic()
        return found
    opening = _opening.get(lab_id)
    if opening is None:
        opening = _opening[lab_id] = asyncio.create_task(_open(lab_id), context=Context())
        opening.add_done_callback(lambda _: _opening.pop(lab_id, None))
    return await asyncio.shield(opening)


async def _open(lab_id: str) -> There:
    made = There(lab_id)
    await made.begin()
    _seen[lab_id] = made
    return made
