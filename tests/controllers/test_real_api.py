"""The controllers on the real API server: what the fake one is to them, it is as well."""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.server import ApiServer
from clusterlab.client.api import User
from clusterlab.client.client import Client
from clusterlab.controllers.manager import controller_manager
from clusterlab.etcd.cluster import Etcd
from clusterlab.sim import Simulation
from tests.controllers.conftest import template

Object = dict[str, Any]


class Real:
    """An API server, etcd and all controllers; no scheduler, no kubelets."""

    def __init__(self) -> None:
        self.sim = Simulation()
        self.etcd = Etcd(self.sim, ["etcd-0"])
        self.api = ApiServer(self.sim, self.etcd)
        self.process = controller_manager(self.sim, self.api)
        self.client = Client(self.api, User("admin", ("system:masters", "system:authenticated")), "kubectl")
        self.etcd.start()
        self.api.start()
        self.process.start()
        self.settle()

    def settle(self) -> None:
        for _ in range(100_000):
            if self.sim.settled:
                return
            self.sim.dispatch()
        raise AssertionError("does not settle")

    def command(self, verb: str, *args: Any, **options: Any) -> Any:
        self.sim.perform("kubectl", verb, "")
        answer = getattr(self.client, verb)(*args, **options)
        self.sim.finish()
        self.settle()
        return answer

    def run_pods(self) -> None:
        for pod in self.client.list("pods", "default"):
            now = self.sim.now_rfc3339()
            status = {**pod["status"], "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "startTime": now,
                      "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}]}
            self.command("update_status", "pods", {**pod, "status": status})


def deployment(replicas: int, image: str = "nginx:1.25") -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(image)}}


def test_deployment_from_creation_to_deletion() -> None:
    real = Real()
    real.command("create", "deployments", deployment(3))
    assert len(real.client.list("pods", "default")) == 3
    real.run_pods()
    d = real.client.get("deployments", "default", "web")
    assert d["status"]["availableReplicas"] == 3 and d["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert {c["type"]: c["reason"] for c in d["status"]["conditions"]} == {
        "Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}
    assert len(real.client.list("replicasets", "default")) == 1
    real.command("update", "deployments", {**d, "spec": {**d["spec"], "template": template("nginx:1.26")}})
    assert sorted(rs["spec"]["replicas"] for rs in real.client.list("replicasets", "default")) == [1, 3]
    real.command("delete", "deployments", "default", "web")
    assert real.client.list("replicasets", "default") == [] and real.client.list("pods", "default") == []


def test_namespaces_have_their_service_account_and_go() -> None:
    real = Real()
    real.command("create", "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    assert [a["metadata"]["name"] for a in real.client.list("serviceaccounts", "shop")] == ["default"]
    assert [c["metadata"]["name"] for c in real.client.list("configmaps", "shop")] == ["kube-root-ca.crt"]
    real.command("delete", "namespaces", "", "shop")
    assert "shop" not in [n["metadata"]["name"] for n in real.client.list("namespaces")]
    assert real.client.list("configmaps", "shop") == []


def test_nothing_fails_and_nothing_is_repeated() -> None:
    """A settled cluster stays quiet, and no reconcile was refused on the way."""
    real = Real()
    real.command("create", "deployments", deployment(5))
    real.run_pods()
    refused = [step.explain for step in real.sim.steps if "could not finish" in step.explain]
    assert refused == [] and real.sim.settled


def test_an_aggregated_role_without_parts_keeps_the_rules_it_was_given() -> None:
    """The apply configuration omits an empty list; rules that came from parts go with the parts."""
    real = Real()
    rbac = "rbac.authorization.k8s.io/v1"

    def role(name: str, resource: str, **more: Any) -> Object:
        rules = [{"apiGroups": [""], "resources": [resource], "verbs": ["get"]}]
        return {"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": name, **more.pop("metadata", {})}, "rules": rules, **more}

    sum_of = {"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]}
    real.command("create", "clusterroles", role("sum", "nodes", aggregationRule=sum_of))
    assert real.client.get("clusterroles", "", "sum")["rules"][0]["resources"] == ["nodes"]
    real.command("create", "clusterroles", role("part", "pods", metadata={"labels": {"part": "yes"}}))
    assert [rule["resources"] for rule in real.client.get("clusterroles", "", "sum")["rules"]] == [["pods"]]
    real.command("delete", "clusterroles", "", "part")
    assert not real.client.get("clusterroles", "", "sum").get("rules")


def test_a_released_pod_has_no_owners_left() -> None:
    real = Real()
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    real.command("create", "replicasets", body)
    (pod,) = real.client.list("pods", "default")
    real.command("patch", "pods", "default", pod["metadata"]["name"], {"metadata": {"labels": {"app": "free"}}})
    assert "ownerReferences" not in real.client.get("pods", "default", pod["metadata"]["name"])["metadata"]
    assert len(real.client.list("pods", "default")) == 2


def test_a_job_whose_pods_are_refused_tries_again_after_1_2_4_seconds() -> None:
    real = Real()
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": "default"}, "spec": {"hard": {"pods": "0"}}}
    real.command("create", "resourcequotas", quota)
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "one", "namespace": "default"},
            "spec": {"template": template("busybox", "one", restartPolicy="Never")}}
    real.command("create", "jobs", body)
    start = real.sim.time_ms
    while real.sim.time_ms < start + 7_500:
        real.sim.dispatch()
    refused = [event for event in real.client.list("events", "default") if event["reason"] == "FailedCreate"]
    assert 4 <= sum(event["count"] for event in refused) <= 5  # once more for its own first status


def test_a_namespace_with_many_objects_goes_in_pieces() -> None:
    real = Real()
    real.command("create", "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    for i in range(250):
        real.client.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}", "namespace": "shop"}})
    real.command("delete", "namespaces", "", "shop")
    deletions = [sum(change.key.startswith("configmaps/shop/") for change in step.changes) for step in real.sim.steps
                 if step.actor == "namespace-controller"]
    assert max(deletions) == 100 and sum(deletions) == 251  # kube-root-ca.crt too
    assert "shop" not in [n["metadata"]["name"] for n in real.client.list("namespaces")]
