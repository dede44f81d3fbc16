"""What must hold of Raft at any moment (figure 3 of the paper), looked at from outside. Each failure names the seed."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.etcd.messages import Entry
from clusterlab.etcd.raft import LEADER, Raft


class Checker:
    """Follows a cluster from step to step; `look` after each."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.leaders: dict[int, str] = {}  # term -> who led
        self.committed: dict[int, Entry] = {}  # index -> what was committed there first
        self.commit_seen: dict[str, int] = {}
        self.term_seen: dict[str, int] = {}
        self.highest = 0

    def fail(self, what: str) -> None:
        raise AssertionError(f"seed {self.seed}: {what}")

    def forget(self, name: str) -> None:
        """A member has begun with an empty disk."""
        self.commit_seen.pop(name, None)
        self.term_seen.pop(name, None)

    def look(self, members: Iterable[Raft]) -> None:
        for member in members:
            self._one(member)

    def _one(self, member: Raft) -> None:
        name = member.name
        if member.term < self.term_seen.get(name, 0):
            self.fail(f"{name} goes back from term {self.term_seen[name]} to {member.term}")
        self.term_seen[name] = member.term
        self._state_machine_safety(member)
        if member.role == LEADER:
            self._election_safety(member)
            if self.leaders.get(member.term) is None:
                self.leaders[member.term] = name
                self._leader_completeness(member)

    def _election_safety(self, member: Raft) -> None:
        other = self.leaders.get(member.term, member.name)
        if other != member.name:
            self.fail(f"{other} and {member.name} both lead in term {member.term}")

    def _state_machine_safety(self, member: Raft) -> None:
        """What a member takes for committed is what everyone takes for committed there."""
        seen = self.commit_seen.get(member.name, 0)
        if member.commit < seen:
            self.fail(f"{member.name} goes back from commit {seen} to {member.commit}")
        if not member.first - 1 <= member.applied <= member.commit <= member.last:
            self.fail(f"{member.name}: first {member.first}, applied {member.applied}, commit {member.commit}, last {member.last}")
        for index in range(max(seen + 1, member.first), member.commit + 1):
            entry = member.entry(index)
            known = self.committed.setdefault(index, entry)
            if known != entry:
                self.fail(f"{member.name} has {entry} committed at {index}, others {known}")
        self.commit_seen[member.name] = member.commit
        self.highest = max(self.highest, member.commit)

    def _leader_completeness(self, member: Raft) -> None:
        """Who is elected has everything that was ever committed."""
        for index in range(member.first, self.highest + 1):
            if index > member.last or member.entry(index) != self.committed.get(index):
                self.fail(f"{member.name} leads in term {member.term} without the committed entry {index}")

    def log_matching(self, members: Iterable[Raft]) -> None:
        """Two logs that have the same term at an index agree up to there."""
        known = list(members)
        for i, one in enumerate(known):
            for two in known[i + 1 :]:
                low, high = max(one.first, two.first), min(one.last, two.last)
                agree = high
                while agree >= low and one.entry(agree).term != two.entry(agree).term:
                    agree -= 1
                for index in range(low, agree + 1):
                    if one.entry(index) != two.entry(index):
                        self.fail(f"{one.name} and {two.name} agree at {agree} but not at {index}")


class Register:
    """Linearizability with the log's order as witness: what begins after something has ended comes after it in the log."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.floor = 0  # the highest index that anything which has ended has seen
        self.ended = 0

    def begin(self) -> int:
        return self.floor

    def end(self, began: int, index: int, write: bool) -> None:
        if index < began + (1 if write else 0):
            raise AssertionError(f"seed {self.seed}: a {'write' if write else 'read'} at index {index} began after {began} was known")
        self.floor = max(self.floor, index)
        self.ended += 1
