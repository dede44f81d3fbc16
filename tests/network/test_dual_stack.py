"""Two families of addresses: what Services get by their policy, in clusters of one family and of two.

The cases are those of pkg/registry/core/service/storage/storage_test.go and of docs/tasks/network/validate-dual-stack.
"""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.machinery.errors import StatusError
from clusterlab.network.exchange import in_ranges
from clusterlab.network.fabric import Source
from clusterlab.scenario import ScenarioError, load
from tests.network.conftest import Net

Object = dict[str, Any]


@pytest.fixture(scope="module")
def dual() -> Net:
    net = Net(ipFamilies=["IPv4", "IPv6"])
    net.deployment("web", replicas=2)
    net.pod("client")
    net.settle()
    return net


@pytest.fixture(scope="module")
def single() -> Net:
    return Net(nodes=1)


def ask(net: Net, **spec: Any) -> Any:
    """(policy, families, families of the addresses) of a new Service, or what is said against it."""
    net.sim.perform("test", "do", "")
    try:
        made = net.client.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {
            "name": f"s-{net.sim.unique()}", "namespace": "default"}, "spec": {
                "selector": {"app": "web"}, "ports": [{"port": 80}], **spec}})["spec"]
    except StatusError as error:
        return error.message.split(": ", 1)[1]
    finally:
        net.sim.finish()
    ips = made.get("clusterIPs") or ()
    return made["ipFamilyPolicy"], made["ipFamilies"], ["6" if ":" in each else each[:4] if each == "None" else "4" for each in ips]


NOT_DUAL = 'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'
BOTH = ["IPv4", "IPv6"]


@pytest.mark.parametrize(("spec", "in_single", "in_dual"), [
    ({}, ("SingleStack", ["IPv4"], ["4"]), ("SingleStack", ["IPv4"], ["4"])),
    ({"ipFamilyPolicy": "PreferDualStack"}, ("PreferDualStack", ["IPv4"], ["4"]), ("PreferDualStack", BOTH, ["4", "6"])),
    ({"ipFamilyPolicy": "RequireDualStack"}, NOT_DUAL, ("RequireDualStack", BOTH, ["4", "6"])),
    ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster', ("SingleStack", ["IPv6"], ["6"])),
    ({"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"]},
     'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster', ("PreferDualStack", ["IPv6", "IPv4"], ["6", "4"])),
    ({"ipFamilies": BOTH}, *2 * ('spec.ipFamilyPolicy: Invalid value: "SingleStack": must be \'RequireDualStack\' or \'PreferDualStack\' when '
                                 "multiple IP families are specified",)),
    ({"clusterIP": "fd00:10:96::99"}, 'spec.clusterIPs[0]: Invalid value: ["fd00:10:96::99"]: IPv6 is not configured on this cluster',
     ("SingleStack", ["IPv6"], ["6"])),
    ({"clusterIP": "None"}, ("SingleStack", ["IPv4"], ["None"]), ("SingleStack", ["IPv4"], ["None"])),
    ({"clusterIP": "None", "selector": None}, *2 * (("RequireDualStack", BOTH, ["None"]),)),
    ({"clusterIP": "None", "ipFamilyPolicy": "PreferDualStack"}, ("PreferDualStack", ["IPv4"], ["None"]), ("PreferDualStack", BOTH, ["None"])),
])
def test_what_a_service_gets(single: Net, dual: Net, spec: Object, in_single: Any, in_dual: Any) -> None:
    assert ask(single, **spec) == in_single
    assert ask(dual, **spec) == in_dual


def test_nodes_and_pods_have_both(dual: Net) -> None:
    node = dual.cluster.find("nodes/node-2")
    assert node is not None and node["spec"]["podCIDRs"] == ["10.244.1.0/24", "fd00:10:244:1::/64"]
    assert [each["address"] for each in node["status"]["addresses"]] == ["172.18.0.3", "fc00:f853:ccd:e793::3", "node-2"]
    status = dual.cluster.find("pods/default/client")["status"]  # type: ignore[index]
    assert len(status["podIPs"]) == len(status["hostIPs"]) == 2 and status["podIPs"][0]["ip"] == status["podIP"]


def test_a_service_of_both_works_over_both(dual: Net) -> None:
    made = dual.service("both", selector={"app": "web"}, ipFamilyPolicy="RequireDualStack", type="NodePort")
    dual.settle()
    dual.run(2)
    first, second = made["spec"]["clusterIPs"]
    kinds = sorted(each["addressType"] for _, each in dual.cluster.objects("endpointslices")
                   if each["metadata"]["labels"].get("kubernetes.io/service-name") == "both")
    assert kinds == ["IPv4", "IPv6"]
    for address in (first, f"[{second}]"):
        assert dual.get(f"http://{address}").pod.startswith("default/web-")
    assert dual.outside(f"http://[fc00:f853:ccd:e793::3]:{made['spec']['ports'][0]['nodePort']}").status == 200
    answers = dual.fabric.resolve_from("", "node-1", "both.default.svc.cluster.local", "AAAA")[0]
    assert answers == (("both.default.svc.cluster.local", "AAAA", second),)
    proxy: Any = dual.sim.components["kube-proxy/node-1"]
    rules = proxy.views()["ip6tables-save"]
    assert f'-d {second}/128 -p tcp -m comment --comment "default/both cluster IP"' in rules and "-j DNAT --to-destination [fd00:10:244:" in rules
    assert second not in proxy.iptables_save()
    dual.do(lambda: dual.client.patch("services", "default", "both", {"spec": {"ipFamilyPolicy": "SingleStack"}}, "merge"))
    now = dual.cluster.find("services/default/both")["spec"]  # type: ignore[index]
    assert now["clusterIPs"] == [first] and now["ipFamilies"] == ["IPv4"]
    dual.do(lambda: dual.client.patch("services", "default", "both", {"spec": {"ipFamilyPolicy": "PreferDualStack"}}, "merge"))
    assert len(dual.cluster.find("services/default/both")["spec"]["clusterIPs"]) == 2  # type: ignore[index]


