"""Which fields of an object there are and which changed: the walks over two objects that ownership is computed from.

Follows structured-merge-diff/v6/typed/{compare,tofieldset,helpers}.go. Parts that two objects share are skipped at once.
"""

from __future__ import annotations

from typing import Any

import orjson

from clusterlab.machinery.apply.sets import Set
from clusterlab.machinery.schema import DEDUCED, Node

__all__ = ["DuplicateKey", "compare", "element_of", "field_set", "granular", "indexed"]

_ABSENT = object()
_TYPE_META = ("apiVersion", "kind")


class DuplicateKey(ValueError):
    """An associative list whose items cannot be told apart."""


# Types.


def granular(node: Node, value: Any) -> str:
    """How a value is owned: "map" by field, "list" by item, "" as a whole."""
    kind = node.kind
    if kind in ("struct", "map"):
        return "map" if not node.atomic and (value is None or type(value) is dict) else ""
    if kind == "list":
        return "list" if node.list_type in ("map", "set") and (value is None or type(value) is list) else ""
    return "map" if kind == "deduced" and type(value) is dict else ""


def _field(node: Node, key: str) -> Node:
    if node.kind == "struct":
        return node.fields.get(key) or DEDUCED
    return node.item or DEDUCED


def element_of(node: Node, item: Any) -> str:
    """The path element of an item of an associative list."""
    keys = node.keys
    if not keys:
        if isinstance(item, dict | list) or item is None:
            raise DuplicateKey("associative list without keys has an element that's a map type")
        return "v:" + orjson.dumps(item).decode()
    if type(item) is not dict:
        kind = "a null element" if item is None else "non-map elements"
        raise DuplicateKey(f"associative list with keys may not have {kind}")
    if len(keys) == 1:
        value = item.get(keys[0])
        if type(value) is str and value.isalnum() and value.isascii():
            return f'k:{{"{keys[0]}":"{value}"}}'
    found = {}
    for key in sorted(keys):
        value = item.get(key, _ABSENT)
        if value is _ABSENT:
            known = node.item.fields.get(key) if node.item is not None and node.item.kind == "struct" else None
            if known is None or (known.default is None and known.mode != "a"):
                continue
            value = known.default  # what Go always writes has its zero value by default
            if value is None:
                value = {"string": "", "int32": 0, "int64": 0}.get(known.kind, _ABSENT)
            if value is _ABSENT:
                continue
        found[key] = value
    if not found:
        listed = "[" + " ".join(f'"{key}"' for key in keys) + "]"
        raise DuplicateKey(
            f"associative list with keys has an element that omits all key fields {listed} "
            "(and doesn't have default values for any key fields)"
        )
    return "k:" + orjson.dumps(found).decode()


def indexed(node: Node, items: list[Any] | None) -> dict[str, Any]:
    """The items of an associative list by their path elements; of several alike the first."""
    found: dict[str, Any] = {}
    for item in items or ():
        try:
            element = element_of(node, item)
        except DuplicateKey:
            continue
        if element not in found:
            found[element] = item
    return found


# What there is.


def _all(node: Node, value: Any) -> Set:
    """All paths of a value that was added or removed as a whole, itself included, without its own element."""
    how = granular(node, value)
    if how == "map" and value:
        return {".": {}, **{f"f:{key}": _all(_field(node, key), item) for key, item in value.items()}}
    if how == "list" and value:
        item_node = node.item
        assert item_node is not None
        return {".": {}, **{element: _all(item_node, item) for element, item in indexed(node, value).items()}}
    return {}


def _whole(node: Node, value: Any) -> Set:
    """As `_all`; a field that Go always writes was null before, so it is no member, only what lies below it."""
    found = _all(node, value)
    if found and node.mode == "a" and node.kind in ("list", "map", "struct"):
        del found["."]
    return found


def field_set(value: Any, node: Node) -> Set:
    """The paths that a configuration sets: its leaves, list items and keys of maps."""
    return _fields_of(value, node) or {}


