"""Amounts of resources, as validation needs them: order, canonical form, whole and milli-units, in integers.

Wraps machinery.quantity. A value that is no quantity cannot come through decoding; it counts as zero here, so that nothing raises.
"""

from __future__ import annotations

from typing import Any

from clusterlab.machinery.quantity import ZERO, Quantity, QuantityError, parse

__all__ = ["amount", "canonical", "milli", "nano", "rounded_up_to_milli", "whole"]

_MILLI = 1_000_000


def amount(value: Any) -> Quantity:
    """A decoded quantity: a string, or a number."""
    try:
        return parse(value) if value.__class__ is str else parse(str(value)) if value is not None else ZERO
    except QuantityError:
        return ZERO


def nano(value: Any) -> int:
    """In billionths, for comparing."""
    return amount(value).nano


def milli(value: Any) -> int:
    """In thousandths, rounded up."""
    return amount(value).milli_value()


def whole(value: Any) -> int:
    """In units, rounded up."""
    return amount(value).value()


def canonical(value: Any) -> str:
    """The quantity as Kubernetes writes it: "1000m" is "1", "0.5" is "500m", "1024Mi" is "1Gi"."""
    return str(amount(value))


def rounded_up_to_milli(value: Any) -> Any:
    """The quantity without what is below a thousandth; as it was written where that changes nothing."""
    found = amount(value)
    if found.nano % _MILLI == 0:
        return value
    return str(Quantity(-(-found.nano // _MILLI) * _MILLI, found.format))
