"""Leases: which process has which lab.

A process that hosts labs says every second and a half that it lives (`HostRecord.until`); its labs are its own that long. Whoever takes a
lab raises its `term`, and whoever writes for a lab must still know the newest term, in the same transaction (labs/journal.py): a host that
was taken for dead, and was not, can store nothing more, so nothing that it would acknowledge can get lost. Times are the database's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from contextvars import Context
from datetime import timedelta
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from clusterlab.web.models import HostRecord, Lab

__all__ = ["LEASE_S", "Leases", "Owner"]

_log = logging.getLogger(__name__)

HEARTBEAT_S, LEASE_S = 1.5, 5.0
#: Hosts that are gone for so long are forgotten.
FORGET_S = 3600


class Owner(NamedTuple):
    """A process that hosts labs."""

    id: str
    address: str
    labs: int = 0


def _living() -> Any:
    return HostRecord.objects.filter(until__gt=Now())


class Leases:
    """The leases of this process."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.draining = False
        self._told_s = 0.0  # when the last heartbeat had been stored
        self.lapsed = False  # a heartbeat came too late: labs may have been taken up elsewhere
        self._beat: asyncio.Task[None] | None = None

    # This process.

    async def begin(self) -> None:
        """Says that this process lives, now and from now on."""
        if self._beat is None:
            await self.tell(0)
            self._beat = asyncio.create_task(self._beating(), name="heartbeat", context=Context())

    @property
    def sure(self) -> bool:
        """Whether this process may take it that its leases hold still."""
        return time.monotonic() - self._told_s < LEASE_S

    async def _beating(self) -> None:
        from clusterlab.web.labs.host import host

        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                await self.tell(len(host.labs))
            except DatabaseError as error:
                _log.warning("the heartbeat could not be stored: %s", error)

    async def tell(self, labs: int) -> None:
        """Stores a heartbeat."""
        begun_s = time.monotonic()  # before, so that `sure` ends no later than the lease does
        fields = {"address": settings.ADDRESS, "labs": labs, "draining": self.draining, "until": Now() + timedelta(seconds=LEASE_S)}
        await HostRecord.objects.aupdate_or_create(id=self.id, defaults=fields)
        self.lapsed |= self._told_s > 0 and not self.sure
        self._told_s = begun_s

    async def end(self) -> None:
        """Leaves: its leases, if any are left, are void at once."""
        if self._beat is not None:
            self._beat.cancel()
        with contextlib.suppress(DatabaseError):
            await HostRecord.objects.filter(id=self.id).adelete()
        self._told_s = 0.0

    # Labs.

    @sync_to_async
    def claim(self, lab_id: str) -> int | None:
        """Takes a lab that nobody living has; returns the term, None when somebody has it or it is not there."""
        with transaction.atomic():
            lab = Lab.objects.select_for_update().filter(pk=lab_id).only("owner", "term").first()
            if lab is None or (lab.owner not in ("", self.id) and _living().filter(id=lab.owner).exists()):
                return None
            Lab.objects.filter(pk=lab_id).update(owner=self.id, term=lab.term + 1)
            return int(lab.term) + 1

    async def release(self, lab_id: str, term: int) -> None:
        """Lets a lab go."""
        await Lab.objects.filter(pk=lab_id, owner=self.id, term=term).aupdate(owner="")

    async def taken(self, labs: dict[str, int | None]) -> list[str]:
        """Which of these labs, by their terms, other processes have taken up."""
        kept = {pk: term async for pk, term in Lab.objects.filter(pk__in=list(labs), owner=self.id).values_list("pk", "term")}
        return [lab_id for lab_id, term in labs.items() if kept.get(lab_id) != term]

    async def lives(self, host_id: str) -> bool:
        """Whether a process has said lately that it lives."""
        return await _living().filter(id=host_id).aexists()

    async def owner(self, lab_id: str) -> Owner | None:
        """The living process that has a lab; None when none has it."""
        name = await Lab.objects.filter(pk=lab_id).values_list("owner", flat=True).afirst()
        if not name:
            return None
        found = await _living().filter(id=name).afirst()
        return Owner(found.id, found.address, found.labs) if found is not None else None

    async def hosts(self) -> list[Owner]:
        """The processes that take labs, those with the fewest first."""
        found = _living().filter(draining=False).order_by("labs", "id")
        return [Owner(one.id, one.address, one.labs) async for one in found]

    async def orphans(self, most: int) -> list[str]:
        """Labs whose host has died: they were in use, so they are taken up again without being asked for."""
        living = [one async for one in _living().values_list("id", flat=True)]
        lost = Lab.objects.exclude(Q(owner="") | Q(owner__in=living)).order_by("-used").values_list("pk", flat=True)[:most]
        return [one async for one in lost]

    async def forget_dead(self) -> None:
        """Deletes the records of hosts that are long gone."""
        await HostRecord.objects.filter(until__lt=Now() - timedelta(seconds=FORGET_S)).adelete()
