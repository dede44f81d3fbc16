"""The values of awk: texts that are numbers where that is wanted, operators, formats and functions."""

from __future__ import annotations

import re
from typing import Any

from clusterlab.network.patterns import safe

__all__ = ["FUNCTIONS", "TEXT_MOST", "AwkError", "apply", "formatted", "is_true", "to_number", "to_text"]

TEXT_MOST = 10_000
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_FORMAT = re.compile(r"%%|%[-+ 0#]*\d{0,3}(?:\.\d{1,2})?[dicsfgeuxX]")


class AwkError(ValueError):
    """A program that cannot be read or run here."""


def to_number(value: Any) -> float:
    if isinstance(value, str):
        found = _NUMBER.match(value)
        return float(found[0]) if found is not None else 0.0
    return float(value)


def to_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else f"{value:.6g}"


def is_true(value: Any) -> bool:
    return bool(value) if isinstance(value, str) else value != 0


def apply(op: str, left: Any, right: Any) -> Any:
    if op in {"~", "!~"}:
        return int((safe(to_text(right)).search(to_text(left)[:TEXT_MOST]) is not None) == (op == "~"))
    if op in {"&&", "||"}:
        return int((is_true(left) and is_true(right)) if op == "&&" else (is_true(left) or is_true(right)))
    if op in {"<", "<=", "==", "!=", ">", ">="}:
        numbers = all(not isinstance(each, str) or _NUMBER.fullmatch(each.strip() or "x") for each in (left, right))
        one, other = (to_number(left), to_number(right)) if numbers else (to_text(left), to_text(right))
        return int({"<": one < other, "<=": one <= other, "==": one == other, "!=": one != other, ">": one > other,  # type: ignore[operator]
                    ">=": one >= other}[op])  # type: ignore[operator]
    a, b = to_number(left), to_number(right)
    if op in {"/", "%"} and b == 0:
        raise AwkError("division by zero")
    if op == "^" and (abs(a) > 1e6 or abs(b) > 50):
        raise AwkError("too large")
    if op == "^":
        return a ** b
    if op in {"/", "%"}:
        return a / b if op == "/" else a - b * int(a / b)
    return {"+": a + b, "-": a - b, "*": a * b}[op]


def formatted(values: list[Any]) -> str:
    args = list(values[1:])

    def one(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        value = args.pop(0) if args else ""
        kind = found[0][-1]
        if kind in "dicuxX":
            form = found[0][:-1] + {"i": "d", "u": "d", "c": "s"}.get(kind, kind)
            return form % (to_text(value)[:1] if kind == "c" else int(to_number(value)))
        return str(found[0] % (to_text(value) if kind == "s" else to_number(value)))

    return _FORMAT.sub(one, to_text(values[0]) if values else "")


FUNCTIONS: dict[str, Any] = {
    "length": lambda args: len(to_text(args[0])), "toupper": lambda args: to_text(args[0]).upper(),
    "tolower": lambda args: to_text(args[0]).lower(),
    "int": lambda args: int(to_number(args[0])), "substr": lambda args: substring(args),
    "index": lambda args: to_text(args[0]).find(to_text(args[1] if len(args) > 1 else "")) + 1,
}


def substring(args: list[Any]) -> str:
    text, start = to_text(args[0]), max(1, int(to_number(args[1] if len(args) > 1 else 1)))
    return text[start - 1:] if len(args) < 3 else text[start - 1:start - 1 + max(0, int(to_number(args[2])))]
