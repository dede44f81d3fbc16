"""One lab: a cluster, its pace, and the single task in which everything happens to it.

Commands are stored before they take effect, positions before they are shown, so a server that dies comes back with each lab where
its watchers saw it. The task works in slices of a few milliseconds, so that no lab holds up another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from clusterlab.cluster import Cluster
from clusterlab.web import models
from clusterlab.web.labs import metrics, past
from clusterlab.web.labs.breakpoints import Breakpoints
from clusterlab.web.labs.errors import LabError
from clusterlab.web.labs.fingerprint import model_fingerprint
from clusterlab.web.labs.frames import Frames
from clusterlab.web.labs.growing import apart, through
from clusterlab.web.labs.journal import Journal, Lost
from clusterlab.web.labs.pacing import Pacer
from clusterlab.web.labs.waiting import MAX_JOBS, Inbox, Job, Waiting, weight_of
from clusterlab.web.labs.working import Working

__all__ = ["Lab", "LabError"]

_log = logging.getLogger(__name__)

PUBLISH_S = 0.05
#: Long lists that a lab writes down for clients at a time.
LISTS_WRITTEN = 2


class Lab(Working):
    """A lab in memory. All methods are called on the event loop."""

    def __init__(self, record: models.Lab, cluster: Cluster, journal: Journal) -> None:
        self.id: str = record.pk
        self.name: str = record.name
        self.lesson: str = record.lesson
        self.cluster = cluster
        self.history = cluster.history
        self.journal = journal
        self.term: int | None = None  # of the lease, where there are leases
        self.on_lost: Callable[[Lab], None] = lambda lab: None
        self.playing: bool = record.playing
        self.hold: bool = record.hold
        self.pacer = Pacer(record.speed, record.pace_ms)
        self.generation = secrets.randbits(31)  # another one after each jump of the timeline, and after a restart
        self.frames = Frames(cluster)
        self.fingerprints: tuple[int, list[int]] = (-1, [])  # of the steps of a generation, for comparing with other labs
        self.breakpoints = Breakpoints(record.breakpoints)
        self.retold = 0  # goes up when steps of the past have become known
        self.notice: str = ""  # something that those who open the lab should know
        self.used_s = time.monotonic()
        self._stored_commands = len(self.history.log)
        self._stored_ahead = 0  # commands stored, while some of them have yet to be performed
        self.saved_seq = self.history.first_known  # of the newest checkpoint in the database
        self.saved: list[tuple[int, int]] = []  # (events dispatched, commands) of the checkpoints that the database has
        self._past: asyncio.Task[None] | None = None
        self._inbox = Inbox()
        self._log_bytes = sum(weight_of(command.data) for command in self.history.log)
        self._turn = asyncio.Lock()  # held while commands are stored and performed: the timeline must not jump in between
        self.stands = asyncio.Event()  # not on the way to another step: who reads waits for it, so that nobody sees the way
        self.stands.set()
        self.writing = asyncio.Semaphore(LISTS_WRITTEN)  # long lists, for clients
        self._jobs: deque[Job] = deque()
        #: The last step before the latest command; after waking, nothing is known of commands before.
        self.acted_seq = cluster.sim.last_seq
        self._wake = asyncio.Event()
        self._listeners: set[Callable[[], None]] = set()
        self._published = (self.cluster.sim.last_seq, self.generation, False)
        self._published_s = 0.0
        self._position = self.where()
        self._stored_at = cluster.sim.dispatched
        self._task: asyncio.Task[None] | None = None
        self.failed, self.lost, self._apart, self._performing, self._streams = "", False, False, False, 0

    # Life.

    def start(self) -> None:
        self.pacer.anchor(time.monotonic(), self.cluster.sim.time_ms)
        self._task = asyncio.create_task(self._live(), name=f"lab {self.id}", context=Context())

    async def stop(self) -> None:
        """Ends the task, and the work on its past."""
        for task in (self._task, self._past):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._task = self._past = None  # or a task that was cancelled and the lab would keep one another in memory
        if not self.lost:
            with contextlib.suppress(LabError):
                await self._store(force=True)

    async def dismantle(self) -> None:
        """Gives the memory of a lab that was stopped back at once, giving way in between; whoever still holds it is told to ask again."""
        if self._apart:
            return
        self._apart = self.lost = True
        self.failed = self.failed or "this lab has just gone to sleep; ask again"
        self.frames.forget()
        self._listeners.clear()
        await apart(self.cluster)

    @property
    def busy(self) -> bool:
        """Somebody looks at it or waits for it."""
        return bool(self._listeners or self._inbox or self._jobs or self._streams or self.cluster.watch_count())

    # Its past, and its checkpoints.

    async def past(self) -> None:
        """Returns once the steps before those that the lab was taken up with are known again; that takes about as long as they took."""
        if self.history.first_known == 0:
            return
        await asyncio.wait({task := self.recall()})
        if task.cancelled():
            raise LabError("this lab has just gone to sleep; ask again", code="Elsewhere", status=503)
        task.result()

    def recall(self) -> asyncio.Task[None]:
        """Begins to work out the past, if that was not done."""
        if self._past is None:
            self._past = asyncio.create_task(past.recover(self), name=f"past of {self.id}", context=Context())
        return self._past

    async def save(self, steps: int) -> None:
        """Stores a checkpoint of the present, if the newest lies more than so many steps back."""
        if not (self.failed or self._performing or self.cluster.sim.last_seq - self.saved_seq < steps):
            await past.save(self)

    # For the web.

    def state(self) -> dict[str, Any]:
        """The mode as the REST API and the stream tell it."""
        sim, met = self.cluster.sim, self.breakpoints.met
        return {
            "mode": "playing" if self.playing else "paused", "speed": self.pacer.speed, "seq": sim.last_seq, "time": sim.time_ms,
            "last": self.history.last_seq, "settled": self.history.settled, "hold": self.hold,
            "breakpoints": self.breakpoints.entries, "stopped": met if met is not None and met["seq"] == sim.last_seq else None,
            **({"held": self._inbox.told()} if self.hold and self._inbox else {}),
        }

    def listen(self, callback: Callable[[], None]) -> None:
        """Calls back, on the loop, whenever there is something new to show."""
        self._listeners.add(callback)

    def unlisten(self, callback: Callable[[], None]) -> None:
        self._listeners.discard(callback)

    def listeners(self) -> int:
        return len(self._listeners)

    @contextlib.contextmanager
    def stream(self) -> Iterator[None]:
        """Counts one open exec, attach or log. Raises LabError when there are as many as may be."""
        most = settings.CLUSTERLAB["MAX_STREAMS_PER_LAB"]
        if self._streams >= most:
            raise LabError(f"this lab has {most} open streams, as many as it may; close some", code="TooManyRequests", status=429)
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    async def command(self, data: dict[str, Any]) -> Any:
        """Stores a command, performs it, and returns the model's answer."""
        self._check_alive()
        self._inbox.check_room(weight_of(data), self.history.cursor, self._log_bytes)
        self._check_steps()
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._inbox.put(data, done)
        self._stir()
        if self.hold:
            self.tell()  # it stands at the door now
        with metrics.COMMANDS.time():
            return await done

    def _check_alive(self) -> None:
        if self.failed:
            raise LabError(self.failed, code="Elsewhere" if self.lost else "LabFailed", status=503 if self.lost else 500)

    async def run(self, reached: Callable[[Lab], bool], limit: int = 1_000_000) -> None:
        """Runs as fast as it can until `reached`, or until `limit` steps or the end of all events; where it has come to is stored then."""
        self._check_alive()
        if len(self._jobs) >= MAX_JOBS:
            raise LabError("too many runs wait for this lab already; pause it first", code="TooManyRequests", status=429)
        self._check_steps()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.append(Job(reached, done, limit, -1))
        self._stir()
        await done
        await self._store(force=self._stored_at != self.cluster.sim.dispatched)

    async def play(self, speed: float | None = None, pace_ms: float | None = None) -> None:
        self.pacer.speed = self.pacer.speed if speed is None else speed
        self.pacer.pace_ms = self.pacer.pace_ms if pace_ms is None else pace_ms
        self._check_steps()
        self.playing = True
        self.pacer.anchor(time.monotonic(), self.cluster.sim.time_ms)
        await self._changed()

    async def pause(self) -> None:
        self.tick_clock()
        self.playing = False
        while self._jobs:
            done = self._jobs.popleft().done
            if not done.done():  # else the one who waited has left
                done.set_result(None)
        await self._changed()

    async def set_hold(self, hold: bool) -> None:
        self.hold = hold
        await self._changed()

    def held(self, number: int) -> Waiting:
        """A request that is held. Raises LabError."""
        return self._inbox.find(number)

    def release(self, number: int) -> None:
        """Lets one held request go on, before those that came before it. Raises LabError."""
        self._inbox.find(number).released = True
        self._stir()

    async def set_breakpoints(self, wanted: Any) -> None:
        """Replaces the lab's breakpoints: a list of conditions, or of {condition, on}."""
        self.breakpoints.set(wanted)
        await self._keep_breakpoints()

    async def change_breakpoint(self, condition: Any, on: Any) -> None:
        """Adds one breakpoint, or turns it on or off; `on` None takes it away."""
        self.breakpoints.change(condition, on)
        await self._keep_breakpoints()

    async def _keep_breakpoints(self) -> None:
        await self.write({**self.where(), "breakpoints": self.breakpoints.entries})
        await self._changed()

    async def moved(self) -> None:
        """Another model has gone the lab's way: stores where it stands now, and which model that was."""
        await self.write({**self.where(), "model": model_fingerprint()})

    async def seek(self, seq: int) -> None:
        """Stands after step `seq`, paused. What lies between a checkpoint and there is gone over in slices."""
        if self.lost:
            self._check_alive()
        if 0 <= seq < self.history.first_known:
            await self.past()
        async with self._turn:
            self._performing = True  # nothing else moves it meanwhile
            self.stands.clear()
            try:
                await through(self.history.seeking(seq))
            except ValueError as error:
                raise LabError(str(error), "seq") from None
            finally:
                self._performing = False
                self.stands.set()  # those who wait go on once it has jumped
            self.playing = False
            self._jumped()
            if self.failed:  # back before the fault, it may live again
                self.failed = ""
                self.start()
        await self._changed()

    def _jumped(self) -> None:
        self.generation += 1
        self.frames.forget()
        self.cluster.close_watches()

    async def _changed(self) -> None:
        await self._store(force=True)
        self.tell()
        self._stir()

    def _stir(self) -> None:
        self.used_s = time.monotonic()
        self._wake.set()

    # The task.

    async def _live(self) -> None:
        while True:
            self._wake.clear()
            try:
                if self._inbox.due(self.hold, bool(self._jobs)):
                    await self._take_commands()
                delay_s = self._work()
                await self._publish(force=delay_s != 0)
            except Exception as error:
                if self.lost:  # those too are told whose commands were just to be stored
                    return self._end(self.failed, "Elsewhere", 503)
                self._fail(error)
                raise
            if delay_s == 0 or self._inbox.due(self.hold, False):
                await asyncio.sleep(0)
                continue
            # Not wait_for: that of Python 3.11 forgets to be cancelled when what it waits for comes at the same moment.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._wake.wait()

    def _fail(self, error: Exception) -> None:
        """A fault of ours: the lab stops and says so; others go on."""
        _log.error("lab %s failed at step %d", self.id, self.cluster.sim.last_seq, exc_info=error)
        text = f"this lab met an internal error and stopped at step {self.cluster.sim.last_seq}; seek back or reset it"
        self._end(text, "LabFailed", 500)

    def _end(self, text: str, code: str, status: int) -> None:
        """Nothing goes on, and those who wait are told why."""
        self.failed, self.playing = text, False
        for done in [*(each.done for each in self._inbox.clear()), *(each.done for each in self._jobs)]:
            if not done.done():
                done.set_exception(LabError(text, code=code, status=status))
        self._jobs.clear()
        self.tell()

    # Telling.

    def where(self) -> dict[str, Any]:
        sim = self.cluster.sim
        return {
            "dispatched": sim.dispatched, "time_ms": sim.time_ms, "cursor": max(self.history.cursor, self._stored_ahead),
            "playing": self.playing, "speed": self.pacer.speed, "pace_ms": self.pacer.pace_ms, "hold": self.hold,
        }

    async def write(
        self, position: dict[str, Any], commands: list[models.Command] | None = None, cut_from: int | None = None,
        checkpoint: models.Checkpoint | None = None,
    ) -> None:
        try:
            await self.journal.write(self.id, position, commands, cut_from, checkpoint, self.term)
        except Lost:
            self.lose("this lab has gone to another host; ask again")
            raise LabError(self.failed, code="Elsewhere", status=503) from None
        except DatabaseError as error:  # what it holds now is not known: the lab is woken anew from what is stored
            _log.error("lab %s could not be stored", self.id, exc_info=error)
            self.lose("the database did not answer; ask again")
            raise LabError(self.failed, code="Unavailable", status=503) from None

    def lose(self, text: str) -> None:
        """The lab can be stored no more: whoever waits here is told so, and nothing more happens to it in this process."""
        if not self.lost:
            self.lost = True
            self._end(text, "Elsewhere", 503)
            self.cluster.close_watches()
            self.on_lost(self)
            self.tell()

    async def store(self, checkpoint: Any) -> None:
        self._position = self.where()
        await self.write(self._position, checkpoint=checkpoint)

    async def _store(self, force: bool = False) -> None:
        where = self.where()
        if force or where["dispatched"] != self._position["dispatched"]:
            self._position = where
            await self.write(where)
            self._stored_at = where["dispatched"]

    async def _publish(self, force: bool) -> None:
        shown = (self.cluster.sim.last_seq, self.generation, self.history.settled)
        now = time.monotonic()
        if self._performing or shown == self._published or (not force and now - self._published_s < PUBLISH_S):
            return
        if shown[1] == self._published[1]:
            metrics.STEPS.inc(max(0, shown[0] - max(0, self._published[0])))
        self._published, self._published_s = shown, now
        await self._store()
        self.tell()

    def tell(self) -> None:
        for callback in list(self._listeners):
            callback()
