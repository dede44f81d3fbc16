"""The order of ports in Endpoints and EndpointSlices: that of their hashes.

Follows portsByHash in pkg/api/v1/endpoints/util.go and portsInOrder in staging/src/k8s.io/endpointslice/util/controller_utils.go.
"""

from __future__ import annotations

from functools import lru_cache

from clusterlab.machinery.go_dump import dump
from clusterlab.machinery.meta import Object, fnv128a

__all__ = ["CORE", "DISCOVERY", "ports_by_hash"]

#: The group whose type of port is hashed.
CORE, DISCOVERY = "core", "discovery"


def ports_by_hash(ports: list[Object], group: str) -> list[Object]:
    """Ports ({name, port, protocol, appProtocol?}) as Kubernetes orders them in Endpoints (CORE) or EndpointSlices (DISCOVERY)."""
    return sorted(ports, key=lambda each: _hash(group, tuple(each.items()))) if len(ports) > 1 else ports


@lru_cache(4096)
def _hash(group: str, port: tuple[tuple[str, str | int], ...]) -> int:
    return fnv128a(dump(f"io.k8s.api.{group}.v1.EndpointPort", dict(port)).encode())
