"""Blue-green: the new ReplicaSet stands whole beside the old one, is tried through a preview Service, and takes all traffic at once.

Follows rollout/bluegreen.go and service.go of Argo Rollouts.
"""

from __future__ import annotations

from clusterlab.controllers.objects import Object, status_count, unix_ms
from clusterlab.rollouts import analyses, pods, sizes, spec, status, workload
from clusterlab.rollouts.canary import promote, prune
from clusterlab.rollouts.context import Context

__all__ = ["reconcile"]


def _plan(context: Context) -> Object:
    return spec.blue_green(context.ro) or {}


def _selector(service: Object | None) -> str:
    return str(((service or {}).get("spec", {}).get("selector") or {}).get(spec.HASH, ""))


def reconcile(context: Context) -> None:
    """One look at a Rollout that is blue-green."""
    plan = _plan(context)
    preview = context.service(plan["previewService"]) if plan.get("previewService") else None
    active = context.service(plan["activeService"])
    fresh = not spec.status_of(context.ro).get("currentPodHash") or (
        spec.status_of(context.ro)["currentPodHash"] != spec.hash_of(context.new))
    context.sync_revision()
    if preview is not None and not context.halted():
        context.switch_service(preview, spec.hash_of(context.new))
    if fresh:
        _sync(context, fresh)
        return
    pods.mark(context)
    pods.restart(context)
    workload.scale_down(context)
    _scale(context)
    _pause(context, active)
    _switch(context, active)
    analyses.reconcile(context)
    _sync(context, fresh)


def _scale(context: Context) -> None:
    context.drop_deadlines()
    if context.stable is not None and spec.hash_of(context.stable) != spec.hash_of(context.new):
        context.scale(context.stable, spec.replicas_of(context.ro))
    context.scale_new()
    _scale_others(context)
    prune(context, context.others)


def _scale_others(context: Context) -> None:
    """The old ones go after their delay; until analysis after the promotion is done where there is no delay."""
    ro, plan, old = context.ro, _plan(context), spec.status_of(context.ro).get("blueGreen") or {}
    if spec.pause_condition(ro, "InconclusiveAnalysisRun") is not None:
        return
    post = (old.get("postPromotionAnalysisRunStatus") or {}).get("status")
    judged = spec.fully_promoted(ro) or post == "Successful"
    if plan.get("postPromotionAnalysis") and plan.get("scaleDownDelaySeconds") is None and not judged:
        return
    kept = 0
    named = (spec.status_of(ro).get("stableRS"), old.get("activeSelector"), old.get("previewSelector"))
    for rs in sorted(context.others, key=spec.revision_of, reverse=True):
        if spec.size_of(rs) and spec.hash_of(rs) not in named:
            kept, wanted = context.keep_for_a_while(rs, kept, spec.replicas_of(ro))
            context.scale(rs, wanted)


def _ready_for_pause(context: Context) -> bool:
    count = _plan(context).get("previewReplicaCount")
    wanted = spec.replicas_of(context.ro) if count is None else int(count)
    return sizes.available(context.new) >= wanted


def _fast(context: Context, active: Object) -> bool:
    """Whether there is nothing to wait for."""
    digest, selector = spec.hash_of(context.new), _selector(active)
    return context.fast_back() or bool(spec.status_of(context.ro).get("promoteFull")) or not selector or selector == digest


def _pre_passed(context: Context) -> bool:
    if not (_plan(context).get("prePromotionAnalysis") or {}).get("templates"):
        return True
    run = analyses.recorded(context, "pre")
    return run is not None and (run.get("status") or {}).get("phase") == "Successful"


def _pause(context: Context, active: Object) -> None:
    """Pauses before the switch, where the switch waits for somebody or for a time."""
    ro, plan = context.ro, _plan(context)
    if context.aborted or not _ready_for_pause(context) or context.halted():
        return
    needs = plan.get("autoPromotionEnabled") is False or bool(plan.get("autoPromotionSeconds"))
    checkpoint = (spec.status_of(ro).get("blueGreen") or {}).get("scaleUpPreviewCheckPoint")
    if _fast(context, active) or checkpoint or not needs:
        context.remove_pauses.append("BlueGreenPause")
        return
    if not _pre_passed(context):
        return
    condition = spec.pause_condition(ro, "BlueGreenPause")
    if condition is None:
        if not spec.status_of(ro).get("controllerPause"):
            context.add_pauses.append("BlueGreenPause")
    elif _pause_over(context):
        context.remove_pauses.append("BlueGreenPause")
    elif plan.get("autoPromotionSeconds"):
        context.wake_in(_left_ms(context, condition))


