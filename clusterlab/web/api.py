"""The REST API of labs: DESIGN.md section 4. JSON in and out; errors as {"error": {"code", "message", "field"?}}."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from clusterlab.stream import project
from clusterlab.stream.why import FieldError, why_field, without_values
from clusterlab.web import access, lesson_done, runs, throttle
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.models import Lab as LabRecord
from clusterlab.web.said import said
from clusterlab.web.tls.kubeconfig import NO_TLS, kubeconfig, kubeconfig_over_tls
from clusterlab.web.tls.scopes import offer_of

View = Callable[..., Awaitable[Any]]

__all__ = ["error_response", "json_response"]

MAX_BODY = 1024 * 1024
MAX_STEPS = 2000
FRAMES_AT_ONCE = 40
TOO_MANY_MISSES = "too many labs that do not exist were asked for from your address; wait a minute"


def json_response(data: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(data), status=status, content_type="application/json")


def error_response(error: LabError) -> HttpResponse:
    body: dict[str, Any] = {"code": error.code, "message": said(str(error))}
    if error.field:
        body["field"] = error.field
    return json_response({"error": body}, error.status)


def _body(request: HttpRequest, most: int = MAX_BODY) -> dict[str, Any]:
    length = request.headers.get("Content-Length") or "0"
    if not length.isdecimal() or int(length[:20]) > most:
        raise LabError(f"the body is larger than {most} bytes", code="TooLarge", status=413)
    try:
        raw = request.body if most == MAX_BODY else request.read(most)
    except RequestDataTooBig:
        raise LabError(f"the body is larger than {most} bytes", code="TooLarge", status=413) from None
    if not raw:
        return {}
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise LabError(f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise LabError("the body must be a JSON object")
    return data


def endpoint(*methods: str, change: bool = False) -> Callable[[View], View]:
    """A view of the API: methods, JSON body, errors; with `lab_id` in the path, the lab; with `change`, the right to change it."""

    def wrap(view: View) -> View:
        @csrf_exempt
        @functools.wraps(view)
        async def inner(request: HttpRequest, lab_id: str | None = None, **path: Any) -> HttpResponse:
            try:
                if request.method not in methods:
                    raise LabError(f"use {' or '.join(methods)} here", code="MethodNotAllowed", status=405)
                if request.method not in ("GET", "HEAD"):
                    access.check_origin(request)
                if lab_id is None:
                    answer = await view(request, **path)
                else:
                    address = throttle.address_of(request.scope)  # type: ignore[attr-defined]
                    if lab_id not in host.labs and throttle.misses.exhausted(address):
                        raise LabError(TOO_MANY_MISSES, code="TooManyRequests", status=429)
                    lab = await host.get(lab_id)
                    if lab is None:
                        throttle.misses.count(address)
                        raise LabError(f"there is no lab {lab_id!r}", code="NotFound", status=404)
                    if change:
                        if not await access.may_edit(request, lab_id):
                            raise LabError("this lab's key is needed: send it as a bearer token", code="Forbidden", status=403)
                        access.check_csrf(request)
                    if request.method in ("GET", "HEAD"):
                        await lab.stands.wait()
                    answer = await _seen(request, view(request, lab, **path))
            except LabError as error:
                return error_response(error)
            if isinstance(answer, HttpResponse):
                return answer
            status, data = answer if isinstance(answer, tuple) else (200, answer)
            return json_response(data, status)

        return inner

    return wrap


async def _seen(request: HttpRequest, answer: Awaitable[Any]) -> Any:
    """The answer of a view; null to a read with `missing=null` of what is not there: a page shows what was a moment ago."""
    try:
        return await answer
    except LabError as error:
        if error.status == 404 and request.method == "GET" and request.GET.get("missing") == "null":
            return None
        raise


def _server(request: HttpRequest, key: str) -> str:
    return request.build_absolute_uri(f"/kube/{key}")


async def _made(request: HttpRequest, lab: Lab, key: str) -> tuple[int, dict[str, Any]]:
    await access.remember_key(request.session, lab.id, key)
    sim = lab.cluster.sim
    notice = {"notice": lab.notice} if lab.notice else {}
    return 201, {
        **notice, "id": lab.id, "key": key, "url": request.build_absolute_uri(f"/labs/{lab.id}/"), "server": _server(request, key),
        "seq": sim.last_seq, "time": sim.time_ms,
    }


async def check_visitor(request: HttpRequest) -> None:
    """Refuses one more lab to a visitor who has as many as one may, or to an address that makes them too fast."""
    address = throttle.address_of(request.scope)  # type: ignore[attr-defined]
    if not throttle.is_loopback(address):
        if throttle.new_labs.exhausted(address):
            raise LabError("too many new labs came from your address; wait a minute", code="TooManyRequests", status=429)
        throttle.new_labs.count(address)
    made = await request.session.aget("made", [])
    limit = settings.CLUSTERLAB["MAX_LABS_PER_VISITOR"]
    if len(made) < limit:
        return
    made = [pk async for pk in LabRecord.objects.filter(pk__in=made).values_list("pk", flat=True)]
    await request.session.aset("made", made)
    if len(made) >= limit:
        raise LabError(f"you have {limit} labs, as many as one visitor may; reset one instead", code="TooManyLabs", status=429)


async def remember_made(request: HttpRequest, lab: Lab) -> None:
    """Counts a lab among those of the visitor."""
    await request.session.aset("made", [*(await request.session.aget("made", [])), lab.id][-500:])


async def new_lab(request: HttpRequest, body: dict[str, Any]) -> tuple[Lab, str]:
    """Makes a lab from {scenario?, seed?, nodes?, begin?, …}, within the visitor's limit. `begin`: how far it has run by then."""
    known = {"scenario", "seed", "nodes", "name", "lesson", "paused", "pace", "begin"}
    for field in body:
        if field not in known:
            raise LabError(f"unknown field {field!r}; known are {', '.join(sorted(known))}", field)
    await check_visitor(request)
    scenario = runs.scenario_of(body)
    name = body.get("name", "")
    if not isinstance(name, str) or len(name) > 80 or "\0" in name:
        raise LabError("name must be a text of at most 80 characters", "name")
    playing, begin = not body.get("paused", False), runs.beginning(body.get("begin", ""))
    lab, key = await host.create(
        scenario, name=name, lesson=str(body.get("lesson", ""))[:80].replace("\0", ""), playing=playing and begin is None,
        pace_ms=runs.number(body, "pace", 0.0, 0.0, 5000.0),
    )
    await remember_made(request, lab)
    if begin is not None:
        await runs.run(lab, {"until": begin, "limit": runs.CONDITION_LIMIT})  # whoever asks for a page waits for it
        await lesson_done.begun(lab)
        if playing:
            await lab.play()
    return lab, key


