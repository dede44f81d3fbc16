"""Requests to etcd: proposed to the leader, committed by a majority, applied to the store.

A request is proposed to the leader, and the messages that it causes are carried within the same call, until a majority has it and it
is applied. Slow links show as latency of the request (`took_ms`); over five seconds the request times out, as in etcd, though what
was proposed may still be committed later.

All members apply the same commands in the same order, so one store serves them all: a command takes effect when the first member
applies it, and every member is somewhere on the same line of revisions.

Ticks: heartbeats each 100 ms, elections after 1 to 2 s without one. While every member is up, reachable and caught up, a heartbeat
would change nothing: the clock is parked then, and starts again with the first fault. Nothing that a client could see depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from clusterlab.etcd import view
from clusterlab.etcd.carrier import Carrier
from clusterlab.etcd.confchange import Change, Config
from clusterlab.etcd.errors import CompareFailed, EtcdError, no_space, timed_out, timed_out_disconnected
from clusterlab.etcd.messages import Entry
from clusterlab.etcd.mvcc import Compare, Event, KeyValue, Op, Store
from clusterlab.etcd.network import Network
from clusterlab.etcd.quorum import WON, joint_vote
from clusterlab.etcd.raft import LEADER, Raft
from clusterlab.sim import Component, Simulation

__all__ = ["Core"]

Object = dict[str, Any]

TICK_MS = 100
REQUEST_TIMEOUT_MS = 5_000
#: Log entries kept behind the applied index, for followers that fell behind; beyond that they get a snapshot.
KEEP_ENTRIES = 5_000
COMPACT_EVERY = 10_000
#: How often the stage is told how far the members are, in log entries.
TELL_EVERY = 25
#: Revisions remembered for members that are behind.
MAX_MARKS = 256


class Core(Component):
    """The members, their network, and the store that the committed commands add up to."""

    STATE = (
        "up", "full", "parked", "highest", "marks", "alarms", "ids", "incarnation", "replacing", "behind", "defragmented", "cluster_id",
        "lease_due", "lease_event", "delivery_ms", "number", "token", "told",
    )

    def __init__(self, sim: Simulation, members: Sequence[str]) -> None:
        super().__init__(sim, "etcd")
        self.members: dict[str, Raft] = {}
        self.network = Network(sim.rng("etcd/network"))
        self.store = Store()
        self.up: dict[str, bool] = {}
        self.full: dict[str, bool] = {}
        self.carrier = Carrier(self.members, self.up, self.network, self._apply)
        self.parked = True
        self.highest = 0  # the most that any member has applied
        self.marks: tuple[tuple[int, int], ...] = ()  # (applied, revision) lately, while somebody may be behind
        self.alarms: dict[str, str] = {}  # member -> NOSPACE
        self.ids: dict[str, int] = {}
        self.incarnation: dict[str, int] = {}  # how often a member has begun with an empty disk
        self.replacing: dict[str, str] = {}  # members that lost their disk -> what is to be done next
        self.behind: dict[str, bool] = {}  # members of whom it is told when they have caught up
        self.defragmented: dict[str, int] = {}
        self.lease_due: dict[int, int] = {}  # when the leader lets leases expire
        self.lease_event = 0  # handle of the event that does it
        self.delivery_ms = -1  # when the next delivery is due
        self.number = 0  # of reads
        self.token = "etcd-cluster"
        self.took_ms = 0  # how long the last request waited for slow links
        self._wanted = (0, 0)  # index and term of the entry that the open request waits for
        self._answer: Any = None
        self.told: dict[str, Any] = {}  # what the stage knows
        self.listener = ""  # the component that is told when keys go by themselves (`on_keys_gone`)
        self.cluster_id = 0
        self.found(members)

    def found(self, members: Sequence[str]) -> None:
        """Makes the members of a new cluster, each with the same first entries: who belongs to it."""
        self.members.clear()
        self.network.flight = []
        self.carrier.joined = {}
        entries = [Entry(1, ("conf", (("voter", name),), "simple")) for name in members]
        for name in members:
            raft = self.new_member(name, Config(tuple(members)))
            raft.entries = list(entries)
            raft.term, raft.commit, raft.applied = 1, len(entries), len(entries)
        self.highest, self.marks = len(entries), ()
        self.cluster_id = self.identify("cluster", *members)

    def new_member(self, name: str, conf: Config) -> Raft:
        raft = self.members[name] = Raft(name, conf, self.sim.rng(f"etcd/{name}"))
        self.up[name] = True
        count = self.incarnation[name] = self.incarnation.get(name, 0) + 1
        self.ids[name] = self.identify(name, str(count))
        self.defragmented.pop(name, None)
        return raft

    def identify(self, *parts: str) -> int:
        """The 64-bit ID of a member or of the cluster."""
        return int.from_bytes(blake2b("/".join((self.token, *parts)).encode(), digest_size=8).digest(), "big")

    @property
    def applied(self) -> dict[str, int]:
        """How far each member has applied the log."""
        return {name: member.applied for name, member in self.members.items()}

    # Requests.

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self.store.revision

    @property
    def current(self) -> Mapping[str, KeyValue]:
        """Every key as it is now, the oldest first. To be read at once: it changes."""
        return self.store.current

    def put(self, key: str, value: Object, expect: int | None = None, lease: int = 0) -> int:
        """Writes a key; returns the new revision. `expect`: the revision that it must have (0: must not exist)."""
        return int(self.ask(("put", key, value, expect, lease)))

    def delete(self, key: str, expect: int | None = None) -> int:
        """Deletes a key; returns the revision."""
        return int(self.ask(("delete", key, expect)))

    def txn(self, compares: Sequence[Compare], success: Sequence[Op], failure: Sequence[Op] = ()) -> tuple[bool, int, list[Any]]:
        """Does `success` where all comparisons hold, else `failure`, at one revision; returns (whether they held, the revision, what
        each operation answered)."""
        held, revision, answers = self.ask(("txn", tuple(compares), tuple(success), tuple(failure)))
        return held, revision, list(answers)

    def compact(self, revision: int) -> None:
        """Forgets what was before a revision."""
        self.ask(("compact", revision))

    def get(self, key: str, revision: int = 0) -> KeyValue | None:
        """Reads a key from the leader, once a majority has confirmed that it leads."""
        self.confirm()
        return self.store.get(key, revision)

    def range(
        self, prefix: str, revision: int = 0, limit: int = 0, start_after: str = "", serializable: bool = False
    ) -> tuple[list[KeyValue], bool, int]:
        """Reads the keys with a prefix, in order: (key values, more?, how many more). `serializable`: without asking a majority."""
        if not serializable:
            self.confirm()
        return self.store.range(prefix, revision, limit, start_after)

    def events_since(self, revision: int, prefix: str = "") -> list[Event]:
        """The writes after a revision."""
        return self.store.events_since(revision, prefix)

    def take_messages(self) -> list[tuple[Any, ...]]:
        """The messages since the last call: (type, from, to, summary)."""
        taken, self.carrier.told = self.carrier.told, []
        return taken

    def ask(self, command: tuple[Any, ...]) -> Any:
        """Proposes a command and returns what it answered once it is committed and applied. Raises EtcdError."""
        leader = self.leader()
        if leader is None:
            raise timed_out()
        if self.full or self.alarms:
            self._check_space(leader, command)
        index = leader.propose(command)
        if not index:
            raise timed_out()  # it hands over to another one
        self._wanted, self._answer = (index, leader.term), None
        now_ms = self.sim.time_ms
        self.took_ms = self.carrier.request(leader, now_ms, REQUEST_TIMEOUT_MS, self._is_answered) - now_ms
        answer, self._answer, self._wanted = self._answer, None, (0, 0)
        if self.network.flight:
            self.deliver_later()
        if answer is None:
            self.wake()
            raise timed_out() if self._hears_majority(leader) else timed_out_disconnected()
        if index % TELL_EVERY == 0:
            self.tell()
        if isinstance(answer, EtcdError):
            raise answer
        return answer

    def _is_answered(self) -> bool:
        return self._answer is not None

    def confirm(self) -> None:
        """Linearizable reads: makes sure that the leader still is one, and has applied what was committed before. Raises EtcdError.

        Reads must leave no trace, so this asks what ReadIndex (see `read_index`) would find out, and sends nothing: a member that can
        be reached and knows of no newer term would confirm. Lost messages are repeated and cost nothing but time."""
        if self.parked:
            return  # everyone is up, reachable and agrees
        leader = self.leader()
        if leader is None:
            raise timed_out()
        if leader.term_at(leader.commit) != leader.term or leader.applied < leader.commit:
            raise timed_out()
        if not self._would_confirm(leader):
            raise timed_out_disconnected()

    def _would_confirm(self, leader: Raft) -> bool:
        votes = {
            name: name == leader.name or (
                self.up.get(name, False) and self.members[name].term <= leader.term and self.network.reaches(leader.name, name)
            ) for name in leader.conf.members
        }
        return joint_vote(leader.conf.voters, leader.conf.outgoing, votes) == WON

    def reads_from(self, member: str) -> bool:
        """Whether a linearizable read through a member would be answered: it reaches a leader that still is one."""
        leader = self.leader()
        return leader is not None and self._would_confirm(leader) and (member == leader.name or self.network.reaches(member, leader.name))

    def latency_of(self, member: str) -> int:
        """How late a member hears the leader, in milliseconds."""
        leader = self.leader()
        return self.network.latency_ms(leader.name, member) if leader else 0

    def read_index(self) -> int:
        """Confirms with real heartbeats that the leader leads (a command, as it leaves traces); returns the index at which the store
        may be read. Raises EtcdError."""
        leader = self.leader()
        if leader is None:
            raise timed_out()
        self.number += 1
        number, now_ms = self.number, self.sim.time_ms
        leader.read(number)

        def done() -> bool:
            return leader.applied >= leader.reads_ready.get(number, 1 << 62)

        self.took_ms = self.carrier.request(leader, now_ms, REQUEST_TIMEOUT_MS, done) - now_ms
        index = leader.reads_ready.get(number, 0) if done() else 0
        leader.forget_reads()
        if self.network.flight:
            self.deliver_later()
        if not index:
            raise timed_out() if self._hears_majority(leader) else timed_out_disconnected()
        return index

    def leader(self) -> Raft | None:
        """The newest leader that is up."""
        best = None
        up = self.up
        for name, member in self.members.items():
            if member.role == LEADER and up[name] and (best is None or member.term > best.term):
                best = member
        return best

    @property
    def electing(self) -> bool:
        """Nobody leads a majority, though one is there: an election is due."""
        leader = self.leader()
        if leader is not None and self._hears_majority(leader):
            return False
        reaches = self.network.reaches
        there = [member for name, member in self.members.items() if self.up[name] and member.conf.votes(name)]
        return any(
            all(
                sum(other.name in half and (other is member or reaches(member.name, other.name)) for other in there) > len(half) // 2
                for half in (member.conf.voters, member.conf.outgoing) if half
            ) for member in there
        )

    def _hears_majority(self, leader: Raft) -> bool:
        heard = sum(self.up.get(name, False) and self.network.reaches(leader.name, name) for name in leader.voters if name != leader.name)
        return heard + (leader.name in leader.voters) > len(leader.voters) // 2

    def _run_more(self, command: tuple[Any, ...]) -> Any:
        """Applies a command that is not about keys."""
        raise ValueError(f"unknown command {command[0]}")

    def _conf_applied(self, index: int, changes: tuple[Change, ...]) -> None:
        """The first member applies a change of members."""

    # Space.

    def _check_space(self, leader: Raft, command: tuple[Any, ...]) -> None:
        """A member whose disk is full raises an alarm instead of writing more; with an alarm nobody writes."""
        if not _grows(command):
            return
        if not self.alarms:
            member = next((name for name in self.full if self.up.get(name) and name in leader.conf.members), "")
            if not member:
                return
            self.ask(("alarm", "activate", member))
        raise no_space()

    def _run_alarm(self, command: tuple[Any, ...]) -> Any:
        _, action, member = command
        if action == "activate":
            self.alarms = {**self.alarms, member: "NOSPACE"}
        else:
            self.alarms = {name: kept for name, kept in self.alarms.items() if member not in ("", name)}
        return self.store.revision

    def db_size(self, member: str) -> int:
        """How large a member's database file is: what compaction frees stays in the file until it is defragmented."""
        used = self.store.bytes_in_use()
        writes = max(1, len(self.store.events) + len(self.store.current))
        freed = self.store.forgotten - self.defragmented.get(member, 0)
        return used + freed * (used // writes)

    def defragment(self, member: str) -> None:
        """Gives a member's free space back to its disk."""
        self.defragmented[member] = self.store.forgotten
        self.tell()

    def disarm(self, member: str = "") -> None:
        """Takes back alarms (of all members). A disk that is still full raises it again with the next write."""
        self.ask(("alarm", "deactivate", member))
        self.tell()

    # Applying.

    def _apply(self) -> bool:
        """Applies what is committed; returns whether that gave somebody something to say."""
        said = False
        for name, member in self.members.items():
            if member.applied < member.commit and self.up[name]:
                self._apply_member(member)
                said = said or bool(member.outbox)
        return said

    def _apply_member(self, member: Raft) -> None:
        commit, entries, first = member.commit, member.entries, member.first
        for index in range(member.applied + 1, commit + 1):
            term, command = entries[index - first]
            if command and command[0] == "conf":
                error = member.apply_conf(command[1], command[2])
                answer: Any = EtcdError("FailedPrecondition", f"etcdserver: {error}") if error else self.store.revision
            elif index > self.highest:
                answer = self._run(command) if command else 0
            else:
                continue
            if index > self.highest:
                if command and command[0] == "conf":
                    self._conf_applied(index, command[1])
                self.highest = index
                if not self.parked:
                    self._mark(index)
            if self._wanted == (index, term):
                self._answer = answer
        member.apply_to(commit)
        if commit - first >= COMPACT_EVERY + KEEP_ENTRIES:
            member.forget(commit - KEEP_ENTRIES)

    def _run(self, command: tuple[Any, ...]) -> Any:
        """Applies one committed command to the store."""
        kind, store = command[0], self.store
        try:
            if self.alarms and _grows(command):
                return no_space()
            if kind == "put":
                _, key, value, expect, lease = command
                if expect is not None:
                    old = store.current.get(key)
                    if (old.mod_revision if old else 0) != expect:
                        return CompareFailed(old)
                return store.put(key, value, lease)
            if kind == "delete":
                _, key, expect = command
                old = store.current.get(key)
                if expect is not None and (old.mod_revision if old else 0) != expect:
                    return CompareFailed(old)
                return store.delete([key])
            if kind == "txn":
                return store.txn(command[1], command[2], command[3])
            if kind == "compact":
                store.compact(command[1])
                return store.revision
            if kind == "alarm":
                return self._run_alarm(command)
            return self._run_more(command)
        except EtcdError as error:
            return error

    def _mark(self, index: int) -> None:
        """Remembers at which revision the log was, for members that have not got there."""
        self.marks = (*self.marks, (index, self.store.revision))
        if len(self.marks) > MAX_MARKS:
            needed = {max((at for at, _ in self.marks if at <= applied), default=0) for applied in self.applied.values()}
            recent = len(self.marks) - MAX_MARKS // 2
            self.marks = tuple(mark for i, mark in enumerate(self.marks) if i >= recent or mark[0] in needed)

    def revision_at(self, member: str) -> int:
        """The revision that a member has got to."""
        applied = self.members[member].applied
        if applied >= self.highest:
            return self.store.revision
        return next((revision for index, revision in reversed(self.marks) if index <= applied), 1)

    @property
    def revision_of(self) -> dict[str, int]:
        """The revision that each member has got to."""
        return {name: self.revision_at(name) for name in self.members}

    def wake(self) -> None:
        """Lets the clock tick again."""
        if self.parked:
            self.parked = False
            self.marks = ((self.highest, self.store.revision),)
            self.after(TICK_MS, "tick", idle=True)

    def deliver_later(self) -> None:
        """Sees to it that messages on their way arrive."""
        due = self.network.next_ms()
        if due is not None and (self.delivery_ms < 0 or due < self.delivery_ms):
            self.delivery_ms = due
            self.after(due - self.sim.time_ms, "deliver", idle=True)

    # The stage.

    def view(self) -> dict[str, Any]:
        """The cluster as the stage shows it."""
        return view.of(self)

    def tell(self) -> None:
        """Tells the stage what is different since it was told last."""
        now = view.of(self)
        told, self.told = self.told, now
        changed = {key: value for key, value in now.items() if told.get(key) != value}
        if changed:
            self.note(**changed)



def _grows(command: tuple[Any, ...]) -> bool:
    """Whether a command may make the database larger."""
    kind = command[0] if command else ""
    return kind == "put" or (kind == "txn" and any(op[0] == "put" for op in (*command[2], *command[3])))
