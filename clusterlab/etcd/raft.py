"""Raft: one member's part in agreeing on a log. Messages go in with `step`, time with `tick`, and messages come out in `outbox`.

Follows the paper (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm"), Ongaro's thesis and etcd-io/raft
(raft.go): pre-vote, quorum checks, randomised election timeouts. No I/O: whoever owns a member carries its messages, applies what is
committed and says so with `apply_to` and `apply_conf`.
"""

from __future__ import annotations

from typing import Any

from clusterlab.etcd import confchange, quorum
from clusterlab.etcd.confchange import Change, ConfError, Config
from clusterlab.etcd.messages import Message
from clusterlab.etcd.progress import Progress
from clusterlab.etcd.replication import CANDIDATE, ELECTION_TICKS, FOLLOWER, LEADER, PRE_CANDIDATE, Replication
from clusterlab.sim import Rng

__all__ = ["CANDIDATE", "ELECTION_TICKS", "FOLLOWER", "LEADER", "PRE_CANDIDATE", "Raft"]

_FROM_LEADER = ("MsgApp", "MsgHeartbeat", "MsgSnap")


class Raft(Replication):
    """One member."""

    def __init__(self, name: str, conf: Config, rng: Rng) -> None:
        super().__init__(name, conf, rng)
        self._handlers = {
            "MsgApp": self._on_append, "MsgAppResp": self._on_append_response, "MsgHeartbeat": self._on_heartbeat,
            "MsgHeartbeatResp": self._on_heartbeat_response, "MsgSnap": self._on_snapshot, "MsgVote": self._on_vote,
            "MsgPreVote": self._on_vote, "MsgVoteResp": self._on_vote_response, "MsgPreVoteResp": self._on_vote_response,
            "MsgTimeoutNow": self._on_timeout_now,
        }
        self.restart()

    def restart(self) -> None:
        """What a process knows right after it has started from its disk."""
        self.outbox = []
        self._follow_conf()
        self._become(FOLLOWER, self.term, "")

    # Time.

    def tick(self) -> None:
        """One tick of the clock: leaders send heartbeats and check that they are heard, the others count towards an election."""
        self.elapsed += 1
        if self.role == LEADER:
            if self.elapsed >= ELECTION_TICKS:
                self.elapsed, self.transferee = 0, ""
                if not self.quorum_active():
                    self._become(FOLLOWER, self.term, "")
                    return
            self.heartbeat()
        elif self.elapsed >= self.timeout and self.conf.votes(self.name):
            self.elapsed = 0
            self.hup()

    def hup(self) -> None:
        """Begins an election, with the question whether it could be won at all."""
        if self.role != LEADER and self.conf.votes(self.name) and not self._conf_unapplied():
            self.campaign(PRE_CANDIDATE)

    def _conf_unapplied(self) -> bool:
        """Whether a change of members is committed here but not applied: who may vote is not known then."""
        applied = max(self.applied, self.first - 1)
        return any(entry.command[:1] == ("conf",) for entry in self.entries[applied - self.first + 1 : self.commit - self.first + 1])

    def campaign(self, role: str, transfer: bool = False) -> None:
        """Asks for votes: first whether they would be given at all (pre-vote), then for real."""
        if role == PRE_CANDIDATE:
            self.role, self.leader, self.votes = PRE_CANDIDATE, "", {}
            kind, term = "MsgPreVote", self.term + 1
        else:
            self._become(CANDIDATE, self.term + 1, "")
            self.vote = self.name
            kind, term = "MsgVote", self.term
        last = self.last
        log_term = self.term_at(last)
        for peer in dict.fromkeys(self.conf.voters + self.conf.outgoing):
            if peer != self.name:
                self.outbox.append(Message(kind, peer, self.name, term, last, log_term, context=int(transfer)))
        self._count(self.name, True)

    # Messages.

    def step(self, m: Message) -> None:
        """Takes a message."""
        if m.term != self.term:
            if m.term < self.term:
                self._old_term(m)
                return
            if m.type in ("MsgVote", "MsgPreVote") and not m.context and self.leader and self.elapsed < ELECTION_TICKS:
                return  # a leader was heard of within the shortest election timeout: the candidate has been cut off from it
            if m.type != "MsgPreVote" and (m.type != "MsgPreVoteResp" or m.reject):
                self._become(FOLLOWER, m.term, m.frm if m.type in _FROM_LEADER else "")
        self._handlers[m.type](m)

    def _old_term(self, m: Message) -> None:
        if m.type in ("MsgApp", "MsgHeartbeat"):
            self.send("MsgAppResp", m.frm)  # tells an old leader of the new term, which ends its reign
        elif m.type == "MsgPreVote":
            self.send("MsgPreVoteResp", m.frm, reject=True)

    # Elections.

    def _on_vote(self, m: Message) -> None:
        """Learners vote too: a candidate that asks one knows of its promotion before itself does."""
        pre = m.type == "MsgPreVote"
        free = self.vote == m.frm or (not self.vote and not self.leader) or (pre and m.term > self.term)
        if free and self.up_to_date(m.index, m.log_term):
            self.outbox.append(Message(m.type + "Resp", m.frm, self.name, m.term))
            if not pre:
                self.elapsed, self.vote = 0, m.frm
        else:
            self.send(m.type + "Resp", m.frm, reject=True)

    def _on_vote_response(self, m: Message) -> None:
        if self.role == (PRE_CANDIDATE if m.type == "MsgPreVoteResp" else CANDIDATE):
            self._count(m.frm, not m.reject)

    def _count(self, member: str, granted: bool) -> None:
        self.votes.setdefault(member, granted)
        outcome = quorum.joint_vote(self.conf.voters, self.conf.outgoing, self.votes)
        if outcome == quorum.WON:
            if self.role == PRE_CANDIDATE:
                self.campaign(CANDIDATE)
            else:
                self._lead()
        elif outcome == quorum.LOST:
            self._become(FOLLOWER, self.term, "")

    def _lead(self) -> None:
        votes = self.votes
        self._become(LEADER, self.term, self.name)
        self.votes = votes  # for who looks
        last = self.last
        self.progress = {peer: Progress(last + 1) for peer in self.conf.members}
        mine = self.progress[self.name]
        mine.match, mine.active = last, True
        mine.replicate()
        self.pending_conf = last
        self.propose(())  # an entry of the own term lets earlier ones commit

    def _on_timeout_now(self, m: Message) -> None:
        if self.role == FOLLOWER and self.conf.votes(self.name) and not self._conf_unapplied():
            self.campaign(CANDIDATE, transfer=True)

    def _become(self, role: str, term: int, leader: str) -> None:
        if term != self.term:
            self.term, self.vote = term, ""
        self.role, self.leader, self.elapsed = role, leader, 0
        self.timeout = self.rng.randint(ELECTION_TICKS, 2 * ELECTION_TICKS - 1)
        self.votes, self.progress, self.transferee, self.pending_conf = {}, {}, "", 0
        self.forget_reads()

    # Following.

    def _follow(self, leader: str) -> None:
        if self.role == LEADER:
            raise RuntimeError(f"{leader} and {self.name} both lead in term {self.term}")
        if self.role != FOLLOWER:
            self._become(FOLLOWER, self.term, leader)
        self.leader, self.elapsed = leader, 0

    def _on_append(self, m: Message) -> None:
        if self.leader == m.frm and self.role == FOLLOWER:
            self.elapsed = 0
        else:
            self._follow(m.frm)
        if m.index < self.commit:
            self.send("MsgAppResp", m.frm, index=self.commit)
        elif self.term_at(m.index) == m.log_term:
            new = m.index + len(m.entries)
            self.append_after(m.index, m.entries)
            commit = m.commit if m.commit < new else new
            self.commit = max(self.commit, commit)
            self.outbox.append(Message("MsgAppResp", m.frm, self.name, self.term, new))
        else:
            hint, term = self.conflict_by_term(m.index, m.log_term)
            self.send("MsgAppResp", m.frm, index=m.index, reject=True, hint=hint, log_term=term)

    def _on_heartbeat(self, m: Message) -> None:
        self._follow(m.frm)
        if m.commit > self.last:
            raise RuntimeError(f"{self.name} is told that entry {m.commit} is committed and has only {self.last}")
        self.commit = max(self.commit, m.commit)
        self.send("MsgHeartbeatResp", m.frm, context=m.context)

    def _on_snapshot(self, m: Message) -> None:
        self._follow(m.frm)
        if m.index <= self.commit or m.conf is None or self.name not in m.conf.members:
            self.send("MsgAppResp", m.frm, index=self.commit)
        elif self.term_at(m.index) == m.log_term:
            self.commit = m.index  # the log has it all
            self.send("MsgAppResp", m.frm, index=m.index)
        else:
            self.entries, self.first, self.snapshot_term = [], m.index + 1, m.log_term
            self.commit = self.applied = m.index
            self.conf = m.conf
            self._follow_conf()
            self.send("MsgAppResp", m.frm, index=m.index)

    def _on_append_response(self, m: Message) -> None:
        if self.role == LEADER:
            self.on_append_response(m)

    def _on_heartbeat_response(self, m: Message) -> None:
        if self.role == LEADER:
            self.on_heartbeat_response(m)

    # Applying.

    def apply_to(self, index: int) -> None:
        """The owner has applied the log up to `index`. A leader then leaves a joint configuration that is to end by itself."""
        self.applied = index
        if self.conf.auto_leave and self.role == LEADER and index >= self.pending_conf:
            self.propose(("conf", (), "leave"))

    def apply_conf(self, changes: tuple[Change, ...], transition: str) -> str:
        """Applies a committed change of members; returns why it could not be made."""
        try:
            if not changes:
                conf = confchange.leave_joint(self.conf)
            elif len(changes) > 1 or transition in ("implicit", "explicit"):
                conf = confchange.enter_joint(self.conf, changes, transition != "explicit")
            else:
                conf = confchange.simple(self.conf, changes)
        except ConfError as error:
            return str(error)
        self._switch(conf)
        return ""

    def _switch(self, conf: Config) -> None:
        self.conf = conf
        self._follow_conf()
        if self.role != LEADER:
            return
        last = self.last
        self.progress = {peer: self.progress.get(peer) or Progress(max(last, 1), active=True) for peer in conf.members}
        # A leader that has lost its vote goes on until another one is elected, or its process ends: it may be the only one to know that
        # the change is committed. Its own log no longer counts.
        if self._advance_commit():
            self.broadcast_append()
        else:
            for peer in self.peers:
                self.send_append(peer, even_if_empty=False)
        if self.transferee and not conf.votes(self.transferee):
            self.transferee = ""
        for number in list(self.reads):
            self._confirm_reads(number)

    def _follow_conf(self) -> None:
        self.peers = tuple(peer for peer in self.conf.members if peer != self.name)

    # State as plain data. The list of entries is shared: see `Log`.

    def checkpoint(self) -> tuple[Any, ...]:
        return (
            self.conf, self.term, self.vote, self.entries, len(self.entries), self.first, self.snapshot_term, self.commit, self.applied,
            self.role, self.leader, self.elapsed, self.timeout, dict(self.votes),
            {peer: progress.checkpoint() for peer, progress in self.progress.items()}, self.pending_conf, self.transferee,
        )

    def restore(self, data: tuple[Any, ...]) -> None:
        (
            conf, self.term, self.vote, entries, length, self.first, self.snapshot_term, self.commit, self.applied, self.role,
            self.leader, self.elapsed, self.timeout, votes, progress, self.pending_conf, self.transferee,
        ) = data
        self.conf = Config(*conf)
        self.entries = entries[:length]
        self.votes = dict(votes)
        self.progress = {peer: Progress.restored(state) for peer, state in progress.items()}
        self.outbox = []
        self.forget_reads()
        self._follow_conf()
