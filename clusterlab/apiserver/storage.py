"""Storage: objects in etcd, under the keys and with the revisions that Kubernetes uses.

Follows staging/src/k8s.io/apiserver/pkg/storage/etcd3/store.go and pkg/kubeapiserver/default_storage_factory_builder.go. Writing
is compare-and-swap on the key's revision. There is one writer, so the revision that a write will get is known beforehand and is
put into the object's metadata before it is stored; nothing has to be decorated when it is read.

The newest version of every object is kept here as well (Kubernetes' watch cache does the same), so that reads cost no round trip
beyond the quorum check. It is derived from etcd and is rebuilt after a restore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.etcd.cluster import CompareFailed, EtcdError, KeyValue
from clusterlab.machinery.errors import StatusError, status

if TYPE_CHECKING:
    from clusterlab.etcd.cluster import Etcd

Object = dict[str, Any]
#: The objects of each bucket, by its prefix.
Lent = dict[str, dict[str, Object]]

__all__ = ["Bucket", "CompareFailed", "Storage", "Write", "resource_prefix", "unreachable"]

#: Resources whose place in etcd is older than their name.
_SPECIAL_PREFIXES = {
    "replicationcontrollers": "controllers",
    "endpoints": "services/endpoints",
    "nodes": "minions",
    "services": "services/specs",
    "ingresses": "ingress",
    "customresourcedefinitions": "apiextensions.k8s.io/customresourcedefinitions",
    "apiservices": "apiregistration.k8s.io/apiservices",
}

#: The length of what all keys begin with, "/registry/".
_ROOT = 10


def resource_prefix(plural: str, group: str, custom: bool) -> str:
    """Where the objects of a resource live, e.g. /registry/services/specs/."""
    if custom:
        return f"/registry/{group}/{plural}/"
    return f"/registry/{_SPECIAL_PREFIXES.get(plural, plural)}/"


def unreachable(error: EtcdError) -> StatusError:
    """What a client sees of a failure of etcd: its own words."""
    return status(500, "", str(error))


class Bucket:
    """The newest objects of one resource. `objects` maps `ns/name` or `name` to the object; only `put` and `drop` change it."""

    __slots__ = ("_lent", "_sorted", "label", "objects", "prefix")

    def __init__(self, label: str, prefix: str) -> None:
        self.label = label  # the resource string, first part of the object keys of steps
        self.prefix = prefix
        self.objects: dict[str, Object] = {}
        self._lent = False  # a checkpoint has this very dict, so it is copied before it is changed
        self._sorted: list[str] | None = []

    def ordered(self) -> list[str]:
        """All keys in etcd's order. Not to be changed."""
        if self._sorted is None:
            self._sorted = sorted(self.objects)
        return self._sorted

    def put(self, key: str, obj: Object) -> None:
        if self._lent:
            self.objects, self._lent = self.objects.copy(), False
        if key not in self.objects:
            self._sorted = None
        self.objects[key] = obj

    def drop(self, key: str) -> None:
        if key in self.objects:
            if self._lent:
                self.objects, self._lent = self.objects.copy(), False
            del self.objects[key]
            self._sorted = None

    def fill(self, objects: dict[str, Object], lent: bool = False) -> None:
        """Takes other objects in the place of those that were there; `lent`: a checkpoint keeps them as well."""
        self.objects, self._lent, self._sorted = objects, lent, None

    def lend(self) -> dict[str, Object]:
        """The objects as they are now, for good."""
        self._lent = True
        return self.objects


class Write:
    """One change of one key: what a watch is told. `old` is None for a created object, `new` for a deleted one; `last` is the
    object as watchers of a deletion see it, with the revision of the deletion."""

    __slots__ = ("bucket", "key", "last", "new", "old", "revision")

    def __init__(self, bucket: Bucket, key: str, old: Object | None, new: Object | None, last: Object, revision: int) -> None:
        self.bucket, self.key, self.old, self.new, self.last, self.revision = bucket, key, old, new, last, revision


