"""Whether a pod's questions reach CoreDNS: the Service kube-dns, its endpoints, the policies and the nodes on the way.

In a cluster with addons, names are answered by the pods behind the nameserver's address, as kube-proxy's rules on the client's node
have it. A resolver asks again when no answer comes, so one endpoint that can be reached is enough (resolv.conf(5): attempts).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.network import addresses, dns, policy

if TYPE_CHECKING:
    from clusterlab.network.fabric import Fabric
    from clusterlab.network.trip import Source

__all__ = ["PORT", "obstacle"]

PORT = 53


def obstacle(fabric: Fabric, source: Source, resolver: dns.Resolver) -> str:
    """Why no nameserver answers this client, in plain words; "" where one does."""
    if not source.node or addresses.DNS_ADDRESS not in resolver.nameservers:
        return ""
    if not fabric.cluster_dns:
        return _forbidden(fabric, source)
    proxy = fabric.component(f"kube-proxy/{source.node}")
    entry = proxy.map.at(addresses.DNS_ADDRESS, PORT, "UDP") if proxy is not None else None
    if entry is None:
        return f"no rule on {source.node} is about {addresses.DNS_ADDRESS}:{PORT}, the address of the nameserver"
    chosen = proxy.choices(entry[0], entry[1], False)
    if not chosen:
        return "the Service kube-dns has no ready endpoints"
    reasons = [_unreachable(fabric, source, each.ip, each.port) for each in chosen]
    return "" if "" in reasons else reasons[0]


def _forbidden(fabric: Fabric, source: Source) -> str:
    """Without addons somebody answers names at the address of kube-dns; policies see pods of CoreDNS there all the same."""
    services = fabric.component("kube-proxy")
    policies = services.policies.store.values() if services is not None else ()
    if not policies or not source.uid:
        return ""
    labels, ports = (("kubernetes.io/metadata.name", "kube-system"),), (("dns", PORT), ("dns-tcp", PORT))
    server = policy.Peer(addresses.DNS_ADDRESS, "kube-system", (("k8s-app", "kube-dns"),), labels, True, ports)
    verdict = policy.allowed(policies, fabric.client(source, addresses.DNS_ADDRESS), server, PORT, "UDP")
    return "" if verdict.allowed else verdict.why


def _unreachable(fabric: Fabric, source: Source, ip: str, port: int) -> str:
    at = fabric.pod_at(ip)
    if at is None:
        return f"no pod has the address {ip} (any more)"
    node, uid = at
    services = fabric.component("kube-proxy")
    policies = services.policies.store.values() if services is not None else ()
    if policies:
        verdict = policy.allowed(policies, fabric.client(source, ip), fabric.peer(node, uid, ip), port, "UDP")
        if not verdict.allowed:
            return verdict.why
    if not fabric.component(f"runtime/{node}").up:
        return f"{node}, where CoreDNS runs, is down"
    if fabric.link(source.node, node)[1] >= 1_000_000:
        return f"the link to {node}, where CoreDNS runs, loses everything"
    return ""
