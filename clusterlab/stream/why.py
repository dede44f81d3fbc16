"""Why a field of an object has its value: who wrote it, in which step, because of what. Pure.

A field is written as in the breakpoint language and in kubectl's JSONPath: `.spec.replicas`, `.status.conditions[Ready].status`,
`.spec.containers[0].image`, `{.metadata.name}`. A key that has dots itself may be written plainly
(`.metadata.labels.app.kubernetes.io/name`), as `['app.kubernetes.io/name']` or with `\\.`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clusterlab.sim.step import Change, Object, Step
from clusterlab.stream.project import heading

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["FieldError", "place_of", "value_at", "why_field", "without_values"]

#: What tells the items of a list apart, as Kubernetes' merge keys do; the first that an item has.
IDENTITIES = ("name", "type", "containerPort", "port", "mountPath", "devicePath", "ip", "uid", "key", "topologyKey")
#: Earlier writes of the field that are told.
MOST_WRITES = 20
MAX_PATH = 500

_MISSING: Any = type("Missing", (), {"__repr__": lambda self: "missing"})()

#: A step into a value: a key, or an item by its identity (field, value), or by its place.
Part = str | int | tuple[str, Any]


class FieldError(ValueError):
    """A field that cannot be read, or that the object never had."""


def place_of(obj: Any, path: str) -> list[Part] | None:
    """The way to a field, in terms that hold while lists change; None when the object has no such field."""
    rest, value, parts = path, obj, []
    while rest:
        if isinstance(value, dict):
            found = _key(value, rest)
        elif isinstance(value, list):
            found = _item(value, rest)
        else:
            return None
        if found is None:
            return None
        part, value, rest = found
        parts.append(part)
    return parts


def _key(value: Object, rest: str) -> tuple[Part, Any, str] | None:
    quoted = re.match(r"""\[(['"])(.*?)\1\]""", rest)
    if quoted:
        key = quoted.group(2)
        return (key, value[key], rest[quoted.end() :]) if key in value else None
    rest = rest.removeprefix(".")
    plain = rest.replace("\\.", ".")
    # Keys may hold dots: the longest one that fits.
    for key in sorted(value, key=len, reverse=True):
        for text in (plain, rest):
            if text.startswith(key) and (len(text) == len(key) or text[len(key)] in ".["):
                return key, value[key], text[len(key) :]
    return None


def _item(value: list[Any], rest: str) -> tuple[Part, Any, str] | None:
    match = re.match(r"\.?\[([^\]]*)\]", rest)
    if match is None:
        return None
    word = match.group(1).strip("'\"")
    if word.isdigit():
        if int(word) >= len(value):
            return None
        item, part = value[int(word)], int(word)
    else:
        named = [one for one in value if isinstance(one, dict) and word in (one.get("type"), one.get("name"))]
        if not named:
            return None
        item, part = named[0], -1
    identity = next(((name, item[name]) for name in IDENTITIES if name in item), None) if isinstance(item, dict) else None
    return identity or part, item, rest[match.end() :]


def value_at(obj: Any, parts: list[Part]) -> Any:
    """The value at a place, or the mark for none."""
    for part in parts:
        if isinstance(part, str):
            obj = obj.get(part, _MISSING) if isinstance(obj, dict) else _MISSING
        elif isinstance(part, int):
            obj = obj[part] if isinstance(obj, list) and part < len(obj) else _MISSING
        else:
            name, wanted = part
            items = obj if isinstance(obj, list) else ()
            obj = next((one for one in items if isinstance(one, dict) and one.get(name) == wanted), _MISSING)
        if obj is _MISSING:
            break
    return obj


def why_field(cluster: Cluster, key: str, field: str) -> dict[str, Any]:
    """Who wrote the value that a field has: {object, field, value, before, set, step, request, chain, writes}.

    `set` is False where the field has no value (it was taken away). `step` is None where the value is older than the first step: it was
    there when the lab began. `writes` are the newest steps that changed the field, newest first. Raises FieldError."""
    path = field.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if not path.startswith((".", "[")) or len(path) > MAX_PATH:
        raise FieldError("field is written as .spec.replicas or .status.conditions[Ready].status")
    touched = cluster.touching(key)
    shown = cluster.find(key)
    changes = [(step, change) for step in reversed(touched) for change in reversed(step.changes) if change.key == key]
    parts = _known_place(shown, changes, path)
    if parts is None:
        raise FieldError(f"{key} has no field {path}, and never had one in this lab")
    writes = [
        (step, change) for step, change in changes if value_at(change.old, parts) != value_at(change.new, parts)
    ]
    value = value_at(shown, parts)
    answer: dict[str, Any] = {"object": key, "field": path, "set": value is not _MISSING, "value": _plain(value), "before": None}
    answer |= {"step": None, "request": None, "chain": [], "explain": f"{path} has been so since the lab began."}
    if writes:
        step, change = writes[0]
        answer |= {
            "before": _plain(value_at(change.old, parts)), "step": heading(step), "request": _request(step, change),
            "chain": [heading(one) for one in cluster.chain(step)], "explain": _sentence(path, step, change, parts),
        }
    answer["writes"] = [
        {**heading(step), "value": _plain(value_at(change.new, parts)), "before": _plain(value_at(change.old, parts))}
        for step, change in writes[:MOST_WRITES]
    ]
    return answer


def _known_place(shown: Object | None, changes: list[tuple[Step, Change]], path: str) -> list[Part] | None:
    """The place of a field in the newest version of the object that has it."""
    for obj in [shown, *(one for _, change in changes for one in (change.new, change.old))]:
        if obj is not None and (parts := place_of(obj, path)) is not None:
            return parts
    return None


def _plain(value: Any) -> Any:
    return None if value is _MISSING else value


def _request(step: Step, change: Change) -> dict[str, Any] | None:
    """The request that made a change."""
    spans = [span for span in step.requests if span.revision == change.revision] or [s for s in step.requests if s.object == change.key]
    if not spans:
        return None
    span = spans[-1]
    mutated = next((stage.why for stage in span.stages if stage.name == "mutating" and stage.decision == "changed"), "")
    return {"user": span.user, "verb": span.verb, "object": span.object, "code": span.code, "revision": span.revision, "mutated": mutated}


def _sentence(path: str, step: Step, change: Change, parts: list[Part]) -> str:
    if change.old is None:
        did = "set it when it made the object"
    elif value_at(change.new, parts) is _MISSING:
        did = "took it away"
    elif value_at(change.old, parts) is _MISSING:
        did = "set it"
    else:
        did = "changed it"
    return f"{path}: {step.actor} {did}, in step {step.seq}."


def without_values(found: dict[str, Any]) -> dict[str, Any]:
    """The same answer for those who may know who wrote a field, but not what."""
    writes = [{**one, "value": None, "before": None} for one in found["writes"]]
    return {**found, "value": None, "before": None, "writes": writes}
