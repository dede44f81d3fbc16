"""What a whole cluster does by itself: it brings back what must be there, ends what can end, and settles where nothing more can happen."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clusterlab.client.api import Request, User
from clusterlab.cluster import Cluster
from clusterlab.scenario.model import Node, Scenario

ADMIN = User("admin", ("system:masters",))
NODE = User("system:node:new", ("system:nodes", "system:authenticated"))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(Scenario(nodes=(Node("node-1"), Node("node-2")), control_plane_node=False))


def settle(cluster: Cluster) -> None:
    for _ in range(20_000):
        if cluster.sim.settled:
            return
        cluster.sim.dispatch()
    raise AssertionError("it does not settle")


def ask(cluster: Cluster, verb: str, resource: str, name: str = "", namespace: str = "default", user: User = ADMIN, **rest: Any) -> Any:
    return cluster.api.serve(Request(verb, resource, user, namespace, name, **rest))


def run(cluster: Cluster, hours: float) -> None:
    end = cluster.sim.time_ms + round(hours * 3_600_000)
    while cluster.sim.time_ms < end and cluster.sim.next_time() is not None:
        cluster.sim.dispatch()


def test_the_service_kubernetes_comes_back(cluster: Cluster) -> None:
    settle(cluster)
    before = ask(cluster, "get", "services", "kubernetes")
    ask(cluster, "delete", "services", "kubernetes")
    settle(cluster)
    after = ask(cluster, "get", "services", "kubernetes")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert ask(cluster, "get", "endpoints", "kubernetes")["subsets"][0]["addresses"]


def test_a_cluster_settles_while_a_namespace_cannot_end(cluster: Cluster) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stuck"}})
    held = {"name": "x", "namespace": "stuck", "finalizers": ["example.com/hold"]}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
    ask(cluster, "delete", "namespaces", "stuck", "")
    settle(cluster)
    assert ask(cluster, "get", "namespaces", "stuck", "")["status"]["phase"] == "Terminating"
    ask(cluster, "patch", "configmaps", "x", "stuck", patch_type="merge", body={"metadata": {"finalizers": None}})
    run(cluster, 0.01)
    assert "stuck" not in [one["metadata"]["name"] for one in ask(cluster, "list", "namespaces", namespace="")["items"]]


def test_surging_pods_of_a_daemonset_take_over_after_their_time(cluster: Cluster) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "fluentd:1"}]}}
    update = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "minReadySeconds": 5, "updateStrategy": update, "template": template}
    cluster.apply({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent", "namespace": "default"}, "spec": spec})
    settle(cluster)
    ask(cluster, "patch", "daemonsets", "agent", patch_type="strategic",
        body={"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "fluentd:2"}]}}}})
    settle(cluster)
    assert {pod["spec"]["containers"][0]["image"] for pod in ask(cluster, "list", "pods")["items"]} == {"fluentd:2"}


def request_of(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def test_a_kubelets_certificate_is_approved_and_the_request_cleaned_up(cluster: Cluster) -> None:
    spec = {
        "request": request_of("system:node:new"), "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
        "usages": ["client auth", "digital signature"],
    }
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "k"}, "spec": spec}
    ask(cluster, "create", "certificatesigningrequests", namespace="", body=body)
    settle(cluster)
    status = ask(cluster, "get", "certificatesigningrequests", "k", "")["status"]
    assert status["certificate"]
    assert status["conditions"][0]["reason"] == "AutoApproved"
    run(cluster, 1.1)
    assert ask(cluster, "list", "certificatesigningrequests", namespace="")["items"] == []
