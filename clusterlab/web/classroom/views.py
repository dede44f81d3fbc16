"""Pages of classes: teach, join, the class itself, its report."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Any

import segno
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from clusterlab.web.accounts.models import User
from clusterlab.web.accounts.views import signed_in
from clusterlab.web.classroom import modes, opening, polls, teachers
from clusterlab.web.classroom.beginnings import begin, choices
from clusterlab.web.classroom.keys import SEATS, Seat, seat_of
from clusterlab.web.classroom.models import Classroom, CoTeacher, Member
from clusterlab.web.classroom.report import as_csv, report
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lessons import ready
from clusterlab.web.models import Lab as LabRecord
from clusterlab.web.pages import error_page, lab_context
from clusterlab.web.said import said
from clusterlab.web.throttle import address_of, wrong_codes

__all__ = [
    "accept", "code_picture", "decline", "delete", "join", "lab", "learner_lab", "leave", "new", "report_csv", "report_page", "room",
    "teach",
]

NO_CLASS = "There is no class at this address, or you are not in it. Join with its code."


async def _taught(request: HttpRequest, room_id: str) -> Classroom | None:
    """The class, for those who teach it; None for everybody else, as if it were not there."""
    seat = await seat_of(request.session, room_id)
    return seat.room if seat is not None and seat.teaches else None


def _not_there(request: HttpRequest) -> HttpResponse:
    return error_page(request, 404, _(NO_CLASS))


@require_GET
@signed_in
async def teach(request: HttpRequest) -> HttpResponse:
    """The classes that somebody teaches, invitations to others, and for instructors the form that opens another one."""
    user: User = await request.auser()  # type: ignore[assignment]
    asked = CoTeacher.objects.select_related("room", "room__owner").filter(user=user).order_by("-room__created")
    helping = [row async for row in asked[:100]]
    if not user.may_teach and not helping:
        return render(request, "classroom/not_yet.html", {"person": user}, status=403)
    rooms = [room async for room in Classroom.objects.filter(owner=user).annotate(size=Count("members")).order_by("-created")[:100]]
    courses = [course async for course in user.courses.order_by("title")[:50]]
    groups = await choices(request) if user.may_teach else []
    found = {"person": user, "rooms": rooms, "helping": helping, "groups": groups, "courses": courses}
    return render(request, "classroom/teach.html", found)


@require_POST
@signed_in
async def new(request: HttpRequest) -> HttpResponse:
    """Opens a class on whatever the form names (classroom/beginnings.py)."""
    user: User = await request.auser()  # type: ignore[assignment]
    try:
        await opening.may_open(user)
        course = request.POST.get("course", "")
        known = await user.courses.filter(pk=int(course)).afirst() if course.isdecimal() and len(course) < 10 else None
        begun = await begin(request)
        room = await opening.open_class(user, begun.id, begun.key, begun.lesson, request.POST.get("title", ""), known.pk if known else None)
    except LabError as error:
        return error_page(request, error.status, str(error))
    return HttpResponseRedirect(f"/classes/{room.pk}/")


@require_http_methods(["GET", "POST"])
async def join(request: HttpRequest, code: str = "") -> HttpResponse:
    """Joins a class with its code and a name."""
    user = await request.auser()
    person = user if isinstance(user, User) else None
    code = request.POST.get("code", code)
    name = request.POST.get("name", person.username if person else "")
    context: dict[str, Any] = {"person": person, "code": opening.shown_code(opening.plain_code(code)), "name": name}
    address = address_of(request.scope)  # type: ignore[attr-defined]
    room = None
    if code:
        if wrong_codes.exhausted(address):
            context["trouble"] = _("Too many wrong codes came from your address. Wait a minute.")
            return render(request, "classroom/join.html", context, status=429)
        room = await opening.by_code(code)
        if room is None:
            wrong_codes.count(address)
            context["trouble"] = _("This code opens no class. It may have been mistyped, or be over.")
            return render(request, "classroom/join.html", context, status=404)
    if room is not None:
        context["room"] = room
        seat = await seat_of(request.session, room.pk)
        if seat is not None:
            return HttpResponseRedirect(f"/classes/{room.pk}/")
        if request.method == "POST":
            try:
                await opening.join(request.session, room, name, person)
                return HttpResponseRedirect(f"/classes/{room.pk}/")
            except LabError as error:
                context["trouble"] = said(_(str(error)))
                return render(request, "classroom/join.html", context, status=error.status)
    return render(request, "classroom/join.html", context)


def _class_context(seat: Seat, watching: Member | None = None) -> dict[str, Any]:
    return {"klass": seat.room, "teaches": seat.teaches, "owns": seat.owns, "watching": watching}


@require_GET
async def room(request: HttpRequest, room_id: str) -> HttpResponse:
    """The class: for its instructor the board with the tiles, for a learner the lab that the mode gives."""
    seat = await seat_of(request.session, room_id)
    if seat is None:
        user = await request.auser()
        asked = isinstance(user, User) and await teachers.invited(user, room_id) is not None
        return HttpResponseRedirect("/classes/" if asked else "/join")
    if seat.member is None:
        return await _board(request, seat)
    if seat.room.ended is not None and seat.member.lab_id is None:
        return render(request, "classroom/over.html", {"room": seat.room})
    try:
        found = await modes.current_lab(seat.member, seat.room)
    except LabError as error:
        return error_page(request, error.status, str(error))
    return await _lab_page(request, found, _class_context(seat))


async def _lab_page(request: HttpRequest, lab_id: str, about: dict[str, Any]) -> HttpResponse:
    found = await LabRecord.objects.filter(pk=lab_id).afirst()
    if found is None:
        return error_page(request, 404, _("There is no lab at this address. It may have expired: start a new one."))
    return render(request, "lab.html", {**await lab_context(request, found), **about})


async def _board(request: HttpRequest, seat: Seat) -> HttpResponse:
    here = seat.room
    await ready(here.lesson)
    context = {
        "room": here, "owns": seat.owns, "join": request.build_absolute_uri(reverse("join")), "person": await request.auser(),
        "predictions": [{"id": one.id, "question": one.data.get("question") or one.info} for one in polls.predictions(here.lesson)],
        "steps": [],
    }
    if here.lesson:
        from clusterlab.web.lessons import rendered

        context["steps"] = (rendered(here.lesson) or {}).get("steps", [])
    return render(request, "classroom/board.html", context)


@require_GET
async def lab(request: HttpRequest, room_id: str) -> HttpResponse:
    """The lab of the class, for its instructor."""
    seat = await seat_of(request.session, room_id)
    if seat is None or not seat.teaches:
        return _not_there(request)
    try:
        found = modes.class_lab(seat.room)
    except LabError as error:
        return error_page(request, error.status, str(error))
    return await _lab_page(request, found, _class_context(seat))


@require_GET
async def learner_lab(request: HttpRequest, room_id: str, seat: str) -> HttpResponse:
    """A learner's own lab, for the instructor of the class."""
    here = await _taught(request, room_id)
    member = await Member.objects.filter(room=here, seat=seat, removed=False).afirst() if here is not None else None
    if here is None or member is None or not member.lab_id:
        return _not_there(request)
    return await _lab_page(request, member.lab_id, _class_context(Seat(here, None), member))


