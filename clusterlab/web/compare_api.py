"""The page of releases: a gallery of scenarios, and a comparison that runs beside the server, in a process of its own.

A comparison depends on its seed alone, so its outcome is kept and shared.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from clusterlab.comparison import STRATEGIES
from clusterlab.scenario.releases import GALLERY
from clusterlab.web import access, api, figures, runs
from clusterlab.web.api import endpoint
from clusterlab.web.labs.lab import LabError

__all__ = ["page", "start", "state"]

SEED = 11
KEPT, WAITING = 16, 4
TIMEOUT_S = 600


@dataclass
class Comparison:
    """One comparison: how far it is, and what it has found."""

    seed: int
    doing: str = ""
    share: float = 0.0
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False
    problem: str = ""
    charts: list[dict[str, Any]] = field(default_factory=list)


_known: dict[int, Comparison] = {}
_tasks: set[asyncio.Task[None]] = set()
_turn = asyncio.Semaphore(1)  # one at a time: others wait


@require_GET
async def page(request: HttpRequest) -> HttpResponse:
    cards = [{"name": name, "title": _(title), "text": _(text)} for name, (title, text, _make) in GALLERY.items()]
    return render(request, "releases.html", {"gallery": cards, "seed": SEED, "strategies": [each.title for each in STRATEGIES.values()]})


def _shown(one: Comparison) -> dict[str, Any]:
    return {
        "seed": one.seed, "over": one.over, "done": len(one.outcomes), "of": len(STRATEGIES), "doing": one.doing, "share": one.share,
        "problem": one.problem, "outcomes": one.outcomes, "charts": one.charts,
    }


@endpoint("POST")
async def start(request: HttpRequest) -> Any:
    """Begins a comparison, or answers with the one that is there."""
    access.check_csrf(request)
    body = api._body(request)
    seed = runs.integer(body, "seed", SEED)
    if not 0 <= seed < 2**53:
        raise LabError("seed goes from 0 to 2^53", "seed")
    one = _known.get(seed)
    if one is not None and not one.problem:
        return _shown(one)
    if sum(not each.over for each in _known.values()) >= WAITING:
        raise LabError("other comparisons are being run; wait for them", code="TooManyRequests", status=429)
    while len(_known) >= KEPT:
        oldest = next((key for key, each in _known.items() if each.over), None)
        if oldest is None:
            break
        del _known[oldest]
    one = _known[seed] = Comparison(seed)
    task = asyncio.create_task(_run(one))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return 202, _shown(one)


@endpoint("GET")
async def state(request: HttpRequest, seed: int) -> Any:
    one = _known.get(seed)
    if one is None:
        raise LabError(f"no comparison with the seed {seed} was begun", code="NotFound", status=404)
    return _shown(one)


async def _run(one: Comparison) -> None:
    """Runs the command in a process of its own, and takes in each line that it says."""
    async with _turn:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "compare", "--seed", str(one.seed), "-o", "lines"]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=1 << 20,
            preexec_fn=lambda: os.nice(10) and None, start_new_session=True)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await _listen(one, process)
        except TimeoutError:
            one.problem = "the comparison took too long"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            one.over = True


async def _listen(one: Comparison, process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        said = orjson.loads(line)
        one.doing, one.share = STRATEGIES[said["name"]].title, said["share"]
        if "outcome" in said:
            one.outcomes = [*one.outcomes, said["outcome"]]
            one.charts = await asyncio.to_thread(_charts, one.outcomes)
    if await process.wait() or len(one.outcomes) < len(STRATEGIES):
        one.problem = "the comparison could not be run to its end"


def _charts(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    costs = (("failed", "Failed requests", "requests"), ("slow", "Slow requests", "requests"),
             ("double_minutes", "Double capacity", "minutes"), ("recovered_s", "Time to recover", "seconds"))
    return [*(figures.costs_figure(outcomes, name, title, unit) for name, title, unit in costs), figures.failures_figure(outcomes)]