@endpoint("POST")
async def labs(request: HttpRequest) -> Any:
    lab, key = await new_lab(request, _body(request))
    return await _made(request, lab, key)


@endpoint("GET")
async def lab(request: HttpRequest, lab: Lab) -> Any:
    lab.tick_clock()
    notice = {"notice": lab.notice} if lab.notice else {}
    return {"id": lab.id, **lab.state(), "scenario": lab.cluster.scenario.name or "blank", **notice}


@endpoint("POST", change=True)
async def run(request: HttpRequest, lab: Lab) -> Any:
    await runs.run(lab, _body(request))
    return {"id": lab.id, **lab.state(), "scenario": lab.cluster.scenario.name or "blank"}


@endpoint("POST", change=True)
async def play(request: HttpRequest, lab: Lab) -> Any:
    await runs.play(lab, _body(request))
    return {"id": lab.id, **lab.state()}


@endpoint("POST", change=True)
async def pause(request: HttpRequest, lab: Lab) -> Any:
    await lab.pause()
    return {"id": lab.id, **lab.state()}


@endpoint("POST", change=True)
async def seek(request: HttpRequest, lab: Lab) -> Any:
    await lab.seek(runs.integer(_body(request), "seq"))
    return {"id": lab.id, **lab.state()}


@endpoint("POST", change=True)
async def hold(request: HttpRequest, lab: Lab) -> Any:
    await lab.set_hold(bool(_body(request).get("hold", True)))
    return {"id": lab.id, **lab.state()}


@endpoint("POST", change=True)
async def reset(request: HttpRequest, lab: Lab) -> Any:
    await lab.seek(0)
    return {"id": lab.id, **lab.state()}


