"""x-kubernetes-validations of custom resources. Follows apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go.

Rules that cel-python cannot run are let pass. Costs are counted as visited nodes (machinery/cel.py), not as Kubernetes estimates them.
"""

from __future__ import annotations

import re
from typing import Any

from clusterlab.apiserver.validation import cel
from clusterlab.apiserver.validation.common import Errors
from clusterlab.machinery.cel import is_spent, pay
from clusterlab.machinery.field import OMIT, duplicate, forbidden, go_json, invalid, required

__all__ = ["has_rules", "rule_errors", "uses_old_self"]

Json = dict[str, Any]

NO_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
_META = {"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}}
_ROOT = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _META}
_strings = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_old_self = re.compile(r"\boldSelf\b").search


def uses_old_self(rule: Json) -> bool:
    """Whether a rule compares with the value before."""
    return _old_self(_strings.sub('""', rule.get("rule") or "")) is not None


def has_rules(schema: Any) -> bool:
    """Whether any rule is in this schema."""
    if not isinstance(schema, dict):
        return False
    if schema.get("x-kubernetes-validations"):
        return True
    below = [schema.get("items"), schema.get("additionalProperties"), *(schema.get("properties") or {}).values(),
             *(schema.get("allOf") or ())]
    return any(map(has_rules, below))


def rule_errors(value: Any, old: Any, schema: Json, path: str = "", root: bool = False) -> Errors:
    """The rules that a value breaks; `old`: the value before, None if there was none."""
    if value is None:
        return []
    out = _rules(value, old, schema, path, root)
    for part in schema.get("allOf") or ():
        out += rule_errors(value, old, part, path)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        before = _correlated(schema, old)
        for i, item in enumerate(value):
            out += rule_errors(item, before.get(_key(schema, item)), schema["items"], f"{path}[{i}]")
    elif isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        rest = schema.get("additionalProperties")
        known = schema.get("properties") or {}
        for key in sorted(value):
            if isinstance(rest, dict) and key not in known:
                out += rule_errors(value[key], before.get(key), rest, f"{path}[{key}]")
            elif key in known:
                out += rule_errors(value[key], before.get(key), known[key], f"{path}.{key}" if path else key)
    return out


def _key(schema: Json, item: Any) -> str:
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    return go_json([item.get(key) for key in keys]) if isinstance(item, dict) else ""


def _correlated(schema: Json, old: Any) -> dict[str, Any]:
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return {}
    return {_key(schema, item): item for item in old}


def _rules(value: Any, old: Any, schema: Json, path: str, root: bool) -> Errors:
    rules = schema.get("x-kubernetes-validations")
    if not rules:
        return []
    shown = {**schema, "properties": {**(schema.get("properties") or {}), **_ROOT}} if root else schema
    if root:
        value = {**value, "metadata": {k: v for k, v in (value.get("metadata") or {}).items() if k in ("name", "generateName")}}
        if isinstance(old, dict):
            old = {**old, "metadata": {k: v for k, v in (old.get("metadata") or {}).items() if k in ("name", "generateName")}}
    if is_spent():
        return [invalid(path or "<nil>", schema.get("type") or "", NO_BUDGET)]
    pay(_size(value) // 10)
    variables = {"self": cel.from_json(value, shown)}
    if old is not None:
        variables["oldSelf"] = cel.from_json(old, shown)
    out: Errors = []
    for rule in rules:
        if is_spent():
            return [*out, invalid(path or "<nil>", schema.get("type") or "", NO_BUDGET)]
        transition = uses_old_self(rule)
        if transition and (old is None or rule.get("optionalOldSelf")):
            continue
        if not transition and old is not None and old == value:
            continue
        out += _broken(rule, variables, value, schema, path or "<nil>")
    return out


def _size(value: Any) -> int:
    """How many values there are in a value."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _broken(rule: Json, variables: dict[str, Any], value: Any, schema: Json, path: str) -> Errors:
    text = (rule.get("rule") or "").strip()
    program = cel.compile_cel(text)
    if program is None:
        return []
    kind = schema.get("type") or ""
    message = (rule.get("message") or "").strip()
    try:
        if program(variables):
            return []
    except cel.CelError as error:
        return [invalid(path, kind, f"{error} evaluating rule: {message or text}")]
    except cel.UnsupportedCel:
        return []
    detail = _message(rule, variables) or message or f"failed rule: {text}"
    if rule.get("fieldPath"):
        below = rule["fieldPath"].lstrip(".")
        path = below if path == "<nil>" else f"{path}.{below}"
    bad = OMIT if kind in ("object", "array") else value
    reason = rule.get("reason")
    if reason == "FieldValueForbidden":
        return [forbidden(path, detail)]
    if reason == "FieldValueRequired":
        return [required(path, detail)]
    return [duplicate(path, bad) if reason == "FieldValueDuplicate" else invalid(path, bad, detail)]


def _message(rule: Json, variables: dict[str, Any]) -> str:
    program = cel.compile_cel(rule.get("messageExpression") or "") if rule.get("messageExpression") else None
    if program is None:
        return ""
    try:
        made = program(variables)
    except (cel.CelError, cel.UnsupportedCel):
        return ""
    text = str(made).strip() if isinstance(made, str) else ""
    return "" if "\n" in text else text
