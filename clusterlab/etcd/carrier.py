"""Carries messages between members: at once where the network is well, later where it is slow, not at all where it is cut.

Requests are answered within a step, in which simulated time stands still. A request that has to wait for slow links is carried on
along its own clock, which shows as its latency; what is still under way when it is answered arrives later, when simulated time
gets there. Raft holds under any order of messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from clusterlab.etcd.messages import Message, summary
from clusterlab.etcd.network import Network
from clusterlab.etcd.raft import LEADER, Raft

__all__ = ["Carrier"]

#: More messages than this within one instant will not end.
MAX_MESSAGES = 20_000
#: How often a leader repeats itself within a request whose messages were lost (a heartbeat's interval).
RETRY_MS = 100
#: Messages kept for who looks.
MAX_TOLD = 1_000


class Carrier:
    """The members' mail. `apply` is called when nothing more arrives at an instant; it says whether that caused new messages."""

    def __init__(self, members: dict[str, Raft], up: dict[str, bool], network: Network, apply: Callable[[], bool]) -> None:
        self.members, self.up, self.network, self.apply = members, up, network, apply
        #: Members that joined later, or anew with an empty disk -> the log entry that let them in. Who has not applied that would speak
        #: to somebody else of that name.
        self.joined: dict[str, int] = {}
        self.told: list[tuple[Any, ...]] = []

    @property
    def direct(self) -> bool:
        """Whether messages arrive at once."""
        return not self.network.links and not self.network.groups and not self.network.flight

    def carry(self, now_ms: int) -> None:
        """Carries what the members have to say and what arrives now."""
        if self.direct:
            self._directly()
        else:
            self._until(now_ms, now_ms, lambda: False, None)
        self._trim()

    def request(self, leader: Raft, now_ms: int, timeout_ms: int, done: Callable[[], bool]) -> int:
        """Carries messages until a request is done or times out; returns when that was."""
        if self.direct:
            self._directly()
            ended = now_ms
        else:
            ended = self._until(now_ms, now_ms + timeout_ms, done, leader)
        self._trim()
        return ended

    def _trim(self) -> None:
        if len(self.told) > MAX_TOLD:
            del self.told[: -MAX_TOLD // 2]

    def _directly(self) -> None:
        members, up, told = self.members, self.up, self.told
        queue: deque[Message] = deque()
        carried = 0
        again = True
        while again:
            for member in members.values():
                if member.outbox:
                    queue.extend(member.outbox)
                    member.outbox.clear()
            while queue:
                message = queue.popleft()
                carried += 1
                told.append((message.type, message.frm, message.to, summary(message)))
                name = message.to
                if not up.get(name) or (self.joined and self.stranger(message)):
                    self._failed(message)
                    continue
                to = members[name]
                to.step(message)
                if to.outbox:
                    queue.extend(to.outbox)
                    to.outbox.clear()
            again = self.apply() and carried < MAX_MESSAGES

    def _until(self, now_ms: int, deadline_ms: int, done: Callable[[], bool], leader: Raft | None) -> int:
        """Goes from arrival to arrival, repeating the leader's part where everything was lost."""
        network, retry_ms, carried = self.network, now_ms + RETRY_MS, 0
        while carried < MAX_MESSAGES:
            self._send(now_ms)
            due = network.next_ms()
            if due is not None and due <= now_ms:
                carried += 1
                self._deliver(network.arrive())
                continue
            if self.apply():
                continue
            if done():
                return now_ms
            wake = retry_ms if leader is not None and self._hopeful(leader) else None
            later = min((at for at in (due, wake) if at is not None), default=None)
            if later is None or later > deadline_ms:
                return deadline_ms
            now_ms = later
            if leader is not None and leader.role == LEADER and now_ms >= retry_ms:
                retry_ms = now_ms + RETRY_MS
                leader.repeat()
        return now_ms

    def _hopeful(self, leader: Raft) -> bool:
        """Whether a leader could still reach enough others."""
        conf, reaches = leader.conf, self.network.reaches
        reached = {name for name in conf.members if name == leader.name or (self.up.get(name) and reaches(leader.name, name))}
        return leader.role == LEADER and all(
            sum(name in reached for name in half) > len(half) // 2 for half in (conf.voters, conf.outgoing) if half
        )

    def _send(self, now_ms: int) -> None:
        network = self.network
        for member in self.members.values():
            if not member.outbox:
                continue
            outbox, member.outbox = member.outbox, []
            for message in outbox:
                what = summary(message)
                if network.cut(message.frm, message.to) or not self.up.get(message.to) or self.stranger(message):
                    self.told.append((message.type, message.frm, message.to, what))
                    self._failed(message)
                elif network.dropped(message.frm, message.to):
                    self.told.append((message.type, message.frm, message.to, what + ", lost"))
                    if message.type == "MsgSnap":
                        self._failed(message)
                else:
                    late_ms = network.send(message, now_ms)
                    self.told.append((message.type, message.frm, message.to, f"{what}, {late_ms} ms late" if late_ms else what))

    def stranger(self, message: Message) -> bool:
        """Whether the sender means an earlier member of that name. Answers go to whoever asked."""
        if message.type.endswith("Resp"):
            return False
        sender = self.members.get(message.frm)
        return sender is not None and sender.applied < self.joined.get(message.to, 0)

    def _deliver(self, message: Message) -> None:
        to = self.members.get(message.to)
        if to is None or not self.up.get(message.to) or self.network.cut(message.frm, message.to):
            self._failed(message)
            return
        to.step(message)
        if message.type == "MsgSnap":
            sender = self.members.get(message.frm)
            if sender is not None:
                sender.snapshot_arrived(message.to)

    def _failed(self, message: Message) -> None:
        """Tells the sender that its peer cannot be reached, as a broken connection would."""
        sender = self.members.get(message.frm)
        if sender is not None and self.up.get(message.frm):
            if message.type == "MsgSnap":
                sender.snapshot_lost(message.to)
            else:
                sender.unreachable(message.to)
