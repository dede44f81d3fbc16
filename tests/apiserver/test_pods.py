"""Pods: binding, graceful deletion, eviction, scale."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.machinery.errors import StatusError

from .conftest import Server, pod


def bind(server: Server, name: str, node: str) -> Any:
    body = {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
    return server.create("pods", body, name=name, subresource="binding")


def test_a_pod_is_bound_once(server: Server) -> None:
    server.create("pods", pod())
    assert bind(server, "web", "node-1")["status"] == "Success"
    bound = server.get("pods", "web")
    assert bound["spec"]["nodeName"] == "node-1"
    assert [(c["type"], c["status"]) for c in bound["status"]["conditions"]] == [("PodScheduled", "True")]
    with pytest.raises(StatusError, match='pods/binding "web": pod web is already assigned to node "node-1"'):
        bind(server, "web", "node-2")


def test_binding_copies_the_topology_of_the_node(server: Server) -> None:
    zone = {"topology.kubernetes.io/zone": "a"}
    server.create("nodes", {"metadata": {"name": "node-1", "labels": {**zone, "disk": "ssd"}}})
    server.create("pods", pod())
    bind(server, "web", "node-1")
    assert server.get("pods", "web")["metadata"]["labels"] == zone


def test_deletion_of_a_running_pod_is_graceful_and_may_be_shortened(server: Server) -> None:
    server.create("pods", pod(nodeName="node-1", terminationGracePeriodSeconds=30))
    first = server.ask("delete", "pods", "web")
    assert first["metadata"]["deletionGracePeriodSeconds"] == 30
    assert first["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:30Z"
    again = server.ask("delete", "pods", "web")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    shorter = server.ask("delete", "pods", "web", gracePeriodSeconds=5)
    assert shorter["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:05Z"
    server.ask("delete", "pods", "web", gracePeriodSeconds=0)
    with pytest.raises(StatusError, match="not found"):
        server.get("pods", "web")


def test_an_unscheduled_pod_goes_at_once(server: Server) -> None:
    server.create("pods", pod(terminationGracePeriodSeconds=30))
    server.ask("delete", "pods", "web")
    with pytest.raises(StatusError, match="not found"):
        server.get("pods", "web")


def test_a_precondition_on_the_uid(server: Server) -> None:
    server.create("pods", pod())
    with pytest.raises(StatusError, match="the UID in the precondition"):
        server.ask("delete", "pods", "web", preconditions={"uid": "other"})


def budget(allowed: int) -> dict[str, Any]:
    return {"metadata": {"name": "keep"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": allowed, "desiredHealthy": 1, "currentHealthy": 1 + allowed, "expectedPods": 2,
                       "observedGeneration": 1}}


def running(server: Server, name: str) -> None:
    body = {**pod(name, nodeName="node-1", terminationGracePeriodSeconds=30), "metadata": {"name": name, "labels": {"app": "web"}}}
    made = server.create("pods", body)
    state = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    server.ask("update", "pods", name, subresource="status", body={**made, "status": state})


def evict(server: Server, name: str) -> Any:
    return server.create("pods", {"metadata": {"name": name}}, name=name, subresource="eviction")


def test_a_budget_refuses_an_eviction(server: Server) -> None:
    for name in "ab":
        running(server, name)
    made = server.create("poddisruptionbudgets", budget(1))
    server.ask("update", "poddisruptionbudgets", "keep", subresource="status", body={**made, "status": budget(1)["status"]})
    evict(server, "a")
    assert server.get("poddisruptionbudgets", "keep")["status"]["disruptionsAllowed"] == 0
    assert server.get("pods", "a")["metadata"]["deletionTimestamp"]
    with pytest.raises(StatusError) as refused:
        evict(server, "b")
    assert refused.value.code == 429
    cause = refused.value.status["details"]["causes"][0]["message"]
    assert cause == "The disruption budget keep needs 1 healthy pods and has 2 currently" or "does not allow" in cause


def test_scale_shows_and_sets_replicas(server: Server) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod()["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    server.create("deployments", {"metadata": {"name": "web"}, "spec": spec})
    shown = server.get("deployments", "web", subresource="scale")
    assert shown["spec"] == {"replicas": 2} and shown["status"] == {"replicas": 0, "selector": "app=web"}
    server.ask("patch", "deployments", "web", subresource="scale", body={"spec": {"replicas": 5}}, patch_type="merge")
    assert server.get("deployments", "web")["spec"]["replicas"] == 5
    with pytest.raises(StatusError, match=r"spec\.replicas: Invalid value: -1: must be greater than or equal to 0"):
        server.ask("patch", "deployments", "web", subresource="scale", body={"spec": {"replicas": -1}}, patch_type="merge")
