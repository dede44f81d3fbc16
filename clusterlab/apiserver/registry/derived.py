"""Objects that other objects imply: an IPAddress for each Service address, a CSINode for each node.

In Kubernetes the allocator of service addresses (pkg/registry/core/service/ipallocator/ipallocator.go) and the kubelet
(pkg/volume/csi/nodeinfomanager) write them. Here they are worked out when somebody reads or watches them, so that they cost nothing
and cannot be wrong; those that a client made itself come first. They cannot be deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry import read
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["DERIVED", "implied", "source_of"]

_MIGRATED = ",".join(f"kubernetes.io/{name}" for name in (
    "aws-ebs", "azure-disk", "azure-file", "cinder", "gce-pd", "portworx-volume", "vsphere-volume",
))


def _uid(of: str) -> str:
    text = hashlib.blake2b(of.encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def _meta(name: str, owner: Object, **more: Any) -> Object:
    meta = owner["metadata"]
    return {
        "name": name, "uid": _uid(f"{meta['uid']}/{name}"), "resourceVersion": meta["resourceVersion"],
        "creationTimestamp": meta["creationTimestamp"], **more,
    }


def _addresses(service: Object) -> dict[str, Object]:
    found = {}
    for address in service["spec"].get("clusterIPs") or ():
        if address in ("", "None"):
            continue
        labels = {"ipaddress.kubernetes.io/ip-family": "IPv6" if ":" in address else "IPv4",
                  "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
        parent = {"resource": "services", "namespace": service["metadata"]["namespace"], "name": service["metadata"]["name"]}
        found[address] = {
            "kind": "IPAddress", "apiVersion": "networking.k8s.io/v1", "metadata": _meta(address, service, labels=labels),
            "spec": {"parentRef": parent},
        }
    return found


def _csi_node(node: Object) -> dict[str, Object]:
    name = node["metadata"]["name"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
    notes = {"storage.alpha.kubernetes.io/migrated-plugins": _MIGRATED}
    return {name: {
        "kind": "CSINode", "apiVersion": "storage.k8s.io/v1",
        "metadata": _meta(name, node, annotations=notes, ownerReferences=[owner]), "spec": {"drivers": None},
    }}


#: Resource -> (the resource whose objects imply it, what one of those implies by name).
_SOURCES: dict[str, tuple[str, Callable[[Object], dict[str, Object]]]] = {
    "ipaddresses": ("services", _addresses), "csinodes": ("nodes", _csi_node),
}


def source_of(label: str) -> tuple[str, Callable[[Object], dict[str, Object]]] | None:
    """What implies the objects of a resource: (resource, what one of its objects implies by name); None for most."""
    return _SOURCES.get(label)


def implied(server: ApiServer, label: str) -> dict[str, Object]:
    """The objects of a resource that others imply, by name."""
    source, imply = _SOURCES[label]
    found: dict[str, Object] = {}
    for obj in server.stores[source].bucket.objects.values():
        found.update(imply(obj))
    return found


def _get(server: ApiServer, call: Call) -> Object:
    try:
        return read.get(server, call)
    except StatusError:
        found = implied(server, call.store.label).get(call.request.name)
        if found is None or call.subresource:
            raise
        return found


def _list(server: ApiServer, call: Call) -> Object:
    answer = read.listed(server, call)
    if call.options.get("continue"):
        return answer
    match, stored = read.matcher(call), call.store.bucket.objects
    more = [obj for name, obj in implied(server, call.store.label).items() if name not in stored and (match is None or match(obj))]
    items = sorted((*answer["items"], *more), key=lambda obj: str(obj["metadata"]["name"]))
    return {**answer, "items": items}


DERIVED = {(label, verb): handler for label in _SOURCES for verb, handler in (("get", _get), ("list", _list))}
