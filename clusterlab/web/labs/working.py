"""What a lab's task does: it stores and performs the commands that wait, and runs and plays in slices of a few milliseconds. `Lab` is
built on it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from clusterlab.sim import Step
from clusterlab.web import models
from clusterlab.web.labs.breakpoints import Breakpoints
from clusterlab.web.labs.errors import LabError
from clusterlab.web.labs.growing import SLICE_S
from clusterlab.web.labs.pacing import Pacer
from clusterlab.web.labs.waiting import Inbox, Job, weight_of

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster
    from clusterlab.sim.history import History
    from clusterlab.web.labs.lab import Lab

__all__ = ["Working"]


class Working:
    """A lab at work: commands, runs and play, each for a slice. The rest of `Lab` is what others ask of it."""

    id: str
    cluster: Cluster
    history: History
    pacer: Pacer
    breakpoints: Breakpoints
    playing: bool
    hold: bool
    failed: str
    acted_seq: int
    saved: list[tuple[int, int]]
    saved_seq: int
    _inbox: Inbox
    _jobs: deque[Job]
    _turn: asyncio.Lock
    _performing: bool
    _stored_commands: int
    _stored_ahead: int
    _log_bytes: int

    def where(self) -> dict[str, Any]:
        """Where it stands, as it is stored."""
        raise NotImplementedError

    async def write(
        self, position: dict[str, Any], commands: list[models.Command] | None = None, cut_from: int | None = None,
        checkpoint: models.Checkpoint | None = None,
    ) -> None:
        """Stores where it stands, and more."""
        raise NotImplementedError

    def tell(self) -> None:
        """Calls those who listen."""
        raise NotImplementedError

    def _check_steps(self) -> None:
        if self._full:
            raise self._full_error()

    @property
    def _full(self) -> bool:
        return self.cluster.sim.last_seq >= settings.CLUSTERLAB["MAX_STEPS_PER_LAB"]

    def _full_error(self) -> LabError:
        most = settings.CLUSTERLAB["MAX_STEPS_PER_LAB"]
        text = f"this lab has gone {most} steps, as many as it may: go back, reset it, or start a new one"
        return LabError(text, code="TooManySteps", status=429)

    def tick_clock(self) -> None:
        """Moves the clock to what the wall says, as far as nothing is due; before a read, so that ages are right."""
        if not self.playing or self._jobs or self._performing:
            return
        target, due = self.pacer.target_ms(time.monotonic()), self.history.next_time()
        sim = self.cluster.sim
        sim.time_ms = max(sim.time_ms, target if due is None else min(target, due))

    async def _take_commands(self) -> None:
        async with self._turn:
            self.tick_clock()
            self._performing = True  # until then the clock stands: commands are done at the time that was stored
            try:
                await self._take_batch()
            finally:
                self._performing = False
                self._stored_ahead = 0

    async def _take_batch(self) -> None:
        if not self._inbox.due(self.hold, bool(self._jobs)):
            return  # what was said meanwhile has changed that
        batch = self._inbox.take(self.hold)
        history, sim = self.history, self.cluster.sim
        first = history.cursor
        rows = [
            models.Command(lab_id=self.id, number=first + i, dispatched=sim.dispatched, time_ms=sim.time_ms, data=one.data)
            for i, one in enumerate(batch)
        ]
        beyond = any(saved[0] > sim.dispatched or saved[1] > first for saved in self.saved)
        cut_from = first if self._stored_commands > first or beyond else None
        self._stored_ahead = first + len(batch)
        try:
            await self.write(self.where(), rows, cut_from)
            self._stored_commands = first + len(batch)
            if beyond:
                self.saved = [saved for saved in self.saved if saved[0] <= sim.dispatched and saved[1] <= first]
                self.saved_seq = min(self.saved_seq, sim.last_seq)
            if cut_from is not None:
                self._log_bytes = sum(weight_of(command.data) for command in history.log[:first])
            self._log_bytes += sum(weight_of(one.data) for one in batch)
            until = time.monotonic() + SLICE_S
            for one in batch:
                last = self.acted_seq = sim.last_seq
                answer = history.execute(one.data)
                if sim.last_seq > last:
                    self._stops(sim.steps[-1])
                if not one.done.done():
                    one.done.set_result(answer)
                if time.monotonic() >= until:
                    await asyncio.sleep(0)
                    until = time.monotonic() + SLICE_S
        except Exception:
            self._inbox.give_back([one for one in batch if not one.done.done()])  # they are told of the failure
            raise
        if self.hold:
            for job in self._jobs if not batch[0].free else ():
                job.limit = 0  # a held request is the step
            self.tell()

    def _work(self) -> float:
        """Does what may be done now; returns how long to wait, in seconds."""
        until = time.monotonic() + SLICE_S
        if self._performing:
            return 3600
        if self._jobs:
            self._run_job(self._jobs[0], until)
            return 0
        if not self.playing or self.failed:
            return 3600
        if self._full:
            self.playing = False
            return 0
        return self._play(until)

    def _run_job(self, job: Job, until: float) -> None:
        history, sim = self.history, self.cluster.sim
        if job.start_seq < 0:
            job.start_seq = sim.last_seq
        while not job.done.done() and not job.reached(cast("Lab", self)):
            if self._full:
                job.done.set_exception(self._full_error())
                break
            if sim.last_seq - job.start_seq >= job.limit or history.next_time() is None:
                break
            step = history.advance()
            if step is not None and self._stops(step):
                break
            if time.monotonic() >= until:
                return
        self._jobs.popleft()
        self.pacer.anchor(time.monotonic(), sim.time_ms)
        if not job.done.done():
            job.done.set_result(None)

    def _play(self, until: float) -> float:
        history, pacer, sim = self.history, self.pacer, self.cluster.sim
        while True:
            due = history.next_time()
            if due is None:
                return 3600
            now = time.monotonic()
            delay_s = pacer.delay_s(now, due)
            if delay_s > 0:
                return min(delay_s, 3600)
            step = history.advance()
            if step is not None and self._stops(step):
                return 0
            if step is not None and not step.routine:
                pacer.stepped(now, sim.time_ms)
            if now >= until:
                return 0

    def _stops(self, step: Step) -> bool:
        """Whether a breakpoint was met, which ends play as it ends a run."""
        if not self.breakpoints.meets(step, self.cluster):
            return False
        self.playing = False
        return True
