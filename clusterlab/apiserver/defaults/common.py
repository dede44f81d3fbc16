"""What defaulting shares: setting fields of objects that must not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Obj", "Step", "absent", "each", "fill", "in_list", "inside", "present"]

Obj = dict[str, Any]
Step = Callable[[Obj], Obj]


def absent(obj: Obj, **values: Any) -> Obj:
    """The object with those fields that are unset."""
    missing = {key: value for key, value in values.items() if obj.get(key) is None}
    return {**obj, **missing} if missing else obj


def fill(obj: Obj, **values: Any) -> Obj:
    """The object with those fields that are unset, zero or empty."""
    missing = {key: value for key, value in values.items() if not obj.get(key)}
    return {**obj, **missing} if missing else obj


def inside(obj: Obj, key: str, step: Step) -> Obj:
    """The object with `step` done to one of its fields, an empty object if it was unset."""
    old = obj.get(key)
    new = step(old or {})
    return obj if new is old else {**obj, key: new}


def present(obj: Obj, key: str, step: Step) -> Obj:
    """As `inside`, where the field is set."""
    old = obj.get(key)
    if old is None:
        return obj
    new = step(old)
    return obj if new is old else {**obj, key: new}


def in_list(items: list[Any], step: Step) -> list[Any]:
    """The list with `step` done to each item; the list itself if that changes nothing."""
    out = None
    for i, item in enumerate(items):
        new = step(item or {})
        if new is not item:
            if out is None:
                out = list(items)
            out[i] = new
    return items if out is None else out


def each(obj: Obj, key: str, step: Step) -> Obj:
    """The object with `step` done to each item of one of its fields."""
    items = obj.get(key)
    if not items:
        return obj
    new = in_list(items, step)
    return obj if new is items else {**obj, key: new}
