"""What the scheduler writes into the status of pods.

Follows updatePod in pkg/scheduler/schedule_one.go, PreemptPod in pkg/scheduler/framework/preemption/executor.go and
UpdatePodCondition in pkg/api/v1/pod/util.go.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

__all__ = ["condition_patch", "victim_patch"]


def condition_patch(pod: Object, reason: str, message: str, nominated: str | None, now: str) -> Object | None:
    """The patch that tells of a failure: PodScheduled False and the nomination; None when nothing would change."""
    status: Object = {}
    condition = _condition(pod, "PodScheduled", "False", reason, message, now)
    if condition is not None:
        status["conditions"] = [condition]
    known = (pod.get("status") or {}).get("nominatedNodeName") or ""
    if nominated is not None and nominated != known:
        status["nominatedNodeName"] = nominated or None
    return {"status": status} if status else None


def victim_patch(pod: Object, message: str, now: str) -> Object:
    """The patch that marks a pod as a victim of preemption."""
    condition = _condition(pod, "DisruptionTarget", "True", "PreemptionByScheduler", message, now)
    return {"status": {"conditions": [condition]}} if condition is not None else {}


def _condition(pod: Object, kind: str, status: str, reason: str, message: str, now: str) -> Object | None:
    condition: Object = {
        "type": kind, "status": status, "reason": reason, "message": message, "lastProbeTime": None, "lastTransitionTime": now,
    }
    generation = pod["metadata"].get("generation")
    if generation:
        condition["observedGeneration"] = generation
    for known in (pod.get("status") or {}).get("conditions") or ():
        if known.get("type") == kind:
            if known.get("status") == status:
                condition["lastTransitionTime"] = known.get("lastTransitionTime")
            if all(known.get(name) == value for name, value in condition.items()):
                return None
    return condition
