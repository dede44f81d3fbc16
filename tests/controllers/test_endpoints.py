"""EndpointSlices, Endpoints, mirrors, hints; node networks and lost pods."""

from __future__ import annotations

from typing import Any

from clusterlab.controllers.port_order import CORE, DISCOVERY, ports_by_hash
from clusterlab.controllers.topology import Topology, add_hints
from tests.controllers.conftest import Lab, workload
from tests.controllers.test_nodes import add_node

Object = dict[str, Any]
NAMES = (
    "replicaset-controller", "endpointslice-controller", "endpoints-controller", "endpointslice-mirroring-controller",
    "pod-garbage-collector-controller", "node-ipam-controller", "ttl-controller", "garbage-collector-controller",
)


def cluster(pods: int = 0, **spec: Any) -> Lab:
    lab = Lab(*NAMES).start()
    for number in (1, 2, 3):
        add_node(lab, f"node-{number}")
    ports = [{"name": "", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    lab.api.put("services", {"metadata": {"name": "web", "namespace": "default", "labels": {"a": "b"}},
                             "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.9", "ports": ports, **spec}})
    if pods:
        lab.api.put("replicasets", workload("ReplicaSet", replicas=pods))
        lab.settle()
        lab.run_pods()
    lab.settle()
    return lab


def slices(lab: Lab) -> list[Object]:
    return lab.api.all("endpointslices")


def conditions(lab: Lab) -> list[tuple[bool, bool, bool]]:
    found = [e["conditions"] for s in slices(lab) for e in s["endpoints"]]
    return [(c["ready"], c["serving"], c["terminating"]) for c in found]


def test_a_hundred_in_a_slice() -> None:
    lab = cluster(250)
    assert sorted(len(s["endpoints"]) for s in slices(lab)) == [50, 100, 100]
    one = slices(lab)[0]
    assert one["metadata"]["labels"] == {
        "a": "b", "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert one["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}] and one["addressType"] == "IPv4"
    assert one["endpoints"][0]["nodeName"] == "node-1" and one["endpoints"][0]["targetRef"]["kind"] == "Pod"
    assert len(lab.api.get("endpoints", "default/web")["subsets"][0]["addresses"]) == 250  # type: ignore[index]


def test_terminating_endpoints_serve_on() -> None:
    lab = cluster(2)
    pod = lab.pods()[0]
    lab.api.change("pods", f"default/{pod['metadata']['name']}",
                   metadata={**pod["metadata"], "deletionTimestamp": lab.sim.now_rfc3339(), "deletionGracePeriodSeconds": 30})
    lab.settle()
    serving = [c for c in conditions(lab) if c[2]]
    assert serving == [(False, True, True)]


def test_empty_service_has_a_placeholder() -> None:
    lab = cluster()
    (one,) = slices(lab)
    assert one["endpoints"] == [] and one["ports"] == []
    endpoints = lab.api.get("endpoints", "default/web")
    assert endpoints is not None and "subsets" not in endpoints
    lab.api.remove("services", "default/web")
    lab.settle()
    assert lab.api.get("endpoints", "default/web") is None and slices(lab) == []


