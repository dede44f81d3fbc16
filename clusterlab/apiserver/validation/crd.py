"""CustomResourceDefinitions. Follows apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go, and v1/conversion.go
for where fields that all versions share are named: at the top of the spec.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from clusterlab.apiserver.validation.admission import webhook_client
from clusterlab.apiserver.validation.common import Errors, Obj, condition_true, enum, immutable, strings, struct, structs, text
from clusterlab.apiserver.validation.crd_go import go_versions
from clusterlab.apiserver.validation.crd_schema import validation_errors
from clusterlab.apiserver.validation.formats import Messages, dns1035_label, dns1123_subdomain, name_is_subdomain
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.apiserver.validation.structural import unsupported
from clusterlab.machinery.field import duplicate, forbidden, go_quote, invalid, required, too_many

__all__ = ["create", "update", "update_status"]

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_APPROVAL = "api-approved.kubernetes.io"
_SHARED = {"schema": "validation", "subresources": "subresources", "additionalPrinterColumns": "additionalPrinterColumns",
           "selectableFields": "selectableFields"}


def _hoisted(spec: Obj) -> tuple[Obj, list[Obj]]:
    """What all versions have in common, by the internal type's names, and the versions without it."""
    versions = [dict(version) for version in structs(spec, "versions")]
    top: Obj = {}
    for field, name in _SHARED.items():
        value = versions[0].get(field) if versions else None
        if all(version.get(field) == value for version in versions):
            top[name] = value
            for version in versions:
                version.pop(field, None)
    return top, versions


def _joined(path: str, value: str, messages: Messages, head: str = "") -> Errors:
    return [invalid(path, value, head + ",".join(messages))] if messages else []


def _names(path: str, names: Obj) -> Errors:
    out: Errors = []
    for field in ("plural", "singular"):
        if names.get(field):
            out += _joined(f"{path}.{field}", names[field], dns1035_label(names[field]))
    head = "may have mixed case, but should otherwise match: "
    for field in ("kind", "listKind"):
        if names.get(field):
            out += _joined(f"{path}.{field}", names[field], dns1035_label(names[field].lower()), head)
    for i, name in enumerate(strings(names, "shortNames")):
        out += _joined(f"{path}.shortNames[{i}]", name, dns1035_label(name))
    if names.get("kind") and names["kind"] == names.get("listKind"):
        out.append(invalid(f"{path}.listKind", names["listKind"], "kind and listKind may not be the same"))
    for i, name in enumerate(strings(names, "categories")):
        out += _joined(f"{path}.categories[{i}]", name, dns1035_label(name))
    return out


def _json_path(path: str, value: str) -> Errors:
    if not value:
        return [required(path)]
    return [] if value.startswith(".") else [invalid(path, value, "must be a simple json path starting with .")]


def _column(path: str, column: Obj) -> Errors:
    out: Errors = [] if column.get("name") else [required(f"{path}.name")]
    detail = f"must be one of {','.join(_COLUMN_TYPES)}"
    kind = text(column, "type")
    if not kind:
        out.append(required(f"{path}.type", detail))
    elif kind not in _COLUMN_TYPES:
        out.append(invalid(f"{path}.type", kind, detail))
    if column.get("format") and column["format"] not in _COLUMN_FORMATS:
        out.append(invalid(f"{path}.format", column["format"], f"must be one of {','.join(_COLUMN_FORMATS)}"))
    return out + _json_path(f"{path}.JSONPath", text(column, "jsonPath"))


def _subresources(path: str, subresources: Obj) -> Errors:
    scale = subresources.get("scale")
    if scale is None:
        return []
    out: Errors = []
    for field, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        at, value = f"{path}.scale.{field}", text(scale, field)
        wrong = _json_path(at, value)
        if not wrong and not value.startswith(root):
            wrong = [invalid(at, value, f"should be a json path under {root[:-1]}")]
        out += wrong
    value = text(scale, "labelSelectorPath")
    if value:
        at = f"{path}.scale.labelSelectorPath"
        wrong = _json_path(at, value)
        if not wrong and not value.startswith((".spec.", ".status.")):
            wrong = [invalid(at, value, "should be a json path under either .spec or .status")]
        out += wrong
    return out


def _schema_at(schema: Any, path: str) -> tuple[Any, str]:
    """The schema that a simple path leads to, or why there is none."""
    if not path.startswith("."):
        first = re.split(r"[.\[]", path)[0]
        return None, f"expected [ or . but got: {first}"
    for part in path[1:].split("."):
        if "[" in part:
            return None, "array notation is not allowed"
        properties = (schema or {}).get("properties")
        rest = (schema or {}).get("additionalProperties")
        if properties and part in properties:
            schema = properties[part]
        elif not properties and isinstance(rest, dict):
            schema = rest
        else:
            return None, "does not refer to a valid field"
    return schema, ""


