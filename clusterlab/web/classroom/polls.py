"""Questions to the class, and how the model answers them."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _

from clusterlab.lessons.loader import Directive, LessonError, load_lesson
from clusterlab.lessons.predictions import shown
from clusterlab.web.classroom import news
from clusterlab.web.classroom.models import Classroom, Member, Poll, Vote
from clusterlab.web.classroom.modes import class_lab
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lessons import folder_for
from clusterlab.web.scale.at import at

__all__ = ["ask", "close", "current", "decide", "predictions", "put_away", "tally", "vote"]

MAX_POLLS, MAX_CHOICES, MAX_CHOICE = 100, 8, 120
#: How keys of things on the stage look.
_ON_STAGE = re.compile(r"[a-z][A-Za-z0-9./-]*")


def _text(value: Any, field: str, most: int) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise LabError(_("{field} must be a text of at most {most} characters").format(field=field, most=most), field)
    return " ".join(value.split())


def predictions(lesson: str) -> list[Directive]:
    """The questions of a lesson whose answers the model itself gives."""
    if not lesson:
        return []
    try:
        found = load_lesson(folder_for(lesson), lesson)
    except LessonError:
        return []
    return [directive for step in found.steps for directive in step.directives if directive.kind == "predict"]


def _prediction(room: Classroom, name: Any) -> Directive:
    found = next((one for one in predictions(room.lesson) if one.id == name), None)
    if found is None:
        raise LabError(_("the lesson of this class has no prediction {name!r}").format(name=name), "prediction", "NotFound", 404)
    return found


async def ask(room: Classroom, message: dict[str, Any]) -> Poll:
    """Opens a poll from {prediction} | {question, kind: choice, choices} | {question, kind: stage, decide?: scheduler}. Raises LabError."""
    if await Poll.objects.filter(room=room).acount() >= MAX_POLLS:
        raise LabError(_("a class asks at most {most} questions").format(most=MAX_POLLS), code="TooManyPolls", status=429)
    if "prediction" in message:
        directive = _prediction(room, message["prediction"])
        fields = {
            "question": str(directive.data.get("question") or directive.info)[:300], "kind": "choice",
            "choices": [shown(choice)[:MAX_CHOICE] for choice in directive.data["choices"]],
            "decide": {"by": "prediction", "name": directive.id},
        }
    else:
        fields = _asked(message)
    await Poll.objects.filter(room=room, state="open").aupdate(state="closed")
    poll = await Poll.objects.acreate(room=room, **fields)
    await news.changed(room.pk)
    return poll


def _asked(message: dict[str, Any]) -> dict[str, Any]:
    kind, decide = message.get("kind", "choice"), message.get("decide", "")
    if kind not in ("choice", "stage"):
        raise LabError(_("kind must be choice or stage"), "kind")
    if decide not in ("", "scheduler") or (decide and kind != "stage"):
        raise LabError(_("only a question on the stage can be decided by the scheduler"), "decide")
    choices: list[str] = []
    if kind == "choice":
        given = message.get("choices")
        if not isinstance(given, list) or not 2 <= len(given) <= MAX_CHOICES:
            raise LabError(_("choices must be a list of 2 to {most} texts").format(most=MAX_CHOICES), "choices")
        choices = [_text(choice, "choices", MAX_CHOICE) for choice in given]
        if len(set(choices)) != len(choices):
            raise LabError(_("each choice must differ from the others"), "choices")
    question = _text(message.get("question"), "question", 300)
    return {"question": question, "kind": kind, "choices": choices, "decide": {"by": decide} if decide else {}}


async def current(room: Classroom) -> Poll | None:
    """The poll that was opened last; None once it is put away."""
    poll = await Poll.objects.filter(room=room).order_by("-pk").afirst()
    return None if poll is None or poll.away else poll


async def vote(member: Member, poll_id: Any, choice: Any) -> None:
    """Takes a learner's answer; another one replaces it while the poll is open. Raises LabError."""
    poll = await Poll.objects.filter(pk=poll_id, room_id=member.room_id).afirst() if isinstance(poll_id, int) else None
    if poll is None:
        raise LabError(_("there is no such question in this class"), "poll", "NotFound", 404)
    if poll.state != "open":
        raise LabError(_("this question is closed"), code="Conflict", status=409)
    if poll.kind == "choice" and choice not in poll.choices:
        raise LabError(_("choice must be one of the choices"), "choice")
    if poll.kind == "stage" and not (isinstance(choice, str) and len(choice) <= MAX_CHOICE and _ON_STAGE.fullmatch(choice)):
        raise LabError(_("choice must be the key of something on the stage, such as nodes/node-1"), "choice")
    await Vote.objects.aupdate_or_create(poll=poll, member=member, defaults={"choice": choice})
    await news.changed(member.room_id)


async def tally(poll: Poll) -> dict[str, int]:
    """How many gave each answer: all choices of a choice; on the stage what was pointed at, the most first."""
    counts = dict.fromkeys(poll.choices, 0)
    async for row in Vote.objects.filter(poll=poll).values("choice").annotate(count=Count("pk")).order_by("-count", "choice"):
        counts[row["choice"]] = row["count"]
    return counts


async def close(room: Classroom, poll_id: Any) -> None:
    """Takes no more answers; everybody sees the bars."""
    if not isinstance(poll_id, int) or not await Poll.objects.filter(pk=poll_id, room=room, state="open").aupdate(state="closed"):
        raise LabError(_("there is no such open question in this class"), "poll", "NotFound", 404)
    await news.changed(room.pk)


async def put_away(room: Classroom, poll_id: Any) -> None:
    """Takes a poll off all pages; one that is open takes no more answers."""
    if not isinstance(poll_id, int) or not await Poll.objects.filter(pk=poll_id, room=room).aupdate(away=True):
        raise LabError(_("there is no such question in this class"), "poll", "NotFound", 404)
    await Poll.objects.filter(pk=poll_id, state="open").aupdate(state="closed")
    await news.changed(room.pk)


async def decide(room: Classroom, message: dict[str, Any]) -> None:
    """Lets the model answer, on a copy of the class's lab; where it cannot, the instructor's `answer` is taken. Raises LabError."""
    poll_id = message.get("poll")
    poll = await Poll.objects.filter(pk=poll_id, room=room).afirst() if isinstance(poll_id, int) else None
    if poll is None:
        raise LabError(_("there is no such question in this class"), "poll", "NotFound", 404)
    by, explain = poll.decide.get("by"), ""
    if by:
        answer, explain = await _model_says(room, poll)
    else:
        answer = _text(message.get("answer"), "answer", MAX_CHOICE)
        if poll.kind == "choice" and answer not in poll.choices:
            raise LabError(_("answer must be one of the choices"), "answer")
    await Poll.objects.filter(pk=poll.pk).aupdate(state="decided", answer=answer[:MAX_CHOICE], explain=explain)
    await news.changed(room.pk)


async def _model_says(room: Classroom, poll: Poll) -> tuple[str, str]:
    body = {} if poll.decide["by"] == "scheduler" else {"lesson": room.lesson, "prediction": poll.decide["name"]}
    found = await at(class_lab(room), "class-answer", body)
    return found["answer"], found["explain"]
