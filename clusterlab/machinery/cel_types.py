"""The types of CEL expressions: what an expression may refer to, and what its operators and functions take.

Follows cel-go (checker/checker.go, errors.go) and apiserver/pkg/cel (types, library). Functions are known by name; where what they
take is not known here they take anything, so that nothing is refused which Kubernetes accepts.

A type is a string ("int", "string", "dyn", …; "?": nobody knows), ("list", T), ("map", K, V) or ("object", name, fields).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import re2  # type: ignore[import-untyped]  # comes with cel-python

from clusterlab.machinery.cel_parser import SyntaxProblem, parse

__all__ = ["Type", "check", "show"]

Type = Any
_STRINGS = ("list", "string")
_RESULTS: dict[str, Type] = {name: kind for kind, names in (
    ("bool", """
        contains startsWith endsWith matches isSorted isGreaterThan isLessThan isInteger isUnspecified
        isLoopback isCanonical includes isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast containsIP
        containsCIDR hasValue allowed errored isQuantity isURL isIP isCIDR isSemver bool
    """),
    ("int", """
        size indexOf lastIndexOf compareTo asInteger sign family prefixLength getDate getDayOfMonth
        getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth getSeconds int
        major minor patch
    """),
    ("string", """
        lowerAscii upperAscii trim replace substring charAt join find getScheme getHost getHostname getPort
        getEscapedPath reason error string format
    """),
    (_STRINGS, "split findAll"),
    ("double", "asApproximateFloat double"),
    ("uint", "uint"),
    ("bytes", "bytes"),
    ("timestamp", "timestamp"),
    ("duration", "duration"),
    ("?", """
        reverse sum min max add sub orValue or value optMap optFlatMap path group serviceAccount resource
        subresource namespace name fieldSelector labelSelector check validate named ip cidr masked first
        last flatten distinct sort sortBy slice range getQuery dyn quantity url semver type requestResource
        unwrapOpt unwrap
    """),
) for name in names.split()}
_GLOBAL = frozenset((
    "size", "int", "uint", "double", "string", "bool", "bytes", "type", "dyn", "timestamp", "duration", "matches", "quantity", "isQuantity",
    "url", "isURL", "ip", "isIP", "cidr", "isCIDR", "semver", "isSemver",
))
_PACKAGES = frozenset(("sets", "optional", "math", "format", "strings", "base64", "cel", "ip", "cidr", "jsonpatch", "lists", "regex"))
_TYPE_NAMES = frozenset(("int", "uint", "double", "string", "bool", "bytes", "list", "map", "type", "null_type", "dyn"))
_NUMBERS = ("int", "uint", "double")
_ORDERED = ("bool", "string", "bytes", "timestamp", "duration")
_LOOPS = ("all", "exists", "exists_one", "existsOne", "map", "filter")
_KINDS = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration", "null": "null"}


def show(kind: Type) -> str:
    """A type as messages name it."""
    if isinstance(kind, str):
        return _KINDS.get(kind, "dyn" if kind == "?" else kind)
    if kind[0] == "list":
        return f"list({show(kind[1])})"
    if kind[0] == "map":
        return f"map({show(kind[1])}, {show(kind[2])})"
    return str(kind[1])


def check(text: str, variables: Mapping[str, Type]) -> tuple[Type, str]:
    """(type of the expression, what is wrong with it as cel-go says it, "" if nothing is)."""
    try:
        tree = parse(text)
    except SyntaxProblem as problem:
        return "?", _told(text, [(at, f"Syntax error: {message}") for at, message in problem.problems])
    except RecursionError:
        return "?", _told(text, [(0, "Syntax error: expression recursion limit exceeded")])
    checker = _Checker(variables)
    try:
        kind = checker.of(tree, {})
    except RecursionError:  # a long chain, which the grammar makes deep
        return "?", _told(text, [(0, "expression recursion limit exceeded")])
    return kind, _told(text, checker.problems)


def _told(text: str, problems: list[tuple[int, str]]) -> str:
    if not text and problems:  # there is no place to point at
        return f"ERROR: <input>:1:0: {problems[0][1]}"
    told = []
    for at, message in problems:
        before = text[:at]
        line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1)
        shown = text.split("\n")[line - 1]
        told.append(f"ERROR: <input>:{line}:{column + 1}: {message}\n | {shown}\n | {'.' * column}^")
    return "\n".join(told)


def _loose(kind: Type) -> bool:
    return kind in ("dyn", "?")


def _fits(a: Type, b: Type) -> bool:
    """Whether two types go together."""
    if _loose(a) or _loose(b) or a == b:
        return True
    if isinstance(a, tuple) and isinstance(b, tuple) and a[0] == b[0] and a[0] != "object":
        return all(_fits(x, y) for x, y in zip(a[1:], b[1:], strict=True))
    if "null" in (a, b):
        other = b if a == "null" else a
        return (isinstance(other, tuple) and other[0] == "object") or other in ("timestamp", "duration")
    return isinstance(a, tuple) and isinstance(b, tuple) and a[0] == b[0] == "object" and a[1] == b[1]


class _Checker:
    def __init__(self, variables: Mapping[str, Type]) -> None:
        self.variables, self.problems = variables, list[tuple[int, str]]()

    def wrong(self, at: int, message: str) -> Type:
        self.problems.append((at, message))
        return "?"

    def none_such(self, at: int, name: str, *kinds: Type) -> Type:
        return self.wrong(at, f"found no matching overload for '{name}' applied to '({', '.join(map(show, kinds))})'")

    def undeclared(self, at: int, name: str) -> Type:
        return self.wrong(at, f"undeclared reference to '{name}' (in container '')")

    def of(self, node: Any, scope: dict[str, Type]) -> Type:
        """The type of a node; what is wrong is noted."""
        return getattr(self, f"_{node[0]}")(node, scope)

    def _literal(self, node: Any, scope: dict[str, Type]) -> Type:
        return node[2]

    def _ident(self, node: Any, scope: dict[str, Type]) -> Type:
        name = node[2]
        if name in scope:
            return scope[name]
        if name in self.variables:
            return self.variables[name]
        return "?" if name in _TYPE_NAMES or name in _PACKAGES else self.undeclared(node[1], name)

    def _select(self, node: Any, scope: dict[str, Type]) -> Type:
        _, at, of, name, optional = node
        kind = self.of(of, scope)
        if _loose(kind):
            return "?" if optional else kind
        if isinstance(kind, tuple) and kind[0] == "map":
            return "?" if optional else kind[2]
        if isinstance(kind, tuple) and kind[0] == "object":
            if name not in kind[2]:
                return self.wrong(at, f"undefined field '{name}'")
            return "?" if optional else kind[2][name]
        return self.wrong(at, f"type '{show(kind)}' does not support field selection")

    def _index(self, node: Any, scope: dict[str, Type]) -> Type:
        kind, key = self.of(node[2], scope), self.of(node[3], scope)
        if _loose(kind):
            return kind
        if kind[0] == "list" and (_loose(key) or key in _NUMBERS):
            return kind[1]
        if kind[0] == "map" and (_fits(kind[1], key) or (key in _NUMBERS and kind[1] in _NUMBERS)):
            return kind[2]
        return self.none_such(node[1], "_[_]", kind, key)

    def _list(self, node: Any, scope: dict[str, Type]) -> Type:
        return ("list", self._joined([(item[1], self.of(item, scope)) for item in node[2]]))

    def _joined(self, items: list[tuple[int, Type]]) -> Type:
        joined: Type = "?" if not items else items[0][1]
        for at, kind in items[1:]:
            if not _fits(joined, kind):
                self.wrong(at, f"expected type '{show(joined)}' but found '{show(kind)}'")
            elif _loose(joined):
                joined = kind
        return joined

    def _map(self, node: Any, scope: dict[str, Type]) -> Type:
        keys = self._joined([(key[1], self.of(key, scope)) for key, _ in node[2]])
        return ("map", keys, self._joined([(value[1], self.of(value, scope)) for _, value in node[2]]))

    def _struct(self, node: Any, scope: dict[str, Type]) -> Type:
        return "?"

    def _unary(self, node: Any, scope: dict[str, Type]) -> Type:
        kind = self.of(node[3], scope)
        if node[2] == "!":
            return "bool" if _loose(kind) or kind == "bool" else self.none_such(node[1], "!_", kind)
        return kind if _loose(kind) or kind in ("int", "double", "duration") else self.none_such(node[1], "-_", kind)

    def _if(self, node: Any, scope: dict[str, Type]) -> Type:
        condition, yes, no = (self.of(part, scope) for part in node[2:])
        if not _fits(condition, "bool") or not _fits(yes, no):
            return self.none_such(node[1], "_?_:_", condition, yes, no)
        return no if _loose(yes) else yes

    def _binary(self, node: Any, scope: dict[str, Type]) -> Type:
        _, at, operator, left, right = node
        a, b = self.of(left, scope), self.of(right, scope)
        if operator in ("&&", "||"):
            for part, kind in ((left, a), (right, b)):
                if not _fits(kind, "bool"):
                    self.wrong(part[1], f"expected type 'bool' but found '{show(kind)}'")
            return "bool"
        if operator in ("==", "!="):
            return "bool" if _fits(a, b) else self.none_such(at, f"_{operator}_", a, b)
        if operator == "in":
            fine = _loose(b) or (isinstance(b, tuple) and b[0] in ("list", "map") and _fits(a, b[1]))
            return "bool" if fine else self.none_such(at, "@in", a, b)
        if operator in ("<", "<=", ">", ">="):
            if _loose(a) or _loose(b):
                return "bool"
            fine = (a in _NUMBERS and b in _NUMBERS) or (a == b and a in _ORDERED)
            return "bool" if fine else self.none_such(at, f"_{operator}_", a, b)
        return self._sum(at, operator, a, b)

    def _sum(self, at: int, operator: str, a: Type, b: Type) -> Type:
        if _loose(a) or _loose(b):
            known = b if _loose(a) else a
            return known if known in (*_NUMBERS, "string", "bytes") else "dyn" if "dyn" in (a, b) and "?" not in (a, b) else "?"
        if a == b and a in _NUMBERS and (operator != "%" or a != "double"):
            return a
        if a == b and operator == "+" and a in ("string", "bytes", "duration"):
            return a
        if operator == "+" and isinstance(a, tuple) and a[0] == "list" and _fits(a, b):
            return a
        if operator in "+-" and {a, b} <= {"timestamp", "duration"} and (a, b) != ("duration", "timestamp" if operator == "-" else ""):
            return "timestamp" if "timestamp" in (a, b) and a != b else "duration"
        return self.none_such(at, f"_{operator}_", a, b)

    # Functions.

    def _call(self, node: Any, scope: dict[str, Type]) -> Type:
        _, at, name, args = node
        if name == "has" and len(args) == 1:
            if args[0][0] != "select":
                return self.wrong(at, "invalid argument to has() macro")
            self.of((*args[0][:1], at, *args[0][2:]), scope)
            return "bool"
        kinds = [self.of(arg, scope) for arg in args]
        if name not in _GLOBAL:
            return self.undeclared(at, name)
        if name == "size" and len(kinds) == 1 and not self._sizable(kinds[0]):
            return self.none_such(at, "size", *kinds)
        return _RESULTS[name]

    def _sizable(self, kind: Type) -> bool:
        return _loose(kind) or kind in ("string", "bytes") or (isinstance(kind, tuple) and kind[0] in ("list", "map"))

    def _member(self, node: Any, scope: dict[str, Type]) -> Type:
        _, at, of, name, args = node
        package = of[0] == "ident" and of[2] in _PACKAGES and of[2] not in scope and of[2] not in self.variables
        if package:
            return self._packaged(of[2], name, args, scope)
        kind = self.of(of, scope)
        if name in _LOOPS and len(args) > 1 and args[0][0] == "ident":
            return self._loop(at, name, kind, args, scope)
        if name in ("transformList", "transformMap", "transformMapEntry", "optMap", "optFlatMap"):
            return "?"
        kinds = [self.of(arg, scope) for arg in args]
        if name not in _RESULTS:
            return self.undeclared(at, name)
        if name == "size" and not args and not self._sizable(kind):
            return self.none_such(at, "size", kind)
        if name == "matches" and len(args) == 1 and args[0][0] == "literal" and args[0][2] == "string":
            return self._pattern(args[0])
        if name in ("startsWith", "endsWith") and kind == "string" and kinds and not _fits(kinds[0], "string"):
            return self.none_such(at, name, kind, *kinds)
        if name in ("sum", "min", "max", "reverse", "sort", "distinct", "slice") and isinstance(kind, tuple) and kind[0] == "list":
            return kind[1] if name in ("sum", "min", "max") else kind
        if name in ("lowerAscii", "startsWith", "endsWith", "matches") and isinstance(kind, tuple):
            return self.none_such(at, name, kind, *kinds)
        return "string" if name == "reverse" and kind == "string" else _RESULTS[name]

    def _packaged(self, package: str, name: str, args: Any, scope: dict[str, Type]) -> Type:
        if (package, name) == ("cel", "bind") and len(args) == 3 and args[0][0] == "ident":
            return self.of(args[2], {**scope, args[0][2]: self.of(args[1], scope)})
        for arg in args:
            self.of(arg, scope)
        return "bool" if package == "sets" or name == "isCanonical" else "?"

    def _pattern(self, literal: Any) -> Type:
        try:
            options = re2.Options()
            options.log_errors = False
            quoted = literal[3]
            if quoted[0] in "rR" or "\\" not in quoted:
                re2.compile(quoted.lstrip("rR").strip("'\""), options)
        except re2.error:
            return self.wrong(literal[1], "invalid matches argument")
        return "bool"

    def _loop(self, at: int, name: str, kind: Type, args: Any, scope: dict[str, Type]) -> Type:
        item: Type = "?"
        if isinstance(kind, tuple) and kind[0] in ("list", "map"):
            item = kind[1]
        elif not _loose(kind):
            return self.wrong(at, f"expression of type '{show(kind)}' cannot be range of a comprehension (must be list, map, or dynamic)")
        else:
            item = "dyn" if kind == "dyn" else "?"
        inner = {**scope, args[0][2]: item}
        rest = args[1:]
        if len(rest) == 2 and rest[0][0] == "ident" and name not in ("map",):
            inner[rest[0][2]] = "?"
            rest = rest[1:]
        kinds = [self.of(arg, inner) for arg in rest]
        if name == "map":
            return ("list", kinds[-1])
        if not _fits(kinds[-1], "bool"):
            self.wrong(rest[-1][1], f"expected type 'bool' but found '{show(kinds[-1])}'")
        return ("list", item) if name == "filter" else "bool"
