"""Looks at learners' copies while they change, whether or not anybody has a page open: which tasks are done, and how the lab looks.

Each host looks at the labs that it has in memory, and writes what it finds into the learner's row; boards and reports read rows alone, so
they are the same in every process. A lab is looked at when it has moved on since, at most every two seconds, and all looking together
takes at most a quarter of the process's time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone

from clusterlab.web import lessons
from clusterlab.web.accounts.models import User
from clusterlab.web.classroom import thumbs
from clusterlab.web.classroom.models import Member
from clusterlab.web.classroom.presence import forget_gone
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["finders", "look", "look_on"]

_log = logging.getLogger(__name__)

LOOK_S = 2.0
#: How often it is looked who is gone.
FORGET_S = 10.0
#: Looking rests for so many times as long as it took.
REST = 3.0
#: (learner, lesson, ids of all tasks done): told of what an account has done in a class.
finders: list[Callable[[User, str, list[str]], Awaitable[None]]] = []
_recalling: list[asyncio.Task[None]] = []
_seen: WeakKeyDictionary[Lab, tuple[int, int]] = WeakKeyDictionary()


async def look_on() -> None:
    """Looks, again and again, for as long as the process hosts labs."""
    if not settings.SCALED:  # whoever was there when the server ended has not said so
        await Member.objects.filter(Q(online=True) | Q(watched_by__isnull=False)).aupdate(online=False, watched_by=None)
    forgot_s = time.monotonic()
    while True:
        begun_s = time.monotonic()
        try:
            await look()
            if begun_s - forgot_s > FORGET_S:
                forgot_s = begun_s
                await forget_gone()
        except DatabaseError as error:
            _log.warning("classes could not be looked at: %s", error)
        except Exception as error:  # a fault of ours must not end it for all classes
            _log.error("looking at classes failed", exc_info=error)
        took_s = time.monotonic() - begun_s
        await asyncio.sleep(max(LOOK_S, REST * took_s))


async def look() -> None:
    """One round over the copies in this process."""
    if not host.labs:
        return
    found: list[tuple[Member, Lab, tuple[int, int] | None, dict[str, Any]]] = []
    members = Member.objects.select_related("user").filter(room__ended=None, removed=False, lab_id__in=list(host.labs))
    async for member in members:
        lab = host.labs.get(str(member.lab_id))
        if lab is None or lab.lost or not lab.stands.is_set() or _seen.get(lab) == (where := (lab.cluster.sim.last_seq, lab.generation)):
            continue
        fields, whole = await _of(member, lab)
        found.append((member, lab, where if whole else None, fields))
        await asyncio.sleep(0)
    if not found:
        return
    await sync_to_async(_write)([(member, fields) for member, _, _, fields in found])
    for member, lab, seen, fields in found:
        if seen is not None:
            _seen[lab] = seen
        if "progress" in fields and member.user is not None:
            for finder in finders:
                await finder(member.user, lab.lesson, fields["progress"])


async def _of(member: Member, lab: Lab) -> tuple[dict[str, Any], bool]:
    """What has changed of a learner's row, and whether that is all of it: what was done before a lab was woken counts as well, and has
    to be worked out again first, one lab at a time."""
    fields: dict[str, Any] = {"seq": lab.cluster.sim.last_seq, "time_ms": lab.cluster.sim.time_ms, "picture": thumbs.thumbnail(lab)}
    if not lab.lesson:
        return fields, True
    if lab.history.first_known:
        if all(task.done() for task in _recalling):
            _recalling[:] = [lab.recall()]
        return fields, False
    await lessons.ready(lab.lesson)
    new = [task for task in _done(lab) if task not in member.progress]
    if new:
        fields |= {"progress": [*member.progress, *new], "progressed": timezone.now(), "tries": 0}
    return fields, True


def _done(lab: Lab) -> list[str]:
    try:
        return [task["id"] for task in lessons.checks(lab)["tasks"] if task["done"]]
    except LabError:
        return []


@transaction.atomic
def _write(found: list[tuple[Member, dict[str, Any]]]) -> None:
    for member, fields in found:
        # Not for a copy that was left behind meanwhile.
        Member.objects.filter(pk=member.pk, lab_id=member.lab_id).update(**fields)
