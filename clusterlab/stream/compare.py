"""Two labs side by side: where their timelines part, and which objects differ. Pure.

Forks share their past step by step, so steps are compared by fingerprints; objects by value, field by field.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.sim.step import Object, Step

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["differences", "digest", "fingerprint", "first_difference", "objects_at"]

MOST_OBJECTS = 500
MOST_PATHS = 40
#: Characters of a value that are shown.
MOST_TEXT = 300
#: Resources whose values are not shown to those who may only watch.
HIDDEN = ("secrets/",)


def fingerprint(step: Step) -> int:
    """32 bits that differ when two steps do: what was done, by whom, when, and what became of the objects."""
    changed = [(change.key, change.revision, change.new) for change in step.changes]
    text = orjson.dumps((step.time_ms, step.actor, step.verb, step.object, step.because, step.explain, changed))
    return zlib.crc32(text)


def digest(steps: Iterable[Step]) -> int:
    """32 bits for a stretch of a timeline, quick to work out: when which component did what to which object."""
    value = 0
    for step in steps:
        value = zlib.crc32(f"{step.time_ms} {step.actor} {step.verb} {step.object}\n".encode(), value)
    return value


def first_difference(here: list[int], there: list[int]) -> int:
    """How many steps two lists of fingerprints share from the start."""
    shared = min(len(here), len(there))
    if here[:shared] == there[:shared]:
        return shared
    return next(i for i in range(shared) if here[i] != there[i])


def objects_at(cluster: Cluster, seq: int) -> dict[str, Object]:
    """All objects as they were after step `seq`, of the past or of the known future."""
    objects = dict(cluster.objects())
    sim = cluster.sim
    if seq < sim.last_seq:
        for step in reversed(sim.steps[max(0, seq - sim.first_seq + 1) :]):
            for change in reversed(step.changes):
                _put(objects, change.key, change.old)
    for step in cluster.history.future:
        if step.seq > seq:
            break
        for change in step.changes:
            _put(objects, change.key, change.new)
    return objects


def _put(objects: dict[str, Object], key: str, obj: Object | None) -> None:
    if obj is None:
        objects.pop(key, None)
    else:
        objects[key] = obj


def differences(here: dict[str, Object], there: dict[str, Object], secrets: bool = False) -> dict[str, Any]:
    """{objects: [{key, op, paths: [{path, here, there}]}], more}: objects that only one side has, or that differ and where.

    Versions and managed fields do not count. Values of Secrets are left out unless `secrets`."""
    found: list[dict[str, Any]] = []
    count = 0
    for key in sorted(here.keys() | there.keys()):
        one, other = here.get(key), there.get(key)
        if one is other or one == other:
            continue
        paths = [] if one is None or other is None else _paths(one, other)
        if one is not None and other is not None and not paths:
            continue
        count += 1
        if len(found) < MOST_OBJECTS:
            if not secrets and key.startswith(HIDDEN):
                paths = [{"path": each["path"]} for each in paths]
            op = "differs" if one is not None and other is not None else "only here" if other is None else "only there"
            found.append({"key": key, "op": op, "paths": paths})
    return {"objects": found, "more": count - len(found)}


def _paths(one: Any, other: Any) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    _walk(one, other, "", out)
    return out


def _walk(one: Any, other: Any, path: str, out: list[dict[str, Any]]) -> None:
    if one is other or one == other or len(out) >= MOST_PATHS:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if path == ".metadata" and key in ("managedFields", "resourceVersion", "generation"):
                continue
            _walk(one.get(key), other.get(key), f"{path}.{key}", out)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            _walk(a, b, f"{path}[{i}]", out)
    else:
        out.append({"path": path, "here": _short(one), "there": _short(other)})


def _short(value: Any) -> Any:
    """A value as it is, or the start of its JSON where it is long."""
    text = orjson.dumps(value)
    return value if len(text) <= MOST_TEXT else text[:MOST_TEXT].decode(errors="replace") + "…"
