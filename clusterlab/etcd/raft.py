"""Raft: one member's part in agreeing on a log. Messages go in with `step`, time with `tick`, and messages come out in `outbox`.

Follows the paper (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm") and etcd-io/raft (raft.go): pre-vote,
randomised election timeouts, replication with match and next indexes, commit by counting only in the leader's own term. No I/O: whoever
owns a member carries its messages and applies what is committed.
"""

from __future__ import annotations

from typing import Any

from clusterlab.etcd.messages import Entry, Message
from clusterlab.sim import Rng

__all__ = ["CANDIDATE", "FOLLOWER", "LEADER", "PRE_CANDIDATE", "Raft"]

FOLLOWER, PRE_CANDIDATE, CANDIDATE, LEADER = "follower", "pre-candidate", "candidate", "leader"

ELECTION_TICKS = 10
HEARTBEAT_TICKS = 1


class Raft:
    """One member.

    Kept on disk: `term`, `vote`, the log (`entries[0]` has index `first`; what is before it is in a snapshot that ends at
    `first - 1` with term `snapshot_term`), `voters`. In memory: everything else. Indexes count from 1."""

    def __init__(self, name: str, voters: tuple[str, ...], rng: Rng) -> None:
        self.name = name
        self.voters = voters
        self.rng = rng
        self.term = 0
        self.vote = ""
        self.entries: list[Entry] = []
        self.first = 1
        self.snapshot_term = 0
        self.commit = 0
        self.outbox: list[Message] = []
        self.role = FOLLOWER
        self.leader = ""
        self.elapsed = 0
        self.timeout = 0
        self.votes: dict[str, bool] = {}
        self.match: dict[str, int] = {}
        self.next: dict[str, int] = {}
        self.restart()

    def restart(self) -> None:
        """What a process knows right after it has started from its disk."""
        self.outbox = []
        self.votes, self.match, self.next = {}, {}, {}
        self._become(FOLLOWER, "")

    # The log.

    @property
    def last(self) -> int:
        """The index of the last entry."""
        return self.first + len(self.entries) - 1

    def term_at(self, index: int) -> int:
        """The term of an entry; -1 when it is not known here."""
        if index == self.first - 1:
            return self.snapshot_term
        if self.first <= index <= self.last:
            return self.entries[index - self.first].term
        return -1

    def compact(self, index: int) -> None:
        """Forgets entries up to `index`, which a snapshot holds."""
        if self.first <= index <= self.last:
            self.snapshot_term = self.term_at(index)
            self.entries = self.entries[index - self.first + 1 :]
            self.first = index + 1

    # Time.

    def tick(self) -> None:
        """One tick of the clock: leaders send heartbeats, the others count towards an election."""
        self.elapsed += 1
        if self.role == LEADER:
            if self.elapsed >= HEARTBEAT_TICKS:
                self.elapsed = 0
                for peer in self.voters:
                    if peer != self.name:
                        commit = min(self.commit, self.match.get(peer, 0))
                        self._send("MsgHeartbeat", peer, commit=commit)
        elif self.elapsed >= self.timeout and self.name in self.voters:
            self.campaign(PRE_CANDIDATE)

    def campaign(self, role: str) -> None:
        """Asks for votes: first whether they would be given at all (pre-vote), then for real."""
        if role == PRE_CANDIDATE:
            self._become(PRE_CANDIDATE, "")
            kind, term = "MsgPreVote", self.term + 1
        else:
            self.term += 1
            self.vote = self.name
            self._become(CANDIDATE, "")
            kind, term = "MsgVote", self.term
        self.votes = {self.name: True}
        if self._won(True):
            self._elected()
            return
        for peer in self.voters:
            if peer != self.name:
                self.outbox.append(Message(kind, peer, self.name, term, self.last, self.term_at(self.last)))

    # Proposals.

    def propose(self, command: tuple[Any, ...]) -> int:
        """Appends a command to the leader's log and sends it; returns its index, or 0 when this is not the leader."""
        if self.role != LEADER:
            return 0
        self.entries.append(Entry(self.term, command))
        last = self.last
        self.match[self.name] = last
        if len(self.voters) == 1:
            self.commit = last
            return last
        for peer in self.voters:
            if peer != self.name:
                self._append_to(peer)
        return last

    # Messages.

    def step(self, m: Message) -> None:
        """Takes a message."""
        if m.term > self.term:
            if m.type == "MsgPreVote" or (m.type == "MsgPreVoteResp" and not m.reject):
                pass  # a pre-vote changes no term; a granted answer carries the term asked about
            elif m.type == "MsgVote" and self._hears_leader():
                return  # a leader is alive: the candidate has been cut off (section 6, disruptive servers)
            else:
                self.term, self.vote = m.term, ""
                self._become(FOLLOWER, m.frm if m.type in ("MsgApp", "MsgHeartbeat", "MsgSnap") else "")
        elif m.term < self.term:
            self._old_term(m)
            return
        handler = getattr(self, "_on_" + m.type)
        handler(m)

    def _old_term(self, m: Message) -> None:
        if m.type in ("MsgApp", "MsgHeartbeat", "MsgSnap"):
            self._send("MsgAppResp", m.frm, index=m.index, reject=True, hint=self.last)  # tells an old leader of the new term
        elif m.type == "MsgPreVote":
            self._send("MsgPreVoteResp", m.frm, reject=True)

    def _hears_leader(self) -> bool:
        return bool(self.leader) and self.elapsed < ELECTION_TICKS and self.role in (FOLLOWER, LEADER)

    def _up_to_date(self, m: Message) -> bool:
        return (m.log_term, m.index) >= (self.term_at(self.last), self.last)

    def _on_MsgPreVote(self, m: Message) -> None:
        grant = m.term > self.term and self._up_to_date(m) and not self._hears_leader()
        term = m.term if grant else self.term
        self.outbox.append(Message("MsgPreVoteResp", m.frm, self.name, term, reject=not grant))

    def _on_MsgVote(self, m: Message) -> None:
        grant = self.vote in ("", m.frm) and not (self.leader and not self.vote) and self._up_to_date(m)
        if grant:
            self.vote, self.elapsed = m.frm, 0
        self._send("MsgVoteResp", m.frm, reject=not grant)

    def _on_MsgPreVoteResp(self, m: Message) -> None:
        if self.role == PRE_CANDIDATE:
            self._count(m, lambda: self.campaign(CANDIDATE))

    def _on_MsgVoteResp(self, m: Message) -> None:
        if self.role == CANDIDATE:
            self._count(m, self._elected)

    def _count(self, m: Message, won: Any) -> None:
        self.votes.setdefault(m.frm, not m.reject)
        if self._won(True):
            won()
        elif self._won(False):
            self._become(FOLLOWER, "")

    def _won(self, granted: bool) -> bool:
        return sum(vote is granted for vote in self.votes.values()) > len(self.voters) // 2

    def _elected(self) -> None:
        if self.role == PRE_CANDIDATE:
            self.campaign(CANDIDATE)
            return
        self._become(LEADER, self.name)
        last = self.last
        self.match = dict.fromkeys(self.voters, 0)
        self.next = dict.fromkeys(self.voters, last + 1)
        self.propose(())  # an entry of the own term lets earlier ones commit

    def _on_MsgApp(self, m: Message) -> None:
        self._follow(m.frm)
        if m.index < self.commit:
            self._send("MsgAppResp", m.frm, index=self.commit)
            return
        if self.term_at(m.index) != m.log_term:
            hint = min(m.index, self.last)
            while hint > self.commit and self.term_at(hint) > m.log_term:
                hint -= 1
            self._send("MsgAppResp", m.frm, index=m.index, reject=True, hint=hint)
            return
        new = m.index + len(m.entries)
        at = m.index + 1
        for i, entry in enumerate(m.entries):
            if at + i > self.last or self.entries[at + i - self.first].term != entry.term:
                if at + i <= self.last:
                    self.entries = self.entries[: at + i - self.first]  # a new list: checkpoints share the old one
                self.entries.extend(m.entries[i:])
                break
        self.commit = max(self.commit, min(m.commit, new))
        self._send("MsgAppResp", m.frm, index=new)

    def _on_MsgAppResp(self, m: Message) -> None:
        if self.role != LEADER:
            return
        if m.reject:
            if m.index > self.match[m.frm]:
                self.next[m.frm] = max(self.match[m.frm] + 1, min(m.hint + 1, m.index))
                self._append_to(m.frm)
            return
        if m.index > self.match[m.frm]:
            self.match[m.frm] = m.index
            self.next[m.frm] = max(self.next[m.frm], m.index + 1)
            if self._advance_commit():
                for peer in self.voters:
                    if peer != self.name:
                        self._append_to(peer)  # tells the others at once what is committed
        if self.match[m.frm] < self.last and self.next[m.frm] <= self.last:
            self._append_to(m.frm)

    def _advance_commit(self) -> bool:
        ranked = sorted((self.match.get(peer, 0) for peer in self.voters), reverse=True)
        index = ranked[len(self.voters) // 2]
        if index > self.commit and self.term_at(index) == self.term:
            self.commit = index
            return True
        return False

    def _on_MsgHeartbeat(self, m: Message) -> None:
        self._follow(m.frm)
        self.commit = max(self.commit, min(m.commit, self.last))
        self._send("MsgHeartbeatResp", m.frm)

    def _on_MsgHeartbeatResp(self, m: Message) -> None:
        if self.role == LEADER and self.match.get(m.frm, 0) < self.last:
            self.next[m.frm] = self.match[m.frm] + 1  # what was sent since may have been lost
            self._append_to(m.frm)

    def _on_MsgSnap(self, m: Message) -> None:
        self._follow(m.frm)
        if m.index <= self.commit:
            self._send("MsgAppResp", m.frm, index=self.commit)
            return
        self.entries, self.first, self.snapshot_term, self.commit = [], m.index + 1, m.log_term, m.index
        self._send("MsgAppResp", m.frm, index=m.index)

    # Pieces.

    def _append_to(self, peer: str) -> None:
        """Sends a peer what it lacks, or a snapshot where the log no longer reaches back that far."""
        index = self.next[peer] - 1
        if index < self.first - 1:
            self._send("MsgSnap", peer, index=self.first - 1, log_term=self.snapshot_term)
            self.next[peer] = self.first
            return
        entries = tuple(self.entries[index - self.first + 1 :])
        self._send("MsgApp", peer, index=index, log_term=self.term_at(index), entries=entries, commit=self.commit)
        self.next[peer] = index + len(entries) + 1

    def _follow(self, leader: str) -> None:
        if self.role != FOLLOWER or self.leader != leader:
            self._become(FOLLOWER, leader)
        self.elapsed = 0

    def _become(self, role: str, leader: str) -> None:
        self.role, self.leader, self.elapsed = role, leader, 0
        self.timeout = self.rng.randint(ELECTION_TICKS, 2 * ELECTION_TICKS - 1)

    def _send(self, kind: str, to: str, **fields: Any) -> None:
        self.outbox.append(Message(kind, to, self.name, self.term, **fields))

    # State as plain data. The list of entries is shared: it only grows, and is replaced where it would shrink.

    def checkpoint(self) -> tuple[Any, ...]:
        return (
            self.voters, self.term, self.vote, self.entries, len(self.entries), self.first, self.snapshot_term, self.commit, self.role,
            self.leader, self.elapsed, self.timeout, dict(self.votes), dict(self.match), dict(self.next),
        )

    def restore(self, data: tuple[Any, ...]) -> None:
        (
            self.voters, self.term, self.vote, entries, length, self.first, self.snapshot_term, self.commit, self.role, self.leader,
            self.elapsed, self.timeout, votes, match, following,
        ) = data
        self.entries = entries[:length]
        self.votes, self.match, self.next = dict(votes), dict(match), dict(following)
        self.outbox = []