@require_GET
async def code_picture(request: HttpRequest, room_id: str) -> HttpResponse:
    """The join address as a QR picture."""
    here = await _taught(request, room_id)
    if here is None or not here.code:
        return _not_there(request)
    address = request.build_absolute_uri(reverse("join-code", args=[opening.shown_code(here.code)]))
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(out, kind="svg", scale=8, border=3, dark="#0a1120", light="#ffffff", xmldecl=False)
    return HttpResponse(out.getvalue(), content_type="image/svg+xml")


@require_GET
async def report_page(request: HttpRequest, room_id: str) -> HttpResponse:
    """What became of the class."""
    seat = await seat_of(request.session, room_id)
    if seat is None or not seat.teaches:
        return _not_there(request)
    return render(request, "classroom/report.html", {**await report(seat.room), "person": seat.user, "owns": seat.owns})


@require_GET
async def report_csv(request: HttpRequest, room_id: str) -> HttpResponse:
    """The report as a file."""
    here = await _taught(request, room_id)
    if here is None:
        return _not_there(request)
    headers = {"Content-Disposition": f'attachment; filename="class-{here.pk}.csv"'}
    return HttpResponse(as_csv(await report(here)), content_type="text/csv; charset=utf-8", headers=headers)


@require_POST
async def delete(request: HttpRequest, room_id: str) -> HttpResponse:
    """Deletes a class with its report and the learners' copies; its own instructor alone may."""
    seat = await seat_of(request.session, room_id)
    if seat is None or not seat.owns:
        return _not_there(request)
    await opening.delete_room(seat.room)
    return HttpResponseRedirect("/classes/")


async def _asked(request: HttpRequest, room_id: str, then: Callable[[CoTeacher], Awaitable[None]]) -> HttpResponse:
    user: User = await request.auser()  # type: ignore[assignment]
    row = await teachers.invited(user, room_id)
    if row is None:
        return _not_there(request)
    await then(row)
    return HttpResponseRedirect("/classes/")


@require_POST
@signed_in
async def accept(request: HttpRequest, room_id: str) -> HttpResponse:
    """Teaches somebody else's class along with them, as they have asked."""
    return await _asked(request, room_id, teachers.accept)


@require_POST
@signed_in
async def decline(request: HttpRequest, room_id: str) -> HttpResponse:
    """Turns such an invitation down, or stops."""
    return await _asked(request, room_id, teachers.decline)


@require_POST
async def leave(request: HttpRequest, room_id: str) -> HttpResponse:
    """Leaves a class; what is stored of the learner goes."""
    seat = await seat_of(request.session, room_id)
    if seat is not None and seat.member is not None:
        await opening.leave(seat.member)
        seats = dict(await request.session.aget(SEATS, {}))
        seats.pop(room_id, None)
        await request.session.aset(SEATS, seats)
    return HttpResponseRedirect("/")
