"""What is kept of a class: who did what, as a table for a page and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from clusterlab.web.accounts.models import User
from clusterlab.web.classroom.models import Activity, Classroom, CoTeacher, Member, Poll, Vote
from clusterlab.web.classroom.tiles import lesson_size
from clusterlab.web.lti.courses import missing
from clusterlab.web.lti.models import Course, Identity

__all__ = ["as_csv", "report"]

#: Lines of what those who teach have done that a report shows.
DEEDS = 200


async def report(room: Classroom) -> dict[str, Any]:
    """The class, who taught it and what they did, its polls, a row for each learner, and who of its course never came."""
    polls = [poll async for poll in Poll.objects.filter(room=room).order_by("pk")]
    votes: dict[str, dict[int, str]] = {}
    async for vote in Vote.objects.filter(poll__room=room):
        votes.setdefault(vote.member_id, {})[vote.poll_id] = vote.choice
    members = [member async for member in Member.objects.filter(room=room)]
    rows = [
        {
            "name": member.name, "joined": member.joined, "left": member.left, "done": len(member.progress),
            "tasks": sorted(member.progress),
            "commands": member.commands, "last": member.last_line,
            "answers": [votes.get(member.pk, {}).get(poll.pk, "") for poll in polls],
            "right": sum(1 for poll in polls if poll.answer and votes.get(member.pk, {}).get(poll.pk) == poll.answer),
        }
        for member in members
    ]
    asked = [
        {
            "question": poll.question, "answer": poll.answer, "count": sum(poll.pk in found for found in votes.values()),
            "right": sum(bool(poll.answer) and found.get(poll.pk) == poll.answer for found in votes.values()),
        }
        for poll in polls
    ]
    course = await Course.objects.filter(pk=room.course_id).afirst() if room.course_id else None
    absent: list[str] = []
    if course is not None:
        came = Identity.objects.filter(issuer=course.issuer, user__seats__room=room)
        absent = missing(course, {subject async for subject in came.values_list("subject", flat=True)})
    decided = sum(bool(poll.answer) for poll in polls)
    tasks = lesson_size(room)
    owner = await User.objects.filter(pk=room.owner_id).values_list("username", flat=True).afirst()
    helpers = [name async for name in CoTeacher.objects.filter(room=room, accepted__isnull=False).values_list("name", flat=True)]
    deeds = [deed async for deed in Activity.objects.filter(room=room, staff=True)[:DEEDS]][::-1]
    return {
        "teachers": [owner or "", *helpers], "deeds": deeds, "absent": absent, "course": course, "room": room, "rows": rows,
        "polls": asked, "tasks": tasks, "decided": decided,
    }


def _cell(value: Any) -> Any:
    """A value as a cell: what a spreadsheet would run as a formula is marked as text."""
    text = str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_csv(found: dict[str, Any]) -> str:
    """The report as CSV: a row for each learner, a column for each poll."""
    out = io.StringIO()
    writer = csv.writer(out)
    polls = [poll["question"] for poll in found["polls"]]
    heads = ["name", "joined", "left", "tasks done", "tasks", "commands", "last command", "right answers"]
    writer.writerow([_cell(cell) for cell in [*heads, *polls]])
    for row in found["rows"]:
        left = row["left"].isoformat(timespec="seconds") if row["left"] else ""
        cells = [
            row["name"], row["joined"].isoformat(timespec="seconds"), left, row["done"], " ".join(row["tasks"]), row["commands"],
            row["last"], row["right"], *row["answers"],
        ]
        writer.writerow([_cell(cell) for cell in cells])
    for name in found["absent"]:
        writer.writerow([_cell(name), *[""] * (len(heads) - 1 + len(polls))])
    return out.getvalue()
