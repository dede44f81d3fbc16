"""Frames of one lab as bytes, made once for all who watch."""

from __future__ import annotations

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
        self._snapshot: tuple[int, orjson.Fragment] | None = None  # after which step

    def forget(self) -> None:
        """The timeline has jumped."""
        self._cache.clear()
        self._snapshot = None

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

    def snapshot(self) -> orjson.Fragment:
        """The snapshot as JSON, made once for all who come after the same step: in a large lab it takes a while."""
        seq = self._cluster.sim.last_seq
        if self._snapshot is None or self._snapshot[0] != seq:
            self._snapshot = seq, orjson.Fragment(orjson.dumps(project.snapshot(self._cluster)))
        return self._snapshot[1]

    def recent(self, count: int = 300) -> list[dict[str, Any]]:
        """The headings of the newest steps, those of the known future included."""
        steps = self._cluster.sim.steps[-count:] + self._cluster.history.future[:count]
        return [project.heading(step) for step in steps]
