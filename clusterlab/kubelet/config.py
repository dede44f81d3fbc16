"""What a kubelet is told about its node when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clusterlab.kubelet.settings import Settings, settings

__all__ = ["VERSION", "NodeConfig"]

VERSION = "v1.36.2"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node. Quantities are strings, as in a Node object."""

    name: str
    address: str
    pod_cidr: str
    capacity: dict[str, str]
    allocatable: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    taints: tuple[dict[str, str], ...] = ()
    runtime: str = "containerd"
    images: tuple[tuple[tuple[str, ...], int], ...] = ()
    unschedulable: bool = False
    control_plane: bool = False
    etcd_members: int = 1
    pod_cidr_6: str = ""  # of a dual-stack cluster, as is the address
    address_6: str = ""
    settings: Settings = field(default_factory=Settings)
    inodes: int = 0  # of its disk; 0: as mkfs.ext4 makes them
    pids: int = 32_768  # kernel.pid_max
    number: int = 0  # spreads the heartbeats of many nodes over time

    @staticmethod
    def of(node: Any, number: int, address: str, pod_cidr: str, etcd_members: int = 1, second: tuple[str, str] = ("", "")) -> NodeConfig:
        """From a node of a scenario."""
        return NodeConfig(
            name=node.name, address=address, pod_cidr=pod_cidr, capacity=node.capacity, allocatable=node.allocatable,
            labels=node.labels, annotations=node.annotations, taints=tuple(node.taints), runtime=node.runtime,
            images=tuple((image.names, image.size_bytes) for image in node.images), unschedulable=node.unschedulable,
            control_plane=node.control_plane, etcd_members=etcd_members, number=number,
            address_6=second[0], pod_cidr_6=second[1], settings=settings(node.kubelet), inodes=node.inodes, pids=node.pids,
        )
