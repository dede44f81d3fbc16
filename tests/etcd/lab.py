"""A small etcd to try things on."""

from __future__ import annotations

from typing import Any

from clusterlab.etcd.cluster import Etcd
from clusterlab.sim import Simulation


class Lab:
    """Members a, b, c (or more); time passes with `wait`."""

    def __init__(self, names: str = "abc", seed: int = 1) -> None:
        self.sim = Simulation(seed)
        self.etcd = Etcd(self.sim, list(names))
        self.etcd.start()

    def wait(self, duration_ms: int) -> list[Any]:
        end_ms, told = self.sim.time_ms + duration_ms, []
        while (due := self.sim.next_time()) is not None and due <= end_ms:
            step = self.sim.dispatch()
            if step is not None:
                told.append(step)
        self.sim.advance_to(end_ms)
        assert not self.sim.errors, self.sim.errors
        return told

    @property
    def leader(self) -> str:
        found = self.etcd.leader()
        return found.name if found else ""

    def member(self, name: str) -> dict[str, Any]:
        return next(member for member in self.etcd.view()["members"] if member["name"] == name)
