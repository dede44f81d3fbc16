"""What only CI has: the recordings and the real manifests beside the project. Our copies are the recordings; the manifests run."""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("CLUSTERLAB_SHARED", ROOT.parent / "shared"))
GOLDEN, MANIFESTS = SHARED / "golden", SHARED / "manifests"
COPIES = {
    "scenarios/*.yaml": "tests/parity/scenarios", "transcripts/*.json": "tests/parity/transcripts", "transcripts.py": "tests/parity",
    "scheduling/*.json": "tests/scheduler/golden", "hpa.json": "tests/controllers/golden", "node-loss.json": "tests/model/golden",
}
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="there is no folder `shared` beside the project")


@pytest.mark.parametrize("pattern, folder", COPIES.items())
def test_copies_are_the_recordings(pattern: str, folder: str) -> None:
    found = sorted(GOLDEN.glob(pattern))
    assert found
    for path in found:
        assert filecmp.cmp(path, ROOT / folder / path.name, shallow=False), f"{folder}/{path.name} is not what was recorded"


@pytest.mark.parametrize("folder", [path.name for path in sorted(MANIFESTS.iterdir()) if path.is_dir()] if MANIFESTS.is_dir() else [])
def test_real_manifests_come_up(folder: str) -> None:
    command = [sys.executable, "manage.py", "simulate", str(MANIFESTS / folder), "--nodes", "3", "--until", "5m", "-o", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)["items"]
    pods = [each for each in items if each["kind"] == "Pod" and each["metadata"]["namespace"] == "default"]
    assert pods
    for pod in pods:
        ready = [each["status"] for each in pod["status"].get("conditions", []) if each["type"] == "Ready"]
        assert ready == ["True"], f"{pod['metadata']['name']} is not ready: {pod['status'].get('containerStatuses')}"
