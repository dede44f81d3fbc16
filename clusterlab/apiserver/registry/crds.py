"""CustomResourceDefinitions: names accepted, established, and cleaned up after when they go.

Follows apiextensions-apiserver/pkg/controller/{status/naming_controller.go,establish,finalizer/crd_finalizer.go} and
pkg/registry/customresourcedefinition/strategy.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.delete import delete_object
from clusterlab.apiserver.registry.store import Hooks
from clusterlab.client.api import Request, User
from clusterlab.machinery.errors import StatusError, status
from clusterlab.machinery.meta import with_condition, without_finalizer

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.apiserver.storage import Write

Object = dict[str, Any]

__all__ = ["CLEANUP", "CrdHooks", "InstanceHooks"]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_SELF = User("system:apiserver", ("system:masters",))


class CrdHooks(Hooks):
    """What the controllers of definitions do, at once."""

    def begin_create(self, call: Call, obj: Object) -> Object:
        self.server.custom.check(obj)
        return obj

    def ending(self, obj: Object) -> tuple[str, ...]:
        return () if CLEANUP in (obj["metadata"].get("finalizers") or ()) else (CLEANUP,)

    def begin_update(self, call: Call, new: Object, old: Object) -> Object:
        if new.get("spec") is not old.get("spec"):
            self.server.custom.check(new)
        return new

    def after_write(self, call: Call, write: Write) -> None:
        new = write.new
        if new is not None and new["metadata"].get("deletionTimestamp"):
            self.server.custom.load()
            clean_up(self.server, new["metadata"]["name"])
            return
        if new is not None:
            new = self._settled(call, new)
        self.server.custom.load()

    def _settled(self, call: Call, crd: Object) -> Object:
        """Writes the status that a definition should have."""
        server = self.server
        state = crd.get("status") or {}
        names = crd["spec"]["names"]
        names = {"listKind": names["kind"] + "List", "singular": names["kind"].lower(), **names}
        problem = self._conflict(crd, names)
        accepted = state.get("acceptedNames") or {} if problem else names
        now = server.sim.now_rfc3339()
        conditions = with_condition(state.get("conditions"), {
            "type": "NamesAccepted", "status": "False" if problem else "True", "lastTransitionTime": now,
            "reason": problem[0] if problem else "NoConflicts", "message": problem[1] if problem else "no conflicts found",
        }, now)
        established = any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
        if not problem or established:
            conditions = with_condition(conditions, {
                "type": "Established", "status": "True", "reason": "InitialNamesAccepted",
                "message": "the initial names have been accepted", "lastTransitionTime": now,
            }, now)
        elif not established:
            conditions = with_condition(conditions, {
                "type": "Established", "status": "False", "reason": "NotAccepted", "message": "not all names are accepted",
                "lastTransitionTime": now,
            }, now)
        stored = list(state.get("storedVersions") or ())
        stored += [v["name"] for v in crd["spec"]["versions"] if v.get("storage") and v["name"] not in stored]
        wanted = {**state, "acceptedNames": accepted, "conditions": conditions, "storedVersions": stored}
        if wanted == state:
            return crd
        name = crd["metadata"]["name"]
        request = Request("update", "customresourcedefinitions", _SELF, "", name, "status", trusted=True)
        inner = server.call_for(request, call.span)
        return server.commit_quietly(inner, name, {**crd, "status": wanted}, crd)

    def _conflict(self, crd: Object, names: Object) -> tuple[str, str] | None:
        """Names that another definition of the group has taken."""
        group, taken_names, taken_kinds = crd["spec"]["group"], set(), set()
        for other in self.server.stores["customresourcedefinitions"].bucket.objects.values():
            if other["metadata"]["name"] != crd["metadata"]["name"] and other["spec"]["group"] == group:
                accepted = (other.get("status") or {}).get("acceptedNames") or {}
                taken_names |= {accepted.get("plural"), accepted.get("singular"), *(accepted.get("shortNames") or ())}
                taken_kinds |= {accepted.get("kind"), accepted.get("listKind")}
        for reason, name, taken in (
            ("PluralConflict", names["plural"], taken_names), ("SingularConflict", names["singular"], taken_names),
            *(("ShortNamesConflict", short, taken_names) for short in names.get("shortNames") or ()),
            ("KindConflict", names["kind"], taken_kinds), ("ListKindConflict", names["listKind"], taken_kinds),
        ):
            if name in taken:
                return reason, f'"{name}" is already in use'
        return None


class InstanceHooks(Hooks):
    """Custom resources: none are made while their definition is going."""

    def begin_create(self, call: Call, obj: Object) -> Object:
        crd = self.server.stores["customresourcedefinitions"].bucket.objects.get(call.resource.qualified)
        if crd is not None and crd["metadata"].get("deletionTimestamp"):
            message = "create not allowed while custom resource definition is terminating"
            raise status(405, "MethodNotAllowed", message, {"group": call.resource.group, "kind": call.resource.plural})
        return obj

    def after_write(self, call: Call, write: Write) -> None:
        if write.new is None:
            name = call.resource.qualified
            crd = self.server.stores["customresourcedefinitions"].bucket.objects.get(name)
            if crd is not None and crd["metadata"].get("deletionTimestamp") and not write.bucket.objects:
                clean_up(self.server, name)


def clean_up(server: ApiServer, name: str) -> None:
    """Deletes the instances of a definition that is going; lets it go when none are left."""
    bucket = server.stores["customresourcedefinitions"].bucket
    crd = bucket.objects.get(name)
    if crd is None or CLEANUP not in (crd["metadata"].get("finalizers") or ()):
        return
    store = server.stores.get(name)
    if store is not None:
        for key in list(store.bucket.ordered()):
            obj = store.bucket.objects.get(key)
            if obj is None or obj["metadata"].get("deletionTimestamp"):
                continue
            meta = obj["metadata"]
            request = Request("delete", name, _SELF, meta.get("namespace", ""), meta["name"], trusted=True)
            try:
                delete_object(server, server.call_for(request, None), obj)
            except StatusError:
                continue
        if store.bucket.objects:
            return
    crd = bucket.objects.get(name)
    if crd is None or CLEANUP not in (crd["metadata"].get("finalizers") or ()):
        return
    request = Request("update", "customresourcedefinitions", _SELF, "", name, trusted=True)
    call = server.call_for(request, None)
    left = without_finalizer(crd, CLEANUP)
    if left["metadata"].get("finalizers"):
        server.commit_quietly(call, name, left, crd)
    else:
        server.remove(call, name, crd)
