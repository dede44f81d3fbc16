"""Every decision that a real kube-scheduler 1.36 took in random small clusters: chosen node, scores, messages."""

import json
from pathlib import Path

import pytest

from clusterlab.scheduler.config import default_profile
from clusterlab.scheduler.cycle import schedule
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.registry import Handle
from clusterlab.scheduler.snapshot import Snapshot
from clusterlab.sim import Rng

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
#: Larger variety, each with the namespaces and volumes that its pods refer to.
MORE = sorted((Path(__file__).parent / "golden_more").glob("*.json"))
TALLY = {"placements": 0, "scores": 0, "messages": 0}


@pytest.mark.parametrize("path", [*GOLDEN, *MORE], ids=lambda path: path.stem)
def test_decisions(path):
    case = json.loads(path.read_text())
    namespaces = {one["metadata"]["name"]: one for one in case.get("namespaces", ())}
    snapshot = Snapshot.of(case["nodes"], case["bound"], {"namespaces": namespaces, **case.get("stores", {})})
    profile = default_profile(Handle(snapshot.listers))
    for truth in case["decisions"]:
        pod = PodInfo(truth["pod"])
        decision = schedule(pod, snapshot, profile, Rng(1, "scheduler"))
        where = f"{path.name} {pod.key}"
        if "chosen" not in truth:
            assert (decision.chosen, decision.message) == ("", truth["message"]), where
            TALLY["messages"] += 1
            continue
        compare_scores(decision, truth, where)
        best = max(truth["final"].values(), default=0)
        assert decision.chosen in [node for node, score in truth["final"].items() if score == best] or not truth["final"], where
        if not truth["final"]:
            assert decision.chosen == truth["chosen"], where
        snapshot.add_pod(snapshot.by_name[truth["chosen"]], pod)
        TALLY["placements"] += 1


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
