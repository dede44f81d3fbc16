"""The addresses of Services: which ranges there are, what may be had of them, which one comes next.

Follows pkg/registry/core/service/ipallocator/{cidrallocator,ipallocator}.go. Ranges are read off the ServiceCIDRs and what is taken off
the Services and IPAddresses, so there is no state of an allocator.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

__all__ = ["FULL", "ServiceAddresses"]

FULL = "range is full"
_OTHER_NETWORK = "the provided network does not match the current range"
_TRIES = 4096
#: (least, most, what part of the range) is kept for addresses that are asked for by hand (calculateRangeOffset).
_BAND = (16, 256, 16)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class ServiceAddresses:
    """The addresses that one write may be given. `taken`: those of other Services. A dry run takes none."""

    def __init__(self, server: ApiServer, taken: set[str], dry_run: bool) -> None:
        self._server, self._taken, self._dry_run = server, taken, dry_run

    def refusal(self, given: str) -> str:
        """Why an address that was asked for cannot be had, "" if it can. Raises ValueError for what is no address."""
        address = ip_address(given)
        ranges = self._ranges(address.version)
        if self._dry_run:  # asks one range, whether or not it is the address's, and does not look at what is taken
            if not ranges:
                return "allocator not ready"
            return "" if any(_has(each, address) for each in ranges) else _outside(given, ranges[0])
        if not any(_has(each, address) for each in ranges):
            return _OTHER_NETWORK
        return "provided IP is already allocated" if self._is_taken(given) else ""

    def free(self, version: int) -> str:
        """An address of a family (4 or 6) that nobody has, "" where all are taken."""
        ranges = self._ranges(version)
        if self._dry_run:
            return str(ranges[0].network_address) if ranges else ""
        stream = self._server.sim.rng("service-addresses" if version == 4 else "service-addresses-6")
        if len(ranges) > 1:
            first = stream.randint(0, len(ranges) - 1)
            ranges = ranges[first:] + ranges[:first]
        for network in ranges:
            first_number, last_number, band = _bounds(network)
            for low, high in ((first_number + band, last_number), (first_number, first_number + band - 1)):
                if high < low:
                    continue
                start = stream.randint(low, high)
                for number in (*range(start, min(start + _TRIES, high + 1)), *range(low, min(start, low + _TRIES))):
                    address = str(network.network_address + (number - int(network.network_address)))
                    if not self._is_taken(address):
                        return address
        return ""

    def _is_taken(self, address: str) -> bool:
        return address in self._taken or address in self._server.stores["ipaddresses"].bucket.objects

    def _ranges(self, version: int) -> list[Network]:
        """The ranges of a family that are ready, each once."""
        found: dict[Network, None] = {}
        for cidr in self._server.stores["servicecidrs"].bucket.objects.values():
            if cidr["metadata"].get("deletionTimestamp") is None and _ready(cidr):
                found.update((network, None) for network in map(ip_network, cidr["spec"]["cidrs"]) if network.version == version)
        return list(found)


def _ready(cidr: dict[str, Any]) -> bool:
    """As long as nobody has said anything, a range is ready."""
    for condition in (cidr.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready":
            return bool(condition["status"] == "True")
    return True


def _bounds(network: Network) -> tuple[int, int, int]:
    """The first and the last address as numbers, and how many at the beginning come last."""
    least, most, part = _BAND
    first, size = int(network.network_address) + 1, network.num_addresses
    last = first + size - 2 - (1 if network.version == 4 else 0)
    return first, last, 0 if size <= least else max(least, min(most, size // part))


def _has(network: Network, address: Address) -> bool:
    first, last, _ = _bounds(network)
    return network.version == address.version and first <= int(address) <= last


def _outside(given: str, network: Network) -> str:
    return f"the provided IP ({given}) is not in the valid range. The range of valid IPs is {network}"
