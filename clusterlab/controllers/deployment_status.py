"""What a Deployment tells of itself: counts, conditions, and whether its rollout gets on.

Follows pkg/controller/deployment/progress.go and calculateStatus in sync.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.controllers import deployment_math as math
from clusterlab.controllers.objects import (
    Object,
    Objects,
    condition_of,
    drop_zero,
    find_condition,
    key_of,
    replicas,
    status_count,
    unix_ms,
    without_condition,
)
from clusterlab.sim.words import counted

if TYPE_CHECKING:
    from clusterlab.controllers.deployment_sync import Rollout

__all__ = ["add_condition", "check_paused", "new_condition", "progressing", "sync_rollout_status", "sync_status"]


def new_condition(rollout: Rollout, kind: str, status: str, reason: str, message: str) -> Object:
    """A condition of now."""
    now = rollout.by.sim.now_rfc3339()
    return {
        "type": kind, "status": status, "lastUpdateTime": now, "lastTransitionTime": now, "reason": reason, "message": message,
    }


def set_condition(conditions: Objects, condition: Object) -> Objects:
    """A list of conditions with this one, unless it says nothing new."""
    current = find_condition(conditions, condition["type"])
    if current is not None and current["status"] == condition["status"]:
        if current.get("reason") == condition["reason"]:
            return conditions
        condition = {**condition, "lastTransitionTime": current["lastTransitionTime"]}
    return [*without_condition(conditions, condition["type"]), condition]


def add_condition(d: Object, condition: Object) -> Object:
    """The Deployment with a condition."""
    status = d.get("status") or {}
    return {**d, "status": {**status, "conditions": set_condition(status.get("conditions") or [], condition)}}


def progressing(d: Object) -> Object | None:
    """The Progressing condition of a Deployment."""
    return condition_of(d, "Progressing")


def check_paused(rollout: Rollout) -> None:
    """Tells of a pause or its end, so that the time of a pause does not count against the deadline."""
    d = rollout.d
    if not math.has_progress_deadline(d):
        return
    condition, paused = progressing(d), bool(d["spec"].get("paused"))
    reason = condition.get("reason") if condition is not None else None
    if reason == "ProgressDeadlineExceeded" or paused == (reason == "DeploymentPaused"):
        return
    what = ("DeploymentPaused", "Deployment is paused") if paused else ("DeploymentResumed", "Deployment is resumed")
    rollout.write_status(add_condition(d, new_condition(rollout, "Progressing", "Unknown", *what)))
    rollout.by.tell(f"The Deployment {d['metadata']['name']} is {'paused' if paused else 'resumed'}.")


def calculate_status(rollout: Rollout) -> Object:
    """The status that follows from the ReplicaSets."""
    d, sets = rollout.d, rollout.all_sets
    before = d.get("status") or {}
    available = sum(status_count(rs, "availableReplicas") for rs in sets)
    status = {
        "observedGeneration": d["metadata"].get("generation", 0),
        "replicas": sum(status_count(rs, "replicas") for rs in sets),
        "updatedReplicas": status_count(rollout.new_set, "replicas") if rollout.new_set is not None else 0,
        "readyReplicas": sum(status_count(rs, "readyReplicas") for rs in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(map(replicas, sets)) - available),
        "conditions": before.get("conditions") or [],
    }
    if available >= replicas(d) - math.max_unavailable(d):
        reason = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        reason = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    status["conditions"] = set_condition(status["conditions"], new_condition(rollout, "Available", *reason))
    return _with_pointers(drop_zero(status), before, sets)


def _with_pointers(status: Object, before: Object, sets: Objects) -> Object:
    """Adds the fields that are written even when they are 0."""
    known = [rs for rs in sets if status_count(rs, "observedGeneration") or "terminatingReplicas" in (rs.get("status") or {})]
    if all("terminatingReplicas" in rs["status"] for rs in known):
        status["terminatingReplicas"] = sum(rs["status"]["terminatingReplicas"] for rs in known)
    if before.get("collisionCount") is not None:
        status["collisionCount"] = before["collisionCount"]
    return status


def sync_status(rollout: Rollout) -> None:
    """Writes the counts and the Available condition."""
    status = calculate_status(rollout)
    if status != rollout.d.get("status"):
        rollout.write_status({**rollout.d, "status": status})
        _tell_counts(rollout)


def sync_rollout_status(rollout: Rollout) -> None:
    """Writes the status with the progress of the rollout; comes back when the deadline for progress is over."""
    d, status = rollout.d, calculate_status(rollout)
    conditions: Objects = status.get("conditions") or []
    current = progressing(d)
    if not math.has_progress_deadline(d):
        conditions = without_condition(conditions, "Progressing")
    else:
        done = status.get("replicas", 0) == status.get("updatedReplicas", 0)
        if not (done and current is not None and current.get("reason") == "NewReplicaSetAvailable"):
            conditions = _with_progress(rollout, status, conditions)
    failure = _replica_failure(rollout)
    conditions = set_condition(conditions, failure) if failure else without_condition(conditions, "ReplicaFailure")
    status["conditions"] = conditions
    if not conditions:
        del status["conditions"]
    if status == d.get("status"):
        _check_again(rollout, status)
        return
    rollout.write_status({**d, "status": status})
    _tell_counts(rollout)


def _tell_counts(rollout: Rollout) -> None:
    step = rollout.by.sim.current
    if step is not None and not step.explain:
        d, wanted = rollout.d, replicas(rollout.d)
        available, updated = status_count(d, "availableReplicas"), status_count(d, "updatedReplicas")
        rollout.by.explain(
            f"The Deployment {d['metadata']['name']} now reports {available} of {counted(wanted, 'pod')} available, {updated} up to date."
        )


def _with_progress(rollout: Rollout, status: Object, conditions: Objects) -> Objects:
    d, new_set, current = rollout.d, rollout.new_set, progressing(rollout.d)
    who = f'Deployment "{d["metadata"]["name"]}"' if new_set is None else f'ReplicaSet "{new_set["metadata"]["name"]}"'
    if math.complete(d, status):
        message = f"{who} has successfully progressed."
        return set_condition(conditions, new_condition(rollout, "Progressing", "True", "NewReplicaSetAvailable", message))
    if _has_progressed(d, status):
        condition = new_condition(rollout, "Progressing", "True", "ReplicaSetUpdated", f"{who} is progressing.")
        if current is not None and current["status"] == "True":
            condition["lastTransitionTime"] = current["lastTransitionTime"]
        return [*without_condition(conditions, "Progressing"), condition]
    if _timed_out(rollout, conditions):
        message = f"{who} has timed out progressing."
        rollout.by.tell(f"{who} made no progress for {d['spec']['progressDeadlineSeconds']} seconds, so the rollout counts as failed.")
        return set_condition(conditions, new_condition(rollout, "Progressing", "False", "ProgressDeadlineExceeded", message))
    return conditions


def _has_progressed(d: Object, status: Object) -> bool:
    def count(of: Object, field: str) -> int:
        return int(of.get(field) or 0)

    before: Object = d.get("status") or {}
    old_before = count(before, "replicas") - count(before, "updatedReplicas")
    old_now = count(status, "replicas") - count(status, "updatedReplicas")
    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_now < old_before or any(count(status, field) > count(before, field) for field in grown)


def _timed_out(rollout: Rollout, conditions: Objects) -> bool:
    condition = find_condition(conditions, "Progressing")
    if condition is None or condition.get("reason") == "NewReplicaSetAvailable":
        return False
    if condition.get("reason") == "ProgressDeadlineExceeded":
        return True
    deadline_ms = unix_ms(condition["lastUpdateTime"]) + rollout.d["spec"]["progressDeadlineSeconds"] * 1000
    return bool(deadline_ms < rollout.by.now_ms)


def _check_again(rollout: Rollout, status: Object) -> None:
    """Nothing changed: the rollout may be stuck, so look again when its deadline is over."""
    d, current = rollout.d, progressing(rollout.d)
    if not math.has_progress_deadline(d) or current is None:
        return
    if math.complete(d, status) or current.get("reason") == "ProgressDeadlineExceeded":
        return
    after_ms = unix_ms(current["lastUpdateTime"]) + d["spec"]["progressDeadlineSeconds"] * 1000 - rollout.by.now_ms
    rollout.by.queue.add_after(key_of(d), max(after_ms, 0) + 1000, idle=True)


def _replica_failure(rollout: Rollout) -> Object | None:
    """The failure that a ReplicaSet tells of, the new one's first."""
    for rs in ([rollout.new_set] if rollout.new_set is not None else []) + rollout.old_sets:
        failure = condition_of(rs, "ReplicaFailure")
        if failure is not None:
            return {
                "type": "ReplicaFailure", "status": failure["status"], "lastUpdateTime": failure["lastTransitionTime"],
                "lastTransitionTime": failure["lastTransitionTime"], "reason": failure["reason"], "message": failure["message"],
            }
    return None
