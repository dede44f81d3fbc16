"""Bytes over TCP and UDP: nc, agnhost's UDP server behind a Service, policies by protocol, and what databases greet with."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.runtime.talk import talk
from tests.network.conftest import Net

Object = dict[str, Any]


@pytest.fixture(scope="module")
def net() -> Net:
    net = Net()
    image = "registry.k8s.io/e2e-test-images/agnhost:2.53"
    net.deployment("agn", image, replicas=2, args=["netexec", "--http-port=8080", "--udp-port=8081"])
    ports = [{"name": "h", "port": 80, "targetPort": 8080}, {"name": "u", "port": 90, "targetPort": 8081, "protocol": "UDP"},
             {"name": "s", "port": 91, "targetPort": 9999, "protocol": "SCTP"}]
    net.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "agn"}, "spec": {
        "selector": {"app": "agn"}, "ports": ports}})
    net.pod("client")
    for name, script in {"echo": "nc -lk -p 7000 -e cat", "date": "nc -lk -p 7000 -e echo hello", "datagrams": "nc -u -l -p 7001 -e cat"}.items():
        net.pod(name, containers=[{"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script]}])
    net.pod("mysql", containers=[{"name": "c", "image": "mysql:8", "env": [{"name": "MYSQL_ROOT_PASSWORD", "value": "x"}]}])
    net.settle()
    return net


def run(net: Net, script: str) -> tuple[int, str, str]:
    found = net.do(lambda: net.cluster.node_server.exec("default", "client", "", ["sh", "-c", script]))
    return found.code, found.stdout, found.stderr


def ip(net: Net, name: str) -> str:
    pod = net.cluster.find(f"pods/default/{name}")
    assert pod is not None
    return str(pod["status"]["podIP"])


def test_a_udp_service_spreads_over_its_endpoints(net: Net) -> None:
    names = {run(net, "echo hostname | nc -u -w 1 agn 90")[1].strip() for _ in range(20)}
    assert len(names) == 2 and all(name.startswith("agn-") for name in names)
    assert run(net, "echo 'echo Hi There' | nc -u -w 1 agn 90") == (0, "hi there", "")
    assert run(net, "echo clientip | nc -u -w1 agn 90")[1].startswith(ip(net, "client") + ":")


def test_protocols_are_told_apart(net: Net) -> None:
    assert run(net, "echo hostname | nc -w 1 agn 90")[0] == 1  # nothing of TCP at that port
    assert run(net, "echo hostname | nc -u -v -w 1 " + ip(net, "mysql") + " 99")[2].endswith("Connection refused\n")
    proxy: Any = net.sim.components["kube-proxy/node-1"]
    rules = proxy.iptables_save()
    assert '-p udp -m comment --comment "default/agn:u cluster IP" -m udp --dport 90' in rules
    assert '-p sctp -m comment --comment "default/agn:s cluster IP" -m sctp --dport 91' in rules


def test_small_servers(net: Net) -> None:
    assert run(net, f"echo one two | nc {ip(net, 'echo')} 7000")[1] == "one two\n"
    assert run(net, f"nc {ip(net, 'date')} 7000")[1] == "hello\n"
    assert run(net, f"echo ping | nc -u -w 1 {ip(net, 'datagrams')} 7001")[1] == "ping\n"
    assert run(net, f"nc -zv {ip(net, 'echo')} 7001")[0] == 1
    answer = run(net, f"printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' | nc {ip(net, 'mysql')} 3306")[1]
    assert "caching_sha2_password" not in answer and "Access denied" in answer


def test_policies_count_by_protocol(net: Net) -> None:
    net.create("networkpolicies", {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "udp-only"}, "spec": {
        "podSelector": {"matchLabels": {"app": "agn"}}, "ingress": [{"ports": [{"protocol": "UDP", "port": 8000, "endPort": 8100}]}]}})
    net.run(2)
    assert run(net, "echo hostname | nc -u -w 1 agn 90")[1].startswith("agn-")
    assert net.get("http://agn/hostname").error == "timeout"
    net.do(lambda: net.client.delete("networkpolicies", "default", "udp-only"))
    net.run(2)
    assert net.get("http://agn/hostname").status == 200


@pytest.mark.parametrize(("command", "code", "said"), [
    ("curl 'http://[::1'", 3, "curl: (3) "), ("curl http://x:99999/", 3, "curl: (3) URL rejected: Port number"),
    ("wget -qO- 'http://[::1'", 1, "wget: bad address '[::1'"), ("wget http://x:abc/", 1, "wget: bad port spec 'x:abc'"),
    ("nc localhost 99999", 1, "nc: port number invalid"), ("curl -s telnet://nosuch:80", 6, "curl: (6) Could not resolve host: nosuch"),
])
def test_addresses_that_are_none(net: Net, command: str, code: int, said: str) -> None:
    found = run(net, command)
    assert found[0] == code and found[2].startswith(said)


def test_databases_greet(net: Net) -> None:
    pod = net.cluster.find("pods/default/mysql")
    assert pod is not None
    runtime: Any = net.sim.components[f"runtime/{pod['spec']['nodeName']}"]
    greeting = talk(runtime, pod["metadata"]["uid"], 3306, "TCP", b"")
    assert b"8.4.0" in greeting.data and not greeting.close
    assert talk(runtime, pod["metadata"]["uid"], 3306, "TCP", b"\x00").close
    assert talk(runtime, pod["metadata"]["uid"], 3306, "UDP", b"").refused


def test_a_pod_sees_the_client_as_masquerading_leaves_it(net: Net) -> None:
    """docs/tutorials/services/source-ip: through a node port the node's address, with a Local policy the client's own."""
    net.deployment("source-ip-app", "registry.k8s.io/echoserver:1.10", replicas=1)
    ports = {policy: net.service(policy.lower(), selector={"app": "source-ip-app"}, type="NodePort", externalTrafficPolicy=policy,
                                 ports=[{"port": 80, "targetPort": 8080}])["spec"]["ports"][0]["nodePort"] for policy in ("Cluster", "Local")}
    net.settle()
    node = next(pod for _, pod in net.cluster.objects("pods") if pod["metadata"]["name"].startswith("source-ip"))["spec"]["nodeName"]
    own = net.fabric.node_addresses()[node]
    assert f"client_address={ip(net, 'client')}\n" in net.get("http://cluster").body
    assert f"client_address={own}\n" in net.outside(f"http://{node}:{ports['Cluster']}").body
    assert "client_address=192.0.2.1\n" in net.outside(f"http://{node}:{ports['Local']}").body
