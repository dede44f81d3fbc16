"""Multi-version storage: what the committed commands add up to, at every revision that is not compacted.

Follows etcd's server/storage/mvcc. All members apply the same commands in the same order, so one store serves them all: a member
that has applied less than another reads at its own, older revision. Values are objects, held by reference.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import Any, NamedTuple

from clusterlab.etcd.errors import compacted, future_revision

Object = dict[str, Any]

__all__ = ["Event", "KeyValue", "Store"]


class KeyValue(NamedTuple):
    """A key at one revision. `version` counts writes since it was created."""

    key: str
    value: Object
    create_revision: int
    mod_revision: int
    version: int
    lease: int


class Event(NamedTuple):
    """A write: what the key held before and holds after (None: nothing)."""

    revision: int
    key: str
    before: KeyValue | None
    after: KeyValue | None


class Store:
    """Keys with revisions. A fresh store stands at revision 1."""

    def __init__(self) -> None:
        self.revision = 1
        self.compacted = 0
        self.current: dict[str, KeyValue] = {}
        self.events: list[Event] = []  # all since `compacted`; only grows, replaced when compacted
        self._keys: list[str] | None = []

    # Writing.

    def put(self, key: str, value: Object, lease: int) -> int:
        """Writes a key; returns the new revision."""
        revision = self.revision = self.revision + 1
        old = self.current.get(key)
        if old is None:
            new = KeyValue(key, value, revision, revision, 1, lease)
            if self._keys is not None:
                insort(self._keys, key)
        else:
            new = KeyValue(key, value, old.create_revision, revision, old.version + 1, lease)
        self.current[key] = new
        self.events.append(Event(revision, key, old, new))
        return revision

    def delete(self, keys: list[str]) -> int:
        """Deletes keys, all at one revision; returns the revision (unchanged when none was there)."""
        there = [key for key in keys if key in self.current]
        if there:
            self.revision += 1
            for key in there:
                self.events.append(Event(self.revision, key, self.current.pop(key), None))
                if self._keys is not None:
                    del self._keys[bisect_left(self._keys, key)]
        return self.revision

    def compact(self, revision: int) -> None:
        """Forgets what was before `revision`."""
        if revision > self.revision:
            raise future_revision()
        if revision <= self.compacted:
            raise compacted()
        self.compacted = revision
        self.events = self.events[self._after(revision) :]

    # Reading.

    def get(self, key: str, revision: int = 0) -> KeyValue | None:
        """A key as it was at a revision (0: now)."""
        found = self.current.get(key)
        if 0 < revision < self.revision:
            self._check(revision)
            for event in reversed(self.events[self._after(revision) :]):
                if event.key == key:
                    found = event.before
        return found

    def range(self, prefix: str, revision: int = 0, limit: int = 0, start_after: str = "") -> tuple[list[KeyValue], bool, int]:
        """The keys with a prefix, in order: (key values, whether there are more, how many more)."""
        if 0 < revision < self.revision:
            at = self._at(revision)
            keys = sorted(key for key in at if key.startswith(prefix) and key > start_after)
            shown = keys[:limit] if limit else keys
            return [at[key] for key in shown], len(shown) < len(keys), len(keys) - len(shown)
        if self._keys is None:
            self._keys = sorted(self.current)
        keys = self._keys
        begin = bisect_right(keys, start_after) if start_after else bisect_left(keys, prefix)
        end = bisect_left(keys, prefix + "\U0010ffff")
        last = min(end, begin + limit) if limit else end
        current = self.current
        return [current[key] for key in keys[begin:last]], last < end, end - last

    def events_since(self, revision: int, prefix: str = "") -> list[Event]:
        """The writes after a revision. Raises EtcdError when they are compacted."""
        if revision < self.compacted:
            raise compacted()
        events = self.events[self._after(revision) :]
        return [event for event in events if event.key.startswith(prefix)] if prefix else events

    def _check(self, revision: int) -> None:
        if revision < self.compacted:
            raise compacted()

    def _after(self, revision: int) -> int:
        return bisect_right(self.events, revision, key=lambda event: event.revision)

    def _at(self, revision: int) -> dict[str, KeyValue]:
        self._check(revision)
        at = dict(self.current)
        for event in reversed(self.events[self._after(revision) :]):
            if event.before is None:
                at.pop(event.key, None)
            else:
                at[event.key] = event.before
        return at

    # State as plain data; the list of events is shared.

    def checkpoint(self) -> tuple[Any, ...]:
        return self.revision, self.compacted, self.current.copy(), self.events, len(self.events)

    def restore(self, data: tuple[Any, ...]) -> None:
        self.revision, self.compacted, current, events, length = data
        self.current = current.copy()
        self.events = events[:length]
        self._keys = None
