"""The three modes of a class, and the labs that they give to learners."""

from __future__ import annotations

import asyncio
from typing import Any

from django.utils import timezone

from clusterlab.web.classroom import news
from clusterlab.web.classroom.keys import lab_of
from clusterlab.web.classroom.models import MODES, OWN, Classroom, Member
from clusterlab.web.classroom.opening import delete_labs
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["catch_up", "class_lab", "current_lab", "reset", "set_mode", "take", "watch"]

#: Copies made at the same time: each goes the lab's way again.
_copying = asyncio.Semaphore(2)
_locks: dict[str, asyncio.Lock] = {}


async def class_lab(room: Classroom) -> Lab:
    """The instructor's lab. Raises LabError when it has expired."""
    lab = await host.get(room.lab_id) if room.lab_id else None
    if lab is None:
        raise LabError("the lab of this class has expired", code="NotFound", status=404)
    return lab


async def set_mode(room: Classroom, mode: Any) -> None:
    """Switches the mode; learners' pages follow."""
    if mode not in MODES:
        raise LabError(f"mode must be one of {', '.join(MODES)}", "mode")
    await news.changed(room.pk, mode=mode)


async def current_lab(member: Member, room: Classroom) -> Lab:
    """The lab that a learner looks at now; in the mode "own" a copy is made at the first time. Raises LabError."""
    lab_id = lab_of(member, room)
    lab = await host.get(lab_id) if lab_id else None
    if lab is not None:
        return lab
    if room.ended is None and room.mode == OWN:
        return await _copy(member, room, again=False)
    return await class_lab(room)


async def catch_up(member: Member, room: Classroom) -> None:
    """Gives a learner a new copy, from where the instructor's lab stands; the old one goes. Raises LabError."""
    if room.ended is not None or room.mode != OWN:
        raise LabError("there is an own copy only while everybody works alone", code="Conflict", status=409)
    if member.taken:
        raise LabError("the instructor has taken over your lab just now", code="Conflict", status=409)
    await _copy(member, room, again=True)


async def _copy(member: Member, room: Classroom, again: bool) -> Lab:
    async with _locks.setdefault(member.pk, asyncio.Lock()):
        await member.arefresh_from_db()
        if not again and member.lab_id and (lab := await host.get(member.lab_id)) is not None:
            return lab
        source, old = await class_lab(room), member.lab_id
        async with _copying:
            lab, key = await host.fork(source)
        now = timezone.now()
        fields = {"lab_id": lab.id, "lab_key": key, "start_seq": lab.cluster.sim.last_seq, "progressed": now, "tries": 0}
        await Member.objects.filter(pk=member.pk).aupdate(**fields)
        await member.arefresh_from_db()
        if old:
            await delete_labs([old])
    await news.changed(room.pk)
    return lab


async def _own_lab(member: Member) -> Lab:
    lab = await host.get(member.lab_id) if member.lab_id else None
    if lab is None:
        raise LabError(f"{member.name} has no own lab yet", code="NotFound", status=404)
    return lab


async def reset(member: Member) -> None:
    """Takes a learner's copy back to where it began."""
    lab = await _own_lab(member)
    await lab.seek(min(member.start_seq, lab.history.last_seq))
    await Member.objects.filter(pk=member.pk).aupdate(tries=0, progressed=timezone.now())
    await news.changed(member.room_id)


async def take(member: Member, on: bool) -> None:
    """Lets the instructor act on a learner's copy, and nobody else; or gives it back."""
    if on:
        await _own_lab(member)
    await Member.objects.filter(pk=member.pk).aupdate(taken=on)
    await news.changed(member.room_id)


async def watch(room: Classroom, seat: str, on: bool) -> None:
    """Shows a learner that the instructor looks at the own lab."""
    await Member.objects.filter(room=room, seat=seat).aupdate(watched=on)
    await news.changed(room.pk)
