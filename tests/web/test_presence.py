"""Who of a class is online, where a process that could have said so was killed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from clusterlab.web.accounts.models import User
from clusterlab.web.classroom import presence
from clusterlab.web.classroom.models import Classroom, Member

pytestmark = pytest.mark.django_db(transaction=True)


async def test_learners_of_a_killed_process_are_taken_for_gone() -> None:
    teacher = await User.objects.acreate(username="ada")
    room = await Classroom.objects.acreate(id="aaaaaaaaaa", owner=teacher, title="x")
    long_ago = timezone.now() - timedelta(seconds=presence.GONE_S + 5)
    for name, seen in (("Gone", long_ago), ("Here", timezone.now())):
        await Member.objects.acreate(id=name, room=room, seat=name, name=name, guest_key=f"c-{name}", online=True, seen=seen)
    before = room.version
    await presence.forget_gone()
    gone, here = [await Member.objects.aget(pk=name) for name in ("Gone", "Here")]
    assert (gone.online, gone.left, here.online) == (False, long_ago, True)
    await room.arefresh_from_db()
    assert room.version == before + 1  # its board is told
    await presence.forget_gone()
    await room.arefresh_from_db()
    assert room.version == before + 1  # once
