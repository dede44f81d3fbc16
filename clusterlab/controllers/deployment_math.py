"""The arithmetic of Deployments: how many pods may be missing or extra, and how sizes are shared between ReplicaSets.

Follows pkg/controller/deployment/util/deployment_util.go. Pure functions.
"""

from __future__ import annotations

import math
from typing import Any

from clusterlab.controllers.objects import MAX_INT32, Object, Objects, created_ms, replicas, scaled_value, status_count

__all__ = [
    "DESIRED",
    "HASH_LABEL",
    "HISTORY",
    "MAX",
    "REVISION",
    "active_or_latest",
    "active_sets",
    "annotations_of",
    "by_creation",
    "by_size",
    "complete",
    "has_progress_deadline",
    "is_rolling",
    "is_saturated",
    "max_surge",
    "max_unavailable",
    "new_replicas",
    "proportion",
    "resolve_fenceposts",
    "revision",
    "same_template",
]

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"
HASH_LABEL = "pod-template-hash"


def annotations_of(obj: Object) -> dict[str, str]:
    """The annotations of an object, {} for none."""
    return obj["metadata"].get("annotations") or {}


def resolve_fenceposts(surge: Any, unavailable: Any, desired: int) -> tuple[int, int]:
    """(max surge, max unavailable) in pods; never both 0, or nothing could move."""
    most, fewest = scaled_value(surge, desired, True), scaled_value(unavailable, desired, False)
    return most, 1 if most == 0 and fewest == 0 else fewest


def is_rolling(d: Object) -> bool:
    """Whether the strategy is RollingUpdate."""
    return bool((d["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")


def _fenceposts(d: Object) -> tuple[int, int]:
    rolling = (d["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    return resolve_fenceposts(rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"), replicas(d))


def max_surge(d: Object) -> int:
    """How many pods there may be beyond the wanted ones."""
    return _fenceposts(d)[0] if is_rolling(d) else 0


def max_unavailable(d: Object) -> int:
    """How many of the wanted pods may be missing."""
    wanted = replicas(d)
    return min(_fenceposts(d)[1], wanted) if is_rolling(d) and wanted else 0


def new_replicas(d: Object, all_sets: Objects, new_set: Object) -> int:
    """The size that the new ReplicaSet should have now."""
    wanted, size = replicas(d), replicas(new_set)
    if not is_rolling(d):
        return wanted
    room = wanted + max_surge(d) - sum(map(replicas, all_sets))
    return size if room <= 0 else size + min(room, wanted - size)


def round_half_away(value: float) -> int:
    """Go's integer.RoundToInt32."""
    return math.ceil(value - 0.5) if value < 0 else math.floor(value + 0.5)


def _fraction(rs: Object, d: Object) -> int:
    wanted, size = replicas(d), replicas(rs)
    if wanted == 0:
        return -size
    before = _count(annotations_of(rs).get(MAX)) or status_count(d, "replicas")
    if before == 0:
        return 0
    return round_half_away(size * (wanted + max_surge(d)) / before) - size


def _count(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and int(text) <= MAX_INT32 else 0


def proportion(rs: Object, d: Object, to_add: int, added: int) -> int:
    """How many pods of a change of `to_add` go to this ReplicaSet when `added` were handed out before."""
    if replicas(rs) == 0 or to_add in (0, added):
        return 0
    share, allowed = _fraction(rs, d), to_add - added
    return min(share, allowed) if to_add > 0 else max(share, allowed)


def desired_annotation(rs: Object) -> int | None:
    """The Deployment's size as this ReplicaSet was last told it; None when it was not."""
    text = annotations_of(rs).get(DESIRED)
    return int(text) if text and text.isascii() and text.isdigit() and int(text) <= MAX_INT32 else None


def is_saturated(d: Object, rs: Object | None) -> bool:
    """Whether the new ReplicaSet has all of the Deployment's pods, and they are available."""
    if rs is None:
        return False
    wanted = replicas(d)
    return replicas(rs) == wanted == desired_annotation(rs) and status_count(rs, "availableReplicas") == wanted


def active_sets(sets: Objects) -> Objects:
    """ReplicaSets that want pods."""
    return [rs for rs in sets if replicas(rs) > 0]


def by_creation(sets: Objects) -> Objects:
    """Oldest first."""
    return sorted(sets, key=lambda rs: (created_ms(rs), rs["metadata"]["name"]))


def by_size(sets: Objects, newer_first: bool) -> Objects:
    """Largest first; among equals the newer or the older ones first."""
    older = by_creation(sets)
    if newer_first:
        older.reverse()
    return sorted(older, key=replicas, reverse=True)


def active_or_latest(new_set: Object | None, old_sets: Objects) -> Object | None:
    """The only ReplicaSet that wants pods, or the newest one when none does; None when several do."""
    if new_set is None and not old_sets:
        return None
    newest_first = by_creation(old_sets)[::-1]
    wanting = active_sets([*newest_first, *([new_set] if new_set is not None else [])])
    if not wanting:
        return new_set if new_set is not None else newest_first[0]
    return wanting[0] if len(wanting) == 1 else None


def revision(obj: Object) -> int:
    """The revision in an object's annotations, 0 for none."""
    text = annotations_of(obj).get(REVISION, "")
    try:
        return int(text)
    except ValueError:
        return 0


def has_progress_deadline(d: Object) -> bool:
    """Whether lack of progress shall be told."""
    return d["spec"].get("progressDeadlineSeconds", MAX_INT32) not in (None, MAX_INT32)


def complete(d: Object, status: Object) -> bool:
    """Whether all pods are of the new template and available, and no old ones are left."""
    wanted = replicas(d)
    return bool(
        status.get("updatedReplicas", 0) == status.get("replicas", 0) == status.get("availableReplicas", 0) == wanted
        and status.get("observedGeneration", 0) >= d["metadata"].get("generation", 0)
    )


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _pruned(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, {}, [])}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def same_template(a: Object, b: Object) -> bool:
    """Whether two pod templates describe the same pods; the hash label does not count."""
    if a.get("spec") != b.get("spec") and _pruned(a.get("spec")) != _pruned(b.get("spec")):
        return False
    metas = []
    for template in (a, b):
        meta = template.get("metadata") or {}
        labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
        metas.append(_pruned({**meta, "labels": labels}))
    return bool(metas[0] == metas[1])
