"""Nodes that fall silent: the recorded loss of a node, taints, evictions."""

from __future__ import annotations

from typing import Any

from tests.controllers.conftest import Lab, workload

Object = dict[str, Any]
NAMES = (
    "deployment-controller", "replicaset-controller", "endpointslice-controller", "node-lifecycle-controller",
    "taint-eviction-controller",
)
TOLERATIONS = [
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
]


def add_node(lab: Lab, name: str, **labels: str) -> None:
    now = lab.sim.now_rfc3339()
    conditions = [
        {"type": kind, "status": status, "reason": reason, "lastHeartbeatTime": now, "lastTransitionTime": now}
        for kind, status, reason in (
            ("MemoryPressure", "False", "KubeletHasSufficientMemory"), ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            ("PIDPressure", "False", "KubeletHasSufficientPID"), ("Ready", "True", "KubeletReady"),
        )
    ]
    lab.api.put("nodes", {"metadata": {"name": name, "labels": labels}, "spec": {},
                          "status": {"conditions": conditions, "allocatable": {"cpu": "4"}}})
    lab.api.put("leases", {"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": {"renewTime": lab.sim.now_micro()}})


def renew(lab: Lab, *names: str) -> None:
    for name in names:
        lab.api.change("leases", f"kube-node-lease/{name}", spec={"renewTime": lab.sim.now_micro()})


def ready(lab: Lab, name: str) -> str:
    node = lab.api.get("nodes", name)
    assert node is not None
    return next(c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready")


def taints(lab: Lab, name: str) -> list[str]:
    node = lab.api.get("nodes", name)
    assert node is not None
    return sorted(f"{t['key']}:{t['effect']}" for t in node["spec"].get("taints") or ())


def run_and_renew(lab: Lab, seconds: int, *alive: str) -> None:
    for second in range(seconds):
        if lab.sim.time_ms // 1000 % 10 == 0:
            renew(lab, *alive)
        lab.run(1)
        del second


def cluster() -> Lab:
    lab = Lab(*NAMES)
    lab.process.start()
    for number in (1, 2, 3):
        add_node(lab, f"node-{number}")
    d = workload("Deployment", replicas=6, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    d["spec"]["template"]["spec"]["tolerations"] = TOLERATIONS
    lab.api.put("services", {"metadata": {"name": "web", "namespace": "default"},
                             "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.9", "ports": [{"port": 80, "targetPort": 80}]}})
    lab.api.put("deployments", d)
    lab.settle()
    for number, pod in enumerate(lab.pods()):
        lab.set_pod(pod, node=f"node-{number % 3 + 1}")
    lab.settle()
    return lab


def endpoints(lab: Lab) -> tuple[int, int, int]:
    found = [e for s in lab.api.all("endpointslices") for e in s["endpoints"]]
    return (sum(e["conditions"]["ready"] for e in found), sum(e["conditions"]["terminating"] for e in found), len(found))


def test_node_loss_as_recorded() -> None:
    """golden/node-loss.json: what happens, and after how long."""
    lab = cluster()
    assert endpoints(lab) == (6, 0, 6)
    run_and_renew(lab, 6, "node-1", "node-2", "node-3")
    died = lab.sim.time_ms
    changes: dict[str, float] = {}
    while lab.sim.time_ms < died + 400_000:
        run_and_renew(lab, 1, "node-1", "node-2")
        since = (lab.sim.time_ms - died) / 1000
        lost = [p for p in lab.pods() if p["spec"].get("nodeName") == "node-3"]
        for what, now in (
            ("unknown", ready(lab, "node-3") == "Unknown"),
            ("tainted", taints(lab, "node-3") == ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]),
            ("not ready", all(p["status"]["conditions"][0]["status"] == "False" for p in lost)),
            ("endpoints", endpoints(lab) == (4, 0, 6)),
            ("evicted", all(p["metadata"].get("deletionTimestamp") for p in lost)),
            ("replaced", len(lab.pods()) == 8),
        ):
            if now:
                changes.setdefault(what, since)
    for what, second in (("unknown", 49), ("tainted", 49), ("not ready", 49), ("endpoints", 49), ("evicted", 348.9), ("replaced", 348.9)):
        assert abs(changes[what] - second) <= 2, (what, changes)
    target = [c for p in lab.pods() for c in p["status"].get("conditions") or () if c["type"] == "DisruptionTarget"]
    assert {c["reason"] for c in target} == {"DeletionByTaintManager"} and len(target) == 2
    d = lab.api.get("deployments", "default/web")
    assert d is not None and d["status"]["unavailableReplicas"] == 2


