"""A server that is killed, for real and at random moments, in the middle of bursts of creates: nothing acknowledged is lost."""

from __future__ import annotations

import concurrent.futures
import os
import random
import threading
import time
import urllib.error
from pathlib import Path

import pytest

from tests.server import Server, ServerLab
from tests.waiting import until

KILLS = int(os.environ.get("CLUSTERLAB_KILLS", "20"))
#: Every so many rounds the real kubectl writes; it takes many times as long as a plain request.
KUBECTL_EVERY = 10


class Burst:
    """Creates config maps as quickly as it can, until the server goes; knows which were acknowledged."""

    def __init__(self, lab: ServerLab, kubectl: bool) -> None:
        self.lab, self.kubectl, self.acknowledged, self.over = lab, kubectl, [], threading.Event()
        self.acknowledged: list[str] = []

    def create(self, thread: int) -> None:
        for number in range(400):
            if self.over.is_set():
                return
            name = f"c{thread}-{number}"
            try:
                if self._create(name):
                    self.acknowledged.append(name)
            except (urllib.error.URLError, OSError):
                return

    def _create(self, name: str) -> bool:
        if self.kubectl:
            return self.lab.kubectl(f"create configmap {name} --from-literal=name={name}").returncode == 0
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        return self.lab.server.call("POST", f"/kube/{self.lab.key}/api/v1/namespaces/default/configmaps", body)[0] == 201


def test_kills_in_the_middle_of_bursts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("CLUSTERLAB_SEED", "7"))
    chance = random.Random(seed)
    server = Server(tmp_path)
    server.start()
    total = 0
    try:
        for round_ in range(KILLS):
            lab = server.lab(nodes=1)
            burst = Burst(lab, kubectl=round_ % KUBECTL_EVERY == 0)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                try:
                    writing = [pool.submit(burst.create, thread) for thread in range(4)]
                    until(lambda burst=burst: len(burst.acknowledged) >= 2, f"seed {seed}, round {round_}: two writes are acknowledged", every_s=0.005)
                    time.sleep(chance.uniform(0.0, 0.12))
                    seen = server.call("GET", f"/api/labs/{lab.id}")[1]
                    server.kill()
                finally:
                    burst.over.set()
            for each in writing:
                each.result()
            server.start()
            after = lab.call("GET")
            listed = server.call("GET", f"/kube/{lab.key}/api/v1/namespaces/default/configmaps")[1]["items"]
            there = {each["metadata"]["name"] for each in listed}
            lost = [name for name in burst.acknowledged if name not in there]
            assert not lost, f"seed {seed}, round {round_}: acknowledged but lost: {lost}"
            assert after["seq"] >= seen["seq"], f"seed {seed}, round {round_}: stood at {seen['seq']}, comes back at {after['seq']}"
            total += len(burst.acknowledged)
    finally:
        server.stop()
    with capsys.disabled():
        print(f"\nkilled {KILLS} times in the middle of bursts: {total} writes acknowledged, 0 lost")
