"""The garbage collector: deletes what its owners left behind, and holds owners until their dependents are gone or orphaned.

Follows pkg/controller/garbagecollector (garbagecollector.go, graph_builder.go). The graph is the informers' caches plus an index
from an owner's uid to its dependents. An owner that the cache does not show is looked for in the API server before anything is
deleted; deletions carry the uid and resource version that the decision was made on.
"""

from __future__ import annotations

from collections.abc import Callable

from clusterlab.client.informer import Informer
from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, Objects, deleting, key_of, split_key
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.scheme import BUILTIN

__all__ = ["GarbageCollector", "custom_resources"]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
IGNORED = ("events", "events.events.k8s.io")
#: Until custom resources have settled: an unknown kind is looked for again after this time.
UNKNOWN_KIND_MS = 30_000


def finalizers(obj: Object) -> list[str]:
    """The finalizers of an object."""
    return obj["metadata"].get("finalizers") or []


def references(obj: Object) -> Objects:
    """The owner references of an object."""
    return obj["metadata"].get("ownerReferences") or []


def custom_resources(crd: Object) -> tuple[str, bool, str, list[tuple[str, str]]] | None:
    """(resource, namespaced, version, [(apiVersion, kind)]) of an established CustomResourceDefinition."""
    established = any(
        condition["type"] == "Established" and condition["status"] == "True"
        for condition in (crd.get("status") or {}).get("conditions") or ()
    )
    if not established or deleting(crd):
        return None
    spec = crd["spec"]
    served = [version["name"] for version in spec["versions"] if version.get("served")]
    names = [(f"{spec['group']}/{version}", spec["names"]["kind"]) for version in served]
    return f"{spec['names']['plural']}.{spec['group']}", spec.get("scope") == "Namespaced", served[0] if served else "", names


