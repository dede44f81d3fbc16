"""DaemonSets and StatefulSets: placement, order, rollouts, claims."""

from __future__ import annotations

from typing import Any

from tests.controllers.conftest import Lab, template, workload
from tests.controllers.test_nodes import add_node

Object = dict[str, Any]
NAMES = ("daemonset-controller", "statefulset-controller")


def cluster(nodes: int = 3) -> Lab:
    lab = Lab(*NAMES).start()
    for number in range(1, nodes + 1):
        add_node(lab, f"node-{number}", disk="ssd" if number == 1 else "hdd")
    lab.settle()
    return lab


def daemon(lab: Lab, **spec: Any) -> None:
    ds = workload("DaemonSet", "agent", **{"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}, **spec})
    del ds["spec"]["replicas"]
    lab.api.put("daemonsets", ds)
    lab.settle()
    place(lab)


def place(lab: Lab) -> None:
    """What the scheduler and the kubelets do."""
    for _ in range(10):
        for pod in lab.pods():
            if pod["status"].get("phase") == "Pending" and not pod["metadata"].get("deletionTimestamp"):
                terms = pod["spec"].get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", {})
                fields = [f for t in terms.get("nodeSelectorTerms", ()) for f in t.get("matchFields", ())]
                lab.set_pod(pod, node=fields[0]["values"][0] if fields else "node-1")
        lab.settle()


def status(lab: Lab, resource: str, name: str) -> Object:
    found = lab.api.get(resource, f"default/{name}")
    assert found is not None
    return found["status"]


def on(lab: Lab) -> list[str]:
    return sorted(pod["spec"]["nodeName"] for pod in lab.pods())


def test_one_on_each_node_and_on_new_ones() -> None:
    lab = cluster()
    daemon(lab)
    assert on(lab) == ["node-1", "node-2", "node-3"]
    assert status(lab, "daemonsets", "agent")["numberAvailable"] == 3
    add_node(lab, "node-4")
    lab.settle()
    place(lab)
    assert on(lab)[-1] == "node-4"
    assert status(lab, "daemonsets", "agent")["desiredNumberScheduled"] == 4


def test_selector_and_taints() -> None:
    lab = cluster()
    lab.api.change("nodes", "node-2", spec={"taints": [{"key": "only", "effect": "NoSchedule"}]})
    daemon(lab)
    assert on(lab) == ["node-1", "node-3"]
    lab.api.change("nodes", "node-3", spec={"taints": [{"key": "out", "effect": "NoExecute"}]})
    lab.settle()
    lab.run_pods()
    assert on(lab) == ["node-1"]
    lab2 = cluster()
    daemon(lab2, template=template(app="agent", nodeSelector={"disk": "ssd"}))
    assert on(lab2) == ["node-1"]


def test_daemon_rolls_one_at_a_time() -> None:
    lab = cluster()
    daemon(lab)
    ds = lab.api.get("daemonsets", "default/agent")
    assert ds is not None
    lab.api.change("daemonsets", "default/agent", spec={**ds["spec"], "template": template("fluentd:2", "agent")})
    lab.settle()
    assert sum(bool(pod["metadata"].get("deletionTimestamp")) for pod in lab.pods()) == 1
    for _ in range(8):
        lab.run_pods()
        place(lab)
    assert {pod["spec"]["containers"][0]["image"] for pod in lab.pods()} == {"fluentd:2"}
    assert status(lab, "daemonsets", "agent")["updatedNumberScheduled"] == 3
    assert [r["revision"] for r in lab.api.all("controllerrevisions")] == [1, 2]


def test_on_delete_leaves_pods() -> None:
    lab = cluster()
    daemon(lab, updateStrategy={"type": "OnDelete"})
    ds = lab.api.get("daemonsets", "default/agent")
    assert ds is not None
    lab.api.change("daemonsets", "default/agent", spec={**ds["spec"], "template": template("fluentd:2", "agent")})
    lab.settle()
    assert not any(pod["metadata"].get("deletionTimestamp") for pod in lab.pods())
    assert "updatedNumberScheduled" not in status(lab, "daemonsets", "agent")


def test_surge_starts_first() -> None:
    lab = cluster()
    daemon(lab, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    ds = lab.api.get("daemonsets", "default/agent")
    assert ds is not None
    lab.api.change("daemonsets", "default/agent", spec={**ds["spec"], "template": template("fluentd:2", "agent")})
    lab.settle()
    assert len(lab.pods()) == 4 and not any(pod["metadata"].get("deletionTimestamp") for pod in lab.pods())
    for _ in range(8):
        place(lab)
        lab.run_pods()
    assert {pod["spec"]["containers"][0]["image"] for pod in lab.pods()} == {"fluentd:2"}


def stateful(lab: Lab, **spec: Any) -> None:
    sts = workload("StatefulSet", "db", **{
        "serviceName": "db", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, **spec})
    lab.api.put("statefulsets", sts)
    lab.settle()


def names(lab: Lab) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in lab.pods())


def test_in_order() -> None:
    lab = cluster()
    stateful(lab)
    seen = [names(lab)]
    for _ in range(3):
        place(lab)
        seen.append(names(lab))
    assert seen[0] == ["db-0"] and seen[-1] == ["db-0", "db-1", "db-2"]
    told = [message for reason, message in lab.api.events() if reason == "SuccessfulCreate"]
    assert told == [f"Create Pod db-{n} in StatefulSet db successful" for n in range(3)]
    pod = lab.api.get("pods", "default/db-1")
    assert pod is not None
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")
    assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "1"
    assert pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "db-1"


def test_waits_for_an_unready_pod() -> None:
    lab = cluster()
    stateful(lab)
    lab.set_pod(lab.pods()[0], ready=False)
    lab.settle()
    assert names(lab) == ["db-0"]


def test_scales_down_from_the_top() -> None:
    lab = cluster()
    stateful(lab)
    place(lab)
    sts = lab.api.get("statefulsets", "default/db")
    assert sts is not None
    lab.api.change("statefulsets", "default/db", spec={**sts["spec"], "replicas": 1})
    lab.settle()
    assert [p["metadata"]["name"] for p in lab.pods() if p["metadata"].get("deletionTimestamp")] == ["db-2"]
    lab.run_pods()
    assert names(lab) == ["db-0"]


def test_parallel() -> None:
    lab = cluster()
    stateful(lab, podManagementPolicy="Parallel")
    assert names(lab) == ["db-0", "db-1", "db-2"]


def test_rolls_from_the_top_down_to_the_partition() -> None:
    lab = cluster()
    stateful(lab, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})
    place(lab)
    sts = lab.api.get("statefulsets", "default/db")
    assert sts is not None
    lab.api.change("statefulsets", "default/db", spec={**sts["spec"], "template": template("postgres:17", "db")})
    lab.settle()
    assert [p["metadata"]["name"] for p in lab.pods() if p["metadata"].get("deletionTimestamp")] == ["db-2"]
    for _ in range(5):
        lab.run_pods()
        place(lab)
    images = {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in lab.pods()}
    assert images == {"db-0": "nginx:1.25", "db-1": "postgres:17", "db-2": "postgres:17"}
    lab.api.remove("pods", "default/db-0")  # below the partition: comes back as it was
    lab.settle()
    assert lab.api.get("pods", "default/db-0")["spec"]["containers"][0]["image"] == "nginx:1.25"  # type: ignore[index]
    state = status(lab, "statefulsets", "db")
    assert state["currentRevision"] != state["updateRevision"] and state["updatedReplicas"] == 2


def test_claims_and_retention() -> None:
    lab = cluster()
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    stateful(lab, replicas=2, volumeClaimTemplates=[claim],
             persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Delete"})
    place(lab)
    assert sorted(c["metadata"]["name"] for c in lab.api.all("persistentvolumeclaims")) == ["data-db-0", "data-db-1"]
    pod = lab.api.get("pods", "default/db-1")
    assert pod is not None
    assert pod["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}}]
    sts = lab.api.get("statefulsets", "default/db")
    assert sts is not None
    lab.api.change("statefulsets", "default/db", spec={**sts["spec"], "replicas": 1})
    lab.settle()
    refs = lab.api.get("persistentvolumeclaims", "default/data-db-1")["metadata"]["ownerReferences"]  # type: ignore[index]
    assert [(ref["kind"], ref["name"]) for ref in refs] == [("Pod", "db-1")]


def test_failed_pod_is_replaced() -> None:
    lab = cluster()
    stateful(lab, replicas=1)
    uid = lab.pods()[0]["metadata"]["uid"]
    lab.set_pod(lab.pods()[0], phase="Failed", ready=False)
    lab.settle()
    lab.run_pods()
    assert names(lab) == ["db-0"] and lab.pods()[0]["metadata"]["uid"] != uid
