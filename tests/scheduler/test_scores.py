"""Scores, one plugin at a time. Rows from Kubernetes' own tables, named with each."""

import pytest

from clusterlab.scheduler.framework import CycleState
from clusterlab.scheduler.plugins.helper import broken_linear
from clusterlab.scheduler.plugins.image_locality import ImageLocality
from clusterlab.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from clusterlab.scheduler.plugins.node_resources import NodeResourcesBalancedAllocation, NodeResourcesFit, ResourceSpec
from clusterlab.scheduler.plugins.pod_topology_spread import PodTopologySpread
from clusterlab.scheduler.plugins.taint_toleration import TaintToleration
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.snapshot import Snapshot

GPU = "nvidia.com/gpu"


def scored(make, pod, nodes, existing=(), candidates=None, stores=None):
    """Normalised scores by node, or None where the plugin has nothing to say."""
    snapshot = Snapshot.of(nodes, [{**p, "metadata": {**p["metadata"], "name": f"e{i}"}} for i, p in enumerate(existing)], stores)
    plugin = make(snapshot.listers)
    chosen = [snapshot.by_name[n["metadata"]["name"]] for n in (candidates if candidates is not None else nodes)]
    state, info = CycleState(), PodInfo(pod)
    if plugin.pre_score(state, info, snapshot, chosen) is not None:
        return None
    one_by_one = [plugin.score(state, info, each) for each in chosen]
    together = plugin.score_all(state, info, chosen)
    assert one_by_one == together
    return dict(zip([n.name for n in chosen], plugin.normalize(state, chosen, together), strict=True))


def pod(*requests, on="", labels=None, **spec):
    containers = [{"name": f"c{i}", "image": "", "resources": {"requests": r}} for i, r in enumerate(requests)]
    meta = {"name": "p", "namespace": "default", "labels": labels or {}}
    return {"metadata": meta, "spec": {"containers": spec.pop("containers", containers), **({"nodeName": on} if on else {}), **spec}}


def node(name, labels=None, images=(), taints=(), **capacity):
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"taints": list(taints)},
            "status": {"allocatable": {k.replace("gpu", GPU): str(v) for k, v in capacity.items()}, "images": list(images)}}


def cpu_memory(cpu, memory):
    return {"cpu": cpu, "memory": memory}


TWO = (cpu_memory("1000", "2000"), cpu_memory("2000", "3000"))


@pytest.mark.parametrize(("incoming", "nodes", "existing", "expected"), [
    # least_allocated_test.go
    (pod(), [("4000", "10000"), ("4000", "10000")], (), (100, 100)),
    (pod(*TWO), [("4000", "10000"), ("6000", "10000")], (), (37, 50)),
    (pod(), [("10000", "20000")] * 2,
     [("3000", "0", "n0"), ("3000", "0", "n0"), ("3000", "0", "n1"), ("3000", "5000", "n1")], (70, 57)),
    (pod(*TWO), [("10000", "20000")] * 2, [("3000", "0", "n0"), ("3000", "5000", "n1")], (57, 45)),
    (pod(*TWO), [("10000", "20000"), ("10000", "50000")], [("3000", "0", "n0"), ("3000", "5000", "n1")], (57, 60)),
    (pod(cpu_memory("3000", "0")), [("4000", "10000")] * 2, [("3000", "0", "n0"), ("3000", "5000", "n1")], (50, 25)),
    (pod(), [(0, 0), (0, 0)], [("3000", "0", "n0"), ("3000", "5000", "n1")], (0, 0)),
])
def test_least_allocated(incoming, nodes, existing, expected):
    made = [node(f"n{i}", cpu=cpu, memory=memory) for i, (cpu, memory) in enumerate(nodes)]
    there = [pod(cpu_memory(cpu, memory), on=on) for cpu, memory, on in existing]
    assert tuple(scored(lambda listers: NodeResourcesFit(), incoming, made, there).values()) == expected


def test_least_allocated_by_weight():
    resources = (ResourceSpec("memory", 2), ResourceSpec("cpu", 1))
    nodes = [node("n0", cpu=4000, memory=10000), node("n1", cpu=6000, memory=10000)]
    assert scored(lambda listers: NodeResourcesFit(resources=resources), pod(*TWO), nodes) == {"n0": 41, "n1": 50}


