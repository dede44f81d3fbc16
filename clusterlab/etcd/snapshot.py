"""Snapshots of etcd as plain data: saving one, looking at it, and beginning a new cluster with it.

Follows etcdutl/snapshot. What was written after a snapshot is lost with the cluster. A restored cluster has new IDs and an empty log;
its revisions go on from the snapshot's, and with `bump_revision` far beyond, so that nobody who saw later revisions is told old ones.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from clusterlab.etcd.cluster import Etcd
from clusterlab.etcd.errors import EtcdError
from clusterlab.etcd.mvcc import KeyValue, Lease, Store

__all__ = ["digest", "restore", "save", "status"]

VERSION = "3.6.0"


def save(etcd: Etcd, member: str = "") -> dict[str, Any]:
    """A snapshot of what a member has (by default the leader, with everything committed), as plain JSON data."""
    if member and not etcd.up.get(member):
        raise EtcdError("Unavailable", f"{member} cannot be reached")
    if not member:
        etcd.confirm()
    revision = etcd.revision_at(member) if member else etcd.store.revision
    kvs, _, _ = etcd.store.range("", revision=revision)
    keys = [[kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease] for kv in kvs]
    data = {
        "version": VERSION, "revision": revision, "compacted": etcd.store.compacted, "keys": keys,
        "leases": [[lease.id, lease.ttl_s] for lease in etcd.store.leases.values()], "timeMs": etcd.sim.time_ms,
    }
    return {**data, "hash": _hash(data), "size": etcd.store.bytes_in_use()}


def digest(kvs: list[KeyValue], revision: int) -> str:
    """A hash of keys with their revisions and values: alike on members that have got to the same revision."""
    return sha256(orjson.dumps([revision, [[kv.key, kv.mod_revision, kv.version, kv.value] for kv in kvs]])).hexdigest()


def _hash(data: dict[str, Any]) -> str:
    return sha256(orjson.dumps([data["revision"], data["keys"], data["leases"]])).hexdigest()


def status(snapshot: dict[str, Any]) -> dict[str, Any]:
    """What `etcdutl snapshot status` tells: hash, revision, total keys, size."""
    return {
        "hash": int(snapshot["hash"][:8], 16), "revision": snapshot["revision"], "totalKey": len(snapshot["keys"]),
        "totalSize": snapshot["size"], "version": snapshot["version"],
    }


def restore(etcd: Etcd, snapshot: dict[str, Any], bump_revision: int = 0, mark_compacted: bool = False) -> None:
    """Replaces the cluster by a new one with the members' names and the snapshot's data. Raises EtcdError where that is damaged."""
    if _hash(snapshot) != snapshot["hash"]:
        raise EtcdError("DataLoss", "snapshot hash does not match its contents")
    store = Store()
    store.current = {key: KeyValue(key, value, *numbers) for key, value, *numbers in snapshot["keys"]}
    store.revision = snapshot["revision"] + bump_revision
    store.compacted = store.revision if mark_compacted else snapshot["revision"]
    store.leases = {lease: Lease(lease, ttl_s) for lease, ttl_s in snapshot["leases"]}
    store.forget_order()
    etcd.lease_due.clear()
    etcd.network.groups, etcd.network.links = (), {}
    etcd.begin_anew(tuple(etcd.members), store)
    etcd.extend_all()
    etcd.wake()
    etcd.tell()
