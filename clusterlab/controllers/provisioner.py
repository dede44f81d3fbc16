"""External provisioners: a disk for each claim that asks for one, made some time later, deleted with its claim, grown on demand.

Follows sigs.k8s.io/sig-storage-lib-external-provisioner (controller/controller.go) and the external resizer, as every CSI driver runs
them. One part plays the provisioner of every storage class; disks are entries in the cluster only.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, deleting, key_of
from clusterlab.controllers.persistentvolume import PROVISIONED_BY, PROVISIONER, SELECTED_NODE, annotations_of, class_of
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.quantity import parse

__all__ = ["ExternalProvisioner"]

PROVISION_MS = 800
LOCAL_PATH = "rancher.io/local-path"
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
ZONE = "topology.kubernetes.io/zone"


def _source(storage_class: Object, name: str, claim: str) -> Object:
    """What the volume is: a disk of a CSI driver, or a folder on a node where the provisioner is none, as minikube's and kind's."""
    provisioner = str(storage_class["provisioner"])
    parameters = storage_class.get("parameters") or {}
    if provisioner == LOCAL_PATH:
        folder = f"{name}_{claim.replace('/', '_')}"
        return {"hostPath": {"path": f"/var/local-path-provisioner/{folder}", "type": "DirectoryOrCreate"}}
    if "/" in provisioner:
        folder = provisioner.rpartition("/")[2]
        return {"hostPath": {"path": f"/tmp/{folder}-provisioner/{claim}", "type": ""}}
    return {"csi": {
        "driver": provisioner, "volumeHandle": name,
        "fsType": parameters.get("csi.storage.k8s.io/fstype") or parameters.get("fsType", "ext4"),
        "volumeAttributes": {"storage.kubernetes.io/csiProvisionerIdentity": provisioner},
    }}


class ExternalProvisioner(BaseController):
    """Makes and deletes volumes. Keys: `claims/NAMESPACE/NAME`, `volumes/NAME`."""

    controller_name = "csi-provisioner"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.claims = self.informer("persistentvolumeclaims")
        self.volumes = self.informer("persistentvolumes")
        self.classes = self.informer("storageclasses")
        self.nodes = self.informer("nodes")
        self.claims.on_change(self.claim_changed)
        self.volumes.on_change(self.volume_changed)

    def object_key(self, key: str) -> str:
        kind, _, name = key.partition("/")
        return f"persistentvolume{'claims' if kind == 'claims' else 's'}/{name}"

    def claim_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            return
        asked = PROVISIONER in annotations_of(new) and not new["spec"].get("volumeName")
        if asked or (new["spec"].get("volumeName") and self._wants_growth(new)):
            self.queue.add_after("claims/" + key_of(new), PROVISION_MS)

    def volume_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and PROVISIONED_BY in annotations_of(new) and (self._deletable(new) or deleting(new)):
            self.enqueue("volumes/" + new["metadata"]["name"])

    def reconcile(self, key: str) -> None:
        kind, _, name = key.partition("/")
        if kind == "volumes":
            volume = self.volumes.get(name)
            if volume is not None:
                self._delete(volume)
            return
        claim = self.claims.get(name)
        if claim is None or deleting(claim):
            return
        if claim["spec"].get("volumeName"):
            self._grow(claim)
        else:
            self._provision(claim)

    # Making.

    def _provision(self, claim: Object) -> None:
        storage_class = self.classes.get(class_of(claim))
        meta = claim["metadata"]
        if storage_class is None or annotations_of(claim).get(PROVISIONER) != storage_class["provisioner"]:
            return
        node = annotations_of(claim).get(SELECTED_NODE, "")
        if storage_class.get("volumeBindingMode") == "WaitForFirstConsumer" and not node:
            return
        name = f"pvc-{meta['uid']}"
        if self.volumes.get(name) is not None:
            return
        text = f'External provisioner is provisioning volume for claim "{key_of(claim)}"'
        self._event(claim, storage_class, "Provisioning", text)
        try:
            self.client.create("persistentvolumes", self._volume(name, claim, storage_class, node))
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
        self._event(claim, storage_class, "ProvisioningSucceeded", f"Successfully provisioned volume {name}")
        self.tell(f"The provisioner {storage_class['provisioner']} made the disk {name} for the claim {meta['name']}.")

    def _event(self, claim: Object, storage_class: Object, reason: str, message: str) -> None:
        self.events.event(claim, "Normal", reason, message)

    def _volume(self, name: str, claim: Object, storage_class: Object, node: str) -> Object:
        meta, spec, provisioner = claim["metadata"], claim["spec"], storage_class["provisioner"]
        made: Object = {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]}, "accessModes": spec.get("accessModes") or [],
            "claimRef": {
                "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": meta["namespace"], "name": meta["name"],
                "uid": meta["uid"], "resourceVersion": meta["resourceVersion"],
            },
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": storage_class["metadata"]["name"], "volumeMode": spec.get("volumeMode", "Filesystem"),
            **_source(storage_class, name, f"{meta['namespace']}/{meta['name']}"),
        }
        if storage_class.get("mountOptions"):
            made["mountOptions"] = storage_class["mountOptions"]
        terms = self._topology(storage_class, node)
        if terms:
            made["nodeAffinity"] = {"required": {"nodeSelectorTerms": terms}}
        return {
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {PROVISIONED_BY: provisioner}, "finalizers": [FINALIZER]}, "spec": made,
        }

    def _topology(self, storage_class: Object, node: str) -> list[Object]:
        """Where a disk can be reached from: the zone of the node that was chosen, or the zones that the class allows."""
        found = self.nodes.get(node) if node else None
        if found is not None and storage_class["provisioner"] == LOCAL_PATH:
            values = [found["metadata"]["labels"]["kubernetes.io/hostname"]]
            return [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": values}]}]
        zone = ((found or {}).get("metadata", {}).get("labels") or {}).get(ZONE)
        if zone:
            return [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}]
        return [
            {"matchExpressions": [
                {"key": each["key"], "operator": "In", "values": each["values"]} for each in term.get("matchLabelExpressions") or ()
            ]} for term in storage_class.get("allowedTopologies") or ()
        ]

    # Deleting.

    def _deletable(self, volume: Object) -> bool:
        return (volume.get("status") or {}).get("phase") == "Released" \
            and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"

    def _delete(self, volume: Object) -> None:
        meta = volume["metadata"]
        try:
            if not deleting(volume):
                if not self._deletable(volume):
                    return
                self.client.delete("persistentvolumes", "", meta["name"])
                self.tell(f"The disk {meta['name']} was released and its policy is Delete, so it is deleted.")
            if FINALIZER in (meta.get("finalizers") or ()) and (volume.get("status") or {}).get("phase") != "Bound":
                body = {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
                self.client.patch("persistentvolumes", "", meta["name"], body, "strategic")
        except StatusError as error:
            if error.reason != "NotFound":
                raise

    # Growing.

    def _wants_growth(self, claim: Object) -> bool:
        status = claim.get("status") or {}
        if status.get("phase") != "Bound":
            return False
        requested = claim["spec"].get("resources", {}).get("requests", {}).get("storage", "0")
        return parse(str((status.get("capacity") or {}).get("storage", "0"))) < parse(str(requested))

    def _grow(self, claim: Object) -> None:
        volume = self.volumes.get(claim["spec"]["volumeName"])
        storage_class = self.classes.get(class_of(claim))
        if volume is None or PROVISIONED_BY not in annotations_of(volume) or not self._wants_growth(claim) \
                or storage_class is None or not storage_class.get("allowVolumeExpansion"):
            return
        meta, size = claim["metadata"], claim["spec"]["resources"]["requests"]["storage"]
        self.events.event(claim, "Normal", "Resizing", f"External resizer is resizing volume {volume['metadata']['name']}")
        capacity = {**(volume["spec"].get("capacity") or {}), "storage": size}
        self.client.patch("persistentvolumes", "", volume["metadata"]["name"], {"spec": {"capacity": capacity}})
        status = {**claim["status"], "capacity": {**(claim["status"].get("capacity") or {}), "storage": size}}
        self.client.update_status("persistentvolumeclaims", {**claim, "status": status})
        self.events.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")
        self.tell(f"The disk of the claim {meta['name']} grows to {size}.")
