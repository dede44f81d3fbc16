"""Addresses: which range each node hands to its pods, and which address each node has.

Follows pkg/controller/nodeipam/ipam/cidrset in what comes out: node after node the next /24 of the cluster's range.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

__all__ = [
    "CLUSTER_CIDR", "CLUSTER_CIDR_6", "DNS_ADDRESS", "SERVICE_CIDR", "SERVICE_CIDR_6", "cluster_cidr", "host", "node_address",
    "node_address_6", "pod_address_6", "pod_cidr", "pod_cidr_6", "room", "shown",
]

CLUSTER_CIDR = "10.244.0.0/16"
LARGE_CLUSTER_CIDR = "10.128.0.0/9"
SERVICE_CIDR = "10.96.0.0/12"
#: The second ranges of a dual-stack cluster, as kind has them.
CLUSTER_CIDR_6 = "fd00:10:244::/48"
SERVICE_CIDR_6 = "fd00:10:96::/112"
DNS_ADDRESS = "10.96.0.10"
_NODES = int(IPv4Address("172.18.0.2"))


def cluster_cidr(nodes: int) -> str:
    """The range of all pods of a cluster with so many nodes."""
    return CLUSTER_CIDR if nodes <= 250 else LARGE_CLUSTER_CIDR


def pod_cidr(number: int, nodes: int) -> str:
    """The range of the pods of the node with this number (from 0)."""
    base = int(IPv4Network(cluster_cidr(nodes)).network_address)
    return f"{IPv4Address(base + (number << 8))}/24"


def node_address(number: int) -> str:
    """The address of the node with this number (from 0)."""
    return str(IPv4Address(_NODES + number))


def pod_cidr_6(number: int) -> str:
    """The second range of a node's pods in a dual-stack cluster."""
    return f"{IPv6Address(int(IPv6Network(CLUSTER_CIDR_6).network_address) + (number << 64))}/64"


def node_address_6(number: int) -> str:
    """A node's second address in a dual-stack cluster."""
    return f"fc00:f853:ccd:e793::{number + 2:x}"


def pod_address_6(cidr: str, cidr_6: str, ip: str) -> str:
    """A pod's second address: as far into its node's second range as its first one is into the first."""
    number = int(IPv4Address(ip)) - _base(cidr)
    return str(IPv6Address(int(IPv6Network(cidr_6).network_address) + number))


@lru_cache(maxsize=8192)
def _base(cidr: str) -> int:
    return int(IPv4Network(cidr).network_address)


def room(cidr: str) -> int:
    """How many addresses a range has."""
    return int(IPv4Network(cidr).num_addresses)


def host(cidr: str, number: int) -> str:
    """One address of a range."""
    value = _base(cidr) + number
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def shown(ip: str, port: int) -> str:
    """An address with a port, as Go joins them."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
