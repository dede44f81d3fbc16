"""A lab as those see it who show it: the present, the frames behind it, and what may be asked of it.

`Here` is a lab of this process, `There` (scale/there.py) one of another process, whose frames come through Redis. Both are used alike by
the websocket of the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from django.conf import settings

from clusterlab.web.labs.driving import drive
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab

__all__ = ["Here", "Seen", "look_at", "told_of"]


async def told_of(lab: Lab, packed: bool) -> dict[str, Any]:
    """What a browser is told of a lab when it comes, or when the timeline has jumped. The snapshot is JSON already, as tables with
    `packed`; the lab may have gone on from there by the time that this returns, but has not jumped."""
    sim = lab.cluster.sim
    while True:
        told = {
            "lab": _about(lab), "recent": lab.frames.recent(), "seq": sim.last_seq, "first": sim.first_seq, "generation": lab.generation,
            "retold": lab.retold,
        }
        snapshot = await lab.frames.snapshot(packed)
        if told["generation"] == lab.generation:
            return {**told, "snapshot": snapshot, "mode": lab.state()}
        await lab.stands.wait()


def _about(lab: Lab) -> dict[str, Any]:
    cluster = lab.cluster
    about = {
        "id": lab.id, "scenario": cluster.scenario.name or "blank", "epoch": cluster.sim.epoch.isoformat(), "generation": lab.generation,
    }
    return {**about, "notice": lab.notice} if lab.notice else about


class Seen(Protocol):
    """A lab as it is shown."""

    id: str

    @property
    def gone(self) -> bool:
        """It is not to be had here any more: come again."""
        ...

    @property
    def jump(self) -> tuple[int, int]:
        """Another value after each jump of the timeline, and when more of the past has become known."""
        ...

    @property
    def last_seq(self) -> int: ...

    @property
    def stands(self) -> bool:
        """It is not on its way to another step: what is read of it now holds."""
        ...

    async def standing(self) -> None:
        """Returns once it stands."""
        ...

    def state(self) -> dict[str, Any]: ...

    def listeners(self) -> int: ...

    def listen(self, callback: Callable[[], None]) -> None: ...

    def unlisten(self, callback: Callable[[], None]) -> None: ...

    async def tell(self, packed: bool) -> dict[str, Any]:
        """`told_of` the lab, now."""
        ...

    async def frames(self, first: int, last: int) -> list[bytes]: ...

    async def drive(self, message: dict[str, Any], key: str) -> dict[str, Any] | None: ...


class Here:
    """A lab of this process."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.id = lab, lab.id
        self.state, self.listeners, self.listen, self.unlisten = lab.state, lab.listeners, lab.listen, lab.unlisten

    @property
    def gone(self) -> bool:
        return self.lab.lost

    @property
    def jump(self) -> tuple[int, int]:
        return self.lab.generation, self.lab.retold

    @property
    def last_seq(self) -> int:
        return self.lab.cluster.sim.last_seq

    @property
    def stands(self) -> bool:
        return self.lab.stands.is_set()

    async def standing(self) -> None:
        await self.lab.stands.wait()

    async def tell(self, packed: bool) -> dict[str, Any]:
        await self.lab.stands.wait()
        if self.lab.history.first_known:  # the list of earlier steps follows once they are known
            self.lab.recall()
        return await told_of(self.lab, packed)

    async def frames(self, first: int, last: int) -> list[bytes]:
        if first < self.lab.cluster.sim.first_seq:
            await self.lab.past()
        return self.lab.frames.get(first, min(last, self.last_seq))

    async def drive(self, message: dict[str, Any], key: str) -> dict[str, Any] | None:
        return await drive(self.lab, message, key)


async def look_at(lab_id: str) -> Seen | None:
    """The lab of an id, wherever it is; None when there is none. Raises LabError."""
    if settings.SCALED:
        from clusterlab.web.scale.router import router
        from clusterlab.web.scale.there import there

        owner = await router.of(lab_id)
        if owner is None:
            return None
        if owner.id != router.here:
            return await there(lab_id)
    lab = await host.get(lab_id)
    return Here(lab) if lab is not None else None
