"""The rules of kube-proxy in nftables mode, as `nft list table ip kube-proxy` prints them.

Follows pkg/proxy/nftables/proxier.go: one chain per service port, endpoints chosen by a random number, addresses looked up in maps.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256

from clusterlab.network.services import Endpoint, Port, ServiceMap, usable

__all__ = ["listing"]


def _named(prefix: str, name: str) -> str:
    """hashAndTruncate: eight letters of a hash before the name."""
    return f"{prefix}-{b32encode(sha256(name.encode()).digest()).decode()[:8]}-{name}"


def listing(services: ServiceMap, node: str, address: str = "", zone: str = "") -> str:
    """The table of a node."""
    elements: dict[str, list[str]] = {name: [] for name in (
        "cluster-ips", "service-ips", "service-nodeports", "no-endpoint-services", "no-endpoint-nodeports", "hairpin-connections")}
    chains: list[str] = []
    for port, every in services.entries:
        _port(port, every, node, zone, elements, chains)
    kinds = {
        "cluster-ips": ("set", "ipv4_addr"), "service-ips": ("map", "ipv4_addr . inet_proto . inet_service : verdict"),
        "service-nodeports": ("map", "inet_proto . inet_service : verdict"),
        "no-endpoint-services": ("map", "ipv4_addr . inet_proto . inet_service : verdict"),
        "no-endpoint-nodeports": ("map", "inet_proto . inet_service : verdict"),
        "hairpin-connections": ("set", "ipv4_addr . ipv4_addr . inet_proto . inet_service"),
    }
    parts = []
    for name, found in elements.items():
        kind, type_ = kinds[name]
        body = f"\t\telements = {{ {(',' + chr(10) + chr(9) * 4 + ' ').join(dict.fromkeys(found))} }}\n" if found else ""
        parts.append(f"\t{kind} {name} {{\n\t\ttype {type_}\n{body}\t}}\n")
    local = f"{{ {address} }}" if address else "type local"
    parts.append(
        "\tchain services {\n\t\tip daddr . meta l4proto . th dport vmap @service-ips\n"
        f"\t\tip daddr {local} meta l4proto . th dport vmap @service-nodeports\n\t}}\n"
        "\tchain masquerading {\n\t\tmark & 0x4000 == 0x4000 mark set mark ^ 0x4000 masquerade fully-random\n"
        "\t\tip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random\n\t}\n")
    return "table ip kube-proxy {\n\tcomment \"rules for kube-proxy\"\n\n" + "\n".join([*parts, *chains]) + "}\n"


def _port(port: Port, every: tuple[Endpoint, ...], node: str, zone: str, elements: dict[str, list[str]], chains: list[str]) -> None:
    protocol = port.protocol.lower()
    name = f"{port.namespace}/{port.service}/{protocol}/{port.name}"
    inside, outside = usable(every, node, port.internal_local, zone), usable(every, node, port.external_local, zone)
    service, external = _named("service", name), _named("external", name)
    for ip in port.cluster_ips:
        elements["cluster-ips"].append(ip)
        if inside:
            elements["service-ips"].append(f"{ip} . {protocol} . {port.port} : goto {service}")
        else:
            elements["no-endpoint-services"].append(f"{ip} . {protocol} . {port.port} : goto reject-chain")
    verdict = "drop" if port.external_local and every else "goto reject-chain"
    for ip in (*port.external_ips, *port.load_balancer_ips):
        known = outside or inside
        where, end = ("service-ips", f"goto {external}") if known else ("no-endpoint-services", verdict)
        elements[where].append(f"{ip} . {protocol} . {port.port} : {end}")
    if port.node_port:
        where, end = ("service-nodeports", f"goto {external}") if outside or inside else ("no-endpoint-nodeports", verdict)
        elements[where].append(f"{protocol} . {port.node_port} : {end}")
    elements["hairpin-connections"] += [f"{each.ip} . {each.ip} . {protocol} . {each.port}" for each in inside if each.node == node]
    if inside:
        chains.append(f"\tchain {service} {{\n{_choice(port, protocol, name, inside, chains)}\t}}\n")
    if (port.node_port or port.external_ips or port.load_balancer_ips) and (outside or inside):
        chains.append(f"\tchain {external} {{\n{_outside(port, protocol, name, service, outside)}\t}}\n")


def _choice(port: Port, protocol: str, name: str, chosen: tuple[Endpoint, ...], chains: list[str]) -> str:
    count = len(chosen)
    if not port.affinity_s:
        targets = ", ".join(f"{number} : {each.ip} . {each.port}" for number, each in enumerate(chosen))
        return f"\t\tmeta l4proto {protocol} dnat ip to numgen random mod {count} map {{ {targets} }}\n"
    text = ""
    found: list[str] = []
    for number, each in enumerate(chosen):
        tail = f"{name}__{each.ip}/{each.port}"
        affinity, endpoint = _named("affinity", tail), _named("endpoint", tail)
        text += f"\t\tip saddr @{affinity} goto {endpoint}\n"
        found.append(f"{number} : goto {endpoint}")
        lasts = f"\t\tflags dynamic,timeout\n\t\ttimeout {port.affinity_s}s\n"
        chains.append(f"\tset {affinity} {{\n\t\ttype ipv4_addr\n\t\tsize 65535\n{lasts}\t}}\n")
        chains.append(f"\tchain {endpoint} {{\n\t\tupdate @{affinity} {{ ip saddr }}\n\t\tmeta l4proto {protocol} dnat to {each.ip}:"
                      f"{each.port}\n\t}}\n")
    return text + f"\t\tnumgen random mod {count} vmap {{ {', '.join(found)} }}\n"


def _outside(port: Port, protocol: str, name: str, service: str, outside: tuple[Endpoint, ...]) -> str:
    if not port.external_local:
        return f"\t\tmark set mark | 0x4000 comment \"masquerade\"\n\t\tgoto {service}\n"
    text = (
        f"\t\tip saddr 10.244.0.0/16 goto {service} comment \"short-circuit pod traffic\"\n"
        "\t\tfib saddr type local mark set mark | 0x4000 comment \"masquerade local traffic\"\n"
        f"\t\tfib saddr type local goto {service} comment \"short-circuit local traffic\"\n")
    targets = ", ".join(f"{number} : {each.ip} . {each.port}" for number, each in enumerate(outside))
    return text + (f"\t\tmeta l4proto {protocol} dnat ip to numgen random mod {len(outside)} map {{ {targets} }}\n" if outside else "")
