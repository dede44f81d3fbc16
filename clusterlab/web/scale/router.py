"""Which process a lab is at, or a new one goes to; and what processes of a deployment know one another by."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from clusterlab.web import models
from clusterlab.web.labs.errors import LabError
from clusterlab.web.labs.host import host
from clusterlab.web.scale.leases import Owner

__all__ = ["ADDRESS_HEADER", "SECRET_HEADER", "Router", "is_secret", "router", "secret"]

SECRET_HEADER, ADDRESS_HEADER = "x-clusterlab-secret", "x-clusterlab-for"
#: How long it is taken that a lab is where it was.
KNOWN_S = 2.0
#: How often it is looked whether a process lives that works for somebody here.
LOOK_S = 1.5
MAX_KNOWN = 20_000


@cache
def secret() -> str:
    """What processes of one deployment show one another: they share the secret key, and nobody else knows it."""
    return hmac.new(settings.SECRET_KEY.encode(), b"clusterlab processes", hashlib.sha256).hexdigest()


def is_secret(headers: Mapping[str, str]) -> bool:
    return hmac.compare_digest(headers.get(SECRET_HEADER, "").encode(), secret().encode())


def _rank(host_id: str, name: str) -> bytes:
    return hashlib.blake2b(f"{host_id} {name}".encode(), digest_size=8).digest()


class Router:
    """Where labs are, remembered for a moment."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Owner | None]] = {}
        self._lives: dict[str, tuple[float, bool]] = {}

    @property
    def here(self) -> str:
        return host.leases.id if host.leases is not None else ""

    async def of(self, lab_id: str) -> Owner | None:
        """The process that has the lab, or that shall take it. None when there is no such lab. Raises LabError when nobody can."""
        known = self._known.get(lab_id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        found = await self._look(lab_id)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[lab_id] = (time.monotonic() + KNOWN_S, found)
        return found

    async def _look(self, lab_id: str) -> Owner | None:
        assert host.leases is not None
        owner = await host.leases.owner(lab_id)
        if owner is not None:
            return owner
        if not await models.Lab.objects.filter(pk=lab_id).aexists():
            return None
        return await self.for_group(lab_id)

    async def for_group(self, name: str) -> Owner:
        """The process for everything of that name, as long as the same processes live. Raises LabError."""
        hosts = await self._hosts()
        return max(hosts, key=lambda one: _rank(one.id, name))

    async def for_new(self) -> Owner:
        """The process for a new lab: this one if it may, else the one with the fewest. Raises LabError."""
        hosts = await self._hosts()
        return next((one for one in hosts if one.id == self.here), hosts[0])

    async def _hosts(self) -> list[Owner]:
        assert host.leases is not None
        hosts = await host.leases.hosts()
        if not hosts:
            raise LabError("no lab host answers at the moment; try again in a few seconds", code="Unavailable", status=503)
        return hosts

    async def outlived(self, owner: Owner) -> None:
        """Returns once a process has not said for too long that it lives. It may have crashed with its machine, or hang: nobody will ever
        close the connections to it then."""
        assert host.leases is not None
        while True:
            await asyncio.sleep(LOOK_S)
            known = self._lives.get(owner.id)
            if known is None or known[0] < time.monotonic():
                try:
                    lives = await host.leases.lives(owner.id)
                except DatabaseError:
                    continue
                known = self._lives[owner.id] = (time.monotonic() + LOOK_S, lives)
            if not known[1]:
                return

    def forget(self, lab_id: str) -> None:
        """What was known of a lab was wrong."""
        self._known.pop(lab_id, None)

    def state(self) -> dict[str, Any]:
        return {"known": len(self._known)}


router = Router()
