"""How Go prints the versions of a CustomResourceDefinition in error messages: the internal types of
apiextensions-apiserver/pkg/apis/apiextensions/{types.go,types_jsonschema.go}, by their Go names.

What all versions have in common is kept beside them there (apis/apiextensions/v1/conversion.go), so it is null in each version.
"""

from __future__ import annotations

import json
from typing import Any

from clusterlab.apiserver.validation.common import Obj, struct, structs, text
from clusterlab.machinery.field import Raw, escape_html

__all__ = ["go_versions"]

#: (Go name, JSON name, what Go writes where there is none).
_SCHEMA: tuple[tuple[str, str, Any], ...] = (
    ("ID", "id", ""), ("Schema", "$schema", ""), ("Ref", "$ref", None), ("Description", "description", ""), ("Type", "type", ""),
    ("Nullable", "nullable", False), ("Format", "format", ""), ("Title", "title", ""), ("Default", "default", None),
    ("Maximum", "maximum", None), ("ExclusiveMaximum", "exclusiveMaximum", False), ("Minimum", "minimum", None),
    ("ExclusiveMinimum", "exclusiveMinimum", False), ("MaxLength", "maxLength", None), ("MinLength", "minLength", None),
    ("Pattern", "pattern", ""), ("MaxItems", "maxItems", None), ("MinItems", "minItems", None), ("UniqueItems", "uniqueItems", False),
    ("MultipleOf", "multipleOf", None), ("Enum", "enum", None), ("MaxProperties", "maxProperties", None),
    ("MinProperties", "minProperties", None), ("Required", "required", None), ("Items", "items", None), ("AllOf", "allOf", None),
    ("OneOf", "oneOf", None), ("AnyOf", "anyOf", None), ("Not", "not", None), ("Properties", "properties", None),
    ("AdditionalProperties", "additionalProperties", None), ("PatternProperties", "patternProperties", None),
    ("Dependencies", "dependencies", None), ("AdditionalItems", "additionalItems", None), ("Definitions", "definitions", None),
    ("ExternalDocs", "externalDocs", None), ("Example", "example", None),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", None),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", False), ("XIntOrString", "x-kubernetes-int-or-string", False),
    ("XListMapKeys", "x-kubernetes-list-map-keys", None), ("XListType", "x-kubernetes-list-type", None),
    ("XMapType", "x-kubernetes-map-type", None), ("XValidations", "x-kubernetes-validations", None),
)
_COLUMN = (
    ("Name", "name", ""), ("Type", "type", ""), ("Format", "format", ""), ("Description", "description", ""), ("Priority", "priority", 0),
    ("JSONPath", "jsonPath", ""),
)
_SCALE = (("SpecReplicasPath", "specReplicasPath", ""), ("StatusReplicasPath", "statusReplicasPath", ""),
          ("LabelSelectorPath", "labelSelectorPath", None))
_RULE = (
    ("Rule", "rule", ""), ("Message", "message", ""), ("MessageExpression", "messageExpression", ""), ("Reason", "reason", None),
    ("FieldPath", "fieldPath", ""), ("OptionalOldSelf", "optionalOldSelf", None),
)


def _plain(rows: tuple[tuple[str, str, Any], ...], value: Obj) -> Obj:
    return {go: value.get(name, empty) for go, name, empty in rows}


def _schema(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    out = _plain(_SCHEMA, value)
    for key in ("AllOf", "OneOf", "AnyOf"):
        if out[key] is not None:
            out[key] = [_schema(one) for one in out[key]]
    for key in ("Properties", "PatternProperties", "Definitions"):
        if out[key] is not None:
            out[key] = {name: _schema(out[key][name]) for name in sorted(out[key])}
    if out["Not"] is not None:
        out["Not"] = _schema(out["Not"])
    if out["Items"] is not None:
        out["Items"] = {"Schema": _schema(out["Items"]), "JSONSchemas": None}
    for key in ("AdditionalProperties", "AdditionalItems"):
        if out[key] is not None:
            more = out[key]
            out[key] = {"Allows": more, "Schema": None} if isinstance(more, bool) else {"Allows": True, "Schema": _schema(more)}
    if out["XValidations"] is not None:
        out["XValidations"] = [_plain(_RULE, rule) for rule in out["XValidations"]]
    return out


def _parts(version: Obj) -> tuple[Any, Any, Any, Any]:
    schema, parts = struct(version, "schema").get("openAPIV3Schema"), version.get("subresources")
    shown_parts = None
    if parts is not None:
        scale = parts.get("scale")
        shown_parts = {"Status": {} if parts.get("status") is not None else None, "Scale": _plain(_SCALE, scale) if scale else None}
    columns = [_plain(_COLUMN, column) for column in structs(version, "additionalPrinterColumns")]
    fields = [{"JSONPath": text(one, "jsonPath")} for one in structs(version, "selectableFields")]
    return {"OpenAPIV3Schema": _schema(schema)} if schema is not None else None, shown_parts, columns or None, fields or None


def go_versions(versions: list[Obj]) -> Raw:
    """spec.versions as Go marshals it."""
    parts = [list(_parts(version)) for version in versions]
    for i in range(4):
        if all(part[i] == parts[0][i] for part in parts):
            for part in parts:
                part[i] = None
    return Raw(escape_html(json.dumps([
        {
            "Name": text(version, "name"), "Served": bool(version.get("served")), "Storage": bool(version.get("storage")),
            "Deprecated": bool(version.get("deprecated")), "DeprecationWarning": version.get("deprecationWarning"),
            "Schema": part[0], "Subresources": part[1], "AdditionalPrinterColumns": part[2], "SelectableFields": part[3],
        }
        for version, part in zip(versions, parts, strict=True)
    ], separators=(",", ":"), ensure_ascii=False)))
