"""Deployments from the outside: rollouts, scaling, pause, deadline, events as kubectl describe shows them."""

from __future__ import annotations

from typing import Any

from tests.controllers.conftest import Lab, template, workload

NAMES = ("deployment-controller", "replicaset-controller")
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


def deploy(replicas: int = 3, **spec: Any) -> tuple[Lab, str]:
    lab = Lab(*NAMES).start()
    spec.setdefault("strategy", ROLLING)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    lab.api.put("deployments", workload("Deployment", replicas=replicas, **spec))
    lab.settle()
    return lab, "default/web"


def set_spec(lab: Lab, **fields: Any) -> None:
    d = lab.api.get("deployments", "default/web")
    assert d is not None
    lab.api.change("deployments", "default/web", spec={**d["spec"], **fields})
    lab.settle()


def status(lab: Lab) -> dict[str, Any]:
    d = lab.api.get("deployments", "default/web")
    assert d is not None
    return d["status"]


def sizes(lab: Lab) -> list[int]:
    return [rs["spec"]["replicas"] for rs in lab.api.all("replicasets")]


def condition(lab: Lab, kind: str) -> tuple[str, str, str]:
    found = next(c for c in status(lab)["conditions"] if c["type"] == kind)
    return found["status"], found["reason"], found["message"]


def test_comes_up() -> None:
    lab, key = deploy()
    assert len(lab.pods()) == 3
    assert condition(lab, "Available")[1] == "MinimumReplicasUnavailable"
    lab.run_pods()
    name = lab.api.all("replicasets")[0]["metadata"]["name"]
    assert status(lab)["availableReplicas"] == 3
    assert condition(lab, "Available") == ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    assert condition(lab, "Progressing") == ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    assert ("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 3") in lab.api.events()
    assert lab.api.get("deployments", key)["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}  # type: ignore[index]


def test_rolling_update_events_with_surge_only() -> None:
    """The events that kubectl describe shows in golden/transcripts/rollout.json."""
    lab, _ = deploy(4, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, minReadySeconds=2)
    lab.run_pods()
    set_spec(lab, template=template("nginx:1.26"))
    for _ in range(12):
        lab.run_pods()
    old, new = (rs["metadata"]["name"] for rs in lab.api.all("replicasets"))
    assert [message for reason, message in lab.api.events() if reason == "ScalingReplicaSet"] == [
        f"Scaled up replica set {old} from 0 to 4",
        f"Scaled up replica set {new} from 0 to 1",
        f"Scaled down replica set {old} from 4 to 3", f"Scaled up replica set {new} from 1 to 2",
        f"Scaled down replica set {old} from 3 to 2", f"Scaled up replica set {new} from 2 to 3",
        f"Scaled down replica set {old} from 2 to 1", f"Scaled up replica set {new} from 3 to 4",
        f"Scaled down replica set {old} from 1 to 0",
    ]
    assert sizes(lab) == [0, 4]


def test_bad_image_is_stuck_and_rolled_back() -> None:
    lab, _ = deploy(10)
    lab.run_pods()
    set_spec(lab, template=template("nginx:nope"))
    assert sizes(lab) == [8, 5]
    assert status(lab)["updatedReplicas"] == 5
    lab.run(700)
    assert condition(lab, "Progressing")[:2] == ("False", "ProgressDeadlineExceeded")
    set_spec(lab, template=template("nginx:1.25"))
    lab.run_pods()
    assert sizes(lab) == [10, 0]
    assert condition(lab, "Progressing")[1] == "NewReplicaSetAvailable"
    marks = lab.api.all("replicasets")[0]["metadata"]["annotations"]
    assert (marks["deployment.kubernetes.io/revision"], marks["deployment.kubernetes.io/revision-history"]) == ("3", "1")


def test_recreate_waits_for_old_pods() -> None:
    lab, _ = deploy(2, strategy={"type": "Recreate"})
    lab.run_pods()
    set_spec(lab, template=template("nginx:1.26"))
    assert sizes(lab) == [0]
    lab.run_pods()
    assert sizes(lab) == [0, 2]


def test_pause_and_resume() -> None:
    lab, _ = deploy(3)
    lab.run_pods()
    set_spec(lab, paused=True)
    assert condition(lab, "Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
    set_spec(lab, template=template("nginx:1.26"))
    assert sizes(lab) == [3]
    assert "updatedReplicas" not in status(lab)
    set_spec(lab, paused=False)
    lab.run_pods()
    assert sizes(lab) == [0, 3]


def test_history_limit() -> None:
    lab, _ = deploy(1, revisionHistoryLimit=1)
    for number in range(4):
        set_spec(lab, template=template(f"nginx:{number}"))
        lab.run_pods()
    assert len(lab.api.all("replicasets")) == 2


def test_orphaned_replicaset_is_adopted() -> None:
    lab, _ = deploy(3)
    lab.run_pods()
    name = lab.api.all("replicasets")[0]["metadata"]["name"]
    rs = lab.api.get("replicasets", f"default/{name}")
    assert rs is not None
    lab.api.change("replicasets", f"default/{name}", metadata={**rs["metadata"], "ownerReferences": []})
    lab.settle()
    assert lab.api.get("replicasets", f"default/{name}")["metadata"]["ownerReferences"][0]["name"] == "web"  # type: ignore[index]


def test_collision_gets_another_hash() -> None:
    lab, _ = deploy(1)
    taken = lab.api.all("replicasets")[0]["metadata"]["name"]
    lab2 = Lab(*NAMES).start()
    other = workload("ReplicaSet", "other", 0)
    other["metadata"]["name"] = taken
    lab2.api.put("replicasets", other)
    lab2.api.put("deployments", workload("Deployment", replicas=1, strategy=ROLLING, progressDeadlineSeconds=600))
    lab2.settle()
    assert status(lab2)["collisionCount"] == 1
    assert len(lab2.api.all("replicasets")) == 2


def test_steps_explain() -> None:
    lab, _ = deploy(3)
    told = [step.explain for step in lab.sim.steps if step.actor == "deployment-controller" and not step.routine]
    name = lab.api.all("replicasets")[0]["metadata"]["name"]
    assert told[0] == f"The Deployment web wants 3 pods, so ReplicaSet {name} is created with 3."


def test_restarted_process_makes_no_more_pods() -> None:
    lab, _ = deploy(3)
    lab.process.stop()
    lab.process.start()
    lab.settle()
    lab.run_pods()
    assert len(lab.pods()) == 3
    assert status(lab)["readyReplicas"] == 3


def test_checkpoint_and_replay() -> None:
    lab, _ = deploy(5)
    lab.run_pods()
    mark = lab.sim.checkpoint()
    assert mark["components"]["replicaset-controller"]["expectations"]
