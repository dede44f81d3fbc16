"""Sessions of our own, in the format of the recorded ones: what kubectl must print, judged against Kubernetes' source.

`own/golden/NAME.txt` holds each command, its answer (normalised as recorded answers are) and its exit status if that is not 0;
`pytest --update-golden` rewrites it: review the difference line by line.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.parity.transcripts import normalise
from tests.server import KUBECTL, Server, ServerLab

HERE = Path(__file__).parent / "own"
BLANK = {"apiVersion": "clusterlab/v1", "kind": "Scenario", "controlPlaneNode": False, "nodes": 3}


def play(path: Path, lab: ServerLab, folder: Path) -> str:
    """The session as text."""
    session = yaml.safe_load(path.read_text())
    for name, text in (session.get("files") or {}).items():
        (folder / name).write_text(text)
    told: list[str] = []
    for step in session["steps"]:
        if step.get("settle"):
            lab.settle()
            continue
        command = [str(KUBECTL), "--kubeconfig", str(lab.kubeconfig), *shlex.split(step["run"])]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, input=step.get("stdin", ""), timeout=60, check=False)
        told.append(f"$ {step['run']}" + (f"  # exit {done.returncode}" if done.returncode else ""))
        told += [text for text in (normalise(done.stdout),) if text]
        told += ["! " + line for line in normalise(done.stderr).splitlines()]
    return "\n".join(told) + "\n"


@pytest.mark.parametrize("path", sorted(HERE.glob("*.yaml")), ids=lambda path: path.stem)
def test_session(path: Path, server: Server, tmp_path: Path, update_golden: bool) -> None:
    golden = HERE / "golden" / f"{path.stem}.txt"
    seen = play(path, server.lab(scenario=BLANK), tmp_path)
    if update_golden:
        golden.write_text(seen)
    assert seen == golden.read_text()
