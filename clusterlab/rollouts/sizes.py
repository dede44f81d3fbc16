"""How many replicas the canary and the stable ReplicaSet are to have. Pure.

Follows utils/replicaset/canary.go and replicaset.go (NewRSNewReplicas) of Argo Rollouts.
"""

from __future__ import annotations

from clusterlab.controllers.objects import Object, Objects, status_count
from clusterlab.rollouts import spec

__all__ = [
    "approximate", "at_desired_counts", "available", "basic_counts", "desired_weight", "enough", "new_set_size", "routed_counts",
    "saturated",
]


def available(rs: Object | None) -> int:
    return status_count(rs, "availableReplicas") if rs is not None else 0


def saturated(ro: Object, rs: Object | None) -> bool:
    """Whether a ReplicaSet has all replicas of the Rollout, available."""
    return rs is not None and spec.size_of(rs) == spec.replicas_of(ro) and available(rs) == spec.replicas_of(ro)


def _fixed_scale(ro: Object) -> Object | None:
    """The setCanaryScale that counts at this step; only where traffic is routed."""
    step, index = spec.current_step(ro)
    if spec.routed(ro) is None or step is None or index is None or spec.status_of(ro).get("abort"):
        return None
    for each in reversed(spec.steps_of(ro)[:index + 1]):
        scale: Object | None = each.get("setCanaryScale")
        if scale is not None:
            return None if scale.get("matchTrafficWeight") else scale
    return None


def canary_replicas_or_weight(ro: Object, new: Object | None, stable: Object | None) -> tuple[int | None, int]:
    """(replicas, where they were set by themselves; the weight wanted otherwise)."""
    if spec.status_of(ro).get("promoteFull") or new is None or stable is None or spec.hash_of(new) == spec.hash_of(stable):
        return None, spec.max_weight(ro)
    scale = _fixed_scale(ro)
    if scale is not None:
        if scale.get("replicas") is not None:
            return int(scale["replicas"]), 0
        if scale.get("weight") is not None:
            return None, int(scale["weight"])
    return None, desired_weight(ro, new, stable)


def desired_weight(ro: Object, new: Object | None, stable: Object | None) -> int:
    """The weight that the steps ask for. After an abort none; with dynamicStableScale the steps are gone back one by one, as far as the
    stable pods have come back."""
    plan = spec.canary(ro) or {}
    if not spec.status_of(ro).get("abort"):
        return spec.current_set_weight(ro)
    if not plan.get("dynamicStableScale") or new is None or stable is None:
        return 0
    replicas, most = spec.replicas_of(ro), spec.max_weight(ro)
    left = replicas - available(stable)
    if plan.get("abortScaleDownDelaySeconds") is None:  # else the canary's pods stay, and must not hold the weight up
        left = max(left, available(new))
    weights = [int(step["setWeight"]) for step in reversed(spec.steps_of(ro)) if "setWeight" in step]
    return next((weight for weight in weights if _of_weight(replicas, weight, most) < left), 0)


