"""NodeName: a pod that names its node goes nowhere else. Follows pkg/scheduler/framework/plugins/nodename."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.scheduler.events import ADD, ClusterEvent, Hint
from clusterlab.scheduler.framework import CycleState, Plugin, Status, unresolvable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo

__all__ = ["NodeName"]


class NodeName(Plugin):
    """Filters every node but the one that spec.nodeName names."""

    name = "NodeName"
    local = True
    rejection = unresolvable("node(s) didn't match the requested node name", plugin=name)

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Node", ADD), None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        wanted = pod.pod["spec"].get("nodeName")
        return self.rejection if wanted and wanted != node.name else None
