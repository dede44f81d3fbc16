"""How Go prints API objects: the internal types' fields in their order, for error messages that show a whole value or a diff.

Internal types carry no JSON tags, so json.Marshal prints all their fields by their Go names. gotypes.json lists them, as
[Go name, JSON name, kind], from pkg/apis/*/types.go. Kinds: s string, i integer, b boolean, q quantity, o int-or-string, t time,
M metadata, S label selector, x anything, `*` pointer, `[]` list, `m` map, `:Name` another type. The diff follows
staging/src/k8s.io/apimachinery/pkg/util/diff/diff.go.
"""

from __future__ import annotations

import difflib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from clusterlab.apiserver.validation.amounts import canonical
from clusterlab.machinery.field import Raw, escape_html

__all__ = ["META_ORDER", "diff", "go_equal", "go_struct", "selector", "tree"]

META_ORDER = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers", "managedFields",
)
_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
_ZERO = {"s": "", "i": 0, "b": False, "q": "0", "o": 0}


@cache
def _types() -> dict[str, list[tuple[str, str, str]]]:
    text = files(__package__).joinpath("gotypes.json").read_text(encoding="utf-8")
    return {name: [(row[0], row[1], row[2]) for row in rows] for name, rows in json.loads(text).items()}


def tree(kind: str, value: Any) -> Any:
    """A value of that kind as Go marshals it: plain JSON with fields in Go's order."""
    first = kind[0]
    if first == ":":
        return _struct(kind[1:], value or {})
    if value is None:
        return _ZERO.get(kind, {} if first in "MS" else None)
    if first == "*":
        return tree(kind[1:], value)
    if first == "[":
        return [tree(kind[2:], item) for item in value]
    if first == "m":
        return {key: tree(kind[1:], value[key]) for key in sorted(value)}
    if first == "q":
        return canonical(value)
    if first == "M":
        return {key: _sorted(value[key]) for key in META_ORDER if value.get(key)}
    if first == "S":
        return _selector(value)
    return value


def _selector(value: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if value.get("matchLabels"):
        out["matchLabels"] = {key: value["matchLabels"][key] for key in sorted(value["matchLabels"])}
    if value.get("matchExpressions"):
        out["matchExpressions"] = [
            {"key": one.get("key", ""), "operator": one.get("operator", ""), **({"values": one["values"]} if one.get("values") else {})}
            for one in value["matchExpressions"]
        ]
    return out


def _struct(name: str, value: dict[str, Any]) -> dict[str, Any]:
    if name == "PodSpec":
        host = {field: value[field] for field in _HOST_FIELDS if value.get(field) is not None}
        value = {**value, "securityContext": {**(value.get("securityContext") or {}), **host}}
    out: dict[str, Any] = {}
    for go, field, kind in _types()[name]:
        if kind == "M":  # embedded: its fields stand among those of the struct
            out.update(tree(kind, value.get(field)))
        else:
            out[go] = tree(kind, value.get(field))
    return out


def _sorted(value: Any) -> Any:
    return {key: value[key] for key in sorted(value)} if isinstance(value, dict) else value


def go_struct(name: str, value: Any) -> Raw:
    """A struct as an error message shows it; `name` as in gotypes.json, with `*` or `[]` before it where it applies."""
    kind = name if name[0] in "*[" else f":{name}"
    text = escape_html(json.dumps(tree(kind, value), separators=(",", ":"), ensure_ascii=False))
    return Raw(text)


def _same(a: Any, b: Any) -> bool:
    if a == b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return a in (None, [], {}) and b in (None, [], {}) and a is not False and b is not False


def go_equal(name: str, a: Any, b: Any) -> bool:
    """apiequality.Semantic.DeepEqual of two structs: no list equals an empty one, quantities compare by value."""
    if a is b or a == b:
        return True
    return _same(tree(f":{name}", a), tree(f":{name}", b))


def diff(name: str, old: Any, new: Any) -> str:
    """The unified diff of two structs, printed as indented JSON."""
    def lines(value: Any) -> list[str]:
        return [line + "\n" for line in json.dumps(tree(f":{name}", value), indent=1, ensure_ascii=False).split("\n")]

    return "".join(list(difflib.unified_diff(lines(old), lines(new), n=3))[2:])


def selector(value: Any) -> Raw:
    """A LabelSelector as Go shows it."""
    text = escape_html(json.dumps(None if value is None else tree("S", value), separators=(",", ":"), ensure_ascii=False))
    return Raw(text)
