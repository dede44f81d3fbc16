"""Event recorders: what components tell about objects, as Event objects, counted rather than repeated.

Follows staging/src/k8s.io/client-go/tools/record (event.go, events_cache.go): the same event again raises `count`; more than
ten similar ones with other messages within ten minutes are combined; a source that speaks too often about an object (25 at
once, one more each five minutes) is not heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.client.process import Part

Object = dict[str, Any]

__all__ = ["EventRecorder", "reference"]

SPAM_BURST = 25
SPAM_REFILL_MS = 300_000
AGGREGATE_AFTER = 10
AGGREGATE_WINDOW_MS = 600_000
CACHE_SIZE = 4096


def reference(obj: Object, field_path: str = "") -> Object:
    """An ObjectReference to an object that names its own kind."""
    meta = obj["metadata"]
    ref = {
        "kind": obj.get("kind", ""), "namespace": meta.get("namespace"), "name": meta["name"], "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"), "resourceVersion": meta.get("resourceVersion"), "fieldPath": field_path or None,
    }
    return {key: value for key, value in ref.items() if value}


class EventRecorder:
    """Records events of one source component (and host, for kubelets)."""

    def __init__(self, owner: Part, component: str, host: str = "") -> None:
        self._owner = owner
        self._source = {"component": component, **({"host": host} if host else {})}
        self._known: dict[str, tuple[str, str, int, str]] = {}  # key -> (namespace, name, count, first time)
        self._similar: dict[str, tuple[int, tuple[str, ...]]] = {}  # key -> (last ms, messages seen)
        self._tokens: dict[str, tuple[float, int]] = {}  # source+object -> (tokens, when)

    def event(self, obj: Object, kind: str, reason: str, message: str, field_path: str = "",
              annotations: dict[str, str] | None = None) -> None:
        """Tells of an object (which must name its kind). `kind`: Normal or Warning. Never raises."""
        ref = reference(obj, field_path)
        key, message = self._combine(ref, kind, reason, message, field_path)
        if not self._may_speak(ref):
            return
        try:
            self._write(key, ref, kind, reason, message, annotations)
        except StatusError:
            self._known.pop(key, None)  # as in Kubernetes, an event that cannot be written is lost

    def _write(self, key: str, ref: Object, kind: str, reason: str, message: str, annotations: dict[str, str] | None) -> None:
        sim, client = self._owner.sim, self._owner.client
        now = sim.now_rfc3339()
        known = self._known.get(key)
        if known is not None:
            namespace, name, count, first = known
            try:
                client.patch("events", namespace, name, {"count": count + 1, "lastTimestamp": now, "message": message},
                             "strategic")
                self._known[key] = (namespace, name, count + 1, first)
                return
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
        namespace = ref.get("namespace", "default")
        # The suffix is the time in nanoseconds, as in Kubernetes; a counter keeps names unique within a millisecond.
        nanoseconds = round(sim.epoch.timestamp() * 1000 + sim.time_ms) * 1_000_000 + sim.unique() % 1_000_000
        name = f"{ref['name']}.{nanoseconds:016x}"
        client.create("events", {
            "apiVersion": "v1", "kind": "Event", "metadata": {
                "name": name, "namespace": namespace, **({"annotations": annotations} if annotations else {})},
            "involvedObject": ref, "reason": reason, "message": message, "source": self._source, "firstTimestamp": now,
            "lastTimestamp": now, "count": 1, "type": kind, "eventTime": None,
            "reportingComponent": self._source["component"], "reportingInstance": self._source.get("host", ""),
        })
        self._known[key] = (namespace, name, 1, now)
        if len(self._known) > CACHE_SIZE:
            del self._known[next(iter(self._known))]

    def _may_speak(self, ref: Object) -> bool:
        key = f"{ref['kind']}/{ref.get('namespace', '')}/{ref['name']}/{ref.get('uid', '')}"
        now = self._owner.sim.time_ms
        tokens, when = self._tokens.get(key, (float(SPAM_BURST), now))
        tokens = min(SPAM_BURST, tokens + (now - when) / SPAM_REFILL_MS)
        if tokens < 1:
            self._tokens[key] = (tokens, now)
            return False
        self._tokens[key] = (tokens - 1, now)
        if len(self._tokens) > CACHE_SIZE:
            del self._tokens[next(iter(self._tokens))]
        return True

    def _combine(self, ref: Object, kind: str, reason: str, message: str, field_path: str) -> tuple[str, str]:
        """(the key under which an event is counted, its message): the tenth message of its sort and those that follow share one."""
        similar = f"{ref['kind']}/{ref.get('namespace', '')}/{ref['name']}/{ref.get('uid', '')}/{kind}/{reason}"
        now = self._owner.sim.time_ms
        last, seen = self._similar.get(similar, (now, ()))
        if now - last > AGGREGATE_WINDOW_MS:
            seen = ()
        if message not in seen:
            seen = (*seen, message)
        combined = len(seen) >= AGGREGATE_AFTER
        self._similar[similar] = (now, seen[:-1] if combined else seen)  # Kubernetes drops any one; those that come again are old ones
        if len(self._similar) > CACHE_SIZE:
            del self._similar[next(iter(self._similar))]
        if combined:
            return similar, "(combined from similar events): " + message
        return f"{similar}/{field_path}/{message}", message

    def forget(self) -> None:
        """Forgets all events, as a program that starts does."""
        self._known, self._similar, self._tokens = {}, {}, {}

    def checkpoint(self) -> list[Any]:
        return [self._known.copy(), self._similar.copy(), self._tokens.copy()]

    def restore(self, data: list[Any]) -> None:
        self._known, self._similar, self._tokens = (dict(part) for part in data)
