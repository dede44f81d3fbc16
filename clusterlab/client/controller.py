"""The base of every controller: a work queue and `reconcile(key)`, level-based as in Kubernetes.

Follows the pattern of pkg/controller/*: handlers put keys on a queue, a worker takes one at a time, a failure puts the key back
with back-off.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.events import EventRecorder
from clusterlab.client.process import Part, Process
from clusterlab.client.workqueue import WorkQueue
from clusterlab.machinery.errors import StatusError

__all__ = ["Controller"]


class Controller(Part):
    """A part with a work queue.

    Subclasses set `resource` (what the keys name, for steps: "deployments"), declare informers and handlers in their
    constructor, and write `reconcile`. `component` is the source of their events."""

    resource = ""
    component = ""
    #: How long a key waits after its first failure, and at most, in ms.
    backoff_ms = (5, 1_000_000)

    def __init__(self, process: Process, name: str) -> None:
        super().__init__(process, name)
        self.queue = WorkQueue(self, self.backoff_ms)
        self.events = EventRecorder(self, self.component or name)

    def reconcile(self, key: str) -> None:
        """Compares desired and observed state of one object and writes the difference. May run at any time, or twice."""
        raise NotImplementedError

    def object_key(self, key: str) -> str:
        """The object that a queue's key stands for, as steps name it."""
        return f"{self.resource}/{key}"

    def explain(self, text: str) -> None:
        """One plain sentence on what this reconcile did; the last one counts."""
        step = self.sim.current
        if step is not None:
            step.explain = text

    # Events of the simulation.

    def on_work(self) -> None:
        taken = self.queue.take()
        if taken is None:
            return
        key, cause = taken
        self.sim.because(cause)
        step = self.begin("reconcile", self.object_key(key))
        failures = self.queue.failures.get(key, 0)
        try:
            self.reconcile(key)
        except StatusError as error:
            delay_ms = self.queue.add_rate_limited(key)
            step.explain = f"{self.name} could not finish {key} ({error.reason}) and tries again in {delay_ms} ms."
        except Exception as error:  # a fault of ours in one object must not stop the others
            said = self.sim.fail(self.name, "reconcile", error)
            delay_ms = max(self.queue.add_rate_limited(key), 1)
            step.explain = f"{said}; it tries {key} again in {delay_ms} ms"
        else:
            if self.queue.failures.get(key, 0) == failures:  # unless it asked for a rate-limited retry itself
                self.queue.forget(key)
            step.routine = not step.requests
            if not step.explain:
                step.explain = f"{self.name} looked at {key}" + ("." if step.requests else " and found nothing to do.")
        step.notes.setdefault(self.name, {})["queue"] = len(self.queue)

    def on_enqueue(self, key: str) -> None:
        self.queue.delay_over(key)

    # Life and state.

    def reset(self) -> None:
        self.queue = WorkQueue(self, self.backoff_ms)

    def stopped(self) -> None:
        self.queue = WorkQueue(self, self.backoff_ms)
        self.events.forget()

    def checkpoint(self) -> dict[str, Any]:
        return {**super().checkpoint(), "queue": self.queue.checkpoint(), "events": self.events.checkpoint()}

    def restore(self, data: dict[str, Any]) -> None:
        self.queue.restore(data["queue"])
        self.events.restore(data["events"])
        super().restore(data)
