"""CoreDNS with the cluster's names: services, headless ones, external names, ports, pods, and the search list of a pod.

Follows the specification "Kubernetes DNS-Based Service Discovery" (github.com/kubernetes/dns, docs/specification.md) and resolv.conf(5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from clusterlab.network import addresses, outside

Object = dict[str, Any]

__all__ = ["DOMAIN", "Answer", "Resolver", "Zone", "candidates", "resolv_conf"]

DOMAIN = "cluster.local"
Record = tuple[str, str, str]


class Resolver(NamedTuple):
    """A pod's resolv.conf."""

    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    ndots: int

    def text(self) -> str:
        lines = [f"search {' '.join(self.search)}"] if self.search else []
        lines += [f"nameserver {each}" for each in self.nameservers]
        return "\n".join([*lines, f"options ndots:{self.ndots}", ""])


class Answer(NamedTuple):
    """What a question came to: records (owner, type, value), an rcode where there are none, and every name that was tried."""

    records: tuple[Record, ...]
    error: str
    tried: tuple[str, ...]


def resolv_conf(spec: Object, namespace: str, dns: str) -> Resolver:
    """What the kubelet writes into a pod's /etc/resolv.conf (pkg/kubelet/network/dns/dns.go)."""
    policy = spec.get("dnsPolicy", "ClusterFirst")
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots = 1
    if policy in {"ClusterFirst", "ClusterFirstWithHostNet"}:
        servers, search, ndots = (dns,), (f"{namespace}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN), 5
    elif policy == "Default":
        servers = ("172.18.0.1",)
    given = spec.get("dnsConfig") or {}
    servers = tuple(dict.fromkeys((*servers, *(given.get("nameservers") or ()))))[:3]
    search = tuple(dict.fromkeys((*search, *(given.get("searches") or ()))))[:32]
    for option in given.get("options") or ():
        if option.get("name") == "ndots" and str(option.get("value", "")).isdigit():
            ndots = int(option["value"])
    return Resolver(servers, search, ndots)


def candidates(name: str, resolver: Resolver) -> list[str]:
    """The names that a resolver tries, in order."""
    if name.endswith("."):
        return [name[:-1]]
    searched = [f"{name}.{suffix}" for suffix in resolver.search]
    return [name, *searched] if name.count(".") >= resolver.ndots else [*searched, name]


class Zone:
    """The names of the cluster, from its services and endpoint slices. `service` and `slices` look an object up by namespace and
    name; `namespaces` says whether there is such a namespace."""

    def __init__(
        self, service: Callable[[str, str], Object | None], slices: Callable[[str, str], list[Object]],
        nodes: Callable[[str], str | None], hosts: dict[str, str] | None = None, names: dict[str, str] | None = None,
    ) -> None:
        self.service = service
        self.slices = slices
        self.nodes = nodes
        self.outside = hosts or {}
        self.names = names

    def ask(self, name: str, kind: str, resolver: Resolver) -> Answer:
        """Resolves a name as a pod does: the search list, and names that stand for others."""
        tried = []
        for each in candidates(name.lower(), resolver):
            tried.append(each)
            records = self.look_up(each, kind)
            if records is not None:
                return Answer(tuple(records), "" if records else "NODATA", tuple(tried))
        return Answer((), "NXDOMAIN", tuple(tried))

    def look_up(self, name: str, kind: str, depth: int = 0) -> list[Record] | None:
        """The records of one full name; None where there is no such name, empty where it has none of this type."""
        name = name.rstrip(".")
        if name.endswith(".in-addr.arpa"):
            return self._reverse(name)
        if not name.endswith("." + DOMAIN):
            address = self.nodes(name) or self.outside.get(name) or outside.address_of(name)
            if address is None:
                return None
            return [(name, "A", address)] if kind in {"A", "ANY"} else []
        labels = name[: -len(DOMAIN) - 1].split(".")
        if len(labels) == 3 and labels[2] == "pod":
            return self._pod(name, labels[0], kind)
        if len(labels) < 3 or labels[-1] != "svc":
            return [] if labels in (["svc"], ["pod"]) else None
        namespace, service_name, rest = labels[-2], labels[-3], labels[:-3]
        service = self.service(namespace, service_name)
        if service is None:
            return None
        if service["spec"].get("type") == "ExternalName":
            return self._external(name, service, kind, depth) if not rest else None
        if rest and rest[0].startswith("_"):
            return self._ports(name, service, rest, kind)
        if service["spec"].get("clusterIP") in {"None", "", None}:
            return self._headless(name, service, rest, kind)
        if rest:
            return None
        ips = service["spec"].get("clusterIPs") or [service["spec"]["clusterIP"]]
        return _addresses(name, ips, kind)

    def _external(self, name: str, service: Object, kind: str, depth: int) -> list[Record]:
        target = service["spec"].get("externalName", "").rstrip(".")
        records = [(name, "CNAME", target)]
        if depth < 8:
            records += self.look_up(target, kind, depth + 1) or []
        return records

    def _endpoints(self, service: Object) -> list[tuple[str, str, bool, Object]]:
        """(host name, address, ready, slice) of each endpoint."""
        meta = service["metadata"]
        early = bool(service["spec"].get("publishNotReadyAddresses"))
        found = []
        for each in self.slices(meta["namespace"], meta["name"]):
            for endpoint in each.get("endpoints") or ():
                ready = (endpoint.get("conditions") or {}).get("ready") is not False
                for ip in endpoint.get("addresses") or ():
                    if ready or early:
                        found.append((endpoint.get("hostname") or ip.replace(".", "-").replace(":", "-"), ip, ready, each))
        return found

    def _headless(self, name: str, service: Object, rest: list[str], kind: str) -> list[Record] | None:
        found = self._endpoints(service)
        if len(rest) > 1:
            return None
        if rest:
            found = [each for each in found if each[0] == rest[0]]
            if not found:
                return None
        if not found:
            return None if not rest else []
        if kind == "SRV":
            return self._srv(name, service, found, "")
        ips = dict.fromkeys(ip for _, ip, _, _ in found)
        return _addresses(name, ips, kind)

    def _ports(self, name: str, service: Object, rest: list[str], kind: str) -> list[Record] | None:
        if len(rest) != 2 or not rest[1].startswith("_"):
            return None
        port_name, protocol = rest[0][1:], rest[1][1:].upper()
        ports = [
            port for port in service["spec"].get("ports") or ()
            if port.get("name") == port_name and port.get("protocol", "TCP") == protocol
        ]
        if not ports:
            return None
        if kind not in {"SRV", "ANY"}:
            return []
        if service["spec"].get("clusterIP") in {"None", "", None}:
            return self._srv(name, service, self._endpoints(service), port_name)
        meta = service["metadata"]
        return [(name, "SRV", f"0 100 {port['port']} {meta['name']}.{meta['namespace']}.svc.{DOMAIN}.") for port in ports]

    def _srv(self, name: str, service: Object, found: list[tuple[str, str, bool, Object]], port_name: str) -> list[Record]:
        meta = service["metadata"]
        share = 100 // max(1, len(found))
        records = []
        for host, _ip, _ready, source in found:
            for port in source.get("ports") or ():
                if (not port_name or port.get("name") == port_name) and port.get("port"):
                    records.append((name, "SRV", f"0 {share} {port['port']} {host}.{meta['name']}.{meta['namespace']}.svc.{DOMAIN}."))
        return records

    @staticmethod
    def _pod(name: str, label: str, kind: str) -> list[Record] | None:
        """10-244-1-5.default.pod.cluster.local."""
        try:
            ip = str(IPv4Address(label.replace("-", ".")))
        except ValueError:
            return None
        return [(name, "A", ip)] if kind in {"A", "ANY"} else []

    def _reverse(self, name: str) -> list[Record] | None:
        """The name behind an address: a service's, or that of an endpoint of a headless service."""
        parts = name.removesuffix(".in-addr.arpa").split(".")
        found = self.names.get(".".join(reversed(parts))) if self.names is not None else None
        return [(name, "PTR", found)] if found else None


def _addresses(name: str, ips: Iterable[str], kind: str) -> list[Record]:
    """The A and AAAA records of a name."""
    records = [(name, "AAAA" if ":" in ip else "A", ip) for ip in ips]
    return [each for each in records if kind in {each[1], "ANY"}]


def names_by_address(services: Iterable[Object], slices: Callable[[str, str], list[Object]]) -> dict[str, str]:
    """Address -> name, for reverse look-ups."""
    found: dict[str, str] = {addresses.DNS_ADDRESS: f"kube-dns.kube-system.svc.{DOMAIN}"}
    for service in services:
        meta, spec = service["metadata"], service["spec"]
        name = f"{meta['name']}.{meta['namespace']}.svc.{DOMAIN}"
        if spec.get("clusterIP") not in {None, "", "None"}:
            found.update(dict.fromkeys(spec.get("clusterIPs") or [spec["clusterIP"]], name))
            continue
        for each in slices(meta["namespace"], meta["name"]) if spec.get("clusterIP") == "None" else ():
            for endpoint in each.get("endpoints") or ():
                for ip in endpoint.get("addresses") or ():
                    found.setdefault(ip, f"{endpoint.get('hostname') or ip.replace('.', '-')}.{name}")
    return found
