"""Doing something with a lab wherever it is: in this process, or at the inner doors of the one that has it.

Parts of the application that act on many labs (a class, the deletion of accounts) add verbs of their own; what a verb gets and gives is
plain JSON. A verb that may have begun when its host died is not begun again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from django.conf import settings

from clusterlab.web.labs.errors import LabError
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab

__all__ = ["at", "drop", "verbs"]

#: How long a lab is looked for whose host has died.
PATIENCE_S, PAUSE_S = 15.0, 0.3
Verb = Callable[[Lab, dict[str, Any]], Awaitable[Any]]
#: What may be done, by name. Filled when the applications are ready, and the same in all processes.
verbs: dict[str, Verb] = {}


async def at(lab_id: str, verb: str, body: dict[str, Any] | None = None) -> Any:
    """Does something with a lab, and returns what became of it. Raises LabError: what the verb raises, and NotFound where there is no
    such lab."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await _once(lab_id, verb, body or {})
        except LabError as error:
            if error.code != "Elsewhere" or time.monotonic() > until:
                raise
        await asyncio.sleep(PAUSE_S)


async def _once(lab_id: str, verb: str, body: dict[str, Any]) -> Any:
    if settings.SCALED:
        from clusterlab.web.scale import link
        from clusterlab.web.scale.router import router

        owner = await router.of(lab_id)
        if owner is None:
            raise LabError(f"there is no lab {lab_id!r}", code="NotFound", status=404)
        if owner.id != router.here:
            try:
                return orjson.loads(await link.ask(owner, f"/internal/labs/{lab_id}/{verb}", body, timeout_s=None))
            except link.Away as away:
                router.forget(lab_id)
                if away.sent:
                    text = "the host of a lab went away while it worked; look whether it was done, and ask again"
                    raise LabError(text, code="Unavailable", status=503) from None
                raise LabError("the host of this lab is away", code="Elsewhere", status=503) from None
    lab = await host.get(lab_id, ask=False)
    if lab is None:
        raise LabError(f"there is no lab {lab_id!r}", code="NotFound", status=404)
    return await verbs[verb](lab, body)


async def drop(lab_ids: list[str]) -> None:
    """Deletes labs, wherever they are in memory."""
    from clusterlab.web.models import Lab as LabRecord

    for lab_id in lab_ids:
        lab = host.labs.get(lab_id)
        if lab is not None:
            await host.let_go_of(lab_id)
        elif host.leases is not None:
            owner = await host.leases.owner(lab_id)
            if owner is not None:
                with contextlib.suppress(LabError):
                    await host.let_go(owner, lab_id)
    # Whoever takes one up just now loses it at the next write.
    await LabRecord.objects.filter(pk__in=lab_ids).adelete()
