"""How a class begins and ends, and how learners come in and go."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _

from clusterlab.web.accounts.models import User
from clusterlab.web.accounts.names import MAX_NAME, clean_name
from clusterlab.web.classroom import news
from clusterlab.web.classroom.keys import SEATS, new_guest_key, seat_of
from clusterlab.web.classroom.models import Classroom, CoTeacher, Member, token
from clusterlab.web.classroom.modes import give_back
from clusterlab.web.labs.lab import LabError
from clusterlab.web.scale.at import drop

__all__ = [
    "by_code", "delete_room", "end", "forget", "free_name", "join", "leave", "may_open", "new_code", "open_class", "plain_code",
    "revoke_code", "shown_code", "taken_names",
]

#: Forty bits: with the misses that an address has, a guess takes longer than a code holds.
CODE_LENGTH = 8
#: A session remembers its seats in so many classes.
MAX_SEATS = 20
_joining: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


def plain_code(text: str) -> str:
    """A join code as it was typed, as it is stored."""
    return "".join(char for char in text.lower() if char.isalnum())[:16]


def shown_code(code: str | None) -> str:
    """A join code as people read it."""
    return f"{code[:4]}-{code[4:]}".upper() if code else ""


async def may_open(owner: User) -> None:
    """Raises LabError where an account may open no class, or no further one."""
    if not owner.may_teach:
        raise LabError(_("only instructors may open a class"), code="Forbidden", status=403)
    most = settings.CLUSTERLAB["MAX_CLASSES"]
    if await Classroom.objects.filter(owner=owner, ended=None).acount() >= most:
        text = _("you have {most} open classes, as many as you may: end one first").format(most=most)
        raise LabError(text, code="TooManyClasses", status=429)


async def open_class(owner: User, lab_id: str, key: str, lesson: str, title: str, course_id: int | None = None) -> Classroom:
    """A new class on a lab of its instructor, with a code to join."""
    room = await Classroom.objects.acreate(
        id=token(10), owner=owner, title=clean_name(title) or "Class", lesson=lesson, lab_id=lab_id, lab_key=key, course_id=course_id
    )
    await new_code(room)
    return room


async def new_code(room: Classroom) -> None:
    """Gives the class another code; the old one opens nothing any more."""
    until = timezone.now() + timedelta(seconds=settings.CLUSTERLAB["CLASS_CODE_S"])
    while True:
        try:
            await news.changed(room.pk, code=token(CODE_LENGTH), code_until=until)
            return
        except IntegrityError:
            continue


async def revoke_code(room: Classroom) -> None:
    await news.changed(room.pk, code=None, code_until=None)


async def by_code(text: str) -> Classroom | None:
    """The class that a code opens now."""
    code = plain_code(text)
    if len(code) != CODE_LENGTH:
        return None
    return await Classroom.objects.filter(code=code, code_until__gt=timezone.now(), ended=None).afirst()


async def join(session: Any, room: Classroom, name: str, user: User | None) -> Member:
    """Takes a seat; who has one already sits down on it again. Raises LabError."""
    seat = await seat_of(session, room.pk)
    if seat is not None and seat.member is not None:
        await _remember(session, seat.member)
        return seat.member
    wanted = clean_name(name)
    if not wanted:
        raise LabError(_("write the name that the class shall see you by"), "name")
    if room.locked:
        raise LabError(_("This class is locked: ask the instructor to let you in"), code="Locked", status=403)
    async with _joining.setdefault(room.pk, asyncio.Lock()):
        most = settings.CLUSTERLAB["MAX_MEMBERS_PER_CLASS"]
        if await Member.objects.filter(room=room).acount() >= most:
            raise LabError(_("this class has {most} members, as many as it may").format(most=most), code="ClassFull", status=429)
        member = await _seated(room, wanted, user)
    await _remember(session, member)
    await news.changed(room.pk)
    return member


async def taken_names(room: Classroom) -> set[str]:
    """The names by which a class knows somebody already, casefolded: nobody passes for another, or for who teaches."""
    found = {name.casefold() async for name in Member.objects.filter(room=room).values_list("name", flat=True)}
    found |= {name.casefold() async for name in CoTeacher.objects.filter(room=room).values_list("name", flat=True)}
    owner = await User.objects.filter(pk=room.owner_id).values_list("username", flat=True).afirst()
    return found | {(owner or "").casefold()}


def free_name(wanted: str, taken: set[str]) -> str:
    """The name wanted, or one with a number behind it that is not taken."""
    name, number = wanted, 1
    while name.casefold() in taken:
        number += 1
        name = f"{wanted} {number}"
    return name


async def _seated(room: Classroom, wanted: str, user: User | None) -> Member:
    """A new member, under the name wanted or, where somebody has it, with a number behind it."""
    name = free_name(wanted[:MAX_NAME], await taken_names(room))
    now = timezone.now()
    return await Member.objects.acreate(
        id=token(24), room=room, user=user, seat=token(6), name=name, guest_key=new_guest_key(), active=now, progressed=now
    )


async def _remember(session: Any, member: Member) -> None:
    seats = await session.aget(SEATS, {})
    seats = {**(seats if isinstance(seats, dict) else {}), member.room_id: member.pk}
    while len(seats) > MAX_SEATS:
        del seats[next(iter(seats))]
    await session.aset(SEATS, seats)


async def leave(member: Member) -> None:
    """Deletes a learner's seat with all that is stored of it: name, votes, progress, the own copy."""
    await drop([member.lab_id] if member.lab_id else [])
    await member.adelete()
    await news.changed(member.room_id)


async def end(room: Classroom) -> None:
    """Ends a class: nobody joins or changes its lab any more. The report stays, and each learner's own copy stays the learner's."""
    await give_back(Member.objects.filter(room=room))
    await Member.objects.filter(room=room).aupdate(watched_by=None, hand=None)
    await news.changed(
        room.pk, ended=timezone.now(), code=None, code_until=None, frozen=False, locked=True, timer_until=None, timer_label="",
    )


async def delete_room(room: Classroom) -> None:
    """Deletes a class with its report and the learners' copies."""
    labs = [pk async for pk in Member.objects.filter(room=room).exclude(lab=None).values_list("lab_id", flat=True)]
    await drop([str(pk) for pk in labs])
    await news.changed(room.pk, ended=timezone.now())
    await room.adelete()



async def forget(user: User) -> None:
    """Deletes the classes of an account, and its seats in others', before the account itself goes."""
    async for room in Classroom.objects.filter(owner=user):
        await delete_room(room)
    async for member in Member.objects.filter(user=user):
        await leave(member)
    await give_back(Member.objects.filter(taken_by=user))
