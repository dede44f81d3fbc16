"""Who in a class may change which lab, asked anew for every command: modes, locks and take-overs hold at once.

A learner never learns the key of a lab. What a learner gets is a guest key, which stands for the lab that the mode of the class
gives: the own copy, or the instructor's lab while all act together. Who teaches along has a guest key for the lab of the class, and whoever
takes over a learner's copy one for as long as that goes on; so nothing stays in hand when a right is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clusterlab.web.access import GUEST, Guest
from clusterlab.web.accounts.belongings import current_user
from clusterlab.web.accounts.models import User
from clusterlab.web.classroom.models import OWN, TOGETHER, Classroom, CoTeacher, Member, token
from clusterlab.web.labs.lab import LabError

__all__ = [
    "SEATS", "TAKEN", "TEACHING", "Seat", "guest", "key_of", "lab_of", "may_change", "new_guest_key", "new_key", "seat_of", "taught_by",
]

#: Where a session keeps {class: member}.
SEATS = "classes"
#: How keys of those who teach along begin, and of those who have taken over a learner's copy.
TEACHING, TAKEN = f"{GUEST}t-", f"{GUEST}o-"


@dataclass(frozen=True)
class Seat:
    """Who somebody is in a class: a learner (`member`), who teaches along (`helper`), or the instructor whose class it is (neither)."""

    room: Classroom
    member: Member | None
    user: User | None = None
    helper: CoTeacher | None = None

    @property
    def teaches(self) -> bool:
        return self.member is None

    @property
    def owns(self) -> bool:
        """Whether it is the instructor whose class it is."""
        return self.member is None and self.helper is None

    @property
    def name(self) -> str:
        """What the class knows this one by."""
        found = self.member or self.helper
        return found.name if found is not None else self.user.username if self.user is not None else ""


def new_guest_key() -> str:
    """A learner's key."""
    return GUEST + token(32)


def new_key(kind: str) -> str:
    """A key of a kind of guest: TEACHING or TAKEN."""
    return kind + token(32)


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
    return await Member.objects.select_related("room", "taken_by", "watched_by").filter(**by).afirst()


async def taught_by(room: Classroom, user: User) -> CoTeacher | None:
    """The account as one who teaches the class along with its instructor; None where it does not, or has not accepted."""
    return await CoTeacher.objects.filter(room=room, user=user, accepted__isnull=False).afirst()


async def guest(key: str) -> Guest | None:
    """What a guest key stands for now. None where there is no such key; LabError where it opens nothing just now."""
    if key.startswith(TEACHING):
        return await _teaching(key)
    if key.startswith(TAKEN):
        return await _taken(key)
    member = await _member(guest_key=key)
    if member is None:
        return None
    lab_id = may_change(member, member.room)
    if lab_id is None:
        raise LabError("you may watch just now, not change: your instructor decides", code="Forbidden", status=403)
    return Guest(lab_id, member.name if lab_id == member.room.lab_id else "")


async def _teaching(key: str) -> Guest | None:
    helper = await CoTeacher.objects.select_related("room").filter(guest_key=key, accepted__isnull=False, user__is_active=True).afirst()
    if helper is None:
        return None
    if helper.room.ended is not None or not helper.room.lab_id:
        raise LabError("this class has ended", code="Forbidden", status=403)
    return Guest(helper.room.lab_id, helper.name)


async def _taken(key: str) -> Guest | None:
    member = await Member.objects.select_related("room", "taken_by").filter(taken_key=key, room__ended=None, removed=False).afirst()
    if member is None or member.taken_by is None or not member.lab_id:
        return None
    helper = await taught_by(member.room, member.taken_by)
    return Guest(member.lab_id, helper.name if helper is not None else member.taken_by.username)


async def key_of(session: Any, lab_id: str) -> str | None:
    """The keyring of classes: what a learner's seats, and the classes that somebody teaches, open."""
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
    helping = CoTeacher.objects.filter(user=user, accepted__isnull=False, room__lab_id=lab_id, room__ended=None)
    if key := await helping.values_list("guest_key", flat=True).afirst():
        return key
    taken = Member.objects.filter(taken_by=user, room__ended=None, lab_id=lab_id)
    return await taken.values_list("taken_key", flat=True).afirst()


async def seat_of(session: Any, room_id: str) -> Seat | None:
    """Who the holder of a session is in a class; None for strangers and for learners who were sent out."""
    room = await Classroom.objects.filter(pk=room_id).afirst()
    if room is None:
        return None
    user = await current_user(session)
    if user is not None and room.owner_id == user.pk and user.may_teach:
        return Seat(room, None, user)
    if user is not None and (helper := await taught_by(room, user)) is not None:
        return Seat(room, None, user, helper)
    seats = await session.aget(SEATS, {})
    member_id = seats.get(room_id) if isinstance(seats, dict) else None
    member = await _member(pk=str(member_id), room=room, removed=False) if member_id else None
    if member is None and user is not None:
        member = await _member(user=user, room=room, removed=False)
    return Seat(room, member, user) if member is not None else None
