"""What a Rollout does to pods themselves: restarts them (restartAt), and marks them as canary, stable, preview or active.

Follows rollout/restart.go, ephemeralmetadata.go and utils/replicaset/canary.go (SyncEphemeralPodMetadata) of Argo Rollouts.
"""

from __future__ import annotations

import json
from typing import Any

from clusterlab.controllers.objects import Object, Objects, available_in_ms, controlled_by, created_ms, deleting, unix_ms
from clusterlab.machinery.errors import StatusError
from clusterlab.rollouts import spec
from clusterlab.rollouts.context import EPHEMERAL, Context, marks_of

__all__ = ["mark", "restart"]

RETRY_MS = 30_000


def _pods(context: Context, sets: Objects) -> Objects:
    """The pods of ReplicaSets, in their order."""
    every = context.by.client.list("pods", context.ro["metadata"]["namespace"])
    return [pod for rs in sets for pod in every if controlled_by(pod, rs)]


# Restarting.


def restart(context: Context) -> None:
    """Evicts pods that are older than restartAt, as many at a time as maxUnavailable allows, at least one."""
    ro = context.ro
    due = ro["spec"].get("restartAt")
    if not due or spec.status_of(ro).get("restartedAt") == due:
        return
    at = unix_ms(due)
    if context.by.now_ms <= at:
        context.wake_in(at - context.by.now_ms + 1_000)
        return
    sets = [rs for rs in (context.stable, context.new, *context.others) if rs is not None]
    pods = _pods(context, list({rs["metadata"]["uid"]: rs for rs in sets}.values()))
    ready_s = int(ro["spec"].get("minReadySeconds") or 0)
    there = sum(available_in_ms(pod, ready_s, context.by.now_ms) == 0 and not deleting(pod) for pod in pods)
    total = max(spec.replicas_of(ro), sum(map(spec.size_of, context.sets)))
    room = there - (total - max(spec.max_unavailable(ro), 1))
    old = [pod for pod in pods if created_ms(pod) < at]
    gone = 0
    for pod in old:
        if room <= 0 or deleting(pod):
            continue
        try:
            context.by.client.evict(pod["metadata"]["namespace"], pod["metadata"]["name"])
        except StatusError as error:
            if error.code not in (404, 429):
                raise
            continue
        context.by.tell(f"Pod {pod['metadata']['name']} is older than restartAt, so it is evicted and made anew.")
        room, gone = room - 1, gone + 1
    if len(old) > gone:
        context.wake_in(RETRY_MS)
    else:
        context.restarted_at = due


# Marking.


def mark(context: Context) -> None:
    """Gives ReplicaSets and their pods the labels and annotations of the part that they play now, and takes those of before away."""
    plan = spec.canary(context.ro) or spec.blue_green(context.ro) or {}
    if not any(plan.get(each) for each in ("canaryMetadata", "stableMetadata", "previewMetadata", "activeMetadata")):
        return
    for rs in context.sets:
        _mark(context, rs, marks_of(context, rs))


def _mark(context: Context, rs: Object, wanted: Object) -> None:
    before = _noted(rs)
    template = rs["spec"]["template"]
    change = _change(template["metadata"], before, wanted)
    if change:
        meta = rs["metadata"]
        note = json.dumps(wanted, separators=(",", ":"), sort_keys=True) if wanted else None
        context.replaced(context.by.client.patch("replicasets", meta["namespace"], meta["name"], {
            "metadata": {"annotations": {EPHEMERAL: note}}, "spec": {"template": {"metadata": change}}}))
    if not spec.size_of(rs):
        return
    for pod in _pods(context, [rs]):
        own = _change(pod["metadata"], before, wanted)
        if own:
            context.by.client.patch("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], {"metadata": own})


def _noted(rs: Object) -> Object:
    text = (rs["metadata"].get("annotations") or {}).get(EPHEMERAL)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _change(meta: Object, before: Object, wanted: Object) -> Object:
    """The merge patch of metadata that takes what was injected before away and adds what is wanted; {} where nothing differs."""
    made: dict[str, Any] = {}
    for field in ("labels", "annotations"):
        have, was, new = meta.get(field) or {}, before.get(field) or {}, wanted.get(field) or {}
        part: dict[str, Any] = {key: None for key in was if key in have and key not in new}
        part.update({key: value for key, value in new.items() if have.get(key) != value})
        if part:
            made[field] = part
    return made
