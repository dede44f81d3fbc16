"""Multi-version storage: what the committed commands add up to, at every revision that is not compacted.

Follows etcd's server/storage/mvcc. All members apply the same commands in the same order, so one store serves them all: a member
that has applied less than another reads at its own, older revision. Values are objects, held by reference.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import Any, NamedTuple

import orjson

from clusterlab.etcd.errors import EtcdError, compacted, future_revision, refused

Object = dict[str, Any]
#: ("version" | "create" | "mod" | "lease" | "value", key, "=" | "!=" | "<" | ">", what it is compared with)
Compare = tuple[str, str, str, Any]
#: ("put", key, value, lease), ("delete", key), ("delete-prefix", prefix), ("get", key) or ("range", prefix)
Op = tuple[Any, ...]

__all__ = ["Compare", "Event", "KeyValue", "Lease", "Op", "Store"]

#: What a key costs on disk besides its value, roughly: page overhead, both indexes, the revision.
KEY_OVERHEAD_BYTES = 64
#: An empty database file.
EMPTY_BYTES = 20_480


class KeyValue(NamedTuple):
    """A key at one revision. `version` counts writes since it was created."""

    key: str
    value: Object
    create_revision: int
    mod_revision: int
    version: int
    lease: int


class Lease(NamedTuple):
    """Keys that hang on a lease are deleted when it ends."""

    id: int
    ttl_s: int


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
        self.leases: dict[int, Lease] = {}
        self.forgotten = 0  # writes that compaction has dropped
        self._keys: list[str] | None = []
        self._measured = ((-1, -1), 0)  # (revision, compacted) -> bytes in use then

    # Writing.

    def put(self, key: str, value: Object, lease: int) -> int:
        """Writes a key; returns the new revision."""
        if lease and lease not in self.leases:
            raise refused("requested lease not found")
        revision = self.revision = self.revision + 1
        self._put_at(revision, key, value, lease)
        return revision

    def _put_at(self, revision: int, key: str, value: Object, lease: int) -> None:
        old = self.current.get(key)
        if old is None:
            new = KeyValue(key, value, revision, revision, 1, lease)
            if self._keys is not None:
                insort(self._keys, key)
        else:
            new = KeyValue(key, value, old.create_revision, revision, old.version + 1, lease)
        self.current[key] = new
        self.events.append(Event(revision, key, old, new))

    def delete(self, keys: list[str]) -> int:
        """Deletes keys, all at one revision; returns the revision (unchanged when none was there)."""
        there = [key for key in keys if key in self.current]
        if there:
            self.revision += 1
            self._delete_at(self.revision, there)
        return self.revision

    def _delete_at(self, revision: int, keys: list[str]) -> None:
        for key in keys:
            self.events.append(Event(revision, key, self.current.pop(key), None))
            if self._keys is not None:
                del self._keys[bisect_left(self._keys, key)]

    def txn(self, compares: tuple[Compare, ...], success: tuple[Op, ...], failure: tuple[Op, ...]) -> tuple[bool, int, tuple[Any, ...]]:
        """Does one of two lists of operations, at one revision; returns (whether the comparisons held, the revision, the answers: the
        revision of a put, the count of keys deleted, what was read)."""
        held = all(self._holds(compare) for compare in compares)
        ops = success if held else failure
        self._check_txn(ops)
        revision, before, answers = self.revision + 1, len(self.events), []
        for op in ops:
            answers.append(self._do(op, revision))
            if len(self.events) > before:
                self.revision = revision
        return held, self.revision, tuple(answers)

    def _check_txn(self, ops: tuple[Op, ...]) -> None:
        put = [op[1] for op in ops if op[0] == "put"]
        deleted = [op for op in ops if op[0] in ("delete", "delete-prefix")]
        twice = len(set(put)) < len(put) or any(
            key == op[1] if op[0] == "delete" else key.startswith(op[1]) for op in deleted for key in put
        )
        if twice:
            raise EtcdError("InvalidArgument", "etcdserver: duplicate key given in txn request")
        if any(op[0] == "put" and op[3] and op[3] not in self.leases for op in ops):
            raise refused("requested lease not found")

    def _do(self, op: Op, revision: int) -> Any:
        kind, key = op[0], op[1]
        if kind == "put":
            self._put_at(revision, key, op[2], op[3])
            return revision
        if kind == "get":
            return self.current.get(key)
        keys = [key] if kind == "delete" else [kv.key for kv in self.range(key)[0]]
        if kind == "range":
            return tuple(self.current[name] for name in keys)
        there = [name for name in keys if name in self.current]
        self._delete_at(revision, there)
        return len(there)

    def _holds(self, compare: Compare) -> bool:
        target, key, relation, wanted = compare
        kv = self.current.get(key)
        if target == "value":
            if kv is None:
                return False  # a value that is not there is neither equal nor different
            have: Any = orjson.dumps(kv.value)
            wanted = orjson.dumps(wanted)
        else:
            names = {"version": "version", "create": "create_revision", "mod": "mod_revision", "lease": "lease"}
            have = getattr(kv, names[target]) if kv else 0
        if relation == "=":
            return bool(have == wanted)
        if relation == "!=":
            return bool(have != wanted)
        return bool(have < wanted) if relation == "<" else bool(have > wanted)

    # Leases.

    def grant(self, lease: int, ttl_s: int) -> int:
        """Makes a lease; returns the revision, which stays."""
        if lease in self.leases:
            raise refused("lease already exists")
        self.leases[lease] = Lease(lease, ttl_s)
        return self.revision

    def revoke(self, lease: int) -> int:
        """Ends a lease and deletes its keys, all at one revision; returns the revision."""
        if lease not in self.leases:
            raise refused("requested lease not found")
        keys = self.keys_of(lease)
        del self.leases[lease]
        return self.delete(keys)

    def keys_of(self, lease: int) -> list[str]:
        """The keys that hang on a lease, in order."""
        return sorted(key for key, kv in self.current.items() if kv.lease == lease)

    def forget_order(self) -> None:
        """The keys were set from outside: their order is found anew."""
        self._keys = None
        self._measured = ((-1, -1), 0)

    # Space.

    def bytes_in_use(self) -> int:
        """About what the keys and their history take on disk. Measured when asked: a write need not know it."""
        asked = (self.revision, self.compacted)
        if self._measured[0] != asked:
            self._measured = asked, self._measure()
        return self._measured[1]

    def _measure(self) -> int:
        kept = {id(kv): kv for kv in self.current.values()}
        for event in self.events:
            if event.after is not None:
                kept[id(event.after)] = event.after
        return EMPTY_BYTES + sum(len(orjson.dumps(kv.value)) + len(kv.key) + KEY_OVERHEAD_BYTES for kv in kept.values())

    def compact(self, revision: int) -> None:
        """Forgets what was before `revision`."""
        if revision > self.revision:
            raise future_revision()
        if revision <= self.compacted:
            raise compacted()
        self.compacted = revision
        at = self._after(revision)
        self.forgotten += at
        self.events = self.events[at:]

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

    def span(self, start: str, end: str | None, revision: int = 0) -> list[KeyValue]:
        """The keys from `start` up to but without `end` (None: to the last), in order, as they were at a revision (0: now)."""
        if 0 < revision < self.revision:
            at = self._at(revision)
            return [at[key] for key in sorted(at) if key >= start and (end is None or key < end)]
        if self._keys is None:
            self._keys = sorted(self.current)
        last = len(self._keys) if end is None else bisect_left(self._keys, end)
        return [self.current[key] for key in self._keys[bisect_left(self._keys, start) : last]]

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
        return self.revision, self.compacted, self.current.copy(), self.events, len(self.events), self.leases.copy(), self.forgotten

    def restore(self, data: tuple[Any, ...]) -> None:
        self.revision, self.compacted, current, events, length, leases, self.forgotten = data
        self.current = current.copy()
        self.events = events[:length]
        self.leases = {lease: Lease(*found) for lease, found in leases.items()}
        self._keys = None
        self._measured = ((-1, -1), 0)
