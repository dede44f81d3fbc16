"""CEL expressions by cel-python, with the functions that Kubernetes adds to strings, lists, URLs and quantities.

Follows staging/src/k8s.io/apiserver/pkg/cel/library/{lists,regex,urls,quantity}.go and cel-go's ext/strings.go. What cel-python or
this module does not know raises `UnsupportedCel`, so that callers can let it pass instead of refusing what a server accepts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any
from urllib.parse import SplitResult, urlsplit

import celpy
import re2  # type: ignore[import-untyped]
from celpy import celtypes
from celpy.adapter import json_to_cel

from clusterlab.apiserver.validation.amounts import nano
from clusterlab.machinery.cel import COST_EXCEEDED, ITEMS_MOST, LENGTH_MOST, TooCostly, bounded_runner, check_length
from clusterlab.machinery.cel_optional import without_optionals

__all__ = ["CelError", "Program", "UnsupportedCel", "compile_cel", "escape", "from_json"]


class CelError(Exception):
    """An expression failed, as it would on a server; the text is the server's."""


class UnsupportedCel(Exception):
    """An expression uses what is not known here."""


_RESERVED = frozenset((
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
    "package", "namespace", "return", "var", "void", "while",
))
_SPECIAL = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_missing = re.compile(r"no such (?:member in mapping|key): '?\"?([^'\"]+)").search


def escape(name: str) -> str:
    """A property's name as expressions spell it."""
    if name in _RESERVED:
        return f"__{name}__"
    return re.sub(r"__|[./-]", lambda found: _SPECIAL[found[0]], name)


def from_json(value: Any, schema: dict[str, Any] | None = None) -> Any:
    """A JSON value as an expression sees it; a schema's properties are spelled by `escape`."""
    schema = schema or {}
    if isinstance(value, dict):
        known = schema.get("properties") or {}
        rest = schema.get("additionalProperties")
        item = rest if isinstance(rest, dict) else None
        return celtypes.MapType({
            celtypes.StringType(escape(key) if key in known else key): from_json(part, known.get(key) or item)
            for key, part in value.items()
        })
    if isinstance(value, list):
        return celtypes.ListType([from_json(part, schema.get("items")) for part in value])
    if isinstance(value, str):
        return _text(value, schema.get("format"))
    if isinstance(value, float):
        return celtypes.IntType(int(value)) if schema.get("type") == "integer" else celtypes.DoubleType(value)
    if isinstance(value, int) and not isinstance(value, bool) and schema.get("type") == "number":
        return celtypes.DoubleType(value)
    return json_to_cel(value)


def _text(value: str, format_name: str | None) -> Any:
    try:
        if format_name in ("date-time", "datetime"):
            return celtypes.TimestampType(value)
        if format_name == "date":
            return celtypes.TimestampType(f"{value}T00:00:00Z")
        if format_name == "duration":
            return celtypes.DurationType(value)
    except (ValueError, OverflowError):
        pass
    return celtypes.StringType(value)


class Program:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LENGTH_MOST:
            raise UnsupportedCel("expression is too long")
        try:
            self._program = _environment().program(_environment().compile(without_optionals(text)), functions=_FUNCTIONS)
        except Exception as error:
            raise UnsupportedCel(str(error)) from None

    def __call__(self, variables: Mapping[str, Any]) -> Any:
        """The value for these variables, which `from_json` made."""
        try:
            return self._program.evaluate(dict(variables))
        except TooCostly:
            raise CelError(COST_EXCEEDED) from None
        except Exception as error:
            found = _missing(str(error))
            if found and "undeclared" not in str(error):
                raise CelError(f"no such key: {found[1]}") from None
            raise UnsupportedCel(str(error)) from None


@lru_cache(maxsize=1)
def _environment() -> Any:
    return celpy.Environment(runner_class=bounded_runner())


@lru_cache(maxsize=2048)
def compile_cel(text: str) -> Program | None:
    """The program of an expression; None if it is beyond cel-python."""
    try:
        return Program(text)
    except UnsupportedCel:
        return None


# Functions.

def _int(value: Any) -> Any:
    return celtypes.IntType(value)


