"""Watches: who is told of which change, and the recent past for those who come late.

Follows staging/src/k8s.io/apiserver/pkg/storage/cacher (cacher.go, watch_cache.go). Two kinds of watchers: processes of the
model, whose streams are delivered by an event of the simulation WATCH_LATENCY_MS after the first change, and watches opened over
HTTP, which are told at once. Watches are indexed by resource and by the field value that they select, so that a change costs
what its watchers cost and no more.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from clusterlab.client.api import WATCH_LATENCY_MS, WatchEvent
from clusterlab.machinery.errors import expired

if TYPE_CHECKING:
    from clusterlab.apiserver.external_watch import ExternalWatch
    from clusterlab.apiserver.storage import Write
    from clusterlab.sim import Simulation

Object = dict[str, Any]
Field = tuple[str, str]
Target = tuple[int, str]  # watch number, process

__all__ = ["LOG_LENGTH", "WatchCache"]

#: How many changes of a resource are kept for watches that start in the past.
LOG_LENGTH = 4096


class WatchCache:
    """The open watches, their streams, and the recent changes of every resource."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.watches: dict[int, tuple[str, str, Field | None]] = {}  # number -> (process, resource, field)
        self.streams: dict[str, list[WatchEvent]] = {}
        self.last_number = 0
        self.external: dict[str, list[ExternalWatch]] = {}
        self._following: dict[str, list[ExternalWatch]] = {}  # by the resource that implies what they watch
        self._all: dict[str, list[Target]] = {}
        self._by_field: dict[str, dict[str, dict[str, list[Target]]]] = {}  # resource -> field -> value -> watches
        self._logs: dict[str, deque[Write]] = {}
        self._since: dict[str, int] = {}  # resource -> revision up to which its log has forgotten
        self._floor = 0  # the same for all resources

    # Watches of processes.

    def open(self, process: str, label: str, field: Field | None) -> int:
        """Opens a watch from now on; returns its number."""
        number = self.last_number = self.last_number + 1
        self.watches[number] = (process, label, field)
        self._index(number, process, label, field)
        return number

    def _index(self, number: int, process: str, label: str, field: Field | None) -> None:
        if field is None:
            self._all.setdefault(label, []).append((number, process))
        else:
            values = self._by_field.setdefault(label, {}).setdefault(field[0], {})
            values.setdefault(field[1], []).append((number, process))

    def close(self, process: str) -> None:
        """Closes all watches of a process."""
        mine = [number for number, watch in self.watches.items() if watch[0] == process]
        if mine:
            for number in mine:
                del self.watches[number]
            self.reindex()
        self.streams.pop(process, None)

    def close_all(self) -> list[str]:
        """Closes every watch; returns the processes that had one, in the order in which they came."""
        processes = list(dict.fromkeys(watch[0] for watch in self.watches.values()))
        self.watches, self.streams = {}, {}
        self.reindex()
        self.close_external()
        return processes

    def reindex(self) -> None:
        """Rebuilds what is derived from the list of watches."""
        self._all, self._by_field = {}, {}
        for number, (process, label, field) in self.watches.items():
            self._index(number, process, label, field)

    def drain(self, process: str) -> list[WatchEvent]:
        return self.streams.pop(process, [])

    # Watches over HTTP.

    def add_external(self, watch: ExternalWatch) -> None:
        self.external.setdefault(watch.bucket.label, []).append(watch)
        if watch.source is not None:
            self._following.setdefault(watch.source[0].label, []).append(watch)

    def remove_external(self, watch: ExternalWatch) -> None:
        watches = self.external.get(watch.bucket.label)
        if watches and watch in watches:
            watches.remove(watch)
            if watch.source is not None:
                self._following[watch.source[0].label].remove(watch)

    def close_external(self) -> None:
        """Ends every watch over HTTP; its client lists and watches again."""
        for watches in list(self.external.values()):
            for watch in list(watches):
                watch.close()

    # The past.

    def forget_before(self, revision: int) -> None:
        """Forgets changes up to a revision, as after a compaction or a restore."""
        self._floor = max(self._floor, revision)
        for log in self._logs.values():
            while log and log[0].revision <= revision:
                log.popleft()

    def restart(self, revision: int) -> None:
        """Begins anew at a revision: nothing before or after it is known."""
        self._logs, self._since, self._floor = {}, {}, revision

    def since(self, label: str, revision: int) -> list[Write]:
        """The changes after a revision; raises Expired where they are no longer known."""
        oldest = max(self._floor, self._since.get(label, 0))
        if revision < oldest:
            raise expired(f"too old resource version: {revision} ({oldest})")
        return [write for write in self._logs.get(label, ()) if write.revision > revision]

    # Telling.

    def tell(self, write: Write) -> int:
        """Tells every watcher that a change concerns; returns how many there are."""
        label = write.bucket.label
        log = self._logs.get(label)
        if log is None:
            log = self._logs[label] = deque()
        elif len(log) >= LOG_LENGTH:
            self._since[label] = log.popleft().revision
        log.append(write)
        told = 0
        targets = self._all.get(label)
        if targets:
            kind = "ADDED" if write.old is None else "DELETED" if write.new is None else "MODIFIED"
            self._send(targets, kind, write)
            told = len(targets)
        fields = self._by_field.get(label)
        if fields:
            for path, values in fields.items():
                told += self._tell_by_field(path, values, write)
        external = self.external.get(label)
        if external:
            for watch in list(external):
                told += watch.offer(write)
        if self._following:
            for watch in list(self._following.get(label, ())):
                told += watch.follow(write)
        return told

    def _tell_by_field(self, path: str, values: dict[str, list[Target]], write: Write) -> int:
        before = _read(write.old, path) if write.old is not None else None
        after = _read(write.new, path) if write.new is not None else None
        if before == after:
            targets = values.get(after or "")
            if targets:
                self._send(targets, "MODIFIED", write)
                return len(targets)
            return 0
        told = 0
        for value, kind in ((before, "DELETED"), (after, "ADDED")):
            targets = values.get(value) if value is not None else None
            if targets:
                self._send(targets, kind, write)
                told += len(targets)
        return told

    def _send(self, targets: list[Target], kind: str, write: Write) -> None:
        streams, sim, because = self.streams, self.sim, self.sim.cause
        key, obj, revision = write.key, write.last, write.revision
        for number, process in targets:
            event = WatchEvent(number, kind, key, obj, revision, because)
            stream = streams.get(process)
            if stream is None:
                streams[process] = [event]
                sim.after(WATCH_LATENCY_MS, process, "deliver")
            else:
                stream.append(event)

    # State.

    def checkpoint(self) -> tuple[dict[int, tuple[str, str, Field | None]], dict[str, list[WatchEvent]], int]:
        return dict(self.watches), {name: list(stream) for name, stream in self.streams.items()}, self.last_number

    def restore(self, data: tuple[Any, Any, int]) -> None:
        self.watches = {int(number): (w[0], w[1], tuple(w[2]) if w[2] else None) for number, w in data[0].items()}
        self.streams = {name: [WatchEvent(*event) for event in stream] for name, stream in data[1].items()}
        self.last_number = data[2]
        self.reindex()


def _read(obj: Object, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        if not isinstance(value, dict):
            return ""
        value = value.get(part)
    return value if isinstance(value, str) else "" if value is None else str(value)
