"""The scheduling queue: which pod is next, and which ones wait for what.

Follows pkg/scheduler/backend/queue (scheduling_queue.go, active_queue.go, backoff_queue.go, unschedulable_pods.go). A pod waits in
the active queue to be tried; in the back-off queue after a failure and an event that may have helped; among the unschedulable ones
until something happens that may help, as the hints of the plugins that rejected it tell. When nothing is active, pods that back off
after a rejection are tried early, as in Kubernetes since 1.33. A cycle is not interrupted here, so no events arrive while a pod
is in flight.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from clusterlab.scheduler.events import (
    ADD,
    ALL,
    UPDATE_NODE_TAINT,
    ClusterEvent,
    Hint,
    pod_update,
)
from clusterlab.scheduler.nominator import Nominator
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.profile import Profile

Object = dict[str, Any]

__all__ = ["FORCE_ACTIVATE", "UNSCHEDULABLE_TIMEOUT", "Queued", "SchedulingQueue"]

UNSCHEDULABLE_TIMEOUT_MS = 300_000
FLUSH_PERIOD_MS = 30_000
#: Back-offs end together, once a second, so that priorities count among them.
WINDOW_MS = 1_000
UNSCHEDULABLE_TIMEOUT = FORCE_ACTIVATE = ClusterEvent("*", ALL)
SKIP, AFTER_BACKOFF = range(2)


class Queued(NamedTuple):
    """A pod in the queue. `order`: of arrival, for equals; `cause`: the seq of the step that put it where it is."""

    key: str
    uid: str
    profile: str
    priority: int
    timestamp_ms: int
    order: int
    attempts: int = 0
    rejections: int = 0
    errors: int = 0
    backoff_until_ms: int = -1
    plugins: tuple[str, ...] = ()
    gate: str = ""
    first_attempt_ms: int = -1
    cause: int = 0


class SchedulingQueue:
    """The three queues. State: `active`, `backoff`, `unschedulable` (key -> Queued), `order` and the nominator's."""

    def __init__(
        self, profiles: Mapping[str, Profile], clock: Callable[[], int], cause: Callable[[], int], *,
        initial_backoff_s: int = 1, max_backoff_s: int = 10,
    ) -> None:
        self._profiles = profiles
        self._clock, self._cause = clock, cause
        self._initial_ms, self._max_ms = initial_backoff_s * 1_000, max_backoff_s * 1_000
        self._hints = {name: _hint_table(profile) for name, profile in profiles.items()}
        self.active: dict[str, Queued] = {}
        self.backoff: dict[str, Queued] = {}
        self.unschedulable: dict[str, Queued] = {}
        self.order = 0
        #: The pods of all entries, and of those in flight; derived.
        self.pods: dict[str, PodInfo] = {}
        self.nominator = Nominator()
        # Heaps over active and backoff, derived; entries that have moved on meanwhile are passed over.
        self._heap: list[tuple[int, int, int, str]] = []  # (-priority, timestamp, order, key)
        self._rejected: list[tuple[int, int, int, int, str]] = []  # (back-off until, -priority, timestamp, order, key)
        self._broken: list[tuple[int, int, int, int, str]] = []  # the same for pods that no plugin rejected
        self._concerned: dict[tuple[str, ClusterEvent], list[tuple[str, Hint | None]]] = {}

    # Arriving and leaving.

    def add(self, pod: PodInfo) -> None:
        """A new pod that wants to be scheduled."""
        self.pods[pod.key] = pod
        entry = Queued(pod.key, pod.uid, _profile_of(pod), pod.priority, self._clock(), self._next_order(), cause=self._cause())
        if self._to_active(entry):
            self.nominator.add(pod)

    def update(self, old: Object, pod: PodInfo) -> None:
        """A newer version of an unscheduled pod."""
        key = pod.key
        self.pods[key] = pod
        waiting = self.unschedulable.get(key)
        if waiting is None and key not in self.active and key not in self.backoff:
            self.add(pod)
            return
        self.nominator.update(old, pod)
        if waiting is None:
            return
        for event in pod_update(old, pod.pod):
            strategy = self._worth(waiting, event, old, pod.pod)
            if strategy != SKIP and self._requeue(waiting, strategy):
                break

    def delete(self, key: str) -> None:
        """The pod is gone, or scheduled."""
        self.nominator.delete(key)
        self.pods.pop(key, None)
        self.active.pop(key, None)
        self.backoff.pop(key, None)
        self.unschedulable.pop(key, None)

    def pop(self) -> Queued | None:
        """The pod to try next, which is in flight from now on."""
        while self._heap:
            key = heapq.heappop(self._heap)[3]
            entry = self.active.pop(key, None)
            if entry is not None:
                return entry._replace(attempts=entry.attempts + 1)
        best = self._first_of(self._rejected)
        if best is None:
            return None
        del self.backoff[best.key]
        return best._replace(attempts=best.attempts + 1)

    @property
    def ready(self) -> bool:
        """Whether `pop` would find a pod."""
        return bool(self.active) or (bool(self.backoff) and self._first_of(self._rejected) is not None)

    def next_cause(self) -> int:
        """Why the pod that is next is tried."""
        for item in self._heap:
            entry = self.active.get(item[3])
            if entry is not None:
                return entry.cause
        return self._cause()

    def requeue_failed(self, entry: Queued, plugins: Iterable[str]) -> None:
        """Puts a pod back that could not be scheduled (AddUnschedulableIfNotPresent). `plugins`: those that rejected it, none when
        something went wrong instead."""
        rejected = tuple(plugins)
        now = self._clock()
        entry = entry._replace(
            timestamp_ms=now, order=self._next_order(), backoff_until_ms=-1, plugins=rejected, cause=self._cause(),
            rejections=entry.rejections + bool(rejected), errors=0 if rejected else entry.errors + 1,
        )
        if rejected:
            self.unschedulable[entry.key] = entry
        else:
            self._requeue(entry, AFTER_BACKOFF)

    # Moving.

    def move_all(
        self, event: ClusterEvent, old: Object | None, new: Object | None, check: Callable[[Queued], bool] | None = None
    ) -> None:
        """Something happened: moves the unschedulable pods that it may help (MoveAllToActiveOrBackoffQueue)."""
        if not self.unschedulable:
            return
        if event != FORCE_ACTIVATE and not any(self._rows(name, event) for name in self._hints):
            return  # nobody cares
        for entry in list(self.unschedulable.values()):
            if check is not None and not check(entry):
                continue
            if entry.gate and not any(plugin == entry.gate for plugin, _ in self._rows(entry.profile, event)):
                continue
            strategy = self._worth(entry, event, old, new)
            if strategy != SKIP:
                self._requeue(entry._replace(cause=self._cause()), strategy)

    def activate(self, key: str) -> None:
        """Tries a pod again at once, wherever it waits."""
        entry = self.unschedulable.get(key) or self.backoff.pop(key, None)
        if entry is not None:
            self._to_active(entry._replace(cause=self._cause()))

    def flush_backoff(self) -> None:
        """Activates the pods whose back-off is over."""
        for entry in sorted(self.backoff.values(), key=lambda entry: (entry.backoff_until_ms, entry.order)):
            if not self._backs_off(entry):
                del self.backoff[entry.key]
                self._activate(entry)

    def flush_unschedulable(self) -> None:
        """Gives pods another try that nothing has helped for five minutes."""
        now = self._clock()
        for entry in list(self.unschedulable.values()):
            if now - entry.timestamp_ms > UNSCHEDULABLE_TIMEOUT_MS and not entry.gate:
                self._requeue(entry, AFTER_BACKOFF)

    def backoff_due_ms(self) -> int | None:
        """When the next back-off is over."""
        firsts = [self._first_of(heap) for heap in (self._rejected, self._broken)] if self.backoff else []
        return min((entry.backoff_until_ms + WINDOW_MS for entry in firsts if entry is not None), default=None)

    def flush_due_ms(self) -> int | None:
        """When the next pod will have waited for five minutes, as the half-minute round finds out."""
        oldest = min((entry.timestamp_ms for entry in self.unschedulable.values() if not entry.gate), default=None)
        if oldest is None:
            return None
        return (oldest + UNSCHEDULABLE_TIMEOUT_MS) // FLUSH_PERIOD_MS * FLUSH_PERIOD_MS + FLUSH_PERIOD_MS

    # Inside.

    def _first_of(self, heap: list[tuple[int, int, int, int, str]]) -> Queued | None:
        """The entry whose back-off is over first."""
        while heap:
            entry = self.backoff.get(heap[0][4])
            if entry is not None and entry.order == heap[0][3]:
                return entry
            heapq.heappop(heap)
        return None

    def _back_off(self, entry: Queued) -> None:
        self.backoff[entry.key] = entry
        heap = self._rejected if entry.plugins else self._broken
        heapq.heappush(heap, (entry.backoff_until_ms, -entry.priority, entry.timestamp_ms, entry.order, entry.key))

    def _next_order(self) -> int:
        self.order += 1
        return self.order

    def _to_active(self, entry: Queued) -> bool:
        """Puts a pod in the active queue unless a plugin holds it back (PreEnqueue)."""
        entry = self._gated(entry)
        if entry.gate:
            if entry.key not in self.active and entry.key not in self.backoff:
                self.unschedulable[entry.key] = entry
            return False
        self._activate(entry)
        return True

    def _activate(self, entry: Queued) -> None:
        key = entry.key
        self.unschedulable.pop(key, None)
        self.backoff.pop(key, None)
        if entry.first_attempt_ms < 0:
            entry = entry._replace(first_attempt_ms=self._clock())
        self.active[key] = entry
        heapq.heappush(self._heap, (-entry.priority, entry.timestamp_ms, entry.order, key))

    def _gated(self, entry: Queued) -> Queued:
        profile, pod = self._profiles.get(entry.profile), self.pods.get(entry.key)
        if profile is None or pod is None:
            return entry
        for plugin in profile.pre_enqueue:
            if plugin.pre_enqueue(pod) is not None:
                blamed = entry.plugins if plugin.name in entry.plugins else (*entry.plugins, plugin.name)
                return entry._replace(gate=plugin.name, plugins=blamed)
        return entry._replace(gate="") if entry.gate else entry

    def _requeue(self, entry: Queued, strategy: int) -> bool:
        """Moves a pod on; tells whether it may be tried now or after its back-off."""
        entry = self._with_backoff(entry)
        if strategy == AFTER_BACKOFF and self._backs_off(entry):
            entry = self._gated(entry)
            if entry.gate:
                self.unschedulable[entry.key] = entry
                return False
            self.unschedulable.pop(entry.key, None)
            self._back_off(entry)
            return True
        return self._to_active(entry)

    def _with_backoff(self, entry: Queued) -> Queued:
        failures = entry.errors or entry.rejections
        if not failures or entry.backoff_until_ms >= 0:
            return entry
        shift = failures - 1
        delay_ms = self._max_ms if self._initial_ms > self._max_ms >> shift else self._initial_ms << shift
        return entry._replace(backoff_until_ms=(entry.timestamp_ms + delay_ms) // WINDOW_MS * WINDOW_MS)

    def _backs_off(self, entry: Queued) -> bool:
        if not (entry.errors or entry.rejections):
            return False
        return entry.backoff_until_ms >= self._clock() // WINDOW_MS * WINDOW_MS

    def _rows(self, profile: str, event: ClusterEvent) -> list[tuple[str, Hint | None]]:
        """The plugins of a profile that registered for an event, with their hints."""
        found = self._concerned.get((profile, event))
        if found is None:
            table = self._hints.get(profile, ())
            found = [(plugin, hint) for registered, plugin, hint in table if registered.matches(event)]
            self._concerned[profile, event] = found
        return found

    def _worth(self, entry: Queued, event: ClusterEvent, old: Object | None, new: Object | None) -> int:
        """Whether an event is worth another try (isPodWorthRequeuing)."""
        if not entry.plugins or event == FORCE_ACTIVATE:
            return AFTER_BACKOFF
        pod = self.pods.get(entry.key)
        if pod is None:
            return SKIP
        for plugin, hint in self._rows(entry.profile, event):
            if plugin in entry.plugins and (hint is None or hint(pod, old, new)):
                return AFTER_BACKOFF
        return SKIP

    # State.

    def checkpoint(self) -> dict[str, Any]:
        return {
            "active": self.active.copy(), "backoff": self.backoff.copy(), "unschedulable": self.unschedulable.copy(),
            "order": self.order, "nominated": self.nominator.nodes.copy(),
        }

    def restore(self, data: dict[str, Any], pods: Callable[[str], Object | None]) -> None:
        """`pods`: finds the object of a key."""
        for name in ("active", "backoff", "unschedulable"):
            setattr(self, name, {key: Queued(*entry) for key, entry in data[name].items()})
        self.order = data["order"]
        self._heap = [(-e.priority, e.timestamp_ms, e.order, key) for key, e in self.active.items()]
        heapq.heapify(self._heap)
        for waiting in list(self.backoff.values()):
            self._back_off(waiting)
        found = {key: pods(key) for key in (*self.active, *self.backoff, *self.unschedulable, *data["nominated"])}
        self.pods = {key: PodInfo(pod) for key, pod in found.items() if pod is not None}
        self.nominator = Nominator()
        for key, node in data["nominated"].items():
            if key in self.pods:
                self.nominator.nominate(self.pods[key], node)


def _profile_of(pod: PodInfo) -> str:
    return pod.spec.get("schedulerName") or "default-scheduler"


def _hint_table(profile: Profile) -> list[tuple[ClusterEvent, str, Hint | None]]:
    """What the plugins of a profile registered for (buildQueueingHintMap)."""
    table: list[tuple[ClusterEvent, str, Hint | None]] = []
    for plugin in profile.plugins.values():
        node_actions = 0
        for event, hint in plugin.events():
            table.append((event, plugin.name, hint))
            if event.resource == "Node":
                node_actions |= event.action
        if node_actions & ADD and not node_actions & UPDATE_NODE_TAINT:
            table.append((ClusterEvent("Node", UPDATE_NODE_TAINT), plugin.name, None))
    return table
