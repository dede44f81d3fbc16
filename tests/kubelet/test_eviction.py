"""Node-pressure eviction and preemption: Kubernetes' own tables, and what a node does, seen through the API.

The tables are those of pkg/kubelet/eviction/helpers_test.go (TestParseThresholdConfig, TestThresholdsMet, TestPercentageThresholdsMet,
TestThresholdsFirstObservedAt, TestThresholdsMetGracePeriod, TestNodeConditionsObservedSince, TestSortByEvictionPriority, TestOrderedBy…),
eviction_manager_test.go (TestMemoryPressure, TestPIDPressure, TestInodePressureFsInodes, TestMinReclaim, TestAdmitUnderNodeConditions) and
pkg/kubelet/preemption/preemption_test.go (TestGetPodsToPreempt).
"""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.kubelet import thresholds
from clusterlab.kubelet.preemption import NoRoom, to_preempt
from clusterlab.kubelet.ranking import Candidate, ranked
from clusterlab.kubelet.settings import SettingsError, settings
from clusterlab.kubelet.thresholds import Observation, Threshold
from clusterlab.scenario import load
from clusterlab.scenario.reader import ScenarioError
from tests.kubelet.conftest import Lab

Object = dict[str, Any]
MI, GI = 1 << 20, 1 << 30


# The tables.


@pytest.mark.parametrize(("hard", "soft", "grace", "reclaim", "expected"), [
    ({}, {}, {}, {}, []),
    ({"memory.available": "150Mi"}, {"memory.available": "300Mi"}, {"memory.available": 30_000}, {"memory.available": "0"},
     [("memory.available", 150 * MI, 0), ("memory.available", 300 * MI, 30_000)]),
    ({"imagefs.available": "150Mi", "nodefs.available": "100Mi"}, {"imagefs.available": "300Mi", "nodefs.available": "200Mi"},
     {"imagefs.available": 30_000, "nodefs.available": 30_000}, {"imagefs.available": "2Gi", "nodefs.available": "1Gi"},
     [("nodefs.available", 100 * MI, 0), ("imagefs.available", 150 * MI, 0), ("nodefs.available", 200 * MI, 30_000),
      ("imagefs.available", 300 * MI, 30_000)]),
    ({"memory.available": "0%", "nodefs.available": "100%"}, {}, {}, {}, []),
    ({"mem.available": "150Mi"}, {}, {}, {}, None),
    ({"memory.available": "150Mib"}, {}, {}, {}, None),
    ({"memory.available": "-15%"}, {}, {}, {}, None),
    ({"memory.available": "150%"}, {}, {}, {}, None),
    ({"memory.available": "0"}, {}, {}, {}, None),
    ({}, {"memory.available": "150Mi"}, {}, {}, None),  # no grace period
])
def test_thresholds_are_parsed(hard: Any, soft: Any, grace: Any, reclaim: Any, expected: Any) -> None:
    if expected is None:
        with pytest.raises(ValueError, match=r"."):
            thresholds.parse(hard, soft, grace, reclaim)
    else:
        found = thresholds.parse(hard, soft, grace, reclaim)
        assert [(each.signal, each.amount[0], each.grace_ms) for each in found] == expected


HARD = Threshold("memory.available", (GI, 0.0), 0, (500 * MI, 0.0))
SHARES = thresholds.parse({"memory.available": "20%", "nodefs.available": "30%"}, {}, {}, {"memory.available": "5%"})


@pytest.mark.parametrize(("given", "seen", "with_reclaim", "expected"), [
    ((), {}, False, ()),
    ((HARD,), {"memory.available": (500 * MI, 8 * GI)}, False, (HARD,)),
    ((HARD,), {"memory.available": (2 * GI, 8 * GI)}, False, ()),
    ((HARD,), {"memory.available": (1_127_428_915, 8 * GI)}, True, (HARD,)),  # 1.05Gi
    ((HARD,), {"memory.available": (2 * GI, 8 * GI)}, True, ()),
    (SHARES, {"memory.available": (100 * MI, 1000 * MI), "nodefs.available": (100 * GI, 1000 * GI)}, False, SHARES),
    (SHARES, {"memory.available": (300 * MI, 1000 * MI), "nodefs.available": (400 * GI, 1000 * GI)}, False, ()),
    (SHARES, {"memory.available": (300 * MI, 1000 * MI), "nodefs.available": (100 * GI, 1000 * GI)}, False, SHARES[1:]),
    (SHARES, {"memory.available": (100 * MI, 1000 * MI), "nodefs.available": (400 * GI, 1000 * GI)}, False, SHARES[:1]),
    (SHARES, {"memory.available": (225 * MI, 1000 * MI)}, True, SHARES[:1]),
    (SHARES, {"memory.available": (300 * MI, 1000 * MI)}, True, ()),
])
def test_thresholds_are_met(given: Any, seen: Any, with_reclaim: bool, expected: Any) -> None:
    shown = {signal: Observation(*pair) for signal, pair in seen.items()}
    assert thresholds.met(given, shown, with_reclaim) == expected


