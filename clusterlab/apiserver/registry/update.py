"""Replacing an object, and the guarded update on which patches end too.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/update.go, pkg/registry/rest/update.go and
pkg/registry/generic/registry/store.go (Update).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.create import check_namespace, create_decoded
from clusterlab.apiserver.storage import CompareFailed
from clusterlab.machinery.errors import bad_request, conflict, invalid, not_found, status
from clusterlab.machinery.field import FieldError
from clusterlab.machinery.strconv import parse_uint, parse_uint_error

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["MODIFIED", "check_uid", "existing", "replace", "update", "write"]

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def existing(call: Call) -> Object:
    """The object that a request names; raises NotFound."""
    store = call.store
    found = store.bucket.objects.get(store.key(call.namespace, call.request.name))
    if found is None:
        raise not_found(call.resource.plural, call.resource.group, call.request.name)
    return found


def update(server: ApiServer, call: Call) -> Object:
    """The verb update on a resource itself or on its status."""
    store, name = call.store, call.request.name
    body = server.decode(call, call.request.body)
    _check_name(call, body)
    old = store.bucket.objects.get(store.key(call.namespace, name))
    if old is None:
        return _create_instead(server, call, body)
    check_uid(call, body, old)
    return replace(server, call, body, old)


def _check_name(call: Call, body: Object) -> None:
    meta = body.get("metadata") or {}
    name = meta.get("name") or ""
    if not name:
        raise bad_request(f"the name of the object ({call.request.name} based on URL) was undeterminable: name must be provided")
    if name != call.request.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.request.name})")
    check_namespace(call, meta)


def _create_instead(server: ApiServer, call: Call, body: Object) -> Object:
    store, resource, name = call.store, call.resource, call.request.name
    meta = body.get("metadata") or {}
    if not store.create_on_update or call.subresource:
        raise not_found(resource.plural, resource.group, name)
    if meta.get("uid"):
        raise _uid_conflict(call, str(meta["uid"]), "")
    server.authorize_create(call)
    fresh = {**body, "metadata": {key: value for key, value in meta.items() if key != "resourceVersion"}}
    return create_decoded(server, call, fresh)


def check_uid(call: Call, body: Object, old: Object) -> None:
    """A uid in the body is a precondition."""
    uid = (body.get("metadata") or {}).get("uid")
    if uid and uid != old["metadata"]["uid"]:
        raise _uid_conflict(call, str(uid), str(old["metadata"]["uid"]))


def _uid_conflict(call: Call, wanted: str, found: str) -> Exception:
    key = call.store.bucket.prefix + call.store.key(call.namespace, call.request.name)
    why = (
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
        f"UID in precondition: {wanted}, UID in object meta: {found}"
    )
    return conflict(call.resource.plural, call.resource.group, call.request.name, why)


def replace(server: ApiServer, call: Call, body: Object, old: Object) -> Object:
    """Puts `body` in the place of `old`: admission, the kind's rules, validation, storage. Returns what is there then."""
    store, resource = call.store, call.resource
    new = server.admission.mutate(call, body, old)
    _check_version(call, new, old)
    new = _keep_system_fields(call, new, old)
    new = server.rules.prepare_for_update(call, new, old)
    new = _restore_version(new, old)
    new = store.hooks.begin_update(call, new, old)
    try:
        errors = server.rules.validate_update(call, new, old)
        if errors:
            raise invalid(store.kind, resource.internal_group, call.request.name, errors)
        call.stage("schema", "valid")
        server.admission.validate(call, new, old)
        server.check_size(call, new)
        if call.dry_run:
            call.stage("storage", "skipped", "dry run")
            store.hooks.abort(call)
            return new
        return write(server, call, new, old)
    except Exception:
        store.hooks.abort(call)
        raise


def write(server: ApiServer, call: Call, new: Object, old: Object) -> Object:
    """The end of every update: deletes what has been finalized, skips what changes nothing, stores the rest."""
    store = call.store
    key = store.key(call.namespace, call.request.name)
    if _is_finalized(new, old) and not store.hooks.keep_deleting(new):
        server.remove(call, key, old)
        return new
    if new == old and not server.managed.claims(call, store.bucket, key, old):
        call.stage("storage", "unchanged", "the update changes nothing, so nothing is written")
        return old
    try:
        return server.commit(call, key, new, old)
    except CompareFailed:
        raise conflict(call.resource.plural, call.resource.group, call.request.name, MODIFIED) from None


def _is_finalized(new: Object, old: Object) -> bool:
    """Whether an update took away the last thing that held up a deletion."""
    meta = old["metadata"]
    if not meta.get("deletionTimestamp") or new["metadata"].get("finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds")


def _check_version(call: Call, new: Object, old: Object) -> None:
    version = new["metadata"].get("resourceVersion") or ""
    if version == old["metadata"]["resourceVersion"]:
        return
    resource, name = call.resource, call.request.name
    if version in ("", "0"):
        if call.store.unconditional_update or call.verb == "patch":
            return
        error = FieldError("FieldValueInvalid", "metadata.resourceVersion", 0, "must be specified for an update")
        raise invalid(resource.plural, resource.group, name, [error])
    if parse_uint(str(version)) is None:
        raise status(500, "", parse_uint_error(str(version)))
    raise conflict(resource.plural, resource.group, name, MODIFIED)


def _keep_system_fields(call: Call, new: Object, old: Object) -> Object:
    """The new object with the metadata that an update cannot change."""
    meta, before = new["metadata"], old["metadata"]
    if meta is before or meta == before:
        return new if meta is before else {**new, "metadata": before}
    meta = {**meta, "creationTimestamp": before["creationTimestamp"]}
    if not meta.get("uid"):
        meta["uid"] = before["uid"]
    if call.store.namespaced:
        meta["namespace"] = before["namespace"]
    else:
        meta.pop("namespace", None)
    for key in ("generation", "deletionTimestamp"):
        if key in before:
            meta[key] = before[key]
        elif key == "generation" or meta.get(key) is None:  # a client's own deletionTimestamp is refused
            meta.pop(key, None)
    if "deletionGracePeriodSeconds" in before:
        meta.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])
    if "generateName" in before:
        meta.setdefault("generateName", before["generateName"])
    meta["resourceVersion"] = before["resourceVersion"]
    for key in ("managedFields", "selfLink"):
        meta.pop(key, None)
    return {**new, "metadata": meta}


def _restore_version(new: Object, old: Object) -> Object:
    """The new object at the version of the old one, so that the two can be compared."""
    meta, before = new["metadata"], old["metadata"]
    if meta is before:
        return new
    if meta == before:
        return {**new, "metadata": before}
    return new
