"""What a learner did in a lesson besides its tasks: answers, skips, hints, changed manifests, where each step began, the clock.

It is kept with the lab, for each person apart, so that one goes on in any browser with an account and in the same one without.
The page writes texts by name: asked.ID, skipped.ID, hints.TASK, manifest.FILE, steps, at, clock, clock.end, clock.ignored. The server only
keeps them.

An export holds them for each lesson, with two changes: a clock becomes the time that it has run (clock.spent), as the moments of another
day mean nothing, and beside the steps' marks, which count the steps of one lab, stands that lab. What an export brings waits for the next
lab of its lesson.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import HttpRequest

from clusterlab.web.api import _body, endpoint
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.models import BroughtNotes, LessonNotes

__all__ = ["bring_in", "holders", "move", "notes", "notes_of", "taken_out"]

MOST_NOTES, MOST_TEXT = 300, 2_000
#: A manifest's text, with what JSON makes of it; and all notes of somebody on a lab together.
MOST_MANIFEST, MOST_ALTOGETHER = 24_000, 400_000
_FREE = r"(asked|skipped|hints)\.[a-z0-9-]{1,63}|manifest\.[A-Za-z0-9][\w.-]{0,99}|at|clock\.ignored"
_NAME = re.compile(_FREE + r"|steps|clock(\.end)?")
#: Notes of an export. `lab`: the one in which the steps are counted.
_PORTABLE = re.compile(_FREE + r"|steps|lab|clock\.(spent|solved)")
#: Where the session keeps what stands for a visitor's browser.
BROWSER = "browser"
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
    brought = await BroughtNotes.objects.filter(holder=holder, lesson=lesson).afirst() if holder else None
    return _unpacked(brought.notes, lab_id) if brought is not None else {}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _packed(notes: dict[str, str], lab_id: str) -> dict[str, str]:
    """Notes of a lab as they go into an export."""
    found = {name: text for name, text in notes.items() if _PORTABLE.fullmatch(name)}
    if "steps" in found:
        found["lab"] = lab_id
    begun, end = _moment(notes.get("clock")), _moment(notes.get("clock.end"))
    if begun is not None:
        found["clock.spent"] = str(max(0, (_now_ms() if end is None else end) - begun))
        if end is not None:
            found["clock.solved"] = "yes"
    return found


def _unpacked(brought: dict[str, str], lab_id: str) -> dict[str, str]:
    """Notes of an export as the page of a lab reads them: its clock goes on from the time that it had run."""
    found = {name: text for name, text in brought.items() if _NAME.fullmatch(name)}
    if brought.get("lab") != lab_id:
        found.pop("steps", None)
    spent = _moment(brought.get("clock.spent"))
    if spent is not None:
        found["clock"] = str(_now_ms() - spent)
        if "clock.solved" in brought:
            found["clock.end"] = str(_now_ms())
    return found


def _moment(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 16 else None


def checked(given: Any, known: re.Pattern[str] = _NAME) -> dict[str, str | None]:
    """Notes as they may be kept. Raises LabError."""
    if not isinstance(given, dict) or len(given) > MOST_NOTES:
        raise LabError(f"notes must be an object of at most {MOST_NOTES} texts", "notes")
    for name, text in given.items():
        if not isinstance(name, str) or not known.fullmatch(name):
            raise LabError(f"there is no note called {str(name)[:80]!r}", "notes")
        most = MOST_MANIFEST if name.startswith("manifest.") else MOST_TEXT
        if not (text is None or (isinstance(text, str) and len(text) <= most and "\0" not in text)):
            raise LabError(f"{name}: must be a text of at most {most} characters, or null to forget it", "notes")
    return given


@transaction.atomic
def _write(lab_id: str, holder: str, first: dict[str, str], given: dict[str, str | None]) -> None:
    row, made = LessonNotes.objects.select_for_update().get_or_create(lab_id=lab_id, holder=holder, defaults={"notes": first})
    found = {name: text for name, text in {**row.notes, **given}.items() if text is not None}
    if len(found) > MOST_NOTES or sum(map(len, found.values())) > MOST_ALTOGETHER:
        raise LabError(f"a lesson keeps at most {MOST_NOTES} notes of {MOST_ALTOGETHER:,} characters altogether", "notes")
    if made or found != row.notes:
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
    """{lesson: notes} of whoever asks, those of the newest lab of each lesson, as an export holds them."""
    holder = await _holder(session)
    if not holder:
        return {}
    brought = BroughtNotes.objects.filter(holder=holder)
    found = {row.lesson: {name: text for name, text in row.notes.items() if name != "lab" or "steps" in row.notes} async for row in brought}
    rows = LessonNotes.objects.filter(holder=holder).exclude(lab__lesson="").order_by("changed")
    async for lesson, lab_id, each in rows.values_list("lab__lesson", "lab_id", "notes"):
        found[lesson] = _packed(each, lab_id)
    return {name: each for name, each in sorted(found.items()) if each}


async def bring_in(session: Any, given: Any, known: set[str]) -> None:
    """Keeps the notes of an export for the next lab of each lesson. Raises LabError."""
    if not isinstance(given, dict):
        raise LabError("notes must be an object of lessons and their notes", "notes")
    taken = {}
    for name in sorted(set(given) & known):
        notes = {key: text for key, text in checked(given[name], _PORTABLE).items() if text is not None}
        if sum(map(len, notes.values())) > MOST_ALTOGETHER:
            raise LabError(f"the notes of {name} are longer than {MOST_ALTOGETHER:,} characters", "notes")
        if notes:
            taken[name] = notes
    holder = await _holder(session, make=True) if taken else ""
    for name, notes in taken.items():
        await BroughtNotes.objects.aupdate_or_create(holder=holder, lesson=name, defaults={"notes": notes})


def move(session: Any, holder: str) -> None:
    """What a visitor noted comes along to the account; where the account has notes on the same lab or lesson, those stay."""
    browser = session.get(BROWSER, "")
    if browser:
        for model, field in ((LessonNotes, "lab_id"), (BroughtNotes, "lesson")):
            there = model.objects.filter(holder=holder).values_list(field, flat=True)
            model.objects.filter(holder=browser).exclude(**{f"{field}__in": list(there)}).update(holder=holder)
