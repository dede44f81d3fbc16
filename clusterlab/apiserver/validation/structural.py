"""Structural schemas: what a CustomResourceDefinition's schema must look like.

Follows apiextensions-apiserver/pkg/apiserver/schema/{convert,validation,complete}.go. Errors come sorted by their text.
"""

from __future__ import annotations

from typing import Any

import re2  # type: ignore[import-untyped]  # comes with cel-python

from clusterlab.apiserver.validation.common import Errors, Obj
from clusterlab.machinery.field import FieldError, forbidden, invalid, required

__all__ = ["structural_errors", "unsupported"]

_ROOT, _ITEM, _FIELD = "must not be empty at the root", "must not be empty for specified array items", (
    "must not be empty for specified object fields"
)
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_GENERIC = ("title", "description")
_EXTENSIONS = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string")


def _parts(schema: Obj) -> list[Any]:
    rest, items = schema.get("additionalProperties"), schema.get("items")
    return [
        schema.get("not"), *(schema.get("allOf") or ()), *(schema.get("anyOf") or ()), *(schema.get("oneOf") or ()), items, rest,
        *(schema.get("properties") or {}).values(),
    ]


def unsupported(schema: Any) -> str:
    """Why no structural schema can be made of this one."""
    if not isinstance(schema, dict):
        return ""
    for name in ("id", "schema", "$ref"):
        if schema.get(name):
            return f"OpenAPIV3Schema '{name}' is not supported"
    if schema.get("$schema"):
        return "OpenAPIV3Schema 'schema' is not supported"
    for name in ("patternProperties", "dependencies", "additionalItems", "definitions"):
        if schema.get(name):
            return f"OpenAPIV3Schema '{name}' is not supported"
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
    if isinstance(schema.get("items"), list):
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    return next(filter(None, map(unsupported, _parts(schema))), "")


def structural_errors(schema: Obj, path: str) -> Errors:
    """What keeps a schema from being structural."""
    out = _invariants(schema, _ROOT, path) + _complete(schema, schema, path, path)
    return sorted(out, key=FieldError.text)


def _invariants(schema: Any, level: str, path: str) -> Errors:
    if not isinstance(schema, dict):
        return []
    kind = schema.get("type") or ""
    properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    out: Errors = []
    if kind == "array" and schema.get("items") is None:
        out.append(required(f"{path}.items", "must be specified"))
    out += _invariants(schema.get("items"), _ITEM, f"{path}.items")
    for key, part in properties.items():
        out += _invariants(part, _FIELD, f"{path}.properties[{key}]")
    if rest is not None:
        if level is _ROOT:
            out.append(forbidden(f"{path}.additionalProperties", "must not be used at the root"))
        out += _invariants(rest, _FIELD, f"{path}.additionalProperties")
    out += _extensions(schema, path) + _value_validation(schema, path, _is_int_or_string(schema), _is_all_of_pattern(schema))
    out += _kinds(schema, kind, level, path, embedded)
    if embedded and rest is not None:
        out.append(forbidden(f"{path}.additionalProperties", "must not be used if x-kubernetes-embedded-resource is set"))
    if level is _ROOT and kind and kind != "object":
        out.append(invalid(f"{path}.type", kind, "must be object at the root"))
    if level is _ROOT or embedded:
        for name in ("kind", "apiVersion"):
            if name in properties and (properties[name] or {}).get("type") != "string":
                shown = (properties[name] or {}).get("type") or ""
                out.append(invalid(f"{path}.properties[{name}].type", shown, "must be string"))
    if "metadata" in properties:
        out += _metadata(properties["metadata"] or {}, level, embedded, f"{path}.properties[metadata]")
    if embedded and not schema.get("x-kubernetes-preserve-unknown-fields") and not properties:
        out.append(required(
            f"{path}.properties",
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        ))
    return out


def _kinds(schema: Obj, kind: str, level: str, path: str, embedded: bool) -> Errors:
    if embedded and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        return [invalid(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail)]
    if not kind and not schema.get("x-kubernetes-int-or-string") and not schema.get("x-kubernetes-preserve-unknown-fields"):
        return [required(f"{path}.type", level)]
    return []


def _extensions(schema: Obj, path: str) -> Errors:
    if not schema.get("x-kubernetes-int-or-string"):
        return []
    detail = "must be false if x-kubernetes-int-or-string is true"
    return [
        invalid(f"{path}.{name}", True, detail)
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource") if schema.get(name)
    ]


def _metadata(schema: Obj, level: str, embedded: bool, path: str) -> Errors:
    out: Errors = []
    if (level is _ROOT or embedded) and schema.get("type") != "object":
        out.append(invalid(f"{path}.type", schema.get("type") or "", "must be object"))
    if level is _ROOT:
        named = set(schema.get("properties") or {}) <= {"name", "generateName"}
        rest = {key for key, value in schema.items() if value not in (None, "", [], {}, False)} - {"type", "default"}
        if (rest - {"properties"}) or not named:
            detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            out.append(forbidden(path, detail))
    return out


