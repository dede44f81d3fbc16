"""Validation of objects: what an API server refuses with 422, field by field, in Kubernetes' words.

`validate_create` and `validate_update` take objects that were decoded, defaulted and prepared by their strategy. Multi-version
kinds are validated in their storage version (HorizontalPodAutoscalers as autoscaling/v2). Custom resources go to `create_custom`
and `update_custom`, with the schema of their version. Validators never raise, whatever JSON came through decoding, and never
change what they are given.
"""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.validation.custom import create_custom, update_custom
from clusterlab.apiserver.validation.meta import object_meta_update
from clusterlab.apiserver.validation.registry import CREATE, UPDATE, generic_create, generic_update
from clusterlab.machinery.field import FieldError
from clusterlab.machinery.scheme import Resource

__all__ = ["create_custom", "update_custom", "validate_create", "validate_update"]


def _key(resource: str | Resource) -> str:
    return resource if isinstance(resource, str) else resource.string


def validate_create(resource: str | Resource, obj: dict[str, Any], subresource: str = "") -> list[FieldError]:
    """What is wrong with a new object; nothing is an empty list. `resource`: as in ARCHITECTURE.md, or the Resource itself."""
    key = _key(resource)
    check = CREATE.get(f"{key}/{subresource}" if subresource else key)
    return check(obj) if check is not None else generic_create(key, obj, resource)


def validate_update(
    resource: str | Resource, new: dict[str, Any], old: dict[str, Any], subresource: str = ""
) -> list[FieldError]:
    """What is wrong with an object that shall replace another; nothing is an empty list."""
    key = _key(resource)
    check = UPDATE.get(f"{key}/{subresource}" if subresource else key)
    if check is None:
        return generic_update(new, old)
    errors = check(new, old)
    # Every update goes through rest.BeforeUpdate first, which finds the same faults of metadata: causes list them twice.
    return object_meta_update(new, old, kube=False) + errors if errors else errors
