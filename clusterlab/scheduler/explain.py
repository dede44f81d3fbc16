"""Decisions in plain sentences, and as notes for the stage."""

from __future__ import annotations

from heapq import nlargest
from typing import Any

from clusterlab.scheduler.decision import Decision
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.queue import SchedulingQueue

__all__ = ["explain_binding", "explain_failure", "name_of", "scheduling_notes"]

#: Why a node won, by the plugin that made the difference.
REASONS = {
    "NodeResourcesFit": "it has the most room",
    "NodeResourcesBalancedAllocation": "its CPU and memory would be used most evenly",
    "ImageLocality": "it has the image already",
    "PodTopologySpread": "the pods are spread most evenly that way",
    "InterPodAffinity": "it suits the pod's wish for company best",
    "NodeAffinity": "its labels suit the pod best",
    "TaintToleration": "its taints put the pod off least",
}
TOP = 10


def name_of(pod: PodInfo) -> str:
    """A pod's name, as people say it."""
    return pod.key.partition("/")[2]


def explain_binding(who: str, pod: str, decision: Decision) -> str:
    """Why a pod goes where it goes."""
    node, total = decision.chosen, decision.nodes
    if not decision.totals:
        others = len(decision.filtered_statuses)
        if total == 1:
            return f"{who} binds {pod} to {node}, the only node."
        if not others:
            return f"{who} binds {pod} to {node}, which was kept for it."
        return f"{who} binds {pod} to {node}: of {total} nodes it is the only one that fits."
    if decision.ties:
        score = max(decision.totals)
        return f"{who} binds {pod} to {node}, drawn among {len(decision.ties)} equally good nodes (score {score})."
    best = nlargest(4, decision.totals)
    count = len(decision.totals)
    among = f"of {total} nodes" if count == total else f"of the {count} nodes that fit"
    rest = " and ".join(filter(None, (", ".join(str(score) for score in best[1:-1]), str(best[-1]))))
    why = REASONS.get(_difference(decision), "it has the highest score")
    more = ", …" if count > len(best) else ""
    return f"{who} binds {pod} to {node}: {among} {why} (score {best[0]} to {rest}{more})."


def _difference(decision: Decision) -> str:
    """The plugin that sets the winner furthest apart from the second."""
    totals = decision.totals
    first = decision.scored_nodes.index(decision.chosen)
    second = max((i for i in range(len(totals)) if i != first), key=totals.__getitem__)
    lead = [column[first] - column[second] for column in decision.columns]
    return decision.plugins[lead.index(max(lead))] if lead else ""


def explain_failure(who: str, pod: str, decision: Decision) -> str:
    """Why a pod stays where it is."""
    if decision.victims:
        count = len(decision.victims)
        what = "a pod of lower priority" if count == 1 else f"{count} pods of lower priority"
        return f"{who} finds no room for {pod} and evicts {what} from {decision.nominated} for it."
    return f"{who} finds no node for {pod}: {decision.message}"


def scheduling_notes(decision: Decision, queue: SchedulingQueue) -> dict[str, Any]:
    """What the stage shows of the scheduler: its queues, and the best nodes of the last decision."""
    top = nlargest(TOP, zip(decision.totals, decision.scored_nodes, strict=True)) if decision.totals else []
    return {
        "active": len(queue.active), "backoff": len(queue.backoff), "unschedulable": len(queue.unschedulable),
        "last": {
            "pod": decision.pod, "chosen": decision.chosen, "scores": [{"node": node, "total": score} for score, node in top],
            "message": decision.message, "feasible": decision.feasible, "nodes": decision.nodes,
        },
    }
