"""Preemption. Outcomes as in default_preemption_test.go and preemption_test.go."""

import pytest

from clusterlab.scheduler.config import default_profile
from clusterlab.scheduler.cycle import schedule
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.registry import Handle
from clusterlab.scheduler.snapshot import Snapshot
from clusterlab.sim import Rng
from tests.scheduler.conftest import node, pod

NOW = "2026-01-01T01:00:00Z"


def there(name, on, cpu="1", priority=0, start="2026-01-01T00:00:00Z", **rest):
    made = pod(name, cpu=cpu, priority=priority, nodeName=on, **rest)
    return {**made, "status": {"startTime": start}}


def preempt(nodes, pods, incoming, stores=None, nominated=None):
    snapshot = Snapshot.of(nodes, pods, stores)
    return schedule(PodInfo(incoming), snapshot, default_profile(Handle(snapshot.listers)), Rng(1, "x"), now=lambda: NOW,
                    nominated=nominated or {})


def names(decision):
    return {victim["metadata"]["name"] for victim in decision.victims}


def test_the_fewest_and_least_important_go():
    pods = [there("low", "node-1", priority=1), there("lower", "node-1", priority=0), there("mid", "node-1", priority=5)]
    decision = preempt([node("node-1", cpu="3")], pods, pod("new", cpu="1", priority=10))
    assert (decision.nominated, names(decision)) == ("node-1", {"lower"})
    assert decision.message == "0/1 nodes are available: 1 Insufficient cpu."


def test_pods_of_the_same_priority_stay():
    decision = preempt([node("node-1", cpu="1")], [there("same", "node-1", priority=10)], pod("new", cpu="1", priority=10))
    assert not decision.victims
    assert decision.message.endswith("0/1 nodes are available: 1 No preemption victims found for incoming pod.")


def test_a_pod_that_does_not_preempt():
    incoming = pod("new", cpu="1", priority=10, preemptionPolicy="Never")
    decision = preempt([node("node-1", cpu="1")], [there("low", "node-1")], incoming)
    assert decision.message == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to "
        "preemptionPolicy=Never."
    )


def test_not_enough_even_so():
    decision = preempt([node("node-1", cpu="2")], [there("low", "node-1"), there("high", "node-1", priority=20)],
                       pod("new", cpu="2", priority=10))
    assert decision.message.endswith("preemption: 0/1 nodes are available: 1 Insufficient cpu.")


@pytest.mark.parametrize(("pods", "chosen"), [
    ([there("a", "node-1", "2", 5), there("b", "node-2", "2", 1)], "node-2"),  # lowest highest priority
    ([there("a1", "node-1", "1", 5), there("a2", "node-1", "1", 5), there("b1", "node-2", "1", 5), there("b2", "node-2", "1", 3)],
     "node-2"),  # lowest sum of priorities
    ([there("a1", "node-1", "1", 5), there("a2", "node-1", "1", 0), there("b", "node-2", "2", 5)], "node-2"),  # fewest pods
    ([there("a", "node-1", "2", 5), there("b", "node-2", "2", 5, start="2026-01-01T00:30:00Z")], "node-2"),  # latest start
])
def test_the_node_where_it_does_the_least_harm(pods, chosen):
    decision = preempt([node("node-1", cpu="2"), node("node-2", cpu="2")], pods, pod("new", cpu="2", priority=10))
    assert decision.nominated == chosen


def test_disruption_budgets_are_spared_where_possible():
    budget = {"metadata": {"name": "b", "namespace": "default"}, "spec": {"selector": {"matchLabels": {"app": "safe"}}},
              "status": {"disruptionsAllowed": 0}}
    pods = [there("safe", "node-1", priority=0, labels={"app": "safe"}), there("other", "node-1", priority=5, labels={"app": "x"})]
    decision = preempt([node("node-1", cpu="2")], pods, pod("new", cpu="1", priority=10),
                       {"poddisruptionbudgets": {"default/b": budget}})
    assert names(decision) == {"other"}
    pods = [there("safe", "node-1", labels={"app": "safe"}), there("other", "node-2", priority=5, labels={"app": "x"})]
    decision = preempt([node("node-1", cpu="1"), node("node-2", cpu="1")], pods, pod("new", cpu="1", priority=10),
                       {"poddisruptionbudgets": {"default/b": budget}})
    assert decision.nominated == "node-2"


def test_anti_affinity_can_be_resolved():
    away = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "noisy"}}, "topologyKey": "kubernetes.io/hostname"}]}}
    pods = [there("noisy", "node-1", labels={"app": "noisy"}), there("quiet", "node-1", labels={"app": "quiet"})]
    decision = preempt([node("node-1")], pods, pod("new", cpu="1", priority=10, affinity=away))
    assert names(decision) == {"noisy"}


def test_spreading_can_be_restored():
    spread = [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
               "labelSelector": {"matchLabels": {"app": "web"}}}]
    pods = [there("web-1", "node-1", "100m", labels={"app": "web"}), there("big", "node-2", "4", priority=20)]
    decision = preempt([node("node-1"), node("node-2")], pods,
                       pod("new", cpu="1", priority=10, labels={"app": "web"}, topologySpreadConstraints=spread))
    assert (decision.nominated, names(decision)) == ("node-1", {"web-1"})


def test_room_kept_for_a_nominated_pod_is_not_taken():
    waiting = PodInfo(pod("waiting", cpu="2", priority=10))
    decision = preempt([node("node-1", cpu="2")], [], pod("new", cpu="1", priority=5), nominated={"node-1": [waiting]})
    assert decision.message.startswith("0/1 nodes are available: 1 Insufficient cpu.")
    decision = preempt([node("node-1", cpu="2")], [], pod("new", cpu="1", priority=11), nominated={"node-1": [waiting]})
    assert decision.chosen == "node-1"


def test_victims_are_evicted_and_the_pod_takes_their_place(bench):
    bench.nodes(node("node-1", cpu="2"))
    bench.create(pod("low", cpu="2", priority=1))
    bench.run()
    bench.create(pod("high", cpu="2", priority=100))
    bench.run()
    low = bench.api.get("pods", "default/low")
    high = bench.api.get("pods", "default/high")
    assert low["metadata"]["deletionTimestamp"]
    condition = next(c for c in low["status"]["conditions"] if c["type"] == "DisruptionTarget")
    assert (condition["reason"], condition["message"]) == (
        "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod")
    assert bench.told("Preempted") == [f"Preempted by pod {high['metadata']['uid']} on node node-1"]
    assert high["status"]["nominatedNodeName"] == "node-1"
    assert bench.told("FailedScheduling") == ["0/1 nodes are available: 1 Insufficient cpu."]
    told = bench.part.decision_of("default/high")
    assert told["preemption"] == {"node": "node-1", "victims": ["default/low"]}
    # While its victim ends, nobody of less importance may have the room.
    bench.create(pod("late", cpu="1", priority=50))
    bench.run()
    bench.api.remove("pods", "default/low")
    bench.run()
    assert (bench.where("high"), bench.where("late")) == ("node-1", "")


def test_of_equals_the_one_made_last_goes():
    pods = [there(name, "node-1", priority=1) for name in ("b", "c", "a")]
    stores = {"pods": {f"default/{one['metadata']['name']}": one for one in pods}}
    assert names(preempt([node("node-1", cpu="3")], pods, pod("new", cpu="1", priority=10), stores)) == {"a"}
