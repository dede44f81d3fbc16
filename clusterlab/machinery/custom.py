"""Custom resources: decoding without Go types: metadata as usual, fields that the schema does not name pruned, defaults set.

Follows staging/src/k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{pruning/algorithm,defaulting/algorithm}.go and
pkg/apiserver/customresource_handler.go (schemaCoercingDecoder). Validation against the schema is not done here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusterlab.machinery import errors
from clusterlab.machinery.convert import DecodeError, decode_node, strict_error
from clusterlab.machinery.field import go_quote
from clusterlab.machinery.schema import Node, node_of

__all__ = ["decode_custom", "prune", "with_defaults"]

Json = dict[str, Any]

_OWN = ("apiVersion", "kind", "metadata")


def decode_custom(
    node: Node, version: str, kind: str, body: Any, validation: str = "Strict", duplicates: Iterable[str] = (),
) -> tuple[Json, list[str]]:
    """Decodes a custom resource by its type (`schema.from_openapi`): (object, warnings); raises StatusError (400)."""
    head = f'{kind} in version "{version}" cannot be handled as a {kind}: '
    if not isinstance(body, dict):
        raise errors.bad_request(f"{head}json: cannot unmarshal into Go value of type map[string]interface {{}}")
    try:
        meta, unknown = _metadata(body.get("metadata"))
    except DecodeError as error:
        raise errors.bad_request(head + str(error)) from None
    rest, pruned = prune({key: value for key, value in body.items() if key != "metadata"}, node)
    problems = [*duplicates, *unknown, *pruned]
    if problems and validation == "Strict":
        raise errors.bad_request(head + strict_error(problems))
    return {**rest, "metadata": meta}, problems if validation == "Warn" else []


def _metadata(value: Any) -> tuple[Json, list[str]]:
    """The metadata by way of a kind that holds nothing else, so that errors name its fields from the root."""
    node = node_of("", "v1", "ConfigMap")
    assert node is not None
    made, unknown = decode_node(node, {"metadata": value if value is not None else {}})
    meta: Json = made["metadata"]
    return meta, unknown


def prune(value: Json, node: Node) -> tuple[Json, list[str]]:
    """An object without the fields that its schema neither names nor preserves: (object, what was dropped)."""
    dropped: list[str] = []
    out = _pruned(value, node, "", dropped)
    assert isinstance(out, dict)
    return out, dropped


def _pruned(value: Any, node: Node, path: str, dropped: list[str]) -> Any:
    if isinstance(value, dict):
        if node.kind == "struct":
            return _pruned_struct(value, node, path, dropped)
        if node.kind == "map" and node.item is not None:
            made = {key: _pruned(item, node.item, f"{path}.{key}", dropped) for key, item in value.items()}
            return _shared(value, made)
    elif isinstance(value, list) and node.item is not None:
        items = [_pruned(item, node.item, f"{path}[{i}]", dropped) for i, item in enumerate(value)]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def _pruned_struct(value: Json, node: Node, path: str, dropped: list[str]) -> Json:
    out = {}
    for key, item in value.items():
        below = f"{path}.{key}" if path else key
        field = node.fields.get(key)
        if field is not None:
            out[key] = _pruned(item, field, below, dropped) if key not in _OWN else item
        elif node.preserve:
            out[key] = item
        else:
            dropped.append(f"unknown field {go_quote(below)}")
    return _shared(value, out)


def _shared(old: Json, new: Json) -> Json:
    return old if len(old) == len(new) and all(new[key] is value for key, value in old.items()) else new


def with_defaults(value: Any, schema: Json) -> Any:
    """A value with the defaults of its openAPIV3Schema set where a field is missing, or null without being nullable."""
    if isinstance(value, dict):
        out = dict(value)
        for key, part in (schema.get("properties") or {}).items():
            missing = key not in out or (out[key] is None and not part.get("nullable"))
            if missing and "default" in part:
                out[key] = part["default"]
            if key in out:
                out[key] = with_defaults(out[key], part)
        values = schema.get("additionalProperties")
        if isinstance(values, dict):
            known = schema.get("properties") or {}
            for key, item in out.items():
                if key not in known:
                    out[key] = with_defaults(item, values)
        return _shared(value, out)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        items = [with_defaults(item, schema["items"]) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value
