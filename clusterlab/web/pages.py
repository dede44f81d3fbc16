"""Pages: the front page and the lab page."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from clusterlab.web import access, api
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.lessons import catalogue, lesson_for_page, open_lesson, ready, remember_lab
from clusterlab.web.models import Lab as LabRecord
from clusterlab.web.said import said
from clusterlab.web.tls.scopes import offer_of

__all__ = ["bad_request", "error_page", "forbidden", "front", "lab", "lab_context", "name_of", "new_lab", "not_found", "server_error"]

#: How long, in wall ms, each step that matters takes in a lab started on the page, so that it can be followed.
PAGE_PACE_MS = 160
#: The front page shows the first lessons; the catalogue has all.
FRONT_LESSONS = 6


@require_GET
async def front(request: HttpRequest) -> HttpResponse:
    return render(request, "front.html", {"lessons": catalogue()[:FRONT_LESSONS], "person": await request.auser()})


@require_POST
async def new_lab(request: HttpRequest) -> HttpResponse:
    """The form of the front page: workers, lesson; `paused`: the cluster stands still until somebody lets it go on."""
    body: dict[str, Any] = {"pace": PAGE_PACE_MS, "paused": bool(request.POST.get("paused"))}
    try:
        lesson = request.POST.get("lesson", "")
        if lesson:
            await open_lesson(request, lesson)
            body |= lesson_for_page(lesson)
        elif request.POST.get("scenario"):
            body["scenario"] = request.POST["scenario"][:100]
        elif request.POST.get("nodes"):
            if not (request.POST["nodes"].isdecimal() and len(request.POST["nodes"]) < 10):
                raise LabError(_("The number of workers must be a whole number."), "nodes")
            body["nodes"] = int(request.POST["nodes"])
        made, key = await api.new_lab(request, body)
    except LabError as error:
        return error_page(request, error.status, str(error))
    await access.remember_key(request.session, made.id, key)
    if made.lesson:
        await remember_lab(request.session, made.lesson, made.id)
    return HttpResponseRedirect(f"/labs/{made.id}/")


@require_GET
async def lab(request: HttpRequest, lab_id: str) -> HttpResponse:
    try:
        found = await host.get(lab_id)
    except LabError as error:
        return error_page(request, error.status, str(error))
    if found is None:
        return error_page(request, 404, _("There is no lab at this address. It may have expired: start a new one."))
    return render(request, "lab.html", await lab_context(request, found))


async def lab_context(request: HttpRequest, found: Lab | LabRecord) -> dict[str, Any]:
    """What the lab page needs: the lab as this visitor may have it, and its lesson. The record of a lab will do as well as the lab, which
    may be asleep or at another host."""
    lab_id = found.id
    scenario = found.cluster.scenario.name if isinstance(found, Lab) else name_of(found.scenario)
    key = await access.session_key(request.session, lab_id)
    can_edit = bool(key) and await access.may_edit(request, lab_id)
    server = request.build_absolute_uri(f"/kube/{key}") if can_edit else ""
    from clusterlab.web.lesson_done import beginning
    from clusterlab.web.lesson_notes import notes_of
    from clusterlab.web.lessons import rendered

    if found.lesson:
        await ready(found.lesson)
    draft = await _own_draft(request, found.lesson) if found.lesson else ""
    shown = rendered(found.lesson) if found.lesson else None
    if shown is None and draft:  # only its author, who can mend it, sees a lesson that does not load
        shown = {"name": found.lesson, "title": _("A lesson that cannot be read yet"), "html": "", "steps": []}

    line, with_tls = (f"curl -so clusterlab.yaml {address} && export KUBECONFIG=$PWD/clusterlab.yaml"
                      for address in (f"{server}/kubeconfig", f"'{server}/kubeconfig?tls=1'"))
    over_tls = offer_of(getattr(request, "scope", {})) is not None
    return {
        "lab": {
            "id": found.id, "scenario": scenario or "blank", "url": request.build_absolute_uri(f"/labs/{found.id}/"),
            "key": key if can_edit else "", "server": server, "can_edit": can_edit,
            "kubeconfig_line": line if can_edit else "", "kubeconfig_tls_line": with_tls if can_edit and over_tls else "",
        },
        "lesson": shown, "draft": draft,
        "notes": json.dumps(await notes_of(request.session, lab_id, found.lesson)) if shown else "",
        "begin": await beginning(lab_id) if shown else 0,
        "live": settings.CLUSTERLAB["LIVE"],
    }


def name_of(scenario: Any) -> str:
    """The name of a scenario as it is stored."""
    if not isinstance(scenario, dict):
        return ""
    meta = scenario.get("metadata")
    return str(scenario.get("name") or (meta.get("name") if isinstance(meta, dict) else "") or "")[:253]


async def _own_draft(request: HttpRequest, name: str) -> str:
    """The id of the lesson that whoever asks may edit on the lab page, or ""; lays it out for the loader as well."""
    from clusterlab.web.authoring import store

    try:
        await store.ensure(request, name)
        return (await store.owned(request, store.id_of(name))).pk if name.endswith(store.DRAFT) and store.id_of(name) else ""
    except LabError:
        return ""


def error_page(request: HttpRequest, status: int, message: str) -> HttpResponse:
    message = said(message)
    if request.path.startswith("/api/"):
        return JsonResponse({"error": {"code": str(status), "message": message}}, status=status)
    return render(request, "error.html", {"status": status, "message": message}, status=status)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 404, _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for whatever went wrong within a view. A database that does not answer is no mistake of ours, and passes."""
    if isinstance(sys.exc_info()[1], OperationalError):
        answer = error_page(request, 503, _("The database does not answer just now. Nothing is lost: try again in a moment."))
        answer["Retry-After"] = "1"
        return answer
    return error_page(request, 500, _("Something went wrong on our side. The lab itself is safe: go back and try again."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 403, _("This was refused. If it came from an old page, load it again and retry."))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 400, _("The request could not be understood."))
