"""The status of a Rollout: counts, conditions, phase and message. Writes it where it differs.

Follows rollout/sync.go (calculateBaseStatus, calculateRolloutConditions, persistRolloutStatus), utils/conditions/conditions.go and
utils/rollout/rolloututil.go (CalculateRolloutPhase) of Argo Rollouts.
"""

from __future__ import annotations

from typing import Any

from clusterlab.controllers.objects import Object, condition_of, status_count, unix_ms
from clusterlab.machinery.go_dump import revision_hash
from clusterlab.machinery.labels import from_object
from clusterlab.rollouts import sizes, spec, workload
from clusterlab.rollouts.context import Context, actual

__all__ = ["base", "merge_diff", "persist", "phase_of", "reset"]


def base(context: Context) -> Object:
    """The fields that every strategy has alike."""
    ro, old = context.ro, spec.status_of(context.ro)
    status: Object = {
        "currentPodHash": spec.hash_of(context.new) or revision_hash(ro["spec"]["template"], old.get("collisionCount")),
        "replicas": actual(context.sets), "updatedReplicas": status_count(context.new, "replicas") if context.new else 0,
        "readyReplicas": sum(status_count(rs, "readyReplicas") for rs in context.sets),
        "availableReplicas": sum(map(sizes.available, context.sets)), "HPAReplicas": actual(context.sets),
        "selector": str(from_object(ro["spec"]["selector"])), "stableRS": old.get("stableRS", ""),
        "conditions": list(old.get("conditions") or ()),
    }
    if "collisionCount" in old:
        status["collisionCount"] = old["collisionCount"]
    seen = workload.generation(context.by, ro)
    status.update({key: value for key, value in (("restartedAt", context.restarted_at), ("workloadObservedGeneration", seen)) if value})
    if old.get("promoteFull") and status["currentPodHash"] != status["stableRS"]:
        status["promoteFull"] = True
    return status


def reset(context: Context, status: Object) -> None:
    """A new update begins."""
    context.clear_pauses = True
    context.forget_abort()
    status.pop("promoteFull", None)
    if spec.steps_of(context.ro):
        status["currentStepIndex"] = 0


def persist(context: Context, status: Object) -> None:
    """Completes a status and writes it."""
    ro, by = context.ro, context.by
    status["observedGeneration"] = str(ro["metadata"].get("generation", 0))
    _deadline_abort(context, status)
    context.write_pause(status)
    _conditions(context, status)
    status["phase"], message = phase_of(ro, status)
    if message:
        status["message"] = message
    old = spec.status_of(ro)
    change = merge_diff(old, {key: value for key, value in status.items() if value not in ("", None)})
    _wake_for_deadline(context, status)
    if not change:
        return
    meta = ro["metadata"]
    context.take(by.client.patch(spec.ROLLOUTS, meta["namespace"], meta["name"], {"status": change}, "merge", "status"))
    before, now = bool(old.get("pauseConditions")), bool(status.get("pauseConditions"))
    if now and not before:
        context.event("RolloutPaused", f"Rollout is paused ({status['pauseConditions'][0]['reason']})")
    elif before and not now and not status.get("abortedAt"):
        context.event("RolloutResumed", "Rollout is resumed")


