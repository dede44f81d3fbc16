"""etcd as the API server sees it: a cluster of members that agree by Raft on what to store.

Ticks: heartbeats each 100 ms, elections after 1 to 2 s without one. While every member is up, reachable and caught up, a heartbeat
would change nothing: the clock is parked then, and starts again with the first fault. Nothing that a client could see depends on it.
"""

from __future__ import annotations

from typing import Any

from clusterlab.etcd import view
from clusterlab.etcd.confchange import Config
from clusterlab.etcd.core import TICK_MS
from clusterlab.etcd.errors import CompareFailed, EtcdError
from clusterlab.etcd.faults import Faults
from clusterlab.etcd.leases import Leases
from clusterlab.etcd.mvcc import KeyValue
from clusterlab.etcd.raft import Raft

__all__ = ["CompareFailed", "Etcd", "EtcdError", "KeyValue"]


class Etcd(Leases, Faults):
    """The members, their network, and the store that the committed commands add up to."""

    # Time.

    def start(self) -> None:
        """Starts the members of a new cluster; the first one wins the first election at once."""
        first = next(iter(self.members.values()))
        first.hup()
        self.carrier.carry(self.sim.time_ms)
        self.carrier.told = []
        self.tell()

    @property
    def quiet(self) -> bool:
        """Every member is up, reachable and caught up: a heartbeat would change nothing."""
        if not self.carrier.direct or self.replacing or not all(self.up.values()):
            return False
        leader = self.leader()
        return leader is not None and not leader.transferee and not leader.conf.joint and all(
            m.term == leader.term and m.commit == leader.commit == m.last == m.applied and m.conf == leader.conf
            and m.leader == leader.name and m.name in leader.conf.members
            for m in self.members.values()
        )

    def on_tick(self) -> None:
        """Heartbeats and elections."""
        before = view.standing(self)
        for name, member in list(self.members.items()):
            if self.up.get(name):
                member.tick()
                if member.outbox or self.network.flight or member.applied < member.commit:
                    self.carrier.carry(self.sim.time_ms)
        self._after_carrying(before)
        self.replace()
        if self.quiet:
            self.parked, self.marks = True, ()
        else:
            self.after(TICK_MS, "tick", idle=True)

    def on_deliver(self) -> None:
        """Messages arrive over slow links."""
        self.delivery_ms = -1
        before = view.standing(self)
        self.carrier.carry(self.sim.time_ms)
        self._after_carrying(before)

    def _after_carrying(self, before: view.Standing) -> None:
        if self.network.flight:
            self.deliver_later()
        self.follow_changes()
        if self.store.leases:
            leader = self.leader()
            if leader is not None and before.get(leader.name, ("",))[0] != "leader":
                self.extend_all()
        view.tell_what_changed(self, before)

    # State.

    def checkpoint(self) -> dict[str, Any]:
        state = super().checkpoint()
        state["members"] = {name: member.checkpoint() for name, member in self.members.items()}
        state["network"], state["store"] = self.network.checkpoint(), self.store.checkpoint()
        state["messages"], state["joined"] = tuple(self.carrier.told), dict(self.carrier.joined)
        return state

    def restore(self, data: dict[str, Any]) -> None:
        for name in list(self.members):
            if name not in data["members"]:
                del self.members[name]
        for name, state in data["members"].items():
            if name not in self.members:
                rng = self.sim.rng(f"etcd/{name}")
                drawn = rng.state
                self.members[name] = Raft(name, Config(()), rng)
                rng.state = drawn  # making it drew a timeout, which is about to be overwritten
            self.members[name].restore(state)
        ordered = {name: self.members[name] for name in data["members"]}
        self.members.clear()
        self.members.update(ordered)
        self.network.restore(data["network"])
        self.store.restore(data["store"])
        self.carrier.told, self.carrier.joined = list(data["messages"]), dict(data["joined"])
        super().restore(data)

    def restored(self) -> None:
        self.carrier.up = self.up
        self.marks = tuple((index, revision) for index, revision in self.marks)
