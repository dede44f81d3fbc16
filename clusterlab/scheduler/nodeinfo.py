"""A node as the scheduler sees it: the object, the pods on it, and what they take of it.

Follows NodeInfo in pkg/scheduler/framework/types.go and HostPortInfo in staging/src/k8s.io/kube-scheduler/framework/types.go.
Unlike there, every node keeps a `memo` of what plugins worked out from it and its pods; any change empties it, so that
scheduling a thousand pods of one template looks at a node again only after something has changed on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusterlab.scheduler.podinfo import HostPort, PodInfo
from clusterlab.scheduler.resources import Allocatable, allocatable

Object = dict[str, Any]

__all__ = ["ImageState", "NodeInfo"]

NO_LABELS: dict[str, str] = {}
#: What changes as pods come and go.
COUNTED = ("pods", "alike", "with_affinity", "with_anti_affinity", "ports", "claims", "scalars")
NOTHING_ALLOCATABLE = Allocatable(0, 0, 0, 0, {})


class ImageState:
    """An image that nodes have: its size, and how many of them."""

    __slots__ = ("nodes", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.nodes = 0


class NodeInfo:
    """A node with its pods. `node` is None for a node that was deleted while pods were still on it."""

    __slots__ = (
        "alike", "alloc_cpu", "alloc_ephemeral", "alloc_memory", "alloc_pods", "alloc_scalars", "claims", "cpu", "ephemeral", "images",
        "labels", "memo", "memory", "name", "node", "non0_cpu", "non0_memory", "pods", "ports", "scalars", "taints",
        "unschedulable", "with_affinity", "with_anti_affinity",
    )

    def __init__(self, name: str, node: Object | None = None, pods: Iterable[PodInfo] = ()) -> None:
        self.name = name
        self.pods: dict[str, PodInfo] = {}
        #: The pods by what selectors can tell of them: (one of them, how many), so that counting need not look at each.
        self.alike: dict[str, tuple[PodInfo, int]] = {}
        self.with_affinity: dict[str, PodInfo] = {}
        self.with_anti_affinity: dict[str, PodInfo] = {}
        self.ports: dict[HostPort, int] = {}
        self.claims: dict[str, int] = {}
        self.images: dict[str, ImageState] = {}
        self.cpu = self.memory = self.ephemeral = self.non0_cpu = self.non0_memory = 0
        self.scalars: dict[str, int] = {}
        self.memo: dict[str, Any] = {}
        self.node: Object | None = None
        self.labels = NO_LABELS
        self.taints: tuple[Object, ...] = ()
        self.unschedulable = False
        self._set_allocatable(NOTHING_ALLOCATABLE)
        if node is not None:
            self.set_node(node)
        for pod in pods:
            self.add(pod)

    def set_node(self, node: Object) -> None:
        """Takes a newer version of the node."""
        self.node = node
        spec = node.get("spec") or {}
        self.labels = node["metadata"].get("labels") or NO_LABELS
        self.taints = tuple(spec.get("taints") or ())
        self.unschedulable = bool(spec.get("unschedulable"))
        self._set_allocatable(allocatable(node))
        self.memo.clear()

    def _set_allocatable(self, have: Allocatable) -> None:
        self.alloc_cpu, self.alloc_memory, self.alloc_ephemeral, self.alloc_pods, self.alloc_scalars = have

    def add(self, pod: PodInfo) -> None:
        """Puts a pod on the node."""
        self.pods[pod.key] = pod
        if pod.has_affinity:
            self.with_affinity[pod.key] = pod
            if pod.anti_affinity:
                self.with_anti_affinity[pod.key] = pod
        self._count(pod, 1)

    def remove(self, key: str) -> PodInfo | None:
        """Takes a pod from the node; returns what was known of it."""
        pod = self.pods.pop(key, None)
        if pod is None:
            return None
        if pod.has_affinity:
            self.with_affinity.pop(key, None)
            self.with_anti_affinity.pop(key, None)
        self._count(pod, -1)
        return pod

    def _count(self, pod: PodInfo, sign: int) -> None:
        resources = pod.resources
        self.cpu += sign * resources.cpu
        self.memory += sign * resources.memory
        self.ephemeral += sign * resources.ephemeral
        self.non0_cpu += sign * resources.non0_cpu
        self.non0_memory += sign * resources.non0_memory
        alike = self.alike.get(pod.labels_key, (pod, 0))[1] + sign
        if alike:
            self.alike[pod.labels_key] = (pod, alike)
        else:
            del self.alike[pod.labels_key]
        for name, amount in resources.scalars.items():
            self.scalars[name] = self.scalars.get(name, 0) + sign * amount
        for port in pod.host_ports:
            _tally(self.ports, port, sign)
        for claim in pod.claims:
            _tally(self.claims, claim, sign)
        self.memo.clear()

    def port_taken(self, wanted: HostPort) -> bool:
        """Whether a pod on the node has that port: 0.0.0.0 means every address."""
        for port in self.ports:
            if port.port == wanted.port and port.protocol == wanted.protocol:
                if wanted.ip in ("0.0.0.0", port.ip) or port.ip == "0.0.0.0":
                    return True
        return False

    def clone(self) -> NodeInfo:
        """A copy to try things on."""
        other = NodeInfo.__new__(NodeInfo)
        for slot in NodeInfo.__slots__:
            setattr(other, slot, getattr(self, slot))
        for slot in COUNTED:
            setattr(other, slot, getattr(self, slot).copy())
        other.memo = {}
        return other


def _tally(counts: dict[Any, int], key: Any, sign: int) -> None:
    left = counts.get(key, 0) + sign
    if left > 0:
        counts[key] = left
    else:
        counts.pop(key, None)
