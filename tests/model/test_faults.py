"""Faults of single components, their consequences and their ends, as Kubernetes has them."""

from __future__ import annotations

from typing import Any

from clusterlab.runtime.crictl import crictl
from tests.model.combined import stateful_set
from tests.model.drive import MERGE, World, deployment
from tests.model.script import request

Object = dict[str, Any]


def probed(kind: str, port: int = 80, **fields: Any) -> Object:
    return {f"{kind}Probe": {"httpGet": {"path": "/", "port": port}, "periodSeconds": 5, "failureThreshold": 2, **fields}}


def with_probes(name: str, image: str, replicas: int = 1, **probes: Any) -> Object:
    made = deployment(name, replicas, image)
    made["spec"]["template"]["spec"]["containers"][0].update(probes)
    return made


def test_probes_outlive_the_kubelet() -> None:
    """prober_manager.go, setReadyStateOnKubeletRestart: who was ready stays so, and probes go on."""
    # One that serves for a minute and a half and then fails its probes.
    world = World(nodes=1, images=[{"match": "web:1", "serve": {"port": 80}}, {"match": "late:1", "ready": "60s", "serve": {"port": 80}}])
    world.make(with_probes("web", "web:1", **probed("readiness")), with_probes("late", "late:1", **probed("readiness")))
    world.run(30)
    assert (world.ready(app="web"), world.ready(app="late")) == (1, 0)
    world.fault("kubelet-stop", "node-1", **{"for": "5s"})
    seen = []
    for _ in range(40):
        world.run(0.5)
        seen.append(world.ready(app="web"))
    assert set(seen) == {1}
    assert world.ready(app="late") == 0
    world.run(30)
    assert world.ready(app="late") == 1
    # The next restart falls into a liveness probe that will fail.
    world.make(with_probes("sick", "web:1", **probed("liveness", port=81)))
    world.run(4)
    world.fault("kubelet-stop", "node-1", **{"for": "12s"})
    world.run(30)
    assert world.pods(app="sick")[0]["status"]["containerStatuses"][0]["restartCount"] >= 1
    world.check()


def node_ready(world: World, name: str = "node-1") -> tuple[str, str]:
    found = world.condition(f"nodes/{name}", "Ready")
    return found["status"], found.get("message", "")


def test_a_runtime_that_is_down() -> None:
    """pkg/kubelet/runtime.go and pleg/generic.go: NotReady after 30 s, said by the kubelet itself; containers go on."""
    world = World(nodes=2)
    world.make(deployment("web", 4))
    world.settle()
    fault = world.fault("runtime-stop", "node-1")
    code, _, err = crictl(world.cluster.runtimes["node-1"], ["ps"])
    assert code == 1 and 'dial unix /run/containerd/containerd.sock: connect: connection refused"' in err
    took = world.until(lambda: node_ready(world)[0] == "False")
    assert 30 <= took <= 41 and node_ready(world)[1] == "container runtime is down"
    assert world.events("NodeNotReady", "node-1")
    running = [c for c in world.cluster.runtimes["node-1"].containers.values() if c.state == "running"]
    assert running
    # The kubelet hears of the deletions, and can do nothing.
    took = world.until(lambda: any("deletionTimestamp" in each["metadata"] for each in world.pods(app="web")))
    assert 255 <= took <= 310
    world.run(120)
    assert "pleg was last seen active" in node_ready(world)[1] and node_ready(world)[1].endswith("threshold is 3m0s]")
    stuck = [each for each in world.pods(app="web") if "deletionTimestamp" in each["metadata"]]
    assert stuck and world.ready(app="web") == 4
    world.heal(fault)
    world.until(lambda: node_ready(world)[0] == "True", 20)
    world.run(60)
    assert len(world.pods(app="web")) == 4 == world.ready(app="web")
    assert not world.get("nodes/node-1")["spec"].get("taints")
    world.check()


