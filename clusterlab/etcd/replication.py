"""A leader's side of Raft: sending the log to the others, committing what a majority has, confirming reads, handing over.

Follows etcd-io/raft raft.go (stepLeader and what it calls), tracker/ and read_only.go.
"""

from __future__ import annotations

from typing import Any

from clusterlab.etcd import quorum
from clusterlab.etcd.confchange import Config
from clusterlab.etcd.log import Log
from clusterlab.etcd.messages import Entry, Message
from clusterlab.etcd.progress import PROBE, REPLICATE, SNAPSHOT, Progress
from clusterlab.sim import Rng

__all__ = ["CANDIDATE", "ELECTION_TICKS", "FOLLOWER", "LEADER", "PRE_CANDIDATE", "Replication"]

FOLLOWER, PRE_CANDIDATE, CANDIDATE, LEADER = "follower", "pre-candidate", "candidate", "leader"

ELECTION_TICKS = 10
#: Entries in one message at most.
MAX_ENTRIES = 512


class Replication(Log):
    """What a member knows, and what it does with it as leader.

    Kept on disk: `term`, `vote`, `conf`, the log with its commit and applied indexes. In memory: everything else."""

    def __init__(self, name: str, conf: Config, rng: Rng) -> None:
        super().__init__()
        self.name, self.conf, self.rng = name, conf, rng
        self.term = 0
        self.vote = ""
        self.outbox: list[Message] = []
        self.role = FOLLOWER
        self.leader = ""
        self.elapsed = 0
        self.timeout = 0
        self.votes: dict[str, bool] = {}
        self.progress: dict[str, Progress] = {}
        self.peers: tuple[str, ...] = ()
        self.pending_conf = 0  # no change of members may be proposed before this entry is applied
        self.transferee = ""
        self.reads: dict[int, tuple[int, frozenset[str]]] = {}  # number -> (index to read at, who confirmed)
        self.reads_ready: dict[int, int] = {}
        self.reads_early: tuple[int, ...] = ()  # asked for before anything of the own term was committed

    @property
    def voters(self) -> tuple[str, ...]:
        return self.conf.voters

    # Proposals.

    def propose(self, command: tuple[Any, ...]) -> int:
        """Appends a command to the leader's log and sends it; returns its index, or 0 where that cannot be done here and now."""
        if self.role != LEADER or self.transferee or self.name not in self.progress:
            return 0
        if command and command[0] == "conf":
            if self.pending_conf > self.applied or self.conf.joint != (not command[1]):
                command = ()  # one at a time
            else:
                self.pending_conf = self.last + 1
        self.entries.append(Entry(self.term, command))
        last = self.last
        mine = self.progress[self.name]
        mine.match, mine.next = last, last + 1
        if len(self.peers) == 0 or len(self.conf.voters) == 1:
            self._advance_commit()
        for peer in self.peers:
            self.send_append(peer)
        return last

    # Sending.

    def send_append(self, peer: str, even_if_empty: bool = True) -> bool:
        """Sends a peer what it lacks, or a snapshot where the log no longer reaches back that far."""
        progress = self.progress[peer]
        if progress.paused or progress.state == SNAPSHOT:
            return False
        index = progress.next - 1
        at = index - self.first + 1  # where the entries to send begin
        if at > 0:
            log_term = self.entries[at - 1].term
        elif at == 0:
            log_term = self.snapshot_term
        else:
            return self._send_snapshot(peer, progress)
        entries = tuple(self.entries[at : at + MAX_ENTRIES])
        if not entries and not even_if_empty:
            return False
        self.outbox.append(Message("MsgApp", peer, self.name, self.term, index, log_term, entries, self.commit))
        if entries:
            if progress.state == REPLICATE:
                progress.next = index + len(entries) + 1
            else:
                progress.paused = True
        progress.sent_commit = self.commit
        return True

    def _send_snapshot(self, peer: str, progress: Progress) -> bool:
        if not progress.active:
            return False
        progress.snapshot(self.applied)
        self.send("MsgSnap", peer, index=self.applied, log_term=self.term_at(self.applied), conf=self.conf)
        return True

    def broadcast_append(self) -> None:
        for peer in self.peers:
            self.send_append(peer)

    def heartbeat(self, context: int = 0) -> None:
        """Tells everyone that the leader lives, and what is committed of that which they have."""
        context = context or next(reversed(self.reads), 0)
        for peer in self.peers:
            progress = self.progress[peer]
            commit = progress.sent_commit = min(progress.match, self.commit)
            self.send("MsgHeartbeat", peer, commit=commit, context=context)

    def repeat(self) -> None:
        """Says again what may have been lost."""
        self.heartbeat()
        for peer in self.peers:
            progress = self.progress[peer]
            if progress.match < self.last and progress.state != SNAPSHOT:
                if progress.state == REPLICATE:
                    progress.probe()
                progress.paused = False
                self.send_append(peer)

    def send(self, kind: str, to: str, **fields: Any) -> None:
        self.outbox.append(Message(kind, to, self.name, self.term, **fields))

    # Committing.

    def _advance_commit(self) -> bool:
        """Commits what a majority has; entries of earlier terms only together with one of the own (section 5.4.2)."""
        progress, conf = self.progress, self.conf
        acked = {peer: progress[peer].match for peer in progress}
        index = quorum.joint_committed(conf.voters, conf.outgoing, acked)
        if index > self.commit and self.term_at(index) == self.term:
            self.commit = index
            return True
        return False

    # Answers.

    def on_append_response(self, m: Message) -> None:
        progress = self.progress.get(m.frm)
        if progress is None:
            return
        progress.active = True
        if m.reject:
            self._refused(m, progress)
            return
        if progress.update(m.index) or (progress.match == m.index and progress.state == PROBE):
            if progress.state == PROBE or (progress.state == SNAPSHOT and progress.match + 1 >= self.first):
                progress.replicate()
            if self._advance_commit():
                self._release_reads()
                self.broadcast_append()
            elif self.commit > progress.sent_commit and progress.sent_commit < progress.next - 1:
                self.send_append(m.frm)
            if progress.next <= self.last:
                while progress.next <= self.last and self.send_append(m.frm, even_if_empty=False):
                    pass
            if m.frm == self.transferee and progress.match == self.last:
                self.send("MsgTimeoutNow", m.frm)

    def _refused(self, m: Message, progress: Progress) -> None:
        hint = m.hint
        if m.log_term > 0:
            hint, _ = self.conflict_by_term(m.hint, m.log_term)
        if progress.decrease(m.index, hint):
            if progress.state == REPLICATE:
                progress.probe()
            self.send_append(m.frm)

    def on_heartbeat_response(self, m: Message) -> None:
        progress = self.progress.get(m.frm)
        if progress is None:
            return
        progress.active, progress.paused = True, False
        if progress.match < self.last or progress.state == PROBE:
            self.send_append(m.frm)
        if m.context and m.context in self.reads:
            index, acks = self.reads[m.context]
            self.reads[m.context] = index, acks | {m.frm}
            self._confirm_reads(m.context)

    def unreachable(self, peer: str) -> None:
        """A message could not be brought to a peer: what was sent after it may be lost as well."""
        progress = self.progress.get(peer)
        if progress is not None and self.role == LEADER and progress.state == REPLICATE:
            progress.probe()

    def snapshot_lost(self, peer: str) -> None:
        """A snapshot did not arrive: it is sent again once the peer answers a heartbeat."""
        progress = self.progress.get(peer)
        if progress is not None and self.role == LEADER and progress.state == SNAPSHOT:
            progress.pending = 0
            progress.probe()
            progress.paused = True

    def snapshot_arrived(self, peer: str) -> None:
        """A snapshot has been brought to a peer: its answer, or that to the next heartbeat, tells how to go on."""
        progress = self.progress.get(peer)
        if progress is not None and self.role == LEADER and progress.state == SNAPSHOT:
            progress.probe()
            progress.paused = True

    # Reads.

    def read(self, number: int) -> None:
        """Asks for the index at which a linearizable read may happen; `reads_ready` tells it, once a majority has confirmed that
        this is still the leader (section 6.4 of Ongaro's thesis; ReadIndex)."""
        if self.term_at(self.commit) != self.term:
            self.reads_early += (number,)
            return
        self.reads[number] = self.commit, frozenset((self.name,))
        self._confirm_reads(number)
        if number in self.reads:
            self.heartbeat(number)

    def _confirm_reads(self, number: int) -> None:
        acks = dict.fromkeys(self.reads[number][1], True)
        if quorum.joint_vote(self.conf.voters, self.conf.outgoing, acks) == quorum.WON:
            for earlier in [known for known in self.reads if known <= number]:
                self.reads_ready[earlier] = self.reads.pop(earlier)[0]

    def _release_reads(self) -> None:
        if self.reads_early and self.term_at(self.commit) == self.term:
            early, self.reads_early = self.reads_early, ()
            for number in early:
                self.read(number)

    def forget_reads(self) -> None:
        """Nobody waits for reads any more."""
        self.reads, self.reads_ready, self.reads_early = {}, {}, ()

    # Handing over.

    def transfer(self, member: str) -> None:
        """Hands leadership to a voter that has the whole log, or as soon as it has (section 3.10 of the thesis)."""
        if self.role != LEADER or member in (self.name, self.transferee) or not self.conf.votes(member):
            return
        self.elapsed, self.transferee = 0, member
        if self.progress[member].match == self.last:
            self.send("MsgTimeoutNow", member)
        else:
            self.send_append(member)

    def quorum_active(self) -> bool:
        """Whether a majority was heard of since this was asked last; starts counting anew."""
        heard = {peer: progress.active or peer == self.name for peer, progress in self.progress.items()}
        for peer, progress in self.progress.items():
            progress.active = peer == self.name
        return quorum.joint_vote(self.conf.voters, self.conf.outgoing, heard) == quorum.WON
