"""Requests followed hop by hop: names, services, node ports, policies, links, ingress."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.network.fabric import Fabric
from tests.network.conftest import Net

Object = dict[str, Any]


def test_a_request_by_name_reaches_a_ready_pod(net: Net) -> None:
    answer = net.get("http://web")
    assert (answer.error, answer.status) == ("", 200) and "Welcome to nginx!" in answer.body
    assert [hop.where.split()[0] for hop in answer.hops] == ["pod", "CoreDNS", "kube-proxy", "pod"]
    assert answer.pod.startswith("default/web-")


def test_requests_are_spread_over_all_endpoints(net: Net) -> None:
    seen: dict[str, int] = {}
    for _ in range(300):
        pod = net.get("http://web").pod
        seen[pod] = seen.get(pod, 0) + 1
    assert len(seen) == 3 and min(seen.values()) > 60


def test_session_affinity_keeps_a_client_at_its_pod(net: Net) -> None:
    net.service("sticky", selector={"app": "web"}, sessionAffinity="ClientIP")
    net.run(2)
    assert len({net.get("http://sticky").pod for _ in range(20)}) == 1


@pytest.mark.parametrize(("url", "error"), [
    ("http://nosuch", "name"), ("http://web:81", "timeout"), ("http://empty", "refused"), ("http://10.244.200.9", "timeout"),
])
def test_what_goes_wrong_and_where(net: Net, url: str, error: str) -> None:
    net.service("empty")
    net.run(2)
    answer = net.get(url)
    assert answer.error == error and answer.hops


def test_an_endpoint_that_is_not_ready_gets_nothing(net: Net) -> None:
    probe = {"httpGet": {"path": "/", "port": 9}, "periodSeconds": 1}
    net.deployment("sick", replicas=1, readinessProbe=probe)
    net.service("sick")
    net.run(5)
    assert net.get("http://sick").error == "refused"


def test_node_ports_from_outside(net: Net) -> None:
    port = net.service("public", selector={"app": "web"}, type="NodePort")["spec"]["ports"][0]["nodePort"]
    net.run(2)
    answer = net.outside(f"http://node-2:{port}")
    assert answer.status == 200 and answer.hops[1].where == "node node-2"


def test_a_load_balancer_s_address_is_known_inside_as_well() -> None:
    net = Net(loadBalancers=True, nodes=[{"name": f"node-{zone}", "labels": {"topology.kubernetes.io/zone": zone}} for zone in "abc"])
    net.deployment("web", replicas=3)
    net.service("web", type="LoadBalancer")
    net.pod("client", nodeName="node-b")
    net.settle()
    net.run(2)
    service = net.cluster.find("services/default/web")
    assert service is not None
    ip = service["status"]["loadBalancer"]["ingress"][0]["ip"]
    assert net.get(f"http://{ip}").pod.startswith("default/web-") and net.outside(f"http://{ip}").pod.startswith("default/web-")


@pytest.mark.parametrize("distribution", ["PreferSameZone", "PreferSameNode"])
def test_hints_keep_requests_near(distribution: str) -> None:
    net = Net(nodes=[{"name": f"node-{zone}", "labels": {"topology.kubernetes.io/zone": zone}} for zone in "abc"])
    for zone in "abc":
        net.pod(f"web-{zone}", {"app": "web"}, nodeName=f"node-{zone}", containers=[{"name": "c", "image": "nginx:1.27"}])
    net.service("web", trafficDistribution=distribution)
    net.pod("client", nodeName="node-b")
    net.settle()
    net.run(2)
    assert {net.get("http://web").pod for _ in range(12)} == {"default/web-b"}
    proxy: Any = net.sim.components["kube-proxy/node-c"]
    assert proxy.iptables_save().count('"default/web -> ') == 1
    net.do(lambda: net.client.delete("pods", "default", "web-b", gracePeriodSeconds=0))
    net.run(2)
    assert {net.get("http://web").pod for _ in range(20)} == {"default/web-a", "default/web-c"}


def test_a_local_external_policy_drops_where_the_node_has_no_pod(net: Net) -> None:
    net.deployment("one", replicas=1)
    made = net.service("one", type="NodePort", externalTrafficPolicy="Local")
    net.run(2)
    port = made["spec"]["ports"][0]["nodePort"]
    home = next(pod["spec"]["nodeName"] for key, pod in net.cluster.objects("pods") if "/one-" in key)
    away = next(name for name in ("node-1", "node-2", "node-3") if name != home)
    assert net.outside(f"http://{home}:{port}").status == 200
    assert net.outside(f"http://{away}:{port}").error == "timeout"


def _policy(name: str, **spec: Any) -> Object:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
            "spec": {"podSelector": {"matchLabels": {"app": "web"}}, **spec}}


def test_network_policies_drop(net: Net) -> None:
    net.pod("friend", {"role": "friend"})
    net.create("networkpolicies", _policy("deny", policyTypes=["Ingress"]))
    net.settle()
    net.run(1)
    assert net.get("http://web").error == "timeout"
    assert net.get("http://web").hops[-1].decision == "dropped"
    net.create("networkpolicies", _policy("allow", ingress=[
        {"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}], "ports": [{"port": 80}]}]))
    net.run(1)
    assert net.get("http://web").error == "timeout"
    assert net.get("http://web", "friend").status == 200


def test_links_are_slow_or_lose_everything(net: Net) -> None:
    fabric: Fabric = net.fabric
    usual = net.get("http://web").latency_us
    fabric.set_link("*", "*", 100)
    assert net.get("http://web").latency_us >= usual + 200_000
    fabric.set_link("*", "*", 0, 1_000_000)
    assert net.get("http://web").error == "timeout"
    fabric.set_link("*", "*")
    assert net.get("http://web").status == 200


def test_a_stopped_kube_proxy_keeps_its_old_rules(net: Net) -> None:
    node = net.source("client").node
    net.cluster.processes[f"kube-proxy/{node}"].stop()
    net.service("late", selector={"app": "web"})
    net.settle()
    net.run(2)
    assert net.get("http://web").status == 200
    assert net.get("http://late").error == "timeout"
    net.cluster.processes[f"kube-proxy/{node}"].start()
    net.run(2)
    assert net.get("http://late").status == 200


def test_ingress_routes_by_host_and_path(net: Net) -> None:
    net.deployment("api", "hashicorp/http-echo", 1, args=["-text=api", "-listen=:80"])
    net.service("api")
    net.settle()

    def path(prefix: str, service: str) -> Object:
        return {"path": prefix, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}

    net.create("ingresses", {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"}, "spec": {
        "rules": [{"host": "shop.example.com", "http": {"paths": [path("/", "web"), path("/api", "api")]}}]}})
    net.run(2)
    assert "nginx" in net.outside("http://shop.example.com/").body
    assert net.outside("http://shop.example.com/api/x").body == "api\n"
    assert net.outside("http://other.example.com/").error == "name"


def test_external_names_and_headless_services(net: Net) -> None:
    net.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"}, "spec": {
        "type": "ExternalName", "externalName": "web.default.svc.cluster.local"}})
    net.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "peers"}, "spec": {
        "clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]}})
    net.settle()
    net.run(2)
    assert net.get("http://alias").status == 200
    client = net.source("client")
    records, error, _ = net.fabric.resolve_from(client.uid, client.node, "peers")
    assert error == "" and len(records) == 3 and all(record[2].startswith("10.244.") for record in records)


def test_a_script_reaches_a_service_by_its_name(net: Net) -> None:
    net.pod("job", restartPolicy="Never", containers=[{
        "name": "c", "image": "busybox:1.36", "command": ["sh", "-c", "until wget -qO- http://late; do sleep 2; done"]}])
    net.settle()
    net.run(5)
    assert net.cluster.find("pods/default/job")["status"]["phase"] == "Running"  # type: ignore[index]
    net.service("late", selector={"app": "web"})
    net.run(6)
    assert net.cluster.find("pods/default/job")["status"]["phase"] == "Succeeded"  # type: ignore[index]


def test_a_request_to_the_api_server_is_asked_who_it_is(net: Net) -> None:
    """401 for a token that nobody issued, system:anonymous without one, the pod's service account with the one that it was given."""
    pods = "https://kubernetes.default.svc/api/v1/namespaces/default/pods"
    assert net.get(pods, Authorization="Bearer made-up").status == 401
    stranger = net.get(pods)
    assert stranger.status == 403 and "system:anonymous" in stranger.body
    assert net.get("https://10.96.0.1/version").status == 200
    script = f'curl -sk -H "Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)" {pods}'

    def own() -> str:
        exec_ = {"kind": "exec", "namespace": "default", "pod": "client", "container": "c", "argv": ["sh", "-c", script]}
        return str(net.cluster.history.execute(exec_).stdout)

    assert "system:serviceaccount:default:default" in own()
    net.create("rolebindings", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "all"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]})
    assert '"kind": "PodList"' in own()
    net.cluster.history.execute({"kind": "fault", "fault": {"kind": "component-stop", "target": "kube-apiserver"}})
    assert net.get(pods).error == "refused"
