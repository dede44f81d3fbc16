"""Where pods may go. Outcomes as in the tables of pkg/scheduler/framework/plugins (files named with each)."""

import pytest

from clusterlab.scheduler.config import ConfigurationError, SchedulerConfig, default_profile, profiles
from clusterlab.scheduler.cycle import feasible_nodes_to_find, schedule
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.registry import Handle
from clusterlab.scheduler.resources import pod_resources
from clusterlab.scheduler.snapshot import NodeTree, Snapshot
from clusterlab.sim import Rng
from tests.scheduler.conftest import node, pod

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"


def decide(nodes, existing, incoming, stores=None, config=None):
    snapshot = Snapshot.of(nodes, existing, stores)
    handle = Handle(snapshot.listers)
    profile = profiles(SchedulerConfig.parse(config), handle)["default-scheduler"] if config else default_profile(handle)
    return schedule(PodInfo(incoming), snapshot, profile, Rng(1, "x"))


def fits(*args, **rest):
    decision = decide(*args, **rest)
    return decision.chosen or {why for _, why in decision.filtered.values()}


@pytest.mark.parametrize(("requests", "init", "overhead", "expected"), [
    # fit_test.go: containers add up, the largest init container counts, sidecars add to both
    ([("1", "1Gi"), ("2", "1Gi")], [], None, (3000, 2 << 30)),
    ([("1", "1Gi")], [("2", "3Gi", None), ("1", "1Gi", None)], None, (2000, 3 << 30)),
    ([("1", "1Gi")], [("1", "1Gi", "Always"), ("2", "1Gi", None)], None, (3000, 2 << 30)),
    ([("1", "1Gi")], [], {"cpu": "250m", "memory": "64Mi"}, (1250, (1 << 30) + (64 << 20))),
    ([("100m", "1M")], [], None, (100, 1_000_000)),
    ([("0.5", "1.5Ki")], [], None, (500, 1536)),
])
def test_what_a_pod_asks_for(requests, init, overhead, expected):
    def container(cpu, memory, policy=None):
        made = {"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
        return {**made, "restartPolicy": policy} if policy else made

    spec = {"containers": [container(*r) for r in requests], "initContainers": [container(*i) for i in init]}
    found = pod_resources({"metadata": {"name": "p"}, "spec": {**spec, **({"overhead": overhead} if overhead else {})}})
    assert (found.cpu, found.memory) == expected


def test_pod_level_requests_count_instead_of_the_containers():
    spec = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}], "resources": {"requests": {"cpu": "3"}}}
    found = pod_resources({"metadata": {"name": "p"}, "spec": spec})
    assert (found.cpu, found.non0_cpu, found.non0_memory) == (3000, 3000, 200 << 20)


def test_too_many_pods_and_too_little_of_everything():
    there = [pod(f"e{i}", cpu="500m", memory="1Gi", nodeName="n") for i in range(2)]
    incoming = pod("p", cpu="5", memory="10Gi")
    assert fits([node("n", cpu="4", memory="8Gi", pods="2")], there, incoming) == {"Too many pods, Insufficient cpu, Insufficient memory"}


def test_extended_resources():
    incoming = pod("p")
    incoming["spec"]["containers"][0]["resources"] = {"requests": {"example.com/gpu": "1"}}
    plain = node("n")
    assert fits([plain], [], incoming) == {"Insufficient example.com/gpu"}
    ignoring = {"profiles": [{"pluginConfig": [{"name": "NodeResourcesFit", "args": {"ignoredResourceGroups": ["example.com"]}}]}]}
    assert fits([plain], [], incoming, config=ignoring) == "n"


@pytest.mark.parametrize(("tolerations", "expected"), [
    # taint_toleration_test.go
    ([], {"node(s) had untolerated taint(s)"}),
    ([{"key": "dedicated", "operator": "Equal", "value": "a", "effect": "NoSchedule"}], "n"),
    ([{"key": "dedicated", "operator": "Equal", "value": "b", "effect": "NoSchedule"}], {"node(s) had untolerated taint(s)"}),
    ([{"key": "dedicated", "operator": "Exists"}], "n"),
    ([{"operator": "Exists"}], "n"),
    ([{"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}], {"node(s) had untolerated taint(s)"}),
])
def test_taints(tolerations, expected):
    tainted = node("n", taints=[{"key": "dedicated", "value": "a", "effect": "NoSchedule"}])
    assert fits([tainted], [], pod("p", tolerations=tolerations)) == expected


@pytest.mark.parametrize(("expression", "matches"), [
    # node_affinity_test.go
    (("disk", "In", ["ssd", "nvme"]), True), (("disk", "NotIn", ["ssd"]), False), (("gpu", "NotIn", ["x"]), True),
    (("disk", "Exists", []), True), (("gpu", "Exists", []), False), (("gpu", "DoesNotExist", []), True),
    (("rank", "Gt", ["4"]), True), (("rank", "Lt", ["4"]), False), (("disk", "Gt", ["4"]), False), (("rank", "Gt", ["5"]), False),
])
def test_node_affinity(expression, matches):
    key, operator, values = expression
    terms = [{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    found = fits([node("n", labels={"disk": "ssd", "rank": "5"})], [], pod("p", affinity=affinity))
    assert found == ("n" if matches else {"node(s) didn't match Pod's node affinity/selector"})


def test_affinity_to_a_node_by_name():
    def to(*names):
        terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]} for name in names]
        return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}

    nodes = [node("a"), node("b", cpu="1")]
    assert decide(nodes, [], pod("p", affinity=to("b"))).chosen == "b"
    assert decide(nodes, [], pod("p", cpu="2", affinity=to("b"))).message.startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]. ")