def merge_diff(old: Any, new: Any) -> Any:
    """The merge patch that makes one object of the other: what differs, None for what goes; {} where nothing does."""
    change: Object = {}
    for key, value in new.items():
        before = old.get(key)
        if before == value:
            continue
        change[key] = merge_diff(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    change.update({key: None for key in old if key not in new})
    return change


# Conditions.


def _set(context: Context, status: Object, kind: str, value: str, reason: str, message: str, touch: bool = False) -> bool:
    """Sets a condition; with `touch` its update time moves even if nothing changed. Whether it changed."""
    known = next((each for each in status["conditions"] if each["type"] == kind), None)
    if known is not None and not touch and (known["status"], known["reason"]) == (value, reason):
        return False
    now = context.by.sim.now_rfc3339()
    since = known["lastTransitionTime"] if known is not None and known["status"] == value else now
    status["conditions"] = [*(each for each in status["conditions"] if each["type"] != kind), {
        "type": kind, "status": value, "reason": reason, "message": message, "lastUpdateTime": now, "lastTransitionTime": since}]
    return True


def _healthy(ro: Object, status: Object) -> bool:
    replicas = spec.replicas_of(ro)
    done = True
    plan = spec.blue_green(ro)
    if plan is not None:
        selectors = status.get("blueGreen") or {}
        done = selectors.get("activeSelector") == status["currentPodHash"]
        done = done and (not plan.get("previewService") or selectors.get("previewSelector") == status["currentPodHash"])
    elif spec.canary(ro) is not None:
        steps = len(spec.steps_of(ro))
        done = (not steps or status.get("currentStepIndex") == steps) and _completed(status) and status["replicas"] == replicas
    seen = spec.status_of(ro).get("observedGeneration") == str(ro["metadata"].get("generation", 0))
    return done and seen and status["updatedReplicas"] == replicas and status["availableReplicas"] == replicas


def _completed(status: Object) -> bool:
    return bool(status["stableRS"]) and status["stableRS"] == status["currentPodHash"]


def _progressed(ro: Object, status: Object) -> bool:
    """Whether something has moved since the last status."""
    old = spec.status_of(ro)
    parts = [each for each in ("stableRS", "currentStepIndex", "currentStepHash") if spec.canary(ro) is not None]
    if any(old.get(each) != status.get(each) for each in parts):
        return True
    selectors = ("activeSelector", "previewSelector")
    if any((old.get("blueGreen") or {}).get(each) != (status.get("blueGreen") or {}).get(each) for each in selectors):
        return True
    was, now = old.get("replicas", 0) - old.get("updatedReplicas", 0), status["replicas"] - status["updatedReplicas"]
    return bool(
        old.get("updatedReplicas", 0) != status["updatedReplicas"] or now < was or status["readyReplicas"] > old.get("readyReplicas", 0)
        or status["availableReplicas"] > old.get("availableReplicas", 0))


def _waits(context: Context) -> bool:
    """At a step that may take for ever, or while old ReplicaSets wait to be scaled down."""
    step, _ = spec.current_step(context.ro)
    if step is not None and any(kind in step for kind in ("experiment", "analysis", "pause")):
        return True
    return spec.paused_since(context.ro) or any(spec.DEADLINE in (rs["metadata"].get("annotations") or {}) for rs in context.others)


def _timeout_ms(context: Context) -> int | None:
    """In how many ms the update has made no progress for too long."""
    condition = condition_of(context.ro, "Progressing")
    if condition is None or condition["status"] != "True" or condition["reason"] == "NewReplicaSetAvailable":
        return None
    limit = int(context.ro["spec"].get("progressDeadlineSeconds") or 600)
    return unix_ms(condition["lastUpdateTime"]) + limit * 1000 - context.by.now_ms


def _timed_out(context: Context) -> bool:
    condition = condition_of(context.ro, "Progressing")
    if condition is not None and condition["reason"] == "ProgressDeadlineExceeded":
        return True
    left = _timeout_ms(context)
    return left is not None and left <= 0


def _wake_for_deadline(context: Context, status: Object) -> None:
    left = _timeout_ms(context)
    if left is not None and left > 0 and not _healthy(context.ro, status) and not status.get("pauseConditions"):
        context.wake_in(left + 1000)


def _deadline_abort(context: Context, status: Object) -> None:
    ro = context.ro
    if not ro["spec"].get("progressDeadlineAbort") or context.aborted or _completed(status) or _progressed(ro, status):
        return
    if not _waits(context) and _timed_out(context):
        message = f'ReplicaSet "{context.new["metadata"]["name"] if context.new else ""}" has timed out progressing.'
        context.abort(message)


def _conditions(context: Context, status: Object) -> None:
    ro, new = context.ro, context.new
    name = new["metadata"]["name"] if new is not None else ""
    paused = bool(status.get("pauseConditions")) or bool(ro["spec"].get("paused"))
    was = condition_of(ro, "Progressing")
    sick = False
    if not paused and _healthy(ro, status):
        _set(context, status, "Healthy", "True", "RolloutHealthy", "Rollout is healthy")
    elif condition_of(ro, "Healthy") is not None:
        sick = _set(context, status, "Healthy", "False", "RolloutHealthy", "Rollout is not healthy")
    if context.aborted:
        message = f"Rollout aborted update to revision {spec.revision_of(ro)}"
        message += f": {context.abort_message}" if context.abort_message else ""
        if _set(context, status, "Progressing", "False", "RolloutAborted", message):
            context.event("RolloutAborted", message, "Warning")
    elif was is not None and was["reason"] == "RolloutAborted":
        _set(context, status, "Progressing", "Unknown", "RolloutRetry", "Retrying Rollout after abort")
    elif paused and not _completed(status):
        _set(context, status, "Progressing", "Unknown", "RolloutPaused", "Rollout is paused")
    elif was is not None and was["reason"] == "RolloutPaused" and not _completed(status):
        _set(context, status, "Progressing", "Unknown", "RolloutResumed", "Rollout is resumed")
    elif _healthy(ro, status):
        _set(context, status, "Progressing", "True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    elif _progressed(ro, status) or sick:
        promoted = _completed(status) and sick
        reason = "ReplicaSetNotAvailable" if promoted else "ReplicaSetUpdated"
        message = "Rollout does not have minimum availability" if promoted else f'ReplicaSet "{name}" is progressing.'
        _set(context, status, "Progressing", "True", reason, message, touch=True)
    elif not _waits(context) and _timed_out(context):
        _set(context, status, "Progressing", "False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
    if paused or condition_of(ro, "Paused") is not None:
        _set(context, status, "Paused", "True" if paused else "False", "RolloutPaused", "Rollout is paused")
    _availability(context, status)
    if _completed(status):
        _set(context, status, "Completed", "True", "RolloutCompleted", "RolloutCompleted")
    elif _set(context, status, "Completed", "False", "RolloutCompleted", "RolloutCompleted"):
        context.event(
            "RolloutNotCompleted", f"Rollout not completed, started update to revision {spec.revision_of(ro)} ({status['currentPodHash']})")


def _availability(context: Context, status: Object) -> None:
    ro = context.ro
    if spec.blue_green(ro) is not None:
        selector = (status.get("blueGreen") or {}).get("activeSelector")
        active = next((rs for rs in context.sets if spec.hash_of(rs) == selector), None)
        there = sizes.saturated(ro, active)
    else:
        there = sum(map(sizes.available, context.sets)) >= spec.replicas_of(ro)
    message = "Rollout has minimum availability" if there else "Rollout does not have minimum availability"
    _set(context, status, "Available", "True" if there else "False", "AvailableReason", message)
    failing = next((each for rs in (context.new, *context.sets) if rs is not None
                    for each in (rs.get("status") or {}).get("conditions") or () if each["type"] == "ReplicaFailure"), None)
    if failing is not None:
        _set(context, status, "ReplicaFailure", failing["status"], failing["reason"], failing["message"])
    else:
        status["conditions"] = [each for each in status["conditions"] if each["type"] not in ("ReplicaFailure", "InvalidSpec")]


# The phase.


def phase_of(ro: Object, status: Object) -> tuple[str, str]:
    """(phase, message) of a Rollout with a status."""
    for condition in status["conditions"]:
        if condition["type"] == "InvalidSpec":
            return "Degraded", f"InvalidSpec: {condition['message']}"
        if condition["reason"] in ("RolloutAborted", "ProgressDeadlineExceeded"):
            return "Degraded", f"{condition['reason']}: {condition['message']}"
    if ro["spec"].get("paused"):
        return "Paused", "manually paused"
    if status.get("pauseConditions"):
        return "Paused", str(status["pauseConditions"][0]["reason"])
    if ro["spec"].get("restartAt") and ro["spec"]["restartAt"] != status.get("restartedAt"):
        return "Progressing", "rollout is restarting"
    if status["updatedReplicas"] < spec.replicas_of(ro):
        return "Progressing", "more replicas need to be updated"
    if status["availableReplicas"] < status["updatedReplicas"]:
        return "Progressing", "updated replicas are still becoming available"
    if spec.blue_green(ro) is not None:
        if (status.get("blueGreen") or {}).get("activeSelector") != status["currentPodHash"]:
            return "Progressing", "active service cutover pending"
        if not _completed(status):
            post = (status.get("blueGreen") or {}).get("postPromotionAnalysisRunStatus") or {}
            if (spec.blue_green(ro) or {}).get("postPromotionAnalysis") and post.get("status") not in _OVER:
                return "Progressing", "waiting for analysis to complete"
            return "Progressing", "waiting for post-promotion verification to complete"
    elif spec.canary(ro) is not None:
        if spec.routed(ro) is None and status["replicas"] > status["updatedReplicas"]:
            return "Progressing", "old replicas are pending termination"
        if not _completed(status):
            return "Progressing", "waiting for all steps to complete"
    return "Healthy", ""


_OVER = ("Successful", "Failed", "Error", "Inconclusive")