class GarbageCollector(BaseController):
    """Collects garbage. Keys are `RESOURCE/NAMESPACE/NAME`."""

    STATE = ("busy_until", "absent")
    controller_name = component = "garbage-collector-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.kinds: dict[tuple[str, str], tuple[Informer, bool]] = {}
        self.dependents: dict[str, dict[str, None]] = {}  # owner's uid -> dependents; derived from the caches
        for resource in BUILTIN:
            if {"delete", "list", "watch"} <= set(resource.verbs) and resource.preferred and resource.string not in IGNORED:
                informer = self.informer(resource.string)
                self.kinds[(resource.api_version, resource.kind)] = (informer, resource.namespaced)
                informer.on_change(self._handler(resource.string))
        for resource in BUILTIN:  # other versions of the same kinds
            known = self.process.informers.get((resource.string, None))
            if known is not None:
                self.kinds.setdefault((resource.api_version, resource.kind), (known, resource.namespaced))
        self._builtin = dict(self.kinds)
        self._hooked: dict[str, Informer] = {}  # of custom resources: whose changes come here
        self.crds = self.informer("customresourcedefinitions")
        self.crds.on_change(self.crd_changed)

    def clear(self) -> None:
        super().clear()
        self.absent: dict[str, bool] = {}  # owners that the API server does not have
        self.dependents = {}

    def object_key(self, key: str) -> str:
        return key

    def started(self) -> None:
        for crd in self.crds.store.values():
            self.crd_changed(None, crd)
        self._rebuild()
        for informer, _ in dict.fromkeys(self.kinds.values()):
            for key, obj in informer.store.items():
                if references(obj) or (deleting(obj) and finalizers(obj)):
                    self._seen(informer.resource, key, obj)

    def restored(self) -> None:
        super().restored()
        self.kinds = dict(self._builtin)
        for crd in self.crds.store.values():
            self._know_custom(crd)
        self._rebuild()

    def _rebuild(self) -> None:
        self.dependents = {}
        for informer, _ in dict.fromkeys(self.kinds.values()):
            for key, obj in informer.store.items():
                self._link(f"{informer.resource}/{key}", references(obj))

    # Custom resources.

    def crd_changed(self, old: Object | None, new: Object | None) -> None:
        """A custom resource came up: watch it."""
        if new is None or not self.process.synced:
            return
        known = self._know_custom(new)
        if known is not None:
            self.process.watch_also(known.resource)

    def _know_custom(self, crd: Object) -> Informer | None:
        described = custom_resources(crd)
        if described is None:
            return None
        resource, namespaced, _, names = described
        informer = self.informer(resource)
        informer.optional = True
        if self._hooked.get(resource) is not informer:
            self._hooked[resource] = informer
            informer.on_change(self._handler(resource))
        for api_version, kind in names:
            self.kinds[(api_version, kind)] = (informer, namespaced)
        return informer

    # The graph.

    def _handler(self, resource: str) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            if not self.process.synced:
                return
            if new is None:
                self._gone(resource, old)  # type: ignore[arg-type]
                return
            meta = new["metadata"]
            if old is None:
                if "ownerReferences" in meta or meta.get("deletionTimestamp"):
                    self._link(f"{resource}/{key_of(new)}", references(new))
                    self._seen(resource, key_of(new), new)
                return
            before = old["metadata"]
            if before["uid"] != meta["uid"]:
                self._gone(resource, old)
                changed(None, new)
                return
            refs_before, refs = before.get("ownerReferences"), meta.get("ownerReferences")
            if refs_before is not refs and refs_before != refs:
                self._relinked(f"{resource}/{key_of(new)}", refs_before or [], refs or [])
                self._seen(resource, key_of(new), new)
            elif meta.get("deletionTimestamp") and meta.get("finalizers") \
                    and (not before.get("deletionTimestamp") or before.get("finalizers") != meta["finalizers"]):
                self._seen(resource, key_of(new), new)

        return changed

    def _link(self, key: str, refs: Objects) -> None:
        for ref in refs:
            self.dependents.setdefault(ref["uid"], {})[key] = None

    def _unlink(self, key: str, refs: Objects) -> None:
        for ref in refs:
            found = self.dependents.get(ref["uid"])
            if found is not None:
                found.pop(key, None)
                if not found:
                    del self.dependents[ref["uid"]]

    def _relinked(self, key: str, before: Objects, after: Objects) -> None:
        self._unlink(key, before)
        self._link(key, after)
        blocking = {ref["uid"] for ref in after if ref.get("blockOwnerDeletion")}
        for ref in before:
            if ref.get("blockOwnerDeletion") and ref["uid"] not in blocking:
                self._wake_waiting(ref, split_key(key.partition("/")[2])[0])

    def _gone(self, resource: str, obj: Object) -> None:
        """An object is gone: its dependents may be garbage, and an owner may have waited for it."""
        meta = obj["metadata"]
        key, refs = f"{resource}/{key_of(obj)}", references(obj)
        self._unlink(key, refs)
        for dependent in sorted(self.dependents.get(meta["uid"], ())):  # the same order after a restore, which links anew
            self.queue.add(dependent)
        for ref in refs:
            self._wake_waiting(ref, meta.get("namespace", ""))

    def _wake_waiting(self, ref: Object, namespace: str) -> None:
        owner = self._cached_owner(ref, namespace)
        if owner is not None and deleting(owner[1]) and FOREGROUND in finalizers(owner[1]):
            self.queue.add(owner[0])

    def _seen(self, resource: str, key: str, obj: Object) -> None:
        """Queues an object that may need work: it waits for its dependents, or an owner of it is not there or going."""
        if deleting(obj) and (FOREGROUND in finalizers(obj) or ORPHAN in finalizers(obj)):
            self.queue.add(f"{resource}/{key}")
            return
        namespace = obj["metadata"].get("namespace", "")
        for ref in references(obj):
            owner = self._cached_owner(ref, namespace)
            if owner is None or (deleting(owner[1]) and FOREGROUND in finalizers(owner[1])):
                self.queue.add(f"{resource}/{key}")
                return

    def _cached_owner(self, ref: Object, namespace: str) -> tuple[str, Object] | None:
        """(the key, the owner) that a reference means, where the cache has it."""
        known = self.kinds.get((ref["apiVersion"], ref["kind"]))
        if known is None:
            return None
        informer, namespaced = known
        key = f"{namespace}/{ref['name']}" if namespaced else ref["name"]
        owner = informer.store.get(key)
        if owner is None or owner["metadata"]["uid"] != ref["uid"]:
            return None
        return f"{informer.resource}/{key}", owner

    def _object(self, key: str) -> tuple[str, Object | None]:
        resource, _, name = key.partition("/")
        informer = self.process.informers.get((resource, None))
        return resource, informer.get(name) if informer is not None else None

    # Collecting.

    def reconcile(self, key: str) -> None:
        resource, obj = self._object(key)
        if obj is None:
            return
        if deleting(obj):
            if ORPHAN in finalizers(obj):
                self._orphan_dependents(resource, obj)
            elif FOREGROUND in finalizers(obj):
                self._delete_dependents(resource, obj)
            return
        if references(obj):
            self._attempt_to_delete(key, resource, obj)

    def _orphan_dependents(self, resource: str, owner: Object) -> None:
        uid, name = owner["metadata"]["uid"], owner["metadata"]["name"]
        freed = 0
        for key in sorted(self.dependents.get(uid, ())):
            kind, dependent = self._object(key)
            if dependent is not None:
                freed += self._drop_references(kind, dependent, {uid})
        self._remove_finalizer(resource, owner, ORPHAN)
        self.tell(f"{owner['kind']} {name} is deleted and leaves its {freed} dependents as orphans.")

    def _delete_dependents(self, resource: str, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        blocking = []
        for key in sorted(self.dependents.get(uid, ())):
            _, dependent = self._object(key)
            if dependent is not None and any(r["uid"] == uid and r.get("blockOwnerDeletion") for r in references(dependent)):
                blocking.append((key, dependent))
        if not blocking:
            self._remove_finalizer(resource, owner, FOREGROUND)
            self.tell(f"All that {owner['kind']} {owner['metadata']['name']} owned is gone, so it goes as well.")
            return
        for key in sorted(self.dependents.get(uid, ())):
            _, dependent = self._object(key)
            if dependent is not None and not (deleting(dependent) and FOREGROUND in finalizers(dependent)):
                if not deleting(dependent):
                    self.queue.add(key)

    def _attempt_to_delete(self, key: str, resource: str, obj: Object) -> None:
        solid, dangling, waiting = self._classify(key, obj)
        name = f"{obj['kind']} {obj['metadata']['name']}"
        if solid:
            if dangling or waiting:
                self._drop_references(resource, obj, {ref["uid"] for ref in dangling + waiting})
                self.tell(f"{name} has an owner left, so it stays and forgets the others.")
            return
        if not dangling and not waiting:
            return  # an owner of a kind that is not known: somebody may define it
        own = [self._object(dependent)[1] for dependent in self.dependents.get(obj["metadata"]["uid"], ())]
        if waiting and any(each is not None for each in own):
            if any(each is not None and deleting(each) and FOREGROUND in finalizers(each) for each in own):
                self._unblock(resource, obj)
            self._delete(resource, obj, "Foreground")
            self.tell(f"{name} goes with its owner, once what it owns itself is gone.")
            return
        policy = "Orphan" if ORPHAN in finalizers(obj) else "Foreground" if FOREGROUND in finalizers(obj) else "Background"
        self._delete(resource, obj, policy)
        ref = (waiting or dangling)[0]
        why = "is being deleted and waits for it" if waiting else "is gone"
        self.tell(f"{name} is deleted because its owner, {ref['kind']} {ref['name']}, {why}.")

    def _classify(self, key: str, obj: Object) -> tuple[Objects, Objects, Objects]:
        """Owner references: (to owners that are there, to owners that are not, to owners that wait for their dependents)."""
        solid, dangling, waiting = [], [], []
        namespace = obj["metadata"].get("namespace", "")
        for ref in references(obj):
            cached = self._cached_owner(ref, namespace)
            owner = cached[1] if cached is not None else self._live_owner(key, ref, obj)
            if owner is None:
                dangling.append(ref)
            elif deleting(owner) and FOREGROUND in finalizers(owner):
                waiting.append(ref)
            else:
                solid.append(ref)
        return solid, dangling, waiting

    def _live_owner(self, key: str, ref: Object, obj: Object) -> Object | None:
        """Asks the API server for an owner that the cache lacks; None when it is not there. A reference that nothing can be said
        of counts as solid."""
        known = self.kinds.get((ref["apiVersion"], ref["kind"]))
        namespace = obj["metadata"].get("namespace", "")
        if known is None:
            self.queue.add_after(key, UNKNOWN_KIND_MS, idle=True)
            return {"metadata": {"uid": ref["uid"]}}
        informer, namespaced = known
        elsewhere = next((o for o in informer.store.values() if o["metadata"]["uid"] == ref["uid"]), None)
        if elsewhere is not None and namespaced:
            coordinates = f"[{ref['apiVersion']}/{ref['kind']}, namespace: {namespace}, name: {ref['name']}, uid: {ref['uid']}]"
            message = f'ownerRef {coordinates} does not exist in namespace "{namespace}"'
            self.record(obj, "Warning", "OwnerRefInvalidNamespace", message)
        if namespaced and not namespace:
            return {"metadata": {"uid": ref["uid"]}}  # a cluster-scoped object cannot have such an owner: left alone
        where = f"{ref['apiVersion']}/{ref['kind']}/{namespace if namespaced else ''}/{ref['name']}/{ref['uid']}"
        if where in self.absent:
            return None
        try:
            owner = self.client.get(informer.resource, namespace if namespaced else "", ref["name"])
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            owner = None
        if owner is None or owner["metadata"]["uid"] != ref["uid"]:
            self.absent[where] = True
            if len(self.absent) > 500:
                del self.absent[next(iter(self.absent))]
            return None
        return owner

    # Writing.

    def _delete(self, resource: str, obj: Object, policy: str) -> None:
        meta = obj["metadata"]
        conditions = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        try:
            self.client.delete(
                resource, meta.get("namespace", ""), meta["name"], preconditions=conditions, propagationPolicy=policy,
            )
        except StatusError as error:
            if error.reason != "NotFound":
                raise

    def _change(self, resource: str, obj: Object, fields: Callable[[Object], Object]) -> None:
        """Patches metadata; when the cache was behind, once more from the object as it is now."""
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        try:
            try:
                self.client.patch(resource, namespace, name, self._body(obj, fields))
            except StatusError as error:
                if error.reason != "Conflict":
                    raise
                live = self.client.get(resource, namespace, name)
                if live["metadata"]["uid"] == meta["uid"]:
                    self.client.patch(resource, namespace, name, self._body(live, fields))
        except StatusError as error:
            if error.reason != "NotFound":
                raise

    @staticmethod
    def _body(obj: Object, fields: Callable[[Object], Object]) -> Object:
        return {"metadata": {"resourceVersion": obj["metadata"]["resourceVersion"], **fields(obj)}}

    def _drop_references(self, resource: str, obj: Object, uids: set[str]) -> bool:
        refs = references(obj)
        kept = [ref for ref in refs if ref["uid"] not in uids]
        if len(kept) == len(refs):
            return False
        self._change(
            resource, obj, lambda now: {"ownerReferences": [ref for ref in references(now) if ref["uid"] not in uids] or None}
        )
        return True

    def _unblock(self, resource: str, obj: Object) -> None:
        def free(ref: Object) -> Object:
            return {**ref, "blockOwnerDeletion": False} if ref.get("blockOwnerDeletion") else ref

        self._change(resource, obj, lambda now: {"ownerReferences": [free(ref) for ref in references(now)]})

    def _remove_finalizer(self, resource: str, obj: Object, finalizer: str) -> None:
        self._change(
            resource, obj, lambda now: {"finalizers": [each for each in finalizers(now) if each != finalizer] or None}
        )
