"""What a request through the network is made of: its source, its hops, its answer, and the places that it may go to."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple

from clusterlab.network.series import Group

__all__ = ["BODY_MOST", "OUTSIDE_IP", "OUTSIDE_IP_6", "Asked", "Backend", "Exchange", "Hop", "Source", "in_ranges", "is_ip"]


class Hop(NamedTuple):
    """One stop of a request: where, what came there, what was decided, and why."""

    where: str
    what: str
    decision: str
    why: str = ""
    depth: int = 0  # of a call that the request caused, and what that caused in turn


#: Characters of a request's body that are sent.
BODY_MOST = 65_536


class Asked(NamedTuple):
    """A request as a program sees it. `writes`: whether it may change what the program knows; a read of the model may not."""

    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    client: str = ""  # the address that it comes from
    writes: bool = False
    probe: bool = False  # the kubelet asks
    depth: int = 0  # of a call that another request caused

    def header(self, name: str) -> str:
        """A header by its name, in whatever case; "" where there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


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
    led: bool = False  # a header, cookie or parameter has led there, not a weight


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
    """Whether a Service of type LoadBalancer takes traffic from an address. As in kube-proxy, ranges of the other family do not count:
    where none of the address's own family is named, all of that family come in (pkg/proxy/serviceport.go)."""
    try:
        client = ip_address(ip)
        own = [each for each in (ip_network(text.strip(), strict=False) for text in ranges) if each.version == client.version]
        return not own or any(client in each for each in own)
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
