"""The resource quota controller: counts what a namespace uses of each quota.

Follows pkg/controller/resourcequota/resource_quota_controller.go; what objects count for is in `machinery.quota`, which admission
uses as well. Quotas are recounted when something that they count is deleted or shrinks, as there, and every five minutes.
"""

from __future__ import annotations

from collections.abc import Callable

from clusterlab.client.informer import Informer
from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, finished, key_of
from clusterlab.machinery import quota
from clusterlab.machinery.quantity import ZERO, Quantity, parse
from clusterlab.machinery.scheme import BUILTIN, Resource

__all__ = ["ResourceQuotaController"]

RESYNC_MS = 5 * 60_000
IGNORED = ("events", "events.events.k8s.io")


class ResourceQuotaController(BaseController):
    """Reconciles ResourceQuotas."""

    resource = "resourcequotas"
    controller_name = component = "resourcequota-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.quotas = self.informer("resourcequotas")
        self.quotas.on_change(self.quota_changed)
        self.counted: list[tuple[Resource, Informer]] = []
        for resource in BUILTIN:
            if resource.namespaced and resource.preferred and {"create", "list", "watch", "delete"} <= set(resource.verbs) \
                    and resource.string not in IGNORED:
                informer = self.informer(resource.string)
                self.counted.append((resource, informer))
                informer.on_change(self._handler(resource))

    def _handler(self, resource: Resource) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            """Something counts less than before; that it counts more, admission has seen to."""
            if not self.quotas.store or old is None:
                return
            if new is not None and not self._released(resource.string, old, new):
                return
            for each in self.quotas.list(old["metadata"]["namespace"]):
                if quota.tracked(resource.plural, each["spec"].get("hard") or {}, resource.group):
                    self.enqueue(key_of(each))

        return changed

    @staticmethod
    def _released(resource: str, old: Object, new: Object) -> bool:
        if resource == "pods":
            return finished(new) and not finished(old)
        if resource == "services":
            return bool(old["spec"].get("type") != new["spec"].get("type"))
        if resource == "persistentvolumeclaims":
            return bool(quota.usage(resource, old) != quota.usage(resource, new))
        return False

    def quota_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and (old is None or old["spec"] != new["spec"] or "hard" not in (new.get("status") or {})):
            self.enqueue(key_of(new))

    def reconcile(self, key: str) -> None:
        found = self.quotas.get(key)
        if found is None:
            return
        self.queue.add_after(key, RESYNC_MS, idle=True)
        hard: dict[str, str] = found["spec"].get("hard") or {}
        used = self.count(found, list(hard))
        status = {"hard": hard, "used": {name: str(amount) for name, amount in used.items()}}
        before = found.get("status") or {}
        known = before.get("used") or {}
        same = before.get("hard") == hard and set(known) == set(used) and all(parse(known[name]) == used[name] for name in used)
        if not same:
            self.client.update_status("resourcequotas", {**found, "status": status})
            told = ", ".join(f"{name} {used[name]} of {hard[name]}" for name in sorted(hard)[:3])
            self.tell(f"The quota {found['metadata']['name']} counts what its namespace uses: {told}.")

    def count(self, found: Object, names: list[str]) -> dict[str, Quantity]:
        """What the namespace uses of each name, by the objects in the caches."""
        total: dict[str, Quantity] = {}
        namespace, now = found["metadata"]["namespace"], self.now_ms
        for resource, informer in self.counted:
            mine = quota.tracked(resource.plural, names, resource.group)
            if not mine:
                continue
            for obj in informer.list(namespace):
                if quota.covers(found, resource.plural, obj, resource.group):
                    uses = quota.usage(resource.plural, obj, resource.group, now)
                    total = quota.add(total, {name: uses[name] for name in mine if name in uses})
        return {name: total.get(name, ZERO) for name in names}
