"""etcd as the API server sees it: a cluster of members that agree by Raft on what to store.

A request is proposed to the leader, and the messages that it causes are carried within the same call, until a majority has it and it
is applied, or nobody is left to answer. A slow link counts as latency of the request; over five seconds the request times out,
as in etcd, though what was proposed may still be committed later.

Ticks: heartbeats each 100 ms, elections after 1 to 2 s without one. While every member is up, reachable and caught up, a heartbeat
would change nothing: the clock is parked then, and starts again with the first fault. Nothing that a client could see depends on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from clusterlab.etcd.errors import CompareFailed, EtcdError, no_space, timed_out
from clusterlab.etcd.messages import Message, summary
from clusterlab.etcd.mvcc import Event, KeyValue, Store
from clusterlab.etcd.network import Network
from clusterlab.etcd.raft import LEADER, PRE_CANDIDATE, Raft
from clusterlab.sim import Component, Simulation

__all__ = ["CompareFailed", "Etcd", "EtcdError", "KeyValue"]

Object = dict[str, Any]

TICK_MS = 100
REQUEST_TIMEOUT_MS = 5_000
#: Log entries kept behind the applied index, for followers that fell behind; beyond that they get a snapshot.
KEEP_ENTRIES = 5_000
COMPACT_EVERY = 10_000
#: A request that needs more messages than this will not end.
MAX_MESSAGES = 20_000


class Etcd(Component):
    """The members, their network, and the store that the committed commands add up to."""

    STATE = ("up", "full", "revision_of", "results", "parked", "applied")

    def __init__(self, sim: Simulation, members: Sequence[str]) -> None:
        super().__init__(sim, "etcd")
        self.members: dict[str, Raft] = {name: Raft(name, tuple(members), sim.rng(f"etcd/{name}")) for name in members}
        self.network = Network(sim.rng("etcd/network"))
        self.store = Store()
        self.up: dict[str, bool] = dict.fromkeys(members, True)
        self.full: dict[str, bool] = {}
        self.applied: dict[str, int] = dict.fromkeys(members, 0)
        self.revision_of: dict[str, int] = dict.fromkeys(members, 1)
        self.results: dict[int, Any] = {}  # what newly applied entries answered, until the request takes it
        self.parked = True
        self._highest = 0  # the most that any member has applied
        self._messages: list[tuple[Any, ...]] = []
        self._told: dict[str, Any] = {}

    # Requests.

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self.store.revision

    def put(self, key: str, value: Object, expect: int | None = None, lease: int = 0) -> int:
        """Writes a key; returns the new revision. `expect`: the revision that it must have (0: must not exist)."""
        return self._ask(("put", key, value, expect, lease))

    def delete(self, key: str, expect: int | None = None) -> int:
        """Deletes a key; returns the revision."""
        return self._ask(("delete", key, expect))

    def compact(self, revision: int) -> None:
        """Forgets what was before a revision."""
        self._ask(("compact", revision))

    def get(self, key: str, revision: int = 0) -> KeyValue | None:
        """Reads a key from the leader, once a majority has confirmed that it leads."""
        self._confirm()
        return self.store.get(key, revision)

    def range(
        self, prefix: str, revision: int = 0, limit: int = 0, start_after: str = "", serializable: bool = False
    ) -> tuple[list[KeyValue], bool, int]:
        """Reads the keys with a prefix, in order: (key values, more?, how many more). `serializable`: without asking a majority."""
        if not serializable:
            self._confirm()
        return self.store.range(prefix, revision, limit, start_after)

    def events_since(self, revision: int, prefix: str = "") -> list[Event]:
        """The writes after a revision."""
        return self.store.events_since(revision, prefix)

    def take_messages(self) -> list[tuple[Any, ...]]:
        """The messages since the last call: (type, from, to, summary)."""
        taken, self._messages = self._messages, []
        return taken

    def _ask(self, command: tuple[Any, ...]) -> int:
        leader = self._leader()
        if leader is None:
            raise timed_out()
        if self.full and command[0] == "put" and self.full.get(leader.name):
            raise no_space()
        index = leader.propose(command)
        self._pump(leader)
        if self._highest < index or index not in self.results:
            self._wake()
            raise timed_out()
        result = self.results.pop(index)
        if isinstance(result, EtcdError):
            raise result
        return int(result)

    def _confirm(self) -> None:
        """Linearizable reads: a majority must be able to tell the leader that it still is one (ReadIndex)."""
        leader = self._leader()
        if leader is None:
            raise timed_out()
        if self.network.healthy and all(self.up.values()):
            return
        heard = sum(
            self.up[name] and not self.network.cut(leader.name, name) and self.members[name].term <= leader.term for name in leader.voters
        )
        if heard <= len(leader.voters) // 2:
            raise timed_out()

    def _leader(self) -> Raft | None:
        """The newest leader that is up."""
        best = None
        for name, member in self.members.items():
            if member.role == LEADER and self.up[name] and (best is None or member.term > best.term):
                best = member
        return best

    # Messages.

    def _pump(self, *senders: Raft) -> None:
        """Carries messages until there are none, then applies what was committed."""
        queue: deque[Message] = deque()
        for sender in senders:
            queue.extend(sender.outbox)
            sender.outbox.clear()
        members, up, network, told = self.members, self.up, self.network, self._messages
        fine, carried, late_ms = network.healthy, 0, 0
        while queue:
            message = queue.popleft()
            carried += 1
            if carried > MAX_MESSAGES:
                break
            told.append((message.type, message.frm, message.to, summary(message)))
            to = members.get(message.to)
            if to is None or not up[message.to] or (not fine and network.lost(message.frm, message.to)):
                continue
            if not fine:
                late_ms += network.latency_ms(message.frm, message.to)
                if late_ms > REQUEST_TIMEOUT_MS:
                    break
            to.step(message)
            if to.outbox:
                queue.extend(to.outbox)
                to.outbox.clear()
        if len(told) > 2000:
            del told[:-2000]
        self._apply()

    def _apply(self) -> None:
        for name, member in self.members.items():
            at = self.applied[name]
            if not self.up[name] or at >= member.commit:
                continue
            at = max(at, member.first - 1)  # what is before that came with a snapshot
            for index in range(max(at, self._highest) + 1, member.commit + 1):
                self.results[index] = self._run(member.entries[index - member.first].command)
                self._highest = index
            self.applied[name] = member.commit
            if member.commit == self._highest:
                self.revision_of[name] = self.store.revision
            if member.commit - member.first >= COMPACT_EVERY + KEEP_ENTRIES:
                member.compact(member.commit - KEEP_ENTRIES)
        if len(self.results) > 64:
            self.results = dict(list(self.results.items())[-32:])

    def _run(self, command: tuple[Any, ...]) -> Any:
        """Applies one committed command to the store."""
        if not command:
            return 0
        kind, store = command[0], self.store
        try:
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
            store.compact(command[1])
            return store.revision
        except EtcdError as error:
            return error

    # Time.

    def start(self) -> None:
        """Starts the members of a new cluster; the first one wins the first election at once."""
        first = next(iter(self.members.values()))
        first.campaign(PRE_CANDIDATE)
        self._pump(first)
        for member in self.members.values():
            member.tick()
            self._pump(member)
        self._messages.clear()
        self._tell()

    def _wake(self) -> None:
        """Lets the clock tick again."""
        if self.parked:
            self.parked = False
            self.after(TICK_MS, "tick", idle=True)

    @property
    def quiet(self) -> bool:
        """Every member is up, reachable and caught up: a heartbeat would change nothing."""
        if not self.network.healthy or not all(self.up.values()):
            return False
        leader = self._leader()
        return leader is not None and all(
            m.term == leader.term and m.commit == leader.commit and m.last == leader.last and self.applied[m.name] == leader.commit
            and m.leader == leader.name
            for m in self.members.values()
        )

    def on_tick(self) -> None:
        """Heartbeats and elections."""
        before = {name: (member.role, member.term) for name, member in self.members.items()}
        behind = {name: self.applied[name] for name in self.members}
        for name, member in self.members.items():
            if self.up[name]:
                member.tick()
                if member.outbox:
                    self._pump(member)
        self._tell_elections(before, behind)
        if self.quiet:
            self.parked = True
        else:
            self.after(TICK_MS, "tick", idle=True)

    def _tell_elections(self, before: dict[str, tuple[str, int]], behind: dict[str, int]) -> None:
        """Begins a step when somebody's role changed or somebody caught up."""
        changed = [m for name, m in self.members.items() if before[name] != (m.role, m.term) and self.up[name]]
        caught = [name for name in self.members if self.applied[name] > behind[name]]
        messages = self.take_messages()
        if not changed and not caught:
            return
        leader = next((m for m in changed if m.role == LEADER), None)
        named = leader or (changed[0] if changed else self.members[caught[0]])
        step = self.begin("elect" if changed else "catch up", f"etcd/{named.name}", actor=named.name)
        step.messages = messages
        if leader is not None:
            votes = sum(leader.votes.values())
            step.explain = f"{leader.name} becomes leader in term {leader.term} with {votes} of {len(leader.voters)} votes."
        elif changed:
            step.explain = f"{named.name} has not heard a leader for too long and asks for votes (term {named.term})." \
                if named.role != "follower" else f"{named.name} follows in term {named.term}."
        else:
            step.explain = f"{', '.join(caught)} caught up with the log."
        self._tell()

    # The stage.

    def view(self) -> dict[str, Any]:
        """The cluster as the stage shows it."""
        leader = self._leader()
        members = []
        for name, m in self.members.items():
            members.append({
                "name": name, "role": m.role if self.up[name] else "down", "term": m.term, "last": m.last, "commit": m.commit,
                "applied": self.applied[name], "up": self.up[name], "revision": self.revision_of[name], "full": bool(self.full.get(name)),
            })
        return {
            "leader": leader.name if leader else "", "term": leader.term if leader else max(m.term for m in self.members.values()),
            "revision": self.store.revision, "members": members, "groups": [list(group) for group in self.network.groups],
            "links": [[a, b, latency, loss] for (a, b), (latency, loss) in self.network.links.items()],
        }

    def _tell(self) -> None:
        self.note(**self.view())

    # Faults and their ends.

    def kill(self, member: str) -> None:
        """The process of a member dies; its disk stays."""
        self.up[member] = False
        self._changed()

    def restart(self, member: str, with_disk: bool = True) -> None:
        """A member starts again; without its disk it has forgotten everything and is sent it anew."""
        raft = self.members[member]
        if not with_disk:
            voters = raft.voters
            raft.__init__(member, voters, raft.rng)  # type: ignore[misc]
            self.applied[member], self.revision_of[member] = 0, 0
        raft.restart()
        self.up[member] = True
        self._changed()

    def partition(self, groups: Sequence[Sequence[str]]) -> None:
        """Cuts the network: members hear only those in a group with them; who is in none is alone."""
        named: list[tuple[str, ...]] = [tuple(group) for group in groups]
        rest: list[tuple[str, ...]] = [(name,) for name in self.members if not any(name in group for group in named)]
        self.network.groups = tuple(named + rest)
        self._changed()

    def link(self, a: str, b: str, latency_ms: int = 0, loss: float = 0.0) -> None:
        """Makes the link between two members slow or lossy, both ways."""
        for pair in ((a, b), (b, a)):
            if latency_ms or loss:
                self.network.links[pair] = (latency_ms, loss)
            else:
                self.network.links.pop(pair, None)
        self._changed()

    def heal(self) -> None:
        """Ends partitions and bad links."""
        self.network.groups, self.network.links = (), {}
        self._changed()

    def fill_disk(self, member: str, full: bool = True) -> None:
        """The disk of a member is full: as leader it takes no writes."""
        if full:
            self.full[member] = True
        else:
            self.full.pop(member, None)
        self._changed()

    def _changed(self) -> None:
        self._wake()
        self._tell()

    # State.

    def checkpoint(self) -> dict[str, Any]:
        state = super().checkpoint()
        state["members"] = {name: member.checkpoint() for name, member in self.members.items()}
        state["network"], state["store"], state["highest"] = self.network.checkpoint(), self.store.checkpoint(), self._highest
        return state

    def restore(self, data: dict[str, Any]) -> None:
        for name, state in data["members"].items():
            self.members[name].restore(state)
        self.network.restore(data["network"])
        self.store.restore(data["store"])
        self._highest = data["highest"]
        self._messages = []
        super().restore(data)


