"""NodePorts: a host port can be taken once on a node. Follows pkg/scheduler/framework/plugins/nodeports."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.scheduler.events import ADD, DELETE, ClusterEvent, Hint
from clusterlab.scheduler.framework import SKIPPED, CycleState, Object, Plugin, Status, unschedulable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.snapshot import Snapshot

__all__ = ["NodePorts"]


class NodePorts(Plugin):
    """Filters nodes where a host port that the pod wants is taken."""

    name = "NodePorts"
    local = True
    rejection = unschedulable("node(s) didn't have free ports for the requested pod ports", plugin=name)

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Pod", DELETE), after_pod_deleted
        yield ClusterEvent("Node", ADD), None

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        return None, None if pod.host_ports else SKIPPED

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if node.ports and any(node.port_taken(port) for port in pod.host_ports):
            return self.rejection
        return None


def after_pod_deleted(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A pod gave up a port that this one wants."""
    if old is None or not (old["spec"].get("nodeName") or (old.get("status") or {}).get("nominatedNodeName")):
        return False
    freed = NodeInfo("", pods=(PodInfo(old),))
    return any(freed.port_taken(port) for port in pod.host_ports)
