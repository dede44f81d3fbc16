"""The node IPAM controller: gives each node a network for its pods.

Follows pkg/controller/nodeipam/ipam/range_allocator.go and cidrset/cidr_set.go: the first free network of the cluster's.
"""

from __future__ import annotations

from ipaddress import ip_network

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.nodes import node_reference
from clusterlab.controllers.objects import Object
from clusterlab.machinery.errors import StatusError

__all__ = ["NodeIpamController"]


class NodeIpamController(BaseController):
    """Hands out podCIDRs."""

    STATE = ("busy_until", "cidrs", "next_free")
    resource = "nodes"
    controller_name = "node-ipam-controller"
    component = "cidrAllocator"
    cluster_cidr = "10.244.0.0/16"
    node_bits = 24

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.nodes = self.informer("nodes")
        self.nodes.on_change(self.node_changed)

    def clear(self) -> None:
        super().clear()
        self.cidrs: dict[str, str] = {}  # network -> node
        self.next_free = 0

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            for cidr in (old or {}).get("spec", {}).get("podCIDRs") or ():
                self.cidrs.pop(cidr, None)
            return
        given = (new.get("spec") or {}).get("podCIDRs") or []
        for cidr in given:
            self.cidrs[cidr] = new["metadata"]["name"]
        if not given and self.cluster_cidr:
            self.enqueue(new["metadata"]["name"])

    def reconcile(self, key: str) -> None:
        node = self.nodes.get(key)
        if node is None or (node.get("spec") or {}).get("podCIDRs") or not self.cluster_cidr:
            return
        cidr = self._allocate()
        if cidr is None:
            message = f"Node {key} status is now: CIDRNotAvailable"
            self.record(node_reference(key, node["metadata"]["uid"]), "Normal", "CIDRNotAvailable", message)
            self.tell(f"No network is left for the pods of node {key}.")
            return
        self.cidrs[cidr] = key
        try:
            self.client.patch("nodes", "", key, {"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}, "strategic")
        except StatusError:
            del self.cidrs[cidr]
            raise
        self.tell(f"Node {key} gets the network {cidr} for its pods.")

    def _allocate(self) -> str | None:
        """The next free network, starting behind the last one handed out."""
        whole = ip_network(self.cluster_cidr)
        count = 1 << (self.node_bits - whole.prefixlen)
        size = 1 << (whole.max_prefixlen - self.node_bits)
        for place in range(count):
            number = (self.next_free + place) % count
            cidr = f"{whole.network_address + number * size}/{self.node_bits}"
            if cidr not in self.cidrs:
                self.next_free = (number + 1) % count
                return cidr
        return None
