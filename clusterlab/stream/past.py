"""The past of one object: how its conditions changed, and who owns which of its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["past"]

Object = dict[str, Any]

TRANSITIONS_MOST = 60
FIELDS_MOST = 60


def past(cluster: Cluster, key: str) -> Object:
    """`conditions`: each change of one, newest first, as {seq, time, type, status, before, reason, message};
    `managed`: each owner as {manager, operation, subresource, time, fields}."""
    return {"conditions": _transitions(cluster, key), "managed": _managed(cluster, key)}


def _conditions(obj: Object | None) -> dict[str, Object]:
    found = ((obj or {}).get("status") or {}).get("conditions") or ()
    return {one["type"]: one for one in found if isinstance(one, dict) and "type" in one}


def _transitions(cluster: Cluster, key: str) -> list[Object]:
    found: list[Object] = []
    for step in cluster.touching(key):
        for change in step.changes:
            if change.key != key:
                continue
            before, after = _conditions(change.old), _conditions(change.new)
            for name, one in after.items():
                was = before.get(name, {})
                if (was.get("status"), was.get("reason")) == (one.get("status"), one.get("reason")):
                    continue
                found.append({
                    "seq": step.seq, "time": step.time_ms, "type": name, "status": one.get("status", ""), "before": was.get("status", ""),
                    "reason": one.get("reason", ""), "message": one.get("message", ""),
                })
    return found[:-TRANSITIONS_MOST - 1:-1]


def _managed(cluster: Cluster, key: str) -> list[Object]:
    label, _, name = key.partition("/")
    api = cluster.api
    store, resource = api.stores.get(label), api.scheme.by_string(label)
    if store is None or resource is None:
        return []
    return [
        {
            "manager": one.get("manager", ""), "operation": one.get("operation", ""), "subresource": one.get("subresource", ""),
            "time": one.get("time", ""), "fields": _paths(one.get("fieldsV1") or {})[:FIELDS_MOST],
        }
        for one in api.managed.entries(resource, store.bucket, name)
    ]


def _paths(fields: Object, path: str = "") -> list[str]:
    """The leaves of a fieldsV1 tree as paths: f:name is a field, k:{…} an item by its key, v:… a value in a set."""
    found: list[str] = []
    for key, inside in fields.items():
        if key == ".":
            continue
        kind, _, name = key.partition(":")
        here = f"{path}.{name}" if kind == "f" else f"{path}[{name}]"
        found += _paths(inside, here) if inside and set(inside) != {"."} else [here]
    return found
