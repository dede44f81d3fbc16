"""kube-proxy on one node: its rules follow the services while it runs; when it stops they stay as they are, and grow stale.

Follows pkg/proxy/iptables/proxier.go and pkg/proxy/ipvs/proxier.go in what the rules say (`iptables`, `ipvs`). Rules are derived
when somebody looks or a packet passes; connections with session affinity are remembered per node.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.api import Api, User
from clusterlab.client.process import Process
from clusterlab.network.addresses import CLUSTER_CIDR_6
from clusterlab.network.services import Endpoint, Port, ServiceMap, usable
from clusterlab.proxy import iptables, ipvs, nftables
from clusterlab.proxy.services import Services, Snapshot, services_of
from clusterlab.sim import Simulation

__all__ = ["KubeProxy", "kube_proxy"]

AFFINITY_MOST = 1_000


def kube_proxy(sim: Simulation, api: Api, node: str, mode: str = "iptables") -> KubeProxy:
    """The process "kube-proxy/<node>"; it acts once started."""
    return KubeProxy(sim, api, node, mode, services_of(sim, api))


class KubeProxy(Process):
    """One node's kube-proxy."""

    STATE: tuple[str, ...] = (*Process.STATE, "snapshot", "affinity", "turn")

    def __init__(self, sim: Simulation, api: Api, node: str, mode: str, services: Services) -> None:
        super().__init__(sim, f"kube-proxy/{node}", api, User("system:serviceaccount:kube-system:kube-proxy", (
            "system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")), "kube-proxy")
        self.node = node
        self.mode = mode
        self.services = services
        self.snapshot = Snapshot(0, {}, {})
        self.affinity: dict[str, tuple[str, int, int]] = {}  # client and service -> (ip, port, last used ms)
        self.turn = 0
        services.nodes.append(self.name)

    # Life.

    def start(self) -> None:
        if not self.services.up:
            self.services.start()
        super().start()
        self.snapshot = self.services.snapshot

    def stop(self) -> None:
        """The program ends; its rules stay in the kernel."""
        super().stop()
        self.affinity = dict(self.affinity)

    def reboot(self) -> None:
        """The node was off: the kernel's rules are gone with it."""
        self.snapshot, self.affinity = Snapshot(0, {}, {}), {}

    def take(self, snapshot: Snapshot) -> bool:
        """A sync: the rules follow the services. Nothing happens while the program is down or cut off."""
        if not self.up or self._cut_off():
            return False
        self.snapshot = snapshot
        return True

    def _cut_off(self) -> bool:
        cut: Any = getattr(self.api, "is_cut_off", None)
        return bool(cut(self.name)) if cut is not None else False

    # What the rules do.

    @property
    def map(self) -> ServiceMap:
        return self.services.map_of(self.snapshot)

    @property
    def map_6(self) -> ServiceMap:
        """What the rules for IPv6 lead to; empty in a cluster of IPv4 only."""
        return self.services.map_of(self.snapshot, "IPv6")

    def choices(self, port: Port, every: tuple[Endpoint, ...], external: bool) -> tuple[Endpoint, ...]:
        """The endpoints that a packet may be sent to from here."""
        return usable(every, self.node, port.external_local if external else port.internal_local, self.zone)

    @property
    def zone(self) -> str:
        """The zone of this node, for endpoints with hints."""
        kubelet: Any = self.sim.components.get(f"kubelet/{self.node}")
        node = (kubelet.node if kubelet is not None else None) or {"metadata": {}}
        return str((node["metadata"].get("labels") or {}).get("topology.kubernetes.io/zone", ""))

    def choose(self, port: Port, every: tuple[Endpoint, ...], client: str, external: bool = False) -> Endpoint | None:
        """The endpoint that a new connection goes to: at random (iptables) or in turn (IPVS), or where the client went before."""
        candidates = self.choices(port, every, external)
        if not candidates:
            return None
        now = self.sim.time_ms
        key = f"{client} {port.label}"
        if port.affinity_s:
            known = self.affinity.get(key)
            if known is not None and now - known[2] <= port.affinity_s * 1000:
                for each in candidates:
                    if (each.ip, each.port) == known[:2]:
                        self.affinity[key] = (each.ip, each.port, now)
                        return each
        if self.mode == "ipvs":
            self.turn += 1
            chosen = candidates[self.turn % len(candidates)]
        else:
            chosen = self.sim.rng(self.name).choice(candidates)
        if port.affinity_s:
            if len(self.affinity) >= AFFINITY_MOST:
                del self.affinity[next(iter(self.affinity))]
            self.affinity[key] = (chosen.ip, chosen.port, now)
        return chosen

    # What a learner sees.

    def views(self) -> dict[str, str]:
        """What a person on the node would look at, by the command that shows it."""
        if self.mode == "ipvs":
            return {"ipvsadm -Ln": self.ipvsadm()}
        if self.mode == "nftables":
            return {"nft list table ip kube-proxy": self.nft()}
        views = {"iptables-save": self.iptables_save()}
        return {**views, "ip6tables-save": self.ip6tables_save()} if self.map_6.entries else views

    def nft(self) -> str:
        """The table ip kube-proxy, as `nft list` prints it."""
        return nftables.listing(self.map, self.node, self.address(), self.zone)

    def address(self) -> str:
        """The node's own address."""
        network: Any = self.sim.components.get("network")
        return str(network.node_addresses().get(self.node, "")) if network is not None else ""

    def iptables_save(self) -> str:
        """The nat and filter tables, as `iptables-save` prints them."""
        return iptables.save(self.map, self.node, self.snapshot.revision, zone=self.zone)

    def ip6tables_save(self) -> str:
        """The same for IPv6, as `ip6tables-save` prints it."""
        return iptables.save(self.map_6, self.node, self.snapshot.revision, CLUSTER_CIDR_6, self.zone, v6=True)

    def ipvsadm(self) -> str:
        """The virtual servers, as `ipvsadm -Ln` prints them."""
        return ipvs.listing(self.map, self.node, self.address(), self.zone, self.map_6)
