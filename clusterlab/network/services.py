"""Services and their endpoints, as every node sees them: what the address of a service leads to.

Follows pkg/proxy/servicechangetracker.go, endpointslicecache.go and topology.go (CategorizeEndpoints).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, NamedTuple

Object = dict[str, Any]

__all__ = ["Endpoint", "Port", "ServiceMap", "build", "usable"]


class Endpoint(NamedTuple):
    """One backend of one port."""

    ip: str
    port: int
    node: str
    zone: str
    ready: bool
    serving: bool
    terminating: bool
    pod: str  # namespace/name, "" where it is no pod
    hostname: str = ""
    zones: tuple[str, ...] = ()  # hints: for clients in these zones
    nodes: tuple[str, ...] = ()  # and on these nodes


class Port(NamedTuple):
    """One port of one service."""

    namespace: str
    service: str
    name: str
    protocol: str
    cluster_ips: tuple[str, ...]
    port: int
    node_port: int
    external_ips: tuple[str, ...]
    load_balancer_ips: tuple[str, ...]
    source_ranges: tuple[str, ...]
    kind: str
    affinity_s: int  # of ClientIP affinity; 0 where there is none
    internal_local: bool
    external_local: bool
    health_node_port: int
    distribution: str

    @property
    def label(self) -> str:
        """namespace/name:port, as kube-proxy writes it."""
        return f"{self.namespace}/{self.service}" + (f":{self.name}" if self.name else "")


class ServiceMap:
    """All ports of all services with their endpoints. Immutable once built."""

    def __init__(self, entries: list[tuple[Port, tuple[Endpoint, ...]]]) -> None:
        self.entries = entries
        self._addresses: dict[tuple[str, int, str], int] = {}
        self._node_ports: dict[tuple[int, str], int] = {}
        for number, (port, _) in enumerate(entries):
            for ip in (*port.cluster_ips, *port.external_ips, *port.load_balancer_ips):
                self._addresses.setdefault((ip, port.port, port.protocol), number)
            if port.node_port:
                self._node_ports.setdefault((port.node_port, port.protocol), number)
        self._known_ips = {ip for port, _ in entries for ip in (*port.cluster_ips, *port.load_balancer_ips)}

    def at(self, ip: str, port: int, protocol: str = "TCP") -> tuple[Port, tuple[Endpoint, ...]] | None:
        """What is at the address of a service."""
        number = self._addresses.get((ip, port, protocol))
        return None if number is None else self.entries[number]

    def at_node_port(self, port: int, protocol: str = "TCP") -> tuple[Port, tuple[Endpoint, ...]] | None:
        """What is at a port of every node."""
        number = self._node_ports.get((port, protocol))
        return None if number is None else self.entries[number]

    def is_service_ip(self, ip: str) -> bool:
        return ip in self._known_ips

    def of(self, namespace: str, service: str) -> list[tuple[Port, tuple[Endpoint, ...]]]:
        """The ports of one service."""
        return [entry for entry in self.entries if entry[0].namespace == namespace and entry[0].service == service]


def build(services: Iterable[Object], slices: Iterable[Object], family: str = "IPv4") -> ServiceMap:
    """The map of one family of addresses from the objects of the API. Headless services and names for others have no rules."""
    by_service: dict[tuple[str, str], list[Object]] = {}
    for each in slices:
        meta = each["metadata"]
        service = (meta.get("labels") or {}).get("kubernetes.io/service-name")
        if service and each.get("addressType", "IPv4") == family:
            by_service.setdefault((meta["namespace"], service), []).append(each)
    entries = []
    for service in sorted(services, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"])):
        spec = service["spec"]
        if spec.get("type") == "ExternalName" or spec.get("clusterIP") in {None, "", "None"}:
            continue
        found = by_service.get((service["metadata"]["namespace"], service["metadata"]["name"]), [])
        for port in spec.get("ports") or ():
            made = _port(service, port)
            if family == "IPv6":
                made = _of_family(made, family)
                if not made.cluster_ips:
                    continue
            elif spec.get("ipFamilies", ["IPv4"]) != ["IPv4"]:
                made = _of_family(made, family)
            entries.append((made, endpoints(found, port.get("name") or "", port.get("protocol", "TCP"))))
    return ServiceMap(entries)


def _of_family(port: Port, family: str) -> Port:
    """A port with its addresses of one family only."""
    def mine(ips: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each for each in ips if (":" in each) == (family == "IPv6"))

    return port._replace(cluster_ips=mine(port.cluster_ips), external_ips=mine(port.external_ips),
                         load_balancer_ips=mine(port.load_balancer_ips))


def _port(service: Object, port: Object) -> Port:
    spec, meta = service["spec"], service["metadata"]
    timeout = 0
    if spec.get("sessionAffinity") == "ClientIP":
        timeout = int(((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds") or 10_800)
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses = tuple(each["ip"] for each in ingress if each.get("ip") and each.get("ipMode", "VIP") == "VIP")
    return Port(
        meta["namespace"], meta["name"], port.get("name") or "", port.get("protocol", "TCP"),
        tuple(spec.get("clusterIPs") or (spec["clusterIP"],)), port["port"], port.get("nodePort") or 0,
        tuple(spec.get("externalIPs") or ()), addresses, tuple(spec.get("loadBalancerSourceRanges") or ()),
        spec.get("type", "ClusterIP"), timeout, spec.get("internalTrafficPolicy") == "Local",
        spec.get("externalTrafficPolicy") == "Local", spec.get("healthCheckNodePort") or 0,
        spec.get("trafficDistribution") or "",
    )


def endpoints(slices: list[Object], name: str, protocol: str) -> tuple[Endpoint, ...]:
    """The backends of one port, each address once, in the order of their addresses."""
    found: dict[tuple[str, int], Endpoint] = {}
    for each in sorted(slices, key=lambda one: str(one["metadata"]["name"])):
        number = next((
            port["port"] for port in each.get("ports") or ()
            if (port.get("name") or "") == name and port.get("protocol", "TCP") == protocol and port.get("port")
        ), 0)
        if not number:
            continue
        for one in each.get("endpoints") or ():
            conditions, target = one.get("conditions") or {}, one.get("targetRef") or {}
            ready = conditions.get("ready") is not False
            serving = conditions.get("serving", ready)
            pod = f"{target.get('namespace')}/{target['name']}" if target.get("kind") == "Pod" else ""
            hints = one.get("hints") or {}
            zones, nodes = (tuple(hint["name"] for hint in hints.get(kind) or ()) for kind in ("forZones", "forNodes"))
            for ip in one.get("addresses") or ():
                found[(ip, number)] = Endpoint(
                    ip, number, one.get("nodeName") or "", one.get("zone") or "", ready, bool(serving),
                    bool(conditions.get("terminating")), pod, one.get("hostname") or "", zones, nodes,
                )
    return tuple(found[key] for key in sorted(found, key=lambda key: (int(ip_address(key[0])), key[1])))


def usable(every: tuple[Endpoint, ...], node: str, local: bool, zone: str = "") -> tuple[Endpoint, ...]:
    """The endpoints that traffic may go to from a node: the ready ones, or those still serving while they end if there is no
    other; with a Local policy only the node's own. Hints count where every ready endpoint has one and some are for this node, or its zone
    (pkg/proxy/topology.go, topologyModeFromHints)."""
    if local:
        mine = tuple(each for each in every if each.node == node)
        return tuple(each for each in mine if each.ready) or tuple(each for each in mine if each.serving and each.terminating)
    ready = tuple(each for each in every if each.ready)
    if ready and all(each.nodes for each in ready):
        here = tuple(each for each in ready if node in each.nodes)
        if here:
            return here
    if ready and zone and all(each.zones for each in ready):
        near = tuple(each for each in ready if zone in each.zones)
        if near:
            return near
    return ready or tuple(each for each in every if each.serving and each.terminating)
