"""Changing who belongs to a running etcd: adding, promoting, removing and replacing members, and handing over leadership.

Follows etcd's server/etcdserver/server.go (AddMember, RemoveMember, PromoteMember, MoveLeader and the checks before them).
"""

from __future__ import annotations

from collections.abc import Sequence

from clusterlab.etcd.confchange import Change, Config
from clusterlab.etcd.core import Core
from clusterlab.etcd.errors import refused
from clusterlab.etcd.raft import Raft

__all__ = ["Membership"]

#: A learner may be promoted once it has this share of the leader's log.
READY_SHARE = 0.9
MAX_LEARNERS = 1


class Membership(Core):
    """Operations on the members. Each raises EtcdError where etcd would refuse or cannot decide."""

    @property
    def learners(self) -> tuple[str, ...]:
        """The members that have no vote yet."""
        leader = self.leader()
        return leader.conf.learners if leader else ()

    def add_member(self, name: str, learner: bool = False) -> int:
        """Adds a member, which starts with an empty disk; returns its ID."""
        leader = self._leading()
        if name in self.members:
            raise refused("member ID already exist")
        self._check_add(leader, learner)
        self._change((("learner" if learner else "voter", name),), "simple")
        return self.ids[name]

    def promote_member(self, name: str) -> None:
        """Gives a learner a vote."""
        leader = self._known(name)
        if name not in leader.conf.learners:
            raise refused("can only promote a learner member")
        if not self._in_sync(leader, name):
            raise refused("can only promote a learner member which is in sync with leader")
        self._change((("voter", name),), "simple")

    def remove_member(self, name: str) -> None:
        """Takes a member out of the cluster; its process ends."""
        leader = self._known(name)
        self._check_remove(leader, name)
        self._change((("remove", name),), "simple")

    def change_members(self, changes: Sequence[Change], leave: bool = True) -> None:
        """Makes many changes at once through a joint configuration. `leave`: it is left as soon as all have it."""
        self._leading()
        self._change(tuple(changes), "implicit" if leave else "explicit")

    def leave_joint(self) -> None:
        """Ends a joint configuration."""
        self._leading()
        self._change((), "leave")

    def move_leader(self, to: str) -> None:
        """Hands leadership over to another voter."""
        leader = self._leading()
        if to == leader.name:
            return
        if to not in leader.voters:
            raise refused("bad leader transferee")
        leader.transfer(to)
        now_ms = self.sim.time_ms

        def done() -> bool:
            return self.members[to].role == "leader"

        self.took_ms = self.carrier.request(leader, now_ms, 1_000, done) - now_ms
        if self.network.flight:
            self.deliver_later()
        self.wake()
        self.tell()
        if not done():
            raise refused("request timed out, leader transfer took too long")

    # Checks (server/etcdserver/api/membership/cluster.go).

    def _leading(self) -> Raft:
        leader = self.leader()
        if leader is None:
            raise refused("not leader")
        return leader

    def _known(self, name: str) -> Raft:
        leader = self._leading()
        if name not in leader.conf.members:
            raise refused("member not found")
        return leader

    def connected(self, leader: Raft, name: str) -> bool:
        """Whether a leader hears a member."""
        return name == leader.name or (self.up.get(name, False) and self.network.reaches(leader.name, name))

    def _in_sync(self, leader: Raft, name: str) -> bool:
        progress = leader.progress.get(name)
        return progress is not None and self.connected(leader, name) and progress.match >= leader.last * READY_SHARE

    def _check_add(self, leader: Raft, learner: bool) -> None:
        if learner and len(leader.conf.learners) >= MAX_LEARNERS:
            raise refused("too many learner members in cluster")
        if not all(self.connected(leader, name) for name in leader.conf.members):
            raise refused("unhealthy cluster")

    def _check_remove(self, leader: Raft, name: str) -> None:
        if name in leader.conf.learners:
            return
        if len(leader.voters) == 1:
            raise refused("re-configuration failed due to not enough started members")
        if not self.connected(leader, name):
            return
        active = sum(self.connected(leader, voter) for voter in leader.voters)
        if active - 1 < 1 + (len(leader.voters) - 1) // 2 and len(leader.voters) > 2:
            raise refused("unhealthy cluster")

    # What follows.

    def _change(self, changes: tuple[Change, ...], transition: str) -> None:
        self.wake()
        self.ask(("conf", changes, transition))
        self.follow_changes()
        self.tell()

    def follow_changes(self) -> None:
        """Starts the members that have been added and ends those that have been removed."""
        leader = self.leader()
        if leader is not None:
            for name in leader.conf.members:
                if name not in self.members:
                    self._welcome(name)
                    self.carrier.carry(self.sim.time_ms)
        self.remove_the_removed()

    def remove_the_removed(self) -> None:
        """Ends the processes of members that are out. A leader that removed itself goes last: it must tell the others first."""
        leader = self.leader()
        for name in list(self.members):
            if name not in self.replacing and (leader is None or name not in leader.conf.members) and self._is_out(name, leader):
                self.forget_member(name)

    def _is_out(self, name: str, leader: Raft | None) -> bool:
        if leader is not None and leader.name != name:
            return leader.applied == leader.commit
        member = self.members[name]
        return bool(member.conf.members) and name not in member.conf.members and all(
            name not in self.members[other].conf.members for other in member.conf.members
            if other in self.members and self.connected(member, other)
        )

    def forget_member(self, name: str) -> None:
        """Takes a member's process away for good."""
        self.network.forget(name)
        del self.members[name]
        for kept in (self.up, self.full, self.ids, self.behind, self.defragmented):
            kept.pop(name, None)

    def replace(self) -> None:
        """Goes on replacing members that lost their disk: such a one is removed, joins anew as a learner, and gets its vote back when
        it has caught up. It must not simply go on: it has forgotten whom it voted for and what it confirmed."""
        for name, stage in list(self.replacing.items()):
            leader = self.leader()
            if leader is None or leader.term_at(leader.commit) != leader.term or leader.applied < leader.commit:
                return
            if not leader.transferee and leader.pending_conf <= leader.applied and self._hears_majority(leader):
                self._replace_one(leader, name, stage)

    def _replace_one(self, leader: Raft, name: str, stage: str) -> None:
        here = name in leader.conf.members
        if stage == "remove":
            if here:
                leader.propose(("conf", (("remove", name),), "simple"))
            else:
                self.replacing[name] = "add"
        elif stage == "add":
            leader.propose(("conf", (("learner", name),), "simple"))
        elif name in leader.conf.voters or not here:
            del self.replacing[name]
        elif self._in_sync(leader, name):
            leader.propose(("conf", (("voter", name),), "simple"))
        self.carrier.carry(self.sim.time_ms)
        self.deliver_later()

    def _conf_applied(self, index: int, changes: tuple[Change, ...]) -> None:
        """The first member applies a change: what lost its disk has left, or joins anew."""
        for kind, name in changes:
            stage = self.replacing.get(name)
            if stage == "remove" and kind == "remove":
                self.replacing[name] = "add"
            elif stage == "add" and kind != "remove":
                self.replacing[name] = "promote"
                self._welcome(name)
                self.carrier.joined[name] = index
            elif stage is None and kind != "remove" and name not in self.members:
                self.carrier.joined[name] = index

    def _welcome(self, name: str) -> None:
        """A new member starts, knowing nothing; the leader sends it the log."""
        self.network.forget(name)
        self.new_member(name, Config(()))
        self.behind[name] = True