def _is_int_or_string(schema: Obj) -> bool:
    return schema.get("anyOf") == _INT_OR_STRING


def _is_all_of_pattern(schema: Obj) -> bool:
    all_of: list[Any] = schema.get("allOf") or []
    return bool(all_of) and isinstance(all_of[0], dict) and _is_int_or_string(all_of[0])


def _value_validation(schema: Obj, path: str, skip_any_of: bool, skip_first: bool) -> Errors:
    out: Errors = []
    if not skip_any_of:
        for i, part in enumerate(schema.get("anyOf") or ()):
            out += _nested(part, f"{path}.anyOf[{i}]", False)
    for i, part in enumerate(schema.get("allOf") or ()):
        out += _nested(part, f"{path}.allOf[{i}]", skip_first and i == 0)
    for i, part in enumerate(schema.get("oneOf") or ()):
        out += _nested(part, f"{path}.oneOf[{i}]", False)
    out += _nested(schema.get("not"), f"{path}.not", False)
    pattern = schema.get("pattern")
    wrong = _regex_error(pattern) if pattern else ""
    if wrong:
        detail = f"must be a valid regular expression, but isn't: error parsing regexp: {wrong}"
        out.append(invalid(f"{path}.pattern", pattern, detail))
    return out


def _regex_error(pattern: str) -> str:
    """What RE2 says of a pattern."""
    try:
        re2.compile(pattern, _QUIET)
    except re2.error as error:
        text = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        why, _, part = text.partition(": ")
        return f"{_GO_WORDS.get(why, why)}: `{pattern if why == 'unexpected )' else part}`"
    return ""


_QUIET = re2.Options()
_QUIET.log_errors = False
#: What RE2 for C++ says, as Go's says it.
_GO_WORDS = {
    "missing )": "missing closing )", "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator", "trailing \\": "trailing backslash at end of expression",
    "invalid perl operator": "invalid or unsupported Perl syntax", "invalid repetition size": "invalid repeat count",
}


def _nested(schema: Any, path: str, skip_any_of: bool) -> Errors:
    if not isinstance(schema, dict):
        return []
    out = _value_validation(schema, path, skip_any_of, False)
    out += _nested(schema.get("items"), f"{path}.items", False)
    properties = schema.get("properties") or {}
    for key, part in properties.items():
        out += _nested(part, f"{path}.properties[{key}]", False)
    if schema.get("type"):
        out.append(forbidden(f"{path}.type", "must be empty to be structural"))
    if schema.get("additionalProperties"):
        out.append(forbidden(f"{path}.additionalProperties", "must be undefined to be structural"))
    if schema.get("default") is not None:
        out.append(forbidden(f"{path}.default", "must be undefined to be structural"))
    for name in _GENERIC:
        if schema.get(name):
            out.append(forbidden(f"{path}.{name}", "must be empty to be structural"))
    if schema.get("nullable"):
        out.append(forbidden(f"{path}.nullable", "must be false to be structural"))
    for name in _EXTENSIONS:
        if schema.get(name):
            out.append(forbidden(f"{path}.{name}", "must be false to be structural"))
    if schema.get("x-kubernetes-list-map-keys"):
        out.append(forbidden(f"{path}.x-kubernetes-list-map-keys", "must be empty to be structural"))
    for name in ("x-kubernetes-list-type", "x-kubernetes-map-type"):
        if schema.get(name) is not None:
            out.append(forbidden(f"{path}.{name}", "must be undefined to be structural"))
    if schema.get("x-kubernetes-validations"):
        out.append(forbidden(f"{path}.x-kubernetes-validations", "must be empty to be structural"))
    if "metadata" in properties:
        out.append(forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context"))
    return out


def _complete(values: Any, schema: Any, path: str, at: str) -> Errors:
    """What value validations speak of must be specified outside of them."""
    if not isinstance(values, dict):
        return []
    out: Errors = []
    if values.get("not") is not None:
        out += _complete_nested(values["not"], schema, path, f"{at}.not")
    for name in ("allOf", "anyOf", "oneOf"):
        for i, part in enumerate(values.get(name) or ()):
            out += _complete_nested(part, schema, path, f"{at}.{name}[{i}]")
    return out


def _complete_nested(values: Any, schema: Any, path: str, at: str) -> Errors:
    if not isinstance(values, dict):
        return []
    if not isinstance(schema, dict):
        return [required(path, f"because it is defined in {at}")]
    out = _complete(values, schema, path, at)
    out += _complete_nested(values.get("items"), schema.get("items"), f"{path}.items", f"{at}.items")
    known = schema.get("properties") or {}
    for key, part in (values.get("properties") or {}).items():
        where, what = f"{path}.properties[{key}]", f"{at}.properties[{key}]"
        if key not in known:
            out.append(required(where, f"because it is defined in {what}"))
        else:
            out += _complete_nested(part, known[key], where, what)
    return out
