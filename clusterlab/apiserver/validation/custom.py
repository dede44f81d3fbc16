"""Custom resources: metadata, the schema of their definition, list types, rules, and the scale subresource's fields.

Follows apiextensions-apiserver/pkg/registry/customresource/{strategy,status_strategy,validator}.go and
pkg/apiserver/schema/listtype/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clusterlab.apiserver.validation.common import Errors, Obj
from clusterlab.apiserver.validation.custom_rules import has_rules, rule_errors
from clusterlab.apiserver.validation.formats import name_is_path_segment, name_is_subdomain
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.apiserver.validation.openapi_schema import UNSET, schema_errors
from clusterlab.machinery.field import duplicate, go_json, invalid, required

__all__ = ["create_custom", "list_types", "update_custom"]

_BLOCKING = frozenset((
    "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid",
))
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
)


def create_custom(obj: Obj, namespaced: bool, schema: Obj | None = None, subresources: Obj | None = None) -> Errors:
    """A new custom resource; `schema` and `subresources`: those of its version in the definition."""
    out = object_meta(obj, namespaced, name_is_subdomain, kube=False)
    if schema is None:
        return out + _scale(obj, subresources)
    out += schema_errors(obj, schema) + _scale(obj, subresources) + embedded_resources(obj, schema) + list_types(obj, schema)
    return out + _rules(obj, None, schema, out)


def update_custom(
    new: Obj, old: Obj, schema: Obj | None = None, subresources: Obj | None = None, subresource: str = ""
) -> Errors:
    """A changed custom resource, or its changed status."""
    out = object_meta_update(new, old, kube=False)
    if schema is None:
        return out + _scale(new, subresources, subresource == "status")
    if subresource == "status":
        part = (schema.get("properties") or {}).get("status") or {}
        if "status" in new:
            out += schema_errors(new["status"], part, "status", old.get("status", UNSET))
    else:
        out += schema_errors(new, schema, "", old)
    out += _scale(new, subresources, subresource == "status") + embedded_resources(new, schema)
    if not list_types(old, schema):
        out += list_types(new, schema)
    return out + _rules(new, old, schema, out)


def _rules(new: Obj, old: Obj | None, schema: Obj, found: Errors) -> Errors:
    if not has_rules(schema):
        return []
    if any(error.type in _BLOCKING for error in found):
        return [invalid("<nil>", None, _UNCHECKED)]
    return rule_errors(new, old, schema, root=True)


def _nested(obj: Obj, path: str) -> tuple[Any, str]:
    """The value at a simple path, and what is in the way of it."""
    value: Any = obj
    parts = path.lstrip(".").split(".")
    for i, part in enumerate(parts):
        if not isinstance(value, dict):
            found = f".{'.'.join(parts[:i + 1])} accessor error: {_go_value(value)} is of the type {_go_type(value)}"
            return None, f"{found}, expected map[string]interface{{}}"
        if part not in value:
            return None, ""
        value = value[part]
    return value, ""


def _go_type(value: Any) -> str:
    names = {bool: "bool", int: "int64", float: "float64", str: "string", list: "[]interface {}", dict: "map[string]interface {}"}
    return names.get(type(value), "<nil>")


def _go_value(value: Any) -> str:
    return value if isinstance(value, str) else go_json(value)


def _scale(obj: Obj, subresources: Obj | None, status_only: bool = False) -> Errors:
    scale = (subresources or {}).get("scale")
    if not scale:
        return []
    out: Errors = []
    for field in ("statusReplicasPath",) if status_only else ("specReplicasPath", "statusReplicasPath"):
        path = scale.get(field) or ""
        value, wrong = _nested(obj, path)
        if not wrong and value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            wrong = f"{path} accessor error: {_go_value(value)} is of the type {_go_type(value)}, expected int64"
        if wrong:
            out.append(invalid(path, 0, wrong))
        elif value is not None and value < 0:
            out.append(invalid(path, value, "should be a non-negative integer"))
        elif value is not None and value > 2**31 - 1:
            out.append(invalid(path, value, f"should be less than or equal to {2**31 - 1}"))
    path = scale.get("labelSelectorPath")
    if path:
        value, wrong = _nested(obj, path)
        if not wrong and value is not None and not isinstance(value, str):
            wrong = f"{path} accessor error: {_go_value(value)} is of the type {_go_type(value)}, expected string"
        if wrong:
            out.append(invalid(path, "", wrong))
    return out


def list_types(value: Any, schema: Any, path: str = "") -> Errors:
    """Duplicates in lists that are sets or maps."""
    if not isinstance(schema, dict):
        return []
    out: Errors = []
    if isinstance(value, list):
        kind = schema.get("x-kubernetes-list-type")
        if kind == "set":
            out += [duplicate(f"{path}[{i}]", value[i]) for i in _repeated(value)]
        elif kind == "map":
            out += _list_map(value, schema, path)
    for part, of, where in _parts(value, schema, path):
        out += list_types(part, of, where)
    return out


def embedded_resources(value: Any, schema: Obj | None) -> Errors:
    """What is wrong with the objects that stand inside of an object (pkg/apiserver/schema/objectmeta/validation.go)."""
    return _embedded_in(value, schema, "") if schema and _holds_embedded(schema) else []


def _embedded_in(value: Any, schema: Any, path: str) -> Errors:
    if not isinstance(schema, dict):
        return []
    out = _embedded(value, path) if isinstance(value, dict) and schema.get("x-kubernetes-embedded-resource") else []
    for part, of, where in _parts(value, schema, path):
        out += _embedded_in(part, of, where)
    return out


def _parts(value: Any, schema: Obj, path: str) -> Iterator[tuple[Any, Any, str]]:
    """The values that stand in a list or an object, each with its schema and its path."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield item, schema.get("items"), f"{path}[{i}]"
    elif isinstance(value, dict):
        known, rest = schema.get("properties") or {}, schema.get("additionalProperties")
        for key in sorted(value):
            if key in known:
                yield value[key], known[key], f"{path}.{key}" if path else key
            elif isinstance(rest, dict):
                yield value[key], rest, f"{path}[{key}]"


def _holds_embedded(schema: Obj) -> bool:
    parts = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return bool(schema.get("x-kubernetes-embedded-resource")) or any(isinstance(part, dict) and _holds_embedded(part) for part in parts)


def _embedded(value: Obj, path: str) -> Errors:
    out: Errors = []
    for field in ("apiVersion", "kind"):
        if field not in value:
            out.append(required(f"{path}.{field}"))
        elif value[field] == "":
            out.append(invalid(f"{path}.{field}", "", "must not be empty"))
    meta = value.get("metadata")
    if isinstance(meta, dict):
        named = {**value, "metadata": {"name": "fakename", **meta}}
        out += object_meta(named, "namespace" in meta, name_is_path_segment, f"{path}.metadata", kube=False)
    return out


def _repeated(items: list[Any]) -> list[int]:
    """Where an item occurs for the second time."""
    seen: dict[str, int] = {}
    out = []
    for i, item in enumerate(items):
        key = go_json(item)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 2:
            out.append(i)
    return out


def _list_map(items: list[Any], schema: Obj, path: str) -> Errors:
    for i, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            return [invalid(f"{path}[{i}]", item, "must be an object for an array of list-type map")]
    fields = schema.get("x-kubernetes-list-map-keys") or ()
    keys = [{field: item[field] for field in fields if field in item} if item else {} for item in items]
    return [duplicate(f"{path}[{i}]", keys[i]) for i in _repeated(keys)]
