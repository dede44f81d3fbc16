"""Projects steps into frames and a cluster into a snapshot. Pure: docs/stream-protocol.md says what comes out."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from clusterlab.sim import Span, Step
from clusterlab.stream.views import view

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["frame", "heading", "snapshot", "view"]


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


def snapshot(cluster: Cluster) -> dict[str, Any]:
    """The whole state that frames build upon."""
    sim = cluster.sim
    return {
        "seq": sim.last_seq, "time": sim.steps[-1].time_ms if sim.steps else sim.time_ms if sim.last_seq else 0,
        "objects": {key: view(obj, sim.epoch) for key, obj in cluster.objects()},
        "components": {name: dict(fields) for name, fields in sim.notes.items()},
    }