def test_grace_periods_and_transitions() -> None:
    soft = Threshold("memory.available", (2 * GI, 0.0), 60_000)
    since = thresholds.first_seen((HARD, soft), {HARD: 5_000}, 100_000)
    assert since == {HARD: 5_000, soft: 100_000} and thresholds.first_seen((soft,), since, 130_000) == {soft: 100_000}
    assert thresholds.enough(since, 100_000) == (HARD,) and thresholds.enough(since, 160_000) == (HARD, soft)
    assert thresholds.still_pressed({"MemoryPressure": 0}, 120_000, 60_000) == ("MemoryPressure",)
    assert thresholds.still_pressed({"MemoryPressure": 0}, 120_000, 120_000) == ()
    disk = Threshold("nodefs.available", (GI, 0.0))
    assert thresholds.in_order((disk, HARD)) == (HARD, disk) and thresholds.conditions_of((disk, disk, HARD)) == (
        "DiskPressure", "MemoryPressure")


@pytest.mark.parametrize(("resource", "pods", "expected"), [
    # TestOrderedbyDisk, by what is over the requests: used, requested, priority, all in Mi
    ("ephemeral-storage", [(300, 0, 0), (100, 0, 0), (350, 100, 0), (110, 100, 0), (375, 400, 0), (120, 400, 0)], [0, 2, 1, 3, 4, 5]),
    # TestOrderedByMemory
    ("memory", [(500, 0, 0), (300, 0, 0), (800, 100, 0), (300, 100, 0), (800, 1024, 0), (200, 1024, 0)], [2, 0, 1, 3, 4, 5]),
    # TestOrderedByPriorityInodes
    ("inodes", [(150_000, 0, 10), (350_000, 0, 10), (100_000, 0, 1), (400_000, 0, 1)], [3, 2, 1, 0]),
    # TestOrderedByPriorityProcess
    ("pids", [(5, 0, 10), (20, 0, 10), (6, 0, 1), (20, 0, 1)], [3, 2, 1, 0]),
])
def test_ranking(resource: str, pods: list[tuple[int, int, int]], expected: list[int]) -> None:
    found = ranked([Candidate(number, *each) for number, each in enumerate(pods)], resource)
    assert [each.rec for each in found] == expected


#: getTestPods in preemption_test.go: what they ask for.
PODS = {
    "bestEffort": {"pods": 1}, "burstable": {"pods": 1, "cpu": 100, "memory": 100}, "highRequestBurstable": {"pods": 1, "cpu": 300, "memory": 300},
    "guaranteed": {"pods": 1, "cpu": 100, "memory": 100}, "highRequestGuaranteed": {"pods": 1, "cpu": 300, "memory": 300},
}
CLASSES = {"bestEffort": "BestEffort", "burstable": "Burstable", "highRequestBurstable": "Burstable", "guaranteed": "Guaranteed",
           "highRequestGuaranteed": "Guaranteed"}
EVERY = ["bestEffort", "burstable", "highRequestBurstable", "guaranteed", "highRequestGuaranteed"]


