"""A lab that is put to sleep at the very moment at which something comes for it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load
from clusterlab.web import models
from clusterlab.web.labs.lab import Lab, LabError
from tests.bench import DEPLOYMENT


class _Journal:
    async def write(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0)


def test_a_cluster_that_is_taken_apart_leaves_no_cycles_and_others_alone() -> None:
    """Full collections hold everybody up, so labs that go must not wait for one; forks and copies share much with them."""
    scenario = load({"nodes": 2})
    kept, gone = Cluster(scenario), Cluster(scenario)
    gone.apply(DEPLOYMENT)
    for _ in range(300):
        gone.history.advance()
    gone_at = gone.sim.last_seq
    gone.history.branch(kept.history, gone_at // 2)
    gc.collect()
    gc.disable()
    try:
        for _ in gone.dismantle():
            pass
        del gone
        left = gc.collect()
    finally:
        gc.enable()
    assert left < 1000, left  # of some 10,000
    while kept.sim.last_seq < gone_at // 2:
        kept.history.advance()
    kept.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}})
    assert kept.find("configmaps/default/a") is not None
    kept.history.seek(5)
    kept.history.seek(gone_at // 2)
    assert kept.find("deployments/default/web") is not None


async def test_a_lab_taken_apart_tells_who_still_holds_it() -> None:
    lab = Lab(models.Lab(id="aaaaaaaaaa", playing=False), Cluster(load({"nodes": 1})), _Journal())  # type: ignore[arg-type]
    lab.start()
    await lab.stop()
    for _ in range(2):  # whoever comes second finds it done
        await lab.dismantle()
    with pytest.raises(LabError, match="ask again"):
        await lab.command({"kind": "poke"})
    with pytest.raises(LabError, match="ask again"):
        await lab.run(lambda _: True)


async def test_a_lab_that_is_stirred_while_it_ends_does_end() -> None:
    lab = Lab(models.Lab(id="aaaaaaaaaa", playing=False), Cluster(load({"nodes": 1})), _Journal())  # type: ignore[arg-type]
    for _ in range(3):
        lab.start()
        async with asyncio.timeout(30):
            while lab._wake.is_set() or not lab._wake._waiters:  # until it waits for something to do
                await asyncio.sleep(0)
        task = lab._task
        assert task is not None
        lab._stir()
        async with asyncio.timeout(30):
            await lab.stop()
        assert task.done()