def test_most_allocated():
    nodes = [node("n0", cpu=4000, memory=10000), node("n1", cpu=6000, memory=10000)]
    # most_allocated_test.go: (75 + 50) / 2, (50 + 50) / 2
    assert scored(lambda listers: NodeResourcesFit("MostAllocated"), pod(*TWO), nodes) == {"n0": 62, "n1": 50}


def test_requested_to_capacity_ratio():
    shape = [(0, 10), (100, 0)]
    nodes = [node("n0", cpu=4000, memory=10000), node("n1", cpu=6000, memory=10000)]
    # requested_to_capacity_ratio_test.go
    assert scored(lambda listers: NodeResourcesFit("RequestedToCapacityRatio", shape=shape), pod(*TWO), nodes) == {"n0": 38, "n1": 50}


def test_broken_linear_function():
    function = broken_linear([(10, 1), (90, 9)])
    assert [function(x) for x in (-10, 0, 9, 10, 15, 19, 20, 89, 90, 99, 110)] == [1, 1, 1, 1, 1, 1, 2, 8, 9, 9, 9]


BALANCE_TWO = (cpu_memory("1000m", "2000"), cpu_memory("2000m", "3000"))
CPU_ONLY = ({"cpu": "1000m"}, {"cpu": "2000m"})


@pytest.mark.parametrize(("requests", "nodes", "existing", "expected"), [
    # balanced_allocation_test.go
    (BALANCE_TWO, [(4, 10000), (6, 10000)], (), (68, 75)),
    (BALANCE_TWO, [(10, 20000)] * 2, [(CPU_ONLY, "n0"), (BALANCE_TWO, "n1")], (73, 74)),
    (BALANCE_TWO, [(10, 20000), (10, 50000)], [(CPU_ONLY, "n0"), (BALANCE_TWO, "n1")], (73, 70)),
    (({"memory": "2000"}, {"memory": "3000"}), [(3, 5000)] * 2, [(CPU_ONLY, "n0")], (100, 50)),
    (CPU_ONLY, [(6, 10000)] * 2, [(CPU_ONLY, "n0"), (BALANCE_TWO, "n1")], (62, 62)),
])
def test_balanced_allocation(requests, nodes, existing, expected):
    made = [node(f"n{i}", cpu=cpu, memory=memory) for i, (cpu, memory) in enumerate(nodes)]
    there = [pod(*each, on=on) for each, on in existing]
    assert tuple(scored(lambda listers: NodeResourcesBalancedAllocation(), pod(*requests), made, there).values()) == expected


def test_balanced_allocation_of_extended_resources():
    resources = (ResourceSpec("cpu"), ResourceSpec("memory"), ResourceSpec(GPU))
    nodes = [node("n0", cpu="3500m", memory=40000, gpu=8), node("n1", cpu="3500m", memory=40000, gpu=8)]
    there = [pod(BALANCE_TWO[0], {**BALANCE_TWO[1], GPU: "3"}, on="n0"), pod(*BALANCE_TWO, on="n1")]

    def make(listers):
        return NodeResourcesBalancedAllocation(resources)

    assert scored(make, pod({"cpu": "0", "memory": "0", GPU: "1"}), nodes, there) == {"n0": 75, "n1": 76}
    nodes = [node("n0", cpu="3500m", memory=40000, gpu=8), node("n1", cpu="3500m", memory=40000)]
    assert scored(make, pod(*BALANCE_TWO), nodes) == {"n0": 56, "n1": 56}


def test_balance_says_nothing_of_pods_that_ask_for_nothing():
    assert scored(lambda listers: NodeResourcesBalancedAllocation(), pod(), [node("n0", cpu=4, memory=10000)]) is None


def foo(on, count=1):
    return [pod(on=on, labels={"foo": ""}) for _ in range(count)]


