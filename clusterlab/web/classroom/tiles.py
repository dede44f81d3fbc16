"""A tile for each learner: how far, what was typed last, who is stuck, and a small picture of the lab."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from django.utils import timezone

from clusterlab.lessons.loader import LessonError, load_lesson
from clusterlab.web import lessons
from clusterlab.web.classroom.keys import lab_of
from clusterlab.web.classroom.models import OWN, Classroom, Member
from clusterlab.web.classroom.state import ms
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["lesson_size", "stuck", "thumbnail", "tiles"]

MAX_NODES, MAX_PODS = 12, 24
#: Without progress for so long, somebody who tries, or who does nothing at all, may need help.
STUCK_TRYING_S, STUCK_IDLE_S, TRIES = 180, 300, 4

_TROUBLE = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError")

_pictures: WeakKeyDictionary[Lab, tuple[tuple[int, int], list[Any]]] = WeakKeyDictionary()
_done: WeakKeyDictionary[Lab, tuple[tuple[int, int], list[str]]] = WeakKeyDictionary()


def _pod_letter(pod: dict[str, Any]) -> str:
    """How a pod is, in one letter: t(erminating), r(eady), s(tarting), x (in trouble), c(ompleted), p(ending)."""
    status = pod.get("status") or {}
    phase = status.get("phase", "Pending")
    if pod["metadata"].get("deletionTimestamp"):
        return "t"
    if phase == "Succeeded":
        return "c"
    waiting = [((c.get("state") or {}).get("waiting") or {}).get("reason", "") for c in status.get("containerStatuses") or ()]
    if phase == "Failed" or any(reason in _TROUBLE for reason in waiting):
        return "x"
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return "r" if ready else "p" if phase == "Pending" and not (pod.get("spec") or {}).get("nodeName") else "s"


def thumbnail(lab: Lab) -> list[Any]:
    """The lab in a few characters: [[node, ready, letters of its pods], …], those without a node last under ""."""
    where = (lab.cluster.sim.last_seq, lab.generation)
    known = _pictures.get(lab)
    if known is not None and known[0] == where:
        return known[1]
    rows: dict[str, list[Any]] = {}
    for _, node in sorted(lab.cluster.objects("nodes")):
        name = node["metadata"]["name"]
        conditions = (node.get("status") or {}).get("conditions") or ()
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
        if len(rows) < MAX_NODES:
            rows[name] = [name, ready, ""]
    rows[""] = ["", True, ""]
    for _, pod in sorted(lab.cluster.objects("pods")):
        if pod["metadata"].get("namespace") == "kube-system":
            continue
        row = rows.get((pod.get("spec") or {}).get("nodeName") or "")
        if row is not None and len(row[2]) < MAX_PODS:
            row[2] += _pod_letter(pod)
    picture = list(rows.values())
    _pictures[lab] = (where, picture)
    return picture


def lesson_size(room: Classroom) -> int:
    """How many tasks the lesson of the class has."""
    try:
        return len(load_lesson(lessons.folder_for(room.lesson), room.lesson).tasks) if room.lesson else 0
    except LessonError:
        return 0


def stuck(member: Member, tasks: int) -> str:
    """Why somebody may need help; "" when not: "failing", "trying", "idle"."""
    if member.removed or not member.online or (tasks and len(member.progress) >= tasks):
        return ""
    now = timezone.now()
    still_s = (now - (member.progressed or member.joined)).total_seconds()
    idle_s = (now - (member.active or member.joined)).total_seconds()
    if still_s > STUCK_TRYING_S and member.tries >= TRIES:
        return "failing" if member.last_failed else "trying"
    return "idle" if idle_s > STUCK_IDLE_S and still_s > STUCK_IDLE_S else ""


async def _progress(member: Member, lab: Lab) -> None:
    """Notes newly done tasks. What was done stays done."""
    where = (lab.cluster.sim.last_seq, lab.generation)
    known = _done.get(lab)
    if known is None or known[0] != where:
        try:
            known = where, [task["id"] for task in lessons.checks(lab)["tasks"] if task["done"]]
        except LabError:
            known = where, []
        _done[lab] = known
        await asyncio.sleep(0)
    new = [task for task in known[1] if task not in member.progress]
    if new:
        member.progress, member.progressed, member.tries = [*member.progress, *new], timezone.now(), 0
        await Member.objects.filter(pk=member.pk).aupdate(progress=member.progress, progressed=member.progressed, tries=0)


async def tiles(room: Classroom) -> list[dict[str, Any]]:
    """The tiles of all learners, in the order in which they came. Only labs of this process that are awake are looked at."""
    out, tasks = [], lesson_size(room)
    async for member in Member.objects.filter(room=room, removed=False):
        lab_id = lab_of(member, room)
        lab = host.labs.get(lab_id) if lab_id else None
        own = lab is not None and room.mode == OWN and lab_id == member.lab_id
        if own and lab is not None:
            await _progress(member, lab)
        out.append({
            "seat": member.seat, "name": member.name, "online": member.online, "hand": ms(member.hand), "taken": member.taken,
            "watched": member.watched, "own": member.lab_id is not None, "step": member.step, "done": len(member.progress), "tasks": tasks,
            "commands": member.commands, "line": member.last_line, "failed": member.last_failed, "stuck": stuck(member, tasks),
            "seq": lab.cluster.sim.last_seq if own and lab is not None else None,
            "time": lab.cluster.sim.time_ms if own and lab is not None else None,
            "picture": thumbnail(lab) if own and lab is not None else [],
        })
    return out
