"""Strategic merge patch: lists merge by the keys of the schema, directives delete, replace and order.

Follows staging/src/k8s.io/apimachinery/pkg/util/strategicpatch/patch.go (StrategicMergeMapPatch) over the nodes of
`machinery.schema`. The outcome still has to be converted to its type (`convert.from_unstructured`).
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from clusterlab.machinery.field import go_quote
from clusterlab.machinery.patch.errors import PatchError, go_print, go_type
from clusterlab.machinery.schema import ANY, Node

__all__ = ["apply_strategic", "left_over"]

Map = dict[str, Any]
List = list[Any]

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_PREFIX = "$deleteFromPrimitiveList"
_ORDER_PREFIX = "$setElementOrder"
_BAD_PRIMITIVE = "invalid patch format of primitive list"
_BAD_RETAIN = "invalid patch format of retainKeys"
_BAD_ORDER = "invalid patch format of setElementOrder list"


def apply_strategic(original: Map, patch: Any, node: Node) -> Map:
    """The object with the patch merged in; raises PatchError."""
    if not isinstance(patch, dict):
        kind = {"[]interface {}": "array"}.get(go_type(patch), "string" if isinstance(patch, str) else "number")
        raise PatchError(f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}", 400)
    return _merge_map(original, patch, node)


def left_over(patch: Any, original: Any) -> Any:
    """What a refusal quotes of a patch: merging eats the directives, the lists that one of them puts in order, and unmatched nulls."""
    if not isinstance(patch, dict) or not isinstance(original, dict):
        return _without_nulls(patch)
    if _DIRECTIVE in patch:
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    ordered = {key.partition("/")[2] for key in patch if key.startswith(_ORDER_PREFIX)}
    kept = {key: value for key, value in patch.items() if not key.startswith((_ORDER_PREFIX, _RETAIN)) and key not in ordered}
    return {
        key: value if (isinstance(value, list) and key in original) or value is None else left_over(value, original.get(key))
        for key, value in kept.items()
    }


# Schema.


def _look_up(node: Node, key: str) -> Node:
    if node.kind == "any":
        return ANY
    found = node.field(key)
    if found is None:
        raise PatchError(f"unable to find api field in struct {node.go_kind.rsplit('.', 1)[-1]} for the json field {go_quote(key)}", 500)
    return found


def _item_of(node: Node) -> Node:
    return node.item if node.kind == "list" and node.item is not None else ANY


def _strategy(node: Node) -> str:
    return next((strategy for strategy in node.strategies if strategy != "retainKeys"), "")


# Maps.


def _merge_map(original: Map | None, patch: Map, node: Node) -> Map:
    if _DIRECTIVE in patch:
        directive = patch[_DIRECTIVE]
        if directive == "replace":
            return {key: value for key, value in patch.items() if key != _DIRECTIVE}
        if directive == "delete":
            return {}
        raise PatchError(f"unknown patch type: {go_print(directive)} in map: {go_print(patch)}", 500)
    out = dict(original or {})
    patch = dict(patch)
    _retain_keys(out, patch)
    for key in [key for key in patch if key.startswith(_ORDER_PREFIX)]:
        _ordered_list(out, patch, key, node)
    for key, value in patch.items():
        _merge_field(out, key, value, node)
    return out


def _merge_field(out: Map, key: str, value: Any, node: Node) -> None:
    deleting = key.startswith(_DELETE_PREFIX)
    if deleting:
        key = _plain_key(key, _DELETE_PREFIX, _BAD_PRIMITIVE)
    if value is None:
        out.pop(key, None)
        return
    known: Any = out.get(key)
    if key not in out or go_type(known) != go_type(value):
        if not deleting:
            _set(out, key, _without_nulls(value))
        return
    if isinstance(value, dict):
        field = _look_up(node, key)
        out[key] = value if _strategy(field) == "replace" else _merge_map(known, value, field)
    elif isinstance(value, list):
        field = _look_up(node, key)
        if deleting or _strategy(field) == "merge":
            out[key] = _merge_list(known, value, field, deleting)
        else:
            out[key] = value
    else:
        out[key] = value


def _set(out: Map, key: str, value: Any) -> None:
    kept, made = _without_directives(value)
    if kept:
        out[key] = made
    else:
        out.pop(key, None)


def _plain_key(key: str, prefix: str, bad: str) -> str:
    head, slash, rest = key.partition("/")
    if not slash or head != prefix:
        raise PatchError(bad, 400)
    return rest


def _retain_keys(out: Map, patch: Map) -> None:
    """$retainKeys: drops every field of the original that it does not list."""
    if _RETAIN not in patch:
        return
    retained = patch.pop(_RETAIN)
    if not isinstance(retained, list):
        raise PatchError(_BAD_RETAIN, 400)
    for key, value in patch.items():
        if value is None or key.startswith((_DELETE_PREFIX, _ORDER_PREFIX)):
            continue
        if key not in retained:
            raise PatchError(_BAD_RETAIN, 400)
    for key in list(out):
        if key not in retained:
            del out[key]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _without_directives(value: Any) -> tuple[bool, Any]:
    """Whether a value that is new to the object is kept, and what of it."""
    if isinstance(value, dict):
        if _DIRECTIVE in value:
            return False, None
        out: Map = {}
        for key, item in value.items():
            kept, made = _without_directives(item)
            if kept:
                out[key] = made
        return True, out
    if isinstance(value, list):
        return True, [made for kept, made in map(_without_directives, value) if kept]
    return True, value


# Lists.


def _merge_list(original: List, patch: List, node: Node, deleting: bool) -> List:
    if not original and not patch:
        return original
    merge_key = node.merge_key
    if _item_type(original, patch) != "map":
        if deleting:
            return [item for item in original if not _within(patch, item)]
        merged: List = []
        for item in [*original, *patch]:
            if not _within(merged, item):
                merged.append(item)
        merge_key = ""
    else:
        if not merge_key:
            raise PatchError(f"cannot merge lists without merge key for {node.go_kind.removeprefix('[]')}", 500)
        original, patch = _special_items(original, patch, merge_key)
        merged = _merge_items(list(original), patch, merge_key, _item_of(node))
    return _in_order(merged, patch, original, merge_key)


def _same(a: Any, b: Any) -> bool:
    return go_type(a) == go_type(b) and bool(a == b)


def _within(items: List, wanted: Any) -> bool:
    return any(_same(item, wanted) for item in items)


def _item_type(*lists: List) -> str:
    found = ""
    for item in (item for part in lists for item in part):
        kind = "map" if isinstance(item, dict) else go_type(item)
        if kind == "[]interface {}":
            raise PatchError("lists of lists are not supported")
        if found and kind != found:
            raise PatchError(f"list element types are not identical: {go_print(list(lists))}", 500)
        found = kind
    return found


def _need_key(item: Map, merge_key: str) -> Any:
    if merge_key not in item:
        raise PatchError(f"map: {go_print(item)} does not contain declared merge key: {merge_key}", 500)
    return item[merge_key]


def _special_items(original: List, patch: List, merge_key: str) -> tuple[List, List]:
    """Obeys $patch in items: delete removes the item with the same key, replace drops all that was there."""
    plain: List = []
    replace = False
    for item in patch:
        directive = item.get(_DIRECTIVE)
        if _DIRECTIVE not in item:
            plain.append(item)
        elif directive == "delete":
            value = _need_key(item, merge_key)
            original = [known for known in original if not (merge_key in known and _same(known[merge_key], value))]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise PatchError("merging lists cannot yet be specified in the patch", 500)
        else:
            raise PatchError(f"unknown patch type: {go_print(directive)} in map: {go_print(item)}", 500)
    return (plain, []) if replace else (original, plain)


def _merge_items(merged: List, patch: List, merge_key: str, item_node: Node) -> List:
    for item in patch:
        value = _need_key(item, merge_key)
        for at, known in enumerate(merged):
            if merge_key in known and _same(known[merge_key], value):
                merged[at] = _merge_map(known, item, item_node)
                break
        else:
            merged.append(item)
    return merged


def _position(items: List, wanted: Any, merge_key: str) -> int:
    value = wanted.get(merge_key) if merge_key else wanted
    for at, item in enumerate(items):
        if _same(item.get(merge_key) if merge_key else item, value):
            return at
    return -1


def _in_order(merged: List, order: List, server_order: List, merge_key: str) -> List:
    """What the patch names in its order, among what only the server has, as near to the live order as can be."""
    mine: List = []
    theirs: List = []
    for item in merged:
        if merge_key:
            _need_key(item, merge_key)
        (mine if _position(order, item, merge_key) >= 0 else theirs).append(item)
    mine = _sorted(mine, order, merge_key)
    theirs = _sorted(theirs, server_order, merge_key)
    out: List = []
    i = j = 0
    while i < len(theirs) or j < len(mine):
        if j >= len(mine):
            out.append(theirs[i])
            i += 1
            continue
        if i < len(theirs):
            left = _position(server_order, theirs[i], merge_key)
            right = _position(server_order, mine[j], merge_key)
            if 0 <= left < right:
                out.append(theirs[i])
                i += 1
                continue
        out.append(mine[j])
        j += 1
    return out


def _sorted(items: List, order: List, merge_key: str) -> List:
    def compare(a: Any, b: Any) -> int:
        x, y = _position(order, a, merge_key), _position(order, b, merge_key)
        return (x > y) - (x < y) if x >= 0 and y >= 0 else 0

    return sorted(items, key=cmp_to_key(compare))


def _ordered_list(out: Map, patch: Map, key: str, node: Node) -> None:
    """$setElementOrder: merges the list that it names and puts the outcome in its order."""
    order = patch.pop(key)
    if not isinstance(order, list):
        raise PatchError(f"expected a []interface {{}}, but received a {go_type(order)}", 500)
    name = _plain_key(key, _ORDER_PREFIX, _BAD_ORDER)
    known, given = out.get(name), patch.get(name)
    for part, there in ((known, name in out), (given, name in patch)):
        if there and not isinstance(part, list):
            raise PatchError(f"expected a []interface {{}}, but received a {go_type(part)}", 500)
    field = _look_up(node, name)
    _check_order(given or [], order, field.merge_key)
    if name in out and name not in patch:
        merged = out[name]
    elif name in patch and name not in out:
        merged = _without_directives(patch[name])[1]
    elif name in patch:
        merged = _merge_list(out[name], patch[name], field, False) if _strategy(field) == "merge" else patch[name]
    else:
        return
    merge_key = field.merge_key if _item_type(known or [], given or []) == "map" else ""
    out[name] = _in_order(merged, order, _live_order(known or [], given or [], merge_key), merge_key)
    patch.pop(name, None)


def _live_order(known: List, given: List, merge_key: str) -> List:
    """The live list as Kubernetes sees it after the merge: its array is changed in place, so items that are new take the room
    of those that were deleted."""
    gone = [item[merge_key] for item in given if merge_key and item.get(_DIRECTIVE) == "delete" and merge_key in item]
    if not gone:
        return known
    left = [item for item in known if not _within(gone, item.get(merge_key))]
    fresh = [item for item in given if _DIRECTIVE not in item and _position(left, item, merge_key) < 0]
    return [*left, *fresh][: len(known)]


def _check_order(given: List, order: List, merge_key: str) -> None:
    if not given or not order:
        return
    wanted = [item for item in given if not (isinstance(item, dict) and _DIRECTIVE in item)]
    at = 0
    for item in order:
        if at < len(wanted) and _matches(wanted[at], item, merge_key):
            at += 1
    if at < len(wanted):
        raise PatchError(
            f"The order in patch list:\n{go_print(given)}\n doesn't match {_ORDER_PREFIX} list:\n{go_print(order)}\n", 500
        )


def _matches(a: Any, b: Any, merge_key: str) -> bool:
    if not merge_key:
        return _same(a, b)
    for item in (a, b):
        if not isinstance(item, dict):
            raise PatchError(f"expected a map[string]interface {{}}, but received a {go_type(item)}", 500)
    return _same(_need_key(a, merge_key), _need_key(b, merge_key))