def spreading(max_skew, key, **rest):
    return {"maxSkew": max_skew, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchExpressions": [{"key": "foo", "operator": "Exists"}]}, **rest}


HOST = "kubernetes.io/hostname"


def hosts(names, **zones):
    return [node(n, {HOST: n, **({"zone": zones[n]} if n in zones else {})}) for n in names]


@pytest.mark.parametrize(("constraints", "counts", "candidates", "zones", "expected"), [
    # podtopologyspread/scoring_test.go
    ([spreading(1, HOST)], {"a": 0, "b": 0}, "ab", {}, {"a": 100, "b": 100}),
    ([spreading(1, HOST)], {"a": 2, "b": 1}, "a", {}, {"a": 100}),
    ([spreading(1, HOST)], {"a": 2, "b": 1, "c": 0, "d": 3}, "abcd", {}, {"a": 20, "b": 60, "c": 100, "d": 0}),
    ([spreading(2, HOST)], {"a": 2, "b": 1, "c": 0, "d": 3}, "abcd", {}, {"a": 33, "b": 66, "c": 100, "d": 16}),
    ([spreading(3, HOST)], {"a": 4, "b": 3, "c": 2, "d": 1}, "abcd", {}, {"a": 44, "b": 66, "c": 77, "d": 100}),
    ([spreading(1, HOST)], {"a": 4, "b": 2, "x": 1, "y": 3}, "abx", {}, {"a": 33, "b": 83, "x": 100}),
    ([spreading(1, "zone")], {"a": 4, "b": 2, "x": 1, "y": 3}, "abx", {"a": "1", "b": "1", "x": "2", "y": "2"},
     {"a": 75, "b": 75, "x": 100}),
])
def test_spreading(constraints, counts, candidates, zones, expected):
    nodes = hosts(counts, **zones)
    existing = [p for name, count in counts.items() for p in foo(name, count)]
    incoming = pod(labels={"foo": ""}, topologySpreadConstraints=constraints)
    chosen = [n for n in nodes if n["metadata"]["name"] in candidates]
    assert scored(PodTopologySpread, incoming, nodes, existing, chosen) == expected


def test_spreading_passes_over_nodes_without_the_label():
    nodes = [node("a", {HOST: "a"}), node("b", {"n": "b"}), node("x", {HOST: "x"}), node("y", {HOST: "y"})]
    existing = [*foo("a", 4), *foo("b", 2), *foo("x"), *foo("y", 3)]
    incoming = pod(labels={"foo": ""}, topologySpreadConstraints=[spreading(1, HOST)])
    assert scored(PodTopologySpread, incoming, nodes, existing, nodes[:3]) == {"a": 16, "b": 0, "x": 100}


def test_default_spreading_of_a_services_pods():
    nodes = hosts("abcd")
    existing = [*foo("a", 4), *foo("b", 3), *foo("c", 2), *foo("d")]
    service = {"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": {"foo": ""}}}
    found = scored(PodTopologySpread, pod(labels={"foo": ""}), nodes, existing, stores={"services": {"default/s": service}})
    assert found == {"a": 44, "b": 66, "c": 77, "d": 100}
    assert scored(PodTopologySpread, pod(labels={"foo": ""}), nodes, existing) is None


MB = 1024 * 1024


def images(*sizes):
    return [{"names": [f"gcr.io/{size}:latest", f"gcr.io/{size}:v1"], "sizeBytes": size * MB} for size in sizes]


@pytest.mark.parametrize(("wanted", "nodes", "expected"), [
    # image_locality_test.go
    ((40, 250), [(40, 300, 2000), (250, 10)], (0, 5)),
    ((40, 300), [(40, 300, 2000), (250, 10)], (7, 0)),
    ((10, 4000), [(4000, 30), (250, 10)], (100, 0)),
    ((10, 4000), [(4000, 30), (250, 10), ()], (66, 0, 0)),
    ((300, 600, 900), [(600, 40, 900), (300, 600, 900), ()], (32, 36, 0)),
    ((30, 40), [(20, 30, 40), (4000, 30)], (1, 0)),
])
def test_image_locality(wanted, nodes, expected):
    incoming = pod(containers=[{"name": f"c{size}", "image": f"gcr.io/{size}"} for size in wanted])
    made = [node(f"n{i}", images=images(*sizes)) for i, sizes in enumerate(nodes)]
    assert tuple(scored(lambda listers: ImageLocality(), incoming, made).values()) == expected