def _selectable(path: str, fields: list[Obj], schema: Obj) -> Errors:
    out: Errors = []
    seen: set[str] = set()
    for i, field in enumerate(fields):
        at, value = f"{path}[{i}].jsonPath", text(field, "jsonPath")
        if not value:
            out.append(required(at))
            continue
        found, wrong = _schema_at(schema, value)
        if wrong:
            out.append(invalid(at, value, f"is an invalid path: {wrong}"))
            continue
        if value.split(".")[1] == "metadata":
            out.append(invalid(at, value, "must not point to fields in metadata"))
        if (found or {}).get("type") not in ("string", "boolean", "integer"):
            detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
            out.append(invalid(at, value, detail))
        if value in seen:
            out.append(duplicate(at, value))
        seen.add(value)
    return [*out, too_many(path, len(seen), 8)] if len(seen) > 8 else out


def _deprecation(path: str, version: Obj) -> Errors:
    warning = version.get("deprecationWarning")
    if warning is None:
        return []
    out: Errors = []
    if not version.get("deprecated"):
        return [invalid(path, warning, "can only be set for deprecated versions")]
    if len(warning.encode()) > 256:
        out.append(invalid(path, warning, "must be <= 256 characters long"))
    if not warning:
        out.append(invalid(path, warning, "must not be an empty string"))
    size = 0
    for char in warning:
        if not char.isprintable():
            detail = f"must only contain printable UTF-8 characters; non-printable character found at index {size}"
            return [*out, invalid(path, warning, detail)]
        size += len(char.encode(errors="replace"))
    return out


def _parts(base: str, part: Obj, schema_field: str, status: bool) -> Errors:
    """What a version, or the spec for all versions, says of schema, subresources, columns and selectable fields."""
    out: Errors = []
    schema = struct(part, schema_field).get("openAPIV3Schema")
    if schema is not None:
        out += validation_errors(schema, f"{base}.{schema_field}.openAPIV3Schema", status)
    out += _subresources(f"{base}.subresources", struct(part, "subresources"))
    for i, column in enumerate(structs(part, "additionalPrinterColumns")):
        out += _column(f"{base}.additionalPrinterColumns[{i}]", column)
    fields = structs(part, "selectableFields")
    if fields and schema is None:
        per_version = "may only be set when `version.schema.openAPIV3Schema` is not included"
        detail = per_version if schema_field == "schema" else "may only be set when validations.schema is included"
        out.append(invalid(f"{base}.selectableFields", "", detail))
    elif fields and schema is not None and not unsupported(schema):
        out += _selectable(f"{base}.selectableFields", fields, schema)
    return out


def _conversion(path: str, conversion: Obj) -> Errors:
    strategy = text(conversion, "strategy")
    out = enum(f"{path}.strategy", strategy, ("None", "Webhook")) if strategy else [required(f"{path}.strategy")]
    webhook = conversion.get("webhook")
    config = struct(webhook or {}, "clientConfig") if struct(webhook or {}, "clientConfig") else None
    versions = strings(webhook or {}, "conversionReviewVersions")
    at, reviews = f"{path}.webhookClientConfig", f"{path}.conversionReviewVersions"
    if strategy != "Webhook":
        detail = "should not be set when strategy is not set to Webhook"
        return out + [forbidden(where, detail) for where, value in ((at, config), (reviews, versions)) if value]
    out += webhook_client(at, config, swapped=True) if config is not None else [required(at, "required when strategy is set to Webhook")]
    if not versions:
        return [*out, required(reviews)]
    for i, version in enumerate(versions):
        if version in versions[:i]:
            out.append(invalid(f"{reviews}[{i}]", version, "duplicate version"))
        else:
            out += [invalid(f"{reviews}[{i}]", version, why) for why in dns1035_label(version)]
    if not {"v1", "v1beta1"} & set(versions):
        out.append(invalid(reviews, versions, "must include at least one of v1, v1beta1"))
    return out


def _group(spec: Obj) -> Errors:
    group = text(spec, "group")
    if not group:
        return [required("spec.group")]
    wrong = dns1123_subdomain(group)
    if not wrong and "." not in group:
        return [invalid("spec.group", group, "should be a domain with at least one dot")]
    return _joined("spec.group", group, wrong)


