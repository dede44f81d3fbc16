"""Patching an object: JSON patch, merge patch, strategic merge patch, server-side apply.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.create import create_decoded
from clusterlab.apiserver.registry.update import replace
from clusterlab.machinery.errors import bad_request, conflict, not_found

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["patch"]


def patch(server: ApiServer, call: Call) -> Object:
    """The verb patch on a resource itself or on its status."""
    store, name = call.store, call.request.name
    old = store.bucket.objects.get(store.key(call.namespace, name))
    if call.request.patch_type == "apply":
        return _apply(server, call, old)
    if old is None:
        raise not_found(call.resource.plural, call.resource.group, name)
    new = server.patching.patched(call, old)
    call.claimed = store.hooks.claimed(new)
    _check_identity(call, new, old)
    return replace(server, call, new, old)


def _check_identity(call: Call, new: Object, old: Object) -> None:
    if new.get("metadata", {}).get("name") != old["metadata"]["name"]:
        name = new.get("metadata", {}).get("name") or ""
        if not name:
            raise bad_request(f"the name of the object ({call.request.name} based on URL) was undeterminable: name must be provided")
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.request.name})")
    namespace = new["metadata"].get("namespace") or ""
    if namespace and namespace != (old["metadata"].get("namespace") or "") and call.store.namespaced:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def _apply(server: ApiServer, call: Call, old: Object | None) -> Object:
    if old is None and call.subresource:
        raise not_found(call.resource.plural, call.resource.group, call.request.name)
    call.operation = "Apply"
    new = server.patching.applied(call, old)
    if old is not None:
        return replace(server, call, new, old)
    meta = new.get("metadata") or {}
    if meta.get("uid"):
        raise conflict(call.resource.plural, call.resource.group, call.request.name,
                       f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found")
    server.authorize_create(call)
    return create_decoded(server, call, new)
