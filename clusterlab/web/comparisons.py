"""Comparisons of releases: each runs beside the server in a process of its own, and lies in the database, so that every web process
shows it and a restart loses nothing. Its seed and the model decide all of it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextvars import Context
from datetime import timedelta

import orjson
from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from clusterlab.comparison import STRATEGIES
from clusterlab.web.labs.fingerprint import model_fingerprint
from clusterlab.web.models import Comparison

__all__ = ["WAITING", "abandoned", "begin", "find", "waiting"]

KEPT, WAITING = 64, 4
TIMEOUT_S, SEEN_S, LOST_S = 600, 10, 45
_tasks: set[asyncio.Task[None]] = set()
_turn = asyncio.Semaphore(1)  # one at a time in each process: others wait


async def find(seed: int) -> Comparison | None:
    """The comparison of a seed, by today's model."""
    return await Comparison.objects.filter(seed=seed, model=model_fingerprint()).afirst()


def abandoned(one: Comparison) -> bool:
    """Whether nobody runs it any more, though it is not over."""
    return not one.over and one.seen < timezone.now() - timedelta(seconds=LOST_S)


async def waiting() -> int:
    """How many are being run or wait for it."""
    return await Comparison.objects.filter(over=False, seen__gte=timezone.now() - timedelta(seconds=LOST_S)).acount()


async def begin(seed: int) -> tuple[Comparison, bool]:
    """The comparison of a seed, and whether this call began it: it is begun anew where it failed or was left."""
    one = await find(seed)
    if one is not None and not one.problem and not abandoned(one):
        return one, False
    if one is None:
        try:
            one = await Comparison.objects.acreate(seed=seed, model=model_fingerprint())
        except IntegrityError:  # another process was quicker
            one = await find(seed)
            assert one is not None
            return one, False
    else:
        fresh = {"doing": "", "share": 0.0, "outcomes": [], "over": False, "problem": "", "seen": timezone.now()}
        if not await Comparison.objects.filter(pk=one.pk, seen=one.seen).aupdate(**fresh):
            await one.arefresh_from_db()
            return one, False
        await one.arefresh_from_db()
    await _forget()
    task = asyncio.create_task(_run(one), context=Context())  # it outlives the request, whose thread for the database ends with it
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return one, True


async def _forget() -> None:
    """Lets go of the oldest."""
    kept = [pk async for pk in Comparison.objects.order_by("-seen").values_list("pk", flat=True)[:KEPT]]
    await Comparison.objects.exclude(pk__in=kept).adelete()


async def _run(one: Comparison) -> None:
    """Runs the command, and stores what it says."""
    alive = asyncio.create_task(_alive(one))
    try:
        async with _turn, asyncio.timeout(TIMEOUT_S):
            await _listen(one)
    except TimeoutError:
        one.problem = "the comparison took too long"
    finally:
        alive.cancel()
    one.over = True
    await one.asave()


async def _alive(one: Comparison) -> None:
    """Says now and then that it is being run, also while it waits for its turn."""
    while True:
        await asyncio.sleep(SEEN_S)
        await Comparison.objects.filter(pk=one.pk).aupdate(seen=timezone.now())


async def _listen(one: Comparison) -> None:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "compare", "--seed", str(one.seed), "-o", "lines"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=1 << 20,
        preexec_fn=lambda: os.nice(10) and None, start_new_session=True)
    try:
        assert process.stdout is not None
        stored = 0.0
        async for line in process.stdout:
            said = orjson.loads(line)
            one.doing, one.share = STRATEGIES[said["name"]].title, said["share"]
            if "outcome" in said:
                one.outcomes = [*one.outcomes, said["outcome"]]
            if "outcome" in said or time.monotonic() - stored > 0.5:
                stored = time.monotonic()
                await one.asave()
        if await process.wait() or len(one.outcomes) < len(STRATEGIES):
            one.problem = "the comparison could not be run to its end"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
