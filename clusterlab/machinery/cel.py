"""CEL expressions: compiled once, evaluated within a budget.

Follows staging/src/k8s.io/apiserver/pkg/cel (environment, library) on the package cel-python, whose grammar knows no optional fields
(`a.?b`): `cel_optional` says them otherwise. Kubernetes' own functions: strings, lists, regular expressions and quantities. What an
expression may cost, and all of one request together, is bounded by the number of nodes that they visit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import re2  # type: ignore[import-untyped]  # comes with cel-python

from clusterlab.machinery.cel_optional import without_optionals
from clusterlab.machinery.quantity import Quantity, QuantityError, compare, parse

__all__ = [
    "COST_EXCEEDED", "INNER_MOST", "ITEMS_MOST", "LENGTH_MOST", "REQUEST_MOST", "CelError", "Program", "TooCostly", "bounded_runner",
    "check_length", "is_spent", "pay", "refill", "to_cel",
]

VISITS_MOST = 15_000
#: Visits of all expressions of one request together: of one from outside, and of one of the many that a controller may make in a step.
REQUEST_MOST, INNER_MOST = 25_000, 5_000
LENGTH_MOST = 16_384
NO_FUNCTIONS: dict[str, Callable[..., Any]] = {}


class CelError(ValueError):
    """An expression that cannot be compiled or evaluated."""


COST_EXCEEDED = "operation cancelled: actual cost limit exceeded"
#: Characters of a text, and items of a list, that cost as much as one visit.
TEXT_VISIT, ITEM_VISIT = 1000, 10
#: Characters of a text, and items of a list, that a function may make.
TEXT_MOST, ITEMS_MOST = 8 << 20, 50_000


class TooCostly(BaseException):
    """The budget is used up. No `Exception`, because the library turns those into values and goes on with the rest of a loop."""


_left = [REQUEST_MOST]
#: Levels of the grammar that hand on their only child as it is: most of an expression's tree.
_PASSING = frozenset(("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member"))


def refill(most: int) -> None:
    """Begins a request, whose expressions may cost `most` visits together."""
    _left[0] = most


def is_spent() -> bool:
    """Whether the expressions of this request have cost all that they may."""
    return _left[0] <= 0


def pay(visits: int) -> None:
    """Charges a request for something beside its expressions, such as making their values."""
    _left[0] -= visits


def check_length(text: int = 0, items: int = 0) -> None:
    """Asked by functions before they make a text or a list of that size; raises TooCostly."""
    if text > TEXT_MOST or items > ITEMS_MOST:
        raise TooCostly


@lru_cache(maxsize=1)
def _celpy() -> Any:
    """The library, imported on first use: it takes a fifth of a second."""
    import celpy
    import celpy.evaluation

    return celpy


@lru_cache(maxsize=1)
def bounded_runner() -> Any:
    """The class that evaluates expressions within a budget and raises TooCostly beyond it."""
    celpy = _celpy()

    class Evaluator(celpy.evaluation.Evaluator):  # type: ignore[name-defined, misc]
        """Counts the nodes that it visits, those of nested macros included."""

        def __init__(self, ast: Any, activation: Any, left: list[int] | None = None) -> None:
            super().__init__(ast, activation)
            self.left = left if left is not None else [VISITS_MOST]

        def _visit_tree(self, tree: Any) -> Any:
            while len(tree.children) == 1 and tree.data in _PASSING:
                tree = tree.children[0]
            self.left[0] -= 1
            if self.left[0] < 0:
                raise TooCostly
            value = super()._visit_tree(tree)
            if isinstance(value, str | bytes):
                self.left[0] -= len(value) // TEXT_VISIT
            elif isinstance(value, list | dict):
                self.left[0] -= len(value) // ITEM_VISIT
            return value

        def sub_evaluator(self, ast: Any) -> Any:
            return Evaluator(ast, self.activation, self.left)

    class Runner(celpy.Runner):  # type: ignore[name-defined, misc]
        def evaluate(self, context: Any) -> Any:
            most = min(VISITS_MOST, _left[0])
            left = [most]
            try:
                return Evaluator(self.ast, self.new_activation(), left).evaluate(context)
            finally:
                pay(most - left[0])

    return Runner


def to_cel(value: Any) -> Any:
    """A JSON value as CEL sees it."""
    return _celpy().json_to_cel(value)


class Program:
    """A compiled expression."""

    def __init__(self, expression: str, functions: Mapping[str, Callable[..., Any]] = NO_FUNCTIONS) -> None:
        """`functions`: those that the expression may call beside the common ones, or instead of them."""
        celpy = _celpy()
        if len(expression) > LENGTH_MOST:
            raise CelError("expression is too long")
        try:
            environment = celpy.Environment(runner_class=bounded_runner())
            self._program = environment.program(environment.compile(without_optionals(expression)), functions={**_functions(), **functions})
        except (celpy.CELParseError, RecursionError) as error:
            raise CelError(_syntax_error(expression, error)) from None

    def evaluate(self, values: dict[str, Any]) -> Any:
        """The value of the expression; raises CelError."""
        celpy = _celpy()
        try:
            return self._program.evaluate(values)
        except celpy.CELEvalError as error:
            raise CelError(_explain(error)) from None
        except TooCostly:
            raise CelError(COST_EXCEEDED) from None
        except (CelError, RecursionError) as error:
            raise CelError(str(error)) from None
        except Exception as error:
            raise CelError(f"{error}") from None


_EXPECTED = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"


def _syntax_error(expression: str, error: Any) -> str:
    """What cel-go prints of an expression that cannot be read, with the place marked."""
    line, column = getattr(error, "line", None) or 1, getattr(error, "column", None) or 1
    lines = expression.split("\n")
    shown = lines[min(line, len(lines)) - 1]
    if not expression[sum(len(one) + 1 for one in lines[:line - 1]) + column - 1:].strip(" \t\n<>=!&|+-*/%?:.,([{"):
        column, why = len(shown) + 1, f"mismatched input '<EOF>' expecting {_EXPECTED}"
    else:
        why = f"extraneous input '{shown[column - 1:column]}' expecting <EOF>"
    return f"compilation failed: ERROR: <input>:{line}:{column}: Syntax error: {why}\n | {shown}\n | {'.' * (column - 1)}^"


def _explain(error: Any) -> str:
    text = str(error.args[0]) if error.args else str(error)
    missing = re.search(r"no such member in mapping: '(.*)'", text)
    if missing:
        return f"no such key: {missing.group(1)}"
    undeclared = re.match(r"undeclared reference to '(\w+)'", text)
    if undeclared:  # the library goes on with all that it knows
        return f"no such overload: {undeclared.group(1)}"
    return text


# Kubernetes' functions.


@lru_cache(maxsize=1)
def _functions() -> dict[str, Callable[..., Any]]:
    types = _celpy().celtypes
    text, integer, boolean, listing, double = (
        types.StringType, types.IntType, types.BoolType, types.ListType, types.DoubleType,
    )

    def find(value: str, pattern: str) -> Any:
        found = re2.search(pattern, value)
        return text(found.group(0) if found else "")

    def find_all(value: str, pattern: str, most: int = -1) -> Any:
        found = [match.group(0) for match in islice(re2.finditer(pattern, value), ITEMS_MOST + 1)]
        check_length(items=len(found))
        return listing([text(item) for item in (found if most < 0 else found[:most])])

    def split(value: str, separator: str, most: int = -1) -> Any:
        check_length(items=value.count(separator))
        parts = list(value) if not separator else value.split(separator, most - 1 if most > 0 else -1)
        return listing([text(part) for part in ([] if most == 0 else parts)])

    def replace(value: str, old: str, new: str, most: int = -1) -> Any:
        check_length(len(value) + value.count(old) * len(new))
        return text(value.replace(old, new, int(most)))

    def join(values: Any, by: str = "") -> Any:
        check_length(sum(len(value) + len(by) for value in values))
        return text(by.join(values))

    def substring(value: str, start: int, end: int | None = None) -> Any:
        return text(value[int(start):int(end) if end is not None else None])

    def index_of(value: Any, wanted: Any, start: int = 0) -> Any:
        if isinstance(value, str):
            return integer(value.find(wanted, int(start)))
        return integer(value.index(wanted) if wanted in value else -1)

    def total(values: Any) -> Any:
        result = integer(0)
        for value in values:
            result = value + result if value is not None else result
        return result

    def quantity(value: str) -> Any:
        try:
            return text(parse(str(value)))
        except QuantityError as error:
            raise CelError(str(error)) from None

    def is_quantity(value: str) -> Any:
        try:
            parse(str(value))
        except QuantityError:
            return boolean(False)
        return boolean(True)

    def as_quantity(value: Any) -> Quantity:
        return parse(str(value))

    return {
        "lowerAscii": lambda value: text(value.lower()), "upperAscii": lambda value: text(value.upper()),
        "trim": lambda value: text(value.strip()), "split": split, "replace": replace, "substring": substring, "indexOf": index_of,
        "lastIndexOf": lambda value, wanted: integer(value.rfind(wanted)), "charAt": lambda value, at: text(value[int(at):int(at) + 1]),
        "join": join, "reverse": lambda value: text(value[::-1]), "find": find, "findAll": find_all,
        "sum": total, "min": lambda values: min(values), "max": lambda values: max(values),
        "isSorted": lambda values: boolean(list(values) == sorted(values)),
        "quantity": quantity, "isQuantity": is_quantity, "isLessThan": lambda a, b: boolean(compare(str(a), str(b)) < 0),
        "isGreaterThan": lambda a, b: boolean(compare(str(a), str(b)) > 0), "compareTo": lambda a, b: integer(compare(str(a), str(b))),
        "add": lambda a, b: text(as_quantity(a) + as_quantity(b)), "sub": lambda a, b: text(as_quantity(a) - as_quantity(b)),
        "asInteger": lambda a: integer(as_quantity(a).value()), "sign": lambda a: integer(compare(str(a), "0")),
        "asApproximateFloat": lambda a: double(as_quantity(a).nano / 1e9),
    }