def _spec(spec: Obj) -> Errors:
    out = _group(spec)
    scope, versions = text(spec, "scope"), structs(spec, "versions")
    out += enum("spec.scope", scope, ("Cluster", "Namespaced")) if scope else [required("spec.scope")]
    for i, version in enumerate(versions):
        if struct(version, "schema").get("openAPIV3Schema") is None:
            out.append(required(f"spec.versions[{i}].schema.openAPIV3Schema"))
    top, rest = _hoisted(spec)
    for i, version in enumerate(rest):
        base, name = f"spec.versions[{i}]", text(version, "name")
        out += _joined(f"{base}.name", name, dns1035_label(name))
        out += _deprecation(f"{base}.deprecationWarning", version)
        subresources = struct(versions[i], "subresources")
        out += _parts(base, version, "schema", subresources.get("status") is not None)
    names = [text(version, "name") for version in versions]
    if len(set(names)) < len(names):
        out.append(invalid("spec.versions", go_versions(versions), "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        out.append(invalid("spec.versions", go_versions(versions), "must have exactly one version marked as storage version"))
    out += [invalid("spec.version", name, ",".join(dns1035_label(name))) for name in names[:1] if name and dns1035_label(name)]
    given = struct(spec, "names")
    out += [required(f"spec.names.{field}") for field in ("plural", "singular", "kind", "listKind") if not given.get(field)]
    out += _names("spec.names", given)
    status = any(struct(version, "subresources").get("status") is not None for version in versions)
    out += _parts("spec", top, "validation", status)
    conversion = spec.get("conversion")
    if conversion is not None:
        if text(conversion, "strategy") != "None" and spec.get("preserveUnknownFields"):
            detail = "must be None if spec.preserveUnknownFields is true"
            out.append(invalid("spec.conversion.strategy", text(conversion, "strategy"), detail))
        out += _conversion("spec.conversion", conversion)
    return out


def _stored(obj: Obj) -> Errors:
    path, stored = "status.storedVersions", strings(struct(obj, "status"), "storedVersions")
    if not stored:
        return [invalid(path, stored or None, "must have at least one stored version")]
    versions = structs(struct(obj, "spec"), "versions")
    out = [
        invalid(path, stored, f"must have the storage version {text(version, 'name')}")
        for version in versions if version.get("storage") and text(version, "name") not in stored
    ]
    known = {text(version, "name") for version in versions}
    for i, name in enumerate(stored):
        if name not in known and name not in stored[i + 1:]:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a "
                f"storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            )
            out.append(invalid(f"{path}[{i}]", name, detail))
    return out


def _approval(obj: Obj) -> tuple[str, str]:
    value = text(struct(struct(obj, "metadata"), "annotations"), _APPROVAL)
    more = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not value:
        return "missing", f"protected groups must have approval annotation {go_quote(_APPROVAL)}, {more}"
    if value.startswith("unapproved"):
        return "bypassed", ""
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme and parts.netloc:
        return "approved", ""
    with_reason = 'with either a URL or a reason starting with "unapproved"'
    return "invalid", f"protected groups must have approval annotation {go_quote(_APPROVAL)} {with_reason}, {more}"


def _approved(new: Obj, old: Obj | None) -> Errors:
    group = text(struct(new, "spec"), "group")
    if group not in ("k8s.io", "kubernetes.io") and not group.endswith((".k8s.io", ".kubernetes.io")):
        return []
    state, why = _approval(new)
    if not why or (old is not None and _approval(old)[0] == state):
        return []
    path = f"metadata.annotations[{_APPROVAL}]"
    if state == "missing":
        return [required(path, why)]
    return [invalid(path, text(struct(struct(new, "metadata"), "annotations"), _APPROVAL), why)]


def _preserved(new: Obj, old: Obj | None) -> Errors:
    if not struct(new, "spec").get("preserveUnknownFields") or struct(old or {}, "spec").get("preserveUnknownFields"):
        return []
    detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
    return [invalid("spec.preserveUnknownFields", True, detail)]


def create(obj: Obj) -> Errors:
    """A new CustomResourceDefinition."""
    spec = struct(obj, "spec")
    wanted = f"{text(struct(spec, 'names'), 'plural')}.{text(spec, 'group')}"

    def name_fn(name: str, prefix: bool = False) -> Messages:
        wrong = () if name == wanted else ('must be spec.names.plural+"."+spec.group',)
        return (*name_is_subdomain(name, prefix), *wrong)

    out = object_meta(obj, False, name_fn, kube=False) + _spec(spec)
    out += _names("status.acceptedNames", struct(struct(obj, "status"), "acceptedNames"))
    return out + _stored(obj) + _approved(obj, None) + _preserved(obj, None)


def update(new: Obj, old: Obj) -> Errors:
    """A changed CustomResourceDefinition."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old, kube=False) + _spec(spec)
    names, old_names = struct(spec, "names"), struct(before, "names")
    if condition_true(struct(old, "status"), "Established"):
        out += immutable("spec.scope", text(spec, "scope"), text(before, "scope"))
        out += immutable("spec.names.kind", text(names, "kind"), text(old_names, "kind"))
    out += immutable("spec.group", text(spec, "group"), text(before, "group"))
    out += immutable("spec.names.plural", text(names, "plural"), text(old_names, "plural"))
    out += _names("status.acceptedNames", struct(struct(new, "status"), "acceptedNames"))
    return out + _stored(new) + _approved(new, old) + _preserved(new, old)


def update_status(new: Obj, old: Obj) -> Errors:
    """The changed status of a CustomResourceDefinition."""
    status = struct(new, "status")
    return object_meta_update(new, old, kube=False) + _names("status.acceptedNames", struct(status, "acceptedNames"))
