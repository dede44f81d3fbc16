"""The virtual servers of kube-proxy in IPVS mode, as `ipvsadm -Ln` prints them. Follows pkg/proxy/ipvs/proxier.go."""

from __future__ import annotations

from clusterlab.network.addresses import shown
from clusterlab.network.services import Endpoint, Port, ServiceMap, usable

__all__ = ["listing"]

_HEAD = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
"""


def listing(services: ServiceMap, node: str, address: str = "", zone: str = "", v6: ServiceMap | None = None) -> str:
    """All virtual servers of a node, each with its real servers."""
    lines: list[str] = []
    for port, every in (*services.entries, *(v6.entries if v6 is not None else ())):
        inside = usable(every, node, port.internal_local, zone)
        outside = usable(every, node, port.external_local, zone)
        for ip in port.cluster_ips:
            lines += _server(port, ip, port.port, inside)
        for ip in (*port.external_ips, *port.load_balancer_ips):
            lines += _server(port, ip, port.port, outside)
        if port.node_port and address and not any(":" in each for each in port.cluster_ips):
            lines += _server(port, address, port.node_port, outside)
    return _HEAD + "".join(line + "\n" for line in lines)


def _server(port: Port, ip: str, number: int, chosen: tuple[Endpoint, ...]) -> list[str]:
    persistent = f" persistent {port.affinity_s}" if port.affinity_s else ""
    lines = [f"{port.protocol}  {shown(ip, number)} rr{persistent}"]
    for each in chosen:
        target = shown(each.ip, each.port)
        lines.append(f"  -> {target:<28} Masq    1      0          0         ")
    return lines