def _list(values: Any) -> Any:
    check_length(items=len(values))
    return celtypes.ListType([celtypes.StringType(value) for value in values])


def _bool(value: Any) -> Any:
    return celtypes.BoolType(value)


def _string(value: str) -> Any:
    return celtypes.StringType(value)


def _is_sorted(items: Any) -> Any:
    return _bool(all(a <= b for a, b in pairwise(items)))


def _sum(items: Any) -> Any:
    total = items[0] if items else _int(0)
    for item in items[1:]:
        total = total + item
    return total


def _index_of(whole: Any, part: Any, start: Any = 0) -> Any:
    if isinstance(whole, str):
        return _int(whole.find(part, int(start)))
    return _int(next((i for i, item in enumerate(whole) if item == part), -1))


def _last_index_of(whole: Any, part: Any) -> Any:
    if isinstance(whole, str):
        return _int(whole.rfind(part))
    return _int(max((i for i, item in enumerate(whole) if item == part), default=-1))


def _find(text: Any, pattern: Any) -> Any:
    found = re2.search(str(pattern), text)
    return _string(found[0] if found else "")


def _find_all(text: Any, pattern: Any, most: Any = -1) -> Any:
    found = [match[0] for match in islice(re2.finditer(str(pattern), text), ITEMS_MOST + 1)]
    return _list(found if most < 0 else found[:int(most)])


def _split(text: Any, mark: Any, most: Any = -1) -> Any:
    if most == 0:
        return _list([])
    if not mark:
        return _list(text)
    return _list(text.split(mark, -1 if most < 0 else int(most) - 1))


def _replace(text: Any, old: Any, new: Any, most: Any = -1) -> Any:
    check_length(len(text) + text.count(old) * len(new))
    return _string(text.replace(old, new, int(most)))


def _join(items: Any, mark: Any = "") -> Any:
    check_length(sum(len(item) + len(mark) for item in items))
    return _string(str(mark).join(items))


def _substring(text: Any, start: Any, end: Any = None) -> Any:
    return _string(text[int(start):None if end is None else int(end)])


class _Url(celtypes.MapType):
    """A parsed URL."""

    parts: SplitResult


def _is_url(text: Any) -> Any:
    try:
        parts = urlsplit(text)
    except ValueError:
        return _bool(False)
    return _bool(text.startswith("/") or bool(parts.scheme))


def _url(text: Any) -> Any:
    made = _Url()
    made.parts = urlsplit(text)
    return made


class _Quantity(celtypes.MapType):
    """An amount."""

    nano: int


def _quantity(text: Any) -> Any:
    made = _Quantity()
    made.nano = nano(str(text))
    return made


def _is_quantity(text: Any) -> Any:
    return _bool(re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?", text) is not None)


def _compare(a: Any, b: Any) -> Any:
    return _int((a.nano > b.nano) - (a.nano < b.nano))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "charAt": lambda text, at: _string(text[int(at):int(at) + 1]),
    "compareTo": _compare,
    "find": _find,
    "findAll": _find_all,
    "getEscapedPath": lambda url: _string(url.parts.path),
    "getHost": lambda url: _string(url.parts.netloc),
    "getHostname": lambda url: _string(url.parts.hostname or ""),
    "getPort": lambda url: _string(str(url.parts.port or "")),
    "getScheme": lambda url: _string(url.parts.scheme),
    "indexOf": _index_of,
    "isGreaterThan": lambda a, b: _bool(a.nano > b.nano),
    "isInteger": lambda a: _bool(a.nano % 10**9 == 0),
    "isLessThan": lambda a, b: _bool(a.nano < b.nano),
    "isQuantity": _is_quantity,
    "isSorted": _is_sorted,
    "isURL": _is_url,
    "join": _join,
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda text: _string(text.lower()),
    "max": lambda items: max(items),
    "min": lambda items: min(items),
    "quantity": _quantity,
    "replace": _replace,
    "sign": lambda a: _int((a.nano > 0) - (a.nano < 0)),
    "split": _split,
    "substring": _substring,
    "sum": _sum,
    "trim": lambda text: _string(text.strip()),
    "upperAscii": lambda text: _string(text.upper()),
    "url": _url,
}
