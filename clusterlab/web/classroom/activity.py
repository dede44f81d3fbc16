"""What people do, as it is heard: for the tiles, for knowing who is stuck, and for telling who did what where several act, or teach."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from clusterlab.web.classroom import news
from clusterlab.web.classroom.keys import TAKEN, TEACHING, Seat
from clusterlab.web.classroom.models import TOGETHER, Activity, CoTeacher, Member

__all__ = ["heard", "note", "note_deed"]

#: Lines kept of a class; older ones go.
KEEP = 500
#: Within so long, requests and the line that made them belong together.
RECENT_S = 15
_METHODS = {"POST", "PUT", "PATCH", "DELETE"}
#: What moves the clock, and is no try at anything.
_CLOCK = {"play", "pause", "step", "run", "seek", "back", "hold", "reset", "breakpoint"}
#: What those who teach do without its being worth a line.
_SILENT = {"view", "pointer", "watch", "roster"}


async def note(room_id: str, who: str, text: str, staff: bool = False) -> None:
    """Adds a line to the list of who did what; with `staff` to that of those who teach."""
    row = await Activity.objects.acreate(room_id=room_id, who=who, text=text[:200], staff=staff)
    if row.pk % 50 == 0:
        old = Activity.objects.filter(room_id=room_id)[KEEP : KEEP + 200].values_list("pk", flat=True)
        await Activity.objects.filter(pk__in=[pk async for pk in old]).adelete()
    await news.changed(room_id)


async def note_deed(seat: Seat, message: dict[str, Any]) -> None:
    """What somebody who teaches has done over the class's websocket, for the others who do: a word for it, and what it was done to."""
    kind = str(message["type"])
    if kind in _SILENT or not await CoTeacher.objects.filter(room=seat.room).aexists():
        return
    if kind == "push":
        kind = next((f"push-{one}" for one in ("step", "manifest", "fault") if one in message), kind)
        fault, step = message.get("fault"), message.get("step")
        what = f"{fault.get('kind')} {fault.get('target', '')}" if isinstance(fault, dict) else step + 1 if isinstance(step, int) else ""
    elif "seat" in message:
        learners = Member.objects.filter(room=seat.room, seat=str(message["seat"])[:8])
        what = await learners.values_list("name", flat=True).afirst() or ""
    else:
        what = next((message[field] for field in ("mode", "question", "seconds", "name", "answer") if message.get(field)), "")
    if "on" in message:
        kind += "" if message["on"] else "-off"
    await note(seat.room.pk, seat.name, f"{kind} {what}".strip(), staff=True)


async def _heard_teacher(key: str, lab_id: str, what: str) -> None:
    """A command of somebody who teaches along, in the lab of the class or in one that was taken over."""
    member: Member | None = None
    of: dict[str, Any] = {"guest_key": key}
    if key.startswith(TAKEN):
        member = await Member.objects.filter(taken_key=key).afirst()
        of = {"room_id": member.room_id, "user_id": member.taken_by_id} if member is not None else {"pk": None}
    helper = await CoTeacher.objects.select_related("room").filter(**of).afirst()
    if helper is None or what in _CLOCK:
        return
    now, api = timezone.now(), what.startswith("api ")
    recent = helper.active is not None and (now - helper.active).total_seconds() < RECENT_S
    if api and recent and helper.last_line.partition(" ")[0] not in _METHODS:  # of the line that was heard before it
        return
    line = what.removeprefix("api ")[:200]
    if line == helper.last_line and recent and not api:  # it was heard when it began
        return
    await CoTeacher.objects.filter(pk=helper.pk).aupdate(last_line=line, active=now)
    if member is None and helper.room.mode == TOGETHER:
        await note(helper.room_id, helper.name, line)
    else:
        where = f" ({member.name})" if member is not None else ""
        await note(helper.room_id, helper.name, f"$ {line[:140]}{where}", staff=True)


async def heard(key: str, lab_id: str, what: str, failed: bool) -> None:
    """A command that came with a learner's key: a line, or (with "api " before it) a request. The requests of a line may be heard
    before it or after; the line stands for them."""
    if key.startswith((TEACHING, TAKEN)):
        await _heard_teacher(key, lab_id, what)
        return
    member = await Member.objects.select_related("room").filter(guest_key=key).afirst()
    if member is None:
        return
    since_s = (timezone.now() - (member.active or member.joined)).total_seconds()
    recent, line = since_s < RECENT_S, what.removeprefix("api ")[:200]
    if failed and line == member.last_line and not member.last_failed and recent:  # it was heard when it began
        await Member.objects.filter(pk=member.pk).aupdate(last_failed=True)
        return
    was_request = member.last_line.partition(" ")[0] in _METHODS
    if what.startswith("api ") and not was_request and member.last_line and recent:
        return
    fields: dict[str, Any] = {"active": timezone.now()}
    if what not in _CLOCK:
        fields |= {"last_line": line, "last_failed": failed}
        if not (was_request and recent and not what.startswith("api ")):
            fields |= {"commands": F("commands") + 1, "tries": F("tries") + 1}
    await Member.objects.filter(pk=member.pk).aupdate(**fields)
    if member.room.mode == TOGETHER and lab_id == member.room.lab_id:
        if not what.startswith("api ") and what not in _CLOCK and was_request and recent:
            await _forget_requests(member)
        await note(member.room_id, member.name, line)


async def _forget_requests(member: Member) -> None:
    """Takes the requests of a line off the list, back to whatever this learner did before."""
    since = timezone.now() - timedelta(seconds=RECENT_S)
    newest = Activity.objects.filter(room_id=member.room_id, who=member.name, staff=False, at__gt=since)[:KEEP]
    requests: list[int] = []
    async for row in newest:
        if row.text.partition(" ")[0] not in _METHODS:
            break
        requests.append(row.pk)
    await Activity.objects.filter(pk__in=requests).adelete()
