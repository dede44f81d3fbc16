"""The persistent volume controller: binds claims to volumes, and asks provisioners for new ones.

Follows pkg/controller/volume/persistentvolume/pv_controller.go and staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go.
In-tree provisioners are left out, as they are gone from Kubernetes; `provisioner` plays the external ones.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, Objects, created_ms, deleting, finished, key_of
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import from_object as selector_of
from clusterlab.machinery.quantity import parse

__all__ = ["PersistentVolumeBinder", "annotations_of", "by_claim", "class_of", "default_class"]

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
RESYNC_MS = 15_000


def annotations_of(obj: Object) -> dict[str, str]:
    """The annotations of an object."""
    return obj["metadata"].get("annotations") or {}


def class_of(obj: Object) -> str:
    """The storage class of a claim or volume, "" for none."""
    return annotations_of(obj).get(BETA_CLASS) or obj["spec"].get("storageClassName") or ""


def default_class(classes: Objects) -> Object | None:
    """The newest of the default storage classes."""
    found = [each for each in classes if annotations_of(each).get(DEFAULT_CLASS) == "true"]
    return min(found, key=lambda each: (-created_ms(each), each["metadata"]["name"])) if found else None


def by_claim(pod: Object) -> list[str]:
    """Index function: the claims that a pod uses."""
    meta, found = pod["metadata"], []
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            found.append(f"{meta['namespace']}/{volume['persistentVolumeClaim']['claimName']}")
        elif "ephemeral" in volume:
            found.append(f"{meta['namespace']}/{meta['name']}-{volume['name']}")
    return found


def refers_to(volume: Object, claim: Object) -> bool:
    """Whether a volume is bound, or meant, for a claim."""
    ref = volume["spec"].get("claimRef")
    meta = claim["metadata"]
    return ref is not None and (ref.get("namespace"), ref["name"]) == (meta["namespace"], meta["name"]) \
        and ref.get("uid", meta["uid"]) in ("", meta["uid"])


class PersistentVolumeBinder(BaseController):
    """Reconciles claims (`claims/NAMESPACE/NAME`) and volumes (`volumes/NAME`)."""

    controller_name = "persistentvolume-binder-controller"
    component = "persistentvolume-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.claims = self.informer("persistentvolumeclaims")
        self.volumes = self.informer("persistentvolumes")
        self.classes = self.informer("storageclasses")
        self.pods = self.informer("pods")
        self.pods.add_index("claim", by_claim)
        self.claims.on_change(self.claim_changed)
        self.volumes.on_change(self.volume_changed)
        self.classes.on_change(self.class_changed)

    def object_key(self, key: str) -> str:
        kind, _, name = key.partition("/")
        return f"persistentvolume{'claims' if kind == 'claims' else 's'}/{name}"

    # Handlers.

    def claim_changed(self, old: Object | None, new: Object | None) -> None:
        claim = new if new is not None else old
        assert claim is not None
        self.enqueue("claims/" + key_of(claim))
        bound = claim["spec"].get("volumeName")
        if bound:
            self.enqueue("volumes/" + bound)

    def volume_changed(self, old: Object | None, new: Object | None) -> None:
        volume = new if new is not None else old
        assert volume is not None
        self.enqueue("volumes/" + volume["metadata"]["name"])
        ref = volume["spec"].get("claimRef")
        if ref is not None:
            self.enqueue(f"claims/{ref.get('namespace', '')}/{ref['name']}")
        elif new is not None and (old is None or (new.get("status") or {}).get("phase") != (old.get("status") or {}).get("phase")):
            for key, claim in self.claims.store.items():  # somebody may have waited for it; upstream, the next resync tells
                if not claim["spec"].get("volumeName") and self.fits(new, claim):
                    self.enqueue("claims/" + key)

    def class_changed(self, old: Object | None, new: Object | None) -> None:
        """Claims without a class learn of a new default class at once, upstream with the next resync."""
        if new is None or annotations_of(new).get(DEFAULT_CLASS) != "true" or (old and annotations_of(old).get(DEFAULT_CLASS) == "true"):
            return
        for key, claim in self.claims.store.items():
            if not claim["spec"].get("volumeName") and claim["spec"].get("storageClassName") is None:
                self.enqueue("claims/" + key)

    def reconcile(self, key: str) -> None:
        kind, _, name = key.partition("/")
        if kind == "claims":
            claim = self.claims.get(name)
            if claim is not None:
                self.sync_claim(key, claim)
        else:
            volume = self.volumes.get(name)
            if volume is not None:
                self.sync_volume(volume)

    # Claims.

    def sync_claim(self, key: str, claim: Object) -> None:
        if BIND_COMPLETED in annotations_of(claim):
            self._sync_bound(claim)
        elif claim["spec"].get("volumeName"):
            volume = self.volumes.get(claim["spec"]["volumeName"])
            ref = volume["spec"].get("claimRef") if volume is not None else None
            if volume is not None and (ref is None or refers_to(volume, claim)):
                self.bind(volume, claim)
            else:
                self._claim_phase(claim, "Pending")
        else:
            self._sync_unbound(key, claim)

    def _sync_bound(self, claim: Object) -> None:
        volume = self.volumes.get(claim["spec"].get("volumeName", ""))
        if volume is None or (volume["spec"].get("claimRef") is not None and not refers_to(volume, claim)):
            if (claim.get("status") or {}).get("phase") != "Lost":
                why = "Bound claim has lost its PersistentVolume. Data on the volume is lost!" if volume is None else \
                    "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
                self._claim_phase(claim, "Lost")
                self.record(claim, "Warning", "ClaimLost" if volume is None else "ClaimMisbound", why)
            return
        self.bind(volume, claim)

    def _sync_unbound(self, key: str, claim: Object) -> None:
        claim = self._with_default_class(claim)
        name = class_of(claim)
        storage_class = self.classes.get(name) if name else None
        delayed = storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer" \
            and SELECTED_NODE not in annotations_of(claim)
        volume = self.best_match(claim, delayed)
        if volume is not None:
            self.bind(volume, claim)
            return
        self.queue.add_after(key, RESYNC_MS, idle=True)
        if delayed:
            self._tell_waiting(claim)
        elif name:
            self._provision(claim, name, storage_class)
            return
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            self.record(claim, "Normal", "FailedBinding", message)
        self._claim_phase(claim, "Pending")

    def _with_default_class(self, claim: Object) -> Object:
        """A claim that came before there was a default class gets it now."""
        if claim["spec"].get("storageClassName") is not None or BETA_CLASS in annotations_of(claim):
            return claim
        default = default_class(list(self.classes.store.values()))
        if default is None:
            return claim
        spec = {**claim["spec"], "storageClassName": default["metadata"]["name"]}
        return self.client.update("persistentvolumeclaims", {**claim, "spec": spec})

    def _tell_waiting(self, claim: Object) -> None:
        users = [pod for pod in self.pods.indexed("claim", key_of(claim)) if not finished(pod) and not deleting(pod)]
        if users:
            names = sorted(pod["metadata"]["name"] for pod in users)
            what = f"pod {names[0]}" if len(names) == 1 else f"pods {','.join(names)}"
            self.record(claim, "Normal", "WaitForPodScheduled", f"waiting for {what} to be scheduled")
        else:
            message = "waiting for first consumer to be created before binding"
            self.record(claim, "Normal", "WaitForFirstConsumer", message)

    def _provision(self, claim: Object, name: str, storage_class: Object | None) -> None:
        if storage_class is None:
            message = f'storageclass.storage.k8s.io "{name}" not found'
            self.record(claim, "Warning", "ProvisioningFailed", message)
            self._claim_phase(claim, "Pending")
            return
        provisioner = storage_class["provisioner"]
        if provisioner.startswith("kubernetes.io/"):
            self.record(claim, "Warning", "ProvisioningFailed", f"no volume plugin matched name: {provisioner}")
            self._claim_phase(claim, "Pending")
            return
        if annotations_of(claim).get(PROVISIONER) != provisioner:
            marks = {**annotations_of(claim), PROVISIONER: provisioner, BETA_PROVISIONER: provisioner}
            claim = self.client.update("persistentvolumeclaims", {**claim, "metadata": {**claim["metadata"], "annotations": marks}})
        message = (
            "Waiting for a volume to be created either by the external provisioner "
            f"'{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the "
            "provisioner is running and correctly registered."
        )
        self.record(claim, "Normal", "ExternalProvisioning", message)
        self._claim_phase(claim, "Pending")
        self.tell(f"No volume fits the claim {claim['metadata']['name']}, so the provisioner {provisioner} is asked for one.")

    def best_match(self, claim: Object, delayed: bool) -> Object | None:
        """The volume meant for a claim, or of those with the fewest access modes the smallest that fits (index.go); a claim that waits
        for its consumer takes only the former."""
        fitting: list[tuple[int, int, str, Object]] = []
        for name, volume in self.volumes.store.items():
            if refers_to(volume, claim):
                if self._large_enough(volume, claim):
                    return volume
                continue
            if not delayed and (volume.get("status") or {}).get("phase") == "Available" and self.fits(volume, claim):
                capacity = parse(str((volume["spec"].get("capacity") or {}).get("storage", "0")))
                fitting.append((len(set(volume["spec"].get("accessModes") or ())), capacity.nano, name, volume))
        return min(fitting, key=lambda each: each[:3])[3] if fitting else None

    def fits(self, volume: Object, claim: Object) -> bool:
        """Whether a volume that nobody has is what a claim asks for."""
        spec = claim["spec"]
        if volume["spec"].get("claimRef") is not None or deleting(volume) or class_of(volume) != class_of(claim):
            return False
        if spec.get("selector") and not selector_of(spec["selector"]).matches(volume["metadata"].get("labels")):
            return False
        return set(spec.get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ()) and self._large_enough(volume, claim)

    def _large_enough(self, volume: Object, claim: Object) -> bool:
        wanted = parse(str(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0")))
        mode = claim["spec"].get("volumeMode", "Filesystem")
        offered = parse(str((volume["spec"].get("capacity") or {}).get("storage", "0")))
        return volume["spec"].get("volumeMode", "Filesystem") == mode and offered >= wanted

    # Binding.

    def bind(self, volume: Object, claim: Object) -> None:
        """Ties volume and claim together, both ways."""
        volume = self._bind_volume(volume, claim)
        volume = self._volume_phase(volume, "Bound", "")
        claim = self._bind_claim(claim, volume)
        self._claim_bound(claim, volume)

    def _bind_volume(self, volume: Object, claim: Object) -> Object:
        meta, ref = claim["metadata"], volume["spec"].get("claimRef")
        if ref is not None and ref.get("uid") == meta["uid"]:
            return volume
        marks = annotations_of(volume)
        if ref is None:
            marks = {**marks, BOUND_BY_CONTROLLER: "yes"}
        new_ref = {
            "kind": "PersistentVolumeClaim", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"], "apiVersion": "v1",
            "resourceVersion": meta["resourceVersion"],
        }
        changed = {
            **volume, "metadata": {**volume["metadata"], "annotations": marks}, "spec": {**volume["spec"], "claimRef": new_ref},
        }
        return self.client.update("persistentvolumes", changed)

    def _bind_claim(self, claim: Object, volume: Object) -> Object:
        name, marks = volume["metadata"]["name"], annotations_of(claim)
        if claim["spec"].get("volumeName") == name and BIND_COMPLETED in marks:
            return claim
        if claim["spec"].get("volumeName") != name:
            marks = {**marks, BOUND_BY_CONTROLLER: "yes"}
        marks = {**marks, BIND_COMPLETED: "yes"}
        changed = {
            **claim, "metadata": {**claim["metadata"], "annotations": marks}, "spec": {**claim["spec"], "volumeName": name},
        }
        self.tell(f"The claim {claim['metadata']['name']} is bound to the volume {name}.")
        return self.client.update("persistentvolumeclaims", changed)

    def _claim_bound(self, claim: Object, volume: Object) -> None:
        before = claim.get("status") or {}
        status = {**before, "phase": "Bound", "accessModes": volume["spec"].get("accessModes") or []}
        if before.get("phase") != "Bound" or "capacity" not in before:
            status["capacity"] = volume["spec"].get("capacity") or {}
        if status != before:
            self.client.update_status("persistentvolumeclaims", {**claim, "status": status})

    def _claim_phase(self, claim: Object, phase: str) -> None:
        before = claim.get("status") or {}
        if before.get("phase") != phase:
            status = {"phase": phase, **({"conditions": before["conditions"]} if before.get("conditions") else {})}
            self.client.update_status("persistentvolumeclaims", {**claim, "status": status})

    # Volumes.

    def sync_volume(self, volume: Object) -> None:
        ref = volume["spec"].get("claimRef")
        if ref is None or not ref.get("uid"):
            self._volume_phase(volume, "Available", "")
            return
        claim = self.claims.get(f"{ref.get('namespace', '')}/{ref['name']}")
        if claim is None or claim["metadata"]["uid"] != ref["uid"]:
            try:  # the cache may lag behind
                live = self.client.get("persistentvolumeclaims", ref.get("namespace", ""), ref["name"])
                if live["metadata"]["uid"] == ref["uid"]:
                    return
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
            if (volume.get("status") or {}).get("phase") not in ("Released", "Failed"):
                volume = self._volume_phase(volume, "Released", "")
                self.tell(f"The claim of volume {volume['metadata']['name']} is gone, so the volume is released.")
            self._reclaim(volume)
            return
        if not claim["spec"].get("volumeName"):
            self.enqueue("claims/" + key_of(claim))
        elif claim["spec"]["volumeName"] == volume["metadata"]["name"]:
            self._volume_phase(volume, "Bound", "")
        elif volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete" and PROVISIONED_BY in annotations_of(volume):
            self._volume_phase(volume, "Released", "")
        elif annotations_of(volume).get(BOUND_BY_CONTROLLER):
            marks = {name: value for name, value in annotations_of(volume).items() if name != BOUND_BY_CONTROLLER}
            spec = {name: value for name, value in volume["spec"].items() if name != "claimRef"}
            self.client.update("persistentvolumes", {**volume, "metadata": {**volume["metadata"], "annotations": marks}, "spec": spec})

    def _reclaim(self, volume: Object) -> None:
        policy = volume["spec"].get("persistentVolumeReclaimPolicy", "Retain")
        if policy != "Delete" or PROVISIONED_BY in annotations_of(volume) or deleting(volume):
            return  # kept, or its provisioner's to delete
        name = volume["metadata"]["name"]
        path = (volume["spec"].get("hostPath") or {}).get("path", "")
        if path.startswith("/tmp/"):
            self.client.delete("persistentvolumes", "", name)
            return
        message = f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
        if path:
            message = f"host_path deleter only supports /tmp/.+ but received provided {path}"
        if (volume.get("status") or {}).get("phase") != "Failed":
            self._volume_phase(volume, "Failed", message)
            self.record(volume, "Warning", "VolumeFailedDelete", message)

    def _volume_phase(self, volume: Object, phase: str, message: str) -> Object:
        before = volume.get("status") or {}
        if before.get("phase") == phase:
            return volume
        status: Object = {"phase": phase, "lastPhaseTransitionTime": self.sim.now_rfc3339()}
        if message:
            status["message"] = message
        return self.client.update_status("persistentvolumes", {**volume, "status": status})
