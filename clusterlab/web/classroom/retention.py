"""How long classes are kept: one that nobody uses any more ends by itself, and one that ended long ago is deleted with its report."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone

from clusterlab.web.classroom import opening
from clusterlab.web.classroom.models import Classroom

__all__ = ["delete_old", "end_forgotten"]

#: Classes that are dealt with in one round.
ROUND = 100


async def end_forgotten() -> int:
    """Ends classes in which nobody has done anything for long."""
    before = timezone.now() - timedelta(seconds=settings.CLUSTERLAB["CLASS_ENDS_S"])
    found = Classroom.objects.filter(ended=None, created__lt=before).annotate(last=Max("members__active"))
    unused = found.filter(Q(last=None) | Q(last__lt=before)).exclude(lab__used__gt=before)
    rooms = [room async for room in unused[:ROUND]]
    for room in rooms:
        await opening.end(room)
    return len(rooms)


async def delete_old() -> int:
    """Deletes classes whose report has been kept long enough."""
    before = timezone.now() - timedelta(seconds=settings.CLUSTERLAB["CLASS_EXPIRES_S"])
    rooms = [room async for room in Classroom.objects.filter(ended__lt=before)[:ROUND]]
    for room in rooms:
        await opening.delete_room(room)
    return len(rooms)
