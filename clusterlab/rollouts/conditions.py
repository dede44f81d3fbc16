"""successCondition and failureCondition: a bounded part of the expr language (github.com/expr-lang/expr), as analyses use it.

`result` is a number, a list of numbers, or what a web address answered. There are numbers, strings, true, false, nil, lists, fields and
indexes, + - * / % ** , comparisons, `in`, not/!, and/&&, or/||, `a ? b : c`, and the functions len, isNaN, isInf, isNil, default, asInt,
asFloat, abs, max, min, sum, all, any and none (whose second argument is a predicate in braces over `#`). Anything else is refused by name.
utils/evaluate/evaluate.go.
"""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["ConditionError", "evaluate"]

LENGTH_MOST, DEPTH_MOST, WORK_MOST = 1_000, 40, 20_000
_TOKEN = re.compile(
    r"\s*(?:(\d+\.\d*(?:[eE][-+]?\d+)?|\.\d+|\d+(?:[eE][-+]?\d+)?)|(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|([A-Za-z_]\w*)"
    r"|(\*\*|&&|\|\||==|!=|<=|>=|\?\?|[-+*/%<>!()\[\]{},?:#.]))")


class ConditionError(ValueError):
    """A condition that cannot be read or evaluated."""


def _tokens(text: str) -> list[tuple[str, str]]:
    if len(text) > LENGTH_MOST:
        raise ConditionError(f"the condition is {len(text)} characters long; at most {LENGTH_MOST} are read")
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionError(f"cannot read {text[at:at + 20]!r}")
        number, string, name, sign = match.groups()
        found.append(("number", number) if number else ("string", string) if string else ("name", name) if name else ("sign", sign))
        at = match.end()
    return found


class _Reader:
    """Evaluates while it reads; `live` is False in parts whose value is not needed."""

    def __init__(self, tokens: list[tuple[str, str]], result: Any, item: Any = None, left: list[int] | None = None) -> None:
        self.tokens, self.result, self.item, self.at, self.depth = tokens, result, item, 0, 0
        self.left = left if left is not None else [WORK_MOST]

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self, *signs: str) -> str:
        if self.kind() in ("sign", "name") and self.peek() in signs:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return ""

    def need(self, sign: str) -> None:
        if not self.take(sign):
            raise ConditionError(f"expected {sign!r} before {self.peek() or 'the end'!r}")

    def ternary(self) -> Any:
        self.depth += 1
        self.left[0] -= 1
        if self.depth > DEPTH_MOST or self.left[0] < 0:
            raise ConditionError("the condition is nested too deeply or asks for too much work")
        value = self.either()
        if self.take("?"):
            yes = self.ternary()
            self.need(":")
            no = self.ternary()
            value = yes if _truth(value) else no
        self.depth -= 1
        return value

    def either(self) -> Any:
        value = self.both()
        while self.take("||", "or"):
            other = self.both()
            value = _truth(value) or _truth(other)
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.take("&&", "and"):
            other = self.compared()
            value = _truth(value) and _truth(other)
        return value

    def compared(self) -> Any:
        value = self.summed()
        while sign := self.take("==", "!=", "<=", ">=", "<", ">", "in"):
            value = _compare(sign, value, self.summed())
        return value

    def summed(self) -> Any:
        value = self.multiplied()
        while sign := self.take("+", "-"):
            value = _calculate(sign, value, self.multiplied())
        return value

    def multiplied(self) -> Any:
        value = self.signed()
        while sign := self.take("*", "/", "%", "**"):
            value = _calculate(sign, value, self.signed())
        return value

    def signed(self) -> Any:
        if self.take("!", "not"):
            return not _truth(self.signed())
        if self.take("-"):
            return _calculate("-", 0, self.signed())
        return self.indexed()

    def indexed(self) -> Any:
        value = self.single()
        while sign := self.take("[", "."):
            if sign == ".":
                value = _index(value, self.peek())
                self.at += 1
                continue
            index = self.ternary()
            self.need("]")
            value = _index(value, index)
        return value

    def single(self) -> Any:
        kind, text = self.kind(), self.peek()
        self.at += 1
        if kind == "number":
            return float(text) if any(each in text for each in ".eE") else int(text[:300])
        if kind == "string":
            return text[1:-1]
        if text == "(":
            value = self.ternary()
            self.need(")")
            return value
        if text == "[":
            return self.many("]")
        if text == "#" and self.item is not None:
            return self.item
        if kind == "name":
            if self.peek() == "(":
                self.at += 1
                return self.call(text)
            constants = {"result": self.result, "true": True, "false": False, "nil": None}
            if text in constants:
                return constants[text]
            raise ConditionError(f"unknown name {text}")
        raise ConditionError(f"unexpected {text or 'end'!r}")

    def many(self, end: str) -> list[Any]:
        values: list[Any] = []
        while not self.take(end):
            values.append(self.ternary())
            if not self.take(","):
                self.need(end)
                break
        return values

    def call(self, name: str) -> Any:
        if name in ("all", "any", "none", "filter", "count"):
            return self.predicate(name)
        values = self.many(")")
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ConditionError(f"unknown function {name}")
        try:
            return function(*values)
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise ConditionError(f"{name}: {error}") from None

    def predicate(self, name: str) -> Any:
        items = self.ternary()
        self.need(",")
        braced = bool(self.take("{"))
        start, kept = self.at, []
        if not isinstance(items, list):
            raise ConditionError(f"{name} wants a list")
        for item in items or [0.0]:
            reader = _Reader(self.tokens, self.result, item, self.left)
            reader.at = start
            kept.append((item, _truth(reader.ternary())))
            self.at = reader.at
        kept = kept if items else []
        if braced:
            self.need("}")
        self.need(")")
        hits = [item for item, good in kept if good]
        return {"all": len(hits) == len(kept), "any": bool(hits), "none": not hits, "filter": hits, "count": len(hits)}[name]


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConditionError(f"expected bool, but got {_name(value)}")
    return value


