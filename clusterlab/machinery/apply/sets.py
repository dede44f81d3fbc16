"""Sets of field paths, kept in the form in which managedFields stores them (FieldsV1), so that nothing is converted.

A set is a dict of path elements (`f:name`, `k:{"name":"a"}`, `v:"x"`, `i:0`). An element that belongs to the set itself is `{}`, or
has the key "." if paths below it belong too. Sets are never changed in place and share what they can.
Follows structured-merge-diff/v6/fieldpath/{set,serialize,element}.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from clusterlab.machinery.schema import Node

__all__ = ["Set", "difference", "difference_below", "intersection", "named_members", "path_text", "paths", "union", "well_formed"]

Set = dict[str, Any]

_SELF: Set = {".": {}}


def well_formed(value: Any) -> bool:
    """Whether a value that a client sent is a set."""
    if not isinstance(value, dict):
        return False
    return all(key == "." or (_is_element(key) and well_formed(below)) for key, below in value.items())


def _is_element(key: str) -> bool:
    kind, rest = key[:2], key[2:]
    if kind == "f:":
        return True
    if kind == "i:":
        return rest.isdecimal() and rest.isascii()
    if kind not in ("k:", "v:"):
        return False
    try:
        found = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and bool(found) if kind == "k:" else not isinstance(found, dict | list)


def union(a: Set, b: Set) -> Set:
    """The paths of either."""
    if not a or a is b:
        return b
    if not b:
        return a
    out = dict(a)
    for key, right in b.items():
        left = out.get(key)
        out[key] = right if left is None else _union(left, right)
    return out


def _union(a: Set, b: Set) -> Set:
    if a is b or a == b:
        return a
    if not a:
        return b if "." in b else {**_SELF, **b}
    if not b:
        return a if "." in a else {**_SELF, **a}
    out = {**_SELF, **a} if "." in b and "." not in a else dict(a)
    for key, right in b.items():
        if key != ".":
            left = out.get(key)
            out[key] = right if left is None else _union(left, right)
    return out


def difference(a: Set, b: Set) -> Set:
    """The paths of the first that the second lacks; what lies below a path is not touched."""
    return _difference(a, b) or {}


def _difference(a: Set, b: Set) -> Set | None:
    """None if nothing is left."""
    out: Set | None = None
    for key, right in b.items():
        if key == ".":
            continue
        left = a.get(key)
        if left is None:
            continue
        kept = _less(left, right)
        if kept is left:
            continue
        if out is None:
            out = dict(a)
        if kept is None:
            del out[key]
        else:
            out[key] = kept
    if out is None:
        return a
    return out or None


def _less(a: Set, b: Set) -> Set | None:
    member = not a or "." in a
    goes = member and (not b or "." in b)
    if not a:
        return None if goes else a
    kept = _difference(a, b)
    if not goes:
        if kept is not None and len(kept) == 1 and "." in kept:
            return {}
        return kept
    assert kept is not None
    rest = {key: value for key, value in kept.items() if key != "."}
    return rest or None


def difference_below(a: Set, b: Set) -> Set:
    """The paths of the first without those of the second and all that lies below them."""
    out = {}
    for key, left in a.items():
        right = b.get(key)
        if right is None:
            out[key] = left
        elif right and "." not in right:
            kept = difference_below(left, right)
            if kept and not (len(kept) == 1 and "." in kept):
                out[key] = kept
            elif kept or not left:
                out[key] = {}
    return out


def intersection(a: Set, b: Set) -> Set:
    """The paths of both."""
    out = {}
    for key, right in b.items():
        if key == ".":
            continue
        left = a.get(key)
        if left is None:
            continue
        both = (not left or "." in left) and (not right or "." in right)
        below = intersection(left, right) if left and right else {}
        if both:
            out[key] = {**_SELF, **below} if below else {}
        elif below:
            out[key] = below
    return out


def named_members(a: Set, node: Node | None) -> Set:
    """The set with every field that the type names made a member where something below it is one."""
    out = {}
    for key, value in a.items():
        if key == ".":
            out[key] = value
            continue
        child = _child(node, key)
        made = named_members(value, child) if value else value
        named = node is not None and node.kind == "struct" and key[:2] == "f:" and key[2:] in node.fields
        if value and named and "." not in made:
            made = {**_SELF, **made}
        out[key] = made
    return out


def _child(node: Node | None, key: str) -> Node | None:
    if node is None:
        return None
    if key[:2] == "f:":
        return node.field(key[2:])
    return node.item


def paths(a: Set, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All paths in order: of each level first the members, then what lies below."""
    keys = sorted(key for key in a if key != ".")
    for key in keys:
        if not a[key] or "." in a[key]:
            yield (*prefix, key)
    for key in keys:
        if a[key]:
            yield from paths(a[key], (*prefix, key))


def path_text(path: tuple[str, ...]) -> str:
    """A path as conflicts name it: `.spec.containers[name="web"].image`."""
    out = []
    for element in path:
        kind, rest = element[:2], element[2:]
        if kind == "f:":
            out.append(f".{rest}")
        elif kind == "k:":
            fields = orjson.loads(rest)
            out.append("[" + ",".join(f"{name}={_value(value)}" for name, value in fields.items()) + "]")
        elif kind == "v:":
            out.append(f"[={_value(orjson.loads(rest))}]")
        else:
            out.append(f"[{rest}]")
    return "".join(out)


def _value(value: Any) -> str:
    return orjson.dumps(value).decode()
