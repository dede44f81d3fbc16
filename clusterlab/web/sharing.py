"""A cluster as a link: its scenario and what people made in it, to be opened anew on any server.

The server tells what belongs into the link (GET /api/labs/ID/share). The page packs that into the address's fragment, which browsers send
to no server, and the page /open/ shows what is in it before it makes a lab of it. So nothing is kept, and nothing can expire. Unlike a
replay link (debug_api) it holds no commands: the cluster comes up anew and settles in the same state, by other steps.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from clusterlab.booting import BOOT_MS
from clusterlab.scenario import values
from clusterlab.scenario.importing.nodes import node_changes
from clusterlab.web.api import endpoint
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.manifests import made_by_people
from clusterlab.web.models import Lab as LabRecord

__all__ = ["open_page", "share"]

#: Bytes of what is packed into a link; a tenth of it is left when it is compressed.
MOST = 300_000


@endpoint("GET", change=True)
async def share(request: HttpRequest, lab: Lab) -> Any:
    """{scenario, objects, name}: what a new lab needs to become the present one. Refuses what no link can hold."""
    record = await LabRecord.objects.aget(pk=lab.id)
    scenario = dict(record.scenario) if isinstance(record.scenario, dict) else {}
    gone_ms = max(0, lab.cluster.sim.time_ms - BOOT_MS)
    objects = made_by_people(lab)
    scenario |= {"manifests": objects, "nodes": _nodes(lab, scenario)}
    # What the timeline has done already is in the objects; what it has yet to do comes as much later as it would have here.
    later = [(values.duration_ms(each["at"]) - gone_ms, each) for each in scenario.get("timeline") or []]
    scenario["timeline"] = [{**each, "at": f"{left_ms}ms"} for left_ms, each in later if left_ms > 0]
    scenario = {name: value for name, value in scenario.items() if value not in ([], {}) or name == "nodes"}
    size = len(orjson.dumps(scenario))
    if size > MOST:
        told = f"this cluster holds {size // 1000} kB of manifests, and a link at most {MOST // 1000}; save the lab as a file"
        raise LabError(told, code="TooLarge", status=413)
    return {"scenario": scenario, "objects": len(objects), "name": lab.name}


def _nodes(lab: Lab, scenario: dict[str, Any]) -> Any:
    """The scenario's nodes with the labels and taints that they have got since."""
    plain = scenario.get("nodes", 3)
    nodes = {key.partition("/")[2]: obj for key, obj in lab.cluster.objects("nodes")}
    listed = plain if isinstance(plain, list) else [{"name": f"node-{number + 1}"} for number in range(plain)]
    changed = [node_changes(each, nodes[each["name"]]) if each.get("name") in nodes else each for each in listed]
    return plain if changed == listed else changed


@require_GET
async def open_page(request: HttpRequest) -> HttpResponse:
    """What a link holds is in its fragment: the page reads it."""
    return render(request, "open.html")
