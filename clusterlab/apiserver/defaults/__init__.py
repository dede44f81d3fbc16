"""Defaults: the values that fields get when a request leaves them out.

`apply_defaults` gives a new object that shares what did not change, or the object itself. It is idempotent.
"""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.defaults.registry import DEFAULTS
from clusterlab.machinery.scheme import Resource

__all__ = ["apply_defaults"]


def apply_defaults(resource: str | Resource, obj: dict[str, Any]) -> dict[str, Any]:
    """The object with defaults. `resource`: a resource string, or the Resource itself, whose version then counts."""
    if isinstance(resource, str):
        key, version = resource, ""
    else:
        key, version = resource.string, resource.version
    fill = DEFAULTS.get(f"{key}/{version}") or DEFAULTS.get(key)
    return fill(obj) if fill is not None else obj
