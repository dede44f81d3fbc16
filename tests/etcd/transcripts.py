"""Plays Raft by hand: one command a line, and what it led to below. The scripts are golden/raft/*.txt, each a list of

    command
    ----
    what came of it

Commands: `cluster a b c [learners=d,e]` · `log b 1 1 2 [term=3]` (terms of the entries that a member has, and its own) · `campaign a` · `propose a x` ·
`change a +d -b [explicit]` (+ a voter, ~ a learner, - out) · `leave a` · `tick a [times]` · `transfer a b` · `read a 7` · `forget a 3`
(entries up to 3 go into a snapshot) · `silence a` (until it looks for a leader) · `restart a` · `deliver b` · `drop b` · `settle [a b]` (deliver among these until nothing is said) ·
`state` · `log a` · `progress a`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from clusterlab.etcd.confchange import Config, describe
from clusterlab.etcd.messages import Entry, Message
from clusterlab.etcd.raft import LEADER, Raft
from clusterlab.sim import Rng

KINDS = {"+": "voter", "~": "learner", "-": "remove"}


def play(text: str) -> str:
    """Runs a script; returns it with the outputs as they are now."""
    world, out = Play(), []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        notes = [line for line in lines if line.startswith("#")]
        commands = [line for line in lines[: lines.index("----") if "----" in lines else len(lines)] if not line.startswith("#")]
        said = [line for command in commands for line in world.run(command)]
        out.append("\n".join([*notes, *commands, "----", *(said or ["ok"])] if commands else notes))
    return "\n\n".join(out) + "\n"


def entry(index: int, what: Entry) -> str:
    kind = what.command[0] if what.command else "empty"
    if kind == "conf":
        signs = {name: sign for sign, name in KINDS.items()}
        kind = " ".join(signs[how] + who for how, who in what.command[1]) or "leave"
    return f"{index}:{what.term} {kind}"


def message(m: Message) -> str:
    text = f"{m.frm}>{m.to} {m.type} term={m.term}"
    if m.type in ("MsgApp", "MsgSnap", "MsgVote", "MsgPreVote"):
        text += f" after={m.index}:{m.log_term}"
    elif m.type == "MsgAppResp":
        text += f" refuses={m.index} hint={m.hint}:{m.log_term}" if m.reject else f" has={m.index}"
    elif m.reject:
        text += " no"
    if m.type in ("MsgApp", "MsgHeartbeat"):
        text += f" commit={m.commit}"
    if m.entries:
        text += " [" + ", ".join(entry(m.index + 1 + i, what) for i, what in enumerate(m.entries)) + "]"
    return text + (f" ({describe(m.conf)})" if m.conf else "") + (f" context={m.context}" if m.context else "")


class Play:
    """Members, and the messages that are under way between them."""

    def __init__(self) -> None:
        self.members: dict[str, Raft] = {}
        self.mail: list[Message] = []

    def run(self, command: str) -> list[str]:
        name, *words = command.split()
        said: list[str] = getattr(self, "do_" + name)(*words) or []
        for member in self.members.values():
            said += self.collect(member)
        return said

    def add(self, name: str, conf: Config) -> None:
        self.members[name] = Raft(name, conf, Rng(1, name))

    def collect(self, member: Raft) -> list[str]:
        """Applies what is committed, and takes the messages."""
        said, before = [], member.applied
        while member.applied < member.commit:
            what = member.entry(member.applied + 1)
            if what.command[:1] == ("conf",):
                error = member.apply_conf(what.command[1], what.command[2])
                said.append(f"  {member.name} has {error or describe(member.conf)}")
            member.apply_to(member.applied + 1)
        if member.applied > before:
            said.insert(0, f"  {member.name} applies up to {member.applied}")
        for number, index in list(member.reads_ready.items()):
            del member.reads_ready[number]
            said.append(f"  {member.name} may answer read {number} at {index}")
        self.mail += member.outbox
        member.outbox = []
        return said

    # What can be done.

    def do_cluster(self, *words: str) -> None:
        names = tuple(word for word in words if "=" not in word)
        learners = tuple(name for word in words if word.startswith("learners=") for name in word[9:].split(","))
        first = [Entry(1, ("conf", (("voter", name),), "simple")) for name in names]
        first += [Entry(1, ("conf", (("learner", name),), "simple")) for name in learners]
        for name in names + learners:
            self.add(name, Config(names, (), learners))
            member = self.members[name]
            member.entries, member.term, member.commit, member.applied = list(first), 1, len(first), len(first)

    def do_log(self, name: str, *terms: str) -> list[str]:
        member = self.members[name]
        if terms:
            member.entries = [Entry(int(term), ("put",)) for term in terms if "=" not in term]
            member.commit = member.applied = 0
            member.term = max(int(term.removeprefix("term=")) for term in terms)
        held = ", ".join(entry(member.first + i, what) for i, what in enumerate(member.entries))
        return [f"  {name}: " + (f"snapshot up to {member.first - 1}:{member.snapshot_term}, " if member.first > 1 else "") + f"[{held}]"]

    def do_campaign(self, name: str) -> None:
        self.members[name].hup()

    def do_propose(self, name: str, what: str) -> list[str]:
        index = self.members[name].propose((what,))
        return [f"  entry {index}" if index else "  refused"]

    def do_change(self, name: str, *words: str) -> list[str]:
        changes = tuple((KINDS[word[0]], word[1:]) for word in words if word[0] in KINDS)
        for kind, other in changes:
            if kind != "remove" and other not in self.members:
                self.add(other, Config(()))
        index = self.members[name].propose(("conf", changes, "explicit" if "explicit" in words else "auto"))
        return [f"  entry {index}" if index and self.members[name].entry(index).command else "  refused: an empty entry in its place"]

    def do_leave(self, name: str) -> None:
        self.members[name].propose(("conf", (), "leave"))

    def do_tick(self, name: str, times: str = "1") -> None:
        for _ in range(int(times)):
            self.members[name].tick()

    def do_silence(self, name: str) -> None:
        """A member hears nothing for as long as it takes to look for another leader."""
        for _ in range(self.members[name].timeout - self.members[name].elapsed):
            self.members[name].tick()

    def do_transfer(self, name: str, to: str) -> None:
        self.members[name].transfer(to)

    def do_read(self, name: str, number: str) -> None:
        self.members[name].read(int(number))

    def do_forget(self, name: str, index: str) -> None:
        self.members[name].forget(int(index))

    def do_restart(self, name: str) -> None:
        self.members[name].restart()

    def do_deliver(self, *names: str) -> list[str]:
        said = []
        for m in [m for m in self.mail if m.to in names]:
            self.mail.remove(m)
            said.append(message(m))
            self.members[m.to].step(m)
            said += self.collect(self.members[m.to])
        return said

    def do_drop(self, *names: str) -> list[str]:
        lost = [m for m in self.mail if m.to in names]
        self.mail = [m for m in self.mail if m.to not in names]
        counts = Counter(message(m) for m in lost)
        return [f"lost: {what}" + (f" (and {count - 1} more like it)" if count > 1 else "") for what, count in counts.items()]

    def do_settle(self, *names: str) -> list[str]:
        names, said = names or tuple(self.members), []
        while any(m.to in names for m in self.mail):
            for name in names:
                said += self.do_deliver(name)
        return said

    # What can be seen.

    def do_state(self) -> list[str]:
        return [
            f"  {name}: {m.role} term={m.term} leader={m.leader or '-'} last={m.last} commit={m.commit}" for name, m in self.members.items()
        ]

    def do_progress(self, name: str) -> list[str]:
        member = self.members[name]
        if member.role != LEADER:
            return [f"  {name} does not lead"]
        return [
            f"  {peer}: {p.state} match={p.match} next={p.next}" + (" paused" if p.paused else "") + ("" if p.active else " not heard")
            for peer, p in member.progress.items()
        ]


SCRIPTS = Path(__file__).parent / "golden" / "raft"
