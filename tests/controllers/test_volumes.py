"""Claims and volumes: binding, provisioning, reclaiming, protection, attachment."""

from __future__ import annotations

from typing import Any

from clusterlab.client.api import Request, User
from tests.controllers.conftest import Lab
from tests.controllers.test_nodes import add_node

Object = dict[str, Any]
NAMES = (
    "persistentvolume-binder-controller", "csi-provisioner", "persistentvolume-attach-detach-controller",
    "persistentvolumeclaim-protection-controller", "persistentvolume-protection-controller",
)


def cluster(mode: str = "Immediate", **more: Any) -> Lab:
    lab = Lab(*NAMES).start()
    add_node(lab, "node-1", **{"topology.kubernetes.io/zone": "a"})
    lab.api.put("storageclasses", {"metadata": {"name": "fast"}, "provisioner": "disk.example.com", "reclaimPolicy": "Delete",
                                   "volumeBindingMode": mode, **more})
    lab.settle()
    return lab


def claim(lab: Lab, name: str = "data", storage: str = "1Gi", **spec: Any) -> None:
    lab.api.put("persistentvolumeclaims", {"metadata": {"name": name, "namespace": "default"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}, **spec}})
    lab.settle()


def volume(lab: Lab, name: str, storage: str, **spec: Any) -> None:
    lab.api.put("persistentvolumes", {"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "capacity": {"storage": storage}, "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": "/mnt/" + name}, **spec}})
    lab.settle()


def state(lab: Lab, name: str = "data") -> tuple[str, str]:
    found = lab.api.get("persistentvolumeclaims", f"default/{name}")
    assert found is not None
    return found["status"]["phase"], found["spec"].get("volumeName", "")


def phase(lab: Lab, name: str) -> str:
    found = lab.api.get("persistentvolumes", name)
    assert found is not None
    return found["status"]["phase"]


def pod(lab: Lab, node: str = "node-1", name: str = "one") -> None:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    lab.api.put("pods", {"metadata": {"name": name, "namespace": "default"}, "spec": {"nodeName": node, "containers": [], "volumes": volumes}})
    lab.settle()


def test_smallest_fitting_volume_is_taken() -> None:
    lab = cluster()
    for name, size in (("big", "10Gi"), ("small", "500Mi"), ("right", "2Gi")):
        volume(lab, name, size)
    assert phase(lab, "right") == "Available"
    claim(lab, storageClassName="")
    assert state(lab) == ("Bound", "right") and phase(lab, "right") == "Bound" and phase(lab, "big") == "Available"
    lab.api.serve(Request("delete", "persistentvolumeclaims", User("t"), "default", "data"))
    lab.settle()
    assert phase(lab, "right") == "Released"
    claim(lab, storageClassName="", storage="2Gi")
    assert state(lab) == ("Bound", "big")


def test_nothing_fits() -> None:
    lab = cluster()
    claim(lab, storageClassName="")
    assert state(lab)[0] == "Pending"
    assert ("FailedBinding", "no persistent volumes available for this claim and no storage class is set") in lab.api.events()
    volume(lab, "late", "1Gi")
    assert state(lab) == ("Bound", "late")


def test_provisions_and_deletes() -> None:
    lab = cluster()
    claim(lab, storageClassName="fast")
    found = lab.api.get("persistentvolumeclaims", "default/data")
    assert found is not None
    name = f"pvc-{found['metadata']['uid']}"
    assert state(lab) == ("Bound", name) and found["status"]["capacity"] == {"storage": "1Gi"}
    assert ("ProvisioningSucceeded", f"Successfully provisioned volume {name}") in lab.api.events()
    lab.api.serve(Request("delete", "persistentvolumeclaims", User("t"), "default", "data"))
    lab.settle()
    assert lab.api.all("persistentvolumes") == [] and lab.api.all("persistentvolumeclaims") == []


def test_waits_for_first_consumer() -> None:
    lab = cluster("WaitForFirstConsumer")
    claim(lab, storageClassName="fast")
    assert state(lab) == ("Pending", "")
    assert ("WaitForFirstConsumer", "waiting for first consumer to be created before binding") in lab.api.events()
    meta = lab.api.get("persistentvolumeclaims", "default/data")["metadata"]  # type: ignore[index]
    lab.api.change("persistentvolumeclaims", "default/data",
                   metadata={**meta, "annotations": {"volume.kubernetes.io/selected-node": "node-1"}})
    lab.settle()
    assert state(lab)[0] == "Bound"
    (made,) = lab.api.all("persistentvolumes")
    term = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]
    assert term == {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}


def test_default_class_and_missing_class() -> None:
    lab = cluster(metadata={"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}})
    claim(lab)
    assert state(lab)[0] == "Bound"
    claim(lab, "other", storageClassName="nope")
    assert ("ProvisioningFailed", 'storageclass.storage.k8s.io "nope" not found') in lab.api.events()


def test_claim_in_use_stays_until_its_pod_is_gone() -> None:
    lab = cluster()
    claim(lab, storageClassName="fast")
    pod(lab)
    (attachment,) = lab.api.all("volumeattachments")
    assert attachment["spec"]["nodeName"] == "node-1" and attachment["status"] == {"attached": True}
    name = state(lab)[1]
    assert ("SuccessfulAttachVolume", f'AttachVolume.Attach succeeded for volume "{name}" ') in lab.api.events()
    lab.api.serve(Request("delete", "persistentvolumeclaims", User("t"), "default", "data"))
    lab.settle()
    assert lab.api.get("persistentvolumeclaims", "default/data") is not None
    lab.api.remove("pods", "default/one")
    lab.settle()
    assert lab.api.all("persistentvolumeclaims") == [] and lab.api.all("volumeattachments") == []


def test_disk_is_attached_to_one_node_at_a_time() -> None:
    lab = cluster()
    add_node(lab, "node-2")
    claim(lab, storageClassName="fast")
    pod(lab)
    pod(lab, "node-2", "two")
    name = state(lab)[1]
    assert ("FailedAttachVolume", f'Multi-Attach error for volume "{name}" Volume is already used by pod(s) one') in lab.api.events()
    lab.api.remove("pods", "default/one")
    lab.run(15)
    assert [each["spec"]["nodeName"] for each in lab.api.all("volumeattachments")] == ["node-2"]


def test_disk_grows() -> None:
    lab = cluster(allowVolumeExpansion=True)
    claim(lab, storageClassName="fast")
    spec = lab.api.get("persistentvolumeclaims", "default/data")["spec"]  # type: ignore[index]
    lab.api.change("persistentvolumeclaims", "default/data", spec={**spec, "resources": {"requests": {"storage": "3Gi"}}})
    lab.settle()
    assert lab.api.get("persistentvolumeclaims", "default/data")["status"]["capacity"] == {"storage": "3Gi"}  # type: ignore[index]


def test_ephemeral_volume_gets_a_claim() -> None:
    lab = Lab("ephemeral-volume-controller").start()
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volumes = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": spec}}}]
    lab.api.put("pods", {"metadata": {"name": "one", "namespace": "default"}, "spec": {"containers": [], "volumes": volumes}})
    lab.settle()
    made = lab.api.get("persistentvolumeclaims", "default/one-scratch")
    assert made is not None and made["spec"] == spec and made["metadata"]["labels"] == {"a": "b"}
    assert made["metadata"]["ownerReferences"][0]["name"] == "one"


def test_the_fewest_access_modes_come_before_the_smallest_volume() -> None:
    lab = cluster()
    volume(lab, "both", "2Gi", accessModes=["ReadWriteOnce", "ReadWriteMany"], storageClassName="by-hand")
    volume(lab, "many", "5Gi", accessModes=["ReadWriteMany"], storageClassName="by-hand")
    claim(lab, accessModes=["ReadWriteMany"], storageClassName="by-hand")
    assert state(lab) == ("Bound", "many")
