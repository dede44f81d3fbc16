"""ResourceQuotas and LimitRanges. Follows pkg/apis/core/validation/validation.go and pkg/apis/core/helper/helpers.go."""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.amounts import canonical, nano
from clusterlab.apiserver.validation.common import Errors, Obj, invalids, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import label_key, name_is_subdomain
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.apiserver.validation.resources import (
    QUOTA_RESOURCES,
    container_resource_name,
    is_quota_huge_page,
    overcommit_allowed,
    quantity_value,
    quota_resource_name,
    resource_name,
)
from clusterlab.machinery.field import duplicate, forbidden, invalid, required

__all__ = ["create_limit_range", "create_quota", "update_limit_range", "update_quota", "update_quota_status"]

_COUNTED = ("pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
_SCOPES: dict[str, tuple[str, ...]] = {
    "Terminating": _COUNTED, "NotTerminating": _COUNTED, "NotBestEffort": _COUNTED, "PriorityClass": _COUNTED,
    "CrossNamespacePodAffinity": _COUNTED, "BestEffort": ("pods",),
    "VolumeAttributesClass": ("persistentvolumeclaims", "requests.storage"),
}
_EXISTS_ONLY = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_EXISTS_TEXT = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_CONFLICTS = (("BestEffort", "NotBestEffort"), ("NotTerminating", "Terminating"))


def _amounts(path: str, amounts: Obj) -> Errors:
    out: Errors = []
    for name, value in amounts.items():
        out += quota_resource_name(f"{path}[{name}]", name) + quantity_value(f"{path}[{name}]", name, value)
    return out


def _misapplied(scope: str, hard: Obj) -> int:
    allowed = _SCOPES.get(scope)
    if allowed is None:
        return 0
    return sum((name in QUOTA_RESOURCES or is_quota_huge_page(name)) and name not in allowed for name in hard)


def _scopes(spec: Obj) -> Errors:
    scopes, path = strings(spec, "scopes"), "spec.scopes"
    out: Errors = []
    for scope in scopes:
        if scope not in _SCOPES:
            out.append(invalid(path, scopes, "unsupported scope"))
        out += [invalid(path, scopes, "unsupported scope applied to resource")] * _misapplied(scope, struct(spec, "hard"))
    return out + [invalid(path, scopes, "conflicting scopes") for pair in _CONFLICTS if all(scope in scopes for scope in pair)]


def _scope_selector(spec: Obj) -> Errors:
    selector = spec.get("scopeSelector")
    if selector is None:
        return []
    out: Errors = []
    path = "spec.scopeSelector.matchExpressions"
    seen: set[str] = set()
    for requirement in structs(selector, "matchExpressions"):
        scope, operator, values = text(requirement, "scopeName"), text(requirement, "operator"), strings(requirement, "values")
        if scope not in _SCOPES:
            out.append(invalid(f"{path}.scopeName", scope, "unsupported scope"))
        shown = gotypes.go_struct("*:ScopeSelector", selector)
        out += [invalid(path, shown, "unsupported scope applied to resource")] * _misapplied(scope, struct(spec, "hard"))
        if scope in _EXISTS_ONLY and operator != "Exists":
            out.append(invalid(f"{path}.operator", operator, _EXISTS_TEXT))
        if operator in ("In", "NotIn"):
            if not values:
                why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                out.append(required(f"{path}.values", why))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                out.append(invalid(f"{path}.values", values, why))
        else:
            out.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
        seen.add(scope)
    conflict = [invalid(path, spec.get("scopes"), "conflicting scopes") for pair in _CONFLICTS if seen.issuperset(pair)]
    return out + conflict


def _spec(spec: Obj) -> Errors:
    return _amounts("spec.hard", struct(spec, "hard")) + _scopes(spec) + _scope_selector(spec)


def _status(status: Obj) -> Errors:
    return _amounts("status.hard", struct(status, "hard")) + _amounts("status.used", struct(status, "used"))


def create_quota(obj: Obj) -> Errors:
    """A new ResourceQuota."""
    return object_meta(obj, True, name_is_subdomain) + _spec(struct(obj, "spec")) + _status(struct(obj, "status"))


def update_quota(new: Obj, old: Obj) -> Errors:
    """A changed ResourceQuota: its scopes stay."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old) + _spec(spec)
    if set(strings(spec, "scopes")) != set(strings(before, "scopes")):
        out.append(invalid("spec.scopes", spec.get("scopes"), "field is immutable"))
    return out


def update_quota_status(new: Obj, old: Obj) -> Errors:
    """A ResourceQuota's new status."""
    out = object_meta_update(new, old)
    if not struct(new, "metadata").get("resourceVersion"):
        out.append(required("resourceVersion"))
    return out + _status(struct(new, "status"))


# LimitRanges.

_FIELDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def _names(path: str, limit: Obj) -> Errors:
    kind = text(limit, "type")
    check = container_resource_name if kind in ("Pod", "Container") else resource_name
    out: Errors = []
    for field in _FIELDS:
        amounts = struct(limit, field)
        if kind == "Pod" and field in ("default", "defaultRequest"):
            if amounts:
                out.append(forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'"))
            continue
        for name in amounts:
            out += check(f"{path}.{field}[{name}]", name)
    if kind == "PersistentVolumeClaim" and "storage" not in struct(limit, "min") and "storage" not in struct(limit, "max"):
        why = "either minimum or maximum storage value is required, but neither was provided"
        out.append(required(f"{path}.limits", why))
    return out


def _amount_errors(path: str, name: str, limit: Obj) -> Errors:
    low, high, default, request, ratio = (struct(limit, field).get(name) for field in ("min", "max", *_FIELDS[2:]))
    if text(limit, "type") == "Pod":
        default = request = None
    out: Errors = []

    def order(a: Any, b: Any, field: str, shown: Any, what: tuple[str, str]) -> None:
        if a is not None and b is not None and nano(a) > nano(b):
            why = f"{what[0]} value {canonical(a)} is greater than {what[1]} value {canonical(b)}"
            out.append(invalid(f"{path}.{field}[{name}]", canonical(shown), why))

    order(low, high, "min", low, ("min", "max"))
    order(low, request, "defaultRequest", request, ("min", "default request"))
    order(request, high, "defaultRequest", request, ("default request", "max"))
    order(request, default, "defaultRequest", request, ("default request", "default limit"))
    order(low, default, "default", low, ("min", "default"))
    order(default, high, "default", high, ("default", "max"))
    at = f"{path}.maxLimitRequestRatio[{name}]"
    if ratio is not None and nano(ratio) < 1_000_000_000:
        out.append(invalid(at, canonical(ratio), f"ratio {canonical(ratio)} is less than 1"))
    if ratio is not None and low is not None and high is not None and nano(low) > 0:
        most = nano(high) / nano(low)
        if nano(ratio) / 1_000_000_000 > most:
            out.append(invalid(at, canonical(ratio), f"ratio {canonical(ratio)} is greater than max/min = {most:f}"))
    if not overcommit_allowed(name) and default is not None and request is not None and nano(default) != nano(request):
        why = f"default value {canonical(default)} must equal to defaultRequest value {canonical(request)} in {name}"
        out.append(invalid(f"{path}.defaultRequest[{name}]", canonical(request), why))
    return out


def create_limit_range(obj: Obj) -> Errors:
    """A new LimitRange."""
    out = object_meta(obj, True, name_is_subdomain)
    seen: set[str] = set()
    for i, limit in enumerate(structs(struct(obj, "spec"), "limits")):
        at, kind = f"spec.limits[{i}]", text(limit, "type")
        messages = label_key(kind)
        if messages:
            out += invalids(f"{at}.type", kind, messages)
        elif "/" not in kind and kind not in ("Pod", "Container", "PersistentVolumeClaim"):
            out.append(invalid(f"{at}.type", kind, "must be a standard limit type or fully qualified"))
        if kind in seen:
            out.append(duplicate(f"{at}.type", kind))
        seen.add(kind)
        out += _names(at, limit)
        for name in dict.fromkeys(name for field in _FIELDS for name in struct(limit, field)):
            out += _amount_errors(at, name, limit)
    return out


def update_limit_range(new: Obj, old: Obj) -> Errors:
    """A changed LimitRange."""
    return object_meta_update(new, old) + create_limit_range(new)
