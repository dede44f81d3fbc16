"""Server-side apply: merge what a manager applies, refuse conflicts, drop what it no longer applies, record who owns what.

Follows structured-merge-diff/v6/merge/update.go (Apply, prune) and apimachinery/pkg/util/managedfields/internal
(structuredmerge, lastappliedmanager, lastappliedupdater, skipnonapplied, conflict).
"""

from __future__ import annotations

from typing import Any

import orjson

from clusterlab.machinery import errors
from clusterlab.machinery.apply.diff import compare, field_set
from clusterlab.machinery.apply.managed import (
    BEFORE_FIRST_APPLY,
    NEVER_OWNED,
    Entry,
    identity,
    in_order,
    new_entry,
    record,
    without_reset,
)
from clusterlab.machinery.apply.merge import merge, remove, type_errors
from clusterlab.machinery.apply.sets import Set, difference, intersection, named_members, path_text, paths, union
from clusterlab.machinery.schema import Node

__all__ = ["apply"]

Object = dict[str, Any]
Conflicts = dict[tuple[str, str, str, str], Set]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_STRIPPED: Set = {
    "f:apiVersion": {}, "f:kind": {},
    "f:metadata": {".": {}, **{f"f:{name}": {} for name in sorted(NEVER_OWNED)}},
}


def apply(
    live: Object | None, applied: Object, node: Node, api_version: str, manager: str, now: str,
    force: bool = False, subresource: str = "", reset: Set | None = None,
) -> Object:
    """The object after a configuration has been applied, with its managedFields; `live` is None for one that is not there yet.

    The outcome is untyped: it still has to be decoded, defaulted and validated. Raises StatusError: 409 with a cause for each
    conflict, 400 for a wrong version, 500 where the configuration is not of its type."""
    if applied.get("apiVersion") != api_version:
        raise errors.bad_request(
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {applied.get('apiVersion', '')}, expected: {api_version}"
        )
    if applied.get("metadata", {}).get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    _check_type(applied, node, api_version)
    return _Apply(live, applied, node, api_version, manager, now, subresource, reset).run(force)


def _check_type(applied: Object, node: Node, api_version: str) -> None:
    wrong = type_errors(applied, node)
    if not wrong:
        return
    meta = applied.get("metadata") or {}
    version = api_version if "/" in api_version else f"/{api_version}"
    what = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {version}, Kind={applied.get('kind', '')}"
    text = wrong[0] if len(wrong) == 1 else "errors:\n  " + "\n  ".join(wrong)
    raise errors.status(500, "", f"failed to create typed patch object ({what}): {text}")


