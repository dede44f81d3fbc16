"""Validation of metadata: names, labels, annotations, owners, finalizers, and label selectors.

Follows staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go and pkg/apis/meta/v1/validation/validation.go.
"""

from __future__ import annotations

import json

from clusterlab.apiserver.validation import formats, gotypes
from clusterlab.apiserver.validation.common import Errors, Obj, equal, number, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import NameFn, label_key, label_value
from clusterlab.machinery.field import (
    Raw,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)

__all__ = [
    "annotation_map", "conditions", "finalizer_name", "label_name", "label_selector", "labels", "object_meta", "object_meta_update",
    "template_meta",
]

_ANNOTATIONS_LIMIT_B = 256 * 1024
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def label_name(path: str, key: str) -> Errors:
    """The key of a label."""
    return [invalid(path, key, message) for message in label_key(key)]


def labels(path: str, values: Obj | None) -> Errors:
    """A map of labels."""
    out: Errors = []
    for key, value in (values or {}).items():
        if key_errors := label_key(key):
            out += [invalid(path, key, message) for message in key_errors]
        if value and (value_errors := label_value(value)):
            out += [invalid(path, value, message) for message in value_errors]
    return out


def annotation_map(path: str, values: Obj | None) -> Errors:
    """A map of annotations."""
    out: Errors = []
    size = 0
    for key, value in (values or {}).items():
        size += len(key) + (0 if not value else len(value) if value.isascii() else len(value.encode()))
        if messages := label_key(key.lower()):
            out += [invalid(path, key, message) for message in messages]
    if size > _ANNOTATIONS_LIMIT_B:
        out.append(too_long(path, _ANNOTATIONS_LIMIT_B))
    return out


def template_meta(path: str, meta: Obj) -> Errors:
    """The metadata of an object that is only a template: labels and annotations, nothing else."""
    out = annotation_map(f"{path}.annotations", meta.get("annotations")) + labels(f"{path}.labels", meta.get("labels"))
    for key in gotypes.META_ORDER:
        if key not in ("annotations", "labels") and meta.get(key):
            out.append(forbidden(f"{path}.{'uID' if key == 'uid' else key}", "cannot be set"))
    return out


