"""Which pods to delete first when there are too many.

Follows ActivePodsWithRanks in pkg/controller/controller_utils.go and getPodsToDelete in pkg/controller/replicaset/replica_set.go.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cmp_to_key

from clusterlab.controllers.objects import Object, Objects, active, created_ms, ready_condition, unix_ms

__all__ = ["deletion_order", "pods_to_delete"]

COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


def _deletion_cost(pod: Object) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(COST_ANNOTATION)
    if text is None or (text.startswith("+") or (text.startswith("0") and text != "0")):
        return 0
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if -2147483648 <= cost <= 2147483647 else 0


def _restarts(pod: Object) -> tuple[int, int]:
    """The most restarts of a container, and of a sidecar."""
    status = pod.get("status") or {}
    regular = max((c.get("restartCount", 0) for c in status.get("containerStatuses") or ()), default=0)
    inits = pod["spec"].get("initContainers") or ()
    sidecars = {c["name"] for c in inits if c.get("restartPolicy") == "Always"}
    sidecar = max((c.get("restartCount", 0) for c in status.get("initContainerStatuses") or () if c["name"] in sidecars), default=0)
    return regular, sidecar


def _age_rank(since_ms: int, now: int) -> int:
    """The base-2 logarithm of an age in nanoseconds; -1 for none. A time that is missing counts as the newest."""
    age_ns = (now - since_ms) * 1_000_000
    return int(math.log2(age_ns)) if age_ns > 0 else -1


class _Key:
    """A pod's place in the order; compared rule by rule because ages are ranked only among pods that are alike otherwise."""

    __slots__ = ("created", "early", "pod_uid", "rank", "ready_since", "restarts")

    def __init__(self, pod: Object, rank: int) -> None:
        condition = ready_condition(pod)
        ready = condition is not None and condition["status"] == "True"
        phase = PHASE_ORDER.get((pod.get("status") or {}).get("phase", ""), 0)
        self.early = (bool(pod["spec"].get("nodeName")), phase, ready, _deletion_cost(pod), -rank)
        since = condition.get("lastTransitionTime") if ready and condition else None
        self.ready_since = (unix_ms(since) if since else 0) if ready else None
        regular, sidecar = _restarts(pod)
        self.restarts = (-regular, -sidecar)
        self.created = created_ms(pod)
        self.pod_uid = pod["metadata"].get("uid", "")


def _compare_times(a: int, b: int, now: int | None, uids: tuple[str, str]) -> int:
    """Negative when the pod of time `a` goes first: the newer one, by powers of two of their ages (exactly, without a `now`);
    0 means no time (newest)."""
    if not a or not b:
        return -1 if not a else 1
    if now is None:
        return b - a
    difference = _age_rank(a, now) - _age_rank(b, now)
    if difference:
        return difference
    return -1 if uids[0] < uids[1] else 1


def _compare(a: _Key, b: _Key, now: int | None) -> int:
    if a.early != b.early:
        return -1 if a.early < b.early else 1
    uids = (a.pod_uid, b.pod_uid)
    if a.ready_since is not None and b.ready_since is not None and a.ready_since != b.ready_since:
        return _compare_times(a.ready_since, b.ready_since, now, uids)
    if a.restarts != b.restarts:
        return -1 if a.restarts < b.restarts else 1
    if a.created != b.created:
        return _compare_times(a.created, b.created, now, uids)
    return 0


def deletion_order(pods: Objects, ranks: list[int], now: int | None) -> Objects:
    """Pods in the order in which they should go. `ranks`: how many related pods share each one's node."""
    keys = [_Key(pod, rank) for pod, rank in zip(pods, ranks, strict=True)]

    def compare(a: int, b: int) -> int:
        return _compare(keys[a], keys[b], now)

    return [pods[place] for place in sorted(range(len(pods)), key=cmp_to_key(compare))]


def pods_to_delete(pods: Objects, related: Objects, count: int, now: int) -> Objects:
    """The `count` pods to delete. `related`: pods of all ReplicaSets of the same owner, for spreading over nodes."""
    if count >= len(pods):
        return pods
    on_node = Counter(pod["spec"].get("nodeName", "") for pod in related if active(pod))
    ranks = [on_node[pod["spec"].get("nodeName", "")] for pod in pods]
    return deletion_order(pods, ranks, now)[:count]
