"""Parity: what kubectl prints against a lab, compared with what it printed against Kubernetes v1.36.

Differences that are accepted stand in accepted.yaml, each with its reason. The figures are printed at the end of the run.
"""

from __future__ import annotations

import difflib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parity import transcripts
from tests.server import KUBECTL, Server

HERE = Path(__file__).parent
SCENARIOS = sorted((HERE / "scenarios").glob("*.yaml"))
BLANK = {"apiVersion": "clusterlab/v1", "kind": "Scenario", "controlPlaneNode": False, "nodes": 3}
ACCEPTED: dict[str, dict[str, str]] = yaml.safe_load((HERE / "accepted.yaml").read_text()) or {}
AT_LEAST = 0.95
subprocess_run = subprocess.run


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Unified differences of the normalised answers; empty when they are alike."""
    report = [] if ours["exit"] == theirs["exit"] else [f"exit {theirs['exit']} expected, {ours['exit']} seen"]
    for stream in ("stdout", "stderr"):
        want, have = transcripts.normalise(theirs[stream]), transcripts.normalise(ours[stream])
        if want != have:
            report += difflib.unified_diff(want.splitlines(), have.splitlines(), f"kubernetes {stream}", f"lab {stream}", lineterm="", n=1)
    return report


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_transcript(scenario: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    alike, counted, failures = play(scenario, server, monkeypatch)
    if failures:  # commands race with controllers on the wall clock, here as in Kubernetes: a difference counts if it comes twice
        alike, counted, failures = play(scenario, server, monkeypatch)
    print(f"{scenario.stem}: {alike} of {counted} commands alike")
    assert not failures, f"{scenario.stem}: {alike} of {counted} commands alike\n" + "\n".join(failures)
    assert alike >= AT_LEAST * counted or len(ACCEPTED.get(scenario.stem, {})) == counted - alike


def play(scenario: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, list[str]]:
    """Plays a scenario on a fresh lab: (commands alike, commands counted, differences that are not accepted)."""
    lab = server.lab(scenario=BLANK)
    monkeypatch.setattr(transcripts.subprocess, "run", _settling(subprocess_run, lab))
    recorded = json.loads((HERE / "transcripts" / f"{scenario.stem}.json").read_text())
    accepted = ACCEPTED.get(scenario.stem, {})
    alike, counted, failures = 0, 0, []
    played = transcripts.play(scenario, [str(KUBECTL), "--kubeconfig", str(lab.kubeconfig)], "settle")
    for (run, ours), theirs in zip(played, recorded, strict=True):
        if theirs.get("unstable"):
            continue
        counted += 1
        report = differences(ours, theirs)
        if not report:
            alike += 1
        elif run not in accepted:
            failures.append(f"kubectl {run}\n    " + "\n    ".join(report))
    return alike, counted, failures


def _settling(run: Any, lab: Any) -> Any:
    """`subprocess.run`, but the settle command asks the lab."""

    def patched(command: Any, *args: Any, **options: Any) -> Any:
        if command == "settle":
            lab.settle()
            return None
        return run(command, *args, **options)

    return patched
