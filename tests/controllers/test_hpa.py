"""The autoscaler: what a real one did under changing load, and the tables of replica_calculator_test.go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterlab.controllers.replica_calculator import MetricError, PodMetric, Tolerances, plain_replicas, resource_replicas
from tests.controllers.conftest import Lab, template, workload

Object = dict[str, Any]
NAMES = ("deployment-controller", "replicaset-controller", "horizontal-pod-autoscaler-controller")
GOLDEN = Path(__file__).parent / "golden" / "hpa.json"
CASES = json.loads(GOLDEN.read_text())


def run_case(case: Object) -> tuple[list[list[float]], Lab]:
    lab = Lab(*NAMES).start()
    name = case["name"]

    def usage(request: Any) -> list[Object]:
        second = (lab.sim.time_ms - began) / 1000
        load = [millicores for start, millicores in case["load"] if start <= second][-1]
        ready = [pod for pod in lab.pods() if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")]
        scraped = stamp(round(lab.sim.now().timestamp() * 1000) - 1000)  # metrics are always a moment old
        return [{"metadata": {"name": pod["metadata"]["name"], "namespace": "default"}, "timestamp": scraped,
                 "window": "15s", "containers": [{"name": "c", "usage": {"cpu": f"{load // len(ready)}m"}}]} for pod in ready]

    lab.api.metrics["pods.metrics.k8s.io"] = usage
    requests = {"requests": {"cpu": f"{case['requests']}m"}} if case["requests"] else {}
    spec = template(app=name)
    spec["spec"]["containers"] = [{"name": "c", "image": "x", "resources": requests}]
    d = workload("Deployment", name, case["replicas"], strategy={"type": "RollingUpdate"})
    d["spec"]["template"] = spec
    lab.api.put("deployments", d)
    lab.settle()
    lab.run_pods()
    lab.run(30)
    began = lab.sim.time_ms
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    lab.api.put("horizontalpodautoscalers", {"metadata": {"name": name, "namespace": "default"},
                                             "spec": {**case["hpa"], "scaleTargetRef": target}})
    seen: list[list[float]] = [[0, case["replicas"]]]
    while lab.sim.time_ms < began + 180_000:
        lab.run(0.1)
        for pod in lab.pods():
            if pod["status"].get("phase") == "Pending":
                lab.set_pod(pod)
            elif pod["metadata"].get("deletionTimestamp"):
                lab.api.remove("pods", f"default/{pod['metadata']['name']}")
        now = lab.api.get("deployments", f"default/{name}")["spec"]["replicas"]  # type: ignore[index]
        if now != seen[-1][1]:
            seen.append([(lab.sim.time_ms - began) / 1000, now])
    return seen, lab


@pytest.mark.parametrize("golden", CASES, ids=[case["case"]["name"] for case in CASES])
def test_as_recorded(golden: Object) -> None:
    """golden/hpa.json: the same counts in the same order, each within one sync period; conditions and events alike."""
    case = golden["case"]
    seen, lab = run_case(case)
    assert [count for _, count in seen] == [count for _, count in golden["replicas"]]
    for (ours, _), (theirs, _) in zip(seen, golden["replicas"], strict=True):
        assert abs(ours - theirs) <= 15
    hpa = lab.api.get("horizontalpodautoscalers", f"default/{case['name']}")
    assert hpa is not None

    def clean(text: str) -> str:
        return text.split(" of Pod ")[0]

    ours = [(c["type"], c["status"], c["reason"], clean(c["message"])) for c in hpa["status"]["conditions"]]
    assert ours == [(c["type"], c["status"], c["reason"], clean(c["message"])) for c in golden["conditions"]]
    assert hpa["status"]["desiredReplicas"] == golden["desired"]
    told = {(reason, clean(message)) for reason, message in lab.api.events() if reason in
            ("SuccessfulRescale", "FailedComputeMetricsReplicas", "FailedGetResourceMetric")}
    assert told == {(reason, clean(message)) for reason, message in golden["events"]}


NOW = 1_800_000_000_000


def stamp(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pods_of(count: int, request: int, readiness: str = "", phases: str = "") -> list[Object]:
    """Pods as the tables make them: T ready, F not ready, C ready but started just now; P pending, D being deleted, X failed."""
    made = []
    for number in range(count):
        mark = readiness[number] if readiness else "T"
        state = phases[number] if phases else "R"
        started = NOW - (60_000 if mark == "C" else 600_000)
        since = NOW - (0 if mark == "C" else 540_000 if mark == "T" else 590_000)
        meta: Object = {"name": f"test-pod-{number}", "namespace": "test-namespace"}
        if state == "D":
            meta["deletionTimestamp"] = stamp(NOW)
        made.append({
            "metadata": meta,
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": f"{request}m"}}}]},
            "status": {
                "phase": {"P": "Pending", "X": "Failed"}.get(state, "Running"), "startTime": stamp(started),
                "conditions": [{"type": "Ready", "status": "False" if mark == "F" else "True", "lastTransitionTime": stamp(since)}],
            },
        })
    return made


def levels(values: list[int | None]) -> dict[str, PodMetric]:
    return {f"test-pod-{number}": PodMetric(value, NOW, 60_000) for number, value in enumerate(values) if value is not None}


@pytest.mark.parametrize(("name", "current", "expected", "target", "request_m", "values", "readiness", "phases", "usage"), [
    ("DisjointResourcesMetrics: ScaleUp", 3, 5, 30, 1000, [300, 500, 700], "", "", 50),
    ("ScaleUpUnreadyLessScale", 3, 4, 30, 1000, [300, 500, 700], "FTT", "", 60),
    ("ScaleUpHotCpuLessScale", 3, 4, 30, 1000, [300, 500, 700], "CTT", "", 60),
    ("ScaleUpUnreadyNoScale", 3, 3, 30, 1000, [400, 500, 700], "TFF", "", 40),
    ("ScaleUpIgnoresFailedPods", 2, 4, 30, 1000, [500, 700, None, None], "TTFF", "RRXX", 60),
    ("ScaleUpIgnoresDeletionPods", 2, 4, 30, 1000, [500, 700, None, None], "TTFF", "RRDD", 60),
    ("ScaleDown", 5, 3, 50, 1000, [100, 300, 500, 250, 250], "", "", 28),
    ("ScaleDownIgnoresUnreadyPods", 5, 2, 50, 1000, [100, 300, 500, 250, 250], "TTTFF", "", 30),
    ("ScaleDownExcludeUnscheduledPods", 5, 1, 50, 1000, [100, None, None, None, None], "TFFFF", "RPPPP", 10),
    ("Tolerance", 3, 3, 100, 1000, [1010, 1030, 1020], "", "", 102),
    ("MissingMetricsNoChangeEq", 2, 2, 100, 1000, [1000, None], "", "", 100),
    ("MissingMetricsNoChangeGt", 2, 2, 100, 1000, [1900, None], "", "", 190),
    ("MissingMetricsNoChangeLt", 2, 2, 100, 1000, [600, None], "", "", 60),
    ("MissingMetricsUnreadyChange", 3, 3, 50, 1000, [100, 450, None], "FTT", "", 45),
    ("MissingMetricsHotCpuNoChange", 3, 3, 50, 1000, [100, 450, None], "CTT", "", 45),
    ("MissingMetricsUnreadyScaleUp", 3, 4, 50, 1000, [100, 2000, None], "FTT", "", 200),
    ("MissingMetricsUnreadyScaleDown", 4, 3, 50, 1000, [100, 100, 100, None], "FTTT", "", 10),
])
def test_resource_table(
    name: str, current: int, expected: int, target: int, request_m: int, values: list[int | None], readiness: str, phases: str,
    usage: int,
) -> None:
    """pkg/controller/podautoscaler/replica_calculator_test.go, by the names of its tests."""
    pods = pods_of(len(values), request_m, readiness, phases)
    found = resource_replicas(current, target, "cpu", Tolerances(), pods, levels(values), NOW)
    assert (found.replicas, found.utilization) == (expected, usage), name


@pytest.mark.parametrize(("name", "current", "expected", "target", "values", "phases", "usage"), [
    ("ScaleUpCM", 3, 4, 15000, [20000, 10000, 30000], "", 20000),
    ("ScaleUpCMUnreadyHotCpuNoLessScale", 3, 6, 15000, [50000, 10000, 30000], "", 30000),
    ("ScaleDownCM", 5, 3, 20000, [12000] * 5, "", 12000),
    ("ToleranceCM", 3, 3, 20000, [20000, 21000, 21000], "", 20666),
])
def test_plain_table(name: str, current: int, expected: int, target: int, values: list[int | None], phases: str, usage: int) -> None:
    """pkg/controller/podautoscaler/replica_calculator_test.go, tests of pods metrics."""
    found = plain_replicas(current, target, Tolerances(), pods_of(len(values), 1000, "", phases), levels(values), NOW)
    assert (found.replicas, found.usage) == (expected, usage), name


def test_no_metrics_and_no_requests() -> None:
    with pytest.raises(MetricError, match="did not receive metrics for targeted pods"):
        resource_replicas(1, 50, "cpu", Tolerances(), pods_of(1, 100), {}, NOW)
    pods = pods_of(1, 100)
    del pods[0]["spec"]["containers"][0]["resources"]
    with pytest.raises(MetricError, match="missing request for cpu in container c of Pod test-pod-0"):
        resource_replicas(1, 50, "cpu", Tolerances(), pods, levels([100]), NOW)
