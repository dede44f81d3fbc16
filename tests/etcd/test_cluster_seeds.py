"""A whole etcd under random faults: nothing acknowledged is lost, reads are linearizable, everything converges, and it replays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256

import orjson
import pytest

from tests.etcd.clusterworld import ClusterWorld, play, steps
from tests.server import ROOT

took_s: list[float] = []
SEEDS = int(os.environ.get("CLUSTERLAB_SEEDS", "200"))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_nothing_acknowledged_is_lost(seed: int) -> None:
    begun_s = time.process_time()
    play(seed, rounds=400)
    took_s.append(time.process_time() - begun_s)


def test_the_figure(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\netcd under random faults: {len(took_s)} seeds of 400 rounds in {sum(took_s):.0f} s of processor time")


@pytest.mark.parametrize("seed", [3, 4, 11, 17, 23, 31])
def test_restoring_a_checkpoint_replays_the_same(seed: int) -> None:
    """Time passes, faults and all, after a checkpoint; then again from that checkpoint."""
    world = ClusterWorld(seed, (1, 3, 3, 5, 3, 2, 5)[seed % 7])
    world.run(150)
    sim, etcd = world.sim, world.etcd

    def rest() -> tuple[list[object], dict[str, object]]:
        first = etcd.leader()
        if first is not None:
            command(world, lambda: etcd.kill(first.name))
        later(world, 1500)
        command(world, etcd.heal)
        later(world, 3000)
        for name in list(etcd.members):
            if not etcd.up[name]:
                command(world, lambda name=name: etcd.restart(name))
        later(world, 3000)
        return steps(sim), etcd.view()

    saved = sim.checkpoint()
    length = len(sim.steps)
    once = rest()
    sim.restore(saved)
    assert len(sim.steps) == length
    again = rest()
    assert orjson.dumps(again) == orjson.dumps(once), f"seed {seed}: the same checkpoint led elsewhere"


def command(world: ClusterWorld, act: Callable[[], None]) -> None:
    world.sim.perform("somebody", "act", "etcd")
    act()
    world.sim.finish()


def later(world: ClusterWorld, duration_ms: int) -> None:
    sim, end_ms = world.sim, world.sim.time_ms + duration_ms
    while (due := sim.next_time()) is not None and due <= end_ms:
        sim.dispatch()
    sim.advance_to(end_ms)


def digest(seed: int) -> str:
    world = play(seed, rounds=120)
    return sha256(orjson.dumps([steps(world.sim), world.etcd.view()])).hexdigest()


def test_the_same_under_any_hash_seed() -> None:
    code = "from tests.etcd.test_cluster_seeds import digest; print(digest(10), digest(13))"
    seen = set()
    for hash_seed in ("0", "1", "4242"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=120)
        seen.add(done.stdout.strip())
    assert len(seen) == 1
