"""After which step of a lab each task of its lesson was done first.

What is done stays done, whatever the steps that follow do to it; where the timeline is taken back, what was done after that is open again.
It is kept with the lab, so that it outlasts the lab's sleep.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from clusterlab.web.labs.lab import Lab
from clusterlab.web.models import LessonNotes

__all__ = ["beginning", "begun", "hold", "keep", "recall", "so_far"]

#: The holder of the notes that belong to a lab rather than to a person.
LAB = "lab"


@dataclass
class _Done:
    seqs: dict[str, int] = field(default_factory=dict)
    cuts: int = 0  # how many cuts of the timeline have been heeded
    kept: dict[str, int] | None = None  # what the database holds; None where it was not asked yet


_known: WeakKeyDictionary[Lab, _Done] = WeakKeyDictionary()


def _of(lab: Lab) -> _Done:
    done, cuts = _known.setdefault(lab, _Done()), lab.history.cuts
    for seq in cuts[done.cuts :]:
        done.seqs = {task: then for task, then in done.seqs.items() if then <= seq}
    done.cuts = len(cuts)
    return done


def so_far(lab: Lab) -> set[str]:
    """The tasks that had been done by the step at which the lab stands."""
    return {task for task, then in _of(lab).seqs.items() if then <= lab.cluster.sim.last_seq}


def hold(lab: Lab, tasks: list[dict[str, Any]]) -> None:
    """Remembers which tasks are done now, and tells of those that were done before as done."""
    done, here, before = _of(lab), lab.cluster.sim.last_seq, so_far(lab)
    for task in tasks:
        if task["done"]:
            done.seqs[task["id"]] = min(here, done.seqs.get(task["id"], here))
        elif task["id"] in before:
            task.update(done=True, checks=[{**check, "done": True, "message": ""} for check in task["checks"]])


async def begun(lab: Lab) -> None:
    """Remembers that the lesson begins where the lab stands."""
    notes = {"begin": str(lab.cluster.sim.last_seq)}
    await LessonNotes.objects.acreate(lab_id=lab.id, holder=LAB, notes=notes)


async def beginning(lab_id: str) -> int:
    """The step of a lab after which its lesson begins."""
    row = await LessonNotes.objects.filter(lab_id=lab_id, holder=LAB).afirst()
    return int(row.notes.get("begin", 0)) if row is not None else 0


async def recall(lab: Lab) -> None:
    """Reads what was done in a lab before it slept."""
    done = _of(lab)
    if done.kept is None:
        row = await LessonNotes.objects.filter(lab_id=lab.id, holder=LAB).afirst()
        done.kept = json.loads(row.notes.get("done", "{}")) if row is not None else {}
        done.seqs = {**{task: then for task, then in done.kept.items() if then <= lab.history.last_seq}, **done.seqs}


async def keep(lab: Lab) -> None:
    """Stores what has been done in a lab, where that has changed."""
    done = _of(lab)
    if done.kept is not None and done.kept != done.seqs:
        done.kept = dict(done.seqs)
        row, _ = await LessonNotes.objects.aget_or_create(lab_id=lab.id, holder=LAB)
        row.notes = {**row.notes, "done": json.dumps(done.kept)}
        await row.asave(update_fields=["notes", "changed"])
