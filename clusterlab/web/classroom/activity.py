"""What learners do, as it is heard: for the tiles, for knowing who is stuck, and for telling who did what while all act on one lab."""

from __future__ import annotations

from django.db.models import F
from django.utils import timezone

from clusterlab.web.classroom import news
from clusterlab.web.classroom.models import TOGETHER, Activity, Member

__all__ = ["heard", "note"]

#: Lines kept of a class; older ones go.
KEEP = 500
#: What moves the clock, and is no try at anything.
_CLOCK = {"play", "pause", "step", "run", "seek", "back", "hold", "reset", "breakpoints"}


async def note(room_id: str, who: str, text: str) -> None:
    """Adds a line to the list of who did what."""
    row = await Activity.objects.acreate(room_id=room_id, who=who, text=text[:200])
    if row.pk % 50 == 0:
        old = Activity.objects.filter(room_id=room_id)[KEEP : KEEP + 200].values_list("pk", flat=True)
        await Activity.objects.filter(pk__in=[pk async for pk in old]).adelete()
    await news.changed(room_id)


async def heard(key: str, lab_id: str, what: str, failed: bool) -> None:
    """A command that came with a learner's key."""
    member = await Member.objects.select_related("room").filter(guest_key=key).afirst()
    if member is None:
        return
    if failed and what.startswith("kubectl") and what[:200] == member.last_line:  # a line that was heard when it began
        await Member.objects.filter(pk=member.pk).aupdate(last_failed=True)
        return
    api = what.startswith("api ")
    if api and member.last_line.startswith("kubectl ") and member.active and (timezone.now() - member.active).total_seconds() < 5:
        return  # the request of a line that was heard already
    fields = {"active": timezone.now()}
    if what not in _CLOCK:
        line = what.removeprefix("api ")[:200]
        fields |= {"last_line": line, "last_failed": failed, "commands": F("commands") + 1, "tries": F("tries") + 1}
    await Member.objects.filter(pk=member.pk).aupdate(**fields)
    if member.room.mode == TOGETHER and lab_id == member.room.lab_id:
        await note(member.room_id, member.name, what.removeprefix("api "))
