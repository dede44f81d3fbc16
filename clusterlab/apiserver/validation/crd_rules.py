"""The rules of schemas, compiled: what they refer to must be in the schema, and they must evaluate to a bool.

Follows apiextensions-apiserver/pkg/apiserver/schema/cel/compilation.go and apiserver/pkg/cel/common/schemas.go.
"""

from __future__ import annotations

import json
from typing import Any

from clusterlab.apiserver.validation.cel import escape
from clusterlab.apiserver.validation.common import Errors, Obj
from clusterlab.apiserver.validation.custom_rules import uses_old_self
from clusterlab.machinery.cel_types import Type, check
from clusterlab.machinery.field import Raw, invalid

__all__ = ["rules_errors", "schema_type"]

_FORMATS = {"date": "timestamp", "date-time": "timestamp", "datetime": "timestamp", "duration": "duration", "byte": "bytes"}
_PLAIN = {"integer": "int", "number": "double", "boolean": "bool"}
_META = ("object", "object.metadata", {"name": "string", "generateName": "string"})


def schema_type(schema: Obj, name: str = "object", root: bool = False) -> Type:
    """The type that values of a structural schema have in expressions."""
    if schema.get("x-kubernetes-int-or-string"):
        return "dyn"
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items")
        return ("list", schema_type(items, f"{name}.@idx") if isinstance(items, dict) else "dyn")
    if kind == "object" or schema.get("properties"):
        rest, properties = schema.get("additionalProperties"), schema.get("properties") or {}
        if rest and not properties:
            return ("map", "string", schema_type(rest, f"{name}.@elem") if isinstance(rest, dict) else "dyn")
        fields = {key: schema_type(part, f"{name}.{key}") for key, part in properties.items() if isinstance(part, dict)}
        fields |= {escape(key): kind for key, kind in fields.items()}
        if root or schema.get("x-kubernetes-embedded-resource"):
            fields |= {"apiVersion": "string", "kind": "string", "metadata": _META}
        return ("object", name, fields)
    if kind == "string":
        return _FORMATS.get(schema.get("format") or "", "string")
    return _PLAIN.get(kind or "", "dyn")


def rules_errors(schema: Any, path: str, root: bool = True) -> Errors:
    """What is wrong with the rules of a schema and all below it."""
    if not isinstance(schema, dict):
        return []
    out: Errors = []
    rules = schema.get("x-kubernetes-validations") or ()
    if rules:
        own = schema_type(schema, root=root)
        for i, rule in enumerate(rules):
            out += _rule(rule or {}, f"{path}.x-kubernetes-validations[{i}]", own)
    for name, part in (schema.get("properties") or {}).items():
        out += rules_errors(part, f"{path}.properties[{name}]", False)
    out += rules_errors(schema.get("items"), f"{path}.items", False)
    return out + rules_errors(schema.get("additionalProperties"), f"{path}.additionalProperties", False)


def _rule(rule: Obj, path: str, own: Type) -> Errors:
    scope = {"self": own}
    if uses_old_self(rule):
        scope["oldSelf"] = "?" if rule.get("optionalOldSelf") else own
    out: Errors = []
    for field, needed, word in (("rule", "bool", "cel expression"), ("messageExpression", "string", "messageExpression")):
        expression = rule.get(field) or ""
        if not expression.strip():
            continue
        kind, wrong = check(expression, {**scope, "oldSelf": scope.get("oldSelf", own)} if field != "rule" else scope)
        shown = Raw(_shown(rule))
        if wrong:
            start = "" if field == "rule" else "messageExpression "
            out.append(invalid(f"{path}.{field}", shown, f"{start}compilation failed: {wrong}"))
        elif kind not in (needed, "?"):
            out.append(invalid(f"{path}.{field}", shown, f"{word} must evaluate to a {needed}"))
    return out


def _shown(rule: Obj) -> str:
    """A rule as Go prints it."""
    fields = {
        "Rule": rule.get("rule") or "", "Message": rule.get("message") or "", "MessageExpression": rule.get("messageExpression") or "",
        "Reason": rule.get("reason"), "FieldPath": rule.get("fieldPath") or "", "OptionalOldSelf": rule.get("optionalOldSelf"),
    }
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
