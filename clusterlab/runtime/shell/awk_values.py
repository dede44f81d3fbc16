"""The values of awk: texts that are numbers where they look like some, operators, formats and functions."""

from __future__ import annotations

import math
import re
from typing import Any

from clusterlab.network.patterns import safe

__all__ = [
    "FUNCTIONS", "TEXT_MOST", "AwkError", "Given", "apply", "compare", "formatted", "is_true", "pattern_of", "separated", "substituted",
    "to_number", "to_text",
]

TEXT_MOST, PIECES_MOST = 10_000, 10_000
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_FORMAT = re.compile(r"%%|%[-+ 0#]*(?:\d{1,3}|\*)?(?:\.(?:\d{0,2}|\*))?[dicsfFeEgGouxX]")


class AwkError(ValueError):
    """A program that cannot be read or run here."""


class Given(str):
    """A text from outside: it is compared as a number where it looks like one. None stands for what was never set."""

    __slots__ = ()


def to_number(value: Any) -> float:
    if value is None:
        return 0.0
    if isinstance(value, str):
        found = _NUMBER.match(value)
        return float(found[0]) if found is not None else 0.0
    return float(value)


def to_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if math.isinf(value) or math.isnan(value):
        return ("-" if value < 0 else "") + ("inf" if math.isinf(value) else "nan")
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else f"{value:.6g}"


def _looks_numeric(value: Any) -> bool:
    return value is None or not isinstance(value, str) or (isinstance(value, Given) and _NUMBER.fullmatch(value.rstrip()) is not None)


def is_true(value: Any) -> bool:
    if isinstance(value, str) and not (isinstance(value, Given) and _looks_numeric(value)):
        return bool(value)
    return to_number(value) != 0


def compare(op: str, left: Any, right: Any) -> int:
    """1 or 0: numbers where both sides are or look like some, else texts."""
    one: Any
    other: Any
    if _looks_numeric(left) and _looks_numeric(right):
        one, other = to_number(left), to_number(right)
    else:
        one, other = to_text(left), to_text(right)
    found = {"<": one < other, "<=": one <= other, "==": one == other, "!=": one != other, ">": one > other, ">=": one >= other}
    return int(bool(found[op]))


def apply(op: str, left: Any, right: Any) -> float:
    a, b = to_number(left), to_number(right)
    if op in {"/", "%"} and b == 0:
        raise AwkError("division by zero")
    if op == "^":
        if abs(a) > 1e6 or abs(b) > 50:
            raise AwkError("too large")
        made = a ** b
        return made if not isinstance(made, complex) else math.nan
    if op in {"/", "%"}:
        return a / b if op == "/" else math.fmod(a, b)
    return a + b if op == "+" else a - b if op == "-" else a * b


def pattern_of(text: str) -> Any:
    """A regular expression of awk, compiled; raises AwkError."""
    try:
        return safe(re.sub(r"\\[<>y]", r"\\b", text))
    except ValueError:
        raise AwkError(f"bad regex '{text[:60]}'") from None


def separated(text: str, separator: str) -> list[str]:
    """The pieces of a text: a blank means any white space, one other character itself, more are a regular expression."""
    if separator == " ":
        return text.split()
    if not text:
        return []
    if not separator:
        return list(text[:PIECES_MOST])
    if len(separator) == 1 and separator != "\\":
        return text.split(separator)
    found, at = [], 0
    for each in pattern_of(separator).finditer(text[:TEXT_MOST]):
        if each.end() > each.start():
            found.append(text[at:each.start()])
            at = each.end()
    return [*found, text[at:]]


def substituted(pattern: str, new: str, text: str, every: bool) -> tuple[str, int]:
    """What sub and gsub make of a text, and how often."""
    out, at, count, last = "", 0, 0, -1
    for found in pattern_of(pattern).finditer(text[:TEXT_MOST]):
        if found.end() == found.start() == last:
            continue  # nothing, right behind something
        hit = found[0]
        piece = re.sub(r"\\\\|\\&|&", lambda each, hit=hit: {"&": hit, "\\&": "&"}.get(each[0], "\\"), new)  # type: ignore[misc]
        out, at, count, last = out + text[at:found.start()] + piece, found.end(), count + 1, found.end()
        if not every or len(out) > TEXT_MOST:
            break
    return (out + text[at:])[:TEXT_MOST], count


def formatted(values: list[Any]) -> str:
    """printf and sprintf."""
    args = list(values[1:])

    def one(found: re.Match[str]) -> str:
        form = found[0]
        if form == "%%":
            return "%"
        while "*" in form:
            form = form.replace("*", str(max(-200, min(200, int(to_number(args.pop(0) if args else 0))))), 1)
        value, kind = args.pop(0) if args else None, form[-1]
        if kind == "c":
            number = not isinstance(value, str) or (isinstance(value, Given) and _looks_numeric(value))
            code = int(to_number(value))
            text = (chr(code) if 0 < code < 0xD800 else "") if number else str(value)[:1]
            return str((form[:-1] + "s") % text)
        if kind == "s":
            return str(form % to_text(value))
        number_ = to_number(value)
        if kind in "diouxX":
            return str((form[:-1] + {"i": "d", "u": "d"}.get(kind, kind)) % int(number_))
        return str(form % number_)

    return _FORMAT.sub(one, to_text(values[0])[:TEXT_MOST]) if values else ""


def substring(args: list[Any]) -> str:
    text = to_text(args[0])
    start = round(to_number(args[1] if len(args) > 1 else 1))
    end = len(text) + 1 if len(args) < 3 else round(start + to_number(args[2]))
    return text[max(1, start) - 1:max(0, end - 1)]


def _math(function: Any) -> Any:
    def called(args: list[Any]) -> float:
        try:
            return float(function(*map(to_number, args)))
        except (ValueError, OverflowError):
            return math.nan

    return called


#: Those that only look at their arguments; None: `awk` itself knows how.
FUNCTIONS: dict[str, Any] = {
    "toupper": lambda args: to_text(args[0]).upper(), "tolower": lambda args: to_text(args[0]).lower(),
    "int": lambda args: float(int(to_number(args[0]))), "substr": substring, "sprintf": formatted,
    "index": lambda args: float(to_text(args[0]).find(to_text(args[1] if len(args) > 1 else "")) + 1),
    "sqrt": _math(math.sqrt), "exp": _math(math.exp), "log": _math(math.log), "sin": _math(math.sin), "cos": _math(math.cos),
    "atan2": _math(math.atan2),
    "length": None, "split": None, "sub": None, "gsub": None, "match": None, "rand": None, "srand": None, "system": None, "close": None,
    "fflush": None, "systime": None, "strftime": None, "gensub": None,
}
