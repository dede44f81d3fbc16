"""What the members of a class may ask for over its websocket, by who they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone
from django.utils.translation import gettext as _

from clusterlab.web.classroom import modes, news, opening, polls, pushing, teachers
from clusterlab.web.classroom.keys import Seat
from clusterlab.web.classroom.models import Member
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lti import courses
from clusterlab.web.lti.models import Course

__all__ = ["ANSWERED", "KINDS", "handler_of"]

Handler = Callable[[Seat, dict[str, Any]], Awaitable[None]]
MAX_STEP = 1000
#: A platform is asked for a course's people at most so often.
ROSTER_S = 10


async def _hand(seat: Seat, message: dict[str, Any]) -> None:
    assert seat.member is not None
    up = timezone.now() if message.get("up") else None
    if (seat.member.hand is None) == (up is None):
        return
    await Member.objects.filter(pk=seat.member.pk).aupdate(hand=up)
    await news.changed(seat.room.pk)


async def _vote(seat: Seat, message: dict[str, Any]) -> None:
    assert seat.member is not None
    await polls.vote(seat.member, message.get("poll"), message.get("choice"))


async def _at(seat: Seat, message: dict[str, Any]) -> None:
    """The step of the lesson that a learner reads."""
    assert seat.member is not None
    step = message.get("step")
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < MAX_STEP:
        raise LabError(_("step goes from 0 to {most}").format(most=MAX_STEP), "step")
    await Member.objects.filter(pk=seat.member.pk).aupdate(step=step)


async def _catch_up(seat: Seat, message: dict[str, Any]) -> None:
    assert seat.member is not None
    await modes.catch_up(seat.member, seat.room)


async def _leave(seat: Seat, message: dict[str, Any]) -> None:
    assert seat.member is not None
    await opening.leave(seat.member)


async def _mode(seat: Seat, message: dict[str, Any]) -> None:
    await modes.set_mode(seat.room, message.get("mode"))


def _short(value: Any, field: str) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise LabError(_("{field} must be a text of at most {most} characters").format(field=field, most=200), field)
    return value


async def _view(seat: Seat, message: dict[str, Any]) -> None:
    """What the instructor looks at, for those who follow."""
    view = {field: _short(message.get(field, ""), field) for field in ("lens", "selected")}
    if view != seat.room.view:
        await news.changed(seat.room.pk, view=view)


async def _pointer(seat: Seat, message: dict[str, Any]) -> None:
    """Where the instructor points: at a thing on the stage, as fractions of its width and height; nowhere without an id."""
    name = _short(message.get("id", ""), "id")
    if not name:
        await news.point(seat.room.pk, None)
        return
    x, y = message.get("x"), message.get("y")
    if not all(isinstance(one, int | float) and 0 <= one <= 1 for one in (x, y)):
        raise LabError(_("x and y go from 0 to 1"), "x")
    await news.point(seat.room.pk, {"id": name, "x": x, "y": y, **({"by": seat.name} if seat.helper is not None else {})})


async def _lock(seat: Seat, message: dict[str, Any]) -> None:
    await news.changed(seat.room.pk, locked=bool(message.get("on")))


async def _freeze(seat: Seat, message: dict[str, Any]) -> None:
    await news.changed(seat.room.pk, frozen=bool(message.get("on")))


async def _ask(seat: Seat, message: dict[str, Any]) -> None:
    await polls.ask(seat.room, message)


async def _close(seat: Seat, message: dict[str, Any]) -> None:
    await polls.close(seat.room, message.get("poll"))


async def _put_away(seat: Seat, message: dict[str, Any]) -> None:
    await polls.put_away(seat.room, message.get("poll"))


async def _decide(seat: Seat, message: dict[str, Any]) -> None:
    await polls.decide(seat.room, message)


async def _push(seat: Seat, message: dict[str, Any]) -> None:
    by = seat.name if seat.helper is not None else ""
    if "step" in message:
        await pushing.push_step(seat.room, message["step"], by)
    elif "manifest" in message:
        await pushing.push_manifest(seat.room, message["manifest"], by)
    elif "fault" in message:
        await pushing.push_fault(seat.room, message["fault"], by)
    else:
        raise LabError(_("push has a step, a manifest or a fault"), "push")


async def _timer(seat: Seat, message: dict[str, Any]) -> None:
    await pushing.set_timer(seat.room, message.get("seconds"), message.get("label", ""))


async def _code(seat: Seat, message: dict[str, Any]) -> None:
    if message.get("on", True):
        await opening.new_code(seat.room)
    else:
        await opening.revoke_code(seat.room)


async def _roster(seat: Seat, message: dict[str, Any]) -> None:
    """Asks the platform anew who is in the course."""
    course = await Course.objects.filter(pk=seat.room.course_id).afirst() if seat.room.course_id else None
    if course is None:
        raise LabError(_("this class belongs to no course of a learning platform"), code="NotFound", status=404)
    if course.fetched is not None and timezone.now() - course.fetched < timedelta(seconds=ROSTER_S):
        return
    if not await sync_to_async(courses.fetch, thread_sensitive=False)(course):
        raise LabError(_("the learning platform does not answer"), code="Unavailable", status=503)
    await news.changed(seat.room.pk)


async def _end(seat: Seat, message: dict[str, Any]) -> None:
    await opening.end(seat.room)


async def _invite(seat: Seat, message: dict[str, Any]) -> None:
    await teachers.invite(seat.room, seat.user, message.get("name"))


async def _uninvite(seat: Seat, message: dict[str, Any]) -> None:
    await teachers.uninvite(seat.room, message.get("name"))


async def _learner(seat: Seat, message: dict[str, Any]) -> Member:
    member = await Member.objects.filter(room=seat.room, seat=str(message.get("seat"))[:8], removed=False).afirst()
    if member is None:
        raise LabError(_("there is no such learner in this class"), "seat", "NotFound", 404)
    return member


async def _take(seat: Seat, message: dict[str, Any]) -> None:
    await modes.take(await _learner(seat, message), seat.user if message.get("on") else None)


async def _reset(seat: Seat, message: dict[str, Any]) -> None:
    await modes.reset(await _learner(seat, message))


async def _lower(seat: Seat, message: dict[str, Any]) -> None:
    member = await _learner(seat, message)
    await Member.objects.filter(pk=member.pk).aupdate(hand=None)
    await news.changed(seat.room.pk)


async def _remove(seat: Seat, message: dict[str, Any]) -> None:
    """Sends somebody out. The name stays taken, so that the seat cannot be had again under it."""
    member = await _learner(seat, message)
    await Member.objects.filter(pk=member.pk).aupdate(removed=True, online=False, hand=None, left=timezone.now())
    await news.changed(seat.room.pk)


LEARNER: dict[str, Handler] = {"hand": _hand, "vote": _vote, "at": _at, "catch-up": _catch_up, "leave": _leave}
INSTRUCTOR: dict[str, Handler] = {
    "mode": _mode, "view": _view, "pointer": _pointer, "lock": _lock, "freeze": _freeze, "poll": _ask, "close": _close, "decide": _decide,
    "put-away": _put_away, "push": _push, "timer": _timer, "code": _code,
    "roster": _roster, "take": _take, "reset": _reset, "lower": _lower, "remove": _remove,
}
#: What those who teach along may not: the class is its instructor's.
OWNER: dict[str, Handler] = {"end": _end, "invite": _invite, "uninvite": _uninvite}
KINDS = {*LEARNER, *INSTRUCTOR, *OWNER, "watch"}
#: Asks for something that takes a while: answered with {"type": "done"} when it is done.
ANSWERED = {"catch-up", "push", "decide", "take", "reset", "end", "roster", "invite", "uninvite"}


def handler_of(seat: Seat, kind: str) -> Handler | None:
    """What does a message of this kind, if the one on this seat may send it."""
    if not seat.teaches:
        return LEARNER.get(kind)
    return INSTRUCTOR.get(kind) or (OWNER.get(kind) if seat.owns else None)
