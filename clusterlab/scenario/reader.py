"""Reading of plain data with errors that say what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["Reader", "ScenarioError"]

T = TypeVar("T")
MISSING: Any = object()
MOST_PROBLEMS = 20


class ScenarioError(ValueError):
    """A scenario that cannot be used. `problems` are (where, what)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{where}: {what}" if where else what for where, what in problems))
        self.problems = problems

    @property
    def field(self) -> str:
        """Where the first problem is."""
        return self.problems[0][0]


def shown(value: Any) -> str:
    """A value for an error message, shortened."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Reader:
    """One object of the input, at `path`. Problems are gathered in a list shared by all readers of one input."""

    def __init__(self, data: Any, path: str, problems: list[tuple[str, str]], known: tuple[str, ...]) -> None:
        self.path, self.problems = path, problems
        if not isinstance(data, dict):
            self.problem("", f"must be an object with the fields {', '.join(known)}, not {shown(data)}")
            data = {}
        self.data: dict[str, Any] = data
        for key in data:
            if not isinstance(key, str) or key not in known:
                close = difflib.get_close_matches(str(key), known, 1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
                self.problem(str(key)[:60], f"unknown field; {hint}")

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path and name else self.path or name

    def problem(self, name: str, what: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append((self.at(name), what))

    def has(self, name: str) -> bool:
        return self.data.get(name) is not None

    def take(self, name: str, convert: Callable[[Any], T], default: T = MISSING) -> T:
        """A field converted; where it is missing or wrong, the default (and a problem)."""
        value = self.data.get(name)
        if value is None:
            if default is MISSING:
                self.problem(name, "is missing")
                return self._nothing(convert)
            return default
        try:
            return convert(value)
        except ValueError as error:
            self.problem(name, str(error))
            return self._nothing(convert) if default is MISSING else default

    @staticmethod
    def _nothing(convert: Callable[[Any], T]) -> T:
        for value in ("", 0):
            try:
                return convert(value)
            except (ValueError, TypeError):
                continue
        return None  # type: ignore[return-value]  # never used: a problem has been noted

    def items(self, name: str, limit: int) -> Iterator[tuple[str, Any]]:
        """The items of a list field, each with its path."""
        value = self.data.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            self.problem(name, f"must be a list, not {shown(value)}")
            return
        if len(value) > limit:
            self.problem(name, f"has {len(value)} entries; at most {limit} are allowed")
            value = value[:0]
        for number, item in enumerate(value):
            yield f"{self.at(name)}[{number}]", item


def text(limit: int = 4096) -> Callable[[Any], str]:
    """A string of at most `limit` characters."""
    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be a string, not {shown(value)}")
        if len(value) > limit:
            raise ValueError(f"is {len(value)} characters long; at most {limit} are allowed")
        return value
    return convert


def integer(low: int, high: int) -> Callable[[Any], int]:
    """A whole number in a range."""
    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, not {shown(value)}")
        if not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}, not {shown(value)}")
        return value
    return convert


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {shown(value)}")
    return value


def one_of(*choices: str) -> Callable[[Any], str]:
    """One of several words."""
    def convert(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {shown(value)}")
        return str(value)
    return convert


def string_map(limit: int = 100) -> Callable[[Any], dict[str, str]]:
    """An object of strings; numbers and booleans are refused, since YAML would have changed their spelling."""
    def convert(value: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise ValueError(f"must be an object of strings, not {shown(value)}")
        if len(value) > limit:
            raise ValueError(f"has {len(value)} entries; at most {limit} are allowed")
        for key, item in value.items():
            if not isinstance(key, str) or not isinstance(item, str) or len(key) > 316 or len(item) > 4096:
                raise ValueError(f"{shown(key)} must map a string to a string; quote numbers and booleans")
        return dict(value)
    return convert


def plain_object(value: Any) -> dict[str, Any]:
    """An object whose inside is checked by whoever uses it."""
    if not isinstance(value, dict):
        raise ValueError(f"must be an object, not {shown(value)}")
    return value
