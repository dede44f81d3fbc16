"""Frames of one lab as bytes, made once for all who watch."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any

import orjson

from clusterlab.cluster import Cluster
from clusterlab.stream import project

__all__ = ["Frames"]

#: Frames kept ready; older ones are made again when somebody asks.
KEEP = 4000


class Frames:
    """Projects steps into frames, with a cache by seq."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._cache: dict[int, bytes] = {}
        self._snapshots: dict[bool, tuple[int, asyncio.Task[orjson.Fragment]]] = {}  # as tables or not: after which step

    def forget(self) -> None:
        """The timeline has jumped."""
        self._cache.clear()
        self._snapshots.clear()

    def get(self, first: int, last: int) -> list[bytes]:
        """The frames `first` to `last`, both included, of steps up to the present."""
        sim, cache = self._cluster.sim, self._cache
        out = []
        for seq in range(max(first, sim.first_seq), last + 1):
            found = cache.get(seq)
            if found is None:
                frame = project.frame(sim.steps[seq - sim.first_seq], sim.epoch)
                found = cache[seq] = orjson.dumps(frame)
                if len(cache) > KEEP:
                    del cache[next(iter(cache))]
            out.append(found)
        return out

    async def snapshot(self, packed: bool = False) -> orjson.Fragment:
        """The snapshot of this very moment as JSON, made once for all who come after the same step. It is worked out on a thread: in a
        large lab it takes a while, and the lab goes on meanwhile. `packed`: as tables."""
        seq = self._cluster.sim.last_seq
        known = self._snapshots.get(packed)
        if known is None or known[0] != seq:
            work = asyncio.to_thread(_snapshot, project.taken(self._cluster), packed)
            known = self._snapshots[packed] = seq, asyncio.get_running_loop().create_task(work, context=Context())
        return await asyncio.shield(known[1])

    def recent(self, count: int = 300) -> list[dict[str, Any]]:
        """The headings of the newest steps, those of the known future included."""
        steps = self._cluster.sim.steps[-count:] + self._cluster.history.future[:count]
        return [project.heading(step) for step in steps]


def _snapshot(moment: project.Moment, packed: bool) -> orjson.Fragment:
    """In pieces: the encoder lets no other thread run meanwhile."""
    whole = project.tables(moment) if packed else project.snapshot(moment)
    part = "tables" if packed else "objects"
    texts = {
        **{name: orjson.dumps(value) for name, value in whole.items() if name not in (part, "components")},
        part: _list(whole["tables"]) if packed else _map(whole["objects"]), "components": _map(whole["components"]),
    }
    return orjson.Fragment(b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in texts.items()) + b"}")


def _list(values: list[Any]) -> bytes:
    return b"[" + b",".join([orjson.dumps(value) for value in values]) + b"]"


def _map(values: dict[str, Any]) -> bytes:
    return b"{" + b",".join([orjson.dumps(key) + b":" + orjson.dumps(value) for key, value in values.items()]) + b"}"
