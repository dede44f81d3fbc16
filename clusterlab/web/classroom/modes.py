"""The three modes of a class, and the labs that they give to learners."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any
from weakref import WeakValueDictionary

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from clusterlab.web.accounts.models import User
from clusterlab.web.classroom import news
from clusterlab.web.classroom.keys import TAKEN, lab_of, new_key
from clusterlab.web.classroom.models import MODES, OWN, Classroom, Member, Poll
from clusterlab.web.labs.lab import LabError
from clusterlab.web.scale.at import at, drop

__all__ = ["catch_up", "class_lab", "current_lab", "give_back", "reset", "set_mode", "take", "watch"]

#: How long a copy outlives the one that takes its place.
LINGER_S = 8.0
_dropping: set[asyncio.Task[None]] = set()
_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


def class_lab(room: Classroom) -> str:
    """The id of the instructor's lab. Raises LabError when it has expired."""
    if not room.lab_id:
        raise LabError(_("the lab of this class has expired"), code="NotFound", status=404)
    return str(room.lab_id)


async def set_mode(room: Classroom, mode: Any) -> None:
    """Switches the mode; learners' pages follow. A question whose answer is known is over with it."""
    if mode not in MODES:
        raise LabError(_("mode must be one of {modes}").format(modes=", ".join(MODES)), "mode")
    await Poll.objects.filter(room=room, state="decided", away=False).aupdate(away=True)
    await news.changed(room.pk, mode=mode)


async def current_lab(member: Member, room: Classroom) -> str:
    """The id of the lab that a learner looks at now; in the mode "own" a copy is made at the first time. Raises LabError."""
    if room.ended is None and room.mode == OWN and not member.lab_id:
        return await _copy(member, room, again=False)
    return lab_of(member, room) or class_lab(room)


async def catch_up(member: Member, room: Classroom) -> None:
    """Gives a learner a new copy, from where the instructor's lab stands; the old one goes. Raises LabError."""
    if room.ended is not None or room.mode != OWN:
        raise LabError(_("there is an own copy only while everybody works alone"), code="Conflict", status=409)
    if member.taken:
        raise LabError(_("the instructor has taken over your lab just now"), code="Conflict", status=409)
    await _copy(member, room, again=True)


async def _copy(member: Member, room: Classroom, again: bool) -> str:
    async with _locks.setdefault(member.pk, asyncio.Lock()):
        await member.arefresh_from_db()
        if not again and member.lab_id:
            return str(member.lab_id)
        old = member.lab_id
        made = await at(class_lab(room), "class-copy")
        fields = {
            "lab_id": made["id"], "lab_key": made["key"], "start_seq": made["seq"], "progressed": timezone.now(), "tries": 0, "picture": [],
        }
        # Another process may have made one meanwhile; then that one is the learner's.
        if not await Member.objects.filter(pk=member.pk, lab_id=old).aupdate(**fields):
            await drop([made["id"]])
        elif old:
            task = asyncio.create_task(_drop_later(old), context=Context())
            _dropping.add(task)
            task.add_done_callback(_dropping.discard)
        await member.arefresh_from_db()
    await news.changed(room.pk)
    return str(member.lab_id)


async def _drop_later(lab_id: str) -> None:
    """Deletes a copy that was left, once the page that showed it has gone to the new one."""
    await asyncio.sleep(LINGER_S)
    await drop([lab_id])


def _own_lab(member: Member) -> str:
    if not member.lab_id:
        raise LabError(_("{name} has no own lab yet").format(name=member.name), code="NotFound", status=404)
    return str(member.lab_id)


async def reset(member: Member) -> None:
    """Takes a learner's copy back to where it began."""
    await at(_own_lab(member), "class-reset", {"seq": member.start_seq})
    await Member.objects.filter(pk=member.pk).aupdate(tries=0, progressed=timezone.now())
    await news.changed(member.room_id)


async def take(member: Member, by: User | None) -> None:
    """Lets one of those who teach act on a learner's copy, and nobody else, whoever had it before; or gives it back (None)."""
    if by is None:
        await give_back(Member.objects.filter(pk=member.pk))
    else:
        _own_lab(member)
        await Member.objects.filter(pk=member.pk).aupdate(taken_by=by, taken_key=new_key(TAKEN))
    await news.changed(member.room_id)


async def give_back(members: QuerySet[Member]) -> None:
    """Gives copies back to their learners; the keys of those who had taken them open nothing any more."""
    await members.aupdate(taken_by=None, taken_key=None)


async def watch(room: Classroom, seat: str, by: User | None, on: bool) -> None:
    """Shows a learner that somebody who teaches looks at the own lab; of several the last is shown."""
    row = Member.objects.filter(room=room, seat=seat)
    if on:
        await row.aupdate(watched_by=by)
    elif not await row.filter(watched_by=by).aupdate(watched_by=None):
        return
    await news.changed(room.pk)
