"""What kube-proxy makes of services and endpoint slices."""

from __future__ import annotations

from typing import Any

from clusterlab.network.services import build, usable
from clusterlab.proxy import iptables, ipvs

Object = dict[str, Any]


def service(name: str = "web", **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {
        "clusterIP": "10.96.1.1", "clusterIPs": ["10.96.1.1"], "ports": [{"port": 80, "protocol": "TCP"}], **spec}}


def endpoints(*each: tuple[str, str, bool], name: str = "web") -> Object:
    return {"metadata": {"name": f"{name}-x", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": [ip], "nodeName": node, "conditions": {"ready": ready}} for ip, node, ready in each]}


TWO = endpoints(("10.244.1.2", "node-2", True), ("10.244.0.2", "node-1", True), ("10.244.2.2", "node-3", False))


def test_only_ready_endpoints_are_used() -> None:
    found = build([service()], [TWO]).at("10.96.1.1", 80)
    assert found is not None
    assert [each.ip for each in usable(found[1], "node-1", False)] == ["10.244.0.2", "10.244.1.2"]
    assert [each.ip for each in usable(found[1], "node-2", True)] == ["10.244.1.2"]
    assert usable(found[1], "node-3", True) == ()


def test_endpoints_that_end_serve_when_there_are_no_others() -> None:
    dying = endpoints(("10.244.0.2", "node-1", False))
    dying["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    found = build([service()], [dying]).at("10.96.1.1", 80)
    assert found is not None and [each.ip for each in usable(found[1], "node-1", False)] == ["10.244.0.2"]


def test_headless_and_external_names_have_no_rules() -> None:
    none = service("h", clusterIP="None", clusterIPs=["None"])
    alias = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"type": "ExternalName", "externalName": "x"}}
    assert build([none, alias], []).entries == []


def test_iptables_rules_share_evenly() -> None:
    text = iptables.save(build([service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}])], [TWO]), "node-1")
    chain = iptables.chain("KUBE-SVC-", "default/web", "TCP")
    assert f'-A KUBE-SERVICES -d 10.96.1.1/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp --dport 80 -j {chain}' in text
    assert "--probability 0.5000000000" in text and "--to-destination 10.244.0.2:8080" in text and "10.244.2.2" not in text
    assert "-A KUBE-NODEPORTS" in text and "--dport 30080" in text


def test_a_service_without_endpoints_is_rejected() -> None:
    text = iptables.save(build([service()], []), "node-1")
    assert '-A KUBE-SERVICES -d 10.96.1.1/32 -p tcp -m comment --comment "default/web has no endpoints" -m tcp --dport 80 -j REJECT' in text


def test_the_chain_of_the_kubernetes_service_is_the_one_on_every_cluster() -> None:
    assert iptables.chain("KUBE-SVC-", "default/kubernetes:https", "TCP") == "KUBE-SVC-NPX46M4PTMTKRN6Y"


def test_ipvs_lists_servers() -> None:
    text = ipvs.listing(build([service(sessionAffinity="ClientIP")], [TWO]), "node-1")
    assert "TCP  10.96.1.1:80 rr persistent 10800\n  -> 10.244.0.2:8080" in text
