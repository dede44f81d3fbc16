"""PersistentVolumeClaims and claim templates.

Follows pkg/apis/core/validation/validation.go (ValidatePersistentVolumeClaim and its neighbours).
"""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.amounts import nano, whole
from clusterlab.apiserver.validation.common import Errors, Obj, immutable, invalids, strings, struct, text
from clusterlab.apiserver.validation.formats import dns1123_label, dns1123_subdomain, label_key, name_is_subdomain
from clusterlab.apiserver.validation.meta import label_selector, object_meta, object_meta_update, template_meta
from clusterlab.apiserver.validation.resources import is_native, positive_quantity, quantity_value
from clusterlab.machinery.field import forbidden, invalid, not_supported, required

__all__ = ["access_modes", "claim_spec", "claim_template", "create", "update", "update_status"]

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_RESIZE_STATES = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending",
)


def access_modes(path: str, spec: Obj) -> Errors:
    """Known modes; ReadWriteOncePod stands alone."""
    out: Errors = []
    modes = strings(spec, "accessModes")
    for mode in modes:
        if mode not in ACCESS_MODES:
            out.append(not_supported(f"{path}.accessModes", mode, ACCESS_MODES))
    if "ReadWriteOncePod" in modes and any(mode in ACCESS_MODES[:3] for mode in modes):
        out.append(forbidden(f"{path}.accessModes", "may not use ReadWriteOncePod with other access modes"))
    return out


def _data_source(path: str, source: Obj) -> Errors:
    out = [required(f"{path}.{name}") for name in ("name", "kind") if not source.get(name)]
    group, kind = text(source, "apiGroup"), text(source, "kind")
    if not group and kind != "PersistentVolumeClaim":
        out.append(invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
    if group:
        out += invalids(f"{path}.apiGroup", group, dns1123_subdomain(group))
    return out


def _data_sources(path: str, spec: Obj) -> Errors:
    out: Errors = []
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None:
        out += _data_source(f"{path}.dataSource", source)
    if ref is not None:
        out += _data_source(f"{path}.dataSourceRef", ref)
        if namespace := text(ref, "namespace"):
            out += invalids(f"{path}.dataSourceRef.namespace", namespace, dns1123_label(namespace))
    if ref is not None and text(ref, "namespace"):
        if source is not None:
            out.append(invalid(path, {}, "may not be specified when dataSourceRef.namespace is specified"))
    elif source is not None and ref is not None:
        if any((source.get(name) or None) != (ref.get(name) or None) for name in ("apiGroup", "kind", "name")):
            out.append(invalid(path, {}, "must match dataSourceRef"))
    return out


def claim_spec(path: str, spec: Obj) -> Errors:
    """What is claimed."""
    out: Errors = []
    if not spec.get("accessModes"):
        out.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    out += label_selector(f"{path}.selector", spec.get("selector")) + access_modes(path, spec)
    requests = struct(struct(spec, "resources"), "requests")
    at = f"{path}.resources[storage]"
    if requests.get("storage") is None:
        out.append(required(at))
    else:
        out += positive_quantity(at, requests["storage"]) or quantity_value(at, "storage", requests["storage"])
    if name := text(spec, "storageClassName"):
        out += invalids(f"{path}.storageClassName", name, name_is_subdomain(name))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        out.append(not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))
    out += _data_sources(path, spec)
    if name := text(spec, "volumeAttributesClassName"):
        out += invalids(f"{path}.volumeAttributesClassName", name, name_is_subdomain(name))
    return out


def claim_template(path: str, template: Obj) -> Errors:
    """The template of an ephemeral volume's claim."""
    return template_meta(f"{path}.metadata", struct(template, "metadata")) + claim_spec(f"{path}.spec", struct(template, "spec"))


def create(obj: Obj) -> Errors:
    """A new claim."""
    return object_meta(obj, True, name_is_subdomain) + claim_spec("spec", struct(obj, "spec"))


def _storage(spec: Obj) -> Any:
    return struct(struct(spec, "resources"), "requests").get("storage")


