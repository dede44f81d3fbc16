"""Clusters that come about in slices: booted, taken up from a checkpoint, or led along a log. Others go on meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from clusterlab.cluster import Cluster
from clusterlab.scenario.model import Scenario
from clusterlab.sim.history import Command

__all__ = ["SLICE_S", "apart", "booted", "branched", "led", "revived", "through"]

#: How long one lab may keep the event loop.
SLICE_S = 0.008


async def through(pieces: Iterable[None]) -> None:
    """Goes through what yields now and then, giving way in between."""
    until = time.monotonic() + SLICE_S
    for _ in pieces:
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + SLICE_S


async def apart(cluster: Cluster) -> None:
    """Gives the memory of a cluster that is used no more back at once."""
    await through(cluster.dismantle())


async def booted(scenario: Scenario) -> Cluster:
    """A cluster, built and booted; a large one takes seconds."""
    cluster = Cluster(scenario, boot=False)
    await through(cluster.booting())
    return cluster


async def revived(scenario: Scenario, state: dict[str, Any], log: list[Command], cursor: int) -> Cluster:
    """A cluster that goes on from a checkpoint."""
    cluster = Cluster(scenario, boot=False)
    await through(cluster.reviving(state, log, cursor))
    return cluster


async def branched(cluster: Cluster, seq: int) -> Cluster:
    """Another cluster that stands after step `seq` of this one and shares its past. Raises ValueError as `History.seek` does."""
    other = await booted(cluster.scenario)
    cluster.history.branch(other.history, seq)
    await led(other, lambda: other.sim.last_seq >= seq)
    return other


async def led(cluster: Cluster, there: Callable[[], bool], most: int | None = None) -> None:
    """Goes on until `there`, the end of all events, or step `most`."""
    history, sim = cluster.history, cluster.sim
    until = time.monotonic() + SLICE_S
    while not there() and history.next_time() is not None and (most is None or sim.last_seq <= most):
        history.advance()
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + SLICE_S
