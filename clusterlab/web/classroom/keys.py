"""Who in a class may change which lab, asked anew for every command: modes, locks and take-overs hold at once.

A learner never learns the key of a lab. What a learner gets is a guest key, which stands for the lab that the mode of the class
gives: the own copy, or the instructor's lab while all act together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clusterlab.web.access import GUEST, Guest
from clusterlab.web.accounts.belongings import current_user
from clusterlab.web.classroom.models import OWN, TOGETHER, Classroom, Member
from clusterlab.web.labs.lab import LabError

__all__ = ["SEATS", "Seat", "guest", "key_of", "lab_of", "may_change", "new_guest_key", "seat_of"]

#: Where a session keeps {class: member}.
SEATS = "classes"


@dataclass(frozen=True)
class Seat:
    """Who somebody is in a class: its instructor (no member), or a learner."""

    room: Classroom
    member: Member | None

    @property
    def teaches(self) -> bool:
        return self.member is None


def new_guest_key(token: str) -> str:
    return GUEST + token


def lab_of(member: Member, room: Classroom) -> str | None:
    """The id of the lab that a learner looks at now; None where the own copy is still to be made."""
    if room.ended is not None:
        return member.lab_id or room.lab_id
    return member.lab_id if room.mode == OWN else room.lab_id


def may_change(member: Member, room: Classroom) -> str | None:
    """The id of the lab that a learner may change now, if any. After the end of a class the own copy stays the learner's."""
    if member.removed:
        return None
    if room.ended is not None:
        return member.lab_id
    if room.frozen:
        return None
    if room.mode == OWN:
        return None if member.taken else member.lab_id
    return room.lab_id if room.mode == TOGETHER else None


async def _member(**by: Any) -> Member | None:
    return await Member.objects.select_related("room").filter(**by).afirst()


async def guest(key: str) -> Guest | None:
    """What a guest key stands for now. None where there is no such key; LabError where it opens nothing just now."""
    member = await _member(guest_key=key)
    if member is None:
        return None
    lab_id = may_change(member, member.room)
    if lab_id is None:
        raise LabError("you may watch just now, not change: your instructor decides", code="Forbidden", status=403)
    return Guest(lab_id, member.name if lab_id == member.room.lab_id else "")


async def key_of(session: Any, lab_id: str) -> str | None:
    """The keyring of classes: what a learner's seats, and an instructor's classes, open."""
    seats = await session.aget(SEATS, {})
    if isinstance(seats, dict) and seats:
        async for member in Member.objects.select_related("room").filter(pk__in=[str(one) for one in seats.values()]):
            if may_change(member, member.room) == lab_id:
                return member.guest_key
    user = await current_user(session)
    if user is None:
        return None
    key = await Classroom.objects.filter(owner=user, lab_id=lab_id).exclude(lab_key="").values_list("lab_key", flat=True).afirst()
    if key:
        return key
    taken = Member.objects.filter(room__owner=user, room__ended=None, lab_id=lab_id, taken=True)
    return await taken.values_list("lab_key", flat=True).afirst()


async def seat_of(session: Any, room_id: str) -> Seat | None:
    """Who the holder of a session is in a class; None for strangers and for learners who were sent out."""
    room = await Classroom.objects.filter(pk=room_id).afirst()
    if room is None:
        return None
    user = await current_user(session)
    if user is not None and room.owner_id == user.pk and user.may_teach:
        return Seat(room, None)
    seats = await session.aget(SEATS, {})
    member_id = seats.get(room_id) if isinstance(seats, dict) else None
    member = await _member(pk=str(member_id), room=room, removed=False) if member_id else None
    if member is None and user is not None:
        member = await _member(user=user, room=room, removed=False)
    return Seat(room, member) if member is not None else None
