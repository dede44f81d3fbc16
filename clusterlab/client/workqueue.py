"""Work queues: keys waiting for a controller, each at most once, with delays and per-key back-off.

Follows staging/src/k8s.io/client-go/util/workqueue (queue.go, delaying_queue.go, default_rate_limiters.go): 5 ms doubling to
1,000 s, unless a controller has limits of its own. The overall token bucket (10 a second, burst 100) is left out: it shapes load,
which the model does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlab.sim import Component

__all__ = ["WorkQueue"]

BASE_DELAY_MS = 5
MAX_DELAY_MS = 1_000_000


class WorkQueue:
    """The queue of one component, which handles the events `work` (take a key) and `enqueue` (a delay is over).

    `backoff_ms`: the delay after a first failure, and the longest. State: `waiting` maps key to the seq that caused it, in order of
    arrival; `failures` counts per key."""

    def __init__(self, owner: Component, backoff_ms: tuple[int, int] = (BASE_DELAY_MS, MAX_DELAY_MS)) -> None:
        self._owner = owner
        self._backoff_ms = backoff_ms
        self.waiting: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self.delayed: dict[str, tuple[int, int]] = {}  # key -> (due, handle) of its soonest delayed add
        self.scheduled = False

    def add(self, key: str) -> None:
        """Puts a key in the queue unless it waits there already; the latest cause wins."""
        self.waiting[key] = self._owner.sim.cause
        if not self.scheduled:
            self.scheduled = True
            self._owner.after(0, "work")

    def add_after(self, key: str, delay_ms: int, idle: bool = False) -> None:
        """Puts a key in the queue later; the soonest of several delays counts."""
        if delay_ms <= 0:
            self.add(key)
            return
        due = self._owner.sim.time_ms + delay_ms
        known = self.delayed.get(key)
        if known is not None:
            if known[0] <= due:
                return
            self._owner.sim.cancel(known[1])
        self.delayed[key] = (due, self._owner.after(delay_ms, "enqueue", key, idle=idle))

    def add_rate_limited(self, key: str) -> int:
        """Puts a key back after a failure, each time after twice the delay; returns the delay in ms."""
        failures = self.failures.get(key, 0)
        self.failures[key] = failures + 1
        first_ms, most_ms = self._backoff_ms
        delay_ms = min(first_ms << min(failures, 30), most_ms)
        self.add_after(key, delay_ms, idle=delay_ms > 10_000)
        return delay_ms

    def forget(self, key: str) -> None:
        """Forgets the failures of a key."""
        self.failures.pop(key, None)

    def delay_over(self, key: str) -> None:
        """To be called on the event `enqueue`."""
        self.delayed.pop(key, None)
        self.add(key)

    def take(self) -> tuple[str, int] | None:
        """The next key and its cause. To be called on the event `work`; schedules the next one."""
        self.scheduled = False
        if not self.waiting:
            return None
        key = next(iter(self.waiting))
        cause = self.waiting.pop(key)
        if self.waiting:
            self.scheduled = True
            self._owner.after(0, "work", because=next(iter(self.waiting.values())))
        return key, cause

    def __len__(self) -> int:
        return len(self.waiting)

    def checkpoint(self) -> tuple[dict[str, int], dict[str, int], dict[str, tuple[int, int]], bool]:
        return dict(self.waiting), dict(self.failures), dict(self.delayed), self.scheduled

    def restore(self, data: tuple[dict[str, int], dict[str, int], dict[str, tuple[int, int]], bool]) -> None:
        self.waiting, self.failures, self.delayed = dict(data[0]), dict(data[1]), dict(data[2])
        self.scheduled = data[3]
