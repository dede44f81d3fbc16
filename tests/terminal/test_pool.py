"""Whose kubectl starts next: a few at once, labs in turn, no lab more than its share."""

from __future__ import annotations

import asyncio

import pytest

from clusterlab.web.labs.lab import LabError
from clusterlab.web.terminal.pool import MOST_PER_LAB, Pool


async def test_labs_take_turns() -> None:
    pool, order, go = Pool(1), [], asyncio.Event()

    async def one(lab: str) -> None:
        async with pool.turn(lab):
            order.append(lab)
            await go.wait()

    tasks = [asyncio.create_task(one(lab)) for lab in ("a", "a", "a", "a", "b", "c")]
    await asyncio.sleep(0)
    assert (order, pool.waiting) == (["a"], 5)
    go.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "a", "b", "c", "a", "a"]
    assert (pool.starting, pool.running, pool.waiting) == (0, {}, 0)


async def test_one_that_lasts_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterlab.web.terminal.pool.START_S", 0.0)
    pool, ended = Pool(1), asyncio.Event()

    async def watch() -> None:
        async with pool.turn("a"):
            await ended.wait()

    task = asyncio.create_task(watch())
    await asyncio.sleep(0)
    async with pool.turn("b"):
        assert pool.running == {"a": 1, "b": 1}
    ended.set()
    await task
    assert pool.starting == 0


async def test_who_gives_up_is_passed_over() -> None:
    pool, go = Pool(1), asyncio.Event()

    async def one() -> None:
        async with pool.turn("a"):
            await go.wait()

    first, second, third = (asyncio.create_task(one()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    go.set()
    await asyncio.gather(first, third)
    assert (pool.starting, pool.running, pool.waiting) == (0, {}, 0)


async def test_a_lab_has_its_share() -> None:
    pool, go = Pool(100), asyncio.Event()

    async def one() -> None:
        async with pool.turn("a"):
            await go.wait()

    tasks = [asyncio.create_task(one()) for _ in range(MOST_PER_LAB)]
    await asyncio.sleep(0)
    with pytest.raises(LabError, match="programs already"):
        async with pool.turn("a"):
            pass
    go.set()
    await asyncio.gather(*tasks)
