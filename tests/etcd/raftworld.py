"""Raft members on a hostile network: messages are lost, doubled, late and out of order, members die and come back, the clock of each
runs as it likes, and who belongs to the cluster changes all the while."""

from __future__ import annotations

from typing import Any

from clusterlab.etcd.confchange import Config
from clusterlab.etcd.messages import Entry, Message
from clusterlab.etcd.raft import LEADER, Raft
from clusterlab.sim import Rng
from tests.etcd.checkers import Checker, Register


class World:
    """One seed."""

    def __init__(self, seed: int, size: int) -> None:
        self.seed, self.rng = seed, Rng(seed, "world")
        self.checker, self.register = Checker(seed), Register(seed)
        self.names = [f"n{i}" for i in range(1, size + 1)]
        self.members: dict[str, Raft] = {}
        self.up: dict[str, bool] = {}
        self.machines: dict[str, list[Any]] = {}  # what each has applied: (index, command)
        self.mail: list[Message] = []
        self.cut: set[tuple[str, str]] = set()
        self.loss = self.double = 0.0
        self.stopped: set[str] = set()  # whose clock stands still: they answer, but notice no silence
        self.writes: dict[tuple[int, int], tuple[int, str]] = {}  # (index, term) -> (floor when it began, by whom)
        self.reads: dict[int, tuple[int, str]] = {}
        self.count = self.acknowledged = self.elections = self.changes = self.snapshots = 0
        first = [Entry(1, ("conf", (("voter", name),), "simple")) for name in self.names]
        for name in self.names:
            raft = self.make(name, Config(tuple(self.names)))
            raft.entries, raft.term, raft.commit, raft.applied = list(first), 1, len(first), len(first)
            self.machines[name] = [(i + 1, entry.command) for i, entry in enumerate(first)]
        self.spare = [f"s{i}" for i in range(1, 4)]

    def make(self, name: str, conf: Config) -> Raft:
        raft = self.members[name] = Raft(name, conf, Rng(self.seed, f"raft/{name}"))
        self.up[name], self.machines[name] = True, []
        return raft

    # What happens.

    def run(self, steps: int, calm: bool = False) -> None:
        for step in range(steps):
            draw = self.rng.random()
            if draw < 0.55:
                self.deliver()
            elif draw < 0.80 or calm:
                self.tick()
            elif draw < 0.92:
                self.ask()
            elif draw < 0.94:
                self.read()
            else:
                self.disturb()
            if calm and step % 4 == 0:
                while self.mail:
                    self.deliver()
            self.checker.look(self.members.values())
            if step % 100 == 0:
                self.checker.log_matching(self.members.values())

    def collect(self, member: Raft) -> None:
        self.apply(member)
        for message in member.outbox:
            self.snapshots += message.type == "MsgSnap"
            if self.loss and self.rng.random() < self.loss:
                if message.type == "MsgSnap":
                    member.snapshot_lost(message.to)
                continue
            self.mail.append(message)
            if self.double and self.rng.random() < self.double:
                self.mail.append(message)
        member.outbox = []
        if len(self.mail) > 400:
            for message in self.mail[:200]:
                self.failed(message)
            del self.mail[:200]

    def failed(self, message: Message) -> None:
        """The connection tells the sender that a message did not arrive."""
        sender = self.members.get(message.frm)
        if sender is not None and self.up[message.frm]:
            sender.snapshot_lost(message.to) if message.type == "MsgSnap" else sender.unreachable(message.to)

    def deliver(self) -> None:
        if not self.mail:
            return
        at = 0 if self.rng.random() < 0.7 else self.rng.randint(0, min(len(self.mail) - 1, 30))
        message = self.mail.pop(at)
        to = self.members.get(message.to)
        if to is None or not self.up[message.to] or (message.frm, message.to) in self.cut:
            self.failed(message)
            return
        to.step(message)
        if message.type == "MsgSnap" and message.frm in self.members:
            self.members[message.frm].snapshot_arrived(message.to)
        self.collect(to)

    def tick(self) -> None:
        name = self.rng.choice(list(self.members))
        if self.up[name] and name not in self.stopped:
            before = self.members[name].role
            for _ in range(self.rng.randint(1, 8)):
                self.members[name].tick()
            self.elections += before != self.members[name].role
            self.collect(self.members[name])

    def leaders(self) -> list[Raft]:
        return [m for name, m in self.members.items() if m.role == LEADER and self.up[name]]

    def ask(self) -> None:
        """A client writes through whoever believes to lead."""
        for leader in self.leaders():
            self.count += 1
            index = leader.propose(("put", f"v{self.count}"))
            if index:
                self.writes[(index, leader.term)] = self.register.begin(), leader.name
            self.collect(leader)

    def read(self) -> None:
        for leader in self.leaders():
            self.count += 1
            self.reads[self.count] = self.register.begin(), leader.name
            leader.read(self.count)
            self.collect(leader)

    def disturb(self) -> None:
        draw, name = self.rng.randint(0, 15), self.rng.choice(list(self.members))
        member = self.members[name]
        if draw == 0:
            self.up[name] = False
        elif draw in (1, 2) and not self.up[name]:
            member.restart()
            self.up[name] = True
        elif draw == 3:
            side = {other for other in self.members if self.rng.random() < 0.5}
            self.cut = {(a, b) for a in self.members for b in self.members if (a in side) != (b in side)}
        elif draw == 4:  # one way only
            self.cut = {(a, b) for a in self.members for b in self.members if self.rng.random() < 0.2}
        elif draw in (5, 6):
            self.cut = set()
        elif draw == 7:
            self.loss, self.double = self.rng.choice([0.0, 0.0, 0.1, 0.4]), self.rng.choice([0.0, 0.0, 0.2])
        elif draw == 8 and self.leaders():
            leader = self.rng.choice(self.leaders())
            leader.transfer(name)
            self.collect(leader)
        elif draw == 9:
            member.forget(member.applied - self.rng.randint(0, 5))
        elif draw == 10:
            self.change()
        elif draw in (11, 12, 13) and self.leaders():
            self.cut_off_leader()
        elif draw == 14:
            self.stopped = set()

    def cut_off_leader(self) -> None:
        """A leader keeps only a few followers, perhaps without noticing."""
        leader = self.rng.choice(self.leaders()).name
        side = {leader, *(other for other in self.members if self.rng.random() < 0.25)}
        self.cut = {(a, b) for a in self.members for b in self.members if (a in side) != (b in side)}
        if self.rng.random() < 0.5:
            self.stopped = self.stopped | {leader}

    def change(self) -> None:
        if not self.leaders():
            return
        leader = self.rng.choice(self.leaders())
        conf = leader.conf
        if conf.joint:
            leader.propose(("conf", (), "leave"))
            self.collect(leader)
            return
        picked = [self.rng.choice([*self.names, *self.spare]) for _ in range(self.rng.randint(1, 3))]
        changes = tuple((self.rng.choice(["voter", "voter", "learner", "remove"]), name) for name in picked)
        index = leader.propose(("conf", changes, self.rng.choice(["auto", "implicit", "explicit"])))
        if index:
            self.changes += 1
            for _, name in changes:
                if name not in self.members:
                    self.make(name, Config(()))
        self.collect(leader)

    # What is applied.

    def apply(self, member: Raft) -> None:
        machine = self.machines[member.name]
        if member.applied > (machine[-1][0] if machine else 0):  # a snapshot came: it holds what the others applied
            other = next(m for m in self.machines.values() if m and m[-1][0] >= member.applied)
            machine[:] = other[: member.applied]
        while member.applied < member.commit:
            index = member.applied + 1
            entry = member.entry(index)
            machine.append((index, entry.command))
            if entry.command[:1] == ("conf",):
                member.apply_conf(entry.command[1], entry.command[2])
            waiting = self.writes.get((index, entry.term))
            if waiting and waiting[1] == member.name:
                self.register.end(waiting[0], index, write=True)
                del self.writes[(index, entry.term)]
                self.acknowledged += 1
            member.apply_to(index)
        for number, index in list(member.reads_ready.items()):
            if member.applied >= index:
                del member.reads_ready[number]
                began, _ = self.reads.pop(number)
                self.register.end(began, member.applied, write=False)

    def finish(self) -> None:
        """Heals everything, lets it settle, and compares."""
        self.cut, self.loss, self.double, self.stopped = set(), 0.0, 0.0, set()
        for name, member in self.members.items():
            if not self.up[name]:
                member.restart()
                self.up[name] = True
        for _ in range(8):
            self.run(1000, calm=True)
            newest = max(member.last for member in self.members.values())
            settled = [m for m in self.leaders() if m.commit == m.last == newest]
            if settled and all(self.members[name].applied == newest for name in settled[0].conf.members):
                break
        self.checker.log_matching(self.members.values())
        leaders = self.leaders()
        if not leaders:
            # A member that leaves as the only one to know that it does, and dies, can take the majority with it: a limit that
            # etcd-io/raft names (doc.go), as configurations count from when they are applied, not from when they are in the log.
            if len({member.conf for member in self.members.values() if member.conf.members}) == 1:
                self.checker.fail("nobody leads after everything has healed")
            return
        leader = max(leaders, key=lambda m: m.term)
        longest = self.machines[leader.name]
        if [index for index, _ in longest] != list(range(1, len(longest) + 1)):
            self.checker.fail(f"{leader.name} has applied with gaps")
        for name, machine in self.machines.items():
            if machine != longest[: len(machine)]:
                self.checker.fail(f"{name} has applied something else than {leader.name}")
            if name in leader.conf.members and len(machine) < len(longest):
                self.checker.fail(f"{name} has applied {len(machine)} of {len(longest)}")
