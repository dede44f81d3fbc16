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
        accepted, problem = self._accepted(crd, names, state.get("acceptedNames") or {})
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

    def _accepted(self, crd: Object, names: Object, accepted: Object) -> tuple[Object, tuple[str, str] | None]:
        """The names that a definition gets, and the last conflict with another definition of its group."""
        group, taken_names, taken_kinds = crd["spec"]["group"], set(), set()
        for other in self.server.stores["customresourcedefinitions"].bucket.objects.values():
            if other["metadata"]["name"] != crd["metadata"]["name"] and other["spec"]["group"] == group:
                known = (other.get("status") or {}).get("acceptedNames") or {}
                taken_names |= {known.get("plural"), known.get("singular"), *(known.get("shortNames") or ())}
                taken_kinds |= {known.get("kind"), known.get("listKind")}
        problem = None
        accepted = {"plural": "", "kind": "", **accepted}
        for reason, field, taken in (
            ("PluralConflict", "plural", taken_names), ("SingularConflict", "singular", taken_names),
            ("ShortNamesConflict", "shortNames", taken_names), ("KindConflict", "kind", taken_kinds),
            ("ListKindConflict", "listKind", taken_kinds),
        ):
            wanted = names.get(field)
            used = [f'"{name}" is already in use' for name in (wanted if isinstance(wanted, list) else [wanted]) if name in taken]
            if used and wanted != accepted.get(field):
                problem = reason, used[0] if len(used) == 1 else f"[{', '.join(used)}]"
            elif wanted:
                accepted[field] = wanted
            else:
                accepted.pop(field, None)
        if names.get("categories"):
            accepted["categories"] = names["categories"]
        else:
            accepted.pop("categories", None)
        return accepted, problem


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
