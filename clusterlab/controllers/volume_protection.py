"""Protection of claims and volumes in use: they go only when nobody uses them any more.

Follows pkg/controller/volume/pvcprotection/pvc_protection_controller.go and pvprotection/pv_protection_controller.go.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, deleting, key_of
from clusterlab.controllers.persistentvolume import by_claim
from clusterlab.machinery.errors import StatusError

__all__ = ["PVCProtectionController", "PVProtectionController"]


class _Protection(BaseController):
    """Keeps a finalizer on objects until they are free."""

    finalizer = ""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.objects = self.informer(self.resource)
        self.objects.on_change(self.object_changed)

    def object_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and (deleting(new) or not self._protected(new)):
            self.enqueue(key_of(new))

    def _protected(self, obj: Object) -> bool:
        return self.finalizer in (obj["metadata"].get("finalizers") or ())

    def used(self, obj: Object) -> bool:
        raise NotImplementedError

    def reconcile(self, key: str) -> None:
        obj = self.objects.get(key)
        if obj is None:
            return
        meta = obj["metadata"]
        finalizers = meta.get("finalizers") or []
        if deleting(obj):
            if not self._protected(obj):
                return
            if self.used(obj):
                self.tell(f"{obj['kind']} {meta['name']} is still in use, so it is not deleted yet.")
                return
            finalizers = [each for each in finalizers if each != self.finalizer]
            self.tell(f"Nobody uses {obj['kind']} {meta['name']} any more, so it may go.")
        elif not self._protected(obj):
            finalizers = [*finalizers, self.finalizer]
        else:
            return
        new_meta = {**meta, "finalizers": finalizers}
        if not finalizers:
            del new_meta["finalizers"]
        try:
            self.client.update(self.resource, {**obj, "metadata": new_meta})
        except StatusError as error:
            if error.reason != "NotFound":
                raise


class PVCProtectionController(_Protection):
    """Protects claims that pods use."""

    resource = "persistentvolumeclaims"
    controller_name = component = "persistentvolumeclaim-protection-controller"
    finalizer = "kubernetes.io/pvc-protection"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.pods = self.informer("pods")
        self.pods.add_index("claim", by_claim)
        self.pods.on_change(self.pod_changed)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or (old is not None and old["metadata"]["uid"] != new["metadata"]["uid"]):
            for key in by_claim(old) if old is not None else ():
                self.enqueue(key)

    def used(self, obj: Object) -> bool:
        return any(pod["spec"].get("nodeName") for pod in self.pods.indexed("claim", key_of(obj)))


class PVProtectionController(_Protection):
    """Protects volumes that are bound."""

    resource = "persistentvolumes"
    controller_name = component = "persistentvolume-protection-controller"
    finalizer = "kubernetes.io/pv-protection"

    def used(self, obj: Object) -> bool:
        return (obj.get("status") or {}).get("phase") == "Bound"
