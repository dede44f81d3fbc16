"""Schemathesis over the lab's own OpenAPI: whatever it makes of the documents, no answer is a fault of the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import Server

ST = Path(sys.executable).parent / "st"
#: One case of each operation; the command's own way to more is to raise --max-examples and to name other groups.
OPTIONS = [
    "--checks", "not_a_server_error", "--phases", "fuzzing", "--max-examples", "1", "--generation-database", "none", "--seed", "1",
    "--suppress-health-check", "all", "--request-timeout", "20",
]


@pytest.mark.parametrize("group", ["apis/apps/v1"])
def test_no_generated_request_makes_the_server_fail(group: str, server: Server, tmp_path: Path) -> None:
    lab = server.lab(nodes=1)
    log = server.folder / "server.log"
    before = log.stat().st_size  # other tests share the server
    command = [str(ST), "run", f"{lab.kube}/openapi/v3/{group}", "--url", lab.kube, *OPTIONS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
    assert b"Traceback" not in log.read_bytes()[before:]
