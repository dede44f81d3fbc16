"""Nodes as their kubelets register them, and what a kubelet serves."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.kubelet.eviction import Candidate, ranked
from clusterlab.kubelet.records import Pod
from clusterlab.kubelet.resources import pod_requests, qos_class
from clusterlab.kubelet.server import NodeServer
from clusterlab.machinery.errors import StatusError
from clusterlab.metrics import MetricsSource
from tests.kubelet.conftest import Lab

Object = dict[str, Any]


def test_registers_with_what_it_has() -> None:
    lab = Lab(nodes=[{"name": "node-1", "labels": {"disk": "ssd"}, "runtime": "cri-o", "capacity": {"cpu": "2"},
                      "taints": [{"key": "k", "effect": "NoSchedule"}], "images": [{"names": ["nginx:1.25"], "sizeBytes": 5}]}])
    node = lab.ask(lambda: lab.client.get("nodes", "", "node-1"))
    assert node["metadata"]["labels"]["disk"] == "ssd" and node["metadata"]["labels"]["kubernetes.io/hostname"] == "node-1"
    status = node["status"]
    assert status["capacity"]["cpu"] == "2" and status["allocatable"]["pods"] == "110"
    assert status["nodeInfo"]["containerRuntimeVersion"].startswith("cri-o://")
    assert {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]} == {
        "MemoryPressure": ("False", "KubeletHasSufficientMemory"), "DiskPressure": ("False", "KubeletHasNoDiskPressure"),
        "PIDPressure": ("False", "KubeletHasSufficientPID"), "Ready": ("True", "KubeletReady")}
    assert status["images"] == [{"names": ["nginx:1.25"], "sizeBytes": 5}]


def test_renews_its_lease_every_ten_seconds(lab: Lab) -> None:
    def renewed() -> str:
        return str(lab.ask(lambda: lab.client.get("leases", "kube-node-lease", "node-1"))["spec"]["renewTime"])

    assert lab.sim.settled
    times = []
    for _ in range(3):
        lab.run(10)
        times.append(renewed())
    assert len(set(times)) == 3 and lab.sim.settled
    assert all(step.routine for step in lab.sim.steps if step.verb == "heartbeat")


def test_reports_new_images_with_the_next_heartbeat(lab: Lab) -> None:
    lab.pod()
    lab.run(11)
    images = lab.ask(lambda: lab.client.get("nodes", "", "node-1"))["status"]["images"]
    assert images[0]["names"] == ["docker.io/library/nginx:1.25"]


def test_the_control_plane_shows_its_static_pods() -> None:
    lab = Lab(controlPlaneNode=True)
    names = {pod["metadata"]["name"]: pod for pod in lab.ask(lambda: lab.client.list("pods", "kube-system"))}
    assert sorted(names) == [f"{each}-control-plane" for each in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")]
    etcd = names["etcd-control-plane"]
    assert etcd["status"]["phase"] == "Running" and "kubernetes.io/config.mirror" in etcd["metadata"]["annotations"]
    lab.ask(lambda: lab.client.delete("pods", "kube-system", "etcd-control-plane", gracePeriodSeconds=0))
    lab.settle()
    again = lab.ask(lambda: lab.client.get("pods", "kube-system", "etcd-control-plane"))
    assert again["metadata"]["uid"] != etcd["metadata"]["uid"]
    assert again["status"]["containerStatuses"][0]["containerID"] == etcd["status"]["containerStatuses"][0]["containerID"]


def test_logs(lab: Lab) -> None:
    server = NodeServer(lab.sim, lab.api)
    lab.pod(image="busybox:1.36", container={"command": ["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 1; done; exit 1"]})
    lab.run(2.5)
    assert server.read_logs("default", "p") == "line 1\nline 2\nline 3\n"
    assert server.read_logs("default", "p", tail=1) == "line 3\n"
    assert server.read_logs("default", "p", since_s=1, timestamps=True) == "2026-01-01T00:00:02.002000000Z line 3\n"
    lab.run(1)
    assert server.read_logs("default", "p", previous=True).startswith("line 1")
    with pytest.raises(StatusError, match='pods "nope" not found'):
        server.read_logs("default", "nope")
    with pytest.raises(StatusError, match="container x is not valid for pod p"):
        server.read_logs("default", "p", "x")


def test_logs_of_a_container_that_waits(lab: Lab) -> None:
    lab.pod(container={"imagePullPolicy": "Never"})
    lab.settle()
    with pytest.raises(StatusError, match='container "c" in pod "p" is waiting to start: ErrImageNeverPull'):
        NodeServer(lab.sim, lab.api).read_logs("default", "p")
    with pytest.raises(StatusError, match='previous terminated container "c" in pod "p" not found'):
        NodeServer(lab.sim, lab.api).read_logs("default", "p", previous=True)


def test_commands_in_containers(lab: Lab) -> None:
    server = NodeServer(lab.sim, lab.api)
    lab.pod()
    lab.settle()
    assert server.exec("default", "p", "", ["hostname"]) == (0, "p\n", "", 0)
    assert server.exec("default", "p", "", ["sh", "-c", "exit 3"]).code == 3
    assert server.exec("default", "p", "", ["cat"], stdin="typed").stdout == "typed"
    with pytest.raises(StatusError, match=r'failed to start exec.*exec: "nosuch": executable file not found in [$]PATH: unknown'):
        server.exec("default", "p", "", ["nosuch"])
    assert server.port_forward("default", "p", 80)[0] == 200
    assert server.port_forward("default", "p", 81) == (0, "")


def test_metrics(lab: Lab) -> None:
    lab.pod(container={"resources": {"limits": {"memory": "64Mi"}}})
    lab.settle()
    source = MetricsSource(lab.sim)
    pod = source("pods", "default")[0]
    assert pod["metadata"]["name"] == "p" and pod["containers"][0]["usage"] == {"cpu": "1000000n", "memory": "6144Ki"}
    assert source("nodes")[0]["usage"]["cpu"].endswith("n")
    assert source("pods", "kube-system") == []


def _candidate(name: str, used: int, requested: int, priority: int) -> Candidate:
    return Candidate(Pod(name, name, {}, {}), used, requested, priority)


def test_eviction_order() -> None:
    """As TestOrderedByExceedsRequestMemory and TestSortByEvictionPriority in pkg/kubelet/eviction/helpers_test.go have it."""
    order = ranked([_candidate("below", 90, 100, 0), _candidate("over", 150, 100, 0), _candidate("over more", 400, 100, 0),
                    _candidate("over, important", 900, 100, 10)])
    assert [each.rec.key for each in order] == ["over more", "over", "over, important", "below"]


def test_eviction_order_by_priority_and_disk() -> None:
    """TestOrderedByPriorityDisk and TestOrderedByPriorityMemory in pkg/kubelet/eviction/helpers_test.go: (used, requested, priority) in Mi."""
    rows = [(500, 0, 0), (50, 0, 0), (600, 100, 10), (150, 100, 10), (800, 1024, 0), (200, 1024, 0), (800, 1024, 10), (200, 1024, 10)]
    candidates = [_candidate(f"pod{number}", *row) for number, row in enumerate(rows, 1)]
    assert [each.rec.key for each in ranked(candidates[::-1])] == [f"pod{number}" for number in range(1, 9)]


@pytest.mark.parametrize(("resources", "expected"), [
    ([{}], "BestEffort"), ([{"requests": {"cpu": "1"}}], "Burstable"),
    ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
    ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
    ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
    ([{"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}], "Burstable"),
    ([{"limits": {"nvidia.com/gpu": "1"}}], "BestEffort"),
])
def test_quality_of_service(resources: list[Object], expected: str) -> None:
    assert qos_class({"spec": {"containers": [{"resources": each} for each in resources]}}) == expected


def test_requests_count_the_largest_init_container_and_every_sidecar() -> None:
    def container(cpu: str, **rest: Any) -> Object:
        return {"resources": {"requests": {"cpu": cpu}}, **rest}

    spec = {"containers": [container("100m"), container("200m")], "initContainers": [
        container("50m", restartPolicy="Always"), container("1"), container("10m", restartPolicy="Always")]}
    assert pod_requests({"spec": spec})["cpu"] == 1050
    assert pod_requests({"spec": {**spec, "overhead": {"cpu": "5m"}}})["cpu"] == 1055