def test_added_affinity():
    required = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]}
    args = {"addedAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    config = {"profiles": [{"pluginConfig": [{"name": "NodeAffinity", "args": args}]}]}
    assert fits([node("n")], [], pod("p"), config=config) == {"node(s) didn't match scheduler-enforced node affinity"}


@pytest.mark.parametrize(("mine", "theirs", "conflict"), [
    # node_ports_test.go
    (("", 80), ("", 80), True), (("", 80), ("", 81), False), (("10.0.0.1", 80), ("10.0.0.2", 80), False),
    (("10.0.0.1", 80), ("0.0.0.0", 80), True), (("0.0.0.0", 80), ("10.0.0.1", 80), True),
])
def test_host_ports(mine, theirs, conflict):
    def listening(name, ip, port, **rest):
        made = pod(name, **rest)
        made["spec"]["containers"][0]["ports"] = [{"hostPort": port, "hostIP": ip, "protocol": "TCP"}]
        return made

    found = fits([node("n")], [listening("e", *theirs, nodeName="n")], listening("p", *mine))
    assert found == ({"node(s) didn't have free ports for the requested pod ports"} if conflict else "n")


def required(kind, key=HOST, labels=None, **rest):
    term = {"labelSelector": {"matchLabels": labels or {"app": "web"}}, "topologyKey": key, **rest}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_inter_pod_affinity():
    # interpodaffinity/filtering_test.go
    nodes = [node("a", labels={ZONE: "1"}), node("b", labels={ZONE: "1"}), node("c", labels={ZONE: "2"})]
    web = pod("e", labels={"app": "web"}, nodeName="a")
    near = decide(nodes, [web], pod("p", affinity=required("podAffinity", ZONE)))
    assert near.filtered == {"c": ("InterPodAffinity", "node(s) didn't match pod affinity rules")}
    far = decide(nodes, [web], pod("p", affinity=required("podAntiAffinity", ZONE)))
    assert (far.chosen, set(far.filtered)) == ("c", {"a", "b"})
    lonely = {**web, "spec": {**web["spec"], "affinity": required("podAntiAffinity", HOST, {"app": "x"})}}
    kept_away = decide(nodes, [lonely], pod("p", labels={"app": "x"}))
    assert kept_away.filtered == {"a": ("InterPodAffinity", "node(s) didn't satisfy existing pods anti-affinity rules")}


def test_the_first_of_a_group_that_wants_to_be_together():
    wish = required("podAffinity", ZONE)
    assert decide([node("a", labels={ZONE: "1"})], [], pod("p", labels={"app": "web"}, affinity=wish)).chosen == "a"
    assert not decide([node("a", labels={ZONE: "1"})], [], pod("p", labels={"app": "db"}, affinity=wish)).chosen
    assert not decide([node("a")], [], pod("p", labels={"app": "web"}, affinity=wish)).chosen


def spread(key=ZONE, skew=1, **rest):
    return [{"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
             "labelSelector": {"matchLabels": {"app": "web"}}, **rest}]


def webs(*on, **labels):
    return [pod(f"e{i}", labels={"app": "web", **labels}, nodeName=name) for i, name in enumerate(on)]


def zoned(**zones):
    return [node(name, labels={ZONE: zone}) for name, zone in zones.items()]


def test_hard_spreading():
    # podtopologyspread/filtering_test.go
    nodes = zoned(a="1", b="1", c="2")
    incoming = pod("p", labels={"app": "web"}, topologySpreadConstraints=spread())
    assert set(decide(nodes, webs("a", "b", "c"), incoming).filtered) == {"a", "b"}
    decision = decide([*nodes, node("d")], webs("c"), incoming)
    assert decision.filtered == {
        "c": ("PodTopologySpread", "node(s) didn't match pod topology spread constraints"),
        "d": ("PodTopologySpread", "node(s) didn't match pod topology spread constraints (missing required label)"),
    }
    terminating = webs("c")
    terminating[0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not decide(nodes, terminating, incoming).filtered


def test_spreading_over_at_least_so_many_domains():
    nodes = zoned(a="1", b="2")
    incoming = pod("p", labels={"app": "web"}, topologySpreadConstraints=spread(minDomains=3))
    assert decide(nodes, webs("a", "b"), incoming).chosen == ""
    assert decide(nodes, webs("a"), incoming).chosen == "b"


def test_spreading_counts_only_what_the_pod_could_use():
    nodes = [node("a", labels={ZONE: "1"}), node("b", labels={ZONE: "2", "disk": "hdd"}),
             node("c", labels={ZONE: "3"}, taints=[{"key": "k", "value": "", "effect": "NoSchedule"}])]

    def place(policies, on=("a",), **rest):
        return decide(nodes, webs(*on), pod("p", labels={"app": "web"}, topologySpreadConstraints=spread(**policies), **rest)).chosen

    # zone 3 is empty and out of reach: it counts unless its taint is honoured
    assert place({}, on=("a", "b")) == ""
    assert place({"nodeTaintsPolicy": "Honor"}, on=("a", "b")) in ("a", "b")


def test_spreading_within_a_revision():
    nodes = zoned(a="1", b="2")
    incoming = pod("p", labels={"app": "web", "rev": "2"}, topologySpreadConstraints=spread(matchLabelKeys=["rev"]))
    assert not decide(nodes, webs("a", "a", rev="1"), incoming).filtered
    assert set(decide(nodes, webs("a", rev="2"), incoming).filtered) == {"a"}


@pytest.mark.parametrize(("percentage", "nodes", "expected"), [
    # schedule_one_test.go, TestNumFeasibleNodesToFind
    (0, 10, 10), (40, 10, 10), (0, 1000, 420), (40, 1000, 400), (0, 6000, 300), (40, 6000, 2400), (1, 1000, 100),
])
def test_how_many_nodes_are_enough(percentage, nodes, expected):
    assert feasible_nodes_to_find(percentage, nodes) == expected


def test_big_clusters_are_searched_in_turn():
    snapshot = Snapshot.of([node(f"n{i:03}") for i in range(150)])
    profile = default_profile(Handle(snapshot.listers))
    first = schedule(PodInfo(pod("p")), snapshot, profile, Rng(1, "x"), percentage=70)
    assert (first.feasible, first.next_start) == (105, 105)
    second = schedule(PodInfo(pod("p")), snapshot, profile, Rng(1, "x"), percentage=70, start=first.next_start)
    assert second.scored_nodes[:2] == ["n105", "n106"]
    assert second.next_start == 60


def test_nodes_are_taken_zone_by_zone():
    # node_tree_test.go
    tree = NodeTree()
    for name, zone in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c"), ("c2", "c")):
        tree.add(node(name, labels={ZONE: zone}))
    assert tree.list() == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_plugins_can_be_turned_off_and_weighed():
    config = {"profiles": [{"plugins": {
        "score": {"disabled": [{"name": "ImageLocality"}], "enabled": [{"name": "NodeResourcesFit", "weight": 5}]},
        "multiPoint": {"disabled": [{"name": "InterPodAffinity"}]},
    }}]}
    profile = profiles(SchedulerConfig.parse(config), Handle())["default-scheduler"]
    weights = {scored.plugin.name: scored.weight for scored in profile.score}
    assert weights == {"NodeResourcesFit": 5, "TaintToleration": 3, "NodeAffinity": 2, "PodTopologySpread": 2, "DynamicResources": 2,
                       "NodeResourcesBalancedAllocation": 1}
    assert "InterPodAffinity" not in profile.plugins
    only = {"profiles": [{"plugins": {"filter": {"disabled": [{"name": "*"}]}}}]}
    assert profiles(SchedulerConfig.parse(only), Handle())["default-scheduler"].filter == []


@pytest.mark.parametrize("config", [
    {"kind": "Nonsense"}, {"profiles": [{}, {}]}, {"profiles": [{"schedulerName": "a"}, {"schedulerName": "a"}]},
    {"percentageOfNodesToScore": 101}, {"podInitialBackoffSeconds": 5, "podMaxBackoffSeconds": 1},
])
def test_broken_configurations(config):
    with pytest.raises(ConfigurationError):
        SchedulerConfig.parse(config)


def test_unknown_plugins():
    with pytest.raises(ConfigurationError, match='plugin "Nope" does not exist'):
        profiles(SchedulerConfig.parse({"profiles": [{"plugins": {"filter": {"enabled": [{"name": "Nope"}]}}}]}), Handle())
