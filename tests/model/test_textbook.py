"""What every textbook on Kubernetes says, seen happening in the whole model: nothing here reaches past the API and the faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.model.drive import World, deployment, is_ready, pod

Object = dict[str, Any]
GOLDEN = Path(__file__).parent / "golden"
PLAIN: dict[str, Any] = {"controlPlaneNode": False}


@pytest.fixture
def world() -> Iterator[World]:
    made = World(**PLAIN)
    yield made
    made.check()


def service(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}}


def behaving(nodes: int = 3, **images: Any) -> World:
    """A world where images behave so."""
    return World(**PLAIN, nodes=nodes, images=[{"match": name, **how} for name, how in images.items()])


def names(pods: list[Object]) -> set[str]:
    return {each["metadata"]["name"] for each in pods}


# Self-healing.


def look(world: World, lost: str) -> dict[str, Any]:
    """What the recording of a lost node tells, by what it is about."""
    node = world.get(f"nodes/{lost}")
    shown: dict[str, Any] = {"node": {
        "conditions": {each["type"]: [each["status"], each["reason"]] for each in node["status"]["conditions"]},
        "taints": sorted(f"{each['key']}:{each['effect']}" for each in node["spec"].get("taints") or ()),
    }}
    for each in world.pods(app="web"):
        conditions = each["status"].get("conditions") or ()
        where = " on the lost node" if each["spec"].get("nodeName") == lost else ""
        shown[f"pod {each['metadata']['name'][-5:]}{where}"] = {
            "phase": each["status"]["phase"], "deleting": "deletionTimestamp" in each["metadata"],
            "ready": [c["status"] for c in conditions if c["type"] == "Ready"],
            "disruption": [c["reason"] for c in conditions if c["type"] == "DisruptionTarget"],
        }
    ends = [e["conditions"] for obj in world.all("endpointslices", **{"kubernetes.io/service-name": "web"}) for e in obj["endpoints"]]
    shown["endpoints"] = {
        "ready": sum(bool(e.get("ready")) for e in ends), "terminating": sum(bool(e.get("terminating")) for e in ends), "all": len(ends)}
    status = world.get("deployments/default/web")["status"]
    shown["deployment"] = {key: status.get(key) for key in (
        "replicas", "readyReplicas", "availableReplicas", "unavailableReplicas")}
    return shown


def moments(shown: list[tuple[float, str, Any]]) -> list[tuple[float, str, Any]]:
    """Changes with pods by role instead of name; several of one second and one thing count as the last of them."""
    out: dict[tuple[int, str], tuple[float, str, Any]] = {}
    for second, what, value in shown:
        out[round(second / 5), what] = (second, what, value)
    return sorted(out.values(), key=lambda each: (round(each[0] / 5), each[1]))


def test_a_lost_node_takes_the_times_that_kubernetes_takes() -> None:
    recorded = json.loads((GOLDEN / "node-loss.json").read_text())["timeline"]
    world = World(**PLAIN)
    world.make(deployment("web", 6), service("web"))
    world.settle()
    world.run(30)  # so that the node's last heartbeat was as long ago as in the recording
    lost = "node-2"
    assert len([p for p in world.pods(app="web") if p["spec"]["nodeName"] == lost]) == 2
    fault = world.fault("node-down", lost)
    start, before = world.now_s, look(world, lost)
    seen: list[tuple[float, str, Any]] = []
    healed = False
    while world.now_s < start + 420:
        due = world.history.next_time()
        assert due is not None
        if not healed and due > (start + 400.3) * 1000:
            world.run(start + 400.3 - world.now_s)
            world.heal(fault)
            healed = True
        world.history.advance()
        now = look(world, lost)
        seen += [(world.now_s - start, what, now.get(what)) for what in {**before, **now} if now.get(what) != before.get(what)]
        before = now
    world.check()
    ours: dict[str, list[tuple[float, Any]]] = {}
    for second, what, value in seen:
        ours.setdefault(role(what), []).append((second, value))
    for entry in recorded:
        if "is" not in entry:
            continue
        want, second = entry["is"], entry["t"]
        if want and "ready" in want and isinstance(want["ready"], list):
            want = {**want, "ready": [each[0] for each in want["ready"]]}
        near = [value for at, value in ours.get(role(entry["what"]), []) if abs(at - second) <= 2.0]
        if role(entry["what"]) == "new pod" and want["phase"] == "Pending":
            want = {**want, "ready": []}  # the recording saw it between two of its writes
        assert want in near, f"{entry['what']} at {second} s: {want} expected, seen {near}"


def role(what: str) -> str:
    """Pods are random; what counts is whether they were lost."""
    if what.startswith("pod "):
        return "lost pod" if what.endswith("lost node") else "new pod"
    return what


def test_a_deleted_pod_is_replaced_at_once(world: World) -> None:
    world.make(deployment("web", 3))
    world.settle()
    before = names(world.pods(app="web"))
    gone = min(before)
    world.delete(f"pods/default/{gone}")
    world.settle()
    after = names(world.pods(app="web"))
    assert len(after) == 3 and len(after & before) == 2 and world.ready(app="web") == 3
    assert world.get("deployments/default/web")["status"]["readyReplicas"] == 3


def test_a_crashing_container_is_restarted_after_growing_waits() -> None:
    world = behaving(**{"crash:1": {"exit": {"after": "1s", "code": 3}}})
    world.make(pod("crash", "crash:1"))
    starts: list[float] = []

    def restarted() -> bool:
        status = world.get("pods/default/crash").get("status", {}).get("containerStatuses") or [{}]
        running = status[0].get("state", {}).get("running")
        if running and status[0].get("restartCount", 0) == len(starts):
            starts.append(world.now_s)
        return len(starts) == 8

    world.until(restarted, 1500)
    waits = [b - a - 1 for a, b in zip(starts, starts[1:], strict=False)]
    expected = [0, 10, 20, 40, 80, 160, 300]
    assert all(abs(wait - want) <= 2 for wait, want in zip(waits, expected, strict=True)), waits
    world.run(5)
    status = world.get("pods/default/crash")["status"]["containerStatuses"][0]
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["state"]["waiting"]["message"].startswith("back-off 5m0s restarting failed container=main pod=crash_default(")
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert world.events("BackOff", "crash")
    world.check()


def test_a_container_that_takes_too_much_memory_is_killed() -> None:
    world = behaving(**{"leak:1": {"memory": {"base": "10Mi", "growth": "10Mi/s"}}})
    made = pod("leak", "leak:1")
    made["spec"]["containers"][0]["resources"] = {"limits": {"memory": "64Mi"}}
    world.make(made)
    world.until(lambda: (world.get("pods/default/leak").get("status", {}).get("containerStatuses") or [{}])[0].get("restartCount"), 60)
    last = world.get("pods/default/leak")["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("OOMKilled", 137)
    world.check()


def test_an_image_that_cannot_be_pulled() -> None:
    world = behaving(**{"none/such:1": {"pullError": "not found"}})
    world.make(pod("bad", "none/such:1"))

    def reason() -> str:
        status = (world.get("pods/default/bad").get("status", {}).get("containerStatuses") or [{}])[0]
        return str(status.get("state", {}).get("waiting", {}).get("reason"))

    world.until(lambda: reason() == "ErrImagePull", 10)
    world.until(lambda: reason() == "ImagePullBackOff", 30)
    world.run(120)
    assert len(world.events("Failed", "bad")) >= 2
    assert world.get("pods/default/bad")["status"]["phase"] == "Pending"
    world.check()


# Rollouts.


def test_a_rollout_with_a_bad_image_gets_stuck_and_is_undone() -> None:
    world = behaving(**{"web:bad": {"pullError": "not found"}})
    world.make(deployment("web", 10, "web:1"))
    world.settle()
    world.patch("deployments/default/web", {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:bad"}]}}}})
    world.run(60)
    status = world.get("deployments/default/web")["status"]
    # maxUnavailable 25 % of 10 is 2, maxSurge is 3: 8 old ones stay, 5 new ones hang.
    assert (status["replicas"], status["updatedReplicas"], status["readyReplicas"], status["unavailableReplicas"]) == (13, 5, 8, 5)
    world.run(600)
    condition = world.condition("deployments/default/web", "Progressing")
    assert (condition["status"], condition["reason"]) == ("False", "ProgressDeadlineExceeded")
    world.patch("deployments/default/web", {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:1"}]}}}})
    world.settle()
    status = world.get("deployments/default/web")["status"]
    assert (status["replicas"], status["updatedReplicas"], status["readyReplicas"]) == (10, 10, 10)
    assert sorted(each["spec"]["replicas"] for each in world.all("replicasets", app="web")) == [0, 10]
    world.check()


def test_scaling_up_and_down(world: World) -> None:
    world.make(deployment("web", 2), service("web"))
    world.settle()
    for count in (9, 3, 0, 4):
        world.scale("deployments/default/web", count)
        world.settle()
        assert world.ready(app="web") == len(world.pods(app="web")) == count
        assert len(world.endpoints("web")) == count


def test_pods_orphaned_and_adopted(world: World) -> None:
    world.make(deployment("web", 3))
    world.settle()
    before = names(world.pods(app="web"))
    world.delete("deployments/default/web", policy="Orphan")
    world.settle()
    assert names(world.pods(app="web")) == before and len(world.all("replicasets")) == 1
    world.make(deployment("web", 3))
    world.settle()
    assert names(world.pods(app="web")) == before and len(world.all("replicasets")) == 1
    released = min(before)
    world.patch(f"pods/default/{released}", {"metadata": {"labels": {"app": "aside"}}})
    world.settle()
    assert len(world.pods(app="web")) == 3
    assert not world.get(f"pods/default/{released}")["metadata"].get("ownerReferences")


# Disruptions.


def test_a_budget_holds_up_a_drain(world: World) -> None:
    world.make(deployment("web", 3), {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}})
    world.settle()
    assert world.get("poddisruptionbudgets/default/web")["status"]["disruptionsAllowed"] == 1
    for node in ("node-1", "node-2", "node-3"):
        world.patch(f"nodes/{node}", {"spec": {"unschedulable": True}})
    first, second, _ = sorted(names(world.pods(app="web")))
    assert world.evict(f"pods/default/{first}")["status"] == "Success"
    world.settle()
    refused = world.evict(f"pods/default/{second}")
    assert refused["code"] == 429 and refused["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert world.ready(app="web") == 2
    world.patch("nodes/node-1", {"spec": {"unschedulable": None}})
    world.settle()
    assert world.ready(app="web") == 3
    assert world.evict(f"pods/default/{second}")["status"] == "Success"


def test_a_taint_evicts_who_does_not_tolerate_it(world: World) -> None:
    tolerant = pod("tolerant", tolerations=[{"key": "maintenance", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}])
    for each in (pod("plain"), tolerant):
        each["spec"]["nodeName"] = "node-1"
        world.make(each)
    world.settle()
    world.patch("nodes/node-1", {"spec": {"taints": [{"key": "maintenance", "effect": "NoExecute"}]}})
    world.settle()
    assert world.gone("pods/default/plain") and not world.gone("pods/default/tolerant")
    world.run(58)
    assert not world.gone("pods/default/tolerant")
    world.run(35)
    assert world.gone("pods/default/tolerant")


def test_a_pod_of_high_priority_takes_the_place_of_others(world: World) -> None:
    def big(name: str, cpu: str, **spec: Any) -> Object:
        made = pod(name, **spec)
        made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
        return made

    world.make(*(big(f"low-{number}", "3") for number in range(3)))
    world.settle()
    world.make({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000},
               big("high", "2", priorityClassName="high"))
    world.until(lambda: world.get("pods/default/high").get("status", {}).get("nominatedNodeName"), 10)
    world.run(60)
    assert is_ready(world.get("pods/default/high"))
    assert len(world.events("Preempted")) == 1 and sum(not world.gone(f"pods/default/low-{n}") for n in range(3)) == 2


def test_an_autoscaler_follows_the_load() -> None:
    world = World(
        **PLAIN, images=[{"match": "shop:1", "serve": {"port": 80, "cpu": "10m", "latency": "5ms"}, "cpu": "1m"}],
        traffic=[{"name": "shoppers", "to": "http://web.default.svc", "rate": "60/s", "from": "30s", "until": "300s"}])
    made = deployment("web", 1, "shop:1")
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "200m"}}
    target = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    world.make(made, service("web"), {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1, "maxReplicas": 10, "metrics": [target]}})
    world.run(25)
    assert world.get("deployments/default/web")["spec"]["replicas"] == 1
    world.run(260)  # 60 requests of 10 ms a second are 600m: 6 pods at 100m each
    assert 6 <= world.get("deployments/default/web")["spec"]["replicas"] <= 7
    assert world.condition("horizontalpodautoscalers/default/web", "ScalingActive")["status"] == "True"
    world.run(240)
    assert world.get("deployments/default/web")["spec"]["replicas"] >= 6, "it came down before its five minutes were over"
    world.run(240)
    assert world.get("deployments/default/web")["spec"]["replicas"] == 1
    assert world.events("SuccessfulRescale", "web")
    world.check()


# Other workloads.


def stateful(name: str, replicas: int, **spec: Any) -> Object:
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "serviceName": name, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "db:1"}]}}, **spec}}


def test_a_statefulset_goes_in_order() -> None:
    world = behaving(**{"db:1": {"start": "2s"}})
    world.make(stateful("db", 3))
    order: list[str] = []

    def note() -> bool:
        for each in world.pods(app="db"):
            if each["metadata"]["name"] not in order:
                assert world.ready(app="db") == len(order), "the next one came before the last was ready"
                order.append(each["metadata"]["name"])
        return world.ready(app="db") == 3

    world.until(note, 60)
    assert order == ["db-0", "db-1", "db-2"]
    world.scale("statefulsets/default/db", 1)
    world.until(lambda: names(world.pods(app="db")) == {"db-0", "db-1"}, 120)
    world.settle()
    assert names(world.pods(app="db")) == {"db-0"}
    world.check()


def test_a_statefulset_keeps_its_claims(world: World) -> None:
    world.make({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard", "annotations": {
        "storageclass.kubernetes.io/is-default-class": "true"}}, "provisioner": "example.com/disk", "reclaimPolicy": "Delete"})
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    world.make(stateful("db", 2, volumeClaimTemplates=[claim]))
    world.settle()
    assert world.ready(app="db") == 2
    volume = world.get("persistentvolumeclaims/default/data-db-1")["spec"]["volumeName"]
    world.scale("statefulsets/default/db", 1)
    world.settle()
    world.scale("statefulsets/default/db", 2)
    world.settle()
    assert world.ready(app="db") == 2
    assert world.get("persistentvolumeclaims/default/data-db-1")["spec"]["volumeName"] == volume


def test_a_daemonset_runs_on_every_node_that_fits(world: World) -> None:
    world.make({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"}, "spec": {
        "selector": {"matchLabels": {"app": "agent"}}, "template": {
            "metadata": {"labels": {"app": "agent"}},
            "spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "main", "image": "agent"}]}}}})
    world.settle()
    assert not world.pods(app="agent")
    world.patch("nodes/node-3", {"metadata": {"labels": {"disk": "ssd"}}})
    world.settle()
    assert [each["spec"]["nodeName"] for each in world.pods(app="agent")] == ["node-3"]
    world.patch("nodes/node-3", {"metadata": {"labels": {"disk": None}}})
    world.settle()
    assert not world.pods(app="agent")


def job(name: str, image: str, **spec: Any) -> Object:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {
        **spec, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}}}}


def test_a_cronjob_over_two_hours() -> None:
    world = behaving(nodes=1, **{"task:1": {"exit": {"after": "5s", "code": 0}}})
    world.make({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "hourly"}, "spec": {
        "schedule": "4-59/5 * * * *", "jobTemplate": {"spec": job("", "task:1")["spec"]}}})
    world.run(2 * 3600)
    assert len(world.all("jobs")) == 3  # successfulJobsHistoryLimit
    assert world.get("cronjobs/default/hourly")["status"]["lastScheduleTime"] == "2026-01-01T01:59:00Z"
    created = [step for step in world.sim.steps for change in step.changes
               if change.old is None and change.key.startswith("jobs/default/hourly-")]
    assert len(created) == 24
    world.check()


def test_a_finished_job_goes_after_its_time() -> None:
    world = behaving(**{"task:1": {"exit": {"after": "5s", "code": 0}}})
    world.make(job("once", "task:1", ttlSecondsAfterFinished=60, completions=3, parallelism=2))
    world.until(lambda: world.get("jobs/default/once").get("status", {}).get("succeeded") == 3, 60)
    assert world.condition("jobs/default/once", "Complete")["status"] == "True"
    world.run(55)
    assert not world.gone("jobs/default/once")
    world.run(10)
    assert world.gone("jobs/default/once") and not world.pods()
    world.check()


def test_a_job_that_fails_gives_up_after_its_limit() -> None:
    world = behaving(**{"task:bad": {"exit": {"after": "1s", "code": 1}}})
    world.make(job("bad", "task:bad", backoffLimit=2))
    world.until(lambda: world.condition("jobs/default/bad", "Failed")["status"] == "True", 300)
    assert world.condition("jobs/default/bad", "Failed")["reason"] == "BackoffLimitExceeded"
    assert world.get("jobs/default/bad")["status"]["failed"] == 3
    world.check()


# Objects.


def test_a_namespace_takes_everything_in_it_along(world: World) -> None:
    world.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    world.make(deployment("web", 3), service("web"), pod("alone"), namespace="shop")
    world.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}, namespace="shop")
    world.settle()
    world.delete("namespaces/shop")
    world.run(60)
    assert world.get("namespaces/shop")["status"]["phase"] == "Terminating"
    condition = world.condition("namespaces/shop", "NamespaceFinalizersRemaining")
    assert condition["status"] == "True"
    assert condition["message"] == "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    left = [key for key, obj in world.cluster.objects() if obj["metadata"].get("namespace") == "shop" and not key.startswith("events")]
    assert left == ["configmaps/shop/held"]
    world.patch("configmaps/shop/held", {"metadata": {"finalizers": None}})
    world.run(60)
    assert world.gone("namespaces/shop")
    assert [key for key, obj in world.cluster.objects() if obj["metadata"].get("namespace") == "shop"] == []


def test_foreground_deletion_waits_for_the_dependents(world: World) -> None:
    world.make(deployment("web", 2))
    world.settle()
    world.delete("deployments/default/web", policy="Foreground")
    assert "foregroundDeletion" in world.get("deployments/default/web")["metadata"]["finalizers"]
    world.settle()
    assert world.gone("deployments/default/web") and not world.pods() and not world.all("replicasets")


def test_a_changed_configmap_reaches_the_volume_but_not_the_environment(world: World) -> None:
    made = pod("reader")
    made["spec"]["volumes"] = [{"name": "config", "configMap": {"name": "settings"}}]
    made["spec"]["containers"][0] |= {
        "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}],
        "env": [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}}]}
    world.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "red"}}, made)
    world.settle()
    assert is_ready(world.get("pods/default/reader"))
    world.patch("configmaps/default/settings", {"data": {"colour": "blue"}})
    steps = len(world.sim.steps)
    world.run(120)
    said = [step.explain for step in world.sim.steps[steps:] if "files with it" in step.explain]
    assert len(said) == 1


def test_a_missing_configmap_holds_a_container_up(world: World) -> None:
    made = pod("waiting")
    made["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "later"}}]
    world.make(made)
    world.run(30)
    state = world.get("pods/default/waiting")["status"]["containerStatuses"][0]["state"]
    assert state["waiting"]["reason"] == "CreateContainerConfigError"
    world.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later"}, "data": {"A": "1"}})
    world.run(90)
    assert is_ready(world.get("pods/default/waiting"))


# Probes, init containers, sidecars.


def test_a_failing_liveness_probe_restarts_and_readiness_takes_out_of_the_service(world: World) -> None:
    made = pod("web")
    made["spec"]["containers"][0] |= {
        "livenessProbe": {"exec": {"command": ["test", "-e", "/tmp/alive"]}, "initialDelaySeconds": 20, "periodSeconds": 5},
        "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 5}}
    world.make(made, service("web"))
    world.run(10)
    assert not is_ready(world.get("pods/default/web")) and list(world.endpoints("web").values()) == [False]
    world.until(lambda: world.get("pods/default/web")["status"]["containerStatuses"][0]["restartCount"] == 1, 90)
    assert world.events("Unhealthy", "web") and world.events("Killing", "web")


def test_init_containers_run_before_and_sidecars_beside() -> None:
    world = behaving(**{"init:1": {"exit": {"after": "3s", "code": 0}}, "task:1": {"exit": {"after": "10s", "code": 0}}})
    made = pod("many", "task:1", restartPolicy="Never")
    made["spec"]["initContainers"] = [
        {"name": "first", "image": "init:1"}, {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}]
    world.make(made)
    status: dict[str, Any] = {}

    def state(name: str) -> str:
        status.update(world.get("pods/default/many").get("status", {}))
        found = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        return next((next(iter(each["state"])) for each in found if each["name"] == name), "")

    world.until(lambda: state("first") == "running", 10)
    assert state("main") == "waiting" and status["phase"] == "Pending"
    world.until(lambda: state("main") == "running", 20)
    assert state("proxy") == "running" and state("first") == "terminated"
    world.run(60)
    assert state("main") == "terminated" and state("proxy") == "terminated" and status["phase"] == "Succeeded"
    world.check()


# The control plane.


def test_without_a_scheduler_pods_stay_pending(world: World) -> None:
    fault = world.fault("component-stop", "kube-scheduler")
    world.make(deployment("web", 3))
    world.run(30)
    assert [each["status"]["phase"] for each in world.pods(app="web")] == ["Pending"] * 3
    assert not any(each["spec"].get("nodeName") for each in world.pods(app="web"))
    world.heal(fault)
    world.run(40)
    assert world.ready(app="web") == 3


def test_without_a_controller_manager_nobody_makes_pods(world: World) -> None:
    fault = world.fault("component-stop", "kube-controller-manager")
    world.make(deployment("web", 3), pod("alone"))
    world.run(30)
    assert not world.all("replicasets") and is_ready(world.get("pods/default/alone"))
    world.heal(fault)
    world.run(60)
    assert world.ready(app="web") == 3


def test_containers_outlive_the_api_server(world: World) -> None:
    world.make(deployment("web", 4), service("web"))
    world.settle()
    before = names(world.pods(app="web"))
    fault = world.fault("component-stop", "kube-apiserver")
    assert world.ask("GET", "/api/v1/pods")["code"] == 503
    world.run(300)
    world.heal(fault)
    world.run(90)
    assert names(world.pods(app="web")) == before and world.ready(app="web") == 4
    world.scale("deployments/default/web", 6)
    world.run(30)
    assert world.ready(app="web") == 6 == sum(world.endpoints("web").values())


def test_no_acknowledged_write_is_lost_with_the_quorum(world: World) -> None:
    world.make(deployment("web", 2))
    world.settle()
    one = world.fault("etcd-kill", "etcd-0")
    world.run(5)
    world.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "1"}})
    two = world.fault("etcd-kill", "etcd-1")
    refused = world.ask("POST", "/api/v1/namespaces/default/configmaps", {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "refused"}})
    assert refused["status"] == "Failure" and refused["code"] >= 500
    world.run(120)
    world.heal(one)
    world.heal(two)
    world.run(120)
    assert world.get("configmaps/default/kept")["data"] == {"a": "1"}
    world.scale("deployments/default/web", 5)
    world.run(30)
    assert world.ready(app="web") == 5


def test_a_node_that_is_cut_off_goes_on_alone(world: World) -> None:
    world.make(deployment("web", 6))
    world.settle()
    fault = world.fault("node-cut-off", "node-1")
    there = names([each for each in world.pods(app="web") if each["spec"]["nodeName"] == "node-1"])
    runtime = world.cluster.runtimes["node-1"]
    world.run(400)
    assert world.ready(app="web") == 6 and all("deletionTimestamp" in world.get(f"pods/default/{name}")["metadata"] for name in there)
    assert runtime.figures()["containers"] == len(there)
    world.heal(fault)
    world.run(60)
    assert all(world.gone(f"pods/default/{name}") for name in there) and runtime.figures()["containers"] == 0


def test_a_control_plane_node_runs_its_static_pods_again() -> None:
    world = World()
    world.settle()
    fault = world.fault("node-down", "control-plane")
    world.run(100)
    assert world.condition("nodes/control-plane", "Ready")["status"] == "Unknown"
    world.heal(fault)
    world.run(60)
    running = [each for each in world.all("pods", tier="control-plane") if is_ready(each)]
    # Four static pods, kube-proxy and two pods of CoreDNS.
    assert len(running) == 4 and world.cluster.runtimes["control-plane"].figures()["containers"] == 7
    world.check()


# Our own faults.


def test_a_fault_of_ours_stops_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(**PLAIN)
    controller: Any = world.cluster.sim.components["replicaset-controller"]
    reconcile, failed = controller.reconcile, []

    def broken(key: str) -> None:
        if key.startswith("default/bad") and len(failed) < 3:
            failed.append(key)
            raise KeyError("a fault of ours")
        reconcile(key)

    monkeypatch.setattr(controller, "reconcile", broken)
    world.make(deployment("bad", 2), deployment("good", 2))
    world.settle()
    assert world.ready(app="good") == world.ready(app="bad") == 2
    assert len(world.cluster.errors) == 3 and "KeyError" in world.cluster.errors[0]
    said = [step.explain for step in world.sim.steps if "internal error" in step.explain]
    assert len(said) == 3 and "tries" in said[0]
