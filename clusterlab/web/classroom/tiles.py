"""A tile for each learner: how far, what was typed last, who is stuck, and a small picture of the lab."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from clusterlab.lessons.loader import LessonError, load_lesson
from clusterlab.web import lessons
from clusterlab.web.classroom.models import OWN, Classroom, Member
from clusterlab.web.classroom.state import ms

__all__ = ["lesson_size", "stuck", "tiles"]

#: Without progress for so long, somebody who tries, or who does nothing at all, may need help.
STUCK_TRYING_S, STUCK_IDLE_S, TRIES = 180, 300, 4

def lesson_size(room: Classroom) -> int:
    """How many tasks the lesson of the class has."""
    try:
        return len(load_lesson(lessons.folder_for(room.lesson), room.lesson).tasks) if room.lesson else 0
    except LessonError:
        return 0


def stuck(member: Member, tasks: int) -> str:
    """Why somebody may need help; "" when not: "failing", "trying", "idle"."""
    if member.removed or not member.online or member.room.ended or (tasks and len(member.progress) >= tasks):
        return ""
    now = timezone.now()
    still_s = (now - (member.progressed or member.joined)).total_seconds()
    idle_s = (now - (member.active or member.joined)).total_seconds()
    if still_s > STUCK_TRYING_S and member.tries >= TRIES:
        return "failing" if member.last_failed else "trying"
    return "idle" if idle_s > STUCK_IDLE_S and still_s > STUCK_IDLE_S else ""


async def tiles(room: Classroom) -> list[dict[str, Any]]:
    """The tiles of all learners, in the order in which they came; of what the hosts have seen in their labs (classroom/looking.py)."""
    out, tasks = [], lesson_size(room)
    async for member in Member.objects.select_related("room", "taken_by").filter(room=room, removed=False):
        own = member.lab_id is not None and room.mode == OWN
        out.append({
            "seat": member.seat, "name": member.name, "online": member.online, "hand": ms(member.hand), "taken": member.taken,
            "takenBy": member.taken_by.username if member.taken_by else "",
            "watched": member.watched, "own": member.lab_id is not None, "step": member.step, "done": len(member.progress), "tasks": tasks,
            "commands": member.commands, "line": member.last_line, "failed": member.last_failed, "stuck": stuck(member, tasks),
            "seq": member.seq if own else None, "time": member.time_ms if own else None, "picture": member.picture if own else [],
        })
    return out
