"""Importing a real cluster over the REST API: POST /api/import reads, tries and reports; with `open` it makes the lab too."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from clusterlab.cluster import Cluster
from clusterlab.scenario.importing import Imported, ImportProblem, import_cluster
from clusterlab.scenario.load import load
from clusterlab.scenario.reader import ScenarioError
from clusterlab.web import api, runs
from clusterlab.web.labs.growing import SLICE_S, apart
from clusterlab.web.labs.lab import LabError
from clusterlab.web.said import said

__all__ = ["import_page", "import_view", "tried"]

MAX_BODY = 4_000_000
#: Imports that are read and tried at the same time.
AT_ONCE = asyncio.Semaphore(2)
#: How long the trial of a scenario may take, in seconds; what has not been tried by then is not.
TRIAL_S = 30.0
#: Letters of a refusal that the report keeps.
REASON_MOST = 300


def _asked(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    """(the text, the rest of the body): JSON with `text`, or the text itself as application/yaml."""
    length = request.headers.get("Content-Length") or "0"
    if not length.isdecimal() or int(length[:20]) > MAX_BODY:
        raise LabError(f"the body is larger than {MAX_BODY} bytes", code="TooLarge", status=413)
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind in ("application/yaml", "application/x-yaml", "text/yaml"):
        return request.body.decode(errors="replace"), {}
    if kind != "application/json":
        raise LabError("send application/json with text, or the text itself as application/yaml", code="UnsupportedMediaType", status=415)
    try:
        body = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError as error:
        raise LabError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        raise LabError("text must be what kubectl get … -o yaml prints", "text")
    return body["text"], body


async def tried(imported: Imported) -> None:
    """Runs the scenario's manifests against a cluster of its own, in slices; what is refused is taken out and reported."""
    manifests = imported.scenario["manifests"]
    rest = {name: value for name, value in imported.scenario.items() if name not in ("manifests", "timeline", "images")}
    try:
        load(imported.scenario)
        cluster = Cluster(load(rest), boot=False)
    except ScenarioError as error:
        raise LabError(f"the cluster does not make a scenario: {error}", "text") from None
    ends, until = time.monotonic() + TRIAL_S, time.monotonic() + SLICE_S
    for _ in cluster.booting():
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + SLICE_S
    kept = []
    for manifest in manifests:
        problem = "" if time.monotonic() > ends else _refusal(cluster, manifest)
        if problem:
            meta = manifest["metadata"]
            imported.note("missing", f"{manifest['kind']} {meta.get('namespace', '')}/{meta['name']}".replace(" /", " "), problem)
        else:
            kept.append(manifest)
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + SLICE_S
    imported.scenario["manifests"] = kept
    imported.counts["refused"] = len(manifests) - len(kept)
    imported.counts["taken"] = len(kept)
    await apart(cluster)


def _short(why: str) -> str:
    return why if len(why) <= REASON_MOST else f"{why[: REASON_MOST - 1]}…"


def _refusal(cluster: Cluster, manifest: dict[str, Any]) -> str:
    """Why the API server would not take a manifest; "" where it does."""
    try:
        answer = cluster.apply(manifest)
    except Exception as error:
        return _short(str(error)) or type(error).__name__
    if getattr(answer, "code", 200) < 400:
        return ""
    try:
        return _short(str(orjson.loads(answer.body).get("message", ""))) or "refused"
    except (orjson.JSONDecodeError, AttributeError):
        return "refused"


@api.endpoint("POST")
async def import_view(request: HttpRequest) -> Any:
    """{text, seed?, mask?, open?} → {scenario, report, counts}, or with `open` 201 and the lab, its report with it."""
    text, body = _asked(request)
    await api.check_visitor(request)
    async with AT_ONCE:
        try:
            seed, mask = runs.integer(body, "seed", 1), body.get("mask") is True
            imported = await asyncio.get_running_loop().run_in_executor(None, import_cluster, text, seed, mask)
        except ImportProblem as error:
            raise LabError(str(error), "text") from None
        await tried(imported)
    told = {"report": [{**row, "message": said(row["message"])} for row in imported.report], "counts": imported.counts}
    if not body.get("open"):
        return {"scenario": imported.scenario, **told}
    pace = runs.number(body, "pace", 0.0, 0.0, 5000.0)
    lab, key = await api.new_lab(request, {"scenario": imported.scenario, "name": "imported", "pace": pace})
    status, made = await api._made(request, lab, key)
    return status, {**made, **told}


@require_GET
async def import_page(request: HttpRequest) -> HttpResponse:
    return render(request, "import.html")