def test_a_certificate_that_has_expired_and_a_clock_that_is_wrong() -> None:
    world = World(nodes=2)
    world.make(deployment("web", 2))
    world.run(30)
    fault = world.fault("certificate-expired", "node-1")
    took = world.until(lambda: node_ready(world)[0] == "Unknown")
    assert 38 <= took <= 56
    told = [span for step in world.sim.steps for span in step.requests if span.code == 401]
    assert told and told[-1].stages[-1].name == "authentication"
    world.heal(fault)
    world.until(lambda: node_ready(world)[0] == "True", 30)
    # Before the cluster was: certificates do not hold yet.
    fault = world.fault("clock-skew", "node-1", by="-2h")
    assert 38 <= world.until(lambda: node_ready(world)[0] == "Unknown") <= 56
    world.heal(fault)
    world.until(lambda: node_ready(world)[0] == "True", 30)
    # Ten minutes ahead: odd times, and the node stays ready.
    fault = world.fault("clock-skew", "node-1", by="10m")
    world.run(400)
    now = world.sim.now().strftime("%Y-%m-%dT%H:%M")
    assert world.get("leases/kube-node-lease/node-1")["spec"]["renewTime"][:16] > now and node_ready(world)[0] == "True"
    # Set right, it renews its lease with earlier times than before, which do not count (node_lifecycle_controller.go, tryUpdateNodeHealth).
    world.heal(fault)
    assert world.until(lambda: node_ready(world)[0] == "Unknown") <= 56
    world.run(700)
    assert node_ready(world)[0] == "True"
    world.run(60)
    assert node_ready(world)[0] == "True"
    world.check()


def test_a_flooded_api_server_turns_ordinary_requests_away() -> None:
    world = World(nodes=2)
    world.make({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "all"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
                "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}]})
    world.make(deployment("web", 2))
    world.settle()
    fault = world.fault("api-overload")
    as_jane = {"accept": "application/json", "impersonate-user": "jane"}
    answer = world.cluster.answer("GET", "/api/v1/namespaces/default/pods", "", as_jane, b"")
    assert answer.code == 429 and ("Retry-After", "1") in answer.headers
    as_root = {"accept": "application/json", "impersonate-user": "root", "impersonate-group": "system:masters"}
    assert world.cluster.answer("GET", "/api/v1/namespaces/default/pods", "", as_root, b"").code == 200
    # Controllers are ordinary as well; heartbeats and leases are not.
    world.cluster.history.execute({**request("PATCH", "/apis/apps/v1/namespaces/default/deployments/web/scale", {"spec": {"replicas": 5}}, MERGE),
                                   "headers": {**as_root, "content-type": MERGE}})
    world.run(120)
    assert world.ready(app="web") == 2 and node_ready(world)[0] == "True"
    world.heal(fault)
    world.run(60)
    assert world.ready(app="web") == 5
    assert world.cluster.answer("GET", "/api/v1/namespaces/default/pods", "", as_jane, b"").code == 200
    world.check()


def test_a_slow_disk_of_a_member_of_etcd() -> None:
    world = World(nodes=1, etcd={"members": 3})
    world.make(deployment("web", 2))
    fault = world.fault("etcd-slow-disk", "etcd-0", latency="800ms")
    world.run(30)
    world.scale("deployments/default/web", 3)
    world.run(30)
    assert world.ready(app="web") == 3
    world.heal(fault)
    world.run(5)
    assert world.cluster.etcd.quiet
    world.check()


def test_a_disk_is_not_mounted_before_it_is_attached() -> None:
    """A StatefulSet's pod on a lost node: it waits until somebody forces the old one away, and then six minutes for its disk."""
    world = World(nodes=3)
    world.make({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disk"},
                "provisioner": "disk.csi.example.com", "volumeBindingMode": "WaitForFirstConsumer"}, *stateful_set("db", 1))
    world.settle()
    node = world.get("pods/default/db-0")["spec"]["nodeName"]
    world.fault("node-down", node)
    world.run(500)
    found = world.get("pods/default/db-0")
    assert "deletionTimestamp" in found["metadata"] and found["spec"]["nodeName"] == node
    world.delete("pods/default/db-0", 0)
    world.run(200)
    assert world.get("pods/default/db-0")["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert world.events("FailedAttachVolume", "db-0")[-1]["message"].startswith('Multi-Attach error for volume "pvc-')
    assert world.events("FailedMount", "db-0") == []  # a kubelet says nothing of a wait that runs out of time
    assert 150 <= world.until(lambda: world.ready(app="db") == 1) <= 185
    world.check()
