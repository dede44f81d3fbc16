"""Raft under random faults, thousands of steps for each seed. CLUSTERLAB_SEEDS says how many seeds."""

from __future__ import annotations

import os
import time

import pytest

from tests.etcd.raftworld import World

took_s: list[float] = []
SEEDS = int(os.environ.get("CLUSTERLAB_SEEDS", "200"))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_raft_holds(seed: int) -> None:
    begun_s = time.process_time()
    world = World(seed, size=(1, 2, 3, 3, 5, 5, 7)[seed % 7])
    world.run(4000)
    world.finish()
    took_s.append(time.process_time() - begun_s)


def test_the_figure(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nRaft under random faults: {len(took_s)} seeds of 4,000 rounds in {sum(took_s):.0f} s of processor time")
