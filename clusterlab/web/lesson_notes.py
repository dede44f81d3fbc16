"""What a learner did in a lesson besides its tasks: answers, what was skipped, where each step began, the clock.

It is kept with the lab, for each person apart, so that one goes on in any browser with an account and in the same one without.
The page writes texts by name: asked.ID, skipped.ID, steps, at, clock, clock.end, clock.ignored. The server only keeps them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import HttpRequest

from clusterlab.web.api import _body, endpoint
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.models import LessonNotes

__all__ = ["bring_in", "holders", "move", "notes", "notes_of", "taken_out"]

MOST_NOTES, MOST_TEXT = 300, 2_000
#: Notes that mean something in another lab of the same lesson, so that they go into an export.
PORTABLE = re.compile(r"(asked|skipped)\.[a-z0-9-]{1,63}")
_NAME = re.compile(r"(asked|skipped)\.[a-z0-9-]{1,63}|steps|at|clock(\.end|\.ignored)?")
#: Where the session keeps what stands for a visitor's browser, and what was brought in: {lesson: notes}.
BROWSER, BROUGHT = "browser", "lesson_notes"
#: (session): the account that holds notes; "" for none.
holders: list[Callable[[Any], Awaitable[str]]] = []


async def _holder(session: Any, make: bool = False) -> str:
    for source in holders:
        if found := await source(session):
            return found
    known = str(await session.aget(BROWSER, ""))
    if not known and make:
        known = f"b-{secrets.token_urlsafe(12)}"
        await session.aset(BROWSER, known)
    return known


async def notes_of(session: Any, lab_id: str, lesson: str) -> dict[str, str]:
    """The notes of whoever asks on a lab; in a lab that has none, those that were brought in for its lesson."""
    holder = await _holder(session)
    row = await LessonNotes.objects.filter(lab_id=lab_id, holder=holder).afirst() if holder else None
    if row is not None:
        return dict(row.notes)
    brought = await session.aget(BROUGHT, {})
    found = brought.get(lesson) if isinstance(brought, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def checked(given: Any) -> dict[str, str | None]:
    """Notes as they may be kept. Raises LabError."""
    if not isinstance(given, dict) or len(given) > MOST_NOTES:
        raise LabError(f"notes must be an object of at most {MOST_NOTES} texts", "notes")
    for name, text in given.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise LabError(f"there is no note called {str(name)[:80]!r}", "notes")
        if not (text is None or (isinstance(text, str) and len(text) <= MOST_TEXT and "\0" not in text)):
            raise LabError(f"{name}: must be a text of at most {MOST_TEXT} characters, or null to forget it", "notes")
    return given


@transaction.atomic
def _write(lab_id: str, holder: str, first: dict[str, str], given: dict[str, str | None]) -> None:
    row, made = LessonNotes.objects.select_for_update().get_or_create(lab_id=lab_id, holder=holder, defaults={"notes": first})
    found = {name: text for name, text in {**row.notes, **given}.items() if text is not None}
    if len(found) <= MOST_NOTES and (made or found != row.notes):
        row.notes = found
        row.save(update_fields=["notes", "changed"])


@endpoint("POST", change=True)
async def notes(request: HttpRequest, lab: Lab) -> Any:
    """{name: text, or null to forget}: keeps notes beside those that are there."""
    given = checked(_body(request))
    if not lab.lesson:
        raise LabError("this lab belongs to no lesson", code="NotFound", status=404)
    holder = await _holder(request.session, make=True)
    await sync_to_async(_write)(lab.id, holder, await notes_of(request.session, lab.id, lab.lesson), given)
    return {}


async def taken_out(session: Any) -> dict[str, dict[str, str]]:
    """{lesson: notes} of whoever asks, those of the newest lab of each lesson, as far as they mean something elsewhere."""
    holder = await _holder(session)
    brought = await session.aget(BROUGHT, {})
    found: dict[str, dict[str, str]] = {name: dict(each) for name, each in brought.items()} if isinstance(brought, dict) else {}
    if holder:
        rows = LessonNotes.objects.filter(holder=holder).exclude(lab__lesson="").order_by("changed").values_list("lab__lesson", "notes")
        async for lesson, each in rows:
            found[lesson] = {name: text for name, text in each.items() if PORTABLE.fullmatch(name)}
    return {name: each for name, each in sorted(found.items()) if each}


async def bring_in(session: Any, given: Any, known: set[str]) -> None:
    """Keeps the notes of an export for the next lab of each lesson. Raises LabError."""
    if not isinstance(given, dict):
        raise LabError("notes must be an object of lessons and their notes", "notes")
    taken = {
        name: {key: text for key, text in checked(given[name]).items() if text is not None and PORTABLE.fullmatch(key)}
        for name in sorted(set(given) & known)
    }
    if taken:
        before = await session.aget(BROUGHT, {})
        await session.aset(BROUGHT, {**(before if isinstance(before, dict) else {}), **taken})


def move(session: Any, holder: str) -> None:
    """What a visitor noted comes along to the account; where the account has notes on the same lab, those stay."""
    browser = session.get(BROWSER, "")
    if browser:
        there = LessonNotes.objects.filter(holder=holder).values_list("lab_id", flat=True)
        LessonNotes.objects.filter(holder=browser).exclude(lab_id__in=list(there)).update(holder=holder)
