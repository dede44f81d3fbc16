"""Addresses: which range each node hands to its pods, and which address each node has.

Follows pkg/controller/nodeipam/ipam/cidrset in what comes out: node after node the next /24 of the cluster's range.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

__all__ = ["CLUSTER_CIDR", "DNS_ADDRESS", "SERVICE_CIDR", "cluster_cidr", "host", "node_address", "pod_cidr", "room"]

CLUSTER_CIDR = "10.244.0.0/16"
LARGE_CLUSTER_CIDR = "10.128.0.0/9"
SERVICE_CIDR = "10.96.0.0/12"
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
