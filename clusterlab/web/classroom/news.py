"""Telling the pages of a class that something changed.

What goes over the channel layer is only that there is news; each socket reads the state from the database then. So a message that is
lost costs nothing, and several server processes show the same.
"""

from __future__ import annotations

from typing import Any

from channels.layers import get_channel_layer
from django.db.models import F

from clusterlab.web.classroom.models import Classroom

__all__ = ["changed", "everyone", "point", "staff"]


def everyone(room_id: str) -> str:
    """The group of all sockets of a class."""
    return f"class-{room_id}"


def staff(room_id: str) -> str:
    """The group of its instructor's sockets."""
    return f"class-{room_id}-staff"


async def _send(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is not None:
        await layer.group_send(group, message)


async def changed(room_id: str, **fields: Any) -> None:
    """Writes fields of a class, and tells its pages."""
    await Classroom.objects.filter(pk=room_id).aupdate(version=F("version") + 1, **fields)
    await _send(everyone(room_id), {"type": "class.news"})


async def point(room_id: str, at: dict[str, Any] | None) -> None:
    """Shows where the instructor points. Kept nowhere."""
    await _send(everyone(room_id), {"type": "class.pointer", "at": at})
