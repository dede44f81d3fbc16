"""A server that is killed comes back with each lab at the step where it was, and with every acknowledged write."""

from __future__ import annotations

import concurrent.futures
import random
import time
from pathlib import Path

import pytest

from tests.server import Server

KILLS = 3  # `make test`; CI asks for more with CLUSTERLAB_KILLS


def test_kill_in_the_middle_of_a_burst(tmp_path: Path) -> None:
    import os

    server = Server(tmp_path).start()
    seed = int(os.environ.get("CLUSTERLAB_SEED", "7"))
    chance = random.Random(seed)
    try:
        for round_ in range(int(os.environ.get("CLUSTERLAB_KILLS", KILLS))):
            lab = server.lab()
            acknowledged: list[str] = []

            def create(number: int, lab=lab, acknowledged=acknowledged) -> None:  # noqa: B006
                done = lab.kubectl(f"create configmap c{number} --from-literal=n={number}")
                if done.returncode == 0:
                    acknowledged.append(f"c{number}")

            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                for number in range(24):
                    pool.submit(create, number)
                time.sleep(chance.uniform(0.3, 1.2))
                seen = server.call("GET", f"/api/labs/{lab.id}")[1]
                server.kill()
            server.start()
            after = server.call("GET", f"/api/labs/{lab.id}")[1]
            there = lab.kubectl("get configmaps -o name").stdout.split()
            lost = [name for name in acknowledged if f"configmap/{name}" not in there]
            assert not lost, f"seed {seed}, round {round_}: acknowledged but lost: {lost}"
            assert after["seq"] >= seen["seq"], f"seed {seed}, round {round_}: stood at {seen['seq']}, comes back at {after['seq']}"
    finally:
        server.stop()


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
