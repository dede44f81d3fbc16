"""What a class may begin on: a blank cluster, a lesson, a scenario of the gallery, the instructor's own YAML, or a lab that is there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from clusterlab.machinery.decode import ParseError, yaml_documents
from clusterlab.scenario.importing import ImportProblem, import_cluster
from clusterlab.scenario.releases import GALLERY
from clusterlab.web import access, api, importing, manifests
from clusterlab.web.accounts.belongings import current_user
from clusterlab.web.authoring import store
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lessons import catalogue, find, lesson_for_page, open_lesson, others
from clusterlab.web.models import Lab as LabRecord
from clusterlab.web.pages import PAGE_PACE_MS, name_of
from clusterlab.web.scale.at import at

__all__ = ["Begun", "begin", "choices"]

MAX_YAML = 2_000_000
#: Labs of one's own that are offered, the newest first.
MOST_LABS = 30


@dataclass(frozen=True)
class Begun:
    """The lab of a new class."""

    id: str
    key: str
    lesson: str


async def choices(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of what may be chosen: [{title, options: [{value, title}]}]."""
    drafts = [{"value": f"lesson:{store.draft_name(one)}", "title": one.title} for one in await store.mine(request)]
    lessons = [*catalogue(), *catalogue(found=await others(request))]
    groups = [
        (_("Lessons"), [{"value": f"lesson:{one['name']}", "title": one["title"]} for one in lessons]),
        (_("Your own lessons, as you saved them last"), drafts),
        (_("Releases"), [{"value": f"release:{name}", "title": _(title)} for name, (title, _text, _make) in GALLERY.items()]),
        (_("Examples of manifests"), [{"value": f"manifest:{name}", "title": shown[0]} for name, shown in manifests._gallery().items()]),
        (_("A copy of a lab of yours"), await _labs(request)),
    ]
    return [{"title": title, "options": options} for title, options in groups if options]


async def _labs(request: HttpRequest) -> list[dict[str, str]]:
    user = await current_user(request.session)
    assert user is not None
    found = []
    async for owned in user.labs.select_related("lab").filter(lab__classes=None).order_by("-lab__used")[:MOST_LABS]:
        lab = owned.lab
        title = lab.name or lab.lesson or name_of(lab.scenario) or _("a blank cluster")
        found.append({"value": f"lab:{lab.pk}", "title": f"{title} · {lab.pk[:6]} · {lab.used:%Y-%m-%d %H:%M}"})
    return found


async def begin(request: HttpRequest) -> Begun:
    """Makes the lab that the form asks for: `on`, `nodes`, `yaml` or an uploaded `file`. Raises LabError."""
    on, text = request.POST.get("on", ""), _text(request)
    if not on and request.POST.get("lesson"):
        on = f"lesson:{request.POST['lesson']}"
    kind, _colon, name = on.partition(":")
    if text and kind in ("", "blank", "yaml"):
        return await _made(request, await _scenario(request, text))
    if kind == "lesson":
        await open_lesson(request, name)
        return await _made(request, lesson_for_page(name), find(name).name)
    if kind == "release":
        return await _made(request, {"scenario": name, "name": name[:80]})
    if kind == "manifest" and name in manifests._gallery():
        title, example = manifests._gallery()[name]
        return await _made(request, {"scenario": _of_manifests(request, example), "name": title[:80]})
    if kind == "lab":
        return await _copied(request, name)
    if kind == "yaml":
        raise LabError(_("Paste YAML, or choose a file."), "yaml")
    if kind not in ("", "blank"):
        raise LabError(_("A class begins on nothing of that name."), "on")
    return await _made(request, {"nodes": _nodes(request)})


def _nodes(request: HttpRequest) -> int:
    nodes = request.POST.get("nodes", "3")
    if not (nodes.isdecimal() and len(nodes) < 5):
        raise LabError(_("The number of workers must be a whole number."), "nodes")
    return int(nodes)


def _text(request: HttpRequest) -> str:
    """What was pasted or uploaded. Raises LabError."""
    file = request.FILES.get("file")
    if file is not None and file.size:
        if file.size > MAX_YAML:
            raise LabError(_("The file is larger than {most} bytes.").format(most=MAX_YAML), "file", "TooLarge", 413)
        try:
            return file.read(MAX_YAML).decode()
        except UnicodeDecodeError:
            raise LabError(_("The file is no text in UTF-8."), "file") from None
    return request.POST.get("yaml", "").strip()


async def _made(request: HttpRequest, body: dict[str, Any], lesson: str = "") -> Begun:
    made, key = await api.new_lab(request, {"pace": PAGE_PACE_MS, "paused": True, **body})
    await access.remember_key(request.session, made.id, key)
    return Begun(made.id, key, lesson)


async def _copied(request: HttpRequest, lab_id: str) -> Begun:
    """A copy of a lab whose key the instructor holds; the lab itself stays as it is."""
    key = await access.session_key(request.session, lab_id)
    if not key or not await access.key_fits(lab_id, key):
        raise LabError(_("There is no such lab of yours."), "on", "NotFound", 404)
    await api.check_visitor(request)
    made = await at(lab_id, "class-copy")
    await access.remember_key(request.session, made["id"], made["key"])
    record = await LabRecord.objects.aget(pk=made["id"])
    return Begun(made["id"], made["key"], record.lesson)


def _documents(text: str) -> list[Any]:
    try:
        return yaml_documents(text)
    except ParseError as error:
        raise LabError(_("The YAML cannot be read: {why}").format(why=str(error)[:300]), "yaml") from None


def _of_manifests(request: HttpRequest, text: str) -> dict[str, Any]:
    return {"apiVersion": "clusterlab/v1", "kind": "Scenario", "nodes": _nodes(request), "manifests": _documents(text)}


async def _scenario(request: HttpRequest, text: str) -> dict[str, Any]:
    """What YAML means: a scenario file; the dump of a real cluster, with its nodes; or manifests on a blank cluster."""
    documents = await asyncio.get_running_loop().run_in_executor(None, _documents, text)
    kinds = [document.get("kind") if isinstance(document, dict) else None for document in documents]
    if "Scenario" in kinds:
        if len(documents) != 1:
            raise LabError(_("A scenario file holds one document."), "yaml")
        if any(isinstance(one, str) for one in documents[0].get("manifests") or ()):
            raise LabError(_("Files that a scenario names are not here: write their objects into its manifests."), "yaml")
        return {"scenario": documents[0]}
    items = [item for document in documents if isinstance(document, dict) for item in _items(document)]
    if not items or not all(isinstance(item, dict) and item.get("apiVersion") and item.get("kind") for item in items):
        raise LabError(_("This is neither a scenario nor manifests: each document has apiVersion and kind."), "yaml")
    if not any(item.get("kind") == "Node" for item in items):
        return {"scenario": {"apiVersion": "clusterlab/v1", "kind": "Scenario", "nodes": _nodes(request), "manifests": items}}
    async with importing.AT_ONCE:
        try:
            imported = await asyncio.get_running_loop().run_in_executor(None, import_cluster, text, 1)
        except ImportProblem as error:
            raise LabError(str(error), "yaml") from None
        await importing.tried(imported)
    return {"scenario": imported.scenario, "name": "imported"}


def _items(document: dict[str, Any]) -> list[Any]:
    items = document.get("items")
    return items if document.get("kind", "").endswith("List") and isinstance(items, list) else [document]
