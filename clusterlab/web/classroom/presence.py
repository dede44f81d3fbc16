"""Who of a class is online: each process says every few seconds whose pages it has open.

A page that closes says so itself. Where a process was killed nobody does: then hosts notice that nobody has spoken of a learner for long.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from clusterlab.web.classroom import news
from clusterlab.web.classroom.models import Member

__all__ = ["forget_gone", "open_pages", "say_who_is_here"]

_log = logging.getLogger(__name__)

#: Pages in this process by learner; instructors by class and account.
open_pages: dict[str, int] = {}
SAY_S = 15.0
#: Unspoken of for so long, a learner is gone.
GONE_S = 45.0


async def say_who_is_here() -> None:
    """Says so again and again, for as long as the process lives."""
    while True:
        await asyncio.sleep(SAY_S)
        if not open_pages:
            continue
        try:
            await Member.objects.filter(pk__in=list(open_pages)).aupdate(online=True, seen=timezone.now())
        except DatabaseError as error:
            _log.warning("who is online could not be stored: %s", error)


async def forget_gone() -> None:
    """Takes learners for offline of whom no process speaks any more, and tells their boards."""
    gone = Member.objects.filter(online=True, seen__lt=timezone.now() - timedelta(seconds=GONE_S))
    rooms = [room async for room in gone.values_list("room_id", flat=True).distinct().order_by()]
    if rooms:
        await gone.aupdate(online=False, left=F("seen"))
        for room in rooms:
            await news.changed(room)