@endpoint("POST", change=True)
async def fork(request: HttpRequest, lab: Lab) -> Any:
    body = _body(request)
    await check_visitor(request)
    other, key = await host.fork(lab, runs.integer(body, "seq") if "seq" in body else None)
    await remember_made(request, other)
    return await _made(request, other, key)


@endpoint("POST", change=True)
async def faults(request: HttpRequest, lab: Lab) -> Any:
    fault_id = await runs.fault(lab, _body(request), await access.key_of(request, lab.id))
    return 201, {"id": fault_id}


@endpoint("DELETE", change=True)
async def fault(request: HttpRequest, lab: Lab, fault_id: str) -> Any:
    await runs.heal(lab, fault_id, await access.key_of(request, lab.id))
    return {"id": fault_id}


@endpoint("GET")
async def steps(request: HttpRequest, lab: Lab) -> Any:
    sim = lab.cluster.sim
    if runs.integer(request.GET, "from", sim.first_seq) < sim.first_seq:
        await lab.past()
    first = max(runs.integer(request.GET, "from", sim.first_seq), sim.first_seq)
    limit = runs.integer(request.GET, "limit", 500)
    if not 1 <= limit <= MAX_STEPS:
        raise LabError(f"limit goes from 1 to {MAX_STEPS}", "limit")
    last = min(sim.last_seq, first + limit - 1)
    if request.GET.get("part") == "headings":
        return {"steps": [project.heading(step) for step in sim.steps[first - sim.first_seq : last + 1 - sim.first_seq]]}
    frames, generation = [], lab.generation
    while first <= last and generation == lab.generation:  # in slices: old frames are made anew
        frames += lab.frames.get(first, min(last, first + FRAMES_AT_ONCE - 1))
        first += FRAMES_AT_ONCE
        await asyncio.sleep(0)
    return HttpResponse(b'{"steps":[' + b",".join(frames) + b"]}", content_type="application/json")


@endpoint("GET")
async def why(request: HttpRequest, lab: Lab) -> Any:
    key = request.GET.get("object", "")
    if key.count("/") not in (1, 2):
        raise LabError("object is written as pods/default/NAME, or nodes/NAME", "object")
    await lab.past()
    if "field" in request.GET:
        try:
            found = why_field(lab.cluster, key, request.GET["field"])
        except FieldError as error:
            raise LabError(str(error), "field", "NotFound", 404) from None
        if key.startswith("secrets/") and not await access.may_edit(request, lab.id):
            found = without_values(found)
        return found
    chain = lab.cluster.why(key)
    if not chain:
        raise LabError(f"no step has touched {key}", "object", "NotFound", 404)
    return {"chain": [project.heading(step) for step in chain]}


@endpoint("GET")
async def decisions(request: HttpRequest, lab: Lab) -> Any:
    pod = request.GET.get("pod", "")
    decision = lab.cluster.decision_of(pod)
    if decision is None:
        raise LabError(f"the scheduler has not decided on a pod {pod!r} (write NAMESPACE/NAME)", "pod", "NotFound", 404)
    return decision


@endpoint("GET")
async def objects(request: HttpRequest, lab: Lab, key: str) -> Any:
    await lab.past()
    found = lab.cluster.inspect(key)
    if found is None:
        raise LabError(f"there is no object {key}", code="NotFound", status=404)
    if key.startswith("secrets/") and not await access.may_edit(request, lab.id):
        raise LabError("secrets are shown to those who hold the lab's key", code="Forbidden", status=403)
    return found


@endpoint("GET")
async def kubeconfig_view(request: HttpRequest, lab: Lab) -> Any:
    if not await access.may_edit(request, lab.id):
        raise LabError("this lab's key is needed: send it as a bearer token", code="Forbidden", status=403)
    key = access.bearer(request) or await access.session_key(request.session, lab.id) or ""
    name, offer = f"clusterlab-{lab.id}", offer_of(getattr(request, "scope", {}))
    if request.GET.get("tls") != "1" or (offer is None and settings.HTTPS):
        text = kubeconfig(_server(request, key), name)
    elif offer is None:
        raise LabError(NO_TLS, "tls", "NotFound", 404)
    else:
        text = kubeconfig_over_tls(offer, request.get_host(), key, name)
    return HttpResponse(text, content_type="application/yaml")


@endpoint("GET")
async def not_here(request: HttpRequest, **path: Any) -> Any:
    raise LabError("there is nothing at this address", code="NotFound", status=404)
