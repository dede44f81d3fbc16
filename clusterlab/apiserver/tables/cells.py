"""What the printers share: columns, ages, short forms. Follows apimachinery/pkg/util/duration and pkg/printers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from clusterlab.machinery import labels

Object = dict[str, Any]
Row = dict[str, Any]

__all__ = ["Column", "Context", "Printer", "age", "human_duration", "labels_text", "seconds_since", "selector_text"]


class Column:
    """One column. `priority` above 0 is shown with -o wide only."""

    def __init__(self, name: str, type: str = "string", format: str = "", description: str = "", priority: int = 0) -> None:
        self.name, self.type, self.format, self.description, self.priority = name, type, format, description, priority

    @cached_property
    def definition(self) -> Object:
        return {"name": self.name, "type": self.type, "format": self.format, "description": self.description, "priority": self.priority}


class Context(NamedTuple):
    """What a cell may depend on besides the object."""

    now: datetime


class Printer:
    """The columns of a kind, and how a row of them is made."""

    def __init__(self, columns: list[Column], cells: Callable[[Object, Context], Any]) -> None:
        self.definitions = [column.definition for column in columns]
        self._cells = cells

    def cells(self, obj: Object, context: Context) -> Row:
        """The row of an object."""
        made = self._cells(obj, context)
        return made if isinstance(made, dict) else {"cells": made}


_EPOCHS: dict[str, float] = {}


def seconds_since(stamp: str, now: datetime) -> float:
    """Seconds from an RFC 3339 time to now."""
    at = _EPOCHS.get(stamp)
    if at is None:
        at = datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
        if len(_EPOCHS) > 20_000:
            _EPOCHS.clear()
        _EPOCHS[stamp] = at
    return now.timestamp() - at


def age(stamp: str | None, context: Context) -> str:
    """How long ago a time was, as kubectl shows it."""
    if not stamp:
        return "<unknown>"
    return human_duration(seconds_since(stamp, context.now))


def human_duration(total: float) -> str:
    """A duration in its two largest units, where that is precise enough (duration.HumanDuration)."""
    seconds = int(total)
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    if seconds < 120:
        return f"{seconds}s"
    minutes = seconds // 60
    if minutes < 10:
        rest = seconds % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        rest = hours % 24
        return f"{days}d{rest}h" if rest else f"{days}d"
    if hours < 8760 * 2:
        return f"{days}d"
    years = hours // 8760
    if hours < 8760 * 8:
        rest = hours // 24 % 365
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{years}y"


def labels_text(pairs: dict[str, str] | None) -> str:
    """Labels as `a=b,c=d`, sorted; <none> where there are none."""
    if not pairs:
        return "<none>"
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs))


def selector_text(selector: Object | None) -> str:
    """A LabelSelector object as text."""
    if selector is None:
        return "<none>"
    text = str(labels.from_object(selector))
    return text or "<none>"