def _name(value: Any) -> str:
    names = {bool: "bool", int: "int", float: "float64", str: "string", list: "[]float64", dict: "map[string]interface {}"}
    return names.get(type(value), "nil")


def _number(value: Any, sign: str) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConditionError(f"invalid operation: {sign} on {_name(value)}")
    return value


def _compare(sign: str, one: Any, other: Any) -> bool:
    if sign == "in":
        if not isinstance(other, list):
            raise ConditionError(f"invalid operation: in on {_name(other)}")
        return one in other
    if sign in ("==", "!="):
        return bool((one == other) == (sign == "=="))
    a, b = _number(one, sign), _number(other, sign)
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]


def _calculate(sign: str, one: Any, other: Any) -> Any:
    if sign == "+" and isinstance(one, str) and isinstance(other, str):
        return one + other
    a, b = _number(one, sign), _number(other, sign)
    try:
        if sign == "**":
            return float(a) ** float(b)
        if sign in "/%" and not b:
            if sign == "%":
                raise ConditionError("integer divide by zero")
            return math.nan if not a or math.isnan(a) else math.copysign(math.inf, a)
        if sign == "%":
            return math.fmod(a, b)
        return a + b if sign == "+" else a - b if sign == "-" else a * b if sign == "*" else a / b
    except (OverflowError, ZeroDivisionError, ValueError) as error:
        raise ConditionError(str(error)) from None


def _index(value: Any, index: Any) -> Any:
    if isinstance(value, dict) and isinstance(index, str):
        return value.get(index)
    if not isinstance(value, list):
        raise ConditionError(f"cannot fetch {index} from {_name(value)}")
    if isinstance(index, bool) or not isinstance(index, int):
        raise ConditionError(f"an index must be a whole number, not {_name(index)}")
    if not -len(value) <= index < len(value):
        raise ConditionError(f"reflect: slice index out of range (index {index}, length {len(value)})")
    return value[index]


def _default(value: Any, other: Any) -> Any:
    return other if value is None or value == [] else value


_FUNCTIONS: dict[str, Any] = {
    "len": len, "isNaN": lambda value: math.isnan(float(value)), "isInf": lambda value: math.isinf(float(value)),
    "isNil": lambda value: value is None, "default": _default, "asInt": lambda value: int(float(value)), "asFloat": float, "abs": abs,
    "max": max, "min": min, "sum": sum,
}


def evaluate(condition: str, result: Any) -> bool:
    """The outcome of a condition for a result. Raises ConditionError."""
    reader = _Reader(_tokens(condition), result)
    value = reader.ternary()
    if reader.at < len(reader.tokens):
        raise ConditionError(f"unexpected {reader.peek()!r}")
    return _truth(value)
