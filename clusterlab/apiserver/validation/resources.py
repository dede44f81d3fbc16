"""Resource names, quantities and requirements.

Follows pkg/apis/core/validation/validation.go (ValidateContainerResourceRequirements and its neighbours) and
pkg/apis/core/helper/helpers.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlab.apiserver.validation.amounts import canonical, milli, nano
from clusterlab.apiserver.validation.common import Errors, Obj, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_label, label_key
from clusterlab.machinery.field import FieldError, Raw, duplicate, forbidden, go_quote, invalid, not_supported, required

__all__ = [
    "QUOTA_RESOURCES", "container_requirements", "container_resource_name", "is_extended", "is_huge_page", "is_native",
    "nonnegative_quantity", "overcommit_allowed", "pod_requirements", "positive_quantity", "quantity_value", "quota_resource_name",
    "resource_name",
]

_CONTAINER = ("cpu", "memory", "ephemeral-storage")
QUOTA_RESOURCES = (
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage",
    "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas", "services", "replicationcontrollers",
    "secrets", "persistentvolumeclaims", "configmaps", "services.nodeports", "services.loadbalancers",
)
_STANDARD = (*QUOTA_RESOURCES, "storage")
_INTEGERS = QUOTA_RESOURCES[10:]


def is_huge_page(name: str) -> bool:
    """hugepages-2Mi and the like."""
    return name.startswith("hugepages-")


def is_quota_huge_page(name: str) -> bool:
    """Huge pages, or requests for them, as a quota names them."""
    return name.startswith(("hugepages-", "requests.hugepages-"))


def is_native(name: str) -> bool:
    """A resource of Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """A resource that somebody else defines, such as example.com/gpu."""
    return not is_native(name) and not name.startswith("requests.") and not label_key(f"requests.{name}")


def overcommit_allowed(name: str) -> bool:
    """Whether a limit may be above the request."""
    return is_native(name) and not is_huge_page(name)


def resource_name(path: str, name: str) -> Errors:
    """Any resource."""
    if messages := label_key(name):
        return [invalid(path, name, message) for message in messages]
    if "/" not in name and name not in _STANDARD and not is_quota_huge_page(name):
        return [invalid(path, name, "must be a standard resource type or fully qualified")]
    return []


def container_resource_name(path: str, name: str) -> Errors:
    """A resource that a container may ask for."""
    if name in _CONTAINER:
        return []
    out = resource_name(path, name)
    if "/" not in name:
        if not is_huge_page(name):
            out.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        out.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return out


def _pod_resource_name(path: str, name: str) -> Errors:
    out = resource_name(path, name)
    if not out and name not in ("cpu", "memory") and not is_huge_page(name):
        out.append(not_supported(path, name, ("cpu", "hugepages-", "memory")))
    return out


def quota_resource_name(path: str, name: str) -> Errors:
    """A resource that a quota may count."""
    out = resource_name(path, name)
    if "/" not in name and name not in QUOTA_RESOURCES and not is_quota_huge_page(name):
        out.append(invalid(path, name, "must be a standard resource for quota"))
    return out


def nonnegative_quantity(path: str, value: Any) -> Errors:
    """The quantity must not be below zero."""
    return [invalid(path, canonical(value), "must be greater than or equal to 0")] if nano(value) < 0 else []


def positive_quantity(path: str, value: Any) -> Errors:
    """The quantity must be above zero."""
    return [invalid(path, canonical(value), "must be greater than zero")] if nano(value) <= 0 else []


def quantity_value(path: str, name: str, value: Any) -> Errors:
    """A quantity of that resource: not below zero, and whole where the resource comes in pieces."""
    out = nonnegative_quantity(path, value)
    if (name in _INTEGERS or ("/" in name and is_extended(name))) and milli(value) % 1000:
        out.append(invalid(path, canonical(value), "must be an integer"))
    return out


def _huge_page_divides(name: str, value: Any) -> bool:
    size = nano(name.removeprefix("hugepages-"))
    return size > 0 and nano(value) % size == 0


def _huge_pages(path: str, name: str, value: Any) -> Errors:
    if _huge_page_divides(name, value):
        return []
    shown = canonical(value)
    return [invalid(path, shown, f"{shown} is not positive integer multiple of {name}")]


def container_requirements(path: str, requirements: Obj | None, claims: tuple[str, ...] = ()) -> Errors:
    """The resources of a container. `claims`: the names of the pod's resource claims."""
    return _requirements(path, requirements, claims, container_resource_name) if requirements else []


def pod_requirements(path: str, requirements: Obj | None, claims: tuple[str, ...] = ()) -> Errors:
    """The resources of a pod as a whole."""
    return _requirements(path, requirements, claims, _pod_resource_name) if requirements else []


def _requirements(path: str, requirements: Obj, claims: tuple[str, ...], name_fn: Callable[[str, str], Errors]) -> Errors:
    out: Errors = []
    limits, requests = struct(requirements, "limits"), struct(requirements, "requests")
    for name, value in limits.items():
        out += name_fn(f"{path}.limits[{name}]", name) + quantity_value(f"{path}.limits[{name}]", name, value)
        if is_huge_page(name):
            out += _huge_pages(f"{path}.limits[{name}]", name, value)
    for name, value in requests.items():
        at = f"{path}.requests[{name}]"
        out += name_fn(at, name) + quantity_value(at, name, value)
        if name in limits:
            out += _against_limit(f"{path}.requests", name, value, limits[name])
        elif not overcommit_allowed(name):
            out.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        if is_huge_page(name):
            out += _huge_pages(at, name, value)
    if not {"cpu", "memory"} & (limits.keys() | requests.keys()) and any(map(is_huge_page, [*limits, *requests])):
        out.append(forbidden(path, "HugePages require cpu or memory"))
    if requirements.get("claims"):
        out += _claim_names(f"{path}.claims", structs(requirements, "claims"), claims)
    return out


def _against_limit(path: str, name: str, value: Any, limit: Any) -> Errors:
    asked, most = nano(value), nano(limit)
    if asked != most and not overcommit_allowed(name):
        return [invalid(path, canonical(value), f"must be equal to {name} limit of {canonical(limit)}")]
    if asked > most:
        return [invalid(path, canonical(value), f"must be less than or equal to {name} limit of {canonical(limit)}")]
    return []


def _claim_names(path: str, items: list[Obj], claims: tuple[str, ...]) -> Errors:
    out: Errors = []
    seen: set[str] = set()
    of_requests: dict[str, int] = {}  # how many requests of a claim are named
    there, listed = set(claims), ""
    for i, item in enumerate(items):
        at, name, request = f"{path}[{i}]", text(item, "name"), text(item, "request")
        if not name:
            out.append(required(at))
            continue
        if name in seen:
            out.append(duplicate(at, name))
        else:
            if request:
                out += [invalid(f"{at}.request", request, message) for message in dns1123_label(request)]
            key = f"{name}/{request}" if request else name
            if key in seen:
                out.append(duplicate(at, key))
            elif not request:
                out += [duplicate(at, name)] * of_requests.get(name, 0)
            if request and key not in seen:
                of_requests[name] = of_requests.get(name, 0) + 1
            seen.add(key)
        if name not in there:
            why = "must be one of the names in pod.spec.resourceClaims"
            listed = listed or ", ".join(sorted(claims))
            why += ": " + listed if claims else " which is empty"
            out.append(FieldError("FieldValueNotFound", at, Raw(go_quote(name)), why))
    return out
