"""The subresource scale: the number of replicas of a workload, whatever its kind.

Follows pkg/registry/apps/*/storage/storage.go and pkg/registry/core/replicationcontroller/storage/storage.go (ScaleREST), and for
custom resources apiextensions-apiserver/pkg/registry/customresource/etcd.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.call import Call
from clusterlab.apiserver.registry.update import MODIFIED, existing, replace
from clusterlab.client.api import Request
from clusterlab.machinery import labels
from clusterlab.machinery.errors import bad_request, conflict, invalid, method_not_supported, not_found, status
from clusterlab.machinery.field import FieldError

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]
Paths = tuple[str, str, str]  # spec replicas, status replicas, label selector

__all__ = ["scale"]

_BUILT_IN: Paths = (".spec.replicas", ".status.replicas", "")


def scale(server: ApiServer, call: Call) -> Object:
    """Get, update or patch the scale of an object."""
    body = None
    if call.verb == "update":  # read before it is looked whether there is anything to change
        body = server.subresource_body(call)
        if not call.trusted and not (body.get("metadata") or {}).get("name"):
            raise bad_request(f"the name of the object ({call.request.name} based on URL) was undeterminable: name must be provided")
    old = existing(call)
    paths = _paths(server, call)
    shown = _scale_of(call, old, paths, reading=call.verb == "get")
    if call.verb == "get":
        return shown
    if call.verb not in ("update", "patch"):
        raise method_not_supported(call.resource.plural, call.resource.group, call.verb)
    wanted = server.patching.patched(call, shown) if call.verb == "patch" else body or {}
    return _set(server, call, old, wanted, paths)


def _paths(server: ApiServer, call: Call) -> Paths:
    if not call.resource.custom:
        return _BUILT_IN
    found = server.custom.scale_paths(call.resource)
    if found is None:
        raise not_found(call.resource.plural, call.resource.group, call.request.name)
    return found


def _read(obj: Object, path: str) -> Any:
    value: Any = obj
    for part in path.strip(".").split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _selector(call: Call, obj: Object, path: str) -> str:
    if path:
        return str(_read(obj, path) or "")
    if call.resource.custom:
        return ""
    selector = obj["spec"].get("selector")
    if call.store.label == "replicationcontrollers":
        return str(labels.from_set(selector)) if selector else ""
    return str(labels.from_object(selector)) if selector else ""


def _scale_of(call: Call, obj: Object, paths: Paths, reading: bool = False) -> Object:
    meta = obj["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if key in meta}
    wanted = _read(obj, paths[0])
    if wanted is None and call.resource.custom and reading:
        text = f"the spec replicas field {paths[0]!r} does not exist".replace("'", '"')
        raise status(500, "InternalError", f"Internal error occurred: {text}", {"causes": [{"message": text}]})
    state: Object = {"replicas": _read(obj, paths[1]) or 0}
    selector = _selector(call, obj, paths[2])
    if selector:
        state["selector"] = selector
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept,
        "spec": {"replicas": wanted} if wanted else {}, "status": state,
    }


def _set(server: ApiServer, call: Call, old: Object, wanted: Object, paths: Paths) -> Object:
    resource, name = call.resource, call.request.name
    kind = wanted.get("kind")
    if kind not in (None, "", "Scale"):
        raise bad_request(f"expected input object type to be Scale, but {kind}")
    meta = wanted.get("metadata") or {}
    if meta.get("name") not in (None, "", name):
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    uid, version = meta.get("uid"), meta.get("resourceVersion")
    if uid and uid != old["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
        raise conflict(resource.plural, resource.group, name, why)
    if version and version != old["metadata"]["resourceVersion"]:
        raise conflict(resource.plural, resource.group, name, MODIFIED)
    replicas = (wanted.get("spec") or {}).get("replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        found = type(replicas).__name__.replace("str", "string")
        raise bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            f"{found} into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        error = FieldError("FieldValueInvalid", "spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("Scale", "autoscaling", name, [error])
    new = _with(old, paths[0].strip(".").split("."), replicas)
    request = Request(
        "update", call.request.resource, call.user, call.namespace, name, trusted=True, options=call.options,
        warnings=call.request.warnings, version=call.request.version,
    )
    inner = server.call_for(request, call.span)
    inner.field_subresource = "scale"
    return _scale_of(call, replace(server, inner, new, old), paths)


def _with(obj: Object, path: list[str], value: Any) -> Object:
    if len(path) == 1:
        return {**obj, path[0]: value}
    return {**obj, path[0]: _with(obj.get(path[0]) or {}, path[1:], value)}
