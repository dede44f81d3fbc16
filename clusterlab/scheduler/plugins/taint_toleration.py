"""TaintToleration: taints keep pods away unless they tolerate them. Follows pkg/scheduler/framework/plugins/tainttoleration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clusterlab.scheduler.events import ADD, UPDATE_NODE_TAINT, UPDATE_POD_TOLERATION, ClusterEvent, Hint
from clusterlab.scheduler.framework import CycleState, Object, Plugin, Status, unresolvable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.plugins.helper import normalize
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.selectors import tolerates, untolerated
from clusterlab.scheduler.snapshot import Snapshot

__all__ = ["TaintToleration"]


class TaintToleration(Plugin):
    """Filters nodes with an untolerated taint NoSchedule or NoExecute; scores by the untolerated PreferNoSchedule ones."""

    name = "TaintToleration"
    local = True
    rejection = unresolvable("node(s) had untolerated taint(s)", plugin=name)

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Node", ADD | UPDATE_NODE_TAINT), after_node_change
        yield ClusterEvent("Pod", UPDATE_POD_TOLERATION), after_toleration

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if node.taints and untolerated(node.taints, pod.tolerations) is not None:
            return self.rejection
        return None

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        if snapshot.soft_taints:
            state.data[self.name] = tuple(t for t in pod.tolerations if t.get("effect") in (None, "", "PreferNoSchedule"))
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        soft = state.data[self.name]
        return sum(taint["effect"] == "PreferNoSchedule" and not tolerates(soft, taint) for taint in node.taints)

    def score_all(self, state: CycleState, pod: PodInfo, nodes: Sequence[NodeInfo]) -> list[int]:
        if self.name not in state.data:  # no node has such a taint
            return [0] * len(nodes)
        return [self.score(state, pod, node) if node.taints else 0 for node in nodes]

    def normalize(self, state: CycleState, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        return normalize(scores, reverse=True)


def after_node_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A node lost the taints that the pod does not tolerate, or came without."""
    if new is None or untolerated((new.get("spec") or {}).get("taints") or (), pod.tolerations) is not None:
        return False
    return old is None or untolerated((old.get("spec") or {}).get("taints") or (), pod.tolerations) is not None


def after_toleration(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """The pod itself got a toleration."""
    return new is not None and new["metadata"].get("uid") == pod.uid
