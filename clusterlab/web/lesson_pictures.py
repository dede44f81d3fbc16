"""Pictures within a lesson's text: files of its folder, and of the stage: what the page needs to draw a moment that is past, or what a
lens shows beside the stream.

A moment is a step of the lab, by its number or by a condition that stands in a stage block of the lesson: the first step that met it.
The lab itself does not move: its past is worked out on a branch of it, and what was worked out last is kept.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from clusterlab.cluster import Cluster
from clusterlab.lessons.images import PATH, TYPES, problem_with_image
from clusterlab.lessons.loader import Lesson
from clusterlab.stream import access, looks, owners, project
from clusterlab.stream.conditions import parse_condition
from clusterlab.web import lessons, runs
from clusterlab.web.api import endpoint
from clusterlab.web.labs.growing import apart, branched
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["image", "picture"]

#: Pictures kept of each lab.
KEPT = 12
#: Steps that are looked through for the scheduler's last decision.
STEPS_READ = 2_000
_LENSES = ("workloads", "control-plane", "scheduling", "etcd", "ownership", "traffic", "storage", "node", "access")


@require_GET
async def image(request: HttpRequest, name: str, file: str) -> HttpResponse:
    """A picture that lies in a lesson's folder. Whatever it holds, a browser shows it and runs nothing."""
    try:
        await lessons.open_lesson(request, name)
        folder = lessons.find(name).folder
    except LabError:
        raise Http404 from None
    path = folder / "images" / file
    if not PATH.fullmatch(f"images/{file}") or not path.is_file():
        raise Http404
    data = await asyncio.to_thread(path.read_bytes)
    if problem_with_image(file, data):
        raise Http404
    return HttpResponse(data, content_type=TYPES[file.rpartition(".")[2]], headers={
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox", "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=60",
    })


class _Album:
    """What is known of one lab's pictures; forgotten when its timeline jumps."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.drawing = asyncio.Lock()
        self.pictures: OrderedDict[tuple[int, str, str], dict[str, Any]] = OrderedDict()
        self._read: dict[tuple[str, str], tuple[int, int]] = {}  # condition, since -> (last step read, the one that met it or 0)

    def first(self, condition: str, cluster: Cluster, since: str = "") -> int:
        """The first step that met a condition, after the first one that met `since`; 0 for none so far."""
        sim = cluster.sim
        begun = self.first(since, cluster) if since else sim.first_seq - 1
        if since and not begun:
            return 0
        last, found = self._read.get((condition, since), (begun, 0))
        if not found and last < sim.last_seq:
            test = parse_condition(condition)
            found = next((step.seq for step in sim.steps[max(0, last - sim.first_seq + 1) :] if test(step, cluster)), 0)
            self._read[condition, since] = (sim.last_seq, found)
        return found


_albums: WeakKeyDictionary[Lab, _Album] = WeakKeyDictionary()


def _album(lab: Lab) -> _Album:
    album = _albums.get(lab)
    if album is None or album.generation != lab.generation:
        album = _albums[lab] = _Album(lab.generation)
    return album


def _shown(lesson: Lesson, moment: dict[str, Any], lens: str, select: str) -> bool:
    """Whether a stage block of the lesson is this picture; so many may be asked for and no more."""
    wanted = {**moment, "lens": lens, "select": select}
    blocks = [each.data for step in lesson.steps for each in step.directives if each.kind == "stage"]
    return any({"since": "", "select": "", **data}.items() >= wanted.items() for data in blocks)


@endpoint("GET")
async def picture(request: HttpRequest, lab: Lab) -> Any:
    """`lens`, `select`, and for a moment that is past `when` and `since` (conditions of the lesson's text) or `seq` (a step of its text).

    → {seq, generation, snapshot?, frame?, usage?, loops?, decision?, inside?, access?}; seq is 0 while the moment has not come."""
    lens, select, when, since = (request.GET.get(name, "")[:600] for name in ("lens", "select", "when", "since"))
    if lens not in _LENSES:
        raise LabError(f"lens must be one of {', '.join(_LENSES)}", "lens")
    lesson = lessons.lesson_of(lab)
    if not when and "seq" not in request.GET:
        return {"seq": lab.cluster.sim.last_seq, "generation": lab.generation, **await _beside(lab.cluster, lens, select)}
    moment: dict[str, Any] = {"when": when, "since": since} if when else {"step": runs.integer(request.GET, "seq")}
    if not _shown(lesson, moment, lens, select):
        raise LabError("no picture of this lesson shows that moment", next(iter(moment)), "NotFound", 404)
    await lab.past()
    seq = _album(lab).first(when, lab.cluster, since) if when else int(moment["step"])
    seq = seq if seq <= lab.cluster.sim.last_seq else 0
    if not seq:
        return {"seq": 0, "generation": lab.generation}
    return await _past(lab, seq, lens, select)


async def _past(lab: Lab, seq: int, lens: str, select: str) -> dict[str, Any]:
    album, key = _album(lab), (seq, lens, select)
    async with album.drawing:  # who asks for the same meanwhile finds it there
        found = album.pictures.get(key)
        if found is not None:
            return found
        cluster = lab.cluster if seq == lab.cluster.sim.last_seq else await branched(lab.cluster, seq)
        step = cluster.sim.steps[-1]
        found = {
            "seq": seq, "generation": album.generation, "snapshot": project.snapshot(cluster),
            "frame": project.frame(step, cluster.sim.epoch), **await _beside(cluster, lens, select),
        }
        if cluster is not lab.cluster:
            await apart(cluster)
        album.pictures[key] = found
        if len(album.pictures) > KEPT:
            album.pictures.popitem(last=False)
    return found


async def _beside(cluster: Cluster, lens: str, select: str) -> dict[str, Any]:
    """What a lens shows beside what the stream carries."""
    found: dict[str, Any] = {}
    if lens in ("control-plane", "scheduling"):
        found["loops"] = looks.loops(cluster)
    if lens == "access":
        found["access"] = access.graph(cluster, False)
    if lens == "ownership":
        found["owners"] = await asyncio.to_thread(owners.graph, owners.relevant(cluster.objects()))
    if lens == "node":
        name = _node(cluster, select)
        found["inside"] = looks.inside(cluster, name) if name else None
    if lens == "scheduling":
        found["pod"] = (select if select.startswith("pods/") else _placed_last(cluster)).removeprefix("pods/")
        found["decision"] = cluster.decision_of(found["pod"]) if found["pod"] else None
    if lens in ("workloads", "scheduling", "etcd", "node"):
        found["usage"] = looks.usage(cluster)
    return found


def _placed_last(cluster: Cluster) -> str:
    """The pod that the scheduler dealt with last."""
    steps = reversed(cluster.sim.steps[-STEPS_READ:])
    return next((step.object for step in steps if step.actor == "kube-scheduler" and step.object.startswith("pods/")), "")


def _node(cluster: Cluster, select: str) -> str:
    """The node that a selected object has to do with; the first worker where it has none."""
    if select.startswith("pods/"):
        return str(((cluster.find(select) or {}).get("spec") or {}).get("nodeName", ""))
    if "/" in select:
        return select.partition("/")[2]
    master = "node-role.kubernetes.io/control-plane"
    workers = [key for key, node in cluster.objects("nodes") if master not in (node["metadata"].get("labels") or {})]
    return workers[0].removeprefix("nodes/") if workers else ""
