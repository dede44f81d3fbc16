"""Events of the scheduler: the newer kind (events.k8s.io), with a series instead of a count.

Follows staging/src/k8s.io/client-go/tools/events (event_recorder.go, event_broadcaster.go). The same event about the same version
of an object again starts a series, whose count is then kept to itself for half an hour at a time.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.events import reference
from clusterlab.client.process import Part
from clusterlab.machinery.errors import StatusError

Object = dict[str, Any]

__all__ = ["SchedulingRecorder"]

REFRESH_MS = 1_800_000
FINISH_MS = 360_000
NOTE_LIMIT = 1024
KEPT = 1_000


class SchedulingRecorder:
    """Records events of one profile's scheduler name. State: `series`, key -> (namespace, name, count, last seen, last written)."""

    def __init__(self, owner: Part) -> None:
        self._owner = owner
        self.series: dict[str, tuple[str, str, int, int, int]] = {}

    def event(
        self, pod: Object, kind: str, reason: str, action: str, note: str, *, controller: str, related: Object | None = None
    ) -> None:
        """Tells of a pod. `kind`: Normal or Warning; `controller`: the scheduler name. Never raises."""
        ref = reference(pod)
        key = f"{kind}/{action}/{reason}/{controller}/{ref}/{reference(related) if related else ''}"
        try:
            self._write(key, ref, kind, reason, action, note, controller, related)
        except StatusError:
            self.series.pop(key, None)  # as in Kubernetes, an event that cannot be written is lost

    def _write(
        self, key: str, ref: Object, kind: str, reason: str, action: str, note: str, controller: str, related: Object | None
    ) -> None:
        sim, client = self._owner.sim, self._owner.client
        known = self.series.pop(key, None)
        now = sim.time_ms
        if known is not None and now - known[3] <= FINISH_MS:
            namespace, name, count, _, written = known
            count += 1
            if count == 2 or now - written >= REFRESH_MS:
                series = {"count": count, "lastObservedTime": sim.now_micro()}
                client.patch("events", namespace, name, {"series": series}, "strategic")
                written = now
            self.series[key] = (namespace, name, count, now, written)
            return
        if len(self.series) >= KEPT:
            del self.series[next(iter(self.series))]
        namespace = ref.get("namespace", "default")
        nanoseconds = round(sim.epoch.timestamp() * 1000 + now) * 1_000_000 + sim.unique() % 1_000_000
        name = f"{ref['name']}.{nanoseconds:016x}"
        body = {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": namespace}, "involvedObject": ref,
            "reason": reason, "message": _shortened(note), "source": {}, "firstTimestamp": None, "lastTimestamp": None,
            "type": kind, "eventTime": sim.now_micro(), "action": action, "reportingComponent": controller,
            "reportingInstance": f"{controller}-{self._owner.process.name}",
        }
        if related is not None:
            body["related"] = reference(related)
        client.create("events", body)
        self.series[key] = (namespace, name, 1, now, now)


def _shortened(note: str) -> str:
    return note if len(note) <= NOTE_LIMIT else note[: NOTE_LIMIT - 4] + " ..."
