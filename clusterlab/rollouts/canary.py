"""The canary: steps that raise its share, pauses, analyses and experiments between them, and the way back.

Follows rollout/canary.go and sync.go (shouldFullPromote, promoteStable) of Argo Rollouts.
"""

from __future__ import annotations

from clusterlab.controllers.objects import Object, Objects, unix_ms
from clusterlab.rollouts import analyses, experiments, pods, routing, sizes, spec, status, workload
from clusterlab.rollouts.context import Context

__all__ = ["promote", "reconcile"]


def reconcile(context: Context) -> None:
    """One look at a Rollout with a canary."""
    if changed(context):
        context.sync_revision()
        _sync(context)
        return
    context.sync_revision()
    pods.mark(context)
    pods.restart(context)
    workload.scale_down(context)
    _services(context)
    routing.reconcile(context)
    experiments.reconcile(context)
    analyses.reconcile(context)
    if not context.add_pauses and not context.halted() and not _scale(context):
        _pause(context)
    _sync(context)


def _services(context: Context) -> None:
    """Points the Services at the ReplicaSets that they stand for."""
    stable, canary = spec.services(context.ro)
    if spec.ping_pong(context.ro):
        # The stable one stays as it is: at the promotion the two change parts, not pods.
        if not spec.fully_promoted(context.ro):
            context.ensure_service(canary, context.new, need_available=False)
        return
    context.ensure_service(stable, context.stable, need_available=True)
    if spec.rolling_back_to(context.ro, context.new):
        return
    to = context.stable if context.aborted and spec.routed(context.ro) is None else context.new
    # What was aborted stays with the stable pods once it has come to them (routing).
    if not (context.aborted and spec.routed(context.ro) is not None and context.weights and not context.weights["canary"]["weight"]):
        context.ensure_service(canary, to, need_available=True)


def changed(context: Context) -> bool:
    """Whether the template or the steps are others than the status knows."""
    old = spec.status_of(context.ro)
    if context.new is None or not old.get("currentPodHash"):
        return True
    return bool(old["currentPodHash"] != spec.hash_of(context.new) or old.get("currentStepHash") != spec.step_hash(context.ro))


def _scale(context: Context) -> bool:
    """Brings the ReplicaSets to their sizes, one after the other; whether one changed."""
    context.drop_deadlines()
    ro, new, stable = context.ro, context.new, context.stable
    if stable is not None and spec.hash_of(stable) != spec.hash_of(new):
        if spec.routed(ro) is None:
            _, wanted = sizes.basic_counts(ro, new, stable, context.others)
        else:
            # By the weights of before: the stable pods go only after the traffic has.
            _, wanted = sizes.routed_counts(ro, new, stable, (spec.status_of(ro).get("canary") or {}).get("weights"))
        if context.scale(stable, wanted):
            return True
    return context.scale_new() or _scale_others(context)


def _scale_others(context: Context) -> bool:
    """Old ReplicaSets that are neither stable nor new go, as far as availability lets them."""
    ro, moved = context.ro, False
    for rs in [each for each in context.others if spec.size_of(each)]:
        if sizes.available(rs) < spec.size_of(rs) and spec.routed(ro) is None:
            moved |= context.scale(rs, sizes.available(rs))
    spare = sum(map(sizes.available, context.sets)) - (spec.replicas_of(ro) - spec.max_unavailable(ro))
    if spare <= 0:
        return moved
    kept = 0
    for rs in sorted(context.others, key=spec.revision_of, reverse=True):
        size = spec.size_of(rs)
        if not size or spare <= 0 or (spec.routed(ro) is not None and _referenced(context, rs)):
            continue
        wanted = 0
        if spec.routed(ro) is None:
            wanted = max(0, size - spare)
        elif (spec.fully_promoted(ro) or context.deadline_ms(rs) is not None) and not (spec.canary(ro) or {}).get("dynamicStableScale"):
            kept, wanted = context.keep_for_a_while(rs, kept, size)
        if wanted != size:
            moved |= context.scale(rs, wanted)
            spare -= size - wanted
    return moved


def _referenced(context: Context, rs: Object) -> bool:
    """Whether traffic may still be sent to a ReplicaSet."""
    old, digest = spec.status_of(context.ro), spec.hash_of(rs)
    weights = (old.get("canary") or {}).get("weights") or {}
    named = [(weights.get(each) or {}).get("podTemplateHash") for each in ("canary", "stable")]
    if digest in (old.get("stableRS"), old.get("currentPodHash"), *named):
        return True
    # The Services of a ping-pong stay with the pods that they had; the weights alone tell which of them are asked.
    for name in () if spec.ping_pong(context.ro) else spec.services(context.ro):
        service = context.by.services.get(f"{context.ro['metadata']['namespace']}/{name}") if name else None
        if service is not None and (service["spec"].get("selector") or {}).get(spec.HASH) == digest:
            return True
    return False


def _pause(context: Context) -> None:
    """Begins the pause of this step, or waits for its end."""
    ro = context.ro
    step, _ = spec.current_step(ro)
    if ro["spec"].get("paused") or spec.status_of(ro).get("promoteFull") or step is None or "pause" not in step:
        return
    condition = spec.pause_condition(ro, "CanaryPauseStep")
    if condition is None:
        if not spec.status_of(ro).get("controllerPause"):
            context.add_pauses.append("CanaryPauseStep")
        return
    left = _pause_left_ms(context, step, condition)
    if left is not None and left > 0:
        context.wake_in(left)


