"""A lab that is put to sleep at the very moment at which something comes for it."""

from __future__ import annotations

import asyncio
from typing import Any

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load
from clusterlab.web import models
from clusterlab.web.labs.lab import Lab


class _Journal:
    async def write(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0)


async def test_a_lab_that_is_stirred_while_it_ends_does_end() -> None:
    lab = Lab(models.Lab(id="aaaaaaaaaa", playing=False), Cluster(load({"nodes": 1})), _Journal())  # type: ignore[arg-type]
    for _ in range(3):
        lab.start()
        while lab._wake.is_set() or not lab._wake._waiters:  # until it waits for something to do
            await asyncio.sleep(0)
        task = lab._task
        assert task is not None
        lab._stir()
        async with asyncio.timeout(30):
            await lab.stop()
        assert task.done()
