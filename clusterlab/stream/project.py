"""Projects steps into frames and a cluster into a snapshot. Pure: docs/stream-protocol.md says what comes out."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clusterlab.sim import Span, Step
from clusterlab.stream.tables import pack
from clusterlab.stream.views import ref_key, revision_of, view

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["EVENTS_KEPT", "Moment", "events", "frame", "heading", "snapshot", "tables", "taken", "view"]

#: Newest Events in a snapshot of tables; the rest is asked for (`GET …/events`).
EVENTS_KEPT = 1000


def heading(step: Step) -> dict[str, Any]:
    """What a list of steps shows."""
    return {
        "seq": step.seq, "time": step.time_ms, "actor": step.actor, "verb": step.verb, "object": step.object,
        "because": step.because, "explain": step.explain, "routine": step.routine,
    }


def _messages(messages: list[tuple[Any, ...]]) -> list[list[str]]:
    return [[str(part) for part in (*message, "", "", "", "")[:4]] for message in messages]


def _span(span: Span) -> dict[str, Any]:
    return {
        "user": span.user, "verb": span.verb, "object": span.object, "code": span.code, "message": span.message,
        "stages": [{"name": stage.name, "decision": stage.decision, "why": stage.why} for stage in span.stages],
        "messages": _messages(span.messages), "revision": span.revision, "watchers": span.watchers,
    }


def frame(step: Step, epoch: datetime) -> dict[str, Any]:
    """The frame of a step. An object that changed twice in a step has one view: the last."""
    changes, objects = [], {}
    for change in step.changes:
        op = "created" if change.old is None else "deleted" if change.new is None else "updated"
        changes.append({"key": change.key, "op": op, "revision": change.revision})
        objects[change.key] = None if change.new is None else view(change.new, epoch)
    return {
        **heading(step), "requests": [_span(span) for span in step.requests], "messages": _messages(step.messages),
        "changes": changes, "objects": objects, "components": step.notes,
    }


@dataclass(frozen=True)
class Moment:
    """What a cluster holds at one moment, by reference. Stored objects never change, so it can be looked at on any thread."""

    seq: int
    time_ms: int
    epoch: datetime
    buckets: list[tuple[str, dict[str, dict[str, Any]]]]
    components: dict[str, dict[str, Any]]


def taken(cluster: Cluster) -> Moment:
    """The present moment; takes a millisecond or two in the largest cluster."""
    sim = cluster.sim
    time_ms = sim.steps[-1].time_ms if sim.steps else sim.time_ms if sim.last_seq else 0
    return Moment(sim.last_seq, time_ms, sim.epoch, cluster.held(), {name: dict(fields) for name, fields in sim.notes.items()})


def snapshot(cluster: Cluster | Moment, events_after: int = 0) -> dict[str, Any]:
    """The whole state that frames build upon; of Events those that were written after revision `events_after`."""
    moment = cluster if isinstance(cluster, Moment) else taken(cluster)
    objects = {
        f"{label}/{key}": view(obj, moment.epoch) for label, held in moment.buckets for key, obj in held.items()
        if label != "events" or revision_of(obj) > events_after
    }
    return {
        "seq": moment.seq, "time": moment.time_ms, "eventsAfter": events_after, "objects": objects, "components": moment.components,
    }


def tables(moment: Moment, events_kept: int = EVENTS_KEPT) -> dict[str, Any]:
    """The same state with its newest Events only, as tables (stream/tables.py): what a large cluster is sent as."""
    after, packed = 0, []
    for label, held in moment.buckets:
        objects = list(held.values())
        if label == "events" and len(objects) > events_kept:
            newest = heapq.nlargest(events_kept + 1, map(revision_of, objects))
            after = newest[-1]
            objects = [obj for obj in objects if revision_of(obj) > after]
        if objects:
            packed.append(pack(label, (view(obj, moment.epoch) for obj in objects)))
    return {"seq": moment.seq, "time": moment.time_ms, "eventsAfter": after, "tables": packed, "components": moment.components}


def events(held: list[dict[str, Any]], epoch: datetime, about: str, before: int, limit: int) -> dict[str, Any]:
    """Of these Events those `about` an object's key ("": any) and written before a revision (0: ever), the last first."""
    name = about.rpartition("/")[2]
    found = [
        obj for obj in held
        if (not name or (obj.get("involvedObject") or {}).get("name") == name) and (not before or revision_of(obj) < before)
    ]
    if about:
        found = [obj for obj in found if ref_key(obj["involvedObject"], obj["involvedObject"].get("namespace")) == about]
    newest = heapq.nlargest(limit, found, key=revision_of)
    return {"events": [view(obj, epoch) for obj in newest], "more": len(found) > limit}