def test_node_comes_back() -> None:
    lab = cluster()
    run_and_renew(lab, 70, "node-1", "node-2")
    assert ready(lab, "node-3") == "Unknown"
    node = lab.api.get("nodes", "node-3")
    assert node is not None
    now = lab.sim.now_rfc3339()
    conditions = [{**c, "status": "True" if c["type"] == "Ready" else "False", "lastHeartbeatTime": now} for c in node["status"]["conditions"]]
    lab.api.change("nodes", "node-3", status={**node["status"], "conditions": conditions})
    renew(lab, "node-3")
    lab.run(0.1)
    assert taints(lab, "node-3") == ["node.kubernetes.io/unreachable:NoExecute"]
    run_and_renew(lab, 6, "node-1", "node-2", "node-3")
    assert taints(lab, "node-3") == []
    assert any(message.startswith("Cancelling deletion of Pod default/web-") for _, message in lab.api.events())
    run_and_renew(lab, 400, "node-1", "node-2", "node-3")
    assert not any(pod["metadata"].get("deletionTimestamp") for pod in lab.pods())


def test_all_nodes_down_evicts_nobody() -> None:
    """Full disruption: it may be the control plane that is cut off."""
    lab = cluster()
    run_and_renew(lab, 500)
    assert {ready(lab, f"node-{n}") for n in (1, 2, 3)} == {"Unknown"}
    assert all(not taints(lab, f"node-{n}")[0].endswith("NoExecute") for n in (1, 2, 3))


def test_cordon_taints() -> None:
    lab = cluster()
    lab.api.change("nodes", "node-1", spec={"unschedulable": True})
    lab.run(1)
    assert taints(lab, "node-1") == ["node.kubernetes.io/unschedulable:NoSchedule"]
    lab.api.change("nodes", "node-1", spec={**lab.api.get("nodes", "node-1")["spec"], "unschedulable": False})  # type: ignore[index]
    lab.run(1)
    assert taints(lab, "node-1") == []


def test_registered_node_event() -> None:
    lab = cluster()
    lab.run(5)
    assert ("RegisteredNode", "Node node-1 event: Registered Node node-1 in Controller") in lab.api.events()


def test_no_execute_taint_evicts_at_once() -> None:
    """pkg/controller/tainteviction/taint_eviction_test.go: no toleration, one with seconds, one for ever."""
    taint = {"key": "testTaint1", "value": "test1", "effect": "NoExecute"}
    for toleration, after_s in ((None, 0), (100, 100), (-1, None)):
        lab = cluster()
        tolerations: list[Object] = []
        if toleration is not None:
            tolerations = [{"key": "testTaint1", "operator": "Equal", "value": "test1", "effect": "NoExecute"}]
            if toleration >= 0:
                tolerations[0]["tolerationSeconds"] = toleration
        lab.api.put("pods", {"metadata": {"name": "one", "namespace": "default"},
                             "spec": {"nodeName": "node-1", "containers": [], "tolerations": tolerations}})
        lab.run(0.1)
        lab.api.change("nodes", "node-1", spec={"taints": [taint]})
        start = lab.sim.time_ms
        gone = None
        for _ in range(150):
            run_and_renew(lab, 1, "node-1", "node-2", "node-3")
            if gone is None and lab.api.get("pods", "default/one")["metadata"].get("deletionTimestamp"):  # type: ignore[index]
                gone = (lab.sim.time_ms - start) // 1000
        assert gone == (None if after_s is None else max(1, after_s) + (1 if after_s else 0)) or gone == after_s
