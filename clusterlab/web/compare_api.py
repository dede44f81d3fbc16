"""The page of releases: a gallery of scenarios, and a comparison that runs beside the server (comparisons.py)."""

from __future__ import annotations

import asyncio
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from clusterlab.comparison import STRATEGIES
from clusterlab.scenario.releases import GALLERY
from clusterlab.web import access, api, comparisons, figures, runs
from clusterlab.web.api import endpoint
from clusterlab.web.labs.lab import LabError
from clusterlab.web.models import Comparison

__all__ = ["page", "start", "state"]

SEED = 11
LOST = "the server that ran the comparison has stopped; begin it again"
#: The charts of the newest outcomes that were asked for.
_drawn: dict[tuple[int, str, int], list[dict[str, Any]]] = {}


@require_GET
async def page(request: HttpRequest) -> HttpResponse:
    cards = [{"name": name, "title": _(title), "text": _(text)} for name, (title, text, _make) in GALLERY.items()]
    return render(request, "releases.html", {"gallery": cards, "seed": SEED, "strategies": [each.title for each in STRATEGIES.values()]})


async def _shown(one: Comparison) -> dict[str, Any]:
    at = (one.seed, one.model, len(one.outcomes))
    charts = _drawn.get(at)
    if charts is None and one.outcomes:
        while len(_drawn) >= 16:
            del _drawn[next(iter(_drawn))]
        charts = _drawn[at] = await asyncio.to_thread(_charts, one.outcomes)
    lost = comparisons.abandoned(one)
    return {
        "seed": one.seed, "over": one.over or lost, "done": len(one.outcomes), "of": len(STRATEGIES), "doing": one.doing,
        "share": one.share, "problem": LOST if lost else one.problem, "outcomes": one.outcomes, "charts": charts or [],
    }


@endpoint("POST")
async def start(request: HttpRequest) -> Any:
    """Begins a comparison, or answers with the one that is there."""
    access.check_csrf(request)
    body = api._body(request)
    seed = runs.integer(body, "seed", SEED)
    if not 0 <= seed < 2**53:
        raise LabError("seed goes from 0 to 2^53", "seed")
    known = await comparisons.find(seed)
    if (known is None or known.problem) and await comparisons.waiting() >= comparisons.WAITING:
        raise LabError("other comparisons are being run; wait for them", code="TooManyRequests", status=429)
    one, begun = await comparisons.begin(seed)
    return (202, await _shown(one)) if begun else await _shown(one)


@endpoint("GET")
async def state(request: HttpRequest, seed: int) -> Any:
    one = await comparisons.find(seed) if seed < 2**53 else None
    if one is None:
        raise LabError(f"no comparison with the seed {seed} was begun", code="NotFound", status=404)
    return await _shown(one)


def _charts(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    costs = (("failed", "Failed requests", "requests"), ("slow", "Slow requests", "requests"),
             ("double_minutes", "Double capacity", "minutes"), ("recovered_s", "Time to recover", "seconds"))
    return [*(figures.costs_figure(outcomes, name, title, unit) for name, title, unit in costs), figures.failures_figure(outcomes)]
