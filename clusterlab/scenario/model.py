"""What a scenario says, as data: nodes, images' behaviour, traffic, manifests and a timeline. `load` makes it from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clusterlab.runtime.programs.behaviour import Behaviour

__all__ = [
    "CAPACITY", "CONTROL_PLANE", "FAULT_KINDS", "RUNTIMES", "Fault", "Node", "NodeImage", "Scenario", "TimelineEntry", "Traffic",
    "Wave", "workers",
]

#: What a node has where the scenario says nothing else.
CAPACITY = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}

RUNTIMES = ("containerd", "cri-o", "docker")

CONTROL_PLANE = "control-plane"

#: What can go wrong, and whether a fault of this kind needs a target.
FAULT_KINDS = {
    "node-down": True, "node-cut-off": True, "kubelet-stop": True, "component-stop": True, "etcd-kill": True,
    "etcd-partition": True, "etcd-slow": True,
    "etcd-disk-full": True, "etcd-disk-lost": True, "container-crash": True, "memory-leak": True,
    "disk-fill": True, "inode-fill": True, "fork-bomb": True, "registry-unreachable": False,
    "link": False, "runtime-stop": True, "certificate-expired": True, "clock-skew": True, "api-overload": False, "etcd-slow-disk": True,
}


@dataclass(frozen=True, slots=True)
class NodeImage:
    """An image that a node has pulled already."""

    names: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Node:
    """A node as it registers. `capacity` values are quantities as strings."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    taints: tuple[dict[str, str], ...] = ()
    capacity: dict[str, str] = field(default_factory=lambda: dict(CAPACITY))
    #: What pods may use; what is not named here is all of the capacity.
    allocatable: dict[str, str] = field(default_factory=dict)
    runtime: str = "containerd"
    images: tuple[NodeImage, ...] = ()
    unschedulable: bool = False
    control_plane: bool = False
    kubelet: dict[str, Any] | None = None  # settings, called as in KubeletConfiguration
    inodes: int = 0  # of its disk; 0: as many as mkfs.ext4 makes
    pids: int = 32_768  # how many processes it can have
    number: int = -1  # which address and pod range it has; -1: the first that is free


@dataclass(frozen=True, slots=True)
class Wave:
    """The rate swings between the source's rate and `to_milli` with this period."""

    period_ms: int
    to_milli: int
    shape: str = "sine"  # sine, square or ramp


@dataclass(frozen=True, slots=True)
class Traffic:
    """A source of requests. Rates are in thousandths of a request a second; `until_ms` -1: for ever."""

    name: str
    to: str
    rate_milli: int
    from_ms: int = 0
    until_ms: int = -1
    wave: Wave | None = None
    ramp_to_milli: int = -1
    ramp_ms: int = 0
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    timeout_ms: int = 30_000
    #: How many connections clients keep open, and how long each lives; 0: each request opens its own.
    connections: int = 0
    keep_alive_ms: int = 60_000
    source: str = ""  # a pod (namespace/name) or node that sends, or "outside" the cluster; "" is a client inside it


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks. `for_ms` -1: until it is lifted. `options`: what the kind needs besides (latency, loss, …)."""

    kind: str
    target: str = ""
    for_ms: int = -1
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """What happens at a time: a fault or a kubectl command line."""

    at_ms: int
    fault: Fault | None = None
    kubectl: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cluster to be, and what happens in it."""

    seed: int = 1
    nodes: tuple[Node, ...] = ()
    kubelet: dict[str, Any] | None = None  # of every node that does not say otherwise
    control_plane_node: bool = True
    #: Cluster DNS, kube-proxy's DaemonSet and a default storage class, as objects and pods; None: where there is a control-plane node.
    addons: bool | None = None
    etcd_members: int = 3
    controller_managers: int = 1
    schedulers: int = 1
    runtime: str = "containerd"
    dual_stack: bool = False
    proxy_mode: str = "iptables"
    load_balancers: bool = False
    gateway_api: bool = False
    ingress_controller: bool = False
    rollouts: bool = False
    flagger: bool = False
    metrics_server: bool = True
    cluster_autoscaler: dict[str, Any] | None = None
    scheduler: dict[str, Any] | None = None
    images: tuple[Behaviour, ...] = ()
    traffic: tuple[Traffic, ...] = ()
    #: File names, resolved by whoever has the folder, or whole objects.
    manifests: tuple[dict[str, Any], ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    start: str = ""  # when the clock starts, RFC 3339; "" is the default epoch
    name: str = ""

    @property
    def has_addons(self) -> bool:
        return self.control_plane_node if self.addons is None else self.addons

    def all_nodes(self) -> tuple[Node, ...]:
        """The control-plane node, where there is one, and the workers."""
        if not self.control_plane_node or any(node.control_plane for node in self.nodes):
            return self.nodes
        first = Node(
            CONTROL_PLANE, runtime=self.runtime, control_plane=True, kubelet=self.kubelet,
            labels={"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""},
            taints=({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},),
        )
        return (first, *self.nodes)


def workers(count: int, runtime: str = "containerd", kubelet: dict[str, Any] | None = None) -> tuple[Node, ...]:
    """Like workers named node-1, node-2, …"""
    return tuple(Node(f"node-{number}", runtime=runtime, kubelet=kubelet) for number in range(1, count + 1))
