"""Checkpoints as JSON and back: plain data, no pickle.

A checkpoint is dicts, lists, tuples, sets, deques, named tuples and dataclasses of the model, which share most of what they hold. Written
as a tree it would be many times its size, so it is written as a table of rows: each container once, its parts either scalars or `[row]`.
Rows only refer to earlier rows. A dict with text keys is an object, a list is an array, anything else is `{"": kind, "v": [parts]}`; a
class is named `module:Class`, and only classes of this package that are nothing but records are made again.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

__all__ = ["FORMAT", "Derived", "PlainError", "decode", "encode"]

#: Goes up when the rows mean something else.
FORMAT = 1

_SCALARS = frozenset((str, int, bool, type(None)))
_KINDS: dict[type, str] = {tuple: "t", set: "s", frozenset: "f", deque: "q"}
_MAKE: dict[str, Callable[[list[Any]], Any]] = {"t": tuple, "s": set, "f": frozenset, "q": deque}
_PACKAGE = "clusterlab."


class Derived:
    """Something in a checkpoint that follows from the rest of it and is kept only to be quick: written, it is null."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class PlainError(ValueError):
    """Something that is no plain data, or no table of rows."""


def encode(root: Any) -> list[Any]:
    """The rows of a value, the value itself last. Raises PlainError."""
    rows: list[Any] = []
    known: dict[int, int] = {}

    def slot(value: Any) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is Derived:
            return None
        found = known.get(id(value))
        if found is None:
            row = _row(value, kind, slot)
            found = known[id(value)] = len(rows)
            rows.append(row)
        return [found]

    slot((root,))
    return rows


def _row(value: Any, kind: type, slot: Callable[[Any], Any]) -> Any:
    if kind is dict:
        if "" not in value and all(type(key) is str for key in value):
            return {key: slot(part) for key, part in value.items()}
        return {"": "d", "v": [slot(part) for pair in value.items() for part in pair]}
    if kind is list:
        return [slot(part) for part in value]
    short = _KINDS.get(kind)
    if short is not None:
        parts = sorted(value, key=repr) if short in "sf" else value
        return {"": short, "v": [slot(part) for part in parts]}
    if kind is float:
        return {"": "n", "v": [repr(value)]}
    if kind is bytes:
        return {"": "b", "v": [base64.b64encode(value).decode()]}
    names = _fields(kind)
    if names is None:
        raise PlainError(f"{kind.__module__}.{kind.__qualname__} is no plain data")
    return {"": f"{kind.__module__}:{kind.__qualname__}", "v": [slot(getattr(value, name)) for name in names]}


@lru_cache(None)
def _fields(kind: type) -> tuple[str, ...] | None:
    """The fields of a record of this package, in the order in which it is made from them; None for anything else."""
    if not kind.__module__.startswith(_PACKAGE):
        return None
    if issubclass(kind, tuple):
        return getattr(kind, "_fields", None)
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return None


@lru_cache(None)
def _class(name: str) -> Callable[[list[Any]], Any]:
    """What makes a record from its parts."""
    module, _, qualname = name.partition(":")
    found: Any = getattr(importlib.import_module(module), qualname, None) if module.startswith(_PACKAGE) else None
    names = _fields(found) if isinstance(found, type) else None
    if names is None:
        raise PlainError(f"{name!r} is no record of the model")
    if issubclass(found, tuple):
        record: Callable[[list[Any]], Any] = found._make
        return record
    fields = names

    def make(parts: list[Any]) -> Any:
        made = object.__new__(found)
        for field, part in zip(fields, parts, strict=True):
            object.__setattr__(made, field, part)  # as it was, even where it is frozen or would work something out
        return made

    return make


def decode(chunks: Iterable[list[Any]]) -> Any:
    """Makes the value of rows, which come in pieces of any size. Raises PlainError."""
    made: list[Any] = []
    try:
        for rows in chunks:
            for row in rows:
                if type(row) is list:
                    made.append([made[part[0]] if type(part) is list else part for part in row])
                elif "" not in row:
                    made.append({key: made[part[0]] if type(part) is list else part for key, part in row.items()})
                else:
                    made.append(_special(row[""], [made[part[0]] if type(part) is list else part for part in row["v"]]))
        return made[-1][0]
    except (LookupError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise PlainError(f"row {len(made)} cannot be read: {error}") from None


def _special(kind: str, parts: list[Any]) -> Any:
    make = _MAKE.get(kind)
    if make is not None:
        return make(parts)
    if kind == "d":
        return dict(zip(parts[::2], parts[1::2], strict=True))
    if kind == "n":
        return float(parts[0])
    if kind == "b":
        return base64.b64decode(parts[0])
    return _class(kind)(parts)
