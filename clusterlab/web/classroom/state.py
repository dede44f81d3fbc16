"""What the pages of a class are shown: one state for all, and what is each one's own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from clusterlab.web.accounts.models import User
from clusterlab.web.classroom import polls
from clusterlab.web.classroom.keys import Seat, lab_of, may_change, seat_of
from clusterlab.web.classroom.models import TOGETHER, Activity, Classroom, CoTeacher, Member, Poll, Vote
from clusterlab.web.classroom.opening import shown_code
from clusterlab.web.lti.courses import missing
from clusterlab.web.lti.models import Course, Identity

__all__ = ["ms", "state_for"]

#: Lines of who did what that a page shows.
ACTIVITY = 30
#: Classes whose state is kept ready.
KEPT = 200
_loading: dict[str, tuple[int, asyncio.Future[_Shared]]] = {}


def ms(moment: Any) -> int | None:
    """A time as pages count it: milliseconds of Unix time."""
    return int(moment.timestamp() * 1000) if moment else None


@dataclass(frozen=True)
class _Shared:
    """What all pages of a class show, as of a version of it."""

    version: int
    poll: Poll | None
    votes: dict[str, int]
    mine: dict[str, str]
    activity: list[dict[str, Any]]
    count: int
    #: Who teaches along: {name, account, accepted, invited}.
    helpers: list[dict[str, Any]]
    #: What those who teach have done, where they are several.
    deeds: list[dict[str, Any]]


async def _load(room: Classroom) -> _Shared:
    poll = await polls.current(room)
    votes = await polls.tally(poll) if poll else {}
    mine = {row[0]: row[1] async for row in Vote.objects.filter(poll=poll).values_list("member_id", "choice")} if poll else {}
    activity = await _activity(room, staff=False) if room.mode == TOGETHER else []
    helpers = [
        {"name": one.name, "account": one.user.username, "accepted": one.accepted is not None}
        async for one in CoTeacher.objects.select_related("user").filter(room=room)
    ]
    deeds = await _activity(room, staff=True) if helpers else []
    count = await Member.objects.filter(room=room, removed=False).acount()
    return _Shared(room.version, poll, votes, mine, activity, count, helpers, deeds)


async def _shared(room: Classroom) -> _Shared:
    """Loaded once for each version, for all sockets of this process."""
    known = _loading.get(room.pk)
    if known is None or known[0] < room.version:
        known = _loading[room.pk] = (room.version, asyncio.ensure_future(_load(room)))
        while len(_loading) > KEPT:
            del _loading[next(iter(_loading))]
    try:
        return await asyncio.shield(known[1])
    except Exception:
        _loading.pop(room.pk, None)
        raise


def _poll(shared: _Shared, seat: Seat) -> dict[str, Any] | None:
    poll, counts = shared.poll, shared.votes
    if poll is None:
        return None
    shown: dict[str, Any] = {
        "id": poll.pk, "question": poll.question, "kind": poll.kind, "choices": poll.choices, "state": poll.state,
        "by": poll.decide.get("by", ""), "total": sum(counts.values()),
    }
    # What others think must not lead anybody while the question is open.
    if seat.teaches or poll.state != "open":
        shown["votes"] = counts
    if poll.state == "decided":
        shown |= {"answer": poll.answer, "explain": poll.explain}
    if seat.member is not None:
        shown["mine"] = shared.mine.get(seat.member.pk)
    return shown


async def _activity(room: Classroom, staff: bool) -> list[dict[str, Any]]:
    rows = Activity.objects.filter(room=room, staff=staff)[:ACTIVITY]
    return [{"id": row.pk, "who": row.who, "text": row.text, "at": ms(row.at)} async for row in rows]


async def _roster(room: Classroom) -> dict[str, Any] | None:
    """Who of the course has not come."""
    if not room.course_id:
        return None
    course = await Course.objects.filter(pk=room.course_id).afirst()
    if course is None:
        return None
    came = Identity.objects.filter(issuer=course.issuer, user__seats__room=room, user__seats__removed=False)
    there = {subject async for subject in came.values_list("subject", flat=True)}
    expected = sum(not one["teaches"] for one in course.roster)
    return {"title": course.title, "expected": expected, "missing": missing(course, there), "fetched": ms(course.fetched)}


def _name_of(user: User | None, shared: _Shared) -> str:
    """What the class knows somebody by who teaches it; "" for nobody, and where there is but one who does."""
    if user is None or not shared.helpers:
        return ""
    return next((str(one["name"]) for one in shared.helpers if one["account"] == user.username), user.username)


def _me(seat: Seat, shared: _Shared) -> dict[str, Any]:
    room, member = seat.room, seat.member
    if member is None:
        account = seat.user.username if seat.user else ""
        return {"teaches": True, "owns": seat.owns, "name": seat.name, "account": account, "lab": room.lab_id}
    lab = lab_of(member, room)
    return {
        "teaches": False, "name": member.name, "seat": member.seat, "hand": member.hand is not None, "lab": lab,
        "own": member.lab_id is not None and lab == member.lab_id, "canEdit": lab is not None and may_change(member, room) == lab,
        "taken": member.taken, "watched": member.watched,
        "by": _name_of(member.taken_by if member.taken else member.watched_by, shared),
    }


async def state_for(session: Any, room_id: str) -> tuple[Seat, dict[str, Any]] | None:
    """The seat and the state for the holder of a session; None for who is not (or no longer) in the class."""
    seat = await seat_of(session, room_id)
    if seat is None:
        return None
    room = seat.room
    shared = await _shared(room)
    shown: dict[str, Any] = {
        "id": room.pk, "title": room.title, "lesson": room.lesson, "mode": room.mode, "locked": room.locked, "frozen": room.frozen,
        "step": room.step, "view": room.view, "pushed": room.pushed, "lab": room.lab_id, "ended": room.ended is not None,
        "timer": {"until": ms(room.timer_until), "label": room.timer_label} if room.timer_until else None,
        "count": shared.count, "poll": _poll(shared, seat), "me": _me(seat, shared), "activity": shared.activity,
    }
    if seat.teaches:
        holds = room.code is not None and room.code_until is not None and room.code_until > timezone.now()
        shown |= {"code": shown_code(room.code) if holds else "", "codeUntil": ms(room.code_until), "roster": await _roster(room)}
        owner = await User.objects.filter(pk=room.owner_id).values_list("username", flat=True).afirst()
        shown |= {"owner": owner or "", "helpers": shared.helpers, "deeds": shared.deeds}
    return seat, shown
