"""What is kept of a class: who did what, as a table for a page and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from clusterlab.web.classroom.models import Classroom, Member, Poll, Vote
from clusterlab.web.classroom.tiles import lesson_size

__all__ = ["as_csv", "report"]


async def report(room: Classroom) -> dict[str, Any]:
    """The class, its polls, and a row for each learner."""
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
    return {"room": room, "rows": rows, "polls": asked, "tasks": lesson_size(room), "decided": sum(bool(poll.answer) for poll in polls)}


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
    return out.getvalue()
