"""ResourceSlices: pools, where their devices are, and the devices. Follows pkg/apis/resource/validation/validation.go.

Left out: what counters are consumed, request policies of capacities, and conditions of binding.
"""

from __future__ import annotations

import json
import re
from typing import Any

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.affinity import node_selector
from clusterlab.apiserver.validation.common import Errors, Obj, immutable, invalids, number, struct, structs, text
from clusterlab.apiserver.validation.formats import (
    dns1123_label,
    dns1123_subdomain,
    label_key,
    label_value,
    name_is_subdomain,
    regex_error,
)
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.machinery.field import Raw, duplicate, forbidden, go_json, invalid, not_supported, required, too_long, too_many

__all__ = ["create", "update"]

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_IDENTIFIER_TEXT = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'"
)
_is_identifier = re.compile(_IDENTIFIER).fullmatch
_is_version = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII,
).fullmatch
_MOST_ID, _MOST_VALUE, _MOST_POOL = 32, 64, 253
_MOST_ATTRIBUTES = 32
#: How many devices a slice may have, and how many if any of them has taints, counters or lists of values.
_MOST, _MOST_ADVANCED = 128, 64
_VALUES = ("int", "bool", "string", "version", "ints", "bools", "strings", "versions")
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_WHERE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_WHERE_OF_DEVICE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the "
    "ResourceSlice spec"
)
_NOT_OF_DEVICE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
)


def create(obj: Obj) -> Errors:
    """A new ResourceSlice."""
    return object_meta(obj, False, name_is_subdomain) + _spec(struct(obj, "spec"), None)


def update(new: Obj, old: Obj) -> Errors:
    """A changed ResourceSlice."""
    return object_meta_update(new, old) + _spec(struct(new, "spec"), struct(old, "spec"))


def _spec(spec: Obj, old: Obj | None) -> Errors:
    driver, pool = text(spec, "driver"), struct(spec, "pool")
    out: Errors = invalids("spec.driver", driver, dns1123_subdomain(driver)) if driver else [required("spec.driver", "")]
    out += _pool(pool)
    if old is not None:
        out += immutable("spec.pool.name", text(pool, "name"), text(struct(old, "pool"), "name"))
        out += immutable("spec.driver", driver, text(old, "driver")) + immutable("spec.nodeName", spec.get("nodeName"), old.get("nodeName"))
    out += _where(spec)
    if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
        out.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    return out + _devices(spec)


def _pool(pool: Obj) -> Errors:
    name, out = text(pool, "name"), Errors()
    if not name:
        out.append(required("spec.pool.name", ""))
    elif len(name) > _MOST_POOL:
        out.append(too_long("spec.pool.name", _MOST_POOL))
    for part in name.split("/") if name else ():
        out += invalids("spec.pool.name", part, dns1123_subdomain(part))
    if (count := number(pool, "resourceSliceCount")) <= 0:
        out.append(invalid("spec.pool.resourceSliceCount", count, "must be greater than zero"))
    if (generation := number(pool, "generation")) < 0:
        out.append(invalid("spec.pool.generation", generation, "must be greater than or equal to zero"))
    return out


def _node_name(path: str, name: str, empty: str, chosen: list[str]) -> Errors:
    if not name:
        return [invalid(path, name, empty)]
    chosen.append("`nodeName`")
    return invalids(path, name, name_is_subdomain(name))


def _flag(path: str, obj: Obj, field: str, chosen: list[str]) -> Errors:
    if obj.get(field) is False:
        return [invalid(f"{path}.{field}", False, "must be either unset or set to true")]
    if obj.get(field):
        chosen.append(f"`{field}`")
    return []


def _where(spec: Obj) -> Errors:
    chosen: list[str] = []
    out: Errors = []
    if spec.get("nodeName") is not None:
        out += _node_name("spec.nodeName", spec["nodeName"], "must be either unset or set to a non-empty string", chosen)
    if (selector := spec.get("nodeSelector")) is not None:
        chosen.append("`nodeSelector`")
        out += node_selector("spec.nodeSelector", selector)
        if len(terms := structs(selector, "nodeSelectorTerms")) != 1:
            shown = Raw(go_json(gotypes.tree("[]:NodeSelectorTerm", terms or None)))
            out.append(invalid("spec.nodeSelector.nodeSelectorTerms", shown, "must have exactly one node selector term"))
    out += _flag("spec", spec, "allNodes", chosen) + _flag("spec", spec, "perDeviceNodeSelection", chosen)
    return out + _one(chosen, "spec", _WHERE, f"{_WHERE}, but multiple fields are set")


def _one(chosen: list[str], path: str, none: str, many: str) -> Errors:
    if not chosen:
        return [required(path, none)]
    return [invalid(path, "{%s}" % ", ".join(chosen), many)] if len(chosen) > 1 else []  # noqa: UP031


def _advanced(device: Obj) -> bool:
    lists = any(field in ("ints", "bools", "strings", "versions") for one in struct(device, "attributes").values() for field in one or ())
    return bool(device.get("taints") or device.get("consumesCounters")) or lists