class Storage:
    """Reads and writes objects of all resources."""

    def __init__(self, etcd: Etcd) -> None:
        self.etcd = etcd
        self.buckets: dict[str, Bucket] = {}
        self.loaded = False
        self.count = 0  # of all objects
        self.revision = 0  # newest revision that the buckets reflect
        self.foreign = False  # others may have written to etcd, so what it holds has to be looked at before it is believed
        self._lent: Lent | None = None  # the buckets of the checkpoint that was gone back to, until they are wanted
        self._doubtful = False  # a write failed in a way that leaves open whether it happened

    def bucket(self, label: str, prefix: str) -> Bucket:
        """The bucket of a resource, made on first use."""
        found = self.buckets.get(prefix)
        if found is None:
            found = self.buckets[prefix] = Bucket(label, prefix)
            if self.loaded:
                self._fill(found)
                self._recount()
        return found

    def forget(self, bucket: Bucket) -> None:
        """Forgets a resource that is served no longer. Its objects stay in etcd."""
        self.buckets.pop(bucket.prefix, None)
        self._recount()

    # Loading.

    def load(self) -> None:
        """Reads everything from etcd, after a start."""
        self.loaded, self._doubtful, self.foreign = True, False, False
        self.revision = self.etcd.revision
        for bucket in self.buckets.values():
            self._fill(bucket)
        self._recount()

    def lend(self) -> Lent | None:
        """All buckets as they are, for a checkpoint; None while they may differ from etcd."""
        if not self.loaded:
            return self._lent
        return None if self._doubtful else {prefix: bucket.lend() for prefix, bucket in self.buckets.items() if bucket.objects}

    def restore(self, foreign: bool, lent: Lent | None) -> None:
        """Goes back to a checkpoint; the buckets follow when somebody asks for them."""
        self.loaded, self.foreign, self._lent = False, foreign, lent

    def recall(self) -> None:
        """Finds back to what the server knew, after a restore: no majority is asked. What nobody else has written to is taken as it lies
        there, since looking at each object again would be most of what a seek costs."""
        lent, self._lent = self._lent, None
        self.loaded, self._doubtful = True, False
        self.revision = self.etcd.revision
        if lent is not None:
            for bucket in self.buckets.values():
                bucket.fill(lent.get(bucket.prefix) or {}, lent=bucket.prefix in lent)
        elif self.foreign:
            for bucket in self.buckets.values():
                self._fill(bucket, remembered=True)
        else:
            self._sort_out()
        self._recount()

    def _sort_out(self) -> None:
        """Fills the buckets with all that etcd holds, each object as it was stored."""
        found: dict[str, dict[str, Object]] = {prefix: {} for prefix in self.buckets}
        for key, kv in self.etcd.current.items():
            cut = key.find("/", _ROOT) + 1
            objects = found.get(key[:cut])
            if objects is None:  # services/specs/, or the group of a custom resource
                cut = key.find("/", cut) + 1
                objects = found.get(key[:cut])
                if objects is None:
                    continue
            objects[key[cut:]] = kv.value
        for bucket in self.buckets.values():
            bucket.fill(found[bucket.prefix])

    def _fill(self, bucket: Bucket, remembered: bool = False) -> None:
        objects, cut = {}, len(bucket.prefix)
        for kv in self._everything(bucket.prefix, remembered):
            obj = objects[kv.key[cut:]] = _with_revision(kv.value, kv.mod_revision)
            self.foreign = self.foreign or obj is not kv.value
        bucket.fill(objects)

    def _everything(self, prefix: str, remembered: bool = False) -> list[KeyValue]:
        """What etcd holds under a prefix, as far as it is objects. `remembered`: without asking a majority."""
        try:
            items, _, _ = self.etcd.range(prefix, serializable=remembered)
        except EtcdError as error:
            raise unreachable(error) from None
        kept = [kv for kv in items if _is_object(kv)]
        self.foreign = self.foreign or len(kept) < len(items)
        return kept

    def _recount(self) -> None:
        self.count = sum(len(bucket.objects) for bucket in self.buckets.values())

    @property
    def stale(self) -> bool:
        """Whether the buckets may differ from etcd."""
        return self._doubtful or not self.loaded

    def doubt(self) -> None:
        """Somebody else has written to etcd, or may have."""
        self._doubtful = self.foreign = True

    def catch_up(self) -> list[Write]:
        """Brings the buckets up to date after doubtful writes; returns what had changed, oldest first."""
        writes: list[Write] = []
        for bucket in list(self.buckets.values()):
            cut, seen = len(bucket.prefix), set()
            for kv in self._everything(bucket.prefix):
                key = kv.key[cut:]
                seen.add(key)
                old = bucket.objects.get(key)
                if old is None or old["metadata"].get("resourceVersion") != str(kv.mod_revision):
                    new = _with_revision(kv.value, kv.mod_revision)
                    writes.append(Write(bucket, key, old, new, new, kv.mod_revision))
            for key in bucket.ordered():
                if key not in seen:
                    old = bucket.objects[key]
                    writes.append(Write(bucket, key, old, None, old, self.etcd.revision))
        writes.sort(key=lambda write: (write.revision, write.key))
        for write in writes:
            if write.new is None:
                write.bucket.drop(write.key)
            else:
                write.bucket.put(write.key, write.new)
        self._doubtful = False
        self.revision = self.etcd.revision
        self._recount()
        return writes

    # Reading.

    def check_quorum(self) -> None:
        """Raises where a consistent read is impossible."""
        try:
            self.etcd.get("/registry/health")
        except EtcdError as error:
            raise unreachable(error) from None

    # Writing.

    def put(self, bucket: Bucket, key: str, obj: Object, old: Object | None, lease: int = 0) -> Write:
        """Stores an object in place of `old`; raises CompareFailed where something else is there."""
        revision = self.etcd.revision + 1
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
        expect = int(old["metadata"]["resourceVersion"]) if old is not None else 0
        got = self._propose(bucket.prefix + key, stored, expect, lease)
        if got != revision:
            self.foreign, stored = True, _with_revision(stored, got)
        self.revision = got
        if old is None:
            self.count += 1
        bucket.put(key, stored)
        return Write(bucket, key, old, stored, stored, got)

    def _propose(self, path: str, stored: Object, expect: int, lease: int) -> int:
        try:
            if lease:
                return self.etcd.put(path, stored, expect=expect, lease=lease)
            return self.etcd.put(path, stored, expect=expect)
        except CompareFailed:
            raise
        except EtcdError as error:
            self.doubt()
            raise unreachable(error) from None

    def delete(self, bucket: Bucket, key: str, old: Object) -> Write:
        """Deletes an object that is still the version `old`."""
        try:
            revision = self.etcd.delete(bucket.prefix + key, expect=int(old["metadata"]["resourceVersion"]))
        except CompareFailed:
            raise
        except EtcdError as error:
            self.doubt()
            raise unreachable(error) from None
        self.revision = revision
        self.count -= 1
        bucket.drop(key)
        last = _with_revision(old, revision)
        return Write(bucket, key, old, None, last, revision)


def _is_object(kv: KeyValue) -> bool:
    """Whether a value is an object that belongs under its key. `etcdctl put` can write anything; what is none is passed over, or
    nobody could work with the rest."""
    value = kv.value
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str) or not isinstance(value.get("apiVersion"), str):
        return False
    meta = value.get("metadata")
    return (
        isinstance(meta, dict) and isinstance(meta.get("name"), str) and kv.key.endswith("/" + meta["name"])
        and isinstance(meta.get("uid"), str) and isinstance(meta.get("labels", {}), dict)
        and isinstance(meta.get("ownerReferences", []), list)
        and isinstance(value.get("spec", {}), dict) and isinstance(value.get("status", {}), dict)
    )


def _with_revision(obj: Object, revision: int) -> Object:
    meta, text = obj["metadata"], str(revision)
    if meta.get("resourceVersion") == text:
        return obj
    return {**obj, "metadata": {**meta, "resourceVersion": text}}
