"""The rules of six services of every kind, chain by chain: what TestOverallIPTablesRules in pkg/proxy/iptables/proxier_test.go expects.

golden/overall.json holds its rules as sets of matches, so that only their order within a rule and what iptables-save adds as defaults
are left out of account.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from clusterlab.network.services import build
from clusterlab.proxy import iptables, ipvs, nftables
from clusterlab.runtime import scripts

Object = dict[str, Any]
EXPECTED: dict[str, dict[str, list[list[str]]]] = json.loads((Path(__file__).parent / "golden" / "overall.json").read_text())
#: What iptables-save writes that kube-proxy leaves to the defaults.
_DEFAULTS = {"--reject-with icmp-port-unreachable", "--mask 255.255.255.255", "--rsource", "--random-fully"}
_SAME = {"--set-xmark 0x4000/0x4000": "--or-mark 0x4000", "--set-xmark 0x4000/0x0": "--xor-mark 0x4000"}


def service(number: int, **spec: Any) -> Object:
    port = {"name": "p80", "port": 80, "protocol": "TCP", **({"nodePort": spec.pop("nodePort")} if "nodePort" in spec else {})}
    ingress = spec.pop("ingress", None)
    return {"metadata": {"name": f"svc{number}", "namespace": f"ns{number}"}, "spec": {
        "clusterIP": f"172.30.0.4{number}", "clusterIPs": [f"172.30.0.4{number}"], "ports": [port], **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ingress}]} if ingress else {}}}


def endpoints(number: int, *addresses: tuple[str, str]) -> Object:
    return {"metadata": {"name": f"svc{number}-1", "namespace": f"ns{number}", "labels": {"kubernetes.io/service-name": f"svc{number}"}},
            "addressType": "IPv4", "ports": [{"name": "p80", "port": 80, "protocol": "TCP"}],
            "endpoints": [{"addresses": [ip], "nodeName": node, "conditions": {"ready": True}} for ip, node in addresses]}


def services() -> Any:
    affinity = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}
    return build([
        service(1),
        service(2, type="LoadBalancer", externalTrafficPolicy="Local", nodePort=3001, ingress="1.2.3.4", externalIPs=["192.168.99.22"],
                healthCheckNodePort=30000),
        service(3, type="NodePort", nodePort=3003), service(4, type="NodePort", externalIPs=["192.168.99.33"]),
        service(5, type="LoadBalancer", externalTrafficPolicy="Cluster", nodePort=3002, ingress="5.6.7.8", healthCheckNodePort=30000,
                loadBalancerSourceRanges=[" 203.0.113.0/25"], **affinity),
        service(6),
    ], [
        endpoints(1, ("10.180.0.1", "")), endpoints(2, ("10.180.0.2", "")), endpoints(3, ("10.180.0.3", "")),
        endpoints(4, ("10.180.0.4", ""), ("10.180.0.5", "testhost")), endpoints(5, ("10.180.0.3", "")),
    ])


def matches(line: str) -> list[str]:
    """The matches of a rule, sorted."""
    words, found, negated = shlex.split(line)[2:], [], ""
    while words:
        word = words.pop(0)
        if word == "!":
            negated = "! "
        elif word == "-m":
            words.pop(0)
        else:
            values = []
            while words and not words[0].startswith("-") and words[0] != "!":
                values.append(words.pop(0))
            found.append(negated + " ".join([word, *values]))
            negated = ""
    return sorted(_SAME.get(each, each) for each in found if each not in _DEFAULTS)


def test_every_chain_is_as_upstream_has_it() -> None:
    tables: dict[str, dict[str, list[list[str]]]] = {}
    current: dict[str, list[list[str]]] = {}
    for line in iptables.save(services(), "testhost", cluster_cidr="10.0.0.0/8").splitlines():
        if line.startswith("*"):
            current = tables.setdefault(line[1:], {})
        elif line.startswith(":KUBE"):
            current.setdefault(line[1:].split()[0], [])
        elif line.startswith("-A KUBE"):
            current[shlex.split(line)[1]].append(matches(line))
    for table, chains in EXPECTED.items():
        assert set(tables[table]) == set(chains), table
        for name, rules in chains.items():
            assert tables[table][name] == rules, f"{table} {name}"


def test_the_same_services_in_the_other_modes() -> None:
    shown = ipvs.listing(services(), "testhost", "192.168.0.2")
    assert "TCP  172.30.0.45:80 rr persistent 10800\n  -> 10.180.0.3:80" in shown and "TCP  192.168.0.2:3003 rr" in shown
    table = nftables.listing(services(), "testhost", "192.168.0.2")
    for expected in ("172.30.0.41 . tcp . 80 : goto service-ULMVA6XW-ns1/svc1/tcp/p80", "chain service-LAUZTJTB-ns4/svc4/tcp/p80",
                     "numgen random mod 2 map { 0 : 10.180.0.4 . 80, 1 : 10.180.0.5 . 80 }", "tcp . 3003 : goto external-4AT6LBPK-ns3/svc3/tcp/p80",
                     "set affinity-GTK6MW7G-ns5/svc5/tcp/p80__10.180.0.3/80"):
        assert expected in table, expected


def test_the_node_s_tools_show_the_rules_and_the_runtime() -> None:
    from tests.network.conftest import Net

    net = Net()
    net.deployment("web", replicas=2)
    net.service("web", type="NodePort")
    net.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "node-tools"}, "spec": {
        "hostNetwork": True, "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        "containers": [{"name": "c", "image": "busybox:1.36", "command": ["sleep", "infinity"],
                        "volumeMounts": [{"name": "host", "mountPath": "/host"}]}]}})
    net.pod("own")
    net.settle()
    net.run(2)

    def run(pod: str, script: str) -> str:
        found = net.cluster.find(f"pods/default/{pod}")
        assert found is not None
        runtime = net.cluster.runtimes[found["spec"]["nodeName"]]
        container = runtime.of_pod(found["metadata"]["uid"])[0]
        _, out, err, _ = scripts.execute(runtime, container, ("sh", "-c", script))
        return out + err

    chain = iptables.chain("KUBE-SVC-", "default/web", "TCP")
    assert f"-j {chain}" in run("node-tools", "iptables-save -t nat | grep default/web")
    assert run("node-tools", f"iptables -t nat -S {chain} | grep -c probability") == "1\n"
    assert "KUBE" not in run("own", "iptables-save")
    assert "node-tools" in run("node-tools", "chroot /host crictl ps") and "not found" in run("own", "crictl ps")
    assert "RuntimeName:  containerd" in run("node-tools", "crictl version")
