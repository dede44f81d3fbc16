"""The comparison: the same for the same seed, and the strategies that look first cost less."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clusterlab.comparison import STRATEGIES, Outcome, compare
from tests.server import ROOT, Server
from tests.waiting import LONG_S
from tests.web.people import Person


def run(names: list[str], seed: int = 5) -> dict[str, Outcome]:
    return {name: outcome for name, _, outcome in compare(names, seed) if outcome is not None}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    print("seed 5")
    return run(["rolling", "canary-weights", "rollout-canary", "shadow"])


def test_who_looks_first_pays_less(outcomes: dict[str, Outcome]) -> None:
    rolling, weights, rollout, shadow = (outcomes[name] for name in ("rolling", "canary-weights", "rollout-canary", "shadow"))
    assert rolling.failed > 3 * weights.failed > 3 * rollout.failed > shadow.failed == 0
    # At most its share of the requests up to the end failed: a tenth of the traffic, of which one in five fails.
    assert rollout.failed <= 0.1 * 0.2 * 60 * rollout.recovered_s + 5 and rollout.decided_by == "the analysis"
    assert all(each.sent == 60 * 300 for each in outcomes.values())
    assert all(0 <= each.recovered_s < 120 for each in outcomes.values())
    assert all(sum(each.failed_each_5s) == each.failed for each in outcomes.values())


def test_the_same_seed_gives_the_same_outcome(outcomes: dict[str, Outcome]) -> None:
    assert run(["rollout-canary"])["rollout-canary"] == outcomes["rollout-canary"]


def test_the_command_tells_how_far_it_is() -> None:
    command = [sys.executable, "manage.py", "compare", "--strategies", "recreate", "--seed", "5", "-o", "lines"]
    lines = [json.loads(line) for line in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()]
    assert [line["share"] for line in lines] == sorted(line["share"] for line in lines) and len(lines) > 5
    outcome = lines[-1]["outcome"]
    assert outcome["failed"] > 0 and outcome["double_minutes"] == 0  # Recreate never has two versions
    refused = subprocess.run([*command[:4], "moon"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert refused.returncode == 1 and "there is no strategy 'moon'" in refused.stderr


def test_the_api_refuses_what_it_cannot_run(server: Server) -> None:
    assert server.call("GET", "/api/comparisons/77")[0] == 404
    assert server.call("POST", "/api/comparisons", {"seed": 3})[0] == 403  # without the page's token
    assert len(STRATEGIES) == 9


def test_a_comparison_goes_on_after_the_request_that_began_it(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        person = Person(server)
        assert person.call("POST", "/api/comparisons", {"seed": 3}).status_code == 202
        until = time.monotonic() + LONG_S
        while not (found := person.get("/api/comparisons/3").json())["doing"]:
            assert not found["problem"] and time.monotonic() < until, found
            time.sleep(0.1)
    finally:
        server.stop()
