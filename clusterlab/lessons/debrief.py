"""Debriefs: a chain of causes, from what somebody did to what users noticed, to be replayed on the stage step by step.

The chain of a debrief is the steps that caused the first one that met its `end`, oldest first, without routine work, together with
the first step that met each note's `when`. A note says in a lesson's words what the step meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clusterlab.lessons.loader import Directive
from clusterlab.sim import Step
from clusterlab.stream.conditions import parse_condition

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["chain_of"]

#: A debrief is told in so many steps at most: the last ones before the end, and all that have a note.
MOST_STEPS = 24


def chain_of(directive: Directive, cluster: Cluster) -> tuple[list[dict[str, Any]], list[str]]:
    """The chain of a debrief as far as the lab has come, and the conditions that no step has met yet.

    Each link is {seq, time, actor, verb, object, explain, note, select, lens}."""
    data, links, missing = directive.data, {}, []
    end = next(_meeting(data["end"], cluster), None)
    if end is None:
        missing.append(data["end"])
    else:
        causes = [step for step in cluster.chain(end) if not step.routine or step is end][:MOST_STEPS]
        links = {step.seq: _link(step) for step in causes}
    for note in data.get("notes", ()):
        step = _first(note, cluster)
        if step is None:
            missing.append(note["when"])
            continue
        link = links.setdefault(step.seq, _link(step))
        link["note"] = f"{link['note']} {note['say']}".strip()
        link.update({name: note[name] for name in ("select", "lens") if name in note})
    return [links[seq] for seq in sorted(links)], missing


def _first(note: dict[str, Any], cluster: Cluster) -> Step | None:
    """The first step that met a note's `when`, after the first one that met its `since`."""
    steps = _meeting(note["when"], cluster)
    if "since" not in note:
        return next(steps, None)
    begun = next(_meeting(note["since"], cluster), None)
    return next((step for step in steps if begun is not None and step.seq > begun.seq), None)


def _meeting(condition: str, cluster: Cluster) -> Iterator[Step]:
    test = parse_condition(condition)
    return (step for step in cluster.sim.steps if test(step, cluster))


def _link(step: Step) -> dict[str, Any]:
    changed = next((change.key for change in step.changes if not change.key.startswith("events")), step.object)
    return {
        "seq": step.seq, "time": step.time_ms, "actor": step.actor, "verb": step.verb, "object": step.object, "explain": step.explain,
        "note": "", "select": changed if changed.count("/") in (1, 2) else "", "lens": "",
    }