def approximate(replicas: int, weight: int, most: int, surge: int) -> tuple[int, int]:
    """(canary, stable) replicas that come closest to a weight; one more than wanted in all, where that may be and comes closer."""
    if not replicas:
        return 0, 0
    up, down = -(-replicas * weight // most), replicas * weight // most
    zero_allowed = weight in (most, 0) or (replicas == 1 and not surge)
    options: list[tuple[int, int]] = []
    if up < replicas or zero_allowed:
        options.append((up, replicas))
    if not _tied(replicas, weight, most) and (down or zero_allowed):
        options.append((down, replicas))
    if surge > 0:
        options.append((up, replicas + 1))
        if not _tied(replicas + 1, weight, most) and (down or zero_allowed):
            options.append((down, replicas + 1))
    if not options:
        return 0, replicas
    # Which is closer is compared without fractions: |canary/total - weight/most| by cross multiplication.
    best = options[0]
    for option in options[1:]:
        if abs(option[0] * most - weight * option[1]) * best[1] < abs(best[0] * most - weight * best[1]) * option[1]:
            best = option
    return best[0], best[1] - best[0]


def _tied(total: int, weight: int, most: int) -> bool:
    return 2 * (total * weight % most) == most


def basic_counts(ro: Object, new: Object | None, stable: Object | None, others: Objects) -> tuple[int, int]:
    """(canary, stable) replicas for now, where the pods' numbers alone split the traffic: within maxSurge and maxUnavailable."""
    replicas = spec.replicas_of(ro)
    _, weight = canary_replicas_or_weight(ro, new, stable)
    want_new, want_stable = approximate(replicas, weight, spec.max_weight(ro), spec.max_surge(ro))
    two = stable is not None and (new is None or spec.hash_of(new) != spec.hash_of(stable))
    have_new, have_stable = spec.size_of(new), spec.size_of(stable) if two else 0
    if not two:
        want_new, want_stable = replicas, 0
    count_new, count_stable = have_new, have_stable
    most = replicas + spec.max_surge(ro)
    room = most - sum(map(spec.size_of, others)) - have_new - have_stable
    if two and have_stable < want_stable and room > 0:
        count_stable = min(want_stable, have_stable + room)
        room -= count_stable - have_stable
    if new is not None and have_new < want_new and room > 0:
        count_new = min(want_new, have_new + room)
    if sum(map(spec.size_of, others)) > 0:
        return count_new, count_stable
    least = replicas - spec.max_unavailable(ro)
    rising = new is None or want_new >= have_new
    spare = _for_scale_down(new, not rising) + _for_scale_down(stable if two else None, rising) - least
    if spare <= 0:
        return count_new, count_stable
    if not rising:
        if new is not None and have_new > want_new:
            count_new = max(want_new, have_new - spare)
        return _within(new, stable if two else None, count_new, count_stable, most, least)
    if two and have_stable > want_stable:
        count_stable = max(want_stable, have_stable - spare)
        count_stable, count_new = _within(stable, new, count_stable, count_new, most, least)
    return count_new, count_stable


def _for_scale_down(rs: Object | None, ignore_availability: bool) -> int:
    """The replicas that count when others are to go."""
    if rs is None:
        return 0
    return spec.size_of(rs) if ignore_availability or spec.size_of(rs) < available(rs) else available(rs)


def _within(drain: Object | None, adjust: Object | None, drained: int, adjusted: int, most: int, least: int) -> tuple[int, int]:
    """Brings two sizes within the bounds; (of the one that shrinks, of the other)."""
    if adjust is None:
        return drained, adjusted
    cut = max(0, adjusted + drained - most)
    adjusted -= cut
    there = min(available(drain), drained) + min(available(adjust), adjusted)
    adjusted += min(max(0, available(adjust) - adjusted), max(0, least - there))
    return drained - max(0, adjusted + drained - most), adjusted


def _of_weight(replicas: int, weight: int, most: int) -> int:
    return -(-weight * replicas // most)


def routed_counts(ro: Object, new: Object | None, stable: Object | None, weights: Object | None) -> tuple[int, int]:
    """(canary, stable) replicas where a router splits the traffic: the stable one stays whole unless it follows its weight."""
    strategy, replicas, most = spec.canary(ro) or {}, spec.replicas_of(ro), spec.max_weight(ro)
    fixed, weight = canary_replicas_or_weight(ro, new, stable)
    count_new = fixed if fixed is not None else _least(ro, _of_weight(replicas, weight, most))
    if not strategy.get("dynamicStableScale"):
        return count_new, replicas
    count_stable = _of_weight(replicas, most - weight, most)
    if weights is not None:
        count_stable = max(count_stable, _of_weight(replicas, weights["stable"]["weight"], most))
        if spec.status_of(ro).get("abort"):
            count_new = max(count_new, _of_weight(replicas, weights["canary"]["weight"], most))
    return _least(ro, count_new), _least(ro, count_stable)


def _least(ro: Object, count: int) -> int:
    least = min(int((spec.canary(ro) or {}).get("minPodsPerReplicaSet") or 0), spec.replicas_of(ro))
    return max(count, least) if count else 0


def at_desired_counts(ro: Object, new: Object | None, stable: Object | None, others: Objects, weights: Object | None) -> bool:
    """Whether the ReplicaSets have the sizes of this step, the canary's replicas available."""
    if spec.routed(ro) is None:
        want_new, want_stable = basic_counts(ro, new, stable, others)
    else:
        want_new, want_stable = routed_counts(ro, new, stable, weights)
    if not enough(ro, new, want_new):
        return False
    dynamic = spec.routed(ro) is not None and (spec.canary(ro) or {}).get("dynamicStableScale")
    if not dynamic and (stable is None or want_stable != spec.size_of(stable) or want_stable != status_count(stable, "replicas")):
        return False
    return spec.routed(ro) is not None or not sum(map(available, others))


def enough(ro: Object, rs: Object | None, wanted: int) -> bool:
    """Whether so many pods of a ReplicaSet are available, or as many of them as replicaProgressThreshold asks for."""
    threshold = (spec.canary(ro) or {}).get("replicaProgressThreshold")
    if threshold is None or rs is None or threshold["value"] < 0:
        return rs is not None and wanted == spec.size_of(rs) and wanted == available(rs)
    if threshold["type"] == "Percentage":
        return bool(available(rs) * 100 >= threshold["value"] * wanted)
    return bool(available(rs) >= threshold["value"])


def new_set_size(ro: Object, sets: Objects, new: Object, stable: Object | None, others: Objects, weights: Object | None) -> int:
    """How many replicas the new ReplicaSet is to have now."""
    plan, status = spec.blue_green(ro), spec.status_of(ro)
    if plan is None:
        if spec.routed(ro) is None:
            return basic_counts(ro, new, stable, others)[0]
        return routed_counts(ro, new, stable, weights)[0]
    replicas, preview = spec.replicas_of(ro), plan.get("previewReplicaCount")
    if preview is None or status.get("promoteFull"):
        return replicas
    selector = (status.get("blueGreen") or {}).get("activeSelector", "")
    active = next((rs for rs in sets if spec.hash_of(rs) == selector), None) if selector else None
    if active is None or active["metadata"]["name"] == new["metadata"]["name"]:
        return replicas
    resumed = not ro["spec"].get("paused") and not status.get("pauseConditions")
    if spec.hash_of(new) == status.get("currentPodHash") and resumed and (status.get("blueGreen") or {}).get("scaleUpPreviewCheckPoint"):
        return replicas
    return int(preview)
