"""What learners do, as it is heard: for the tiles, for knowing who is stuck, and for telling who did what while all act on one lab."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from clusterlab.web.classroom import news
from clusterlab.web.classroom.models import TOGETHER, Activity, Member

__all__ = ["heard", "note"]

#: Lines kept of a class; older ones go.
KEEP = 500
#: Within so long, requests and the line that made them belong together.
RECENT_S = 15
_METHODS = {"POST", "PUT", "PATCH", "DELETE"}
#: What moves the clock, and is no try at anything.
_CLOCK = {"play", "pause", "step", "run", "seek", "back", "hold", "reset", "breakpoint"}


async def note(room_id: str, who: str, text: str) -> None:
    """Adds a line to the list of who did what."""
    row = await Activity.objects.acreate(room_id=room_id, who=who, text=text[:200])
    if row.pk % 50 == 0:
        old = Activity.objects.filter(room_id=room_id)[KEEP : KEEP + 200].values_list("pk", flat=True)
        await Activity.objects.filter(pk__in=[pk async for pk in old]).adelete()
    await news.changed(room_id)


async def heard(key: str, lab_id: str, what: str, failed: bool) -> None:
    """A command that came with a learner's key: a line, or (with "api " before it) a request. The requests of a line may be heard
    before it or after; the line stands for them."""
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
    newest = Activity.objects.filter(room_id=member.room_id, who=member.name, at__gt=timezone.now() - timedelta(seconds=RECENT_S))[:KEEP]
    requests: list[int] = []
    async for row in newest:
        if row.text.partition(" ")[0] not in _METHODS:
            break
        requests.append(row.pk)
    await Activity.objects.filter(pk__in=requests).adelete()
