"""A server that is killed comes back with each lab at the step where it was, and with every acknowledged write."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server


def test_a_paused_lab_comes_back_paused_where_it_was(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        lab = server.lab(paused=True)
        lab.kubectl("create deployment web --image=nginx:1.25 --replicas=3")
        last = lab.settle()["seq"]
        lab.call("POST", "/seek", {"seq": last - 4})
        before = lab.call("GET")
        server.kill()
        server.start()
        after = lab.call("GET")
        assert (after["seq"], after["time"], after["mode"]) == (before["seq"], before["time"], "paused")
        assert lab.settle()["seq"] == last
    finally:
        server.stop()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_steps_are_the_same_after_a_restart(tmp_path: Path, how: str) -> None:
    server = Server(tmp_path).start()
    try:
        lab = server.lab(paused=True)
        lab.kubectl("create deployment web --image=nginx:1.25 --replicas=2")
        lab.settle()
        before = lab.call("GET", "/steps?from=1&limit=2000")
        getattr(server, how)()
        server.start()
        assert lab.call("GET", "/steps?from=1&limit=2000") == before
    finally:
        server.stop()


def stored(server: Server, question: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(server.folder / "clusterlab.sqlite3", timeout=20) as database:
        return database.execute(question).fetchall()


def test_a_long_lab_is_taken_up_from_its_checkpoint_and_remembers(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        lab = server.lab(paused=True)
        lab.kubectl("create deployment web --image=nginx:1.25 --replicas=30")
        lab.settle()
        lab.kubectl("scale deployment web --replicas=5")
        before = lab.settle()
        steps = lab.call("GET", "/steps?from=1&limit=2000")
        server.stop()
        assert stored(server, "select seq from web_checkpoint") == [(before["seq"],)]
        # Had it to go its way again, it would not find this.
        command = stored(server, "select id, data from web_command order by number")[0]
        stored(server, f"update web_command set data = replace(data, '30', '31') where id = {command[0]}")
        server.start()
        after = lab.call("GET")
        assert (after["seq"], after["time"]) == (before["seq"], before["time"])
        assert lab.get("deployment web")["status"]["readyReplicas"] == 5
        stored(server, f"update web_command set data = replace(data, '31', '30') where id = {command[0]}")
        server.kill()
        server.start()
        assert lab.kubectl("scale deployment web --replicas=6").returncode == 0
        lab.settle()
        assert lab.call("GET", f"/steps?from=1&limit={before['seq']}") == steps  # its past is worked out when it is asked for
        assert lab.call("POST", "/seek", {"seq": 2})["seq"] == 2
        assert lab.get("pods")["items"] == []
    finally:
        server.stop()


def test_a_checkpoint_of_a_future_that_was_given_up_is_never_taken(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        lab = server.lab(paused=True)
        lab.kubectl("create deployment web --image=nginx:1.25 --replicas=30")
        last = lab.settle()["seq"]
        server.stop()
        server.start()
        lab.call("POST", "/seek", {"seq": 1})
        lab.kubectl("create configmap other")
        assert stored(server, "select count(*) from web_checkpoint") == [(0,)]
        seq = lab.settle()["seq"]
        assert seq != last
        server.kill()
        server.start()
        assert lab.call("GET")["seq"] == seq
        assert lab.kubectl("get configmap other").returncode == 0
    finally:
        server.stop()


def test_a_lab_that_stands_in_its_past_takes_new_commands_after_a_restart(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        lab = server.lab(paused=True)
        lab.kubectl("create configmap one")
        lab.kubectl("create configmap two")
        lab.call("POST", "/seek", {"seq": 1})
        server.kill()
        server.start()
        assert lab.kubectl("create configmap three").returncode == 0
        names = [each["metadata"]["name"] for each in lab.get("configmaps")["items"]]
        assert "one" in names and "three" in names and "two" not in names
    finally:
        server.stop()


@pytest.mark.parametrize("known", [True, False])
def test_a_lab_of_an_older_version_opens_or_says_why_not(tmp_path: Path, known: bool) -> None:
    server = Server(tmp_path).start()
    try:
        lab = server.lab(paused=True)
        lab.kubectl("create deployment web --image=nginx:1.25 --replicas=2")
        lab.settle()
        server.stop()
        stored(server, "update web_lab set model = 'older', dispatched = dispatched + 5")
        stored(server, "update web_command set dispatched = dispatched + 3")
        if not known:
            stored(server, "update web_command set data = replace(data, 'request', 'wish')")
        server.start()
        if known:
            assert "another version" in lab.call("GET")["notice"]
            assert lab.get("deployment web")["status"]["readyReplicas"] == 2
        else:
            status, answer = server.call("GET", f"/api/labs/{lab.id}")
            assert status == 410 and "cannot be done again" in answer["error"]["message"]
            assert "410" in lab.kubectl("get pods").stderr
    finally:
        server.stop()
