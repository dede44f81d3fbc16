"""Values of scenario files: durations, rates, percentages and sizes, as whole numbers; labels."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from clusterlab.machinery.labels import label_key_errors, label_value_errors
from clusterlab.runtime.amounts import quantity
from clusterlab.scenario.reader import shown, string_map

__all__ = [
    "annotation_map", "bytes_per_s", "cpu_us", "duration_ms", "duration_us", "label_key", "label_map", "label_value", "ppm",
    "rate_milli", "size",
]

_PART = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ms|s|m|h|d)")
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(s|m|h)\s*")
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_UNITS_US = {"us": 1, "µs": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
LONGEST_US = 366 * 86_400_000_000


def _number(value: Any) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return Fraction(str(value))


def duration_us(value: Any) -> int:
    """"3s", "500ms", "1m30s", or a number of seconds, in microseconds."""
    number = _number(value)
    if number is not None:
        total = int(number * 1_000_000)
    elif isinstance(value, str):
        text, total, at = value.strip(), 0, 0
        for part in _PART.finditer(text[:64]):
            if part.start() != at:
                break
            total += int(Fraction(part[1]) * _UNITS_US[part[2]])
            at = part.end()
        if not text or at != len(text):
            if text in {"0", "+0", "-0"}:
                return 0
            raise ValueError(f'{value!r} is no duration; write for example "3s", "500ms" or "5m"')
    else:
        raise ValueError('must be a duration such as "3s", "500ms" or "5m"')
    if not 0 <= total <= LONGEST_US:
        raise ValueError("must be between 0 and 366 days")
    return total


def duration_ms(value: Any) -> int:
    """A duration in milliseconds."""
    return duration_us(value) // 1000


def rate_milli(value: Any) -> int:
    """"50/s", "30/m" or a number a second, in thousandths of a request a second."""
    number = _number(value)
    if number is None:
        found = _RATE.fullmatch(value) if isinstance(value, str) and len(value) < 64 else None
        if found is None:
            raise ValueError('must be a rate such as "50/s"')
        number = Fraction(found[1]) / {"s": 1, "m": 60, "h": 3600}[found[2]]
    if not 0 <= number <= 1_000_000:
        raise ValueError("must be between 0 and 1,000,000 a second")
    return int(number * 1000)


def ppm(value: Any) -> int:
    """"5%" or a fraction such as 0.05, in millionths."""
    number = _number(value)
    if number is None:
        found = _SHARE.fullmatch(value) if isinstance(value, str) and len(value) < 32 else None
        if found is None:
            raise ValueError('must be a share such as "5%" or 0.05')
        number = Fraction(found[1]) / 100
    if not 0 <= number <= 1:
        raise ValueError("must be between 0% and 100%")
    return int(number * 1_000_000)


def signed_ms(value: Any) -> int:
    """"10m" or "-1h" in milliseconds: how wrong a clock is."""
    if isinstance(value, str) and value.strip().startswith("-"):
        return -duration_ms(value.strip()[1:])
    return duration_ms(value)


def size(value: Any) -> int:
    """"64Mi" in bytes."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('must be a quantity such as "64Mi"')
    try:
        amount = quantity(value)
    except ValueError:
        raise ValueError(f'{value!r} is no quantity; write for example "4", "500m" or "8Gi"') from None
    if not 0 <= amount <= 1 << 60:
        raise ValueError("must be between 0 and 1Ei")
    return -(-amount.numerator // amount.denominator)


def bytes_per_s(value: Any) -> int:
    """"1Mi/s" in bytes a second."""
    if isinstance(value, str):
        amount, slash, unit = value.partition("/")
        if not slash or unit.strip() not in {"s", "m"}:
            raise ValueError('must be a growth such as "1Mi/s"')
        return size(amount.strip()) // (60 if unit.strip() == "m" else 1)
    return size(value)


def cpu_us(value: Any) -> int:
    """CPU time of one request: "10m" is ten thousandths of a second of one core, in microseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('must be CPU time such as "10m"')
    try:
        amount = quantity(value)
    except ValueError:
        raise ValueError(f'{value!r} is no amount of CPU; write for example "10m"') from None
    if not 0 <= amount <= 3600:
        raise ValueError("must be between 0 and 3600")
    return int(amount * 1_000_000)


def annotation_map(value: Any) -> dict[str, str]:
    """Annotations as the API server takes them; a node with others could never register."""
    found: dict[str, str] = string_map()(value)
    for key in found:
        label_key(key)
    return found


def label_map(value: Any) -> dict[str, str]:
    """Labels as the API server takes them."""
    found = annotation_map(value)
    for key, item in found.items():
        if wrong := label_value_errors(item):
            raise ValueError(f"{key}: {shown(item)} is no value of a label: {wrong[0]}")
    return found


def label_key(value: Any) -> str:
    """A key as labels, annotations, taints and resources have it."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {shown(value)}")
    if wrong := label_key_errors(value):
        raise ValueError(f"{shown(value)} is no key: {wrong[0]}")
    return value


def label_value(value: Any) -> str:
    """A value as labels and taints have it; may be empty."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {shown(value)}")
    if wrong := label_value_errors(value):
        raise ValueError(f"{shown(value)}: {wrong[0]}")
    return value
