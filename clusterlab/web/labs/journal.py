"""The journal: commands and positions of all labs, written in groups.

Writers wait until their entry is in the database. While one group is being written the next one gathers, so that a burst of
commands from many labs costs few transactions. A later position of the same lab replaces an earlier one that still waits.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from clusterlab.web.labs import metrics
from clusterlab.web.labs.checkpoints import forget_older
from clusterlab.web.models import Checkpoint, Command, Lab

__all__ = ["Journal", "Lost"]


@dataclass
class _Group:
    """What goes into one transaction."""

    commands: list[Command] = field(default_factory=list)
    cuts: list[tuple[str, int, int]] = field(default_factory=list)  # (lab, first number that goes, events dispatched by then)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    positions: dict[str, dict[str, Any]] = field(default_factory=dict)
    terms: dict[str, int | None] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)  # labs that belong to others by now, or are gone
    done: asyncio.Future[None] | None = None


def _write(group: _Group) -> None:
    with transaction.atomic():
        now = timezone.now()
        for lab_id, fields in group.positions.items():
            mine = Lab.objects.filter(pk=lab_id)
            term = group.terms.get(lab_id)
            if not (mine if term is None else mine.filter(term=term)).update(used=now, **fields):
                group.lost.add(lab_id)
        for lab_id, number, dispatched in group.cuts:
            if lab_id not in group.lost:
                Command.objects.filter(lab_id=lab_id, number__gte=number).delete()
                Checkpoint.objects.filter(Q(cursor__gt=number) | Q(dispatched__gt=dispatched), lab_id=lab_id).delete()
        Command.objects.bulk_create([one for one in group.commands if one.lab_id not in group.lost])
        for checkpoint in group.checkpoints:
            if checkpoint.lab_id not in group.lost:
                checkpoint.save(force_insert=True)
                forget_older(checkpoint.lab_id)


class Lost(Exception):
    """The lab belongs to another host by now, or is gone: nothing was stored."""


class Journal:
    """Group commit for the labs of this process."""

    def __init__(self) -> None:
        self._next = _Group()
        self._writing = False
        self._thread = ThreadPoolExecutor(1, "journal")  # keeps one connection to the database

    async def write(
        self, lab_id: str, position: dict[str, Any], commands: list[Command] | None = None, cut_from: int | None = None,
        checkpoint: Checkpoint | None = None, term: int | None = None,
    ) -> None:
        """Returns once the entries are stored. `cut_from`: commands from that number on are forgotten first, and checkpoints beyond.
        `term`: that of the lease under which it is written. Raises Lost."""
        group = self._next
        group.terms[lab_id] = term
        if cut_from is not None:
            group.cuts.append((lab_id, cut_from, position["dispatched"]))
            group.checkpoints = [
                one for one in group.checkpoints
                if one.lab_id != lab_id or (one.cursor <= cut_from and one.dispatched <= position["dispatched"])
            ]
        if checkpoint is not None:
            group.checkpoints.append(checkpoint)
        if commands:
            group.commands.extend(commands)
        group.positions[lab_id] = {**group.positions.get(lab_id, {}), **position}
        if group.done is None:
            group.done = asyncio.get_running_loop().create_future()
        if not self._writing:
            self._writing = True
            self._task = asyncio.create_task(self._run(), context=Context())  # outlives the request that began it
        await asyncio.shield(group.done)
        if lab_id in group.lost:
            raise Lost(lab_id)

    async def _run(self) -> None:
        try:
            while self._next.positions:
                group, self._next = self._next, _Group()
                assert group.done is not None
                begun_s = time.monotonic()
                try:
                    await asyncio.get_running_loop().run_in_executor(self._thread, _write, group)
                except Exception as error:
                    group.done.set_exception(error)
                    group.done.exception()  # seen, even when every writer has gone
                else:
                    metrics.JOURNAL.observe(time.monotonic() - begun_s)
                    group.done.set_result(None)
        finally:
            self._writing = False
