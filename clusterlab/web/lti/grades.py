"""Grades: the part of a lesson's tasks that is done, sent whenever it has grown."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import requests
from asgiref.sync import sync_to_async
from pylti1p3.assignments_grades import AssignmentsGradesService
from pylti1p3.exception import LtiException, LtiServiceException
from pylti1p3.grade import Grade
from pylti1p3.service_connector import ServiceConnector

from clusterlab.lessons.loader import LessonError, load_lesson
from clusterlab.web import lessons
from clusterlab.web.accounts.belongings import current_user
from clusterlab.web.accounts.models import User
from clusterlab.web.lti.models import Outcome
from clusterlab.web.lti.platforms import Web, configured, tool

__all__ = ["progressed", "progressed_by", "send_all"]

_log = logging.getLogger(__name__)
_sending: set[asyncio.Task[None]] = set()


async def progressed(session: Any, lesson: str, done: list[str]) -> None:
    """Something was done in a lesson: platforms that opened it hear of it, without anybody waiting for them."""
    user = await current_user(session) if configured() else None
    if user is not None:
        await progressed_by(user, lesson, done)


async def progressed_by(user: User, lesson: str, done: list[str]) -> None:
    """Somebody has done something in a lesson, with whatever browser."""
    if not configured() or not await Outcome.objects.filter(identity__user=user, lesson=lesson).aexists():
        return
    task = asyncio.create_task(sync_to_async(send_all, thread_sensitive=False)(user, lesson, done))
    _sending.add(task)
    task.add_done_callback(_sending.discard)


def send_all(user: User, lesson: str, done: list[str]) -> None:
    """Sends what the platforms do not know yet. What fails is logged, and sent with the next progress or launch."""
    try:
        tasks = {task.id for task in load_lesson(lessons.lessons_folder(), lesson).tasks}
    except LessonError:
        return
    score = len(tasks & set(done))
    for outcome in Outcome.objects.select_related("identity").filter(identity__user=user, lesson=lesson, sent__lt=score):
        try:
            _send(outcome, score, len(tasks))
        except (LtiException, LtiServiceException, requests.RequestException, ValueError) as error:
            _log.warning("a grade could not be sent to %s: %s", outcome.identity.issuer, type(error).__name__)
        else:
            Outcome.objects.filter(pk=outcome.pk, sent__lt=score).update(sent=score)


def _send(outcome: Outcome, score: int, most: int) -> None:
    conf, issuer = tool(), outcome.identity.issuer
    registration = conf.find_registration_by_issuer(issuer) if conf.check_iss_has_one_client(issuer) \
        else conf.find_registration_by_params(issuer, outcome.client_id)
    service = AssignmentsGradesService(ServiceConnector(registration, Web()), {**outcome.claim, "lineitem": outcome.lineitem})
    grade = Grade().set_score_given(score).set_score_maximum(most).set_user_id(outcome.identity.subject) \
        .set_timestamp(datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")) \
        .set_activity_progress("Completed" if score == most else "InProgress").set_grading_progress("FullyGraded")
    service.put_grade(grade)
