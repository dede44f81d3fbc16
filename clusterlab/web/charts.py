"""GET /api/labs/ID/charts/NAME: charts of a lab, as plotly figures with the same numbers as a table. docs/api.md describes them."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from django.http import HttpRequest

from clusterlab.network.series import Key
from clusterlab.stream.over_time import Bucket, Past, buckets, version_of_group
from clusterlab.web import figures
from clusterlab.web.api import endpoint
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["CHARTS", "chart", "moments", "past_of"]

CHARTS = ("requests", "errors", "latency", "replicas", "cpu", "autoscaler")
#: Points that a line has at most: longer stretches are summed up.
POINTS_MOST = 300

_pasts: WeakKeyDictionary[Lab, tuple[int, Past]] = WeakKeyDictionary()


def past_of(lab: Lab) -> Past:
    """What a lab was like so far, brought up to date; begun anew after the timeline has jumped."""
    generation, past = _pasts.get(lab, (-1, Past()))
    if generation != lab.generation:
        past = Past()
        _pasts[lab] = (lab.generation, past)
    past.advance(lab.cluster)
    return past


def _name_of(by: str) -> Any:
    def name(key: Key) -> str:
        if by == "source":
            return key.source + (", mirrored" if key.mirrored else "")
        if by == "service":
            return key.group.service or "nobody"
        if by == "hash":
            return key.group.hash or "nobody"
        if by == "track":
            return key.group.track or "no track"
        return version_of_group(key)

    return name


def found_buckets(lab: Lab, query: Any) -> list[Bucket]:
    """The requests that a query means: `source`, `service`, `namespace`, `by`, `since` (seconds)."""
    by, since_s = query.get("by", "version"), query.get("since", "0")
    if by not in ("version", "source", "service", "track", "hash"):
        raise LabError("by is one of version, source, service, track and hash", "by")
    if not since_s.isdecimal() or len(since_s) > 9:
        raise LabError("since is a whole number of seconds", "since")
    series, until_ms = lab.cluster.traffic.series, lab.cluster.sim.time_ms
    windows = series.windows(int(since_s) * 1000, until_ms)
    span_s = (windows[-1].time_ms - windows[0].time_ms) // 1000 + 1 if windows else 1
    asked = {field: query.get(field) for field in ("source", "service", "namespace") if query.get(field)}

    def wanted(key: Key) -> bool:
        have = {"source": key.source, "service": key.group.service, "namespace": key.group.namespace}
        return all(have[field] == value for field, value in asked.items())

    return buckets(windows, max(1, -(-span_s // POINTS_MOST)), _name_of(by), wanted)


@endpoint("GET")
async def chart(request: HttpRequest, lab: Lab, name: str) -> Any:
    if name not in CHARTS:
        raise LabError(f"there is no chart {name!r}; there are {', '.join(CHARTS)}", "name", "NotFound", 404)
    past, until_ms, seq = past_of(lab), lab.cluster.sim.time_ms, lab.cluster.sim.last_seq
    since_ms = int(request.GET["since"][:12]) * 1000 if request.GET.get("since", "").isdecimal() else 0
    marks = figures.chosen([mark for mark in past.marks if mark.time_ms >= since_ms])
    if name in ("requests", "errors", "latency"):
        found = found_buckets(lab, request.GET)
        make = {"requests": figures.requests_figure, "errors": figures.errors_figure, "latency": figures.latency_figure}[name]
        made = await asyncio.to_thread(make, found, marks)
    elif name == "autoscaler":
        made = await asyncio.to_thread(figures.autoscaler_figure, _copy(past.autoscalers), until_ms, marks)
    else:
        made = await asyncio.to_thread(figures.capacity_figure, _copy(past.sizes), _copy(past.wanted), until_ms, marks, name)
    return {"name": name, "time": until_ms, "seq": seq, **made}


@endpoint("GET")
async def moments(request: HttpRequest, lab: Lab) -> Any:
    """The moments of releases so far, for the timeline."""
    return {"marks": [mark._asdict() for mark in figures.chosen(past_of(lab).marks)]}


def _copy(points: dict[Any, list[Any]]) -> dict[Any, list[Any]]:
    """What a thread may read while the lab goes on."""
    return {key: list(each) for key, each in points.items()}
