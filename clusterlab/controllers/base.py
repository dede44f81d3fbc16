"""The base of the controllers here: the client's controller, with keys that are not taken again while their last work goes on.

In Kubernetes a reconcile takes the time of its requests (some ms; with the default limit of 20 requests a second, 50 ms under
load), in which further changes of the same object pile up and are handled in one go. Here work takes no simulated time, so a
controller says `busy(key)` after a burst's first work, and what comes meanwhile waits.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.controller import Controller
from clusterlab.client.process import Process
from clusterlab.controllers.objects import Object, key_of, now_ms

__all__ = ["BaseController"]


class BaseController(Controller):
    """A controller with plain-data state that is forgotten when its process ends.

    `name` is that of kube-controller-manager's controller; a second replica's parts get the process's name behind it."""

    STATE: tuple[str, ...] = ("busy_until",)
    controller_name = ""
    component = ""

    def __init__(self, process: Process) -> None:
        _, slash, replica = process.name.partition("/")
        self.busy_until: dict[str, int] = {}
        super().__init__(process, self.controller_name + (f"/{replica}" if slash else ""))
        self.clear()

    def clear(self) -> None:
        """Forgets everything, as a fresh program knows nothing."""
        self.busy_until = {}

    def reset(self) -> None:
        super().reset()
        self.clear()

    def stopped(self) -> None:
        super().stopped()
        self.clear()

    # Queueing.

    def enqueue(self, key: str) -> None:
        """Puts a key in the queue, once its last work is over."""
        until = self.busy_until.get(key)
        if until is not None:
            wait_ms = until - self.sim.time_ms
            if wait_ms > 0:
                self.queue.add_after(key, wait_ms)
                return
            del self.busy_until[key]
        self.queue.add(key)

    def enqueue_object(self, old: Object | None, new: Object | None) -> None:
        """A handler: puts the object that changed in the queue."""
        self.enqueue(key_of(new or old))  # type: ignore[arg-type]

    def busy(self, key: str, for_ms: int) -> None:
        """Says that what comes for this key within the next `for_ms` can wait until then."""
        self.busy_until[key] = self.sim.time_ms + for_ms

    # Telling.

    def tell(self, sentence: str) -> None:
        """Adds a sentence to what the open step explains."""
        step = self.sim.current
        if step is not None:
            step.explain = f"{step.explain} {sentence}" if step.explain else sentence

    # Time.

    @property
    def now_ms(self) -> int:
        """Now as milliseconds since 1970."""
        return now_ms(self.sim)

    def record(self, obj: Object, kind: str, reason: str, message: str) -> None:
        """Records an event about an object. `kind`: Normal or Warning."""
        self.events.event(obj, kind, reason, message)

    def named(self, resource: str, key: str) -> Any:
        """An object in the cache of this process."""
        return self.informer(resource).get(key)