def label_selector(path: str, selector: Obj | None, lenient_values: bool = False) -> Errors:
    """A LabelSelector. `lenient_values`: what is stored has values that would not be allowed now."""
    if not selector:
        return []
    out = labels(f"{path}.matchLabels", selector.get("matchLabels"))
    for i, requirement in enumerate(structs(selector, "matchExpressions")):
        at = f"{path}.matchExpressions[{i}]"
        operator, values = text(requirement, "operator"), strings(requirement, "values")
        if operator in ("In", "NotIn"):
            if not values:
                out.append(required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                out.append(forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        else:
            out.append(invalid(f"{at}.operator", operator, "not a valid selector operator"))
        out += label_name(f"{at}.key", text(requirement, "key"))
        if not lenient_values:
            for j, value in enumerate(values):
                out += [invalid(f"{at}.values[{j}]", value, message) for message in label_value(value)]
    return out


def finalizer_name(path: str, name: str) -> Errors:
    """A finalizer of the generic kind: any label key."""
    return [invalid(path, name, message) for message in label_key(name)]


def kube_finalizer_name(path: str, name: str) -> Errors:
    """A finalizer without a domain must be one of Kubernetes' own."""
    if "/" not in name and name not in _STANDARD_FINALIZERS:
        return [invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")]
    return []


def _finalizers(path: str, names: list[str]) -> Errors:
    out: Errors = []
    for name in names:
        out += finalizer_name(path, name)
    if "orphan" in names and "foregroundDeletion" in names:
        out.append(invalid(path, names, "finalizer orphan and foregroundDeletion cannot be both set"))
    return out


def _owner_reference(path: str, ref: Obj) -> Errors:
    out: Errors = []
    api_version, kind = text(ref, "apiVersion"), text(ref, "kind")
    if not api_version or api_version.endswith("/") or api_version.count("/") > 1:
        out.append(invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
    for name in ("kind", "name", "uid"):
        if not ref.get(name):
            out.append(invalid(f"{path}.{name}", "", "must not be empty"))
    if api_version == "v1" and kind == "Event":
        out.append(invalid(path, ref, "/v1, Kind=Event is disallowed from being an owner"))
    return out


_REFERENCE_ORDER = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")


def _owner_references(path: str, refs: list[Obj]) -> Errors:
    out: Errors = []
    controller = ""
    for ref in refs:
        if not (ref.get("apiVersion") and ref.get("kind") and ref.get("name") and ref.get("uid")) or ref["kind"] == "Event":
            out += _owner_reference(path, ref)
        if ref.get("controller"):
            name = f"{text(ref, 'kind')}/{text(ref, 'name')}"
            if controller:
                why = 'Only one reference can have Controller set to true. Found "true" in references for '
                shown = [{key: one[key] for key in _REFERENCE_ORDER if key in one} for one in refs]
                listed = Raw(json.dumps(shown, separators=(",", ":"), ensure_ascii=False))
                out.append(invalid(path, listed, f"{why}{controller} and {name}"))
            else:
                controller = name
    return out


def _managed_fields(path: str, entries: list[Obj]) -> Errors:
    out: Errors = []
    for i, entry in enumerate(entries):
        at = f"{path}[{i}]"
        if entry.get("operation") not in ("Apply", "Update"):
            out.append(invalid(f"{at}.operation", text(entry, "operation"), "must be `Apply` or `Update`"))
        if (fields_type := text(entry, "fieldsType")) and fields_type != "FieldsV1":
            out.append(invalid(f"{at}.fieldsType", fields_type, "must be `FieldsV1`"))
        out += field_manager(f"{at}.manager", text(entry, "manager"))
        if len(text(entry, "subresource")) > 256:
            out.append(too_long(f"{at}.subresource", 256))
    return out


def field_manager(path: str, name: str) -> Errors:
    """The name of a field manager: short and printable."""
    out: Errors = []
    if len(name.encode("utf-8", "replace")) > 128:
        out.append(too_long(path, 128))
    if not name.isprintable():
        offset = 0
        for char in name:
            if not char.isprintable():
                out.append(invalid(path, name, f"invalid character U+{ord(char):04X} (at position {offset})"))
            offset += len(char.encode("utf-8", "replace"))
    return out


def object_meta(obj: Obj, namespaced: bool, name_fn: NameFn, path: str = "metadata", kube: bool = True) -> Errors:
    """Metadata of a new object. `kube`: finalizers without a domain must be Kubernetes' own, as core kinds have it."""
    meta = struct(obj, "metadata")
    out: Errors = []
    name = text(meta, "name")
    if generate_name := text(meta, "generateName"):
        out += [invalid(f"{path}.generateName", generate_name, message) for message in name_fn(generate_name, True)]
    if not name:
        out.append(required(f"{path}.name", "name or generateName is required"))
    elif messages := name_fn(name, False):
        out += [invalid(f"{path}.name", name, message) for message in messages]
    namespace = text(meta, "namespace")
    if namespaced:
        if not namespace:
            out.append(required(f"{path}.namespace"))
        elif messages := formats.dns1123_label(namespace):
            out += [invalid(f"{path}.namespace", namespace, message) for message in messages]
    elif namespace:
        out.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    if (generation := number(meta, "generation")) < 0:
        out.append(invalid(f"{path}.generation", generation, "must be greater than or equal to 0"))
    return out + _rest_of_meta(meta, path) + (_kube_finalizers(meta, path) if kube else [])


def _kube_finalizers(meta: Obj, path: str) -> Errors:
    out: Errors = []
    for i, name in enumerate(strings(meta, "finalizers")):
        out += kube_finalizer_name(f"{path}.finalizers[{i}]", name)
    return out


def _rest_of_meta(meta: Obj, path: str) -> Errors:
    out: Errors = []
    if values := meta.get("labels"):
        out += labels(f"{path}.labels", values)
    if values := meta.get("annotations"):
        out += annotation_map(f"{path}.annotations", values)
    if meta.get("ownerReferences"):
        out += _owner_references(f"{path}.ownerReferences", structs(meta, "ownerReferences"))
    if meta.get("finalizers"):
        out += _finalizers(f"{path}.finalizers", strings(meta, "finalizers"))
    if meta.get("managedFields"):
        out += _managed_fields(f"{path}.managedFields", structs(meta, "managedFields"))
    return out


_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def object_meta_update(new: Obj, old: Obj, path: str = "metadata", kube: bool = True) -> Errors:
    """Metadata of an object that replaces another."""
    meta, before = struct(new, "metadata"), struct(old, "metadata")
    if meta is before and meta.get("resourceVersion"):
        return []
    out: Errors = []
    finalizers = meta.get("finalizers")
    if finalizers and before.get("deletionTimestamp") is not None:
        extra = sorted({name for name in strings(meta, "finalizers") if name not in strings(before, "finalizers")})
        if extra:
            listed = ", ".join(f'"{name}"' for name in extra)
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
            out.append(forbidden(f"{path}.finalizers", why))
    if not meta.get("resourceVersion"):
        out.append(invalid(f"{path}.resourceVersion", "", "must be specified for an update"))
    if number(meta, "generation") < number(before, "generation"):
        out.append(invalid(f"{path}.generation", number(meta, "generation"), "must not be decremented"))
    for name in _IMMUTABLE:
        value, was = meta.get(name), before.get(name)
        if value != was and not (not value and not was and name != "deletionGracePeriodSeconds"):
            shown = "" if value is None and name in ("name", "namespace", "uid") else value
            out.append(invalid(f"{path}.{name}", shown, "field is immutable"))
    return out + _changed_meta(meta, before, path) + (_kube_finalizers(meta, path) if finalizers and kube else [])


def _changed_meta(meta: Obj, before: Obj, path: str) -> Errors:
    """As on create, for the parts that are not what was there: that is known to be well."""
    out: Errors = []
    if (values := meta.get("labels")) and values is not before.get("labels"):
        out += labels(f"{path}.labels", values)
    if (values := meta.get("annotations")) and values is not before.get("annotations"):
        out += annotation_map(f"{path}.annotations", values)
    if (refs := meta.get("ownerReferences")) and refs is not before.get("ownerReferences"):
        out += _owner_references(f"{path}.ownerReferences", structs(meta, "ownerReferences"))
    if (entries := meta.get("managedFields")) and entries is not before.get("managedFields"):
        out += _managed_fields(f"{path}.managedFields", structs(meta, "managedFields"))
    return out


def conditions(path: str, items: list[Obj]) -> Errors:
    """A list of metav1.Condition."""
    out: Errors = []
    seen: set[str] = set()
    for i, condition in enumerate(items):
        at = f"{path}[{i}]"
        kind = text(condition, "type")
        if kind in seen:
            out.append(duplicate(f"{at}.type", kind))
        seen.add(kind)
        out += label_name(f"{at}.type", kind)
        if condition.get("status") not in ("True", "False", "Unknown"):
            out.append(not_supported(f"{at}.status", text(condition, "status"), ("False", "True", "Unknown")))
        if number(condition, "observedGeneration") < 0:
            why = "must be greater than or equal to zero"
            out.append(invalid(f"{at}.observedGeneration", number(condition, "observedGeneration"), why))
        if not condition.get("lastTransitionTime"):
            out.append(required(f"{at}.lastTransitionTime"))
        out += _condition_texts(at, condition)
    return out


_REASON = r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"


def _condition_texts(at: str, condition: Obj) -> Errors:
    import re

    out: Errors = []
    reason = text(condition, "reason")
    if not reason:
        out.append(required(f"{at}.reason"))
    else:
        if not re.fullmatch(_REASON, reason):
            why = "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'"  # noqa: E501
            out.append(invalid(f"{at}.reason", reason, formats.regex_error(why, _REASON, "my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")))  # noqa: E501
        if len(reason) > 1024:
            out.append(too_long(f"{at}.reason", 1024))
    if len(text(condition, "message").encode("utf-8", "replace")) > 32768:
        out.append(too_long(f"{at}.message", 32768))
    return out


def same_meta_parts(new: Obj, old: Obj) -> bool:
    """Whether labels and annotations are alike."""
    a, b = struct(new, "metadata"), struct(old, "metadata")
    return equal(a.get("labels"), b.get("labels")) and equal(a.get("annotations"), b.get("annotations"))
