"""The rules of kube-proxy in iptables mode, as `iptables-save` prints them.

Follows pkg/proxy/iptables/proxier.go (syncProxyRules, writeServiceToEndpointRules): chains per service port and per endpoint, named by
hashes as there, and the jumps into them from the kernel's own chains.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256

from clusterlab.network.addresses import CLUSTER_CIDR, shown
from clusterlab.network.services import Endpoint, Port, ServiceMap, usable

__all__ = ["chain", "save"]

Table = dict[str, list[str]]
_MARK = "0x4000/0x4000"


def _hash(text: str) -> str:
    return b32encode(sha256(text.encode()).digest()).decode()[:16]


def chain(prefix: str, text: str, protocol: str) -> str:
    """The name of a chain: the first sixteen letters of a hash (portProtoHash)."""
    return prefix + _hash(text + protocol.lower())


def endpoint_chain(label: str, protocol: str, endpoint: Endpoint) -> str:
    """The name of an endpoint's chain (servicePortEndpointChainName)."""
    return "KUBE-SEP-" + _hash(label + protocol.lower() + shown(endpoint.ip, endpoint.port))


def _comment(text: str) -> str:
    return f'-m comment --comment "{text}"' if " " in text else f"-m comment --comment {text}"


def save(services: ServiceMap, node: str, revision: int = 0, cluster_cidr: str = CLUSTER_CIDR, zone: str = "", v6: bool = False) -> str:
    """What `iptables-save` shows of kube-proxy's rules on a node; `v6`: what `ip6tables-save` does."""
    nat: Table = {name: [] for name in ("KUBE-MARK-MASQ", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-SERVICES")}
    filters: Table = {name: [] for name in (
        "KUBE-EXTERNAL-SERVICES", "KUBE-FIREWALL", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL", "KUBE-SERVICES")}
    for port, every in services.entries:
        _Rules(port, every, node, zone, cluster_cidr, nat, filters, v6).write()
    nat["KUBE-SERVICES"].append(
        _comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")
        + " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
    nat["KUBE-MARK-MASQ"].append(f"-j MARK --set-xmark {_MARK}")
    nat["KUBE-POSTROUTING"] += [
        f"-m mark ! --mark {_MARK} -j RETURN", "-j MARK --set-xmark 0x4000/0x0",
        _comment("kubernetes service traffic requiring SNAT") + " -j MASQUERADE --random-fully"]
    if not v6:
        filters["KUBE-FIREWALL"].append(
            "! -s 127.0.0.0/8 -d 127.0.0.0/8 " + _comment("block incoming localnet connections")
            + " -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP")
    filters["KUBE-FORWARD"] += [
        "-m conntrack --ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP",
        _comment("kubernetes forwarding rules") + f" -m mark --mark {_MARK} -j ACCEPT",
        _comment("kubernetes forwarding conntrack rule") + " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
    portals, health = _comment("kubernetes service portals"), _comment("kubernetes health check service ports")
    balancer, visible = _comment("kubernetes load balancer firewall"), _comment("kubernetes externally-visible service portals")
    new = "-m conntrack --ctstate NEW "
    entry_nat = {
        "PREROUTING": [f"{portals} -j KUBE-SERVICES"], "INPUT": [], "OUTPUT": [f"{portals} -j KUBE-SERVICES"],
        "POSTROUTING": [_comment("kubernetes postrouting rules") + " -j KUBE-POSTROUTING"]}
    entry_filter = {
        "INPUT": [f"{new}{balancer} -j KUBE-PROXY-FIREWALL", f"{health} -j KUBE-NODEPORTS", f"{new}{visible} -j KUBE-EXTERNAL-SERVICES",
                  "-j KUBE-FIREWALL"],
        "FORWARD": [f"{new}{balancer} -j KUBE-PROXY-FIREWALL", _comment("kubernetes forwarding rules") + " -j KUBE-FORWARD",
                    f"{new}{portals} -j KUBE-SERVICES", f"{new}{visible} -j KUBE-EXTERNAL-SERVICES"],
        "OUTPUT": [f"{new}{balancer} -j KUBE-PROXY-FIREWALL", f"{new}{portals} -j KUBE-SERVICES", "-j KUBE-FIREWALL"]}
    return "\n".join([f"# rules of kube-proxy on {node}, sync {revision}", *_table("filter", entry_filter, filters),
                      *_table("nat", entry_nat, nat), ""])


def _table(name: str, entries: Table, chains: Table) -> list[str]:
    ordered = {**entries, **{each: chains[each] for each in sorted(chains)}}
    heads = [f":{each} {'ACCEPT' if each in entries else '-'} [0:0]" for each in ordered]
    return [f"*{name}", *heads, *(f"-A {each} {rule}" for each, rules in ordered.items() for rule in rules), "COMMIT"]


class _Rules:
    """The rules of one port of one service."""

    def __init__(
        self, port: Port, every: tuple[Endpoint, ...], node: str, zone: str, cidr: str, nat: Table, filters: Table, v6: bool = False,
    ) -> None:
        self.port, self.every, self.cidr, self.nat, self.filters = port, every, cidr, nat, filters
        self.label, self.protocol, self.v6 = port.label, port.protocol.lower(), v6
        self.whole, self.reject = ("/128", "icmp6-port-unreachable") if v6 else ("/32", "icmp-port-unreachable")
        self.mask = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" if v6 else "255.255.255.255"
        self.inside, self.outside = (usable(every, node, local, zone) for local in (port.internal_local, port.external_local))
        self.service = chain("KUBE-SVC-", self.label, port.protocol)
        self.external = chain("KUBE-EXT-", self.label, port.protocol)
        self.local = chain("KUBE-SVL-", self.label, port.protocol)
        self.firewall = chain("KUBE-FW-", self.label, port.protocol)

    def write(self) -> None:
        port = self.port
        for ip in port.cluster_ips:
            if (":" in ip) == self.v6:
                self._cluster_ip(ip)
        addresses = (*port.external_ips, *port.load_balancer_ips)
        if port.health_node_port and port.external_local:
            rule = _comment(f"{self.label} health check node port")
            self.filters["KUBE-NODEPORTS"].append(f"-p tcp {rule} -m tcp --dport {port.health_node_port} -j ACCEPT")
        if port.node_port or addresses:
            self._from_outside()
        if self.inside:
            self._balance(self.service, self.inside)
        if port.external_local and self.outside:
            self._balance(self.local, self.outside)

    def _match(self, why: str, ip: str = "", number: int = 0) -> str:
        where = f"-d {ip}{self.whole} " if ip else ""
        return f"{where}-p {self.protocol} {_comment(f'{self.label} {why}'.strip())} -m {self.protocol} --dport {number or self.port.port}"

    def _cluster_ip(self, ip: str) -> None:
        if not self.inside:
            self.filters["KUBE-SERVICES"].append(self._match("has no endpoints", ip) + f" -j REJECT --reject-with {self.reject}")
            return
        self.nat["KUBE-SERVICES"].append(f"{self._match('cluster IP', ip)} -j {self.service}")
        self.nat.setdefault(self.service, []).append(f"! -s {self.cidr} {self._match('cluster IP', ip)} -j KUBE-MARK-MASQ")

    def _from_outside(self) -> None:
        port = self.port
        where, why, end = self.filters["KUBE-EXTERNAL-SERVICES"], "has no endpoints", f"REJECT --reject-with {self.reject}"
        if port.external_local and self.every:
            why, end = "has no local endpoints", "DROP"
        if not self.outside:
            where += [f"{self._match(why, ip)} -j {end}" for ip in (*port.external_ips, *port.load_balancer_ips)]
            if port.node_port:
                rule = self._match(why, "", port.node_port).replace(f" -m {self.protocol} --dport", f" -m addrtype --dst-type LOCAL -m "
                                                                     f"{self.protocol} --dport")
                where.append(f"{rule} -j {end}")
        if not (self.outside or self.inside):
            return
        ranges = tuple(each for each in port.source_ranges if (":" in each) == self.v6)
        self.nat["KUBE-SERVICES"] += [f"{self._match('external IP', ip)} -j {self.external}" for ip in port.external_ips]
        to = self.firewall if ranges else self.external
        self.nat["KUBE-SERVICES"] += [f"{self._match('loadbalancer IP', ip)} -j {to}" for ip in port.load_balancer_ips]
        if port.node_port:
            rule = self._match("", "", port.node_port)
            local = f"-d 127.0.0.0/8 {rule} -m nfacct --nfacct-name localhost_nps_accepted_pkts -j {self.external}"
            self.nat["KUBE-NODEPORTS"] += [*([] if self.v6 else [local]), f"{rule} -j {self.external}"]
        self._external_chain()
        if ranges and port.load_balancer_ips:
            self._firewall_chain(ranges)

    def _external_chain(self) -> None:
        rules = self.nat.setdefault(self.external, [])
        what = f"{self.label} external destinations"
        if not self.port.external_local:
            rules += [f"{_comment(f'masquerade traffic for {what}')} -j KUBE-MARK-MASQ", f"-j {self.service}"]
            return
        local = "-m addrtype --src-type LOCAL"
        rules += [
            f"-s {self.cidr} {_comment(f'pod traffic for {what}')} -j {self.service}",
            f"{_comment(f'masquerade LOCAL traffic for {what}')} {local} -j KUBE-MARK-MASQ",
            f"{_comment(f'route LOCAL traffic for {what}')} {local} -j {self.service}"]
        if self.outside:
            rules.append(f"-j {self.local}")

    def _firewall_chain(self, ranges: tuple[str, ...]) -> None:
        rule = _comment(f"{self.label} loadbalancer IP")
        self.nat[self.firewall] = [
            *(f"-s {each.strip()} {rule} -j {self.external}" for each in ranges),
            _comment(f"other traffic to {self.label} will be dropped by KUBE-PROXY-FIREWALL")]
        self.filters["KUBE-PROXY-FIREWALL"] += [
            f"{self._match(f'traffic not accepted by {self.firewall}', ip)} -j DROP" for ip in self.port.load_balancer_ips]

    def _balance(self, name: str, chosen: tuple[Endpoint, ...]) -> None:
        """One rule for each endpoint, taken with the probability that makes all of them equally likely."""
        rules = self.nat.setdefault(name, [])
        affinity = self.port.affinity_s
        for each in chosen if affinity else ():
            target = endpoint_chain(self.label, self.port.protocol, each)
            recent = f"-m recent --rcheck --seconds {affinity} --reap --name {target} --mask {self.mask} --rsource"
            rules.append(f"{_comment(f'{self.label} -> {shown(each.ip, each.port)}')} {recent} -j {target}")
        for number, each in enumerate(chosen):
            left = len(chosen) - number
            chance = f" -m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
            target = endpoint_chain(self.label, self.port.protocol, each)
            rules.append(f"{_comment(f'{self.label} -> {shown(each.ip, each.port)}')}{chance} -j {target}")
            recent = f" -m recent --set --name {target} --mask {self.mask} --rsource" if affinity else ""
            to = shown(each.ip, each.port)
            self.nat[target] = [
                f"-s {each.ip}{self.whole} {_comment(self.label)} -j KUBE-MARK-MASQ",
                f"-p {self.protocol} {_comment(self.label)}{recent} -m {self.protocol} -j DNAT --to-destination {to}"]
