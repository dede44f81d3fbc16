"""Files in volumes: paths, modes, the downward API and projected volumes, and the field references that env shares with them.

Follows pkg/apis/core/validation/validation.go (validateProjectionSources, validateDownwardAPIVolumeFile,
validateObjectFieldSelector and neighbours) and pkg/apis/core/pods/helpers.go. Sources whose feature is off by default
(clusterTrustBundle, podCertificate) are dropped before validation.
"""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.validation.amounts import canonical, nano
from clusterlab.apiserver.validation.common import Errors, Obj, invalids, number, structs, text
from clusterlab.apiserver.validation.formats import label_key
from clusterlab.machinery.field import forbidden, invalid, not_supported, required

__all__ = [
    "downward_api", "field_ref", "file_mode", "items", "local_path", "no_backsteps", "projected", "relative_path", "resource_field_ref",
]

_VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_CONTAINER_RESOURCES = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory",
)
_KNOWN_FIELDS = (
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
    "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName", "status.phase", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)
_BYTE_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_BYTES_TEXT = "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the "
_CONFLICT = "conflicting duplicate paths"


def file_mode(path: str, mode: int | None) -> Errors:
    """The permission bits of a file."""
    if mode is None or 0 <= mode <= 0o777:
        return []
    return [invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")]


def no_backsteps(path: str, value: str) -> Errors:
    """A path that does not go up."""
    return [invalid(path, value, "must not contain '..'")] if ".." in value.split("/") else []


def relative_path(path: str, value: str) -> Errors:
    """A path that goes down from where it starts."""
    out = [invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return out + no_backsteps(path, value)


def local_path(path: str, value: str) -> Errors:
    """A path that goes down, and is not one that the kubelet keeps for itself."""
    out = relative_path(path, value)
    if value.startswith("..") and not value.startswith("../"):
        out.append(invalid(path, value, "must not start with '..'"))
    return out


def _item(path: str, item: Obj) -> Errors:
    out: Errors = []
    if not item.get("key"):
        out.append(required(f"{path}.key"))
    if not item.get("path"):
        out.append(required(f"{path}.path"))
    return out + local_path(f"{path}.path", text(item, "path")) + file_mode(f"{path}.mode", item.get("mode"))


def items(path: str, entries: list[Obj]) -> Errors:
    """The keys that a ConfigMap or Secret volume shows as files."""
    out: Errors = []
    for i, entry in enumerate(entries):
        out += _item(f"{path}[{i}]", entry)
    return out


# References to a pod's own fields.

def field_ref(path: str, ref: Obj, allowed: tuple[str, ...]) -> Errors:
    """A field of the pod; `allowed` where no key of a map is asked for."""
    version, field = ref.get("apiVersion") or "", text(ref, "fieldPath")
    if not version:
        return [required(f"{path}.apiVersion")]
    if not field:
        return [required(f"{path}.fieldPath")]
    name, bracket, rest = field.partition("['")
    if bracket and rest.endswith("']"):
        key = rest[:-2]
        if version == "v1" and name == "metadata.annotations":
            return invalids(path, key.lower(), label_key(key.lower()))
        if version == "v1" and name == "metadata.labels":
            return invalids(path, key, label_key(key))
        return [invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label does not support subscript: {field}")]
    why = ""
    if version != "v1":
        why = f"unsupported pod version: {version}"
    elif field not in _KNOWN_FIELDS and field != "spec.host":
        why = f"field label not supported: {field}"
    if why:
        return [invalid(f"{path}.fieldPath", field, f"error converting fieldPath: {why}")]
    if field == "spec.host":
        field = "spec.nodeName"
    return [] if field in allowed else [not_supported(f"{path}.fieldPath", field, sorted(allowed))]


def resource_field_ref(path: str, ref: Obj, volume: bool) -> Errors:
    """An amount that a container asks for."""
    out: Errors = []
    resource = text(ref, "resource")
    if volume and not ref.get("containerName"):
        out.append(required(f"{path}.containerName"))
    elif not resource:
        out.append(required(f"{path}.resource"))
    elif resource not in _CONTAINER_RESOURCES and not resource.startswith(("requests.hugepages-", "limits.hugepages-")):
        out.append(not_supported(f"{path}.resource", resource, _CONTAINER_RESOURCES))
    return out + _divisor(f"{path}.divisor", resource, ref.get("divisor"))


def _divisor(path: str, resource: str, divisor: Any) -> Errors:
    if divisor is None or nano(divisor) == 0:
        return []
    shown, kind = canonical(divisor), resource.partition(".")[2]
    if resource in ("limits.cpu", "requests.cpu"):
        if shown not in ("1m", "1"):
            return [invalid(path, resource, "only divisor's values 1m and 1 are supported with the cpu resource")]
    elif shown not in _BYTE_DIVISORS and resource.startswith(("limits.", "requests.")):
        names = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}
        if kind in names or kind.startswith("hugepages-"):
            return [invalid(path, resource, f"{_BYTES_TEXT}{names.get(kind, 'hugepages')} resource")]
    return []


def _downward_item(path: str, item: Obj) -> Errors:
    out: Errors = [] if item.get("path") else [required(f"{path}.path")]
    out += local_path(f"{path}.path", text(item, "path"))
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        out += field_ref(f"{path}.fieldRef", field, _VOLUME_FIELDS)
        if resource is not None:
            out.append(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
    elif resource is not None:
        out += resource_field_ref(f"{path}.resourceFieldRef", resource, volume=True)
    else:
        out.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return out + file_mode(f"{path}.mode", item.get("mode"))


def downward_api(path: str, entries: list[Obj]) -> Errors:
    """The files of a downward API volume; all are reported under the path of the volume."""
    out: Errors = []
    for entry in entries:
        out += _downward_item(path, entry)
    return out


# Projected volumes.

def projected(path: str, source: Obj) -> Errors:
    """A projected volume: one kind of source each, no two files of the same path."""
    out = file_mode(f"{path}.defaultMode", source.get("defaultMode"))
    paths: set[str] = set()
    for i, projection in enumerate(structs(source, "sources")):
        at = f"{path}.sources[{i}]"
        count = 0
        for kind in ("secret", "configMap"):
            if (one := projection.get(kind)) is not None:
                count += 1
                out += _keys(path, f"{at}.{kind}", one, paths)
        if (one := projection.get("downwardAPI")) is not None:
            count += 1
            for item in structs(one, "items"):
                out += _downward_item(f"{at}.downwardAPI", item) + _once(path, paths, text(item, "path"), text(item, "path"))
        if (one := projection.get("serviceAccountToken")) is not None:
            count += 1
            out += _token(path, f"{at}.serviceAccountToken", one)
        if count > 1:
            out.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return out


def _once(path: str, paths: set[str], value: str, shown: str) -> Errors:
    if not value:
        return []
    if value in paths:
        return [invalid(path, shown, _CONFLICT)]
    paths.add(value)
    return []


def _keys(path: str, at: str, source: Obj, paths: set[str]) -> Errors:
    out: Errors = [] if source.get("name") else [required(f"{at}.name")]
    for i, item in enumerate(structs(source, "items")):
        out += _item(f"{at}.items[{i}]", item) + _once(path, paths, text(item, "path"), text(source, "name"))
    return out


def _token(path: str, at: str, source: Obj) -> Errors:
    out: Errors = []
    seconds = number(source, "expirationSeconds")
    if seconds < 600:
        out.append(invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    if seconds > 1 << 32:
        out.append(invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
    if not source.get("path"):
        return [*out, required(f"{path}.path")]
    return out + local_path(f"{path}.path", text(source, "path"))
