"""The breakpoint language: when shall a run stop, and what does a lesson wait for?

A condition is asked after each step, about the step and each object that it changed:

    condition  = term { ("and" | "or") term }          "and" binds tighter than "or"
    term       = "not" term | "(" condition ")" | test
    test       = field operator value | "settled"
    field      = actor | verb | object | kind | name | namespace | status | etcd.leader | .path.to[0].field
    operator   = "=" | "!=" | ">" | ">=" | "<" | "<=" | "~"          "~" is a glob: name ~ web-*
    value      = word | "text" | number | none

Examples: `kind = Pod and status = CrashLoopBackOff`; `actor = kube-scheduler`; `kind = ReplicaSet and verb = reconcile`;
`kind = Deployment and name = web and .status.readyReplicas >= 3`; `etcd.leader = none`.
Tests of kind, name, namespace, status and .path are about one and the same changed object. `status` is the word that kubectl prints.
In a path, [0] takes an item of a list by its place, [Ready] by its type or name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from clusterlab.sim import Object, Step
from clusterlab.stream.views import view

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["Condition", "ConditionError", "parse_condition"]

Condition = Callable[[Step, "Cluster"], bool]
_Test = Callable[[Step, "Cluster", Object | None], bool]

MAX_LENGTH = 500
_TOKEN = re.compile(r'\s*(?:(?P<op>!=|>=|<=|=|>|<|~|\(|\))|"(?P<text>[^"]*)"|(?P<word>[^\s()=!<>~"]+))')
_FIELDS = ("actor", "verb", "object", "kind", "name", "namespace", "status", "etcd.leader")


class ConditionError(ValueError):
    """A condition that cannot be read: what is wrong, and where."""


def parse_condition(text: Any) -> Condition:
    """Reads a condition. Raises ConditionError."""
    if not isinstance(text, str) or not text.strip():
        raise ConditionError("a condition is a text such as: kind = Pod and status = Running")
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"a condition has at most {MAX_LENGTH} characters")
    parser = _Parser(text)
    test = parser.either()
    if parser.peek() is not None:
        raise ConditionError(f"expected the end or and/or at {parser.peek()!r}")

    def condition(step: Step, cluster: Cluster) -> bool:
        objects: list[Object | None] = [change.new or change.old for change in step.changes]
        return any(test(step, cluster, obj) for obj in objects or [None])

    return condition


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        text = text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise ConditionError(f"cannot read {text[place:place + 10]!r} at character {place + 1}")
            kind = match.lastgroup or "word"
            self.tokens.append((kind, match.group(kind)))
            place = match.end()
        self.at = 0
        self.depth = 0

    def peek(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self, what: str) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise ConditionError(f"expected {what} at the end")
        self.at += 1
        return self.tokens[self.at - 1]

    def either(self) -> _Test:
        tests = [self.both()]
        while self.peek() == "or":
            self.at += 1
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda s, c, o: any(test(s, c, o) for test in tests)

    def both(self) -> _Test:
        tests = [self.term()]
        while self.peek() == "and":
            self.at += 1
            tests.append(self.term())
        return tests[0] if len(tests) == 1 else lambda s, c, o: all(test(s, c, o) for test in tests)

    def term(self) -> _Test:
        self.depth += 1
        if self.depth > 50:
            raise ConditionError("too many brackets or nots")
        try:
            kind, word = self.take("a test")
            if word == "not" and kind == "word":
                inner = self.term()
                return lambda s, c, o: not inner(s, c, o)
            if word == "(" and kind == "op":
                inside = self.either()
                if self.take("a closing bracket")[1] != ")":
                    raise ConditionError("expected a closing bracket")
                return inside
            if word == "settled":
                return lambda s, c, o: c.history.settled
            return self.test(word)
        finally:
            self.depth -= 1

    def test(self, field: str) -> _Test:
        if field not in _FIELDS and not field.startswith("."):
            raise ConditionError(f"unknown field {field!r}; known are {', '.join(_FIELDS)} and paths such as .spec.replicas")
        kind, operator = self.take("an operator")
        if kind != "op" or operator in "()":
            raise ConditionError(f"expected =, !=, >, >=, <, <= or ~ after {field}, not {operator!r}")
        value = self.take("a value")[1]
        read, compare = _reader(field), _comparison(operator, value)
        return lambda s, c, o: compare(read(s, c, o))


def _reader(field: str) -> Callable[[Step, Cluster, Object | None], Any]:
    if field == "actor":
        return lambda s, c, o: s.actor
    if field == "verb":
        return lambda s, c, o: s.verb
    if field == "object":
        return lambda s, c, o: s.object
    if field == "etcd.leader":
        return lambda s, c, o: c.etcd.view().get("leader")
    if field == "kind":
        return lambda s, c, o: o.get("kind") if o else None
    if field in ("name", "namespace"):
        return lambda s, c, o: o["metadata"].get(field) if o else None
    if field == "status":
        return lambda s, c, o: _status(o, c) if o else None
    path = [part for part in re.split(r"[.\[\]]+", field) if part]
    return lambda s, c, o: _walk(o, path)


def _status(obj: Object, cluster: Cluster) -> Any:
    shown = view(obj, cluster.sim.epoch)
    if obj.get("kind") == "Node":
        return "Ready" if shown.get("ready") == "True" else "NotReady"
    return shown.get("status") or shown.get("phase")


def _walk(value: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, list):
            value = next((item for item in value if isinstance(item, dict) and part in (item.get("type"), item.get("name"))), None)
        else:
            return None
    return value


def _comparison(operator: str, wanted: str) -> Callable[[Any], bool]:
    def plain(value: Any) -> str:
        return "none" if value in (None, "") else str(value).lower() if isinstance(value, bool) else str(value)

    if operator == "=":
        return lambda value: plain(value) == wanted
    if operator == "!=":
        return lambda value: plain(value) != wanted
    if operator == "~":
        return lambda value: fnmatchcase(plain(value), wanted)
    try:
        limit = float(wanted)
    except ValueError:
        raise ConditionError(f"{operator} compares with a number, not {wanted!r}") from None

    def order(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {">": value > limit, ">=": value >= limit, "<": value < limit, "<=": value <= limit}[operator]

    return order
