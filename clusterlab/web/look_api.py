"""The REST API of what the page shows beside the stream: use, loops, access, explanations. Reads only."""

from __future__ import annotations

import asyncio
from typing import Any

from django.http import HttpRequest

from clusterlab.stream import access as policies
from clusterlab.stream import looks, project
from clusterlab.stream import owners as ownership
from clusterlab.stream.past import past as object_past
from clusterlab.web import runs
from clusterlab.web.api import endpoint
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["access", "events", "explain", "inside", "loops", "owners", "past", "usage"]

TEXT_MOST = 300
EVENTS_MOST = 500


def _text(request: HttpRequest, name: str, default: str = "") -> str:
    value = request.GET.get(name, default)
    if len(value) > TEXT_MOST:
        raise LabError(f"{name} has at most {TEXT_MOST} characters", name)
    return value


@endpoint("GET")
async def usage(request: HttpRequest, lab: Lab) -> Any:
    return looks.usage(lab.cluster, _text(request, "node"))


@endpoint("GET")
async def loops(request: HttpRequest, lab: Lab) -> Any:
    return looks.loops(lab.cluster, _text(request, "of"))


@endpoint("GET")
async def inside(request: HttpRequest, lab: Lab) -> Any:
    found = looks.inside(lab.cluster, _text(request, "node"))
    if found is None:
        raise LabError(f"there is no node {_text(request, 'node')!r}", "node", "NotFound", 404)
    return found


@endpoint("GET")
async def explain(request: HttpRequest, lab: Lab) -> Any:
    kind, path = _text(request, "kind"), _text(request, "path")
    found = looks.explain(lab.cluster, kind, path)
    if found is None:
        raise LabError(f"{kind!r} has no field {path!r}; ask as in kind=apps/v1/Deployment&path=spec.replicas", "path", "NotFound", 404)
    return found


@endpoint("GET")
async def past(request: HttpRequest, lab: Lab) -> Any:
    return object_past(lab.cluster, _text(request, "object"))


@endpoint("GET")
async def access(request: HttpRequest, lab: Lab) -> Any:
    """The graph of roles and bindings; with `who`, the answer to "can who do verb on resource?"."""
    who = _text(request, "who")
    if not who:
        return policies.graph(lab.cluster, request.GET.get("system") == "true")
    verb, resource, namespace, name = (_text(request, one) for one in ("verb", "resource", "namespace", "name"))
    try:
        return policies.can(lab.cluster, who, verb, resource, namespace or "default", name)
    except ValueError as error:
        raise LabError(str(error), "who") from None


@endpoint("GET")
async def owners(request: HttpRequest, lab: Lab) -> Any:
    """Who made whom and who selects whom. Stored objects are never changed, so another thread may look through them and lay them out."""
    held = lab.cluster.held()

    def graph() -> Any:
        return ownership.graph(ownership.relevant((f"{label}/{key}", obj) for label, objects in held for key, obj in objects.items()))

    return await asyncio.to_thread(graph)


@endpoint("GET")
async def events(request: HttpRequest, lab: Lab) -> Any:
    """Events as views, those written last first: `about` one object, written `before` a revision, at most `limit`. `more` says that
    there are older ones. In a large cluster the stream carries the newest only."""
    about, before, limit = _text(request, "about"), runs.integer(request.GET, "before", 0), runs.integer(request.GET, "limit", 200)
    if not 1 <= limit <= EVENTS_MOST:
        raise LabError(f"limit goes from 1 to {EVENTS_MOST}", "limit")
    held = [obj for label, objects in lab.cluster.held("events") for obj in objects.values()]
    return await asyncio.to_thread(project.events, held, lab.cluster.sim.epoch, about, before, limit)
