"""How many nodes of a group would find room for the pods that wait, and whether the pods of a node would find room elsewhere.

Follows cluster-autoscaler/estimator/binpacking_estimator.go and simulator/cluster.go: pods are tried one after the other with the
scheduler's own filters, on the nodes that are there and on nodes that do not exist yet.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from clusterlab.autoscaler.config import Group
from clusterlab.runtime.amounts import milli, units
from clusterlab.scheduler.config import default_profile
from clusterlab.scheduler.cycle import schedule
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.profile import Profile
from clusterlab.scheduler.registry import Handle
from clusterlab.scheduler.snapshot import Listers, NodeTree, Snapshot
from clusterlab.sim.rng import Rng

__all__ = ["CAPACITY", "Estimate", "Trial", "template_node", "utilization"]

Object = dict[str, Any]
CAPACITY = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}
#: Pods that are looked at in one scan.
PODS_MOST = 500
FULL = "max node group size reached"


def template_node(group: Group, name: str) -> Object:
    """A node of a group as it will be."""
    have = {**CAPACITY, **dict(group.capacity)}
    labels = {
        "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
        **dict(group.labels), "kubernetes.io/hostname": name,
    }
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [dict(each) for each in group.taints]} if group.taints else {},
        "status": {"capacity": have, "allocatable": have, "conditions": [{"type": "Ready", "status": "True"}]},
    }


class Estimate(NamedTuple):
    """New nodes of a group, the pods that they (and the nodes there are) would take, and why others would not fit."""

    nodes: int
    helped: tuple[str, ...]
    reasons: dict[str, str]
    waste: float = 0.0  # the part of the new nodes' CPU and memory that nobody would use


class Trial:
    """A copy of the cluster's nodes and pods on which placements are tried."""

    def __init__(self, nodes: list[Object], pods: list[Object], listers: Listers, rng: Rng) -> None:
        self.objects, self.rng = list(nodes), rng
        self.snapshot = Snapshot(listers)
        self.profile = _profile(listers)
        for node in nodes:
            self._put(node)
        self._order()
        for pod in pods:
            info = self.snapshot.by_name.get(pod["spec"].get("nodeName", ""))
            if info is not None and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}:
                self.snapshot.add_pod(info, PodInfo(pod))

    def _put(self, node: Object) -> NodeInfo:
        info = NodeInfo(node["metadata"]["name"])
        self.snapshot.set_node(info, node)
        return info

    def _order(self) -> None:
        tree = NodeTree()
        for node in self.objects:
            tree.add(node)
        self.snapshot.order(tree)

    def add_node(self, node: Object) -> None:
        """A node more."""
        self.objects.append(node)
        self._put(node)
        self._order()

    def drop_node(self, name: str) -> None:
        """A node less, with its pods."""
        self.objects = [each for each in self.objects if each["metadata"]["name"] != name]
        self.snapshot.drop_node(self.snapshot.by_name[name])
        self._order()

    def place(self, pod: Object) -> tuple[str, dict[str, str]]:
        """Puts a pod on a node that fits: (the node or "", why each node does not fit)."""
        bare = {**pod, "spec": {key: value for key, value in pod["spec"].items() if key != "nodeName"}}
        decision = schedule(PodInfo(bare), self.snapshot, self.profile, self.rng, percentage=100)
        if decision.chosen:
            placed = {**pod, "spec": {**pod["spec"], "nodeName": decision.chosen}}
            self.snapshot.add_pod(self.snapshot.by_name[decision.chosen], PodInfo(placed))
            return decision.chosen, {}
        whole = decision.pre_filter_message
        return "", {node["metadata"]["name"]: _reason(decision.filtered_statuses, node["metadata"]["name"], whole) for node in self.objects}

    def estimate(self, pods: list[Object], group: Group, room: int, name: str) -> Estimate:
        """How many nodes of a group, at most `room`, help pods that wait."""
        helped: list[str] = []
        reasons: dict[str, str] = {}
        made: list[str] = []
        for pod in pods[:PODS_MOST]:
            key = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            chosen, why = self.place(pod)
            if not chosen and room:
                fresh = f"{name}-{len(made) + 1}"
                self.add_node(template_node(group, fresh))
                chosen, why = self.place(pod)
                if chosen and len(made) < room:
                    made.append(fresh)
                else:
                    reasons[key] = FULL if chosen else why.get(fresh, "")
                    chosen = ""
                    self.drop_node(fresh)
            elif not chosen:
                reasons[key] = FULL
            if chosen in made:
                helped.append(key)
        return Estimate(len(made), tuple(helped), reasons, self._waste(made))

    def _waste(self, names: list[str]) -> float:
        infos = [self.snapshot.by_name[each] for each in names]
        have = [(sum(each.alloc_cpu for each in infos), sum(each.cpu for each in infos)),
                (sum(each.alloc_memory for each in infos), sum(each.memory for each in infos))]
        return sum((total - used) / total for total, used in have if total)


def _reason(statuses: Any, name: str, whole: str) -> str:
    found = statuses.get(name)
    return found.message if found is not None and found.message else whole


def _profile(listers: Listers) -> Profile:
    """The scheduler's filters, without preemption and without scores: the first node that fits will do."""
    made = default_profile(Handle(listers))
    made.post_filter, made.pre_score, made.score = [], [], []
    return made


def utilization(node: Object, pods: list[Object]) -> int:
    """How much of a node its pods ask for, in hundredths: the larger of CPU and memory (simulator/utilization/info.go)."""
    have = (node.get("status") or {}).get("allocatable") or {}
    asked: Counter[str] = Counter()
    for pod in pods:
        info = PodInfo(pod)
        asked["cpu"] += info.resources.cpu
        asked["memory"] += info.resources.memory
    cpu, memory = milli(have.get("cpu", "0")), units(have.get("memory", "0"))
    return max(asked["cpu"] * 100 // cpu if cpu else 0, asked["memory"] * 100 // memory if memory else 0)
