"""Grades: the part of a lesson's tasks that is done, sent whenever it has grown, and again until the platform has taken it.

What is to be sent lies in the database. It is tried at once; what fails is tried again after half a minute, then after twice as long each
time, for about a week. A process that ends in the middle leaves it to the next one.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from asgiref.sync import sync_to_async
from django.db import DatabaseError
from django.utils import timezone
from pylti1p3.assignments_grades import AssignmentsGradesService
from pylti1p3.exception import LtiException, LtiServiceException
from pylti1p3.grade import Grade
from pylti1p3.service_connector import ServiceConnector

from clusterlab.web import lessons
from clusterlab.web.accounts.belongings import current_user
from clusterlab.web.accounts.models import User
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lti.models import Outcome
from clusterlab.web.lti.platforms import Web, configured, registration_of

__all__ = ["keep_sending", "progressed", "progressed_by", "send_due"]

_log = logging.getLogger(__name__)
_sending: set[asyncio.Task[None]] = set()

#: How often it is looked for what is to be sent again, and the first wait after a failure.
LOOK_S, FIRST_S = 15.0, 30.0
#: Failures after which nothing more is tried until there is more to tell; the last waits are of a day.
MOST_TRIES, MOST_S = 18, 86_400.0
#: A sender that ended in the middle is taken for lost after so long.
CLAIM_S = 120
#: Grades sent in one round.
ROUND = 50


async def progressed(session: Any, lesson: str, done: list[str]) -> None:
    """Something was done in a lesson: platforms that opened it hear of it, without anybody waiting for them."""
    user = await current_user(session) if configured() else None
    if user is not None:
        await progressed_by(user, lesson, done)


async def progressed_by(user: User, lesson: str, done: list[str]) -> None:
    """Somebody has done something in a lesson, with whatever browser."""
    if not configured():
        return
    wanted = Outcome.objects.filter(identity__user=user, lesson=lesson)
    if not await wanted.aexists():
        return
    await lessons.ready(lesson)
    try:
        score = len({task.id for task in lessons.find(lesson).tasks} & set(done))
    except LabError:
        return
    if await wanted.filter(sent__lt=score, due__lt=score).aupdate(due=score, tries=0, next=timezone.now()):
        task = asyncio.create_task(send_due(), context=Context())
        _sending.add(task)
        task.add_done_callback(_sending.discard)


async def keep_sending() -> None:
    """Sends what waits, again and again, for as long as the process hosts labs."""
    while configured():
        try:
            await send_due()
        except DatabaseError as error:
            _log.warning("grades could not be looked for: %s", error)
        await asyncio.sleep(LOOK_S)


async def send_due() -> None:
    """Sends the grades whose time has come."""
    now = timezone.now()
    waiting = Outcome.objects.select_related("identity").filter(next__lte=now).order_by("next")[:ROUND]
    async for outcome in waiting:
        claimed = Outcome.objects.filter(pk=outcome.pk, next=outcome.next)
        if not await claimed.aupdate(next=now + timedelta(seconds=CLAIM_S)):
            continue  # another process sends it
        await lessons.ready(outcome.lesson)
        try:
            most = len(lessons.find(outcome.lesson).tasks)
            await sync_to_async(_send, thread_sensitive=False)(outcome, outcome.due, most)
        except (LtiException, LtiServiceException, requests.RequestException, ValueError, LabError) as error:
            _log.warning("a grade could not be sent to %s: %s", outcome.identity.issuer, type(error).__name__)
            tries = outcome.tries + 1
            wait_s = min(FIRST_S * 2**outcome.tries, MOST_S)
            again = None if tries >= MOST_TRIES else timezone.now() + timedelta(seconds=wait_s)
            await Outcome.objects.filter(pk=outcome.pk, due=outcome.due).aupdate(tries=tries, next=again)
        else:
            await Outcome.objects.filter(pk=outcome.pk).aupdate(sent=outcome.due)
            await Outcome.objects.filter(pk=outcome.pk, due=outcome.due).aupdate(tries=0, next=None)


def _send(outcome: Outcome, score: int, most: int) -> None:
    registration = registration_of(outcome.identity.issuer, outcome.client_id)
    service = AssignmentsGradesService(ServiceConnector(registration, Web()), {**outcome.claim, "lineitem": outcome.lineitem})
    grade = Grade().set_score_given(score).set_score_maximum(most).set_user_id(outcome.identity.subject) \
        .set_timestamp(datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")) \
        .set_activity_progress("Completed" if score == most else "InProgress").set_grading_progress("FullyGraded")
    service.put_grade(grade)
