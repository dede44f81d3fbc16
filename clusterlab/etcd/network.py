"""The network between etcd members: who reaches whom, how late, what gets lost, and what is under way."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any

from clusterlab.etcd.messages import Message
from clusterlab.sim import Rng

__all__ = ["Network"]


class Network:
    """Links between members. A pair is cut when the two are in different groups of a partition."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.groups: tuple[tuple[str, ...], ...] = ()
        self.links: dict[tuple[str, str], tuple[int, float]] = {}  # (from, to) -> latency ms, share lost
        self.flight: list[tuple[int, int, Message]] = []  # a heap of (when it arrives, order, message)
        self._order = 0

    @property
    def healthy(self) -> bool:
        return not self.groups and not self.links

    def cut(self, a: str, b: str) -> bool:
        """Whether nothing passes between two members."""
        if not self.groups:
            return False
        return not any(a in group and b in group for group in self.groups)

    def dropped(self, a: str, b: str) -> bool:
        """Whether the next message is lost by chance."""
        share = self.links.get((a, b), (0, 0.0))[1]
        return share > 0 and self.rng.random() < share

    def reaches(self, a: str, b: str) -> bool:
        """Whether messages and answers pass between two members, sooner or later."""
        return not self.cut(a, b) and self.loss(a, b) < 1 and self.loss(b, a) < 1

    def loss(self, a: str, b: str) -> float:
        return self.links.get((a, b), (0, 0.0))[1]

    def latency_ms(self, a: str, b: str) -> int:
        return self.links.get((a, b), (0, 0.0))[0]

    # Messages under way.

    def send(self, message: Message, now_ms: int) -> int:
        """Puts a message on its way; returns how long it takes."""
        late_ms = self.latency_ms(message.frm, message.to)
        self._order += 1
        heappush(self.flight, (now_ms + late_ms, self._order, message))
        return late_ms

    def next_ms(self) -> int | None:
        """When the next message arrives."""
        return self.flight[0][0] if self.flight else None

    def arrive(self) -> Message:
        """Takes the message that arrives next."""
        return heappop(self.flight)[2]

    def forget(self, member: str) -> None:
        """Drops what is under way from and to a member."""
        self.flight = [kept for kept in self.flight if member not in (kept[2].frm, kept[2].to)]
        heapify(self.flight)

    def checkpoint(self) -> tuple[Any, ...]:
        return self.groups, dict(self.links), list(self.flight), self._order

    def restore(self, data: tuple[Any, ...]) -> None:
        self.groups, self.links, self._order = data[0], dict(data[1]), data[3]
        self.flight = [(due, order, Message(*message)) for due, order, message in data[2]]
        heapify(self.flight)
