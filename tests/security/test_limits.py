"""Limits: each is met with a clear message, and what was there before stays."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.test_hostile_requests import ask
from tests.server import ROOT, Server


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits."""
    limits = {"MAX_COMMANDS_PER_LAB": "30", "MAX_STEPS_PER_LAB": "400", "MAX_NODES_PER_LAB": "5", "MISSES_PER_MINUTE": "40",
              "MAX_WATCHES_PER_LAB": "3", "MAX_LABS_PER_VISITOR": "2", "MAX_LOG_BYTES_PER_LAB": "400000"}
    env = {f"CLUSTERLAB_{name}": value for name, value in limits.items()}
    running = Server(tmp_path_factory.mktemp("narrow"), **env).start()
    yield running
    running.stop()


def test_nodes(narrow: Server) -> None:
    status, answer = narrow.call("POST", "/api/labs", {"nodes": 6})
    assert status == 400 and "at most 5" in answer["error"]["message"] and answer["error"]["field"] == "scenario.nodes"


def test_commands(narrow: Server) -> None:
    lab = narrow.lab(nodes=1, paused=True)
    path = f"/kube/{lab.key}/api/v1/namespaces/default/configmaps"
    codes = []
    for number in range(35):
        status, answer = ask(narrow, "POST", path, {"metadata": {"name": f"c{number}"}})
        codes.append(status)
    assert codes == [201] * 30 + [429] * 5
    assert answer["reason"] == "TooManyRequests" and "30 commands" in answer["message"]
    assert lab.call("POST", "/seek", {"seq": 0})["seq"] == 0  # reset makes room
    assert ask(narrow, "POST", path, {"metadata": {"name": "again"}})[0] == 201


def test_bytes_of_commands(narrow: Server) -> None:
    lab = narrow.lab(nodes=1, paused=True)
    path = f"/kube/{lab.key}/api/v1/namespaces/default/configmaps"
    codes = [ask(narrow, "POST", path, {"metadata": {"name": f"c{i}"}, "data": {"a": "x" * 100_000}})[0] for i in range(6)]
    assert codes == [201] * 3 + [429] * 3


def test_steps(narrow: Server) -> None:
    lab = narrow.lab(nodes=1, paused=True)
    status, answer = narrow.call("POST", f"/api/labs/{lab.id}/run", {"until": {"time": 10**9}}, lab.key)
    assert status == 429 and answer["error"]["code"] == "TooManySteps" and "400 steps" in answer["error"]["message"]
    assert lab.call("POST", "/seek", {"seq": 10})["seq"] == 10
    assert lab.call("POST", "/run", {"until": {"seq": 20}})["seq"] >= 20


def test_watches(narrow: Server) -> None:
    lab = narrow.lab(nodes=1)
    url = f"{lab.kube}/api/v1/pods?watch=1"
    held = [urllib.request.urlopen(url, timeout=20) for _ in range(3)]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=20)
    assert refused.value.code == 429
    for answer in held:
        answer.close()


def test_labs_of_a_visitor(narrow: Server) -> None:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    codes = []
    for _ in range(3):
        try:
            codes.append(opener.open(urllib.request.Request(narrow.url + "/api/labs", b"{}", method="POST"), timeout=30).status)
        except urllib.error.HTTPError as error:
            codes.append(error.code)
    assert codes == [201, 201, 429]


def test_guessing_keys_ends_soon(tmp_path: Path) -> None:
    server = Server(tmp_path, CLUSTERLAB_MISSES_PER_MINUTE="20").start()
    try:
        lab = server.lab(nodes=1)
        codes = [ask(server, "GET", f"/kube/guess{i}/api/v1/pods")[0] for i in range(50)]
        assert set(codes) == {404, 429} and codes.count(404) <= 41  # a minute may have turned
        assert ask(server, "GET", f"/kube/{lab.key}/version")[0] == 200  # keys in use are never refused
    finally:
        server.stop()


def test_a_fork_counts_too(narrow: Server) -> None:
    lab = narrow.lab(nodes=1, paused=True)
    status, made = narrow.call("POST", f"/api/labs/{lab.id}/fork", {}, lab.key)
    assert status == 201 and made["id"] != lab.id


def test_a_fork_of_the_past_has_no_future(server: Server) -> None:
    lab = server.lab(paused=True)
    lab.kubectl("create configmap before")
    at = lab.settle()["seq"]
    lab.kubectl("create configmap after")
    lab.settle()
    lab.call("POST", "/seek", {"seq": at})
    status, made = server.call("POST", f"/api/labs/{lab.id}/fork", {}, lab.key)
    assert status == 201 and made["seq"] == at
    assert ask(server, "GET", f"/kube/{made['key']}/api/v1/namespaces/default/configmaps/after")[0] == 404


def test_a_flood_of_writes_and_jumps_leaves_one_timeline(tmp_path: Path) -> None:
    """Commands are performed at the place of the timeline where they were stored, whatever jumps in between."""
    server = Server(tmp_path).start()
    try:
        lab = server.lab(nodes=1, paused=True)
        path = f"/kube/{lab.key}/api/v1/namespaces/default/configmaps"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for number in range(60):
                pool.submit(ask, server, "POST", path, {"metadata": {"name": f"c{number}"}})
                if number % 10 == 5:
                    pool.submit(server.call, "POST", f"/api/labs/{lab.id}/seek", {"seq": 3}, lab.key)
        before = server.call("GET", f"/api/labs/{lab.id}/steps?from=1&limit=2000")[1]
        there = lab.kubectl("get configmaps -o name").stdout
        server.kill()
        server.start()
        assert server.call("GET", f"/api/labs/{lab.id}/steps?from=1&limit=2000")[1] == before
        assert lab.kubectl("get configmaps -o name").stdout == there
    finally:
        server.stop()


def test_deployment_settings_are_clean(tmp_path: Path) -> None:
    env = {**os.environ, "CLUSTERLAB_VAR": str(tmp_path), "CLUSTERLAB_HTTPS": "1", "CLUSTERLAB_HOSTS": "lab.example.org"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120,
    )
    assert done.returncode == 0, done.stderr