class _Apply:
    """One application of one configuration."""

    def __init__(
        self, live: Object | None, applied: Object, node: Node, api_version: str, manager: str, now: str, subresource: str,
        reset: Set | None,
    ) -> None:
        self.node, self.api_version, self.manager, self.now = node, api_version, manager, now
        self.subresource, self.reset = subresource, reset
        self.me = (manager, "Apply", "", subresource)
        self.applied = applied
        self.created = live is None
        start: Object = {**node.always, "apiVersion": api_version, "kind": applied.get("kind", "")}
        self.live = _without_managed(live) if live is not None else start
        self.entries: list[Entry] = (live or {}).get("metadata", {}).get("managedFields") or []
        if live is not None and not self.entries:  # all that is there belonged to somebody before
            changed, _ = compare(node.always, self.live, node, NEVER_OWNED)
            changed = without_reset(changed, reset)
            self.entries = record([], changed, {}, api_version, BEFORE_FIRST_APPLY, now, subresource)

    def run(self, force: bool) -> Object:
        mine = without_reset(field_set(self.applied, self.node), self.reset)
        last = next((entry for entry in self.entries if identity(entry) == self.me), None)
        merged = merge(self.live, self.applied, self.node)
        if last is not None:
            merged = self.pruned(merged, mine, last["fieldsV1"])
        changed, removed = compare(self.live, merged, self.node, NEVER_OWNED)
        changed, removed = without_reset(changed, self.reset), without_reset(removed, self.reset)
        conflicts = self.conflicts(changed)
        if conflicts and not force:
            conflicts = self.not_from_client_side_apply(conflicts)
            if conflicts:
                raise _conflict(conflicts)
        noop = not self.created and merged == self.live
        entries = self.owned(mine, changed, removed, last, noop)
        out = self.live if noop else merged
        if self.manager == "kubectl":
            out = self.with_last_applied(out)
        meta = {**(out.get("metadata") or {}), "managedFields": entries}
        return {**out, "metadata": meta}

    def owned(self, mine: Set, changed: Set, removed: Set, last: Entry | None, noop: bool) -> list[Entry]:
        """The new managedFields."""
        out: list[Entry] = []
        for entry in self.entries:
            if entry is last:
                continue
            fields = difference(difference(entry.get("fieldsV1") or {}, changed), removed)
            if fields:
                out.append(entry if fields is entry.get("fieldsV1") else {**entry, "fieldsV1": fields})
        stripped = difference(mine, _STRIPPED)
        if stripped:
            when = self.now if not noop else (last or {}).get("time", "")
            if last is not None and noop and stripped == last["fieldsV1"] and last.get("apiVersion") == self.api_version:
                out.append(last)
            else:
                out.append(new_entry(self.manager, "Apply", self.api_version, when, stripped, self.subresource))
        return in_order(out)

    def pruned(self, merged: Object, mine: Set, last: Set) -> Object:
        """Without the items that this manager applied last time, does not now, and nobody else owns."""
        node = self.node
        there = named_members(field_set(merged, node), node)
        first = remove(merged, named_members(last, node), node)
        managed = mine
        for entry in self.entries:
            if identity(entry) != self.me:
                managed = union(managed, entry.get("fieldsV1") or {})
        kept = union(named_members(field_set(first, node), node), named_members(managed, node))
        second = remove(merged, difference(there, kept), node)
        left = named_members(field_set(second, node), node)
        return _object(remove(merged, intersection(difference(there, left), named_members(last, node)), node))

    def conflicts(self, changed: Set) -> Conflicts:
        """The changed fields that each other manager owns."""
        found: Conflicts = {}
        for entry in self.entries:
            who = identity(entry)
            if who != self.me:
                both = intersection(entry.get("fieldsV1") or {}, changed)
                if both:
                    found[who] = both
        return found

    def not_from_client_side_apply(self, conflicts: Conflicts) -> Conflicts:
        """kubectl may take over what client-side apply set, as its annotation tells; if that is not all, the rest conflicts."""
        allowed = self.last_applied_set() if self.manager == "kubectl" else None
        if allowed is None:
            return conflicts
        rest = {who: difference(found, allowed) for who, found in conflicts.items()}
        return {who: found for who, found in rest.items() if found}

    def last_applied_set(self) -> Set | None:
        text = ((self.live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
        if not text:
            return None
        try:
            last = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(last, dict) or last.get("apiVersion") != self.api_version or type_errors(last, self.node):
            return None
        changed, removed = compare(last, self.live, self.node)
        return difference(difference(field_set(last, self.node), changed), removed)

    def with_last_applied(self, obj: Object) -> Object:
        """Keeps the annotation of client-side apply, where there is one, in step with what kubectl applies."""
        meta = obj.get("metadata") or {}
        annotations = meta.get("annotations") or {}
        if not annotations.get(LAST_APPLIED):
            return obj
        config = self.applied
        given = (config.get("metadata") or {}).get("annotations")
        if given is not None:
            rest = {key: value for key, value in given.items() if key != LAST_APPLIED}
            config = {**config, "metadata": {**config["metadata"], "annotations": rest}}
        text = orjson.dumps(config, option=orjson.OPT_SORT_KEYS).decode() + "\n"
        return {**obj, "metadata": {**meta, "annotations": {**annotations, LAST_APPLIED: text}}}


def _object(value: Any) -> Object:
    assert isinstance(value, dict)
    return value


def _without_managed(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": meta}


# Conflicts.


def _named(who: tuple[str, str, str, str]) -> str:
    manager, operation, version, subresource = who
    text = orjson.dumps(manager).decode()
    if subresource:
        text += f' with subresource "{subresource}"'
    return f"{text} using {version}" if operation == "Update" else text


def _conflict(conflicts: Conflicts) -> errors.StatusError:
    found = [(who, path_text(path)) for who in sorted(conflicts) for path in paths(conflicts[who])]
    if len(found) == 1:
        who, path = found[0]
        message = f"Apply failed with 1 conflict: conflict with {_named(who)}: {path}"
    else:
        lines = []
        for who in sorted(conflicts):
            lines.append(f"conflicts with {_named(who)}:")
            lines += [f"- {path}" for owner, path in found if owner == who]
        message = f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_named(who)}", "field": path} for who, path in found
    ]
    return errors.status(409, "Conflict", message, {"causes": causes})
