"""The schemas of CustomResourceDefinitions. Follows apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go
(ValidateCustomResourceDefinitionOpenAPISchema) and pkg/apiserver/schema/defaulting/validation.go.

What rules cost is not estimated.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from clusterlab.apiserver.validation.common import Errors, Obj
from clusterlab.apiserver.validation.crd_rules import rules_errors
from clusterlab.apiserver.validation.custom_rules import uses_old_self
from clusterlab.apiserver.validation.openapi_schema import schema_errors
from clusterlab.apiserver.validation.structural import structural_errors, unsupported
from clusterlab.machinery.custom import prune
from clusterlab.machinery.field import FieldError, forbidden, invalid, not_supported, required
from clusterlab.machinery.schema import from_openapi

__all__ = ["validation_errors"]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_META = ("metadata", "kind", "apiVersion")
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_AT_ROOT = {
    "description": "Description", "type": "Type", "format": "Format", "title": "Title", "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum", "minimum": "Minimum", "exclusiveMinimum": "ExclusiveMinimum", "maxLength": "MaxLength",
    "minLength": "MinLength", "pattern": "Pattern", "maxItems": "MaxItems", "minItems": "MinItems", "uniqueItems": "UniqueItems",
    "multipleOf": "MultipleOf", "required": "Required", "items": "Items", "properties": "Properties",
    "externalDocs": "ExternalDocs", "example": "Example", "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}
_LEFT_OUT = (
    ("id", "id is not supported"), ("additionalItems", "additionalItems is not supported"),
    ("patternProperties", "patternProperties is not supported"), ("definitions", "definitions is not supported"),
    ("dependencies", "dependencies is not supported"), ("$ref", "$ref is not supported"),
)


class _Where(NamedTuple):
    """What holds at a place of a schema."""

    reason: str | None = None
    in_meta: bool = False
    no_old_self: str = ""


def validation_errors(schema: Obj, path: str, status: bool) -> Errors:
    """What is wrong with the schema of a version; `status`: the status subresource is enabled."""
    out: Errors = []
    if status:
        out += _root_fields(schema, path)
    if schema.get("nullable"):
        out.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    why = unsupported(schema)
    if not why:
        out += structural_errors(schema, path) or _defaults(schema, path, True, False)
    out += _schema(schema, path, _Where(), True)
    if not out and not why:
        out += rules_errors(schema, path)
    return [invalid(path, "", why)] if why and not out else out


def _root_fields(schema: Obj, path: str) -> Errors:
    for name, value in schema.items():
        if value in (None, "", [], {}, False):
            continue
        if name == "type":
            if value != "object":
                detail = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
                return [invalid(f"{path}.type", value, detail)]
        elif name not in _AT_ROOT:
            allowed = " ".join(_AT_ROOT.values())
            detail = f"only [{allowed}] fields are allowed at the root of the schema if the status subresource is enabled"
            return [invalid(path, schema, detail)]
    return []


def _schema(schema: Any, path: str, where: _Where, root: bool = False) -> Errors:
    if not isinstance(schema, dict):
        return []
    out = _standard(schema, path, where)
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        out.append(forbidden(f"{path}.uniqueItems", detail))
    out += _below(schema, path, where, root)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        out.append(invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"))
    out += _topology(schema, path)
    for i, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        out += _rule(rule or {}, f"{path}.x-kubernetes-validations[{i}]", where, schema)
    return out


def _standard(schema: Obj, path: str, where: _Where) -> Errors:
    kind = schema.get("type")
    out: Errors = []
    if kind and kind not in _TYPES:
        out.append(not_supported(f"{path}.type", kind, _TYPES))
    if schema.get("default") is not None and where.reason is not None:
        out.append(forbidden(f"{path}.default", f"must not be set {where.reason}"))
    out += [forbidden(f"{path}.{name}", detail) for name, detail in _LEFT_OUT if schema.get(name)]
    if kind == "null":
        out.append(forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative"))
    if isinstance(schema.get("items"), list):
        out.append(forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if where.in_meta and schema.get("x-kubernetes-embedded-resource"):
        out.append(forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta"))
    return out


def _below(schema: Obj, path: str, where: _Where, root: bool) -> Errors:
    properties, rest, items = schema.get("properties") or {}, schema.get("additionalProperties"), schema.get("items")
    out: Errors = []
    if rest is not None:
        if properties and rest is not True:
            out.append(forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"))
        inside = where
        if where.in_meta:
            inside = where._replace(reason="inside additionalProperties applying to object metadata")
        out += _schema(rest, f"{path}.additionalProperties", inside)
    embedded = root or schema.get("x-kubernetes-embedded-resource")
    for key in sorted(properties):
        inside = where
        if embedded and key in _META:
            inside = inside._replace(in_meta=True)
            if root:
                inside = inside._replace(reason=f"in top-level {key}")
        out += _schema(properties[key], f"{path}.properties[{key}]", inside)
    out += _schema(schema.get("not"), f"{path}.not", where)
    for name in ("allOf", "oneOf", "anyOf"):
        for i, part in enumerate(schema.get(name) or ()):
            out += _schema(part, f"{path}.{name}[{i}]", where)
    if isinstance(items, dict):
        inside = where
        if schema.get("x-kubernetes-list-type") != "map" and not where.no_old_self:
            inside = where._replace(no_old_self=path)
        out += _schema(items, f"{path}.items", inside)
    return out


def _typed(schema: Obj, path: str, kind: str, name: str) -> Errors:
    found = schema.get("type") or ""
    if schema.get(name) is None or found == kind:
        return []
    detail = f"must be {kind} if {name} is specified"
    return [invalid(f"{path}.type", found, detail) if found else required(f"{path}.type", detail)]


def _topology(schema: Obj, path: str) -> Errors:
    map_type, list_type = schema.get("x-kubernetes-map-type"), schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or []
    out = _typed(schema, path, "object", "x-kubernetes-map-type")
    if map_type is not None and map_type not in ("atomic", "granular"):
        out.append(not_supported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular")))
    wrong = _typed(schema, path, "array", "x-kubernetes-list-type")
    out += wrong
    item = schema.get("items") if isinstance(schema.get("items"), dict) else None
    if not wrong and list_type == "set" and item:
        out += _set_items(item, f"{path}.items")
    if list_type is not None and list_type not in ("atomic", "set", "map"):
        out.append(not_supported(f"{path}.x-kubernetes-list-type", list_type, ("atomic", "set", "map")))
    if keys and list_type != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        at = f"{path}.x-kubernetes-list-type"
        out.append(required(at, detail) if list_type is None else invalid(at, list_type, detail))
    if list_type == "map":
        out += _list_map(schema, item, keys, path)
    if item is not None and list_type in ("set", "map"):
        out += _map_keys(item, keys, list_type, f"{path}.items")
    return out


def _set_items(item: Obj, path: str) -> Errors:
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if item.get("type") == "array" and item.get("x-kubernetes-list-type") not in (None, "atomic"):
        return [invalid(f"{path}.x-kubernetes-list-type", item["x-kubernetes-list-type"], detail)]
    if item.get("type") == "object" and item.get("x-kubernetes-map-type") != "atomic":
        return [invalid(f"{path}.x-kubernetes-map-type", item.get("x-kubernetes-list-type"), detail)]
    return []


def _list_map(schema: Obj, item: Obj | None, keys: list[str], path: str) -> Errors:
    out: Errors = []
    if not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        out.append(required(f"{path}.x-kubernetes-list-map-keys", detail))
    if schema.get("items") is None:
        out.append(required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map"))
    if item is None:
        return out
    kind = item.get("type") or ""
    if kind != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        return [*out, invalid(f"{path}.items.type", kind, detail)]
    properties, seen = item.get("properties") or {}, set()
    for key in keys:
        at = f"{path}.x-kubernetes-list-map-keys"
        if key not in properties:
            out.append(invalid(at, keys, "entries must all be names of item properties"))
        elif (properties[key] or {}).get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            out.append(invalid(f"{path}.items.properties[{key}].type", kind, detail))
        if key in seen:
            out.append(invalid(at, keys, "must not contain duplicate entries"))
        seen.add(key)
    return out


def _map_keys(item: Obj, keys: list[str], list_type: str, path: str) -> Errors:
    out: Errors = []
    if item.get("nullable"):
        out.append(forbidden(f"{path}.nullable", f"cannot be nullable when x-kubernetes-list-type is {list_type}"))
    if list_type != "map":
        return out
    properties, needed = item.get("properties") or {}, item.get("required") or ()
    for key in keys:
        part = properties.get(key)
        if not isinstance(part, dict):
            continue
        at = f"{path}.properties[{key}]"
        if key not in needed and part.get("default") is None:
            detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            out.append(required(f"{at}.default", detail))
        if part.get("nullable"):
            detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            out.append(forbidden(f"{at}.nullable", detail))
    return out


def _lines(text: str) -> bool:
    return "\n" in text or "\r" in text


_token = re.compile(r"\.|\[|\]|'(?:\\.|[^'\\])*'|[^.\[\]']+").findall


def _is_field_path(path: str, schema: Obj) -> bool:
    """Whether a JSON path like `.spec['a.b']` names a field of the schema (apiserver/schema/cel/validation.go, ValidFieldPath)."""
    tokens = _token(path)
    if "".join(tokens) != path:
        return False
    while tokens:
        mark, *tokens = tokens
        if mark == "[" and len(tokens) > 1 and tokens[0][0] == "'" and tokens[1] == "]":
            name, tokens = tokens[0][1:-1], tokens[2:]
        elif mark == "." and tokens:
            name, *tokens = tokens
        else:
            return False
        properties, rest = schema.get("properties"), schema.get("additionalProperties")
        below = properties.get(name) if properties else rest
        if not isinstance(below, dict):
            return False
        schema = below
    return True


def _rule(rule: Obj, path: str, where: _Where, schema: Obj) -> Errors:
    source, message, expression = (rule.get(name) or "" for name in ("rule", "message", "messageExpression"))
    out: Errors = []
    if not source.strip():
        out.append(required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        out.append(invalid(f"{path}.message", message, "must be non-empty if specified"))
    elif _lines(message.strip()):
        out.append(invalid(f"{path}.message", message, "must not contain line breaks"))
    elif _lines(source.strip()) and not message.strip():
        out.append(required(f"{path}.message", "message must be specified if rule contains line breaks"))
    if expression and not expression.strip():
        out.append(required(f"{path}.messageExpression", "messageExpression must be non-empty if specified"))
    if rule.get("reason") is not None and rule["reason"] not in _REASONS:
        out.append(not_supported(f"{path}.reason", rule["reason"], _REASONS))
    below = rule.get("fieldPath") or ""
    if below and not below.strip():
        out.append(invalid(f"{path}.fieldPath", below, "must be non-empty if specified"))
    if _lines(below):
        out.append(invalid(f"{path}.fieldPath", below, "must not contain line breaks"))
    if below and not _is_field_path(below, schema):
        out.append(invalid(f"{path}.fieldPath", below, "must be a valid path"))
    if out:
        return out
    if uses_old_self(rule) and where.no_old_self:
        detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {where.no_old_self}"
        out.append(invalid(f"{path}.rule", source, detail))
    elif not uses_old_self(rule) and rule.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        out.append(invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], detail))
    return out


def _defaults(schema: Any, path: str, embedded: bool, in_meta: bool) -> Errors:
    """Defaults must fit their own schemas, and have no fields that it does not know."""
    if not isinstance(schema, dict):
        return []
    out: list[FieldError] = []
    if schema.get("x-kubernetes-embedded-resource"):
        embedded, in_meta = True, False
    default = schema.get("default")
    if default is not None:
        if isinstance(default, dict) and not in_meta and prune(default, from_openapi(schema))[1]:
            out.append(invalid(f"{path}.default", default, "must not have unknown fields"))
        out += schema_errors(default, schema, f"{path}.default")
    out += _defaults(schema.get("items"), f"{path}.items", False, in_meta)
    for key, part in sorted((schema.get("properties") or {}).items()):
        out += _defaults(part, f"{path}.properties[{key}]", False, in_meta or (embedded and key in _META))
    return out
