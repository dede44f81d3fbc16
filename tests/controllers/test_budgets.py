"""PodDisruptionBudgets and quotas: counts."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.machinery import quota
from tests.controllers.conftest import Lab, template, workload

Object = dict[str, Any]
NAMES = ("deployment-controller", "replicaset-controller", "disruption-controller", "resourcequota-controller")


def budget(**spec: Any) -> Object:
    lab = Lab(*NAMES).start()
    lab.api.put("deployments", workload("Deployment", replicas=10, strategy={"type": "RollingUpdate"}))
    lab.run_pods()
    lab.api.put("poddisruptionbudgets", {"metadata": {"name": "b", "namespace": "default"},
                                        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}})
    lab.settle()
    found = lab.api.get("poddisruptionbudgets", "default/b")
    assert found is not None
    return found["status"]


@pytest.mark.parametrize(("spec", "desired", "allowed"), [
    ({"minAvailable": 8}, 8, 2), ({"minAvailable": "28%"}, 3, 7), ({"maxUnavailable": 1}, 9, 1), ({"maxUnavailable": "25%"}, 7, 3),
    ({"minAvailable": "100%"}, 10, 0), ({"maxUnavailable": 0}, 10, 0), ({"maxUnavailable": "100%"}, 0, 10),
])
def test_budget_counts(spec: Object, desired: int, allowed: int) -> None:
    """pkg/controller/disruption/disruption_test.go: percentages refer to the Deployment's size and round up."""
    status = budget(**spec)
    assert (status["expectedPods"], status["currentHealthy"], status["desiredHealthy"], status["disruptionsAllowed"]) \
        == (10, 10, desired, allowed)
    assert status["conditions"][0]["reason"] == ("SufficientPods" if allowed else "InsufficientPods")


def test_unmanaged_pod_counts_with_integers_only() -> None:
    lab = Lab(*NAMES).start()
    lab.api.put("pods", {"metadata": {"name": "lone", "namespace": "default", "labels": {"app": "web"}}, "spec": {"containers": []}})
    lab.set_pod(lab.pods()[0])
    for name, spec in (("a", {"minAvailable": 1}), ("b", {"maxUnavailable": 1})):
        lab.api.put("poddisruptionbudgets", {"metadata": {"name": name, "namespace": "default"},
                                            "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}})
    lab.settle()
    a, b = (lab.api.get("poddisruptionbudgets", f"default/{name}")["status"] for name in "ab")  # type: ignore[index]
    assert (a["expectedPods"], a["disruptionsAllowed"]) == (1, 0)
    assert (b["expectedPods"], b["disruptionsAllowed"]) == (0, 0)
    assert any(reason == "UnmanagedPods" for reason, _ in lab.api.events())


def test_quota_is_counted_and_released() -> None:
    lab = Lab(*NAMES).start()
    d = workload("Deployment", replicas=2, strategy={"type": "RollingUpdate"})
    d["spec"]["template"] = template()
    d["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1"}}
    lab.api.put("deployments", d)
    lab.settle()
    hard = {"pods": "10", "requests.cpu": "1", "limits.cpu": "4", "memory": "1Gi", "count/deployments.apps": "3", "services.nodeports": "1"}
    lab.api.put("resourcequotas", {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": hard}})
    lab.settle()
    found = lab.api.get("resourcequotas", "default/q")
    assert found is not None
    assert found["status"]["used"] == {
        "pods": "2", "requests.cpu": "200m", "limits.cpu": "2", "memory": "128Mi", "count/deployments.apps": "1", "services.nodeports": "0",
    }
    lab.api.change("deployments", "default/web", spec={**lab.api.get("deployments", "default/web")["spec"], "replicas": 1})  # type: ignore[index]
    lab.settle()
    lab.run_pods()
    assert lab.api.get("resourcequotas", "default/q")["status"]["used"]["pods"] == "1"  # type: ignore[index]


def pod(containers: list[Object], inits: list[Object] = [], **spec: Any) -> Object:  # noqa: B006
    return {"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": containers, "initContainers": inits, **spec}}


def box(requests: Object, limits: Object | None = None, **more: Any) -> Object:
    return {"name": "c", "resources": {"requests": requests, "limits": limits or {}}, **more}


@pytest.mark.parametrize(("obj", "expected"), [
    # pkg/quota/v1/evaluator/core/pods_test.go, TestPodEvaluatorUsage
    (pod([], [box({"cpu": "1m"}, {"cpu": "2m"})]),
     {"requests.cpu": "1m", "limits.cpu": "2m", "pods": "1", "cpu": "1m", "count/pods": "1"}),
    (pod([box({"memory": "1m"}, {"memory": "2m"})]),
     {"requests.memory": "1m", "limits.memory": "2m", "pods": "1", "memory": "1m", "count/pods": "1"}),
    (pod([box({"hugepages-2Mi": "100Mi"})]),
     {"hugepages-2Mi": "100Mi", "requests.hugepages-2Mi": "100Mi", "pods": "1", "count/pods": "1"}),
    (pod([box({"example.com/dongle": "3"}, {"example.com/dongle": "3"})]),
     {"requests.example.com/dongle": "3", "pods": "1", "count/pods": "1"}),
    (pod([box({"cpu": "1", "memory": "50M"}, {"cpu": "2", "memory": "100M"}), box({"cpu": "4"}, {"cpu": "8"})], [box({"cpu": "10"})]),
     {"requests.cpu": "10", "cpu": "10", "requests.memory": "50M", "memory": "50M", "limits.cpu": "10", "limits.memory": "100M",
      "pods": "1", "count/pods": "1"}),
])
def test_pod_usage(obj: Object, expected: Object) -> None:
    assert {name: str(amount) for name, amount in quota.usage("pods", obj).items()} == expected


def test_scopes_and_constraints() -> None:
    best = pod([{"name": "c"}])
    burst = pod([box({"cpu": "1"})], activeDeadlineSeconds=5, priorityClassName="high")

    def q(**spec: Any) -> Object:
        return {"metadata": {}, "spec": {"hard": {"pods": "1"}, **spec}}

    assert quota.matches(q(scopes=["BestEffort"]), "pods", best) and not quota.matches(q(scopes=["BestEffort"]), "pods", burst)
    assert quota.matches(q(scopes=["Terminating"]), "pods", burst) and quota.matches(q(scopes=["NotTerminating"]), "pods", best)
    rule = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    assert quota.matches(q(scopeSelector={"matchExpressions": [rule]}), "pods", burst)
    assert quota.missing_constraints(best, ["requests.cpu", "limits.memory", "pods"]) == "must specify limits.memory for: c; requests.cpu for: c"
