"""Which nodes are ready, and whether the cluster and its groups are well enough to be scaled.

Follows cluster-autoscaler/clusterstate/clusterstate.go (updateReadinessStats, IsClusterHealthy, IsNodeGroupHealthy) and utils/drain
(IsPodLongTerminating). A node that is not ready counts as starting for its first quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from clusterlab.autoscaler.config import Options
from clusterlab.controllers.objects import condition_of, unix_ms

__all__ = ["Readiness", "bearable", "readiness", "ready", "stays_behind"]

Object = dict[str, Any]
START_MOST_MS = 900_000  # MaxNodeStartupTime
LONG_TERMINATING_MS = 30_000  # PodLongTerminatingExtraThreshold, after the grace period


class Readiness(NamedTuple):
    """So many nodes are ready, have not been so since they came a short while ago, or broke down."""

    ready: int = 0
    not_started: int = 0
    unready: int = 0


def ready(node: Object) -> bool:
    """Whether a node's kubelet says that it is ready."""
    condition = condition_of(node, "Ready")
    return condition is not None and condition["status"] == "True"


def readiness(nodes: Iterable[Object], now_ms: int) -> Readiness:
    """How some nodes stand; `now_ms` since 1970."""
    found = Readiness()
    for node in nodes:
        if ready(node):
            found = found._replace(ready=found.ready + 1)
        elif unix_ms(node["metadata"]["creationTimestamp"]) + START_MOST_MS > now_ms:
            found = found._replace(not_started=found.not_started + 1)
        else:
            found = found._replace(unready=found.unready + 1)
    return found


def bearable(unready: int, total: int, options: Options) -> bool:
    """Whether no more nodes are unready than a cluster, or a group, may have."""
    return unready <= options.ok_unready or unready * 100 <= options.unready_percentage * total


def stays_behind(pod: Object, now_ms: int) -> bool:
    """Pods that no node is kept for: those of DaemonSets, mirrors of static pods, those that are over, and those that should be."""
    owners = pod["metadata"].get("ownerReferences") or ()
    if any(each.get("kind") in {"DaemonSet", "Node"} for each in owners):
        return True
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"} or _long_terminating(pod, now_ms)


def _long_terminating(pod: Object, now_ms: int) -> bool:
    """Whether a pod should have ended long ago, as where its node is dead."""
    stamp = pod["metadata"].get("deletionTimestamp")
    grace_s = pod["spec"].get("terminationGracePeriodSeconds", 30)
    return stamp is not None and unix_ms(stamp) + grace_s * 1000 + LONG_TERMINATING_MS < now_ms