def _pause_left_ms(context: Context, step: Object, condition: Object) -> int | None:
    duration = spec.duration_s((step["pause"] or {}).get("duration"))
    return None if duration is None else unix_ms(condition["startTime"]) + round(duration * 1000) - context.by.now_ms


def _completed(context: Context, step: Object) -> bool:
    """Whether the current step is done."""
    ro = context.ro
    if ro["spec"].get("paused"):
        return False
    if "pause" in step:
        condition = spec.pause_condition(ro, "CanaryPauseStep")
        if condition is None:
            return bool(spec.status_of(ro).get("controllerPause"))
        left = _pause_left_ms(context, step, condition)
        return left is not None and left <= 0
    if "setCanaryScale" in step or "setWeight" in step:
        weighed = "setCanaryScale" in step or context.weights is None or context.weights["canary"]["weight"] == spec.current_set_weight(ro)
        return weighed and sizes.at_desired_counts(ro, context.new, context.stable, context.others, context.weights)
    if "analysis" in step:
        run = context.current_runs.get("step")
        return run is not None and (run.get("status") or {}).get("phase") == "Successful"
    if "experiment" in step:
        return context.experiment is not None and (context.experiment.get("status") or {}).get("phase") == "Successful"
    return "setHeaderRoute" in step or "setMirrorRoute" in step


def _sync(context: Context) -> None:
    """Works out the new status: the next step, a promotion, an abort."""
    ro, old = context.ro, spec.status_of(context.ro)
    made = status.base(context)
    made["currentStepHash"] = spec.step_hash(ro)
    inner: Object = {"weights": context.weights} if context.weights is not None else {}
    if part := (old.get("canary") or {}).get("stablePingPong"):
        inner["stablePingPong"] = part
    steps = len(spec.steps_of(ro))
    step, index = spec.current_step(ro)
    if changed(context):
        status.reset(context, made)
        if steps and old.get("stableRS") and old["stableRS"] == spec.hash_of(context.new):
            context.event("SkipSteps", "Rollback to stable ReplicaSets")
            made["currentStepIndex"] = steps
        elif steps and context.within_window() and spec.size_of(context.new):
            context.event("SkipSteps", "Rollback to active ReplicaSets within RollbackWindow")
            made["currentStepIndex"] = steps
        made["canary"] = inner
        status.persist(context, made)
        return
    analyses.into_status(context, inner)
    made["canary"] = inner
    if old.get("promoteFull") or context.within_window():
        context.clear_pauses = True
        context.forget_abort()
        index, step = (steps, None) if steps else (index, step)
    if index is not None:
        made["currentStepIndex"] = index
    reason = _should_promote(context)
    if reason:
        promote(context, made, reason)
    elif context.aborted:
        if steps:
            made["currentStepIndex"] = steps if made["stableRS"] == made["currentPodHash"] else 0
    elif step is not None and index is not None and _completed(context, step):
        made["currentStepIndex"] = index + 1
        inner.pop("currentStepAnalysisRunStatus", None)
        context.event("RolloutStepCompleted", f"Rollout step {index + 1}/{steps} completed ({spec.step_text(step)})")
        context.by.tell(f"Step {index + 1} of {steps} of Rollout {ro['metadata']['name']} is done: {spec.step_text(step)}.")
        context.remove_pauses.append("CanaryPauseStep")
        context.wake_in(1)
    status.persist(context, made)


def _should_promote(context: Context) -> str:
    """Why the new ReplicaSet is the stable one from now on; "" while it is not."""
    ro, old = context.ro, spec.status_of(context.ro)
    if context.stable is None:
        return "Initial deploy"
    if context.aborted or sizes.available(context.new) < spec.replicas_of(ro):
        return ""
    if old.get("promoteFull"):
        return "Full promotion requested"
    if context.fast_back():
        return "Rollback within window" if context.within_window() else "Fast rollback"
    steps = len(spec.steps_of(ro))
    _, index = spec.current_step(ro)
    return f"Completed all {steps} canary steps" if not steps or index == steps else ""


def promote(context: Context, made: Object, reason: str) -> None:
    """Marks the new ReplicaSet as the stable one."""
    context.clear_pauses = True
    context.forget_abort()
    made.pop("promoteFull", None)
    steps = len(spec.steps_of(context.ro))
    if steps:
        made["currentStepIndex"] = steps
    else:
        made.pop("currentStepIndex", None)
    before = spec.status_of(context.ro).get("stableRS", "")
    made["stableRS"] = made["currentPodHash"]
    if before != made["stableRS"]:
        if spec.ping_pong(context.ro):
            part = "pong" if (made.get("canary") or {}).get("stablePingPong") == "ping" else "ping"
            made["canary"] = {**(made.get("canary") or {}), "stablePingPong": part}
        revision = spec.revision_of(context.new) or spec.revision_of(context.ro)
        context.event("RolloutCompleted", f"Rollout completed update to revision {revision} ({made['currentPodHash']}): {reason}")
        context.by.tell(f"Rollout {context.ro['metadata']['name']} is promoted: {reason}.")


def prune(context: Context, others: Objects) -> None:
    """Deletes the oldest ReplicaSets beyond the revision history limit (10)."""
    limit = context.ro["spec"].get("revisionHistoryLimit")
    surplus = len(others) - (10 if limit is None else int(limit))
    for rs in others[:max(0, surplus)]:
        if not spec.size_of(rs) and not (rs.get("status") or {}).get("replicas"):
            context.by.client.delete("replicasets", rs["metadata"]["namespace"], rs["metadata"]["name"])
