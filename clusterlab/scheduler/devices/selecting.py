"""CEL selectors of devices: what `device` is to an expression, and the functions on versions.

Follows staging/src/k8s.io/dynamic-resource-allocation/cel/compile.go and staging/src/k8s.io/apiserver/pkg/cel/library/semverlib.go.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from clusterlab.machinery.cel import INNER_MOST, CelError, Program, refill, to_cel
from clusterlab.machinery.quantity import compare
from clusterlab.scheduler.devices.pools import Device

Object = dict[str, Any]

__all__ = ["CelError", "attribute", "selects"]

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_DOMAIN = re.compile(r"""\.\s*(?:attributes|capacity)\s*\[\s*(["'])([^"']+)\1""")


def selects(expression: str, device: Device) -> bool:
    """Whether an expression selects a device; raises CelError."""
    program = _compiled(expression)
    refill(INNER_MOST)
    value = program.evaluate({"device": to_cel(_seen(device, expression))})
    if not isinstance(value, bool) and type(value).__name__ != "BoolType":
        raise CelError("result type is no bool")
    return bool(value)


def attribute(device: Device, name: str) -> tuple[str, Any] | None:
    """The value of an attribute by its qualified name, as (its type's field, value)."""
    attributes = device.body.get("attributes") or {}
    domain, _, short = name.partition("/")
    found = attributes.get(name)
    if found is None and domain == device.id.driver:
        found = attributes.get(short)
    return next(iter(found.items())) if found else None


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Program:
    return Program(expression, _functions())


def _seen(device: Device, expression: str) -> Object:
    """The variable `device`. A domain that the device has nothing of is an empty map."""
    domains = [found[1] for found in _DOMAIN.findall(expression)]
    attributes: dict[str, Object] = {domain: {} for domain in domains}
    capacity: dict[str, Object] = {domain: {} for domain in domains}
    for into, field in ((attributes, "attributes"), (capacity, "capacity")):
        for name, value in (device.body.get(field) or {}).items():
            domain, slash, short = name.partition("/")
            if not slash:
                domain, short = device.id.driver, name
            into.setdefault(domain, {})[short] = str(value["value"]) if field == "capacity" else next(iter(value.values()))
    return {
        "driver": device.id.driver, "attributes": attributes, "capacity": capacity,
        "allowMultipleAllocations": bool(device.body.get("allowMultipleAllocations")),
    }


def _version(text: str) -> tuple[Any, ...] | None:
    """A version as what it is ordered by; one before a release comes before it."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    before = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in found[4].split(".")) if found[4] else ((2, 0, ""),)
    return int(found[1]), int(found[2]), int(found[3]), before


def _order(a: Any, b: Any) -> int:
    one, other = _version(str(a)), _version(str(b))
    if one is None or other is None:
        return compare(str(a), str(b))
    return (one > other) - (one < other)


@lru_cache(maxsize=1)
def _functions() -> dict[str, Any]:
    from celpy import celtypes

    def semver(text: Any) -> Any:
        if _version(str(text)) is None:
            raise CelError(f"invalid semantic version {str(text)!r}")
        return celtypes.StringType(text)

    def part(at: int) -> Any:
        return lambda value: celtypes.IntType((_version(str(value)) or (0, 0, 0))[at])

    return {
        "semver": semver, "isSemver": lambda text: celtypes.BoolType(_version(str(text)) is not None),
        "major": part(0), "minor": part(1), "patch": part(2), "compareTo": lambda a, b: celtypes.IntType(_order(a, b)),
        "isLessThan": lambda a, b: celtypes.BoolType(_order(a, b) < 0), "isGreaterThan": lambda a, b: celtypes.BoolType(_order(a, b) > 0),
    }
