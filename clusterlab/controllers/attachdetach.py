"""The attach/detach controller: disks are attached to the nodes whose pods use them.

Follows pkg/controller/volume/attachdetach (attach_detach_controller.go, reconciler/reconciler.go) and the external attacher, which
here attaches at once. Only CSI volumes are attached; a disk that one node may use at a time waits until the other one lets go, or
for six minutes when that node is down.
"""

from __future__ import annotations

from hashlib import sha256

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.node_lifecycle import by_node
from clusterlab.controllers.objects import Object, Objects, condition_of, deleting, finished, key_of
from clusterlab.controllers.persistentvolume import by_claim
from clusterlab.machinery.errors import StatusError

__all__ = ["AttachDetachController", "attachment_name"]

FORCE_DETACH_MS = 6 * 60_000


def attachment_name(handle: str, driver: str, node: str) -> str:
    """The name of the VolumeAttachment of a disk at a node."""
    return "csi-" + sha256(f"{handle}{driver}{node}".encode()).hexdigest()


def _unique(volume: Object) -> str:
    """What a disk is called in the status of its node."""
    csi = volume["spec"]["csi"]
    return f"kubernetes.io/csi/{csi['driver']}^{csi['volumeHandle']}"


class AttachDetachController(BaseController):
    """Reconciles what is attached to each node. Keys are node names."""

    resource = "nodes"
    controller_name = "persistentvolume-attach-detach-controller"
    component = "attachdetach-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.pods = self.informer("pods")
        self.nodes = self.informer("nodes")
        self.claims = self.informer("persistentvolumeclaims")
        self.volumes = self.informer("persistentvolumes")
        self.attachments = self.informer("volumeattachments")
        self.pods.add_index("node", by_node)
        self.pods.add_index("claim", by_claim)
        self.pods.on_change(self.pod_changed)
        self.claims.on_change(self.claim_changed)
        self.nodes.on_change(self.node_changed)

    # Handlers.

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        assert pod is not None
        if not pod["spec"].get("volumes") or not by_claim(pod):
            return
        if old is None or new is None or old["spec"].get("nodeName") != new["spec"].get("nodeName") or finished(old) != finished(new):
            for each in (old, new):
                if each is not None and each["spec"].get("nodeName"):
                    self.enqueue(each["spec"]["nodeName"])

    def claim_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and (old is None or old["spec"].get("volumeName") != new["spec"].get("volumeName")):
            for pod in self.pods.indexed("claim", key_of(new)):
                if pod["spec"].get("nodeName"):
                    self.enqueue(pod["spec"]["nodeName"])

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None and any(map(self._disks, self.pods.indexed("node", new["metadata"]["name"]))):
            self.enqueue(new["metadata"]["name"])
        if new is None and any(each["spec"]["nodeName"] == old["metadata"]["name"]  # type: ignore[index]
                               for each in self.attachments.store.values()):
            self.enqueue(old["metadata"]["name"])  # type: ignore[index]

    # Reconciling.

    def reconcile(self, key: str) -> None:
        wanted: dict[str, tuple[Object, Object]] = {}  # attachment -> (volume, pod)
        for pod in self.pods.indexed("node", key) if key in self.nodes.store else ():
            if not finished(pod):
                for volume in self._disks(pod):
                    csi = volume["spec"]["csi"]
                    wanted.setdefault(attachment_name(csi["volumeHandle"], csi["driver"], key), (volume, pod))
        present = {
            name: each for name, each in self.attachments.store.items() if each["spec"]["nodeName"] == key and not deleting(each)
        }
        for name, attachment in present.items():
            if name not in wanted:
                self._detach(key, name, attachment)
        for name, (volume, pod) in wanted.items():
            if name not in present:
                self._attach(key, name, volume, pod)
            elif not (present[name].get("status") or {}).get("attached") or not self._is_told(key, volume):
                self._finish(key, present[name], volume)

    def _disks(self, pod: Object) -> Objects:
        found = []
        for claim_key in by_claim(pod):
            claim = self.claims.get(claim_key)
            volume = self.volumes.get(claim["spec"].get("volumeName", "")) if claim is not None else None
            if volume is not None and "csi" in volume["spec"]:
                found.append(volume)
        return found

    def _attach(self, node: str, name: str, volume: Object, pod: Object) -> None:
        meta = volume["metadata"]
        rival = self._rival(node, volume)
        if rival is not None:
            other = rival["spec"]["nodeName"]
            users = [each["metadata"]["name"] for each in self.pods.indexed("node", other)
                     if any(disk["metadata"]["name"] == meta["name"] for disk in self._disks(each))]
            where = f'Volume is already used by pod(s) {", ".join(users)}' if users else \
                "Volume is already exclusively attached to one node and can't be attached to another"
            self.record(pod, "Warning", "FailedAttachVolume", f'Multi-Attach error for volume "{meta["name"]}" {where}')
            self.queue.add_after(node, 10_000, idle=True)
            return
        body = {
            "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name},
            "spec": {"attacher": volume["spec"]["csi"]["driver"], "nodeName": node, "source": {"persistentVolumeName": meta["name"]}},
        }
        try:
            made = self.client.create("volumeattachments", body)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            return
        self.client.update_status("volumeattachments", {**made, "status": {"attached": True}})
        self._node_attached(node, volume, True)
        self.record(pod, "Normal", "SuccessfulAttachVolume", f'AttachVolume.Attach succeeded for volume "{meta["name"]}" ')
        self.tell(f"The disk {meta['name']} is attached to {node}, where {pod['metadata']['name']} needs it.")

    def _is_told(self, node: str, volume: Object) -> bool:
        """Whether the node's status says that a disk is attached to it, which is what its kubelet goes by."""
        told = (self.nodes.store[node].get("status") or {}).get("volumesAttached") or ()
        return any(each["name"] == _unique(volume) for each in told)

    def _finish(self, node: str, attachment: Object, volume: Object) -> None:
        """Goes on where an attachment was left half done: the API server was gone, or the node was made anew."""
        if not (attachment.get("status") or {}).get("attached"):
            self.client.update_status("volumeattachments", {**attachment, "status": {"attached": True}})
        self._node_attached(node, volume, True)
        self.tell(f"The disk {volume['metadata']['name']} is attached to {node}, and now its kubelet is told so.")

    def _rival(self, node: str, volume: Object) -> Object | None:
        """The attachment to another node that keeps a disk from being attached."""
        modes = volume["spec"].get("accessModes") or []
        if any(mode in ("ReadWriteMany", "ReadOnlyMany") for mode in modes):
            return None
        for each in self.attachments.store.values():
            same = (each["spec"].get("source") or {}).get("persistentVolumeName") == volume["metadata"]["name"]
            if same and each["spec"]["nodeName"] != node:
                self.enqueue(each["spec"]["nodeName"])
                return each
        return None

    def _detach(self, node: str, name: str, attachment: Object) -> None:
        found = self.nodes.get(node)
        ready = condition_of(found, "Ready") if found is not None else None
        taints = (found or {}).get("spec", {}).get("taints") or []
        out = any(taint["key"] == "node.kubernetes.io/out-of-service" for taint in taints)
        if found is not None and ready is not None and ready["status"] != "True" and not out:
            # The kubelet cannot say that the disk is unmounted: wait before it is taken by force.
            until = self.busy_until.get(name)
            if until is None:
                self.busy(name, FORCE_DETACH_MS)
            if until is None or self.sim.time_ms < until:
                self.queue.add_after(node, FORCE_DETACH_MS, idle=True)
                return
        self.busy_until.pop(name, None)
        try:
            self.client.delete("volumeattachments", "", name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        volume = self.volumes.get((attachment["spec"].get("source") or {}).get("persistentVolumeName", ""))
        if volume is not None and found is not None:
            self._node_attached(node, volume, False)
        self.tell(f"No pod on {node} needs the disk {attachment['spec']['source'].get('persistentVolumeName')} any more: it is detached.")

    def _node_attached(self, node: str, volume: Object, attached: bool) -> None:
        unique = _unique(volume)
        live = self.client.get("nodes", "", node)
        before = (live.get("status") or {}).get("volumesAttached") or []
        after = [each for each in before if each["name"] != unique]
        if attached:
            after.append({"name": unique, "devicePath": ""})
        if after != before:
            self.client.patch("nodes", "", node, {"status": {"volumesAttached": after or None}}, "merge", "status")
