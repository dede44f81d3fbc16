"""Deletes what is kept no longer: every hour in each process that hosts labs, and with `manage.py tidy`.

Each chore deletes one kind of thing and says how many there were; doing it twice, or in two processes, does no harm. Labs and replays
go by themselves as well (labs/host.py), more often.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.utils import timezone

from clusterlab.web.labs.host import host
from clusterlab.web.models import BroughtNotes, Lab, Replay
from clusterlab.web.scale.at import drop

__all__ = ["chores", "keep_tidy", "tidy"]

_log = logging.getLogger(__name__)
EVERY_S = 3600
#: What is deleted, by name, and who does it.
chores: dict[str, Callable[[], Awaitable[int]]] = {}


async def tidy() -> dict[str, int]:
    """Does every chore; returns how much each has deleted. One that fails does not keep the others from being done."""
    found = {}
    for name, chore in chores.items():
        try:
            found[name] = await chore()
        except DatabaseError as error:
            _log.warning("%s could not be deleted: %s", name, error)
    return found


async def keep_tidy() -> None:
    """Tidies, again and again, for as long as the process hosts labs."""
    while True:
        try:
            await tidy()
        except Exception as error:  # a fault of ours must not end it
            _log.error("tidying failed", exc_info=error)
        await asyncio.sleep(EVERY_S)


async def _labs() -> int:
    before = timezone.now() - timedelta(seconds=settings.CLUSTERLAB["LAB_EXPIRES_S"])
    old = [pk async for pk in Lab.objects.filter(used__lt=before).exclude(pk__in=list(host.labs)).values_list("pk", flat=True)[:1000]]
    await drop(old)
    return len(old)


async def _replays() -> int:
    before = timezone.now() - timedelta(seconds=settings.CLUSTERLAB["LAB_EXPIRES_S"])
    return (await Replay.objects.filter(used__lt=before).adelete())[0]


async def _brought_notes() -> int:
    """Those of browsers without an account go when the cookie that led to them has."""
    before = timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return (await BroughtNotes.objects.filter(holder__startswith="b-", changed__lt=before).adelete())[0]


async def _sessions() -> int:
    return (await Session.objects.filter(expire_date__lt=timezone.now()).adelete())[0]


chores |= {"labs": _labs, "replays": _replays, "sessions": _sessions, "brought notes": _brought_notes}
