"""A member's log: what it has written down, how far that is committed and applied, and what a snapshot stands for.

Follows etcd-io/raft log.go. Indexes count from 1. The list of entries only grows in place and is replaced where it would shrink, so
that checkpoints can share it.
"""

from __future__ import annotations

from clusterlab.etcd.messages import Entry

__all__ = ["Log"]


class Log:
    """`entries[0]` has index `first`; what is before it is in a snapshot that ends at `first - 1` with term `snapshot_term`."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.first = 1
        self.snapshot_term = 0
        self.commit = 0
        self.applied = 0

    @property
    def last(self) -> int:
        """The index of the last entry."""
        return self.first + len(self.entries) - 1

    def term_at(self, index: int) -> int:
        """The term of an entry; -1 when it is not known here."""
        at = index - self.first
        if 0 <= at < len(self.entries):
            return self.entries[at].term
        return self.snapshot_term if at == -1 else -1

    def entry(self, index: int) -> Entry:
        """An entry that is in the log."""
        return self.entries[index - self.first]

    def forget(self, index: int) -> None:
        """Forgets entries up to `index`, which must be applied: a snapshot holds what they did."""
        if self.first <= index <= self.applied:
            self.snapshot_term = self.term_at(index)
            self.entries = self.entries[index - self.first + 1 :]
            self.first = index + 1

    def up_to_date(self, index: int, term: int) -> bool:
        """Whether a log that ends like that is at least as new as this one (section 5.4.1)."""
        last = self.last
        return (term, index) >= (self.term_at(last), last)

    def conflict_by_term(self, index: int, term: int) -> tuple[int, int]:
        """The last entry up to `index` whose term is at most `term`, with its term: where two logs could still agree."""
        index = min(index, self.last)
        while index >= self.first - 1:
            ours = self.term_at(index)
            if ours <= term:
                return index, ours
            index -= 1
        return index, 0

    def append_after(self, index: int, entries: tuple[Entry, ...]) -> None:
        """Takes a leader's entries after one that both have; those that contradict them go."""
        at = index + 1 - self.first
        mine = self.entries
        for i, entry in enumerate(entries):
            if at + i < len(mine):
                if mine[at + i].term == entry.term:
                    continue
                if self.first + at + i <= self.commit:
                    raise RuntimeError(f"entry {self.first + at + i} is committed and cannot be replaced")
                mine = self.entries = mine[: at + i]
            mine.extend(entries[i:])
            return
