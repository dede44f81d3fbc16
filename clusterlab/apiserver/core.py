"""The core of the server: what it holds, and how an object gets into storage, out of it, and told to everyone.

Follows staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go (the ends of Create, Update and Delete) and
pkg/storage/etcd3/{compact.go,lease_manager.go} for what happens by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.apiserver.storage import Storage, Write
from clusterlab.apiserver.watch_cache import WatchCache
from clusterlab.etcd.cluster import EtcdError
from clusterlab.machinery.errors import StatusError, forbidden, status
from clusterlab.machinery.versions import family_of
from clusterlab.sim import Change, Component, Simulation
from clusterlab.sim.plain import Derived

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.managed import Ledger
    from clusterlab.apiserver.registry.store import Store
    from clusterlab.etcd.cluster import Etcd

Object = dict[str, Any]

__all__ = ["EVENT_TTL_MS", "MAX_OBJECTS", "ServerCore"]

EVENT_TTL_MS = 3_600_000
COMPACT_EVERY_MS = 300_000
RESTORE_EVERY_MS = 10_000
KUBERNETES = "default/kubernetes"
MAX_OBJECT = 1_572_864
MAX_OBJECTS = 100_000
#: Versions of apps that are numbered, and how long their names may be; the page makes colours of the others' names.
MAX_VERSIONS, MAX_VERSION_NAME = 512, 256


class ServerCore(Component):
    """Stores, commits, expiry and compaction. `ApiServer` adds the requests."""

    STATE = ("up", "cut", "distrusted", "flooded", "expired", "compact_at", "compacted")
    managed: Ledger

    def __init__(self, sim: Simulation, etcd: Etcd, name: str) -> None:
        super().__init__(sim, name)
        self.up = False
        self.cut: dict[str, str] = {}  # process that cannot reach this server -> its user
        self.distrusted: dict[str, str] = {}  # process whose certificate no longer holds -> its user
        self.flooded: tuple[str, ...] = ()  # priority levels whose queues are full
        #: (key of an event, when it expires, its revision), soonest first; only grows, so that checkpoints can share it, and is replaced
        #: where it would shrink. One whose event has been written again or deleted means nothing any more.
        self.expiries: list[tuple[str, int, int]] = []
        self.expired = 0  # so many of them are through
        self.compacted = 0
        self.compact_at = 0  # revision to compact to when the next round comes
        self.storage = Storage(etcd)
        self.cache = WatchCache(sim)
        self.stores: dict[str, Store] = {}
        self.max_objects = MAX_OBJECTS

    def _reloaded(self) -> None:
        """Everything that is derived from stored objects is derived anew."""

    def object_count(self) -> int:
        """How many objects there are."""
        return self.storage.count

    # Writing.

    def check_size(self, call: Call, obj: Object) -> None:
        """Refuses an object that is larger than etcd takes (1.5 MB)."""
        if not call.trusted and len(orjson.dumps(obj)) > MAX_OBJECT:
            raise status(500, "", "etcdserver: request is too large")

    def check_room(self, call: Call) -> None:
        """Refuses to hold more objects than a lab may have."""
        if self.object_count() >= self.max_objects:
            why = f"this lab holds {self.max_objects} objects, the most it may; delete some"
            raise forbidden(call.resource.plural, call.resource.group, call.request.name, why)

    def commit(self, call: Call, key: str, obj: Object, old: Object | None, owned: bool = True) -> Object:
        """Stores an object in place of `old` and tells everyone; returns it as stored. Raises CompareFailed.

        `owned`: whether the field manager of the request owns what it changed."""
        store = call.store
        write = self.storage.put(store.bucket, key, obj, old)
        if owned:
            self.managed.written(call, write)
        self._publish(call, write)
        assert write.new is not None
        return write.new

    def commit_quietly(self, call: Call, key: str, obj: Object, old: Object) -> Object:
        """Stores what the server itself changes, without the hooks of the kind."""
        write = self.storage.put(call.store.bucket, key, obj, old)
        self._publish(None, write)
        assert write.new is not None
        return write.new

    def remove(self, call: Call, key: str, old: Object) -> Object:
        """Deletes an object from storage and tells everyone; returns it as it was."""
        if call.dry_run:
            return old
        write = self.storage.delete(call.store.bucket, key, old)
        self.managed.removed(write)
        self._publish(call, write)
        return write.last

    def _number(self, pod: Object) -> None:
        """Numbers the versions of apps as their first pods come. The stage colours by the number, so it is told and not counted by
        each page: whoever comes late, when some pods have gone, and whoever goes back in time see the same colours."""
        if pod["metadata"]["namespace"] == "kube-system":
            return
        family = family_of(pod)
        known = self.sim.noted("versions")
        if family not in known and len(known) < MAX_VERSIONS and len(family) <= MAX_VERSION_NAME:
            self.sim.note("versions", {family: len(known)})

    def _publish(self, call: Call | None, write: Write) -> None:
        told = self.cache.tell(write)
        label = write.bucket.label
        if label == "pods" and write.new is not None:
            self._number(write.new)
        step = self.sim.current
        if step is not None:
            name = f"{label}/{write.key}"
            step.changes.append(Change(name, write.old, write.new, write.revision))
            messages = self.storage.etcd.take_messages()
            if call is not None and call.span is not None:
                span = call.span
                span.messages.extend(messages)
                span.revision = write.revision
                if write.old is None:
                    span.object = name  # a create may not have known its name
                span.watchers += told
                call.stage("storage", "written" if write.new is not None else "deleted")
                call.stage("watch", "told")
            else:
                step.messages.extend(messages)
        if label == "events":
            self._expire_later(write)
        elif write.new is None and write.key == KUBERNETES and label in ("services", "endpoints", "endpointslices"):
            self.after(RESTORE_EVERY_MS - self.sim.time_ms % RESTORE_EVERY_MS, "restore")
        store = self.stores.get(label)
        if store is not None and call is not None:
            store.hooks.after_write(call, write)

    def refresh(self) -> None:
        """Catches up with etcd after a restore, or after a write of which nobody knows whether it happened."""
        if not self.storage.loaded:
            self.storage.recall()
            self.cache.restart(self.storage.revision)
            self._reloaded()
            return
        try:
            writes = self.storage.catch_up()
        except StatusError:  # etcd does not answer yet: what is known has to do
            return
        for write in writes:
            self._publish(None, write)

    # Time.

    def _expire_later(self, write: Write) -> None:
        others = len(write.bucket.objects) - (write.old is None) + (write.new is None)  # as many as there were before
        if write.new is not None:
            self.expiries.append((write.key, self.sim.time_ms + EVENT_TTL_MS, write.revision))
            if not others:
                self._plan_expiry()

    def _next_expiry(self) -> tuple[str, int, int] | None:
        """The event that expires next; None where there is none."""
        objects = self.stores["events"].bucket.objects
        while self.expired < len(self.expiries):
            entry = self.expiries[self.expired]
            obj = objects.get(entry[0])
            if obj is not None and obj["metadata"]["resourceVersion"] == str(entry[2]):
                return entry
            self.expired += 1
        return None

    def _plan_expiry(self) -> None:
        entry = self._next_expiry()
        if entry is not None:
            self.after(max(0, entry[1] - self.sim.time_ms), "expire", idle=True)

    def on_expire(self) -> None:
        """Events live for an hour after they were last told; in etcd a lease sees to that."""
        if not self.storage.loaded:
            self.refresh()
        bucket, due = self.stores["events"].bucket, []
        while (entry := self._next_expiry()) is not None and entry[1] <= self.sim.time_ms:
            due.append(entry)
            self.expired += 1
        if due:
            step = self.begin("expire", f"events/{due[0][0]}")
            step.routine = True
            step.explain = f"The leases of {len(due)} events ran out, an hour after they were last told."
        for i, (key, _, revision) in enumerate(due):
            try:
                self._publish(None, self.storage.delete(bucket, key, bucket.objects[key]))
            except StatusError:
                again = (key, self.sim.time_ms + 60_000, revision)
                self.expiries, self.expired = [again, *due[i + 1 :], *self.expiries[self.expired :]], 0
                break
        if self.expired > len(self.expiries) // 2:
            self.expiries, self.expired = self.expiries[self.expired :], 0
        self._plan_expiry()

    def on_compact(self) -> None:
        """Every five minutes history older than five minutes is dropped (storage/etcd3/compact.go)."""
        if self.compact_at > self.compacted:
            try:
                self.storage.etcd.compact(self.compact_at)
            except EtcdError:  # no leader: the next round will do
                self.after(COMPACT_EVERY_MS, "compact", idle=True)
                return
            self.compacted = self.compact_at
            self.cache.forget_before(self.compact_at)
        self.compact_at = self.storage.etcd.revision
        self.after(COMPACT_EVERY_MS, "compact", idle=True)

    # State.

    def checkpoint(self) -> dict[str, Any]:
        return {
            **super().checkpoint(), "watches": self.cache.checkpoint(), "managed": self.managed.checkpoint(),
            "foreign": self.storage.foreign, "buckets": Derived(self.storage.lend()), "expiries": (self.expiries, len(self.expiries)),
        }

    def restore(self, data: dict[str, Any]) -> None:
        self.cache.close_external()
        self.cache.restore(data["watches"])
        self.managed.restore(data["managed"])
        expiries, length = data["expiries"]
        self.expiries = expiries[:length]
        self.storage.restore(data["foreign"], data["buckets"] and data["buckets"].value)
        super().restore(data)