def _fields_of(value: Any, node: Node) -> Set | None:
    how = granular(node, value)
    if how == "map":
        out: Set = {}
        for key, item in (value or {}).items():
            child = _field(node, key)
            found = _fields_of(item, child)
            member = item is None or item == {} or node.kind != "struct" or key not in node.fields
            if found is None:
                out[f"f:{key}"] = {}
            elif found:
                out[f"f:{key}"] = {".": {}, **found} if member else found
            elif member:
                out[f"f:{key}"] = {}
        return out
    if how == "list":
        item_node = node.item
        assert item_node is not None
        out = {}
        for element, item in indexed(node, value).items():
            found = _fields_of(item, item_node)
            out[element] = {".": {}, **found} if found else {}
        return out
    return None


# What changed.


def compare(old: Any, new: Any, node: Node, skip: frozenset[str] = frozenset()) -> tuple[Set, Set]:
    """(added or changed, removed) between two objects. `skip`: fields of the metadata that are never owned."""
    changed: Set = {}
    removed: Set = {}
    for key, right in new.items():
        left = old.get(key, _ABSENT)
        if left is right or key in _TYPE_META:
            continue
        child = _field(node, key)
        if key == "metadata" and left is not _ABSENT:
            _compare_map(left, right, child, changed, removed, f"f:{key}", skip)
        else:
            _compare_value(left, right, child, changed, removed, f"f:{key}")
    for key, left in old.items():
        if key not in new and key not in _TYPE_META:
            removed[f"f:{key}"] = _whole(_field(node, key), left)
    return changed, removed


def _compare_value(left: Any, right: Any, node: Node, changed: Set, removed: Set, element: str) -> None:
    if left is _ABSENT:
        changed[element] = _whole(node, right)
        return
    kind = type(right)
    if kind is str or kind is int or kind is bool:
        if left != right or type(left) is not kind:
            changed[element] = {}
        return
    how = granular(node, right)
    if how and granular(node, left) == how and (left or right):
        if how == "map":
            _compare_map(left or {}, right or {}, node, changed, removed, element)
        else:
            _compare_list(left or [], right or [], node, changed, removed, element)
    elif left != right:
        changed[element] = {}


def _compare_map(
    left: Any, right: Any, node: Node, changed: Set, removed: Set, element: str, skip: frozenset[str] = frozenset(),
) -> None:
    more: Set = {}
    less: Set = {}
    struct = node.fields if node.kind == "struct" else None
    for key, value in right.items():
        known = left.get(key, _ABSENT)
        if known is value or key in skip:
            continue
        child = struct.get(key) if struct is not None else node.item
        _compare_value(known, value, child or DEDUCED, more, less, f"f:{key}")
    for key, known in left.items():
        if key not in right and key not in skip:
            less[f"f:{key}"] = _whole(_field(node, key), known)
    if more:
        changed[element] = more
    if less:
        removed[element] = less


def _compare_list(left: list[Any], right: list[Any], node: Node, changed: Set, removed: Set, element: str) -> None:
    more: Set = {}
    less: Set = {}
    item_node = node.item
    assert item_node is not None
    size = len(left)
    if size == len(right) and node.keys:
        for known, value in zip(left, right, strict=True):
            if known is not value and any(known.get(key) != value.get(key) for key in node.keys):
                break
        else:  # the same items in the same order, the common case
            for known, value in zip(left, right, strict=True):
                if known is not value:
                    _compare_value(known, value, item_node, more, less, element_of(node, value))
            if more:
                changed[element] = more
            if less:
                removed[element] = less
            return
    before, after = indexed(node, left), indexed(node, right)
    for name, value in after.items():
        known = before.get(name, _ABSENT)
        if known is not value:
            _compare_value(known, value, item_node, more, less, name)
    for name, known in before.items():
        if name not in after:
            less[name] = _all(item_node, known)
    if more:
        changed[element] = more
    if less:
        removed[element] = less
