"""managedFields on create, update and patch: who last set which field.

Follows apimachinery/pkg/util/managedfields/internal (managedfieldsupdater, stripmeta, skipnonapplied, capmanagers, managedfields)
and structured-merge-diff/v6/merge/update.go. Sets of other API versions of the same object are taken as they are, not converted.

As in Kubernetes, `track` is to be called once the body is decoded and defaulted, before admission and the strategy: what those
add belongs to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from clusterlab.machinery.apply.diff import compare
from clusterlab.machinery.apply.sets import Set, difference, difference_below, union, well_formed
from clusterlab.machinery.schema import Node

__all__ = ["BEFORE_FIRST_APPLY", "NEVER_OWNED", "Entry", "entries_of", "identity", "track", "without_reset"]

Object = dict[str, Any]
Entry = dict[str, Any]

#: Fields of the metadata that no manager owns, apiVersion and kind aside.
NEVER_OWNED = frozenset({
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
    "managedFields", "resourceVersion",
})
BEFORE_FIRST_APPLY = "before-first-apply"

_UPDATERS_MOST = 10
_OPERATIONS = ("Apply", "Update")


def identity(entry: Entry) -> tuple[str, str, str, str]:
    """What makes two entries one manager: the name, the operation, its API version for updates, the subresource."""
    operation = entry["operation"]
    version = "" if operation == "Apply" else entry.get("apiVersion", "")
    return entry.get("manager", ""), operation, version, entry.get("subresource", "")


def entries_of(old: Object | None, new: Object, subresource: str) -> list[Entry]:
    """The entries to go on from: those that the request brings if it may and they are sound, else those of the live object."""
    live: list[Entry] = (old or {}).get("metadata", {}).get("managedFields") or []
    given = new.get("metadata", {}).get("managedFields")
    if subresource or given is None or given is live:
        return live
    if not given or (len(given) == 1 and not given[0]):  # how a client asks for a clean slate
        return []
    return given if all(map(_sound, given)) else live


def _sound(entry: Entry) -> bool:
    return (
        entry.get("operation") in _OPERATIONS and bool(entry.get("apiVersion")) and entry.get("fieldsType") == "FieldsV1"
        and well_formed(entry.get("fieldsV1") or {})
    )


def without_reset(found: Set, reset: Set | None) -> Set:
    """A set without the fields that the strategy of the endpoint resets (`{"f:status": {}}` for most)."""
    return difference_below(found, reset) if reset else found


def track(
    old: Object | None, new: Object, node: Node, api_version: str, manager: str, now: str,
    subresource: str = "", reset: Set | None = None,
) -> list[Entry]:
    """The managedFields of an object that was created (`old` is None) or updated by a manager.

    The very list of the live object comes back when nothing changes hands."""
    entries = entries_of(old, new, subresource)
    if old is not None and not entries:
        return entries
    changed, removed = compare(node.always if old is None else old, new, node, NEVER_OWNED)
    if reset:
        changed, removed = without_reset(changed, reset), without_reset(removed, reset)
    if not changed and not removed:
        return entries
    return record(entries, changed, removed, api_version, manager, now, subresource)


def record(
    entries: Iterable[Entry], changed: Set, removed: Set, api_version: str, manager: str, now: str, subresource: str = "",
) -> list[Entry]:
    """Entries after a manager changed and removed fields: these are taken from all others, those from everybody."""
    mine = (manager or "unknown", "Update", api_version, subresource)
    out: list[Entry] = []
    own: Entry | None = None
    for entry in entries:
        fields = known = entry.get("fieldsV1") or {}
        if changed:
            fields = difference(fields, changed)
        if removed and fields:
            fields = difference(fields, removed)
        if changed and own is None and identity(entry) == mine:
            own = {**entry, "time": now, "fieldsV1": union(fields, changed)}
            out.append(own)
        elif fields is known:
            out.append(entry)
        elif fields:
            out.append({**entry, "fieldsV1": fields})
    if changed and own is None:
        out.append(new_entry(mine[0], "Update", api_version, now, changed, subresource))
    return in_order(_capped(out))


def new_entry(manager: str, operation: str, api_version: str, now: str, fields: Set, subresource: str = "") -> Entry:
    """An entry of managedFields."""
    entry: Entry = {
        "manager": manager, "operation": operation, "apiVersion": api_version, "time": now, "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if not now:
        del entry["time"]
    if subresource:
        entry["subresource"] = subresource
    return entry


def _order(entry: Entry) -> tuple[str, str, str, str, str]:
    return (
        entry["operation"], entry.get("time", ""), entry.get("manager", ""), entry.get("apiVersion", ""),
        entry.get("subresource", ""),
    )


def in_order(entries: list[Entry]) -> list[Entry]:
    """Entries as managedFields lists them."""
    return sorted(entries, key=_order) if len(entries) > 1 else entries


def _capped(entries: list[Entry]) -> list[Entry]:
    """Merges the oldest updates into `ancient-changes` once more than ten managers have updated an object."""
    updates = sorted((e for e in entries if e["operation"] == "Update"), key=lambda e: (e.get("time", ""), identity(e)))
    excess = len(updates) - _UPDATERS_MOST
    if excess <= 0:
        return entries
    buckets: dict[str, list[Entry]] = {}
    for entry in updates:
        if excess <= 0:
            break
        bucket = buckets.setdefault(entry.get("apiVersion", ""), [])
        excess -= bool(bucket)
        bucket.append(entry)
    old = {version: bucket for version, bucket in buckets.items() if len(bucket) > 1}
    gone = {id(entry) for bucket in old.values() for entry in bucket}
    merged = [
        new_entry("ancient-changes", "Update", version, bucket[-1].get("time", ""), _union_of([entry["fieldsV1"] for entry in bucket]))
        for version, bucket in old.items()
    ]
    return [e for e in entries if id(e) not in gone] + merged


_NOTHING: Set = {}


def _union_of(sets: list[Set]) -> Set:
    """The paths of all, half by half: a client may send entries by the ten thousand."""
    while len(sets) > 1:
        sets = [union(one, other) for one, other in zip_longest(sets[::2], sets[1::2], fillvalue=_NOTHING)]
    return sets[0]
