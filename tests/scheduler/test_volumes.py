"""Pods with volumes. Outcomes as in volume_binding_test.go, volume_zone_test.go, volume_restrictions_test.go and csi_test.go."""

from tests.scheduler.conftest import node, pod


def claim(name, storage_class="", volume="", modes=("ReadWriteOnce",), **meta):
    annotations = {"pv.kubernetes.io/bind-completed": "yes"} if volume else {}
    return {
        "metadata": {"name": name, "namespace": "default", "annotations": annotations, **meta},
        "spec": {"storageClassName": storage_class, "volumeName": volume, "accessModes": list(modes),
                 "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Bound" if volume else "Pending"},
    }


def volume(name, storage_class="", host="", size="1Gi", labels=None, **spec):
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": [host]}]}]}}
    body = {"capacity": {"storage": size}, "storageClassName": storage_class, "accessModes": ["ReadWriteOnce"], **spec}
    if host:
        body["nodeAffinity"] = affinity
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": body, "status": {"phase": "Available"}}


def storage_class(name, provisioner="disk.example.com", mode="WaitForFirstConsumer", **rest):
    return {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode, **rest}


def using(name, *claims, **rest):
    return pod(name, volumes=[{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims], **rest)


def test_a_missing_claim_keeps_the_pod_waiting(bench):
    bench.nodes(node("node-1"), node("node-2"))
    bench.create(using("db", "data"))
    bench.run()
    assert bench.condition("db")["message"] == '0/2 nodes are available: persistentvolumeclaim "data" not found. not found'
    bench.api.put("persistentvolumes", volume("pv-1", host="node-2", claimRef={"name": "data", "namespace": "default"}))
    bench.api.put("persistentvolumeclaims", claim("data", volume="pv-1"))
    bench.run()
    assert bench.where("db") == "node-2"


def test_an_unbound_immediate_claim(bench):
    bench.nodes(node("node-1"))
    bench.api.put("storageclasses", storage_class("fast", mode="Immediate"))
    bench.api.put("persistentvolumeclaims", claim("data", "fast"))
    bench.create(using("db", "data"))
    bench.run()
    assert bench.condition("db")["message"] == "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"


def test_a_volume_elsewhere(bench):
    bench.nodes(node("node-1"), node("node-2", cpu="1"))
    bench.api.put("persistentvolumes", volume("pv-1", host="node-2"))
    bench.api.put("persistentvolumeclaims", claim("data", volume="pv-1"))
    bench.create(using("db", "data", cpu="2"))
    bench.run()
    assert "1 Insufficient cpu, 1 node(s) didn't match PersistentVolume's node affinity." in bench.condition("db")["message"]


def test_waits_for_a_volume_to_be_bound_on_its_node(bench):
    bench.nodes(node("node-1"), node("node-2"))
    bench.api.put("storageclasses", storage_class("local", provisioner="kubernetes.io/no-provisioner"))
    bench.api.put("persistentvolumes", volume("pv-1", "local", host="node-2"))
    bench.api.put("persistentvolumeclaims", claim("data", "local"))
    bench.create(using("db", "data"))
    bench.run()
    assert bench.where("db") == ""
    written = bench.api.get("persistentvolumes", "pv-1")
    assert written["spec"]["claimRef"]["name"] == "data"
    assert written["metadata"]["annotations"] == {"pv.kubernetes.io/bound-by-controller": "yes"}
    bound = claim("data", "local", volume="pv-1")
    old = bench.api.get("persistentvolumeclaims", "default/data")
    bench.api.change("persistentvolumeclaims", "default/data", spec=bound["spec"],
                     metadata={**old["metadata"], "annotations": bound["metadata"]["annotations"]})
    bench.run()
    assert bench.where("db") == "node-2"
    assert [(s.verb, s.object) for s in bench.sim.steps if s.actor == "kube-scheduler"] == [
        ("schedule", "pods/default/db"), ("bind", "pods/default/db")]


def test_two_pods_never_get_the_same_volume(bench):
    bench.nodes(node("node-1"))
    bench.api.put("storageclasses", storage_class("local", provisioner="kubernetes.io/no-provisioner"))
    bench.api.put("persistentvolumes", volume("pv-1", "local", host="node-1"))
    for name in ("a", "b"):
        bench.api.put("persistentvolumeclaims", claim(name, "local"))
        bench.create(using(f"db-{name}", name))
    bench.run()
    assert "1 node(s) didn't find available persistent volumes to bind" in bench.condition("db-b")["message"]


def test_asks_for_a_volume_where_it_wants_the_pod(bench):
    zone = "topology.kubernetes.io/zone"
    bench.nodes(node("node-1", labels={zone: "a"}), node("node-2", labels={zone: "b"}))
    terms = [{"matchLabelExpressions": [{"key": zone, "values": ["b"]}]}]
    bench.api.put("storageclasses", storage_class("disk", allowedTopologies=terms))
    bench.api.put("persistentvolumeclaims", claim("data", "disk"))
    bench.create(using("db", "data"))
    bench.run()
    written = bench.api.get("persistentvolumeclaims", "default/data")
    assert written["metadata"]["annotations"] == {"volume.kubernetes.io/selected-node": "node-2"}
    assert bench.api.get("pods", "default/db")["status"]["nominatedNodeName"] == "node-2"


def test_gives_up_after_ten_minutes(bench):
    bench.nodes(node("node-1"))
    bench.api.put("storageclasses", storage_class("disk"))
    bench.api.put("persistentvolumeclaims", claim("data", "disk"))
    bench.create(using("db", "data"))
    bench.run(until_ms=599_000)
    assert not bench.told("FailedScheduling")
    bench.run(until_ms=601_000)
    assert bench.told("FailedScheduling") == [
        'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded']


def test_zones_of_volumes(bench):
    zone = "topology.kubernetes.io/zone"
    bench.nodes(node("node-1", labels={zone: "a"}), node("node-2", labels={zone: "c"}))
    bench.api.put("persistentvolumes", volume("pv-1", labels={zone: "a__b"}))
    bench.api.put("persistentvolumeclaims", claim("data", volume="pv-1"))
    bench.create(using("db", "data"))
    bench.run()
    assert bench.where("db") == "node-1"
    assert bench.part.decision_of("default/db")["filtered"] == {"node-2": ["VolumeZone", "node(s) had no available volume zone"]}


def test_read_write_once_pod(bench):
    bench.nodes(node("node-1"), node("node-2"))
    bench.api.put("persistentvolumes", volume("pv-1"))
    bench.api.put("persistentvolumeclaims", claim("data", volume="pv-1", modes=("ReadWriteOncePod",)))
    bench.create(using("first", "data"))
    bench.run()
    bench.create(using("second", "data"))
    bench.run()
    assert bench.where("first")
    text = "2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
    assert text in bench.condition("second")["message"]
    bench.api.remove("pods", "default/first")
    bench.run()
    assert bench.where("second")


def test_no_more_volumes_than_the_driver_allows(bench):
    bench.nodes(node("node-1"))
    bench.api.put("csinodes", {"metadata": {"name": "node-1"}, "spec": {"drivers": [
        {"name": "disk.example.com", "allocatable": {"count": 1}}]}})
    for name in ("a", "b"):
        csi = {"driver": "disk.example.com", "volumeHandle": name}
        bench.api.put("persistentvolumes", volume(f"pv-{name}", csi=csi))
        bench.api.put("persistentvolumeclaims", claim(name, volume=f"pv-{name}"))
    bench.create(using("first", "a"))
    bench.run()
    bench.create(using("second", "b"))
    bench.run()
    assert bench.where("first") == "node-1"
    assert "1 node(s) exceed max volume count" in bench.condition("second")["message"]
