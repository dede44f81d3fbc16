"""Strategies: what an API server does to an object of a kind before it is validated and stored.

Follows pkg/registry/*/*/strategy.go: generations, status and spec kept apart, fields of disabled features dropped, selectors
generated. Allocation of addresses and ports is the registry's. Nothing here changes what it is given.
"""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.strategy.convert import convert
from clusterlab.apiserver.strategy.pod import app_armor_warnings
from clusterlab.apiserver.strategy.rules import custom_create, custom_update, prepare_create, prepare_update, with_pod_cidrs
from clusterlab.apiserver.strategy.warnings import on_create, on_update
from clusterlab.apiserver.validation.qos import pod_qos
from clusterlab.machinery.scheme import Resource

__all__ = [
    "app_armor_warnings", "convert", "pod_qos", "prepare_for_create", "prepare_for_update", "warnings_on_create", "warnings_on_update",
    "with_pod_cidrs",
]

Object = dict[str, Any]


def _key(resource: str | Resource) -> str:
    return resource if isinstance(resource, str) else resource.string


def prepare_for_create(resource: str | Resource, obj: Object) -> Object:
    """A new object as it is validated: first generation, status as it starts."""
    if not isinstance(resource, str) and resource.custom:
        return custom_create(obj, "status" in resource.subresources)
    return prepare_create(_key(resource), obj)


def prepare_for_update(resource: str | Resource, new: Object, old: Object, subresource: str = "", now: str = "") -> Object:
    """A changed object as it is validated. `now`: the time, for the few kinds whose status notes when it changed."""
    if not isinstance(resource, str) and resource.custom and not subresource:
        return custom_update(new, old, "status" in resource.subresources)
    return prepare_update(_key(resource), new, old, subresource, now)


def warnings_on_create(resource: str | Resource, obj: Object) -> list[str]:
    """What a client should be told about a new object that is valid."""
    return on_create(_key(resource), obj)


def warnings_on_update(resource: str | Resource, new: Object, old: Object) -> list[str]:
    """What a client should be told about a changed object that is valid."""
    return on_update(_key(resource), new, old)
