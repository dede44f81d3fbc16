"""What limits an autoscaler, and metrics of objects and of the outside: the tables of pkg/controller/podautoscaler's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterlab.controllers.hpa_behavior import limit_by_policies
from clusterlab.controllers.replica_calculator import Tolerances, per_pod_replicas, resource_replicas, value_replicas
from tests.controllers.test_hpa import NOW, levels, pods_of

#: name, scale-up events, scale-down events ([changes, period]), bounds, rules of both directions (pods, period, percent, period, window),
#: current, desired, expected, condition.
RULES = json.loads((Path(__file__).parent / "golden" / "hpa_rules.json").read_text())


def _events(given: list[Any]) -> tuple[tuple[int, int], ...]:
    """Changes spread evenly over a period that ends now."""
    if not given:
        return ()
    changes, period = given
    part = period / len(changes)
    return tuple((change, NOW - int(period - part * (at + 1) + part / 2) * 1000) for at, change in enumerate(changes))


def _rules(given: list[int] | None) -> dict[str, Any]:
    pods, pods_s, percent, percent_s, window = given or (0, 0, 0, 0, 0)
    policies = [{"type": "Pods", "value": pods, "periodSeconds": pods_s}] if pods else []
    policies += [{"type": "Percent", "value": percent, "periodSeconds": percent_s}] if percent else []
    return {"selectPolicy": "Max", "stabilizationWindowSeconds": window, "policies": policies} if given else {}


@pytest.mark.parametrize("row", RULES, ids=[row[0] for row in RULES])
def test_scaling_with_rules(row: list[Any]) -> None:
    """horizontal_test.go, TestScalingWithRules."""
    _, ups, downs, least, most, up, down, current, desired, expected, condition = row
    behavior = {"scaleUp": _rules(up), "scaleDown": _rules(down)}
    found = limit_by_policies(current, desired, least, most, behavior, _events(ups), _events(downs), NOW)
    assert (found.replicas, found.reason) == (expected, condition)


@pytest.mark.parametrize(("name", "current", "expected", "usage", "target", "readiness"), [
    ("ScaleUpCMObject", 3, 4, 20000, 15000, "TTT"), ("ScaleUpCMObjectIgnoresUnreadyPods", 3, 5, 50000, 10000, "FTF"),
    ("ScaleUpCMExternal", 1, 2, 8600, 4400, "T"), ("ScaleUpCMExternalIgnoresUnreadyPods", 3, 2, 8600, 4400, "FTF"),
    ("ScaleDownCMObject", 5, 3, 12000, 20000, "TTTTT"), ("ScaleDownCMExternal", 5, 3, 8600, 14334, "TTTTT"),
])
def test_values_of_objects_and_of_the_outside(name: str, current: int, expected: int, usage: int, target: int, readiness: str) -> None:
    """replica_calculator_test.go, by the names of its tests."""
    found = value_replicas(current, usage, target, Tolerances(), pods_of(current, 1000, readiness))
    assert found.replicas == expected, name


@pytest.mark.parametrize(("name", "current", "expected", "usage", "target", "average"), [
    ("ScaleUpCMPerPodObject", 3, 4, 20000, 5000, 6667), ("ScaleUpPerPodCMExternal", 3, 4, 8600, 2150, 2867),
    ("ScaleDownPerPodCMObject", 5, 3, 6000, 2000, 1200), ("ScaleDownPerPodCMExternal", 5, 3, 8600, 2867, 1720),
])
def test_values_for_each_pod(name: str, current: int, expected: int, usage: int, target: int, average: int) -> None:
    """replica_calculator_test.go, by the names of its tests."""
    found = per_pod_replicas(current, usage, target, Tolerances())
    assert (found.replicas, found.usage) == (expected, average), name


@pytest.mark.parametrize(("tolerances", "expected", "values"), [
    ((0.0, 0.0), 4, [909, 1010, 1111]), ((0.1, 2.0), 3, [1890, 1910, 1900]), ((2.0, 0.08), 4, [1100, 1080, 1090]),
    ((0.36, 0.1), 3, [660, 640, 650]), ((0.34, 0.1), 2, [660, 640, 650]),
])
def test_configurable_tolerance(tolerances: tuple[float, float], expected: int, values: list[int]) -> None:
    """replica_calculator_test.go, TestReplicaCalcConfigurableTolerance."""
    found = resource_replicas(3, 100, "cpu", Tolerances(*tolerances), pods_of(3, 1000), levels(values), NOW)
    assert found.replicas == expected


def test_a_container_of_several() -> None:
    """replica_calculator_test.go, TestReplicaCalcContainerScaleUp: only the requests of the container that is named count."""
    pods = pods_of(3, 1000)
    for pod in pods:
        pod["spec"]["containers"].append({"name": "sidecar", "resources": {"requests": {"cpu": "5"}}})
    found = resource_replicas(3, 30, "cpu", Tolerances(), pods, levels([300, 500, 700]), NOW, "c")
    assert (found.replicas, found.utilization) == (5, 50)