def test_families_that_cannot_be() -> None:
    with pytest.raises(ScenarioError, match="ipFamilies"):
        load({"ipFamilies": ["IPv6"]})


def test_policies_judge_by_the_family_that_a_connection_uses(dual: Net) -> None:
    """An ipBlock means the address on the wire; labels mean the pod, whatever its address (networking/v1, NetworkPolicyPeer)."""
    dual.deployment("guarded", replicas=1)
    dual.service("guarded", ipFamilyPolicy="RequireDualStack")
    dual.pod("stranger")
    dual.settle()
    dual.run(2)
    first, second = dual.cluster.find("services/default/guarded")["spec"]["clusterIPs"]  # type: ignore[index]
    mine = [each["ip"] for each in dual.cluster.find("pods/default/client")["status"]["podIPs"]]  # type: ignore[index]

    def open_to(peer: Object | None, client: str = "client") -> tuple[bool, bool]:
        """Whether the client comes through over IPv4 and over IPv6, with a policy that lets this peer in."""
        made = dual.create("networkpolicies", {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {
            "name": f"p-{dual.sim.last_seq}"}, "spec": {"podSelector": {"matchLabels": {"app": "guarded"}}, "policyTypes": ["Ingress"],
                                                   "ingress": [{"from": [peer]}] if peer else []}})
        dual.run(2)
        found = [(dual.get(url, client) if client else dual.outside(url)).error == "" for url in urls[client != ""]]
        if client:  # the totals of traffic agree, and so do connections that are open already
            shares = dual.fabric.backends(dual.source(client), f"http://[{second}]")[1]
            assert [each.error == "" for each in shares] == [found[1]]
            assert [dual.fabric.again(dual.source(client), each.at, "guarded").error for each in shares if not each.error] == [""] * found[1]
        dual.do(lambda: dual.client.delete("networkpolicies", "default", made["metadata"]["name"]))
        dual.run(2)
        return found[0], found[1]

    ends = [each["ip"] for _, each in dual.cluster.objects("pods") if (each["metadata"].get("labels") or {}).get("app") == "guarded"
            for each in each["status"]["podIPs"]]
    urls = ((f"http://{ends[0]}", f"http://[{ends[1]}]"), (f"http://{first}", f"http://[{second}]"))
    assert open_to(None) == (False, False)
    assert open_to({"ipBlock": {"cidr": "10.244.0.0/16"}}) == (True, False)
    assert open_to({"ipBlock": {"cidr": "fd00:10:244::/48"}}) == (False, True)
    assert open_to({"ipBlock": {"cidr": "::/0"}}) == (False, True) and open_to({"ipBlock": {"cidr": "0.0.0.0/0"}}) == (True, False)
    block = {"ipBlock": {"cidr": "fd00:10:244::/48", "except": [f"{mine[1]}/128"]}}
    assert open_to(block) == (False, False) and open_to(block, "stranger") == (False, True)
    assert open_to({"podSelector": {"matchLabels": {"run": "client"}}}) == (True, True)
    assert open_to({"podSelector": {"matchLabels": {"run": "client"}}}, "stranger") == (False, False)
    assert open_to({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}) == (True, True)
    assert open_to({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}) == (False, False)
    assert open_to({"ipBlock": {"cidr": "2001:db8::/32"}}, "") == (False, True)


@pytest.mark.parametrize(("client", "ranges", "comes_in"), [
    ("192.0.2.1", (), True), ("192.0.2.1", ("192.0.2.0/24",), True), ("192.0.2.1", (" 10.0.0.0/8 ",), False),
    ("2001:db8::1", ("2001:db8::/32",), True), ("2001:db8::1", ("fd00::/8", "192.0.2.0/24"), False),
    ("2001:db8::1", ("192.0.2.0/24",), True),  # ranges of the other family say nothing about this one
])
def test_source_ranges_hold_for_their_own_family(client: str, ranges: tuple[str, ...], comes_in: bool) -> None:
    assert in_ranges(client, ranges) is comes_in


def test_traffic_from_elsewhere_does_not_come_in() -> None:
    net = Net(nodes=1, loadBalancers=True)
    net.deployment("web", replicas=1)
    net.service("web", type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"])
    net.settle()
    net.run(5)
    address = net.do(lambda: net.client.get("services", "default", "web"))["status"]["loadBalancer"]["ingress"][0]["ip"]
    assert net.fabric.request(Source(), f"http://{address}").error == "timeout"
    assert net.fabric.backends(Source(), f"http://{address}") == ("timeout", [])
