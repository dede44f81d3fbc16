"""Merging an applied configuration into an object, and removing fields from one.

Follows structured-merge-diff/v6/typed/{merge,remove,validate}.go.
"""

from __future__ import annotations

from typing import Any

from clusterlab.machinery.apply.diff import DuplicateKey, element_of, granular, indexed
from clusterlab.machinery.apply.sets import Set, path_text
from clusterlab.machinery.field import go_quote
from clusterlab.machinery.patch.errors import go_print
from clusterlab.machinery.schema import DEDUCED, Node

__all__ = ["merge", "remove", "type_errors"]

_ABSENT = object()


def _child(node: Node, key: str) -> Node:
    if node.kind == "struct":
        return node.fields.get(key) or DEDUCED
    return node.item or DEDUCED


# Checking.


def type_errors(value: Any, node: Node, path: str = "") -> list[str]:
    """What keeps a configuration from being of its type, each with its path."""
    if value is None:
        return []
    if node.kind == "struct":
        return _struct_errors(value, node, path)
    if node.kind == "map":
        if not isinstance(value, dict):
            return [f"{path}: expected map, got {_shown(value)}"]
        return [error for key, item in value.items() for error in type_errors(item, _child(node, key), f"{path}.{key}")]
    if node.kind == "list":
        return _list_errors(value, node, path)
    if node.kind in ("int32", "int64", "float") and (isinstance(value, bool | str | dict | list)):
        return [f"{path}: expected numeric (int or float), got {_go_type(value)}"]
    if node.kind in ("string", "bytes", "time", "microtime") and not isinstance(value, str):
        return [f"{path}: expected string, got {_shown_fully(value)}"]
    if node.kind == "bool" and not isinstance(value, bool):
        return [f"{path}: expected boolean, got {_shown(value)}"]
    if node.kind in ("quantity", "intstr") and isinstance(value, dict | list):
        return [f"{path}: expected any scalar, got {_shown(value)}"]
    return []


def _struct_errors(value: Any, node: Node, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected map, got {_shown(value)}"]
    found = []
    for key, item in value.items():
        field = node.fields.get(key)
        if field is None:
            if not node.preserve:
                found.append(f"{path}.{key}: field not declared in schema")
                break  # typed/validate.go stops at the first one, in whatever order its map has
            continue
        found += type_errors(item, field, f"{path}.{key}")
    return found


def _list_errors(value: Any, node: Node, path: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{path}: expected list, got {_shown(value)}"]
    item_node = node.item or DEDUCED
    found: list[str] = []
    seen: set[str] = set()
    for i, item in enumerate(value):
        if node.list_type == "atomic":
            found += type_errors(item, item_node, f"{path}[{i}]")
            continue
        try:
            element = element_of(node, item)
        except DuplicateKey as error:
            found.append(f"{path}: element {i}: {error}")
            break
        text = path_text((element,))
        if element in seen:
            found.append(f"{path}: duplicate entries for key {text}")
        seen.add(element)
        found += type_errors(item, item_node, path + text)
    return found


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"


def _shown(value: Any) -> str:
    """As Go's %v prints the library's wrapped value."""
    return "&{" + go_print(value) + "}"


def _shown_fully(value: Any) -> str:
    """The same with %#v."""
    return "&value.valueUnstructured{Value:" + _go_syntax(value) + "}"


def _go_syntax(value: Any) -> str:
    if isinstance(value, str):
        return go_quote(value)
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_go_syntax, value)) + "}"
    if isinstance(value, dict):
        return "map[string]interface {}{" + ", ".join(f"{go_quote(key)}:{_go_syntax(value[key])}" for key in sorted(value)) + "}"
    return "interface {}(nil)" if value is None else go_print(value)


# Merging.


def merge(live: Any, applied: Any, node: Node) -> Any:
    """The live value with an applied one merged in: by field and by item where the type says so, else replaced."""
    if live is None:
        return applied
    how = granular(node, applied)
    if applied is None and how:
        return live
    if not how or granular(node, live) != how:
        return applied
    if how == "map":
        out = dict(live)
        for key, item in applied.items():
            out[key] = merge(live[key], item, _child(node, key)) if key in live else item
        return out
    return _merge_list(live, applied, node)


def _merge_list(live: list[Any], applied: list[Any], node: Node) -> list[Any]:
    """Items of both: the applied ones in their order, the others where they were among them."""
    item_node = node.item or DEDUCED
    mine = {element_of(node, item): item for item in applied}
    theirs = [(_safe_element(node, item), item) for item in live]
    known = indexed(node, live)
    wanted = list(mine)
    shared = [element for element in wanted if element in known]
    out: list[Any] = []
    done: set[str] = set()
    at = turn = 0
    while at < len(theirs) or turn < len(wanted):
        following = next((element for element in shared if element not in done), "")
        if at < len(theirs):
            element, item = theirs[at]
            if turn < len(wanted) and element == wanted[turn]:
                out.append(merge(item, mine[element], item_node))
                done.add(element)
                at, turn = at + 1, turn + 1
                continue
            if turn < len(wanted) and element in mine and following and following != element:
                at += 1  # comes when its turn is
                continue
            if element not in mine:
                out.append(item)
                at += 1
                continue
            if element in done:
                at += 1
        if turn < len(wanted):
            element = wanted[turn]
            out.append(merge(known[element], mine[element], item_node) if element in known else mine[element])
            done.add(element)
            turn += 1
    return out


def _safe_element(node: Node, item: Any) -> str:
    try:
        return element_of(node, item)
    except DuplicateKey:
        return f"?{id(item)}"


# Removing.


def remove(value: Any, gone: Set, node: Node) -> Any:
    """The value without the paths of a set; containers that become empty stay, those that were named go."""
    if not gone:
        return value
    how = granular(node, value)
    if how == "map" and value:
        out = {}
        for key, item in value.items():
            below = gone.get(f"f:{key}")
            if below is None:
                out[key] = item
            elif below and "." not in below:
                out[key] = remove(item, below, _child(node, key))
        return out
    if how == "list" and value:
        kept = []
        for item in value:
            below = gone.get(_safe_element(node, item))
            if below is None:
                kept.append(item)
            elif below and "." not in below:
                kept.append(remove(item, below, node.item or DEDUCED))
        return kept
    return value
