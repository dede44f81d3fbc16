"""NodeUnschedulable: cordoned nodes take no pods. Follows pkg/scheduler/framework/plugins/nodeunschedulable."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.scheduler.events import ADD, UPDATE_NODE_TAINT, UPDATE_POD_TOLERATION, ClusterEvent, Hint
from clusterlab.scheduler.framework import CycleState, Object, Plugin, Status, unresolvable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.selectors import tolerates

__all__ = ["NodeUnschedulable"]

TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class NodeUnschedulable(Plugin):
    """Filters nodes with spec.unschedulable unless the pod tolerates the taint that goes with it."""

    name = "NodeUnschedulable"
    local = True
    rejection = unresolvable("node(s) were unschedulable", plugin=name)

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Node", ADD | UPDATE_NODE_TAINT), after_node_change
        yield ClusterEvent("Pod", UPDATE_POD_TOLERATION), after_toleration

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if node.unschedulable and not tolerates(pod.tolerations, TAINT):
            return self.rejection
        return None


def after_node_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A node became schedulable, or came so."""
    if new is None or (new.get("spec") or {}).get("unschedulable"):
        return False
    return old is None or bool((old.get("spec") or {}).get("unschedulable"))


def after_toleration(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """The pod itself now tolerates the taint."""
    same = new is not None and new["metadata"].get("uid") == pod.uid
    return same and new is not None and tolerates(new["spec"].get("tolerations") or (), TAINT)
