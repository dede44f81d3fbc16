"""The namespace controller: empties a namespace that is being deleted, pods first, and lets it go.

Follows pkg/controller/namespace (namespace_controller.go, deletion/namespaced_resources_deleter.go, status_condition_utils.go).
What there is to delete is read from the informers' caches where the process has them, so that a namespace costs requests only for
the resources that it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.garbage_collector import custom_resources
from clusterlab.controllers.objects import Object, Objects, deleting, find_condition, finished, unix_ms
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.scheme import BUILTIN
from clusterlab.sim.words import counted

__all__ = ["NamespaceController"]

#: Time for other API servers to learn of the deletion.
GRACE_MS = 5_000
FINALIZER_ESTIMATE_S = 15
#: How many objects of a resource one step deletes.
PIECE = 100
SLACK_S = 10
TOKEN = "kubernetes"

OK = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    ("NamespaceDeletionContentFailure", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
)


@dataclass
class Remains:
    """What is left in a namespace: counts by resource and by finalizer, an estimate of the time it takes, what went wrong."""

    resources: dict[str, int] = field(default_factory=dict)
    finalizers: dict[str, int] = field(default_factory=dict)
    estimate_s: int = 0
    more: bool = False  # nothing is wrong, there are only many objects
    failures: list[str] = field(default_factory=list)

    def conditions(self) -> dict[str, tuple[str, str]]:
        """{condition type: (reason, message)} of those that are True."""
        found = {}
        if self.resources:
            listed = ", ".join(sorted(f"{name} has {count} resource instances" for name, count in self.resources.items()))
            found["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {listed}")
        if self.finalizers:
            listed = ", ".join(sorted(f"{name} in {count} resource instances" for name, count in self.finalizers.items()))
            message = f"Some content in the namespace has finalizers remaining: {listed}"
            found["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", message)
        if self.failures:
            joined = ", ".join(sorted(self.failures))
            message = f"Failed to delete all resource types, {len(self.failures)} remaining: {joined}"
            found["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", message)
        return found


class NamespaceController(BaseController):
    """Reconciles namespaces that are being deleted."""

    STATE = ("busy_until", "partly", "stuck")
    resource = "namespaces"
    controller_name = component = "namespace-controller"
    backoff_ms = (5, 60_000)

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.namespaces = self.informer("namespaces")
        self.crds = self.informer("customresourcedefinitions")
        self.namespaces.on_change(self.namespace_changed)

    def clear(self) -> None:
        super().clear()
        self.partly: dict[str, str] = {}  # by namespace and resource: where to go on with deleting
        self.stuck: dict[str, tuple[str, int]] = {}  # by namespace: what is left, and since when that has not changed

    def namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and deleting(new):
            self.queue.add_after(new["metadata"]["name"], GRACE_MS)

    def resources(self) -> list[tuple[str, str]]:
        """(resource, its name in messages) of all that can be deleted in a namespace, pods first."""
        found = [
            (resource.string, f"{resource.plural}.{resource.group}")
            for resource in BUILTIN if resource.namespaced and resource.preferred and "delete" in resource.verbs
        ]
        for crd in self.crds.store.values():
            described = custom_resources(crd)
            if described is not None and described[1]:
                found.append((described[0], described[0]))
        return sorted(found, key=lambda pair: pair[0] != "pods")

    def reconcile(self, key: str) -> None:
        try:
            namespace = self.client.get("namespaces", "", key)
        except StatusError as error:
            if error.reason == "NotFound":
                return
            raise
        if not deleting(namespace):
            return
        if (namespace.get("status") or {}).get("phase") != "Terminating":
            status = {**(namespace.get("status") or {}), "phase": "Terminating"}
            namespace = self.client.update_status("namespaces", {**namespace, "status": status})
        if not (namespace.get("spec") or {}).get("finalizers"):
            return
        remains = self._delete_content(namespace)
        if remains.more:
            self.tell(f"Namespace {key} is being emptied, {PIECE} objects at a time.")
            self.queue.add(key)
            return
        namespace = self._update_conditions(namespace, remains)
        if remains.failures or remains.estimate_s:
            left = sum(remains.resources.values())
            wait_s = remains.estimate_s // 2 + 1
            there = f"{counted(left, 'object')} {'is' if left == 1 else 'are'} still there"
            self.tell(f"Namespace {key} is being emptied; {there}, so it is looked at again in {wait_s} s.")
            self.queue.add_after(key, wait_s * 1000, idle=self._is_stuck(key, remains))
            return
        self.stuck.pop(key, None)
        kept = [name for name in namespace["spec"]["finalizers"] if name != TOKEN]
        try:
            self.client.update("namespaces", {**namespace, "spec": {**namespace["spec"], "finalizers": kept}}, "finalize")
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        self.tell(f"Nothing is left in namespace {key}, so it goes.")

    def _is_stuck(self, key: str, remains: Remains) -> bool:
        """Whether nothing has gone for longer than it should take: then looking again leads nowhere by itself."""
        left = f"{remains.resources} {remains.finalizers}"
        known, since_ms = self.stuck.get(key, ("", 0))
        if known != left:
            self.stuck[key] = (left, self.now_ms)
            return False
        return self.now_ms - since_ms > (remains.estimate_s + SLACK_S) * 1000

    def _delete_content(self, namespace: Object) -> Remains:
        name, remains = namespace["metadata"]["name"], Remains()
        for resource, label in self.resources():
            try:
                self._delete_all(resource, label, name, namespace["metadata"]["deletionTimestamp"], remains)
            except StatusError as error:
                if error.code in (404, 405):
                    continue
                remains.failures.append(error.message)
            if remains.more or (resource == "pods" and remains.resources):
                break  # nothing else goes while pods may still use it
        return remains

    def _there(self, resource: str, namespace: str) -> Objects:
        informer = self.process.informers.get((resource, None))
        return informer.list(namespace) if informer is not None and informer.watch else self.client.list(resource, namespace)

    def _delete_all(self, resource: str, label: str, namespace: str, since: str, remains: Remains) -> None:
        there = self._there(resource, namespace)
        if not there:
            return
        estimate_s = 0
        if resource == "pods":
            graces = [pod["spec"].get("terminationGracePeriodSeconds") or 0 for pod in there if not finished(pod)]
            estimate_s = max(graces, default=0)
            if self.now_ms - unix_ms(since) >= estimate_s * 1000:
                estimate_s = 0
        remains.more = len(there) > PIECE and self._delete_piece(resource, namespace)
        if remains.more:
            return
        if len(there) <= PIECE:
            self.client.delete_collection(resource, namespace, propagationPolicy="Background")
        left = self.client.list(resource, namespace)
        if not left:
            return
        held: dict[str, int] = {}
        for obj in left:
            for finalizer in obj["metadata"].get("finalizers") or ():
                held[finalizer] = held.get(finalizer, 0) + 1
        remains.resources[label] = len(left)
        for finalizer, count in held.items():
            remains.finalizers[finalizer] = remains.finalizers.get(finalizer, 0) + count
        if not estimate_s and held:
            estimate_s = FINALIZER_ESTIMATE_S
        remains.estimate_s = max(remains.estimate_s, estimate_s)
        if not estimate_s:
            group = label.partition(".")[2]
            gvr = f"{group}/v1, Resource={label.partition('.')[0]}" if group else f"/v1, Resource={resource}"
            remains.failures.append(f"unexpected items still remain in namespace: {namespace} for gvr: {gvr}")

    def _delete_piece(self, resource: str, namespace: str) -> bool:
        """Deletes some of many objects, so that no step takes long; tells whether there are more."""
        key = f"{namespace}/{resource}"
        begun = self.partly.pop(key, "")
        options = {"continue": begun} if begun else {}
        rest = self.client.delete_collection(resource, namespace, propagationPolicy="Background", limit=PIECE, **options)
        if rest:
            self.partly[key] = rest
        return bool(rest)

    def _update_conditions(self, namespace: Object, remains: Remains) -> Object:
        bad, now = remains.conditions(), self.sim.now_rfc3339()
        known: Objects = (namespace.get("status") or {}).get("conditions") or []
        conditions, changed = list(known), False
        for kind, reason, message in OK:
            status = "True" if kind in bad else "False"
            reason, message = bad.get(kind, (reason, message))
            new = {"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}
            old = find_condition(conditions, kind)
            if old is None:
                conditions.append(new)
            elif any(old.get(name) != new[name] for name in ("status", "reason", "message")):
                if old["status"] == status:
                    new["lastTransitionTime"] = old["lastTransitionTime"]
                conditions[conditions.index(old)] = new
            else:
                continue
            changed = True
        if not changed:
            return namespace
        status_now = {**(namespace.get("status") or {}), "conditions": conditions}
        return self.client.update_status("namespaces", {**namespace, "status": status_now})
