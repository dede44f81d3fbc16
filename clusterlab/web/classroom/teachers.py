"""Those who teach a class along with its instructor: invited by the name of their account, and at it once they have accepted.

They may do in the class whatever its instructor may, but end it, delete it, or ask others. Nothing that they get stays in hand when they
go: they act on labs by guest keys (keys.py), and their pages ask anew for everything.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakValueDictionary

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from clusterlab.web.accounts.models import User
from clusterlab.web.classroom import modes, news
from clusterlab.web.classroom.keys import TEACHING, new_key
from clusterlab.web.classroom.models import Classroom, CoTeacher, Member
from clusterlab.web.classroom.opening import free_name, taken_names
from clusterlab.web.labs.lab import LabError
from clusterlab.web.throttle import Throttle

__all__ = ["accept", "decline", "invite", "invited", "uninvite"]

#: Names that one account may try in a minute, so that nobody reads off who has an account here.
_tries = Throttle("INVITATIONS_PER_MINUTE")
_inviting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def _account(name: Any) -> User:
    """The account of this name, in whatever case. Raises LabError."""
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 150:
        raise LabError(_("{field} must be a text of at most {most} characters").format(field="name", most=150), "name")
    people = User.objects.filter(is_active=True)
    found = await people.filter(username=name.strip()).afirst() or await people.filter(username__iexact=name.strip()).afirst()
    if found is None:
        raise LabError(_("nobody has an account of the name {name} here").format(name=name.strip()), "name", "NotFound", 404)
    return found


async def invite(room: Classroom, by: User | None, name: Any) -> None:
    """Asks an account to teach the class as well. Raises LabError."""
    if _tries.exhausted(str(by.pk if by else 0)):
        raise LabError(_("too many names; wait a minute"), "name", "TooManyRequests", 429)
    _tries.count(str(by.pk if by else 0))
    user = await _account(name)
    if user.pk == room.owner_id:
        raise LabError(_("this is your own class"), "name")
    async with _inviting.setdefault(room.pk, asyncio.Lock()):
        most = settings.CLUSTERLAB["MAX_TEACHERS_PER_CLASS"]
        if await CoTeacher.objects.filter(room=room).acount() >= most:
            text = _("a class has at most {most} who teach it along with you").format(most=most)
            raise LabError(text, code="TooManyTeachers", status=429)
        shown = free_name(user.username, await taken_names(room))
        fields = {"name": shown, "guest_key": new_key(TEACHING)}
        _row, made = await CoTeacher.objects.aget_or_create(room=room, user=user, defaults=fields)
    if not made:
        raise LabError(_("{name} was asked already").format(name=user.username), "name", "Conflict", 409)
    await news.changed(room.pk)


async def uninvite(room: Classroom, name: Any) -> None:
    """Takes an invitation back, or lets somebody teach no longer: labs that they had taken over go back. Raises LabError."""
    asked = CoTeacher.objects.select_related("user").filter(room=room, user__username=str(name)[:150])
    row = await asked.afirst()
    if row is None:
        raise LabError(_("nobody of this name was asked to teach this class"), "name", "NotFound", 404)
    await _gone(row)


async def invited(user: User, room_id: str) -> CoTeacher | None:
    """The invitation of an account to a class, accepted or not."""
    return await CoTeacher.objects.select_related("user").filter(room_id=room_id, user=user).afirst()


async def accept(row: CoTeacher) -> None:
    """From now on the account teaches the class as well."""
    await CoTeacher.objects.filter(pk=row.pk, accepted=None).aupdate(accepted=timezone.now())
    await news.changed(row.room_id)


async def decline(row: CoTeacher) -> None:
    """Turns the invitation down, or stops teaching."""
    await _gone(row)


async def _gone(row: CoTeacher) -> None:
    members = Member.objects.filter(room_id=row.room_id)
    await modes.give_back(members.filter(taken_by=row.user))
    await members.filter(watched_by=row.user).aupdate(watched_by=None)
    await row.adelete()
    await news.changed(row.room_id)
