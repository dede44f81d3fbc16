"""The debugger's part of a lab's REST API: breakpoints, two labs side by side, a lab as a file, and replay links."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from clusterlab.stream import project
from clusterlab.stream.compare import differences, fingerprint, first_difference, objects_at
from clusterlab.web import access, api, pages, runs
from clusterlab.web.api import endpoint
from clusterlab.web.labs import files
from clusterlab.web.labs.growing import SLICE_S
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.models import Lab as LabRecord
from clusterlab.web.models import Replay

__all__ = ["breakpoints", "compare", "export", "held", "import_lab", "replay", "replay_page", "replays"]

#: Bytes of a lab's file that is opened, and of one that is kept behind a link.
MAX_FILE, MAX_KEPT = 24 << 20, 8 << 20
MAX_REPLAYS = 20


@endpoint("GET", "PUT", change=True)
async def breakpoints(request: HttpRequest, lab: Lab) -> Any:
    """Reads the lab's breakpoints, or replaces them: [condition, …] or [{condition, on}, …]."""
    if request.method == "PUT":
        await lab.set_breakpoints(api._body(request).get("breakpoints"))
    return {"breakpoints": lab.breakpoints.entries, "stopped": lab.state()["stopped"]}


@endpoint("GET", "POST", change=True)
async def held(request: HttpRequest, lab: Lab, number: int) -> Any:
    """A request that is held, with what is in it; POST lets it go on."""
    if request.method == "GET":
        return lab.held(number).shown()
    lab.release(number)
    return {"id": lab.id, **lab.state()}


async def fingerprints(lab: Lab) -> list[int]:
    """A number for each known step, those of the known future included; worked out once, in slices."""
    await lab.past()
    while True:
        generation, known = lab.fingerprints
        if generation != lab.generation:
            known = []
            lab.fingerprints = (lab.generation, known)
        sim = lab.cluster.sim
        steps = sim.steps + lab.history.future
        until = time.monotonic() + SLICE_S
        while len(known) < len(steps) and time.monotonic() < until:
            known.append(fingerprint(steps[len(known)]))
        if len(known) >= len(steps):
            return known[: len(steps)]
        await asyncio.sleep(0)


@endpoint("GET")
async def compare(request: HttpRequest, lab: Lab) -> Any:
    """This lab and another: the first step in which they part, and the objects that differ after step `seq` (by default: now)."""
    other_id = request.GET.get("with", "")
    other = await host.get(other_id)
    if other is None:
        raise LabError(f"there is no lab {other_id!r} to compare with", "with", "NotFound", 404)
    here, there = await fingerprints(lab), await fingerprints(other)
    shared = first_difference(here, there)
    seq = runs.integer(request.GET, "seq") if "seq" in request.GET else None
    if seq is not None and not 0 <= seq <= max(len(here), len(there)):
        raise LabError(f"seq goes from 0 to {max(len(here), len(there))}", "seq")
    seqs = [min(seq, one.history.last_seq) if seq is not None else one.cluster.sim.last_seq for one in (lab, other)]
    secrets_too = await access.may_edit(request, lab.id) and await access.may_edit(request, other.id)
    found = differences(objects_at(lab.cluster, seqs[0]), objects_at(other.cluster, seqs[1]), secrets_too)
    parted = shared < max(len(here), len(there))
    return {
        "id": lab.id, "with": other.id, "seq": seqs[0], "withSeq": seqs[1], "shared": shared, "first": shared + 1 if parted else None,
        "here": _heading(lab, shared), "there": _heading(other, shared), "last": len(here), "withLast": len(there), **found,
    }


def _heading(lab: Lab, place: int) -> dict[str, Any] | None:
    steps = lab.cluster.sim.steps + lab.history.future
    return project.heading(steps[place]) if place < len(steps) else None


# A lab as a file.


async def _file_of(lab: Lab, seq: int | None) -> bytes:
    await lab.past()
    record = await LabRecord.objects.aget(pk=lab.id)
    return orjson.dumps(files.export(lab, record.scenario, seq))


@endpoint("GET", change=True)
async def export(request: HttpRequest, lab: Lab) -> Any:
    """The lab as a file to download, at step `seq` or at the present one."""
    text = await _file_of(lab, runs.integer(request.GET, "seq") if "seq" in request.GET else None)
    answer = HttpResponse(text, content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="clusterlab-{lab.id}.json"'
    return answer


@endpoint("POST")
async def import_lab(request: HttpRequest) -> Any:
    """Opens a lab's file: a new lab of this visitor, paused at the step where the file's stood."""
    await api.check_visitor(request)
    made, key = await host.open_file(api._body(request, MAX_FILE))
    await api.remember_made(request, made)
    return await api._made(request, made, key)


# Replay links.


@endpoint("GET", "POST", change=True)
async def replays(request: HttpRequest, lab: Lab) -> Any:
    """Lists the lab's replay links, or makes one that opens at step `seq` or at the present one."""
    if request.method == "GET":
        kept = [one async for one in Replay.objects.filter(lab_id=lab.id).order_by("created").defer("file")]
        return {"replays": [_shown(request, one) for one in kept]}
    body = api._body(request)
    if await Replay.objects.filter(lab_id=lab.id).acount() >= MAX_REPLAYS:
        raise LabError(f"a lab has at most {MAX_REPLAYS} replay links; delete one", code="TooManyReplays", status=429)
    text = await _file_of(lab, runs.integer(body, "seq") if "seq" in body else None)
    if len(text) > MAX_KEPT:
        raise LabError(f"this lab's commands are more than the {MAX_KEPT >> 20} MB that a link keeps; export it as a file", status=413)
    file = orjson.loads(text)
    kept = await Replay.objects.acreate(id=secrets.token_urlsafe(18), lab_id=lab.id, name=lab.name, seq=file["at"]["seq"], file=file)
    return 201, _shown(request, kept)


def _shown(request: HttpRequest, kept: Replay) -> dict[str, Any]:
    return {"id": kept.id, "seq": kept.seq, "created": kept.created, "url": request.build_absolute_uri(f"/replays/{kept.id}/")}


@endpoint("DELETE", change=True)
async def replay(request: HttpRequest, lab: Lab, replay_id: str) -> Any:
    """Revokes a replay link. Labs that were opened through it stay."""
    gone, _counts = await Replay.objects.filter(pk=replay_id, lab_id=lab.id).adelete()
    if not gone:
        raise LabError(f"this lab has no replay link {replay_id!r}", code="NotFound", status=404)
    return {"id": replay_id}


@require_http_methods(["GET", "HEAD", "POST"])
async def replay_page(request: HttpRequest, replay_id: str) -> HttpResponse:
    """Says what a replay link holds; opening it makes a lab of the visitor's own, so that is a button, not the link itself."""
    kept = await Replay.objects.filter(pk=replay_id).afirst()
    if kept is None:
        return pages.error_page(request, 404, _("There is no recording at this address. It may have expired, or was taken back."))
    if request.method != "POST":
        file = kept.file
        context = {"replay": kept, "commands": len(file["commands"]), "scenario": (file["scenario"] or {}).get("name") or "blank"}
        return render(request, "replay.html", context)
    try:
        await api.check_visitor(request)
        made, key = await host.open_file(kept.file)
    except LabError as error:
        return pages.error_page(request, error.status, str(error))
    await api.remember_made(request, made)
    await access.remember_key(request.session, made.id, key)
    await Replay.objects.filter(pk=kept.pk).aupdate(used=timezone.now())
    return HttpResponseRedirect(f"/labs/{made.id}/")
