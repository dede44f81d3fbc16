"""What can befall the members of an etcd cluster, and how it ends."""

from __future__ import annotations

from collections.abc import Sequence

from clusterlab.etcd.confchange import Config
from clusterlab.etcd.membership import Membership
from clusterlab.etcd.mvcc import Store
from clusterlab.etcd.raft import Raft

__all__ = ["Faults"]

#: How often, and how many times, it is looked whether an election is over.
AWAIT_MS = 500
AWAITED = 20


class Faults(Membership):
    """Faults and their ends. None of them needs a quorum; what they lead to shows with the ticks that follow."""

    def kill(self, member: str) -> None:
        """The process of a member dies; its disk stays."""
        self.up[member] = False
        self.behind[member] = True
        self._changed()

    def restart(self, member: str, with_disk: bool = True) -> None:
        """A member starts again. Without its disk it has forgotten what it promised, so it may not go on as if nothing had happened: it
        is removed and joins anew, as soon as the others can decide that. Where all have lost their disks a new, empty cluster begins."""
        raft = self.members[member]
        self.behind[member] = True
        if with_disk and self.replacing.get(member, "promote") == "promote":
            raft.restart()
            self.up[member] = True
        elif not with_disk:
            self._lose_disk(member)
        self._changed()

    def _lose_disk(self, member: str) -> None:
        self.up[member] = False
        self.full.pop(member, None)
        self.network.forget(member)
        self.members[member] = Raft(member, Config(()), self.members[member].rng)
        self.replacing[member] = "remove"
        if all(name in self.replacing for name in self.members):
            self.begin_anew(tuple(self.members), Store())

    def begin_anew(self, members: Sequence[str], store: Store) -> None:
        """A new cluster with what a store holds: nothing, or what a snapshot has."""
        for state in (self.up, self.full, self.replacing, self.behind, self.alarms):
            state.clear()
        self.store = store
        self.token += "'"
        self.found(members)
        for name in self.members:
            self.behind[name] = False
        first = next(iter(self.members.values()))
        first.hup()
        self.carrier.carry(self.sim.time_ms)

    def partition(self, groups: Sequence[Sequence[str]]) -> None:
        """Cuts the network: members hear only those in a group with them; who is in none is alone."""
        named: list[tuple[str, ...]] = [tuple(group) for group in groups]
        rest: list[tuple[str, ...]] = [(name,) for name in self.members if not any(name in group for group in named)]
        self.network.groups = tuple(named + rest)
        self._changed()

    def link(self, a: str, b: str, latency_ms: int = 0, loss: float = 0.0) -> None:
        """Makes the link between two members slow or lossy, both ways."""
        for pair in ((a, b), (b, a)):
            if latency_ms or loss:
                self.network.links[pair] = (latency_ms, loss)
            else:
                self.network.links.pop(pair, None)
        self._changed()

    def slow_disk(self, member: str, latency_ms: int) -> None:
        """What a member says comes late, as it says nothing before it has written what it promises."""
        for name in self.members:
            if name != member:
                late_ms, loss = self.network.links.get((member, name), (0, 0.0))
                self.network.links[member, name] = (max(late_ms, latency_ms), loss)
        self._changed()

    def heal(self) -> None:
        """Ends partitions and bad links."""
        self.network.groups, self.network.links = (), {}
        self._changed()

    def fill_disk(self, member: str, full: bool = True) -> None:
        """The disk of a member is full: the next write raises an alarm, and with an alarm nobody writes until it is disarmed."""
        if full:
            self.full[member] = True
        else:
            self.full.pop(member, None)
        self._changed()

    def _changed(self) -> None:
        leader = self.leader()
        newest = leader.commit if leader else self.highest
        for name, member in self.members.items():
            if member.applied < newest:
                self.behind[name] = True
        self.wake()
        self.on_await()
        self.tell()

    def on_await(self, left: int = AWAITED) -> None:
        """Keeps a cluster from passing for settled while an election is due: ticks alone are idle. Not for ever, as lossy links may
        hold it up."""
        if left and self.electing:
            self.after(AWAIT_MS, "await", left - 1)
