"""The ephemeral volume controller: a claim for each generic ephemeral volume of a pod, owned by the pod.

Follows pkg/controller/volume/ephemeral/controller.go.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, controlled_by, controller_ref, deleting, key_of
from clusterlab.machinery import errors
from clusterlab.machinery.errors import StatusError

__all__ = ["EphemeralVolumeController"]


class EphemeralVolumeController(BaseController):
    """Creates the claims of ephemeral volumes. Keys are pods."""

    resource = "pods"
    controller_name = "ephemeral-volume-controller"
    component = "ephemeral_volume"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.pods = self.informer("pods")
        self.claims = self.informer("persistentvolumeclaims")
        self.pods.on_change(self.pod_changed)
        self.claims.on_change(self.claim_changed)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None and not deleting(new) \
                and any("ephemeral" in volume for volume in new["spec"].get("volumes") or ()):
            self.enqueue(key_of(new))

    def claim_changed(self, old: Object | None, new: Object | None) -> None:
        """A claim was deleted while its pod still wants it."""
        if new is not None or old is None:
            return
        for ref in old["metadata"].get("ownerReferences") or ():
            if ref["kind"] == "Pod" and f"{old['metadata']['namespace']}/{ref['name']}" in self.pods.store:
                self.enqueue(f"{old['metadata']['namespace']}/{ref['name']}")

    def reconcile(self, key: str) -> None:
        pod = self.pods.get(key)
        if pod is None or deleting(pod):
            return
        for volume in pod["spec"].get("volumes") or ():
            if "ephemeral" in volume:
                self._claim(pod, volume)

    def _claim(self, pod: Object, volume: Object) -> None:
        meta, template = pod["metadata"], volume["ephemeral"]["volumeClaimTemplate"]
        name = f"{meta['name']}-{volume['name']}"
        known = self.claims.get(f"{meta['namespace']}/{name}")
        if known is not None:
            if controlled_by(known, pod):
                return
            message = f'PVC "{meta["namespace"]}/{name}" was not created for pod "{meta["namespace"]}/{meta["name"]}" (pod is not owner)'
            raise errors.internal_error(message)
        given = template.get("metadata") or {}
        claim: Object = {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                **{field: given[field] for field in ("labels", "annotations") if given.get(field)}, "name": name,
                "namespace": meta["namespace"], "ownerReferences": [controller_ref(pod, "v1", "Pod")],
            },
            "spec": template["spec"],
        }
        try:
            self.client.create("persistentvolumeclaims", claim)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                message = f"ephemeral volume {volume['name']}: create PVC {name}: {error.message}"
                self.record(pod, "Warning", "EphemeralVolumeCreateFailed", message)
                raise
        self.tell(f"The pod {meta['name']} gets the claim {name} for its ephemeral volume, to live and die with it.")
