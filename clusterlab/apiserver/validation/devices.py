"""Devices: classes, claims and templates of claims. Follows pkg/apis/resource/validation/validation.go.

Left out: tolerations, and what expressions of selectors cost. Slices are in device_slices.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import Errors, Obj, equal, invalids, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_label, dns1123_subdomain, name_is_subdomain
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update, template_meta
from clusterlab.apiserver.validation.resources import is_extended
from clusterlab.machinery.cel_types import Type, check, show
from clusterlab.machinery.field import Raw, duplicate, invalid, not_supported, required, too_many

__all__ = [
    "create_claim", "create_class", "create_template", "update_claim", "update_class", "update_template",
]

#: What expressions know of a device (dynamic-resource-allocation/cel/compile.go).
DEVICE: Type = ("object", "kubernetes.DRADevice", {
    "driver": "string", "attributes": ("map", "string", ("map", "string", "?")), "capacity": ("map", "string", ("map", "string", "?")),
    "allowMultipleAllocations": "bool",
})
_MOST = 32
_MODES = ("All", "ExactCount")
_ONE_OF = "exactly one of `exactly` or `firstAvailable` is required"
_CONSTRAINT = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
_REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"


def create_class(obj: Obj) -> Errors:
    """A new DeviceClass."""
    return object_meta(obj, False, name_is_subdomain) + _class_spec(obj)


def update_class(new: Obj, old: Obj) -> Errors:
    """A changed DeviceClass."""
    return object_meta_update(new, old) + _class_spec(new)


def create_claim(obj: Obj) -> Errors:
    """A new ResourceClaim."""
    return object_meta(obj, True, name_is_subdomain) + _claim(struct(struct(obj, "spec"), "devices"), "spec.devices")


def update_claim(new: Obj, old: Obj) -> Errors:
    """A changed ResourceClaim: its spec stays."""
    return object_meta_update(new, old) + _fixed(new, old)


def create_template(obj: Obj) -> Errors:
    """A new ResourceClaimTemplate."""
    spec = struct(obj, "spec")
    out = object_meta(obj, True, name_is_subdomain) + template_meta("spec.metadata", struct(spec, "metadata"))
    return out + _claim(struct(struct(spec, "spec"), "devices"), "spec.spec.devices")


def update_template(new: Obj, old: Obj) -> Errors:
    """A changed ResourceClaimTemplate: its spec stays."""
    return object_meta_update(new, old) + _fixed(new, old, template=True)


def _fixed(new: Obj, old: Obj, template: bool = False) -> Errors:
    spec = struct(new, "spec")
    if equal(spec, struct(old, "spec")):
        return []
    if not template:
        return [invalid("spec", gotypes.go_struct("resource.ResourceClaimSpec", spec), "field is immutable")]
    shown = {**gotypes.tree("M", spec.get("metadata")), "Spec": gotypes.tree(":resource.ResourceClaimSpec", spec.get("spec"))}
    return [invalid("spec", Raw(json.dumps(shown, separators=(",", ":"), ensure_ascii=False)), "field is immutable")]


def _class_spec(obj: Obj) -> Errors:
    spec = struct(obj, "spec")
    out = _selectors("spec.selectors", spec)
    for i, config in enumerate(structs(spec, "config")):
        out += _config(f"spec.config[{i}]", config)
    if (name := spec.get("extendedResourceName")) is not None and not is_extended(name):
        out.append(invalid("spec.extendedResourceName", name, "must be a valid extended resource name"))
    return out


def _set(path: str, items: list[Obj], check: Callable[[Obj, str], Errors]) -> Errors:
    """A list whose items have names of their own; twins are told after the items."""
    out: Errors = [too_many(path, len(items), _MOST)] if len(items) > _MOST else []
    twice: Errors = []
    seen: set[str] = set()
    for i, item in enumerate(items):
        out += check(item, f"{path}[{i}]")
        name = text(item, "name")
        if name in seen:
            twice.append(duplicate(f"{path}[{i}]", name))
        seen.add(name)
    return out + twice


def _claim(devices: Obj, path: str) -> Errors:
    requests = structs(devices, "requests")
    names: set[str] = set()
    for request in requests:
        names |= {text(request, "name"), *(f"{text(request, 'name')}/{text(one, 'name')}" for one in structs(request, "firstAvailable"))}
    out = _set(f"{path}.requests", requests, _request)
    for i, constraint in enumerate(structs(devices, "constraints")):
        at = f"{path}.constraints[{i}]"
        out += _references(f"{at}.requests", constraint, names)
        if constraint.get("matchAttribute") is None and constraint.get("distinctAttribute") is None:
            out.append(required(at, _CONSTRAINT))
    for i, config in enumerate(structs(devices, "config")):
        at = f"{path}.config[{i}]"
        out += _references(f"{at}.requests", config, names) + _config(at, config)
    return out


def _references(path: str, owner: Obj, names: set[str]) -> Errors:
    return [invalid(f"{path}[{i}]", name, _REFERENCE) for i, name in enumerate(strings(owner, "requests")) if name not in names]


def _request(request: Obj, path: str) -> Errors:
    out = invalids(f"{path}.name", text(request, "name"), dns1123_label(text(request, "name")))
    several, exactly = structs(request, "firstAvailable"), request.get("exactly")
    if several and exactly is not None:
        out.append(invalid(path, None, f"{_ONE_OF}, but multiple fields are set"))
    elif several:
        out += _set(f"{path}.firstAvailable", several, _sub_request)
    elif exactly is not None:
        out += _asked(exactly, f"{path}.exactly")
    else:
        out.append(required(path, _ONE_OF))
    return out


def _sub_request(request: Obj, path: str) -> Errors:
    return invalids(f"{path}.name", text(request, "name"), dns1123_label(text(request, "name"))) + _asked(request, path)


def _asked(request: Obj, path: str) -> Errors:
    name = text(request, "deviceClassName")
    out = invalids(f"{path}.deviceClassName", name, dns1123_subdomain(name)) if name else [required(f"{path}.deviceClassName", "")]
    out += _selectors(f"{path}.selectors", request)
    mode, count = text(request, "allocationMode"), request.get("count") or 0
    if mode not in _MODES:
        out.append(not_supported(f"{path}.allocationMode", mode, _MODES))
    elif mode == "All" and count:
        out.append(invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount" and count <= 0:
        out.append(invalid(f"{path}.count", count, "must be greater than zero"))
    return out


def _selectors(path: str, owner: Obj) -> Errors:
    out: Errors = []
    for i, selector in enumerate(structs(owner, "selectors")):
        at = f"{path}[{i}].cel"
        if selector.get("cel") is None:
            out.append(required(at, ""))
            continue
        expression = text(selector["cel"], "expression")
        kind, why = check(expression, {"device": DEVICE})
        if why:
            out.append(invalid(f"{at}.expression", expression, f"compilation failed: {why}"))
        elif kind not in ("bool", "dyn", "?"):
            out.append(invalid(f"{at}.expression", expression, f"must evaluate to bool or the unknown type, not {show(kind)}"))
    return out


def _config(path: str, config: Obj) -> Errors:
    opaque = config.get("opaque")
    if opaque is None:
        return [required(f"{path}.opaque", "")]
    driver = text(opaque, "driver")
    out = invalids(f"{path}.opaque.driver", driver, dns1123_subdomain(driver)) if driver else [required(f"{path}.opaque.driver", "")]
    if not opaque.get("parameters"):
        out.append(required(f"{path}.opaque.parameters", ""))
    return out
