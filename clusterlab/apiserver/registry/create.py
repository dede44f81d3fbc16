"""Creating an object.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/create.go, pkg/registry/rest/create.go and
pkg/registry/generic/registry/store.go (Create).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.storage import CompareFailed
from clusterlab.machinery.errors import already_exists, bad_request, invalid, status
from clusterlab.machinery.field import FieldError
from clusterlab.machinery.strconv import parse_uint

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["check_namespace", "create", "create_decoded", "generate_name"]

_MAX_GENERATED_BASE = 58  # of 63, five are random
_TRIES = 8
_NOT_FROM_CLIENTS = (
    "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields", "creationTimestamp", "namespace",
    "resourceVersion",
)


def create(server: ApiServer, call: Call) -> Object:
    """The verb create on a resource itself."""
    return create_decoded(server, call, server.decode(call, call.request.body))


def create_decoded(server: ApiServer, call: Call, obj: Object) -> Object:
    """Creates an object that has been decoded and defaulted; also the end of an update or apply that creates."""
    store = call.store
    obj = _with_names(server, call, obj)
    obj = server.admission.mutate(call, obj, None)
    obj = server.rules.prepare_for_create(call, obj)
    obj = store.hooks.begin_create(call, obj)
    try:
        errors = server.rules.validate_create(call, obj)
        if not errors and not obj["metadata"].get("name"):
            errors = [FieldError("FieldValueRequired", "metadata.name", detail="name or generateName is required")]
        if errors:
            meta = obj["metadata"]
            raise invalid(store.kind, call.resource.internal_group, meta.get("name") or meta.get("generateName", ""), errors)
        call.stage("schema", "valid")
        server.admission.validate(call, obj, None)
        server.check_size(call, obj)
        server.check_room(call)
        if call.dry_run:
            known = store.bucket.objects.get(store.key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))
            if known is not None:
                raise _exists(call, obj, known)
            call.stage("storage", "skipped", "dry run")
            store.hooks.abort(call)
            return obj
        made = _store(server, call, obj)
    except Exception:
        store.hooks.abort(call)
        raise
    server.note_made(call.request)
    return made


def _store(server: ApiServer, call: Call, obj: Object) -> Object:
    store, meta = call.store, obj["metadata"]
    for attempt in range(_TRIES):
        key = store.key(meta.get("namespace", ""), meta["name"])
        known = store.bucket.objects.get(key)
        if known is None:
            break
        if not call.request_generates_name or attempt == _TRIES - 1:
            raise _exists(call, obj, known)
        meta = {**meta, "name": generate_name(server, meta["generateName"], call.dry_run)}
        obj = {**obj, "metadata": meta}
    try:
        return server.commit(call, key, obj, None)
    except CompareFailed as failure:
        raise _exists(call, obj, getattr(failure, "current", None)) from None


def _exists(call: Call, obj: Object, known: Any) -> Exception:
    meta = obj["metadata"]
    resource = call.resource
    if call.request_generates_name:
        message = (
            f'{resource.qualified} "{meta["name"]}" already exists, the server was not able to generate a unique name for the object'
        )
        details = {"name": meta["name"], "group": resource.group, "kind": resource.plural, "retryAfterSeconds": 1}
        return status(409, "AlreadyExists", message, details)
    error = already_exists(resource.plural, resource.group, meta["name"])
    if isinstance(known, dict) and known["metadata"].get("deletionTimestamp"):
        error.status["message"] = "object is being deleted: " + error.message
    return error


def generate_name(server: ApiServer, base: str, dry_run: bool = False) -> str:
    """A name from a generateName (apiserver/pkg/storage/names/generate.go)."""
    return base[:_MAX_GENERATED_BASE] + server.sim.rng("dry-run" if dry_run else "names").suffix(5)


def check_namespace(call: Call, meta: Object) -> str:
    """The namespace that an object goes to; raises where body and path disagree."""
    named = meta.get("namespace") or ""
    if not call.store.namespaced:
        return ""  # a namespace on a cluster-scoped object is dropped
    if named and named != call.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return call.namespace


def _with_names(server: ApiServer, call: Call, obj: Object) -> Object:
    """The object with the metadata that only the server may set."""
    given = obj.get("metadata") or {}
    namespace = check_namespace(call, given)
    version = str(given.get("resourceVersion") or "")
    if parse_uint(version) and call.verb == "create" and not call.dry_run:  # pkg/storage/etcd3/store.go
        raise status(500, "", "resourceVersion should not be set on objects to be created")
    meta = {key: value for key, value in given.items() if key not in _NOT_FROM_CLIENTS}
    name, base = given.get("name"), given.get("generateName")
    call.request_generates_name = bool(base) and not name
    if call.request_generates_name:
        meta["name"] = generate_name(server, str(base), call.dry_run)
    elif not name and call.store.label == "limitranges":  # pkg/registry/core/limitrange/strategy.go
        meta["name"] = server.sim.rng("dry-run" if call.dry_run else "uid").uuid()
    if namespace:
        meta["namespace"] = namespace
    meta["uid"] = server.sim.rng("dry-run" if call.dry_run else "uid").uuid()
    meta["creationTimestamp"] = server.sim.now_rfc3339()
    meta.pop("resourceVersion", None)
    return {**obj, "metadata": meta}
