"""The rules of kube-proxy in iptables mode, as text that a learner can read.

Follows pkg/proxy/iptables/proxier.go (syncProxyRules): chains per service port and per endpoint, named by hashes as there.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256

from clusterlab.network.services import Endpoint, Port, ServiceMap, usable

__all__ = ["chain", "save"]


def chain(prefix: str, text: str, protocol: str) -> str:
    """The name of a chain: the first sixteen letters of a hash (portProtoHash)."""
    return prefix + b32encode(sha256((text + protocol.lower()).encode()).digest()).decode()[:16]


def endpoint_chain(label: str, protocol: str, endpoint: Endpoint) -> str:
    text = label + protocol.lower() + f"{endpoint.ip}:{endpoint.port}"
    return "KUBE-SEP-" + b32encode(sha256(text.encode()).digest()).decode()[:16]


def save(services: ServiceMap, node: str, revision: int = 0) -> str:
    """What `iptables-save` shows of kube-proxy's rules on a node."""
    chains: list[str] = ["KUBE-MARK-MASQ", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-SERVICES"]
    entry: list[str] = []
    node_ports: list[str] = []
    rules: list[str] = []
    rejects: list[str] = []
    for port, every in services.entries:
        _one(port, every, node, chains, entry, node_ports, rules, rejects)
    entry.append(
        '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" '
        "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
    )
    nat = [
        "*nat", *(f":{name} - [0:0]" for name in chains), "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN", "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
        '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE',
        *node_ports, *rules, *entry, "COMMIT",
    ]
    filters = [
        "*filter", ":KUBE-NODEPORTS - [0:0]", ":KUBE-SERVICES - [0:0]", ":KUBE-EXTERNAL-SERVICES - [0:0]", ":KUBE-FORWARD - [0:0]",
        *rejects, "-A KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP",
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED '
        "-j ACCEPT", "COMMIT",
    ]
    return "\n".join([f"# rules of kube-proxy on {node}, sync {revision}", *filters, *nat, ""])


def _one(
    port: Port, every: tuple[Endpoint, ...], node: str, chains: list[str], entry: list[str], node_ports: list[str],
    rules: list[str], rejects: list[str],
) -> None:
    label, protocol = port.label, port.protocol.lower()
    inside = usable(every, node, port.internal_local)
    outside = usable(every, node, port.external_local)
    service = chain("KUBE-SVC-", label, port.protocol)
    external = chain("KUBE-EXT-", label, port.protocol)
    match = f'-p {protocol} -m comment --comment "{label}'
    if not inside:
        rejects.append(
            f'-A KUBE-SERVICES -d {port.cluster_ips[0]}/32 {match} has no endpoints" -m {protocol} --dport {port.port} -j REJECT'
        )
    else:
        chains.append(service)
        entry.append(
            f'-A KUBE-SERVICES -d {port.cluster_ips[0]}/32 {match} cluster IP" -m {protocol} --dport {port.port} -j {service}'
        )
        rules.append(
            f'-A {service} ! -s 10.244.0.0/16 -d {port.cluster_ips[0]}/32 {match} cluster IP" -m {protocol} --dport {port.port} '
            "-j KUBE-MARK-MASQ"
        )
    if port.node_port or port.load_balancer_ips or port.external_ips:
        _external(port, label, protocol, match, service, external, outside, chains, entry, node_ports, rules, rejects)
    _balance(port, label, service, inside, chains, rules)
    if port.external_local and outside:
        _balance(port, label, chain("KUBE-SVL-", label, port.protocol), outside, chains, rules)


def _external(
    port: Port, label: str, protocol: str, match: str, service: str, external: str, outside: tuple[Endpoint, ...],
    chains: list[str], entry: list[str], node_ports: list[str], rules: list[str], rejects: list[str],
) -> None:
    if not outside:
        if port.node_port:
            why = "has no local endpoints" if port.external_local else "has no endpoints"
            end = "DROP" if port.external_local else "REJECT"
            rejects.append(
                f'-A KUBE-EXTERNAL-SERVICES {match} {why}" -m addrtype --dst-type LOCAL -m {protocol} --dport {port.node_port} '
                f"-j {end}"
            )
        return
    chains.append(external)
    if port.external_local:
        local = chain("KUBE-SVL-", label, port.protocol)
        rules.append(f'-A {external} -s 10.244.0.0/16 -m comment --comment "pod traffic for {label} external destinations" -j {service}')
        rules.append(f"-A {external} -j {local}")
    else:
        rules.append(f'-A {external} -m comment --comment "masquerade traffic for {label} external destinations" -j KUBE-MARK-MASQ')
        rules.append(f"-A {external} -j {service}")
    if port.node_port:
        node_ports.append(f'-A KUBE-NODEPORTS {match}" -m {protocol} --dport {port.node_port} -j {external}')
    for ip in port.external_ips:
        entry.append(f'-A KUBE-SERVICES -d {ip}/32 {match} external IP" -m {protocol} --dport {port.port} -j {external}')
    for ip in port.load_balancer_ips:
        entry.append(f'-A KUBE-SERVICES -d {ip}/32 {match} loadbalancer IP" -m {protocol} --dport {port.port} -j {external}')


def _balance(port: Port, label: str, name: str, chosen: tuple[Endpoint, ...], chains: list[str], rules: list[str]) -> None:
    """One rule per endpoint, each taken with the probability that makes all of them equally likely."""
    if chosen and name not in chains:
        chains.append(name)
    if port.affinity_s:
        for each in chosen:
            target = endpoint_chain(label, port.protocol, each)
            rules.append(
                f'-A {name} -m comment --comment "{label} -> {each.ip}:{each.port}" -m recent --rcheck --seconds {port.affinity_s} '
                f"--reap --name {target} --mask 255.255.255.255 --rsource -j {target}"
            )
    for number, each in enumerate(chosen):
        target = endpoint_chain(label, port.protocol, each)
        left = len(chosen) - number
        chance = f" -m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
        rules.append(f'-A {name} -m comment --comment "{label} -> {each.ip}:{each.port}"{chance} -j {target}')
    for each in chosen:
        target = endpoint_chain(label, port.protocol, each)
        if target in chains:
            continue
        chains.append(target)
        protocol = port.protocol.lower()
        recent = f" -m recent --set --name {target} --mask 255.255.255.255 --rsource" if port.affinity_s else ""
        rules.append(f'-A {target} -s {each.ip}/32 -m comment --comment "{label}" -j KUBE-MARK-MASQ')
        rules.append(
            f'-A {target} -p {protocol} -m comment --comment "{label}"{recent} -m {protocol} -j DNAT '
            f"--to-destination {each.ip}:{each.port}"
        )