def _comparable(new: Obj, old: Obj) -> tuple[Obj, Obj, Errors]:
    """The specs without the changes that are allowed, and what is wrong with the class annotation."""
    spec, before = dict(struct(new, "spec")), dict(struct(old, "spec"))
    if not before.get("volumeName"):
        before["volumeName"] = spec.get("volumeName")
    annotation = struct(struct(new, "metadata"), "annotations").get(_CLASS_ANNOTATION)
    was = struct(struct(old, "metadata"), "annotations").get(_CLASS_ANNOTATION)
    name, name_before = spec.get("storageClassName"), before.get("storageClassName")
    out: Errors = []
    if was is not None and name_before is None and name == was and annotation in (None, was):
        spec["storageClassName"] = None
    else:
        if (annotation or "") != (was or ""):
            out.append(invalid(f"metadata.annotations.{_CLASS_ANNOTATION}", annotation or "", "field is immutable"))
        if name is not None and name_before is None and was in (None, name):
            spec["storageClassName"] = name_before
    if struct(new, "status").get("phase") == "Bound":
        resources = struct(spec, "resources")
        if resources.get("requests") is not None:
            requests = {**resources["requests"], "storage": _storage(before) or "0"}
            spec["resources"] = {**resources, "requests": requests}
        spec["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
    return spec, before, out


def update(new: Obj, old: Obj) -> Errors:
    """A changed claim: it may grow once bound, and change its attributes class."""
    out = object_meta_update(new, old) + create(new)
    spec, before, wrong = _comparable(new, old)
    out += wrong
    if not gotypes.go_equal("PersistentVolumeClaimSpec", before, spec):
        why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"
        out.append(forbidden("spec", why + gotypes.diff("PersistentVolumeClaimSpec", before, spec)))
    asked, asked_before = _storage(struct(new, "spec")), _storage(struct(old, "spec"))
    capacity = struct(struct(old, "status"), "capacity").get("storage")
    if nano(asked) < nano(asked_before) and nano(asked) <= nano(capacity):
        out.append(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
    now, then = struct(new, "spec"), struct(old, "spec")
    out += immutable("volumeMode", now.get("volumeMode"), then.get("volumeMode"))
    name = now.get("volumeAttributesClassName")
    if name != then.get("volumeAttributesClassName") and struct(old, "status").get("currentVolumeAttributesClassName") is not None:
        path, tail = "spec.volumeAttributesClassName", " when status.currentVolumeAttributesClassName is not nil"
        if name is None:
            out.append(forbidden(path, f"update to nil is forbidden{tail}"))
        elif not name:
            out.append(forbidden(path, f"update to empty string is forbidden{tail}"))
    return out


def _resource_key(path: str, name: str) -> Errors:
    out = invalids(path, name, label_key(name))
    if not out and is_native(name) and name != "storage":
        out.append(not_supported(path, name, ("storage",)))
    return out


def update_status(new: Obj, old: Obj) -> Errors:
    """A claim's new status."""
    out = object_meta_update(new, old)
    if not struct(new, "metadata").get("resourceVersion"):
        out.append(required("resourceVersion"))
    if not struct(new, "spec").get("accessModes"):
        out.append(required("Spec.accessModes"))
    status = struct(new, "status")
    for name, value in struct(status, "capacity").items():
        out += _amount(f"status.capacity[{name}]", value)
    for name, state in struct(status, "allocatedResourceStatuses").items():
        out += _resource_key("status.allocatedResourceStatuses", name)
        if state not in _RESIZE_STATES:
            out.append(not_supported("status.allocatedResourceStatuses", name, sorted(_RESIZE_STATES)))
    for name, value in struct(status, "allocatedResources").items():
        at = f"status.allocatedResources[{name}]"
        out += _resource_key("status.allocatedResources", name) or _amount(at, value) or quantity_value(at, "storage", value)
    return out


def _amount(path: str, value: Any) -> Errors:
    return [invalid(path, whole(value), "must be a valid resource quantity")] if nano(value) < 0 else []