@pytest.mark.parametrize(("there", "needs", "expected"), [
    ([], {}, []), ([], {"pods": 1}, None),
    (["burstable"], {"cpu": 100, "memory": 100, "pods": 1}, ["burstable"]),
    (["burstable"], {"cpu": 200, "memory": 200, "pods": 2}, None),
    (["burstable", "bestEffort"], {"pods": 1}, ["bestEffort"]),
    (["burstable", "guaranteed"], {"pods": 1}, ["burstable"]),
    (["bestEffort", "highRequestBurstable", "burstable"], {"cpu": 100, "memory": 100}, ["burstable"]),
    (["bestEffort", "burstable", "highRequestBurstable"], {"cpu": 150, "memory": 150}, ["highRequestBurstable"]),
    (EVERY, {"cpu": 350, "memory": 350}, ["burstable", "highRequestBurstable"]),
    (EVERY, {"memory": 550}, ["highRequestBurstable", "highRequestGuaranteed"]),
])
def test_who_is_preempted(there: list[str], needs: dict[str, int], expected: list[str] | None) -> None:
    pods: dict[str, list[dict[str, int]]] = {}
    own = {name: dict(PODS[name]) for name in there}
    for name in there:
        pods.setdefault(CLASSES[name], []).append(own[name])
    if expected is None:
        with pytest.raises(NoRoom):
            to_preempt(pods, needs)
    else:
        chosen = to_preempt(pods, needs)
        assert sorted(name for name in there if any(own[name] is each for each in chosen)) == sorted(expected)


