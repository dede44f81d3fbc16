"""Manifests over the REST API: apply, try and compare what a person edits, take out what is there, and a gallery to start from.

Applying is server-side apply (docs of Kubernetes: reference/using-api/server-side-apply), a dry run the same with dryRun=All; both go
through the lab's API server as any client's requests do."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import yaml
from django.http import HttpRequest, HttpResponse

from clusterlab.machinery.decode import yaml_documents
from clusterlab.machinery.scheme import split_api_version
from clusterlab.scenario.importing.objects import ORDER, cleaned, left_out
from clusterlab.scenario.kubectl import path_of
from clusterlab.web import access
from clusterlab.web.api import _body, endpoint
from clusterlab.web.kubeapi import guest_headers, perform
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["export", "gallery", "gallery_file", "made_by_people", "manifests"]

Object = dict[str, Any]

GALLERY = Path(__file__).resolve().parent / "gallery"
TEXT_MOST = 1_000_000
OBJECTS_MOST = 200
MODES = ("apply", "dry-run", "diff")
#: What every lab has from the start.
_OWN = {("StorageClass", "standard")}
#: A warning as the API server sends it (RFC 7234, 5.5).
_WARNING = re.compile(r'299 \S+ "(.*)"')
_HIDDEN = ("managedFields", "uid", "resourceVersion", "creationTimestamp", "generation")


@endpoint("POST", change=True)
async def manifests(request: HttpRequest, lab: Lab) -> Any:
    """{text, mode, namespace?} → {objects: [{document, object, outcome, message, path, warnings, live, merged}]}."""
    body = _body(request)
    text, mode, namespace = body.get("text"), body.get("mode", "apply"), body.get("namespace", "default")
    if not isinstance(text, str) or len(text) > TEXT_MOST:
        raise LabError(f"text must be a text of at most {TEXT_MOST} characters", "text")
    if mode not in MODES:
        raise LabError(f"mode must be one of {', '.join(MODES)}", "mode")
    if not isinstance(namespace, str) or len(namespace) > 63:
        raise LabError("namespace must be a name", "namespace")
    key = access.bearer(request) or await access.session_key(request.session, lab.id) or ""
    headers = await guest_headers(key)
    answers = []
    for number, obj in _objects(text):
        answers.append({"document": number, **await _one(lab, obj, mode, namespace, headers)})
    await access.tell(key, lab.id, f"{mode} {len(answers)} manifests", any(each["outcome"] == "refused" for each in answers))
    return {"objects": answers}


def _objects(text: str) -> list[tuple[int, Object]]:
    try:
        documents = yaml_documents(text)
    except ValueError as error:
        raise LabError(str(error)[:400], "text") from None
    found: list[tuple[int, Object]] = []
    for number, document in enumerate(documents):
        items = document.get("items") if isinstance(document, dict) and document.get("kind") == "List" else None
        for obj in items if isinstance(items, list) else [document]:
            if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict) or not isinstance(obj["metadata"].get("name"), str):
                raise LabError(f"document {number + 1} is no object with apiVersion, kind and metadata.name", "text")
            found.append((number, obj))
    if not found:
        raise LabError("there is no manifest in the text", "text")
    if len(found) > OBJECTS_MOST:
        raise LabError(f"{len(found)} objects are in the text; at most {OBJECTS_MOST} are taken", "text")
    return found


async def _one(lab: Lab, obj: Object, mode: str, namespace: str, headers: dict[str, str]) -> Object:
    """What becomes of one object."""
    kind, api_version, meta = str(obj.get("kind")), str(obj.get("apiVersion")), obj["metadata"]
    resource = lab.cluster.api.scheme.by_gvk(*split_api_version(api_version), kind)
    said: Object = {"object": f"{kind} {meta['name']}", "outcome": "refused", "message": "", "path": ""}
    if resource is None:
        return {**said, "message": f'no matches for kind "{kind}" in version "{api_version}"', "path": "kind"}
    path = path_of(resource, str(meta.get("namespace") or namespace), meta["name"])
    live, _ = await _ask(lab, "GET", path, {}, headers, b"")
    query = {"fieldManager": "clusterlab-page", "force": "true", "fieldValidation": "Strict"}
    if mode != "apply":
        query["dryRun"] = "All"
    done, warnings = await _ask(lab, "PATCH", path, query, headers, orjson.dumps(obj))
    if done.get("kind") == "Status" and done.get("status") == "Failure":
        causes = (done.get("details") or {}).get("causes") or [{}]
        return {**said, "message": str(done.get("message"))[:2000], "path": str(causes[0].get("field", ""))}
    before = None if live.get("kind") == "Status" else live
    outcome = "created" if before is None else "unchanged" if _shown(before) == _shown(done) else "changed"
    said |= {"outcome": outcome, "warnings": [text.replace('\\"', '"') for text in warnings[:20]]}
    return said if mode != "diff" else {**said, "live": _yaml(_shown(before)) if before else "", "merged": _yaml(_shown(done))}


async def _ask(lab: Lab, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> tuple[Object, list[str]]:
    """(the answer, the warnings that came with it)."""
    sent = {"user-agent": "clusterlab-page", "accept": "application/json", **headers}
    if body:
        sent["content-type"] = "application/apply-patch+yaml"
    answer = await perform(lab, method, path, urlencode(query), sent, body)
    found: Object = orjson.loads(answer.body)
    return found, [text[1] for name, value in answer.headers if name == "Warning" and (text := _WARNING.fullmatch(value))]


def _shown(obj: Object) -> Object:
    """An object without what changes by itself."""
    meta = {name: value for name, value in obj["metadata"].items() if name not in _HIDDEN}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": meta}


def _yaml(obj: Object) -> str:
    text: str = yaml.dump(obj, Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True)
    return text


def made_by_people(lab: Lab) -> list[Object]:
    """All that people made in the lab, in the order in which it can be applied, without what a server adds."""
    found: list[Object] = []
    there: set[tuple[str, str, str]] = set()
    objects: list[Object] = []
    for resource in lab.cluster.api.scheme.resources:
        if not resource.preferred:
            continue
        for _, obj in lab.cluster.objects(resource.string):
            whole = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
            there.add((whole["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))
            objects.append(whole)
    custom = {(resource.group, resource.kind) for resource in lab.cluster.api.scheme.resources if resource.custom}
    for obj in objects:
        own = (obj["kind"], obj["metadata"]["name"]) in _OWN
        if obj["kind"] != "Node" and not own and not left_out(obj, there, custom)[0]:
            found.append(cleaned(obj, []))
    place = {kind: at for at, kind in enumerate(ORDER)}
    found.sort(key=lambda obj: (place.get(obj["kind"], len(ORDER)), obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))
    return found[:2000]


@endpoint("GET", change=True)
async def export(request: HttpRequest, lab: Lab) -> Any:
    """All that people made in the lab, as manifests that make it anew."""
    text = "---\n".join(_yaml(obj) for obj in made_by_people(lab))
    answer = HttpResponse(text, content_type="application/yaml")
    answer.headers["Content-Disposition"] = f'attachment; filename="cluster-{lab.id}.yaml"'
    return answer


@lru_cache(1)
def _gallery() -> dict[str, tuple[str, str]]:
    """Name → (title, text). A file's title is its first comment."""
    found = {}
    for path in sorted(GALLERY.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        found[path.stem.partition("-")[2]] = (text.split("\n", 1)[0].removeprefix("# "), text)
    return found


@endpoint("GET")
async def gallery(request: HttpRequest) -> Any:
    return {"manifests": [{"name": name, "title": title} for name, (title, _) in _gallery().items()]}


@endpoint("GET")
async def gallery_file(request: HttpRequest, name: str) -> Any:
    if name not in _gallery():
        raise LabError(f"the gallery has no {name!r}", code="NotFound", status=404)
    title, text = _gallery()[name]
    return {"name": name, "title": title, "text": text}
