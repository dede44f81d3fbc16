"""What the instructor sends to all: a step of the lesson, a manifest, a fault, a time to work in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import orjson
from django.utils import timezone

from clusterlab.cluster import FaultError
from clusterlab.lessons.loader import LessonError, load_lesson
from clusterlab.machinery.decode import ParseError, yaml_documents
from clusterlab.machinery.scheme import split_api_version
from clusterlab.scenario.kubectl import path_of
from clusterlab.web.accounts.names import clean_name
from clusterlab.web.classroom import news
from clusterlab.web.classroom.models import OWN, Classroom, Member
from clusterlab.web.classroom.modes import class_lab
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.lessons import folder_for

__all__ = ["push_fault", "push_manifest", "push_step", "set_timer"]

MAX_MANIFEST, MAX_OBJECTS, MAX_TIMER_S = 60_000, 50, 4 * 3600


async def targets(room: Classroom) -> AsyncIterator[tuple[str, Lab]]:
    """The labs that a push goes to, with whose they are: the class's own, and in the mode "own" each learner's copy."""
    yield "the class", await class_lab(room)
    if room.mode != OWN:
        return
    async for member in Member.objects.filter(room=room, removed=False).exclude(lab=None):
        lab = await host.get(str(member.lab_id))
        if lab is not None:
            yield member.name, lab


async def _tell(room: Classroom, kind: str, text: str, trouble: list[str]) -> None:
    pushed = {"kind": kind, "text": text[:200], "at": int(timezone.now().timestamp() * 1000)}
    await news.changed(room.pk, pushed=pushed)
    if trouble:
        raise LabError(f"it did not work everywhere: {'; '.join(trouble[:5])}", code="Conflict", status=409)


async def push_step(room: Classroom, step: Any) -> None:
    """Opens a step of the lesson on every page."""
    try:
        steps = load_lesson(folder_for(room.lesson), room.lesson).steps if room.lesson else ()
    except LessonError:
        steps = ()
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < len(steps):
        raise LabError(f"step goes from 0 to {len(steps) - 1}" if steps else "this class is on no lesson", "step")
    await Classroom.objects.filter(pk=room.pk).aupdate(step=step)
    await _tell(room, "step", steps[step].title, [])


async def push_manifest(room: Classroom, text: Any) -> None:
    """Applies a manifest in every lab, as kubectl apply --server-side does. Raises LabError with whose lab refused it."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_MANIFEST:
        raise LabError(f"manifest must be a text of at most {MAX_MANIFEST} characters", "manifest")
    try:
        objects = [obj for obj in yaml_documents(text) if obj is not None]
    except ParseError as error:
        raise LabError(f"the manifest cannot be read: {error}", "manifest") from None
    for obj in objects:
        if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict) or not obj["metadata"].get("name"):
            raise LabError("each object of a manifest has apiVersion, kind and metadata with a name", "manifest")
    if not 0 < len(objects) <= MAX_OBJECTS:
        raise LabError(f"a manifest holds 1 to {MAX_OBJECTS} objects", "manifest")
    trouble: list[str] = []
    async for whose, lab in targets(room):
        for obj in objects:
            if said := await _apply(lab, obj):
                trouble.append(f"{whose}: {said}")
                break
        await asyncio.sleep(0)
    names = ", ".join(f"{obj.get('kind')}/{obj['metadata'].get('name')}" for obj in objects)
    await _tell(room, "manifest", names, trouble)


async def _apply(lab: Lab, obj: dict[str, Any]) -> str:
    """Applies one object; what went wrong, or ""."""
    resource = lab.cluster.api.scheme.by_gvk(*split_api_version(str(obj.get("apiVersion", ""))), str(obj.get("kind", "")))
    if resource is None:
        return f'no matches for kind "{obj.get("kind")}" in version "{obj.get("apiVersion")}"'
    meta = obj["metadata"]
    path = path_of(resource, str(meta.get("namespace", "default")), str(meta.get("name", "")))
    try:
        answer = await lab.command({
            "kind": "request", "method": "PATCH", "path": path, "query": "fieldManager=class&force=true",
            "body": orjson.dumps(obj).decode(),
            "headers": {"content-type": "application/apply-patch+yaml", "user-agent": "kubectl/class", "accept": "application/json"},
        })
    except LabError as error:
        return str(error)
    if answer.code < 400:
        return ""
    return str(orjson.loads(answer.body).get("message", answer.code))


async def push_fault(room: Classroom, fault: Any) -> None:
    """Begins a fault in every lab."""
    if not isinstance(fault, dict):
        raise LabError("fault must be an object with kind and target", "fault")
    trouble: list[str] = []
    async for whose, lab in targets(room):
        try:
            await lab.command({"kind": "fault", "fault": lab.cluster.check_fault(fault)})
        except FaultError as error:
            if whose == "the class":
                raise LabError(str(error), f"fault.{error.field}" if error.field else "fault") from None
            trouble.append(f"{whose}: {error}")
        except LabError as error:
            trouble.append(f"{whose}: {error}")
    await _tell(room, "fault", f"{fault.get('kind')} {fault.get('target', '')}".strip(), trouble)


async def set_timer(room: Classroom, seconds: Any, label: Any = "") -> None:
    """Starts a count-down on every page; 0 takes it away."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= MAX_TIMER_S:
        raise LabError(f"seconds goes from 0 to {MAX_TIMER_S}", "seconds")
    until = timezone.now() + timedelta(seconds=seconds) if seconds else None
    await news.changed(room.pk, timer_until=until, timer_label=clean_name(str(label))[:60] if seconds else "")