def _devices(spec: Obj) -> Errors:
    devices, at = structs(spec, "devices"), "spec.devices"
    most = _MOST_ADVANCED if any(map(_advanced, devices)) else _MOST
    out: Errors = [too_many(at, len(devices), most)] if len(devices) > most else []
    seen: set[str] = set()
    for i, device in enumerate(devices):
        name = text(device, "name")
        out += _device(device, f"{at}[{i}]", bool(spec.get("perDeviceNodeSelection")))
        if name in seen:
            out.append(duplicate(f"{at}[{i}]", name))
        seen.add(name)
    return out


def _device(device: Obj, path: str, anywhere: bool) -> Errors:
    name, attributes, capacity = text(device, "name"), struct(device, "attributes"), struct(device, "capacity")
    out = invalids(f"{path}.name", name, dns1123_label(name))
    if (count := len(attributes) + len(capacity)) > _MOST_ATTRIBUTES:
        out.append(invalid(path, count, f"the total number of attributes and capacities must not exceed {_MOST_ATTRIBUTES}"))
    for key in sorted(attributes):
        out += _qualified_name(f"{path}.attributes", key) + _attribute(f"{path}.attributes[{key}]", attributes[key] or {})
    for key in sorted(capacity):
        out += _qualified_name(f"{path}.capacity", key)
        if (capacity[key] or {}).get("requestPolicy") is not None and not device.get("allowMultipleAllocations"):
            out.append(forbidden(f"{path}.capacity[{key}].requestPolicy", "allowMultipleAllocations must be true"))
    for i, taint in enumerate(structs(device, "taints")):
        out += _taint(f"{path}.taints[{i}]", taint)
    return out + _where_device(device, path, anywhere)


def _where_device(device: Obj, path: str, anywhere: bool) -> Errors:
    given = [field for field in ("nodeName", "nodeSelector", "allNodes") if device.get(field) is not None]
    if not anywhere:
        return [invalid(path, None, _NOT_OF_DEVICE)] if given else []
    chosen: list[str] = []
    out: Errors = []
    if "nodeName" in given:
        out += _node_name(f"{path}.nodeName", device["nodeName"], "must not be empty", chosen)
    if "nodeSelector" in given:
        chosen.append("`nodeSelector`")
        out += node_selector(f"{path}.nodeSelector", device["nodeSelector"])
    return out + _flag(path, device, "allNodes", chosen) + _one(chosen, path, _WHERE_OF_DEVICE, _WHERE_OF_DEVICE)


def _identifier(path: str, name: str) -> Errors:
    out: Errors = [too_long(path, _MOST_ID)] if len(name) > _MOST_ID else []
    if not _is_identifier(name):
        out.append(invalid(path, name, regex_error(_IDENTIFIER_TEXT, _IDENTIFIER, "my_name", "MY_NAME", "MyName")))
    return out


def _qualified_name(path: str, name: str) -> Errors:
    parts = name.split("/")
    if len(parts) == 1:
        return _identifier(path, name)
    if len(parts) != 2:
        return []
    domain, own = parts
    out = invalids(path, domain, dns1123_subdomain(domain)) if domain else [invalid(path, "", "the domain must not be empty")]
    return out + (_identifier(path, own) if own else [invalid(path, "", "the name must not be empty")])


def _one_value(path: str, field: str, value: str) -> Errors:
    out: Errors = []
    if field == "version" and not _is_version(value):
        out.append(invalid(path, value, "must be a string compatible with semver.org spec 2.0.0"))
    return [*out, too_long(path, _MOST_VALUE)] if len(value.encode()) > _MOST_VALUE else out


def _attribute(path: str, attribute: Obj) -> Errors:
    out: Errors = []
    given = [field for field in _VALUES if attribute.get(field) is not None]
    for field in ("string", "version"):
        if field in given:
            out += _one_value(f"{path}.{field}", field, attribute[field])
    for field in ("bools", "ints", "strings", "versions"):
        if field in given and not attribute[field]:
            out.append(invalid(f"{path}.{field}", [], "must not be empty if specified"))
        elif field in ("strings", "versions") and field in given:
            for i, value in enumerate(attribute[field]):
                out += _one_value(f"{path}.{field}[{i}]", field[:-1], value or "")
    if not given:
        out.append(invalid(path, "", "exactly one value must be specified"))
    elif len(given) > 1:
        shown = Raw(json.dumps(_shown(attribute), separators=(",", ":"), ensure_ascii=False))
        out.append(invalid(path, shown, "exactly one value must be specified"))
    return out


def _shown(attribute: Obj) -> dict[str, Any]:
    """An attribute by its names in Go."""
    names = ("int", "bool", "string", "version")
    single = {f"{name.capitalize()}Value": attribute.get(name) for name in names}
    return single | {f"{name.capitalize()}Values": attribute.get(f"{name}s") for name in names}


def _taint(path: str, taint: Obj) -> Errors:
    key, value, effect = text(taint, "key"), text(taint, "value"), text(taint, "effect")
    out = invalids(f"{path}.key", key, label_key(key)) + invalids(f"{path}.value", value, label_value(value))
    if not effect:
        out.append(required(f"{path}.effect", ""))
    elif effect not in _EFFECTS:
        out.append(not_supported(f"{path}.effect", effect, _EFFECTS))
    return out