def _left_ms(context: Context, condition: Object) -> int:
    return unix_ms(condition["startTime"]) + int(_plan(context)["autoPromotionSeconds"]) * 1000 - context.by.now_ms


def _pause_over(context: Context) -> bool:
    """Whether the pause before the switch is over: resumed by hand, or its time has passed."""
    plan, old = _plan(context), spec.status_of(context.ro)
    condition = spec.pause_condition(context.ro, "BlueGreenPause")
    if context.add_pauses:
        return False
    if (old.get("blueGreen") or {}).get("scaleUpPreviewCheckPoint"):
        return True
    if plan.get("autoPromotionEnabled", True):
        if not plan.get("autoPromotionSeconds"):
            return True
        if condition is not None:
            return _left_ms(context, condition) <= 0
    return bool(old.get("controllerPause")) and condition is None


def _switch(context: Context, active: Object) -> None:
    """Moves the active Service: on to the new ReplicaSet, or back to the stable one after an abort."""
    if context.halted():
        return
    stable = spec.status_of(context.ro).get("stableRS", "")
    if context.aborted:
        if stable:
            context.switch_service(active, stable)
        return
    if not _ready_for_pause(context) or not sizes.saturated(context.ro, context.new):
        return
    if _fast(context, active) or (_pause_over(context) and _pre_passed(context)):
        context.switch_service(active, spec.hash_of(context.new))


def _sync(context: Context, fresh: bool) -> None:
    ro, plan = context.ro, _plan(context)
    made = status.base(context)
    inner: Object = {}
    if fresh:
        status.reset(context, made)
    else:
        analyses.into_status(context, inner)
    if spec.status_of(ro).get("promoteFull") or context.within_window():
        context.clear_pauses = True
        context.forget_abort()
    active = context.by.client.get("services", ro["metadata"]["namespace"], plan["activeService"])
    inner["activeSelector"] = _selector(active)
    if plan.get("previewService"):
        inner["previewSelector"] = _selector(context.by.client.get("services", ro["metadata"]["namespace"], plan["previewService"]))
    reason = _should_promote(context, inner, made)
    if reason:
        promote(context, made, reason)
    elif not fresh and _checkpoint(context):
        inner["scaleUpPreviewCheckPoint"] = True
    made["blueGreen"] = {key: value for key, value in inner.items() if value}
    shown = next((rs for rs in context.sets if spec.hash_of(rs) == inner["activeSelector"]), None)
    if shown is not None:
        made.update(
            HPAReplicas=status_count(shown, "replicas"), availableReplicas=sizes.available(shown),
            readyReplicas=status_count(shown, "readyReplicas"))
    status.persist(context, made)


def _checkpoint(context: Context) -> bool:
    """With a small preview: it was good, so the new ReplicaSet may grow before the switch."""
    count = _plan(context).get("previewReplicaCount")
    if count is None:
        return False
    if (spec.status_of(context.ro).get("blueGreen") or {}).get("scaleUpPreviewCheckPoint"):
        return True
    return _pre_passed(context) and _pause_over(context) and sizes.available(context.new) == int(count)


def _should_promote(context: Context, inner: Object, made: Object) -> str:
    if context.stable is None or not inner["activeSelector"]:
        return "Initial deploy"
    if inner["activeSelector"] != made["currentPodHash"]:
        return ""
    if spec.status_of(context.ro).get("promoteFull"):
        return "Full promotion requested"
    if context.fast_back():
        return "Rollback within window" if context.within_window() else "Fast rollback"
    if context.aborted:
        return ""
    if (_plan(context).get("postPromotionAnalysis") or {}).get("templates"):
        run = context.current_runs.get("post")
        if run is None or (run.get("status") or {}).get("phase") != "Successful":
            return ""
    return "Completed blue-green update"