def test_image_locality_counts_image_volumes_and_init_containers():
    nodes = [node("n0", images=images(300, 600, 900)), node("n1", images=images(4000, 30))]
    volume = {"name": "v", "image": {"reference": "gcr.io/300"}}
    incoming = pod(containers=[{"name": "c", "image": "gcr.io/30"}], volumes=[volume])
    assert scored(lambda listers: ImageLocality(), incoming, nodes) == {"n0": 12, "n1": 0}
    nodes = [node("n0", images=images(40, 300, 2000)), node("n1", images=images(20, 30, 40))]
    incoming = pod(containers=[{"name": "c", "image": "gcr.io/30"}], initContainers=[{"name": "i", "image": "gcr.io/300"}])
    assert scored(lambda listers: ImageLocality(), incoming, nodes) == {"n0": 6, "n1": 0}


def test_preferred_taints():
    def soft(key):
        return {"key": key, "value": "x", "effect": "PreferNoSchedule"}

    nodes = [node("a"), node("b", taints=[soft("one")]), node("c", taints=[soft("one"), soft("two")])]
    # taint_toleration_test.go: the more intolerable taints a node has, the lower its score
    assert scored(lambda listers: TaintToleration(), pod(), nodes) == {"a": 100, "b": 50, "c": 0}
    tolerant = pod(tolerations=[{"key": "two", "operator": "Exists", "effect": "PreferNoSchedule"}])
    assert scored(lambda listers: TaintToleration(), tolerant, nodes) == {"a": 100, "b": 0, "c": 0}


def affine(kind, weight, labels, **term):
    return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": weight, "podAffinityTerm": {"labelSelector": {"matchLabels": labels}, "topologyKey": "zone", **term}}]}}


def test_company_is_sought_and_shunned():
    nodes = [node("a", {"zone": "1"}), node("b", {"zone": "2"}), node("c", {"zone": "1"})]
    there = [pod(on="a", labels={"app": "db"})]
    near, far = pod(affinity=affine("podAffinity", 5, {"app": "db"})), pod(affinity=affine("podAntiAffinity", 5, {"app": "db"}))
    assert scored(InterPodAffinity, near, nodes, there) == {"a": 100, "b": 0, "c": 100}
    assert scored(InterPodAffinity, far, nodes, there) == {"a": 0, "b": 100, "c": 0}
    # the wishes of those who are there count as well
    shy = [pod(on="a", affinity=affine("podAntiAffinity", 5, {"app": "web"}))]
    assert scored(InterPodAffinity, pod(labels={"app": "web"}), nodes, shy) == {"a": 0, "b": 100, "c": 0}
    assert scored(InterPodAffinity, pod(labels={"app": "x"}), nodes, shy) is None


def test_hard_affinity_of_others_attracts():
    nodes = [node("a", {"zone": "1"}), node("b", {"zone": "2"})]
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "zone"}
    there = [pod(on="a", affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})]
    assert scored(InterPodAffinity, pod(labels={"app": "web"}), nodes, there) == {"a": 100, "b": 0}
    assert scored(lambda listers: InterPodAffinity(listers, hard_weight=0), pod(labels={"app": "web"}), nodes, there) is None


def test_namespaces_of_affinity():
    nodes = [node("a", {"zone": "1"}), node("b", {"zone": "2"})]
    other = pod(on="a", labels={"app": "db"})
    other["metadata"]["namespace"] = "shop"
    namespaces = {"namespaces": {"shop": {"metadata": {"name": "shop", "labels": {"team": "x"}}}}}
    for rest, expected in (
        ({}, None), ({"namespaces": ["shop"]}, {"a": 100, "b": 0}), ({"namespaceSelector": {}}, {"a": 100, "b": 0}),
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, {"a": 100, "b": 0}),
        ({"namespaceSelector": {"matchLabels": {"team": "y"}}}, None),
    ):
        incoming = pod(affinity=affine("podAffinity", 5, {"app": "db"}, **rest))
        assert scored(InterPodAffinity, incoming, nodes, [other], stores=namespaces) == expected
