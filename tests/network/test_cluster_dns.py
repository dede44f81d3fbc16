"""A cluster as kubeadm leaves it: names are answered by CoreDNS's pods, through their Service, and by nobody without them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.network.conftest import Net


@pytest.fixture
def whole() -> Net:
    made = Net(controlPlaneNode=True)
    made.deployment("web")
    made.service("web")
    made.pod("client")
    made.settle()
    return made


def scale(net: Net, replicas: int) -> None:
    found: Any = net.cluster.find("deployments/kube-system/coredns")
    net.do(lambda: net.client.update("deployments", {**found, "spec": {**found["spec"], "replicas": replicas}}))
    net.settle()
    net.run(2)


def test_what_kubeadm_adds(whole: Net) -> None:
    pods = [pod for key, pod in whole.cluster.objects("pods") if key.startswith("pods/kube-system/")]
    proxies = sorted(pod["spec"]["nodeName"] for pod in pods if pod["metadata"]["labels"].get("k8s-app") == "kube-proxy")
    assert proxies == ["control-plane", "node-1", "node-2", "node-3"]
    dns = [pod["spec"]["nodeName"] for pod in pods if pod["metadata"]["labels"].get("k8s-app") == "kube-dns"]
    assert dns == ["control-plane"] * 2, "they were there before any worker"
    service: Any = whole.cluster.find("services/kube-system/kube-dns")
    assert service["spec"]["clusterIP"] == "10.96.0.10"
    assert whole.cluster.find("storageclasses/standard") is not None


def test_without_a_pod_of_coredns_no_name_is_known(whole: Net) -> None:
    assert whole.get("http://web").status == 200
    scale(whole, 0)
    lost = whole.get("http://web")
    assert lost.error == "name" and "no ready endpoints" in lost.hops[-1].why
    service: Any = whole.cluster.find("services/default/web")
    assert whole.get(f"http://{service['spec']['clusterIP']}").status == 200, "addresses need no name"
    scale(whole, 1)
    assert whole.get("http://web").status == 200


def test_a_policy_that_forgets_dns(whole: Net) -> None:
    whole.create("networkpolicies", {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "egress"}, "spec": {
        "podSelector": {"matchLabels": {"run": "client"}}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}})
    whole.run(1)
    assert whole.get("http://web").error == "name"
    whole.create("networkpolicies", {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "dns"}, "spec": {
        "podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}]}})
    whole.run(1)
    assert whole.get("http://web").status == 200


def test_clusters_without_a_control_plane_node_have_no_addons() -> None:
    net = Net()
    assert not [key for key, _ in net.cluster.objects("pods")] and net.cluster.find("storageclasses/standard") is None


def test_a_claim_gets_a_folder_on_the_node_of_its_pod(whole: Net) -> None:
    whole.create("persistentvolumeclaims", {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
    whole.settle()
    claim: Any = whole.cluster.find("persistentvolumeclaims/default/data")
    assert claim["status"]["phase"] == "Pending", "it waits for its first consumer"
    whole.pod("user", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
    whole.settle()
    claim = whole.cluster.find("persistentvolumeclaims/default/data")
    pod: Any = whole.cluster.find("pods/default/user")
    volume: Any = whole.cluster.find(f"persistentvolumes/{claim['spec']['volumeName']}")
    terms = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [pod["spec"]["nodeName"]]}]}]
