"""What a leader knows of a peer's log, and how it therefore sends to it.

Follows etcd-io/raft tracker/progress.go. Probing: one message at a time until the logs are known to agree. Replicating: entries are
sent as they come, without waiting for answers. Snapshot: nothing is sent until the snapshot has arrived.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PROBE", "REPLICATE", "SNAPSHOT", "Progress"]

PROBE, REPLICATE, SNAPSHOT = "probe", "replicate", "snapshot"


class Progress:
    """`match`: the last entry known to be there. `next`: the next to send. `active`: heard of since the last quorum check."""

    __slots__ = ("active", "match", "next", "paused", "pending", "sent_commit", "state")

    def __init__(self, next_index: int, match: int = 0, active: bool = False) -> None:
        self.state, self.match, self.next = PROBE, match, next_index
        self.active, self.paused = active, False
        self.pending = 0  # where the snapshot that is under way ends
        self.sent_commit = 0

    def probe(self) -> None:
        self.next = max(self.match, self.pending) + 1 if self.state == SNAPSHOT else self.match + 1
        self._become(PROBE)

    def replicate(self) -> None:
        self._become(REPLICATE)
        self.next = self.match + 1

    def snapshot(self, index: int) -> None:
        self._become(SNAPSHOT)
        self.pending, self.next, self.sent_commit = index, index + 1, index

    def _become(self, state: str) -> None:
        self.state, self.paused, self.pending = state, False, 0
        self.sent_commit = min(self.sent_commit, self.next - 1)

    def update(self, index: int) -> bool:
        """The peer has everything up to `index`; whether that is news."""
        if index <= self.match:
            return False
        self.match, self.paused = index, False
        self.next = max(self.next, index + 1)
        return True

    def decrease(self, refused: int, hint: int) -> bool:
        """The peer refused entries after `refused`; whether that was not known before."""
        if self.state == REPLICATE:
            if refused <= self.match:
                return False
            self.next = self.match + 1
        else:
            if self.next - 1 != refused:
                return False
            self.next = max(min(refused, hint + 1), self.match + 1)
            self.paused = False
        self.sent_commit = min(self.sent_commit, self.next - 1)
        return True

    def checkpoint(self) -> tuple[Any, ...]:
        return self.state, self.match, self.next, self.active, self.paused, self.pending, self.sent_commit

    @classmethod
    def restored(cls, data: tuple[Any, ...]) -> Progress:
        progress = cls(1)
        (progress.state, progress.match, progress.next, progress.active, progress.paused, progress.pending,
         progress.sent_commit) = data
        return progress
