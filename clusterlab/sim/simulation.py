"""The kernel: an integer clock, a queue of events, and the steps that came of them.

Follows SimPy's shape (a heap of (time, order), one environment handed to everyone) without processes: handlers run to
completion, so that the queue and every component's state stay plain data.
"""

from __future__ import annotations

import heapq
import logging
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from clusterlab.sim.component import Component
from clusterlab.sim.rng import Rng
from clusterlab.sim.step import Step

__all__ = ["EPOCH", "Event", "Simulation"]

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

_log = logging.getLogger(__name__)

#: A handler that failed for a reason of ours is tried again after this, doubled each time, at most so often.
RETRY_MS = 1_000
RETRIES = 6
MAX_ERRORS = 200


class Event(NamedTuple):
    """Something due at `time_ms` for the component `target`. `order` breaks ties: first scheduled, first served."""

    time_ms: int
    order: int
    target: str
    verb: str
    args: tuple[Any, ...]
    because: int
    idle: bool


class Simulation:
    """Clock, queue, components and steps of one cluster."""

    def __init__(self, seed: int = 1, epoch: datetime = EPOCH) -> None:
        self.seed = seed
        self.epoch = epoch
        self.time_ms = 0
        self.dispatched = 0
        self.steps: list[Step] = []
        self.first_seq = 1  # seq of steps[0]; earlier ones were forgotten
        self.components: dict[str, Component] = {}
        self._handlers: dict[tuple[str, str], Any] = {}
        self._queue: list[Event] = []
        self._cancelled: set[int] = set()
        self._live: dict[int, bool] = {}  # order -> idle, of every event that is still due
        self._order = 0
        self._unique = 0
        self._busy = 0  # events due that are not idle
        self._open: Step | None = None
        self._taken = True  # the open step was begun by a component, not by `ensure`
        self._dispatching = False
        self._because = 0
        self._rngs: dict[str, Rng] = {}
        self._stamp = (-1, "")
        self._pending_notes: dict[str, dict[str, Any]] = {}
        #: What every component last told about its inner state: the sum of all steps' notes.
        self.notes: dict[str, dict[str, Any]] = {}
        #: Faults of ours: what handlers raised that is no refusal, as (time_ms, component, verb, what). Empty in a model that works.
        self.errors: list[tuple[int, str, str, str]] = []
        self._failures: dict[tuple[str, str, tuple[Any, ...]], int] = {}

    # Components.

    def add(self, component: Component) -> None:
        if component.name in self.components:
            raise ValueError(f"two components are called {component.name}")
        self.components[component.name] = component

    def remove(self, name: str) -> None:
        """Takes a component away, with every event that is due for it."""
        self.drop_events(name)
        self.components.pop(name, None)
        self._handlers = {key: value for key, value in self._handlers.items() if key[0] != name}

    def rng(self, name: str) -> Rng:
        """The random stream of that name; the same object each time."""
        found = self._rngs.get(name)
        if found is None:
            found = self._rngs[name] = Rng(self.seed, name)
        return found

    # Time.

    def now(self) -> datetime:
        return self.epoch + timedelta(milliseconds=self.time_ms)

    def now_rfc3339(self) -> str:
        """Now as Kubernetes' metav1.Time, to the second."""
        second = self.time_ms // 1000
        if self._stamp[0] != second:
            self._stamp = (second, (self.epoch + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        return self._stamp[1]

    def now_micro(self) -> str:
        """Now as Kubernetes' metav1.MicroTime."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    # The queue.

    def after(
        self, delay_ms: int, target: str, verb: str, *args: Any, idle: bool = False, because: int | None = None
    ) -> int:
        """Schedules an event; returns its handle. `because` defaults to the cause of what runs now."""
        order = self._order = self._order + 1
        cause = self.cause if because is None else because
        heapq.heappush(self._queue, Event(self.time_ms + max(0, delay_ms), order, target, verb, args, cause, idle))
        self._live[order] = idle
        if not idle:
            self._busy += 1
        return order

    def cancel(self, handle: int) -> None:
        """Forgets an event; harmless when it has run already."""
        idle = self._live.pop(handle, None)
        if idle is None:
            return
        self._cancelled.add(handle)
        if not idle:
            self._busy -= 1

    def drop_events(self, target: str) -> None:
        """Forgets every event that is due for a component."""
        for event in self._queue:
            if event.target == target:
                self.cancel(event.order)

    @property
    def settled(self) -> bool:
        """Nothing is due but idle events."""
        return self._busy == 0

    def _peek(self) -> Event | None:
        queue = self._queue
        while queue and queue[0].order in self._cancelled:
            self._cancelled.discard(heapq.heappop(queue).order)
        return queue[0] if queue else None

    def next_time(self) -> int | None:
        """When the next event is due, in ms; None when nothing is."""
        event = self._peek()
        return event.time_ms if event else None

    def due(self) -> list[Event]:
        """Every event that is due, soonest first."""
        return sorted(event for event in self._queue if event.order not in self._cancelled)

    # Running.

    @property
    def cause(self) -> int:
        """The seq that what happens now is because of."""
        return self._open.seq if self._open is not None else self._because

    @property
    def current(self) -> Step | None:
        """The open step."""
        return self._open

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.steps) - 1

    def because(self, seq: int) -> None:
        """Says what the following is because of, where that is finer than the event: one of many things delivered at once."""
        if self._open is None:
            self._because = seq

    def unique(self) -> int:
        """A number that no other call gets."""
        self._unique += 1
        return self._unique

    def ensure(self, actor: str, verb: str, obj: str) -> Step | None:
        """The open step; within a dispatch that has not begun one, a step that is begun for what happens now and that a later
        `begin` takes over. None between dispatches."""
        if self._open is None and self._dispatching:
            self.begin(actor, verb, obj)
            self._taken = False
        return self._open

    def begin(self, actor: str, verb: str, obj: str, routine: bool = False) -> Step:
        if self._open is not None and not self._taken:
            step, self._taken = self._open, True
            step.actor, step.verb, step.object, step.routine = actor, verb, obj, routine
            return step
        if self._open is not None:
            raise RuntimeError(f"{actor} begins a step inside {self._open.actor}'s")
        self._taken = True
        self._open = Step(self.last_seq + 1, self.time_ms, actor, verb, obj, self._because, routine=routine)
        if self._pending_notes:
            self._open.notes, self._pending_notes = self._pending_notes, {}
        return self._open

    def note(self, component: str, fields: dict[str, Any]) -> None:
        """Adds to what the open step tells the stage; kept for the next one where none is open."""
        step = self._open
        if step is not None:
            step.notes.setdefault(component, {}).update(fields)
        else:
            self._pending_notes.setdefault(component, {}).update(fields)

    def noted(self, component: str) -> dict[str, Any]:
        """What a component has told so far, with the open step."""
        fresh = (self._open.notes if self._open is not None else self._pending_notes).get(component)
        held = self.notes.get(component, {})
        return {**held, **fresh} if fresh else held

    def _end(self) -> Step | None:
        step, self._open = self._open, None
        if step is not None:
            self.steps.append(step)
            if step.notes:
                self._add_notes(step.notes)
        return step

    def _add_notes(self, notes: dict[str, dict[str, Any]]) -> None:
        for component, fields in notes.items():
            merged = {**self.notes.get(component, {}), **fields}
            self.notes[component] = {key: value for key, value in merged.items() if value is not None}

    def dispatch(self) -> Step | None:
        """Runs the next event; returns its step, or None when it told nothing."""
        event = self._peek()
        if event is None:
            return None
        heapq.heappop(self._queue)
        del self._live[event.order]
        if not event.idle:
            self._busy -= 1
        self.time_ms = event.time_ms
        self.dispatched += 1
        self._because = event.because
        key = (event.target, event.verb)
        handler = self._handlers.get(key)
        if handler is None:
            component = self.components.get(event.target)
            if component is None:
                return None
            handler = self._handlers[key] = getattr(component, "on_" + event.verb)
        self._dispatching = True
        before = self._order
        try:
            handler(*event.args)
            if self._failures:
                self._failures.pop((event.target, event.verb, event.args), None)
        except Exception as error:
            self._failed(event, error, before)
        finally:
            self._dispatching = False
        return self._end()

    def _failed(self, event: Event, error: Exception, before: int) -> None:
        """A handler met a fault of ours: says so, and tries the event again unless it has planned its next turn already."""
        text = self.fail(event.target, event.verb, error)
        key = (event.target, event.verb, event.args)
        planned = any(due.order > before and (due.target, due.verb, due.args) == key for due in self._queue)
        count = self._failures.get(key, 0)
        if not planned and count < RETRIES:
            self._failures[key] = count + 1
            delay_ms = RETRY_MS << count
            self.after(delay_ms, event.target, event.verb, *event.args, idle=True)
            text += f"; it tries again in {delay_ms} ms"
        step = self._open or self.begin(event.target, event.verb, "")
        step.explain, step.routine, self._taken = text, False, True

    def fail(self, component: str, verb: str, error: Exception) -> str:
        """Notes a fault of ours that a component met, the first ones in the log as well; returns a sentence for the step."""
        what = describe(error)
        if len(self.errors) < MAX_ERRORS:
            self.errors.append((self.time_ms, component, verb, what))
            _log.error("%s failed at %s, %d ms", component, verb, self.time_ms, exc_info=error)
        return f"internal error: {component} failed at {verb}: {what}"

    def perform(self, actor: str, verb: str, obj: str, because: int = 0) -> Step:
        """Opens a step for a command from outside; the caller acts and then calls `finish`."""
        self._because = because
        return self.begin(actor, verb, obj)

    def finish(self) -> Step | None:
        """Closes the step that `perform` opened."""
        return self._end()

    def advance_to(self, time_ms: int) -> None:
        """Moves the clock over a stretch in which nothing is due."""
        due = self.next_time()
        if due is not None and due < time_ms:
            raise ValueError(f"an event is due at {due} ms, before {time_ms} ms")
        self.time_ms = max(self.time_ms, time_ms)

    def forget_past(self) -> None:
        """Counts from here: steps so far are dropped, what is due has no cause. Done once, at the end of the boot."""
        self._add_notes(self._pending_notes)
        self._pending_notes = {}
        self.steps, self.first_seq = [], 1
        self._queue = [event._replace(because=0) for event in self._queue if event.order not in self._cancelled]
        heapq.heapify(self._queue)
        self._cancelled = set()

    # Checkpoints.

    def checkpoint(self) -> dict[str, Any]:
        """All state as plain data, sharing immutable values with the live state."""
        return {
            "time_ms": self.time_ms,
            "dispatched": self.dispatched,
            "order": self._order,
            "unique": self._unique,
            "last_seq": self.last_seq,
            "notes": self.notes.copy(),
            "pending_notes": {name: dict(fields) for name, fields in self._pending_notes.items()},
            "queue": [event for event in self._queue if event.order not in self._cancelled],
            "errors": list(self.errors),
            "failures": dict(self._failures),
            "rngs": {name: rng.state for name, rng in self._rngs.items()},
            "components": {name: component.checkpoint() for name, component in self.components.items()},
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Goes back to a checkpoint. The same components must exist. Later steps are dropped; a caller may have kept them."""
        del self.steps[max(0, data["last_seq"] - self.first_seq + 1) :]
        self.first_seq = data["last_seq"] - len(self.steps) + 1
        self.notes = dict(data["notes"])
        self.time_ms, self.dispatched, self._order = data["time_ms"], data["dispatched"], data["order"]
        self._unique = data["unique"]
        self._queue = [Event(*event) for event in data["queue"]]
        heapq.heapify(self._queue)
        self._cancelled = set()
        self._live = {event.order: event.idle for event in self._queue}
        self._busy = sum(not event.idle for event in self._queue)
        self._open, self._because, self._stamp = None, 0, (-1, "")
        self._pending_notes = {name: dict(fields) for name, fields in data["pending_notes"].items()}
        self.errors, self._failures = list(data["errors"]), dict(data["failures"])
        for name, rng in self._rngs.items():
            rng.state = data["rngs"].get(name, Rng(self.seed, name).state)
        for name, state in data["rngs"].items():
            self.rng(name).state = state
        for name, state in data["components"].items():
            self.components[name].restore(state)


def describe(error: Exception) -> str:
    """An error and where it arose, without anything that differs between machines."""
    frames = traceback.extract_tb(error.__traceback__)
    where = ""
    if frames:
        path = frames[-1].filename.replace("\\", "/")
        where = f" ({path.rpartition('/clusterlab/')[2].rpartition('/lib/')[2]}:{frames[-1].lineno})"
    return f"{type(error).__name__}: {str(error)[:300]}{where}"
