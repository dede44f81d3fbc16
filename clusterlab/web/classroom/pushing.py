"""What the instructor sends to all: a step of the lesson, a manifest, a fault, a time to work in."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from clusterlab.lessons.loader import LessonError, load_lesson
from clusterlab.machinery.decode import ParseError, yaml_documents
from clusterlab.web.accounts.names import clean_name
from clusterlab.web.classroom import news
from clusterlab.web.classroom.models import OWN, Classroom, Member
from clusterlab.web.classroom.modes import class_lab
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lessons import folder_for
from clusterlab.web.scale.at import at

__all__ = ["push_fault", "push_manifest", "push_step", "set_timer"]

MAX_MANIFEST, MAX_OBJECTS, MAX_TIMER_S = 60_000, 50, 4 * 3600
#: Labs that are asked at the same time.
AT_ONCE = 8


async def targets(room: Classroom) -> list[tuple[str, str]]:
    """The labs that a push goes to, whose they are and their ids: the class's own, and in the mode "own" each learner's copy."""
    found = [(_("the class"), class_lab(room))]
    if room.mode == OWN:
        members = Member.objects.filter(room=room, removed=False).exclude(lab=None)
        found += [(name, str(lab_id)) async for name, lab_id in members.values_list("name", "lab_id")]
    return found


async def _everywhere(room: Classroom, verb: str, body: dict[str, Any]) -> list[str]:
    """Does it in the class's lab, and if that goes well in all the others, some at a time. Returns whose lab refused it, and why. Raises
    LabError."""
    (whose, first), *others = await targets(room)
    answer = await at(first, verb, body)
    if trouble := answer.get("trouble"):
        return [f"{whose}: {trouble}"]
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, lab_id: str) -> str:
        async with slots:
            try:
                said = str((await at(lab_id, verb, body)).get("trouble", ""))
            except LabError as error:
                said = str(error)
        return f"{name}: {said}" if said else ""

    return [said for said in await asyncio.gather(*(one(*each) for each in others)) if said]


async def _tell(room: Classroom, kind: str, text: str, trouble: list[str], by: str) -> None:
    pushed = {"kind": kind, "text": text[:200], "at": int(timezone.now().timestamp() * 1000), "by": by}
    await news.changed(room.pk, pushed=pushed)
    if trouble:
        raise LabError(_("it did not work everywhere: {where}").format(where="; ".join(trouble[:5])), code="Conflict", status=409)


async def push_step(room: Classroom, step: Any, by: str = "") -> None:
    """Opens a step of the lesson on every page. `by`: who teaches along and did it; "" for the instructor."""
    try:
        steps = load_lesson(folder_for(room.lesson), room.lesson).steps if room.lesson else ()
    except LessonError:
        steps = ()
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < len(steps):
        text = _("step goes from 0 to {most}").format(most=len(steps) - 1) if steps else _("this class is on no lesson")
        raise LabError(text, "step")
    await Classroom.objects.filter(pk=room.pk).aupdate(step=step)
    await _tell(room, "step", steps[step].title, [], by)


async def push_manifest(room: Classroom, text: Any, by: str = "") -> None:
    """Applies a manifest in every lab, as kubectl apply --server-side does. Raises LabError with whose lab refused it."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_MANIFEST:
        raise LabError(_("{field} must be a text of at most {most} characters").format(field="manifest", most=MAX_MANIFEST), "manifest")
    try:
        objects = [obj for obj in yaml_documents(text) if obj is not None]
    except ParseError as error:
        raise LabError(_("the manifest cannot be read: {why}").format(why=error), "manifest") from None
    for obj in objects:
        if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict) or not obj["metadata"].get("name"):
            raise LabError(_("each object of a manifest has apiVersion, kind and metadata with a name"), "manifest")
    if not 0 < len(objects) <= MAX_OBJECTS:
        raise LabError(_("a manifest holds 1 to {most} objects").format(most=MAX_OBJECTS), "manifest")
    trouble = await _everywhere(room, "class-apply", {"objects": objects})
    names = ", ".join(f"{obj.get('kind')}/{obj['metadata'].get('name')}" for obj in objects)
    await _tell(room, "manifest", names, trouble, by)


async def push_fault(room: Classroom, fault: Any, by: str = "") -> None:
    """Begins a fault in every lab."""
    if not isinstance(fault, dict):
        raise LabError(_("fault must be an object with kind and target"), "fault")
    try:
        trouble = await _everywhere(room, "class-fault", {"fault": fault})
    except LabError as error:
        raise LabError(str(error), f"fault.{error.field}" if error.field else "fault", error.code, error.status) from None
    await _tell(room, "fault", f"{fault.get('kind')} {fault.get('target', '')}".strip(), trouble, by)


async def set_timer(room: Classroom, seconds: Any, label: Any = "") -> None:
    """Starts a count-down on every page; 0 takes it away."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= MAX_TIMER_S:
        raise LabError(_("seconds goes from 0 to {most}").format(most=MAX_TIMER_S), "seconds")
    until = timezone.now() + timedelta(seconds=seconds) if seconds else None
    await news.changed(room.pk, timer_until=until, timer_label=clean_name(str(label))[:60] if seconds else "")
