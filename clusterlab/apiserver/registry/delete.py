"""Deleting: at once, gracefully, or once finalizers are gone; one object or a collection.

Follows staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go (BeforeDelete), pkg/registry/generic/registry/store.go (Delete,
deletionFinalizersForGarbageCollection) and pkg/endpoints/handlers/delete.go.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.read import from_now, listed
from clusterlab.apiserver.registry.update import MODIFIED, existing
from clusterlab.apiserver.storage import CompareFailed
from clusterlab.machinery.errors import StatusError, conflict, forbidden, invalid
from clusterlab.machinery.field import FieldError

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["delete", "delete_collection", "delete_object"]

#: Grace periods beyond it (three hundred years) end then: a later time would not fit into a date.
LONG_S = 10**10

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_POLICIES = ("Foreground", "Background", "Orphan")


def delete(server: ApiServer, call: Call) -> Object:
    """The verb delete: a Status, or the object where the kind returns it or is not gone yet."""
    check_options(call)
    return delete_object(server, call, existing(call))


def delete_collection(server: ApiServer, call: Call) -> Object:
    """The verb deletecollection: deletes all that the selectors select, each by the rules of a delete. With a limit, what is left is
    taken up with the token from what is there by then: what was there at the first request would have to be worked out."""
    check_options(call)
    found = listed(server, call)
    if found["metadata"].get("continue"):
        found["metadata"]["continue"] = from_now(found["metadata"]["continue"])
    name = call.request.name
    for obj in found["items"]:
        call.request.name = obj["metadata"]["name"]
        call.namespace = obj["metadata"].get("namespace", "")
        try:
            delete_object(server, call, existing(call))
        except StatusError as error:
            if error.code != 404:
                raise
    call.request.name = name
    return found


_SYSTEM_CLASSES = ("system-node-critical", "system-cluster-critical")


def check_options(call: Call) -> None:
    """Refuses delete options that make no sense (apimachinery/pkg/apis/meta/v1/validation)."""
    policy, orphan = call.options.get("propagationPolicy"), call.options.get("orphanDependents")
    errors = []
    if policy is not None and orphan is not None:
        errors.append(FieldError(
            "FieldValueInvalid", "propagationPolicy", policy,
            "orphanDependents and deletionPropagation cannot be both set",
        ))
    if policy is not None and policy not in _POLICIES:
        errors.append(FieldError(
            "FieldValueNotSupported", "propagationPolicy", policy,
            'supported values: "Foreground", "Background", "Orphan", "nil"',
        ))
    if errors:
        raise invalid("DeleteOptions", "meta.k8s.io", "", errors)


def delete_object(server: ApiServer, call: Call, old: Object) -> Object:
    """Deletes one object that exists."""
    store = call.store
    if store.label == "priorityclasses" and call.request.name in _SYSTEM_CLASSES:  # registry/scheduling/priorityclass/storage
        raise forbidden("priorityclasses", call.resource.group, call.request.name, "this is a system priority class and cannot be deleted")
    _check_preconditions(call, old)
    server.admission.validate(call, None, old)
    marked = _begin_graceful(server, call, old)
    if marked is old:  # a deletion with at least as short a grace period is under way
        return _answer(call, old)
    key = store.key(call.namespace, call.request.name)
    pending = marked if marked is not None else old
    finalizers = _finalizers(call, pending)
    if sorted(finalizers) != sorted(pending["metadata"].get("finalizers") or []):
        pending = _with_meta(pending, finalizers=finalizers or None)
    held = bool(finalizers) or store.hooks.keep_deleting(pending)
    if held and marked is None:
        pending = store.hooks.before_delete(call, _mark(server, pending))
    if pending is not old:
        pending = _save(server, call, key, pending, old)
        if held or pending["metadata"].get("deletionGracePeriodSeconds"):
            return pending if not call.dry_run or call.store.returns_deleted else _answer(call, pending)
    elif held:
        return old
    if call.dry_run:
        call.stage("storage", "skipped", "dry run")
        return _answer(call, pending)
    try:
        last = server.remove(call, key, pending)
    except CompareFailed:
        raise conflict(call.resource.plural, call.resource.group, call.request.name, MODIFIED) from None
    return _answer(call, last)


def _answer(call: Call, obj: Object) -> Object:
    if call.store.returns_deleted:
        return obj
    meta, resource = obj["metadata"], call.resource
    details = {"name": meta["name"], "group": resource.group, "kind": resource.plural, "uid": meta["uid"]}
    details = {key: value for key, value in details.items() if value}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _save(server: ApiServer, call: Call, key: str, new: Object, old: Object) -> Object:
    if new == old:
        return old
    if call.dry_run:
        call.stage("storage", "skipped", "dry run")
        return new
    try:
        return server.commit(call, key, new, old, owned=False)
    except CompareFailed:
        raise conflict(call.resource.plural, call.resource.group, call.request.name, MODIFIED) from None


def _check_preconditions(call: Call, old: Object) -> None:
    wanted = call.options.get("preconditions") or {}
    meta, resource = old["metadata"], call.resource
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    if uid is not None and uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(resource.kind, resource.group, meta["name"], why)
    if version is not None and version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
            f"({meta['resourceVersion']}). The object might have been modified"
        )
        raise conflict(resource.kind, resource.group, meta["name"], why)


def _begin_graceful(server: ApiServer, call: Call, old: Object) -> Object | None:
    """The object marked for graceful deletion; itself if nothing is to be done; None where the deletion is not graceful."""
    requested = call.options.get("gracePeriodSeconds")
    if requested is not None:
        requested = int(requested)
        if requested < 0:
            requested = 1
    meta = old["metadata"]
    grace_s = call.store.hooks.grace_period(call, old, requested)
    if grace_s is None:
        return None
    if meta.get("deletionTimestamp"):
        left = meta.get("deletionGracePeriodSeconds")
        if not left:
            return None
        if requested is None or requested >= left:
            return old
        return _shorten(server, old, requested, left)
    at = (server.sim.now() + timedelta(seconds=min(grace_s, LONG_S))).strftime("%Y-%m-%dT%H:%M:%SZ")
    changes: dict[str, Any] = {"deletionTimestamp": at, "deletionGracePeriodSeconds": grace_s}
    if meta.get("generation"):
        changes["generation"] = meta["generation"] + 1
    return _with_meta(old, **changes)


def _shorten(server: ApiServer, old: Object, requested: int, left: int) -> Object:
    now = server.sim.now().replace(microsecond=0)
    at = datetime.fromisoformat(old["metadata"]["deletionTimestamp"].replace("Z", "+00:00"))
    at = at - timedelta(seconds=min(left, LONG_S)) + timedelta(seconds=min(requested, LONG_S))
    if at < now:
        at, requested = now, 1 if requested else 0
    return _with_meta(old, deletionTimestamp=at.strftime("%Y-%m-%dT%H:%M:%SZ"), deletionGracePeriodSeconds=requested)


def _mark(server: ApiServer, obj: Object) -> Object:
    """The object as being deleted but held by finalizers."""
    meta, now = obj["metadata"], server.sim.now_rfc3339()
    changes: dict[str, Any] = {"deletionGracePeriodSeconds": 0}
    known = meta.get("deletionTimestamp")
    if not known and meta.get("generation"):
        changes["generation"] = meta["generation"] + 1
    if not known or known > now:
        changes["deletionTimestamp"] = now
    return _with_meta(obj, **changes)


def _finalizers(call: Call, obj: Object) -> list[str]:
    """The finalizers that the propagation policy asks for, with the object's own."""
    known = [*(obj["metadata"].get("finalizers") or []), *call.store.hooks.ending(obj)]
    if not call.store.garbage_collected:
        return list(known)
    kept = [name for name in known if name not in (ORPHAN, FOREGROUND)]
    policy, orphan = call.options.get("propagationPolicy"), call.options.get("orphanDependents")
    if orphan is not None:
        return [*kept, ORPHAN] if orphan else kept
    if policy is not None:
        return [*kept, *{"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])]
    for name in known:
        if name in (ORPHAN, FOREGROUND):
            return [*kept, name]
    return [*kept, ORPHAN] if call.store.orphan_by_default else kept


def _with_meta(obj: Object, **changes: Any) -> Object:
    meta = {**obj["metadata"], **changes}
    return {**obj, "metadata": {key: value for key, value in meta.items() if value is not None}}
