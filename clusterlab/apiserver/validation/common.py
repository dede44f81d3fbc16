"""What validators share: reading fields of decoded objects, numbers, percentages, immutability, semantic equality.

Follows staging/src/k8s.io/apimachinery/pkg/api/validation, pkg/apis/apps/validation/validation.go (percentages) and
apimachinery/pkg/api/equality/semantic.go.

Objects are decoded JSON: a field may be missing or null, which both mean that it is unset, and lists may hold nulls, which mean
empty structs. `struct`, `structs` and `text` read fields that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from clusterlab.apiserver.validation import formats
from clusterlab.machinery.field import FieldError, invalid, not_supported

__all__ = [
    "EMPTY", "Errors", "Obj", "condition_true", "enum", "equal", "immutable", "int_or_percent_value", "invalids", "nonnegative",
    "nonnegative_fields", "not_more_than_100_percent", "number", "positive", "positive_int_or_percent", "ptr_equal", "strings",
    "struct", "structs", "text",
]

Obj = dict[str, Any]
Errors = list[FieldError]

EMPTY: Obj = {}
_NONE: list[Any] = []


def struct(obj: Obj, key: str) -> Obj:
    """A field that is an object or a map; empty if unset."""
    return obj.get(key) or EMPTY


def structs(obj: Obj, key: str) -> list[Obj]:
    """A field that is a list of objects."""
    items = obj.get(key)
    if not items:
        return _NONE
    return [item or EMPTY for item in items] if None in items else items


def strings(obj: Obj, key: str) -> list[str]:
    """A field that is a list of strings."""
    items = obj.get(key)
    if not items:
        return _NONE
    return [item or "" for item in items] if None in items else items


def text(obj: Obj, key: str) -> str:
    """A field that is a string; empty if unset."""
    return obj.get(key) or ""


def number(obj: Obj, key: str) -> int:
    """A field that is an integer; zero if unset."""
    return obj.get(key) or 0


def invalids(path: str, value: Any, messages: Iterable[str]) -> Errors:
    """One "Invalid value" for each message."""
    return [invalid(path, value, message) for message in messages]


def enum(path: str, value: str, supported: Sequence[str]) -> Errors:
    """The value must be one of those."""
    return [] if value in supported else [not_supported(path, value, supported)]


def nonnegative(path: str, value: int | None) -> Errors:
    """The value must not be below zero; unset is fine."""
    return [invalid(path, value, "must be greater than or equal to 0")] if value and value < 0 else []


def nonnegative_fields(obj: Obj, path: str, *names: str) -> Errors:
    """None of these fields may be below zero."""
    out: Errors = []
    for name in names:
        value = obj.get(name)
        if value and value < 0:
            out.append(invalid(f"{path}.{name}", value, "must be greater than or equal to 0"))
    return out


def positive(path: str, value: int) -> Errors:
    """The value must be above zero."""
    return [invalid(path, value, "must be greater than zero")] if value <= 0 else []


def positive_int_or_percent(path: str, value: int | str) -> Errors:
    """The value must be a percentage or not below zero."""
    if isinstance(value, str):
        return [invalid(path, value, message) for message in formats.percent(value)]
    return nonnegative(path, value)


def int_or_percent_value(value: int | str | None) -> int:
    """The number, or the number of percent."""
    if not isinstance(value, str):
        return value or 0
    digits = value[:-1] if not formats.percent(value) else value
    bare = digits[1:] if digits[:1] in ("+", "-") else digits
    return int(digits) if bare.isascii() and bare.isdigit() and len(bare) < 19 else 0


def not_more_than_100_percent(path: str, value: int | str) -> Errors:
    """A percentage must not be above a hundred."""
    if isinstance(value, str) and not formats.percent(value) and int_or_percent_value(value) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def condition_true(status: Obj, kind: str) -> bool:
    """Whether a status has this condition with status True."""
    return any(c.get("type") == kind and c.get("status") == "True" for c in structs(status, "conditions"))


def _unset(value: Any) -> bool:
    return not value and not isinstance(value, dict)


def equal(a: Any, b: Any) -> bool:
    """Semantic equality of decoded JSON: what is unset equals what is zero. An empty object is something."""
    if a is b or a == b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return all(equal(value, b.get(key)) for key, value in a.items()) and all(_unset(b[key]) for key in b if key not in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return _unset(a) and _unset(b)


def ptr_equal(a: Any, b: Any) -> bool:
    """Equality of two optional fields: unset differs from empty."""
    return bool(a == b) if a is not None and b is not None else a is None and b is None


def immutable(path: str, new: Any, old: Any) -> Errors:
    """The field must not change."""
    if new is old or equal(new, old):
        return []
    return [invalid(path, new, "field is immutable")]
