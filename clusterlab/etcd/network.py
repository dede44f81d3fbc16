"""The network between etcd members: who reaches whom, how late, and what gets lost."""

from __future__ import annotations

from typing import Any

from clusterlab.sim import Rng

__all__ = ["Network"]


class Network:
    """Links between members. A pair is cut when the two are in different groups of a partition."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.groups: tuple[tuple[str, ...], ...] = ()
        self.links: dict[tuple[str, str], tuple[int, float]] = {}  # (from, to) -> latency ms, share lost

    @property
    def healthy(self) -> bool:
        return not self.groups and not self.links

    def cut(self, a: str, b: str) -> bool:
        """Whether nothing passes between two members."""
        if not self.groups:
            return False
        return not any(a in group and b in group for group in self.groups)

    def lost(self, a: str, b: str) -> bool:
        """Whether the next message is lost."""
        if self.groups and self.cut(a, b):
            return True
        share = self.links.get((a, b), (0, 0.0))[1]
        return share > 0 and self.rng.random() < share

    def latency_ms(self, a: str, b: str) -> int:
        return self.links.get((a, b), (0, 0.0))[0]

    def checkpoint(self) -> tuple[Any, ...]:
        return self.groups, dict(self.links)

    def restore(self, data: tuple[Any, ...]) -> None:
        self.groups, self.links = data[0], dict(data[1])
