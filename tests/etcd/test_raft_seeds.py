"""Raft under random faults, thousands of steps for each seed. CLUSTERLAB_SEEDS says how many seeds (200 take less than two minutes)."""

from __future__ import annotations

import os

import pytest

from tests.etcd.raftworld import World

SEEDS = int(os.environ.get("CLUSTERLAB_SEEDS", "40"))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_raft_holds(seed: int) -> None:
    world = World(seed, size=(1, 2, 3, 3, 5, 5, 7)[seed % 7])
    world.run(4000)
    world.finish()