@pytest.mark.parametrize(("given", "field"), [
    ({"evictionHard": {"memory.free": "1Gi"}}, "evictionHard"), ({"evictionSoft": {"memory.available": "1Gi"}}, "evictionSoft"),
    ({"evictionSoftGracePeriod": {"memory.available": "soon"}}, "evictionSoftGracePeriod.memory.available"),
    ({"imageGCHighThresholdPercent": 70}, "imageGCLowThresholdPercent"), ({"maxPods": "many"}, "maxPods"), ({"foo": 1}, "foo"),
    ({"crashLoopBackOff": {"maxContainerRestartPeriod": "10m"}}, "crashLoopBackOff.maxContainerRestartPeriod"),
    ({"kubeReserved": {"gpu": "1"}}, "kubeReserved"), ({"evictionMinimumReclaim": {"memory.available": "x"}}, "evictionMinimumReclaim"),
])
def test_settings_that_cannot_be(given: Object, field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(given)
    assert caught.value.field == field
    with pytest.raises(ScenarioError, match=f"kubelet.{field}"):
        load({"nodes": [{"kubelet": given}]})


# What a node does.


def node(lab: Lab) -> Object:
    found: Object = lab.client.get("nodes", "", "node-1")
    return found


def conditions(lab: Lab) -> dict[str, str]:
    return {each["type"]: each["status"] for each in node(lab)["status"]["conditions"]}


def events(lab: Lab, reason: str) -> list[Object]:
    return [each for each in lab.client.list("events") if each["reason"] == reason]


def status(lab: Lab, name: str) -> Object:
    found: Object = lab.client.get("pods", "default", name)["status"]
    return found


def hungry(base: str, kubelet: Object, **rest: Any) -> Lab:
    return Lab(nodes=[{"name": "node-1", "capacity": {"memory": "2Gi"}, "kubelet": kubelet, **rest}],
               images=[{"match": "eats:*", "memory": {"base": base}}])


def test_a_soft_threshold_waits_and_gives_the_pod_its_time() -> None:
    lab = hungry("1200Mi", {
        "evictionSoft": {"memory.available": "800Mi"}, "evictionSoftGracePeriod": {"memory.available": "1m30s"},
        "evictionMaxPodGracePeriod": 20, "evictionPressureTransitionPeriod": "30s"})
    lab.pod("p", image="eats:1", terminationGracePeriodSeconds=60, container={"lifecycle": {"preStop": {"sleep": {"seconds": 15}}}})
    lab.run(60)
    assert conditions(lab)["MemoryPressure"] == "True" and status(lab, "p")["phase"] == "Running" and not events(lab, "Evicted")
    lab.run(45)
    assert len(events(lab, "Evicted")) == 1 and status(lab, "p")["phase"] == "Running"  # its preStop hook takes fifteen seconds
    lab.run(20)
    found = status(lab, "p")
    assert (found["phase"], found["reason"]) == ("Failed", "Evicted")
    assert found["message"].startswith("The node was low on resource: memory. Threshold quantity: 800Mi, available: 498Mi. "
                                       "Container c was using 1200Mi, request is 0, has larger consumption of memory. ")
    annotations = events(lab, "Evicted")[0]["metadata"]["annotations"]
    assert annotations == {"offending_containers": "c", "offending_containers_usage": "1200Mi", "starved_resource": "memory"}
    lab.run(60)
    assert conditions(lab)["MemoryPressure"] == "False"


@pytest.mark.parametrize(("grow", "condition", "resource", "available"), [
    ("pids", "PIDPressure", "pids", "pid.available"), ("inodes", "DiskPressure", "inodes", "nodefs.inodesFree"),
])
def test_process_numbers_and_inodes_run_out(grow: str, condition: str, resource: str, available: str) -> None:
    lab = Lab(nodes=[{"name": "node-1", "inodes": 100_000, "pids": 1_000, "kubelet": {"evictionHard": {available: "30%"}}}])
    lab.pod("calm")
    lab.pod("wild")
    lab.settle()
    runtime = lab.kubelets["node-1"].runtime
    uid = lab.client.get("pods", "default", "wild")["metadata"]["uid"]
    runtime.leak_other(runtime.of_pod(uid)[0].id, grow, 50 if grow == "pids" else 5_000)
    lab.run(40)
    found = status(lab, "wild")
    assert (found["phase"], found["reason"]) == ("Failed", "Evicted") and status(lab, "calm")["phase"] == "Running"
    assert found["message"].startswith(f"The node was low on resource: {resource}. Threshold quantity: {'300' if grow == 'pids' else '30000'}, ")
    assert conditions(lab)[condition] == "True" and events(lab, "EvictionThresholdMet")[0]["message"] == f"Attempting to reclaim {resource}"


def test_a_node_under_pressure_takes_no_best_effort_pods() -> None:
    """TestAdmitUnderNodeConditions and TestMemoryPressure."""
    lab = hungry("1800Mi", {})
    lab.pod("p", image="eats:1")
    lab.run(20)
    assert conditions(lab)["MemoryPressure"] == "True"
    lab.pod("best-effort")
    lab.pod("burstable", container={"resources": {"requests": {"cpu": "10m"}}})
    lab.pod("tolerant", tolerations=[{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}])
    lab.run(5)
    found = status(lab, "best-effort")
    assert (found["phase"], found["reason"], found["message"]) == (
        "Failed", "Evicted", "Pod was rejected: The node had condition: [MemoryPressure]. ")
    assert status(lab, "burstable")["phase"] == "Running" and status(lab, "tolerant")["phase"] == "Running"


def test_minimum_reclaim_goes_on_until_enough_is_free() -> None:
    lab = hungry("600Mi", {"evictionHard": {"memory.available": "600Mi"}, "evictionMinimumReclaim": {"memory.available": "500Mi"}})
    for name in ("one", "two"):
        lab.pod(name, image="eats:1")
    lab.run(40)
    assert {status(lab, name)["phase"] for name in ("one", "two")} == {"Failed"}
    assert node(lab)["status"]["allocatable"]["memory"] == "1448Mi"  # what a hard threshold keeps free is nobody's


def test_a_critical_pod_pushes_others_out() -> None:
    lab = Lab(nodes=[{"name": "node-1", "capacity": {"cpu": "1"}}])
    requests = {"resources": {"requests": {"cpu": "400m"}}}
    lab.pod("small", container={"resources": {"requests": {"cpu": "100m"}}}, terminationGracePeriodSeconds=5)
    lab.pod("large", container=requests, terminationGracePeriodSeconds=5)
    lab.pod("refused", container={"resources": {"requests": {"cpu": "900m"}}})
    lab.settle()
    assert status(lab, "refused")["reason"] == "OutOfcpu"
    lab.ask(lambda: lab.client.create("priorityclasses", {
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}),
        ignore="AlreadyExists")
    lab.pod("critical", container={"resources": {"requests": {"cpu": "800m"}}}, priorityClassName="system-node-critical")
    lab.run(1)
    found = status(lab, "large")
    assert (found["reason"], found["message"]) == ("Preempting", "Preempted in order to admit critical pod")
    assert next(each for each in found["conditions"] if each["type"] == "DisruptionTarget")["message"] == (
        "Pod was preempted by Kubelet to accommodate a critical pod.")
    assert status(lab, "small")["phase"] == "Running"
    lab.run(10)
    assert status(lab, "large")["phase"] == "Failed" and status(lab, "critical")["phase"] == "Running"
    lab.pod("too-large", container={"resources": {"requests": {"cpu": "3"}}}, priorityClassName="system-node-critical")
    lab.settle()
    assert status(lab, "too-large")["reason"] == "UnexpectedAdmissionError"
