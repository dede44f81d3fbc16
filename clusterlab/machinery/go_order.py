"""The order in which Go writes the fields of an object, as clients that read the bytes see it: kind and apiVersion first, then each
struct's fields in the order of its declaration (data/go_types.txt), and maps by key."""

from __future__ import annotations

from functools import cache
from typing import Any

from clusterlab.machinery.schema import Node, go_fields

__all__ = ["in_go_order"]


@cache
def _places(name: str) -> dict[str, int]:
    return {field: place for place, field in enumerate(go_fields(name))}


def in_go_order(value: Any, node: Node | None) -> Any:
    """The same value with its fields in Go's order. Custom resources, which have no Go type, are written by key."""
    if isinstance(value, list):
        item = node.item if node is not None and node.kind == "list" else None
        return [in_go_order(one, item) for one in value] if item is not None and item.kind in ("struct", "map", "list") else value
    if not isinstance(value, dict):
        return value
    if node is None or node.kind not in ("struct", "map"):
        return value
    if node.kind == "map":
        return {key: in_go_order(value[key], node.item) for key in sorted(value)}
    places = _places(node.name)
    keys = sorted(value, key=lambda key: (places.get(key, len(places)), key)) if places else sorted(value)
    return {key: _by_key(value[key]) if key == "fieldsV1" else in_go_order(value[key], node.fields.get(key)) for key in keys}


def _by_key(value: Any) -> Any:
    return {key: _by_key(value[key]) for key in sorted(value)} if isinstance(value, dict) else value
