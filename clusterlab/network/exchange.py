"""What a request through the network is made of: its source, its hops, its answer, and the places that it may go to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any, NamedTuple

from clusterlab.network.series import Group

__all__ = ["OUTSIDE_IP", "OUTSIDE_IP_6", "Backend", "Exchange", "Hop", "Source", "in_ranges", "is_ip"]


class Hop(NamedTuple):
    """One stop of a request: where, what came there, what was decided, and why."""

    where: str
    what: str
    decision: str
    why: str = ""
    depth: int = 0  # of a call that the request caused, and what that caused in turn


class Exchange(NamedTuple):
    """A request and its answer. `error`: "", name, refused, timeout or other words."""

    error: str
    address: str = ""
    status: int = 0
    body: str = ""
    latency_us: int = 0
    hops: tuple[Hop, ...] = ()
    pod: str = ""  # that answered, namespace/name
    container: str = ""  # its id
    cpu_us: int = 0
    headers: tuple[tuple[str, str], ...] = ()  # of the answer, besides the usual ones
    by: str = ""  # "api" where the API server answered


class Backend(NamedTuple):
    """One place that requests to an address may go to now, with its share of them."""

    weight: int
    error: str
    runtime: Any = None
    container_id: str = ""
    serve: Any = None
    pod: str = ""
    latency_us: int = 0  # on the way, there and back
    status: int = 0  # of an answer made on the way
    group: Group = Group()  # as whose requests they are counted
    at: tuple[str, str, int, str] = ("", "", 0, "")  # node, pod's uid, port and address of a pod


class Source(NamedTuple):
    """Where a request comes from: a pod, a node, or outside the cluster. With a namespace, names are resolved as in its pods."""

    node: str = ""
    uid: str = ""
    ip: str = ""
    name: str = "outside"
    namespace: str = ""


#: The addresses of a client outside of the cluster, of the ranges that RFC 5737 and RFC 3849 keep for documentation.
OUTSIDE_IP, OUTSIDE_IP_6 = "192.0.2.1", "2001:db8::1"


def in_ranges(ip: str, ranges: tuple[str, ...]) -> bool:
    """Whether a Service of type LoadBalancer takes traffic from an address."""
    try:
        return not ranges or any(IPv4Address(ip) in IPv4Network(each.strip(), strict=False) for each in ranges)
    except ValueError:
        return False


def is_ip(text: str) -> bool:
    """Whether a text is an address of either family."""
    if ":" in text:
        try:
            return bool(IPv6Address(text))
        except ValueError:
            return False
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() and len(part) <= 3 and int(part) < 256 for part in parts)
