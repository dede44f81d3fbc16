"""The world beyond the cluster, as far as pods reach for it: public names have addresses, and a page answers there.

Addresses are those that RFC 5737 keeps for documentation, so that none of them is anybody's. Nothing leaves the process.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address

__all__ = ["LATENCY_US", "address_of", "is_outside", "page"]

LATENCY_US = 20_000
#: Top-level domains under which any name is taken to exist.
_PUBLIC = frozenset(("com", "org", "net", "io", "ch", "edu", "gov", "de", "uk", "eu"))
_PREFIXES = ("192.0.2.", "198.51.100.", "203.0.113.")
#: What shows a client's own address, as people look it up.
_ECHO = frozenset(("ifconfig.me", "icanhazip.com", "api.ipify.org"))


@lru_cache(maxsize=1024)
def address_of(name: str) -> str | None:
    """The address of a public name; None where there is no such name."""
    plain = name.lower().rstrip(".")
    labels = plain.split(".")
    if len(labels) < 2 or labels[-1] not in _PUBLIC or not all(labels) or len(plain) > 253:
        return None
    digest = sha256(plain.encode()).digest()
    return f"{_PREFIXES[1]}{digest[1] % 253 + 1}"  # the third prefix has the addresses of load balancers


@lru_cache(maxsize=1024)
def is_outside(ip: str) -> bool:
    """Whether an address is one of that world: those that names have here, and all that the internet routes (1.1.1.1, 8.8.8.8)."""
    if ip.startswith(_PREFIXES[1:]):
        return True
    try:
        return IPv4Address(ip).is_global
    except ValueError:
        return False


def page(host: str, client_ip: str) -> str:
    """What a server out there answers."""
    if host in _ECHO:
        return client_ip + "\n"
    return f"<html><head><title>{host}</title></head>\n<body><h1>{host}</h1></body></html>\n"
