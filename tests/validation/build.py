"""Objects for tests: decoded and defaulted like those of a request, and changed field by field."""

import copy
from typing import Any

from clusterlab.apiserver import strategy, validation
from clusterlab.apiserver.defaults import apply_defaults
from clusterlab.machinery.convert import decode
from clusterlab.machinery.scheme import BUILTIN

UNSET = object()


def make(resource: str, body: dict[str, Any], version: str = "") -> dict[str, Any]:
    """The body of a request as validation sees it."""
    found = next(r for r in BUILTIN.resources if r.string == resource and (not version or r.version == version))
    body = {"metadata": {"name": "test"}, **copy.deepcopy(body)}
    if found.namespaced:
        body["metadata"] = {"namespace": "default", **body["metadata"]}
    obj = apply_defaults(found, decode(found.group, found.version, found.kind, body)[0])
    return strategy.convert(resource, obj, "v2") if resource == "horizontalpodautoscalers" and version == "v1" else obj


def at(obj: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with other values at paths such as "spec.containers.0.image"; UNSET removes a field."""
    out = copy.deepcopy(obj)
    for path, value in changes.items():
        place: Any = out
        *parents, last = path.replace("\\.", "\0").split(".")
        for part in parents:
            key: Any = int(part) if isinstance(place, list) else part.replace("\0", ".")
            if isinstance(place, dict):
                place = place.setdefault(key, {})
            else:
                place = place[key]
        key = int(last) if isinstance(place, list) else last.replace("\0", ".")
        if value is UNSET:
            place.pop(key, None)
        elif isinstance(place, list) and key == len(place):
            place.append(value)
        else:
            place[key] = value
    return out


def create(resource: str, body: dict[str, Any], changes: dict[str, Any] | None = None, version: str = "") -> list[str]:
    """The texts of what is wrong with a new object."""
    return [error.text() for error in validation.validate_create(resource, make(resource, at(body, changes or {}), version))]


def stored(resource: str, body: dict[str, Any], changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object as storage has it."""
    obj = make(resource, at(body, changes or {}))
    return at(obj, {"metadata.resourceVersion": "1", "metadata.uid": "1a2b3c"})


def update(resource: str, old: dict[str, Any], changes: dict[str, Any], subresource: str = "") -> list[str]:
    """The texts of what is wrong with a change of a stored object."""
    return [error.text() for error in validation.validate_update(resource, at(old, changes), old, subresource)]
