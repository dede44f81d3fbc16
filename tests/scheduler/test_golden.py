"""Every decision that a real kube-scheduler 1.36 took in random small clusters: chosen node, scores, messages."""

import json
from pathlib import Path

import pytest

from clusterlab.scheduler.config import SchedulerConfig, profiles
from clusterlab.scheduler.cycle import schedule
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.registry import Handle
from clusterlab.scheduler.snapshot import Snapshot
from clusterlab.sim import Rng

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
#: Larger variety, each with the namespaces, Services, volumes and budgets that its pods meet, and the scheduler's configuration.
MORE = sorted((Path(__file__).parent / "golden_more").glob("*.json"))
TALLY = {"placements": 0, "scores": 0, "messages": 0, "evictions": 0}
NOW = "2026-06-01T00:00:00Z"


@pytest.mark.parametrize("path", [*GOLDEN, *MORE], ids=lambda path: path.stem)
def test_decisions(path):
    case = json.loads(path.read_text())
    namespaces = {one["metadata"]["name"]: one for one in case.get("namespaces", ())}
    snapshot = Snapshot.of(case["nodes"], (), {"namespaces": namespaces, **case.get("stores", {})})
    for bound in case["bound"]:
        snapshot.add_pod(snapshot.by_name[bound["spec"]["nodeName"]], PodInfo(bound, resized=True))
    known = profiles(SchedulerConfig.parse(case.get("config")), Handle(snapshot.listers))
    for truth in case["decisions"]:
        pod, profile = PodInfo(truth["pod"]), known[truth["pod"]["spec"].get("schedulerName") or "default-scheduler"]
        decision = schedule(pod, snapshot, profile, Rng(1, "scheduler"), now=lambda: NOW)
        where = f"{path.name} {pod.key}"
        if "chosen" not in truth:
            assert (decision.chosen, decision.message) == ("", truth["message"]), where
            TALLY["messages"] += 1
            if "nominated" in truth:
                compare_preemption(decision, truth, snapshot, profile, where)
            continue
        compare_scores(decision, truth, where)
        best = max(truth["final"].values(), default=0)
        assert decision.chosen in [node for node, score in truth["final"].items() if score == best] or not truth["final"], where
        if not truth["final"]:
            assert decision.chosen == truth["chosen"], where
        snapshot.add_pod(snapshot.by_name[truth["chosen"]], pod)
        TALLY["placements"] += 1


def compare_preemption(decision, truth, snapshot, profile, where):
    """Who is evicted, and where the pod goes once they are gone."""
    victims = [f"{victim['metadata']['namespace']}/{victim['metadata']['name']}" for victim in decision.victims]
    assert (decision.nominated or "", sorted(victims)) == (truth["nominated"], sorted(truth["victims"])), where
    if not victims:
        return
    node = snapshot.by_name[decision.nominated]
    for victim in victims:
        snapshot.remove_pod(node, victim)
    pod = PodInfo({**truth["pod"], "status": {"nominatedNodeName": node.name}})
    again = schedule(pod, snapshot, profile, Rng(1, "scheduler"), nominated={node.name: [pod]})
    assert again.chosen == truth["then"], where
    snapshot.add_pod(snapshot.by_name[again.chosen], pod)
    TALLY["evictions"] += len(victims)


def compare_scores(decision, truth, where):
    assert decision.final == truth["final"], where
    scores = decision.scores
    for node, expected in truth["scores"].items():
        for plugin in {*expected, *scores[node]}:
            assert scores[node].get(plugin, 0) == expected.get(plugin, 0), f"{where} {node} {plugin}"
            TALLY["scores"] += 1


def test_all_were_compared(capsys):
    if not TALLY["placements"]:
        pytest.skip("run together with the decisions")
    with capsys.disabled():
        print("\nscheduling parity:", ", ".join(f"{count} {what} alike" for what, count in TALLY.items()))