def test_named_port_and_headless() -> None:
    lab = cluster(clusterIP="None", ports=[{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}])
    for name, port in (("a", 8080), ("b", 9090)):
        lab.api.put("pods", {"metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
                             "spec": {"containers": [{"name": "c", "ports": [{"name": "web", "containerPort": port}]}]}})
    lab.run_pods()
    assert sorted(s["ports"][0]["port"] for s in slices(lab)) == [8080, 9090]
    assert slices(lab)[0]["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_repairs_a_slice_that_was_deleted() -> None:
    lab = cluster(2)
    lab.run(1)
    lab.api.remove("endpointslices", f"default/{slices(lab)[0]['metadata']['name']}")
    lab.settle()
    assert len(conditions(lab)) == 2


def test_traffic_distribution_hints() -> None:
    lab = cluster(trafficDistribution="PreferSameNode")
    node = lab.api.get("nodes", "node-1")
    assert node is not None
    lab.api.change("nodes", "node-1", metadata={**node["metadata"], "labels": {"topology.kubernetes.io/zone": "z"}})
    lab.api.put("pods", {"metadata": {"name": "a", "namespace": "default", "labels": {"app": "web"}}, "spec": {"containers": []}})
    lab.run_pods()
    hints = slices(lab)[0]["endpoints"][0]["hints"]
    assert hints == {"forZones": [{"name": "z"}], "forNodes": [{"name": "node-1"}]}


def zone_node(name: str, zone: str, cpu: str) -> Object:
    return {"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"cpu": cpu}}}


def test_topology_hints() -> None:
    """topologycache_test.go, TestAddHints: endpoints are shared by the zones' CPU."""
    topology = Topology([zone_node("a", "zone-a", "1000m"), zone_node("b", "zone-b", "1000m"), zone_node("c", "zone-c", "2000m")])

    def slice_of(*zones: str) -> Object:
        return {"endpoints": [{"addresses": ["10.0.0.1"], "zone": zone, "conditions": {"ready": True}} for zone in zones]}

    done = add_hints(topology, "IPv4", [slice_of("zone-a", "zone-b", "zone-c", "zone-c")], [], [])
    assert done.hints == {"zone-a": 1, "zone-b": 1, "zone-c": 2}
    skewed = add_hints(topology, "IPv4", [slice_of("zone-a", "zone-a", "zone-b", "zone-c")], [], [])
    assert skewed.hints == {"zone-a": 1, "zone-b": 1, "zone-c": 2}
    few = add_hints(topology, "IPv4", [slice_of("zone-a")], [], [])
    assert few.hints is None and few.message == "Insufficient number of endpoints (1 endpoints, 3 zones), addressType: IPv4"


def test_mirrors_what_users_write() -> None:
    lab = cluster(selector=None)
    lab.api.put("endpoints", {"metadata": {"name": "web", "namespace": "default"},
                              "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}],
                                           "ports": [{"port": 5432}]}]})
    lab.settle()
    (one,) = slices(lab)
    assert one["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslicemirroring-controller.k8s.io"
    assert [(e["addresses"], e["conditions"]) for e in one["endpoints"]] == [
        (["192.0.2.1"], {"ready": True}), (["192.0.2.2"], {"ready": False})]
    lab.api.remove("endpoints", "default/web")
    lab.settle()
    assert slices(lab) == []


def test_nodes_get_networks() -> None:
    lab = cluster()
    assert sorted(n["spec"]["podCIDR"] for n in lab.api.all("nodes")) == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]
    assert lab.api.get("nodes", "node-1")["metadata"]["annotations"]["node.alpha.kubernetes.io/ttl"] == "0"  # type: ignore[index]


def test_pods_of_a_deleted_node_are_removed() -> None:
    lab = cluster(1)
    pod = lab.pods()[0]
    lab.api.remove("nodes", "node-1")
    lab.run(30)
    assert pod["metadata"]["name"] in {p["metadata"]["name"] for p in lab.pods()}
    lab.run(60)
    assert pod["metadata"]["name"] not in {p["metadata"]["name"] for p in lab.pods()}


def test_burst_costs_little() -> None:
    """Three hundred pods that come up at three hundred different times are not three hundred status updates."""
    lab = cluster(300)
    writes = [entry for entry in lab.api.log if entry[1] in ("replicasets", "endpointslices", "endpoints") and entry[0] != "create"]
    assert len(writes) < 100


def test_ports_stand_in_the_order_of_their_hashes() -> None:
    """As a recorded cluster had them."""
    http, alt = {"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "alt", "port": 81, "protocol": "TCP"}
    a, b = {"name": "a", "port": 8080, "protocol": "TCP"}, {"name": "b", "port": 9, "protocol": "UDP"}
    assert ports_by_hash([alt, http], DISCOVERY) == ports_by_hash([alt, http], CORE) == [http, alt]
    assert ports_by_hash([a, b], DISCOVERY) == [b, a]


def test_a_port_that_only_some_pods_serve_stands_alone_in_endpoints() -> None:
    ports = [{"name": name, "port": 80, "targetPort": target, "protocol": "TCP"} for name, target in (("all", 81), ("some", "http"))]
    lab = cluster(2, ports=ports)
    pod = lab.pods()[0]
    containers = [{**each, "ports": [{"name": "http", "containerPort": 8080}]} for each in pod["spec"]["containers"]]
    lab.api.put("pods", {
        "metadata": {"name": "extra", "namespace": "default", "labels": pod["metadata"]["labels"]},
        "spec": {**pod["spec"], "containers": containers}, "status": {**pod["status"], "podIP": "10.9.9.9", "podIPs": [{"ip": "10.9.9.9"}]},
    })
    lab.settle()
    found = lab.api.get("endpoints", "default/web")["subsets"]  # type: ignore[index]
    assert sorted((s["ports"][0]["name"], len(s["ports"]), len(s["addresses"])) for s in found) == [("all", 1, 2), ("some", 1, 1)]  # the ReplicaSet keeps two of the three
