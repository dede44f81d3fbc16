"""Who may start a kubectl now. Each takes some 50 ms of a processor before it says anything, so only a few start at the same time; labs
take turns, and one that lasts (get -w, logs -f, exec -it) soon makes room for others without ending."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable

from clusterlab.web.labs.lab import LabError

__all__ = ["Pool", "pool"]

#: How long a program counts as starting.
START_S = 2.0
#: Programs of one lab (on which a whole class may act together), and of all labs, that may be under way at the same time.
MOST_PER_LAB = 40
MOST = 400
#: Programs that may wait for their turn.
WAITING_PER_LAB = 50


class Pool:
    """At most `at_once` programs start at the same time."""

    def __init__(self, at_once: int = 0) -> None:
        self.at_once = at_once or max(3, 2 * (os.cpu_count() or 1))
        self.starting = 0
        self.running: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @contextlib.asynccontextmanager
    async def turn(self, lab_id: str, told: Callable[[int], None] | None = None) -> AsyncIterator[None]:
        """Waits for this lab's turn. `told` hears how many are before it, if it has to wait for more than a second.

        Raises LabError where the lab, or the server, runs as many as it may."""
        if self.running.get(lab_id, 0) >= MOST_PER_LAB:
            raise LabError(f"this lab runs {MOST_PER_LAB} programs already; end some", code="TooManyRequests", status=429)
        if sum(self.running.values()) >= MOST:
            raise LabError("this server runs as many programs as it may; try again soon", code="TooManyRequests", status=429)
        self.running[lab_id] = self.running.get(lab_id, 0) + 1
        loop = asyncio.get_running_loop()
        held, timer = False, None

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self.starting -= 1
                self._next()

        try:
            await self._wait(lab_id, told)
            held = True
            timer = loop.call_later(START_S, release)
            yield
        finally:
            if timer is not None:
                timer.cancel()
            release()
            self.running[lab_id] -= 1
            if not self.running[lab_id]:
                del self.running[lab_id]

    async def _wait(self, lab_id: str, told: Callable[[int], None] | None) -> None:
        if self.starting < self.at_once and not self._waiting:
            self.starting += 1
            return
        queue = self._waiting.setdefault(lab_id, deque())
        if len(queue) >= WAITING_PER_LAB:
            raise LabError("too many commands of this lab wait already", code="TooManyRequests", status=429)
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        queue.append(turn)
        timer = loop.call_later(1.0, lambda: told(self.waiting - 1)) if told is not None else None
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was this one's turn just now
                self.starting -= 1
                self._next()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _next(self) -> None:
        """Lets the next in, lab by lab."""
        while self.starting < self.at_once and self._waiting:
            lab_id = next(iter(self._waiting))
            queue = self._waiting.pop(lab_id)
            turn = queue.popleft()
            if queue:
                self._waiting[lab_id] = queue  # to the end of the row
            if not turn.done():
                self.starting += 1
                turn.set_result(None)


#: The one of this process.
pool = Pool()
