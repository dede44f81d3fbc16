"""Labels and label selectors: what is a valid label, parsing selector strings, LabelSelector objects, matching.

Follows staging/src/k8s.io/apimachinery/pkg/labels/selector.go, pkg/api/validate/content/kube.go and
pkg/apis/meta/v1/helpers.go. A selector is compiled once per string or object content and cached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from clusterlab.machinery.field import FieldError, invalid, not_supported

__all__ = [
    "EVERYTHING", "NOTHING", "Requirement", "Selector", "SelectorError", "from_object", "from_set", "label_key_errors",
    "label_value_errors", "matches", "parse",
]

Labels = Mapping[str, str]

_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME_RE = re.compile(_NAME)
_SUBDOMAIN_RE = re.compile(_SUBDOMAIN)
_KEY_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_NAME}')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    f"an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({_NAME})?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
    f"an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt", "exists", "!")
_INTEGER = re.compile(r"[+-]?[0-9]+")


class SelectorError(ValueError):
    """A selector that cannot be understood; the text is Kubernetes' own."""


@lru_cache(maxsize=4096)
def label_key_errors(key: str) -> tuple[str, ...]:
    """What is wrong with a label key (a qualified name), if anything."""
    prefix, slash, name = key.partition("/")
    if not slash:
        name = key
    elif "/" in name:
        return (f"a valid label key {_KEY_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    errors: list[str] = []
    if slash and not prefix:
        errors.append("prefix part must be non-empty")
    elif slash:
        if len(prefix) > 253:
            errors.append("prefix part must be no more than 253 bytes")
        if not _SUBDOMAIN_RE.fullmatch(prefix):
            errors.append(f"prefix part {_SUBDOMAIN_TEXT}")
    if not name:
        errors.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        errors.append("name part must be no more than 63 bytes")
    if not _NAME_RE.fullmatch(name):
        errors.append(f"name part {_KEY_TEXT}")
    return tuple(errors)


@lru_cache(maxsize=4096)
def label_value_errors(value: str) -> tuple[str, ...]:
    """What is wrong with a label value, if anything."""
    errors: list[str] = []
    if len(value.encode()) > 63:
        errors.append("must be no more than 63 bytes")
    if value and not _NAME_RE.fullmatch(value):
        errors.append(_VALUE_TEXT)
    return tuple(errors)


class Requirement(NamedTuple):
    """One condition on labels. `operator`: in, notin, =, ==, !=, gt, lt, exists, ! (does not exist)."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether labels meet the condition."""
        found = labels.get(self.key)
        operator = self.operator
        if operator in ("=", "==", "in"):
            return found is not None and found in self.values
        if operator in ("!=", "notin"):
            return found is None or found not in self.values
        if operator == "exists":
            return found is not None
        if operator == "!":
            return found is None
        if found is None or not _INTEGER.fullmatch(found):
            return False
        return int(found) > int(self.values[0]) if operator == "gt" else int(found) < int(self.values[0])

    def __str__(self) -> str:
        operator = self.operator
        if operator == "exists":
            return self.key
        if operator == "!":
            return f"!{self.key}"
        values = ",".join(sorted(self.values))
        if operator in ("in", "notin"):
            return f"{self.key} {operator} ({values})"
        return f"{self.key}{ {'gt': '>', 'lt': '<'}.get(operator, operator) }{values}"


class Selector:
    """Requirements that labels must all meet, in order of their keys. Immutable."""

    __slots__ = ("_equal", "_rest", "none", "requirements")

    def __init__(self, requirements: Iterable[Requirement] = (), none: bool = False) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda r: r.key))
        self.none = none
        exact = [r for r in self.requirements if r.operator in ("=", "==", "in") and len(r.values) == 1]
        self._equal = tuple((r.key, r.values[0]) for r in exact)
        self._rest = tuple(r for r in self.requirements if r not in exact)

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements and not self.none

    def matches(self, labels: Labels | None) -> bool:
        """Whether it selects an object with these labels."""
        if self.none:
            return False
        if not labels:
            labels = {}
        for key, value in self._equal:
            if labels.get(key) != value:
                return False
        return not self._rest or all(r.matches(labels) for r in self._rest)

    def exact(self, key: str) -> str | None:
        """The only value that it allows for a key, if there is one."""
        return dict(self._equal).get(key)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def __repr__(self) -> str:
        return f"Selector({'<none>' if self.none else str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and (self.requirements, self.none) == (other.requirements, other.none)

    def __hash__(self) -> int:
        return hash((self.requirements, self.none))


EVERYTHING = Selector()
NOTHING = Selector(none=True)


# Selector strings.

_TOKEN = re.compile(r"\s*(!=|==|[=!(),<>]|[^=!(),<>\s\0]+)")
_SPECIAL = frozenset("=!(),<>")
_END = ""


def _tokens(text: str) -> list[str]:
    return [*_TOKEN.findall(text.split("\0", 1)[0]), _END]


def _identifier(token: str) -> bool:
    return token != _END and token[0] not in _SPECIAL


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.at = 0

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while (token := self.peek()) != _END:
            if not _identifier(token) and token != "!":
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self.requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            token = self.next()
            if token == _END:
                break
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            token = self.peek()
            if not _identifier(token) and token != "!":
                raise SelectorError(f"found '{token}', expected: identifier after ','")
        return found

    def requirement(self) -> Requirement:
        key = self.next()
        negated = key == "!"
        if negated:
            key = self.next()
        if not _identifier(key):
            raise SelectorError(f"found '{key}', expected: identifier")
        problems = label_key_errors(key)
        if problems:
            raise SelectorError(invalid("<nil>", key, "; ".join(problems)).text())
        if negated:
            return Requirement(key, "!")
        if self.peek() in (_END, ","):
            return Requirement(key, "exists")
        operator = self.next()
        if operator not in ("in", "notin", "=", "==", "!=", ">", "<"):
            raise SelectorError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        values = self.values() if operator in ("in", "notin") else self.value()
        return _checked(key, {">": "gt", "<": "lt"}.get(operator, operator), tuple(sorted(set(values))))

    def value(self) -> list[str]:
        if self.peek() in (_END, ","):
            return [""]
        token = self.next()
        if not _identifier(token):
            raise SelectorError(f"found '{token}', expected: identifier")
        return [token]

    def values(self) -> list[str]:
        token = self.next()
        if token != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        token = self.peek()
        if token == ")":
            self.next()
            return [""]
        if not _identifier(token) and token != ",":
            raise SelectorError(f"found '{token}', expected: ',', ')' or identifier")
        found = self.identifiers()
        self.next()
        return found

    def identifiers(self) -> list[str]:
        found: list[str] = []
        while True:
            token = self.next()
            after = self.peek()
            if _identifier(token):
                found.append(token)
                if after == ")":
                    return found
                if after != ",":
                    raise SelectorError(f"found '{after}', expected: ',' or ')'")
            elif token == ",":
                if not found or after in (")", ","):
                    found.append("")
                if after == ")":
                    return found
            else:
                raise SelectorError(f"found '{token}', expected: ',', or identifier")


def _checked(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    errors = _requirement_errors(key, operator, values, "")
    if errors:
        texts = list(dict.fromkeys(error.text() for error in errors))
        raise SelectorError(texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]")
    return Requirement(key, operator, values)


def _requirement_errors(key: str, operator: str, values: tuple[str, ...], path: str) -> list[FieldError]:
    dot = f"{path}." if path else ""
    found: list[FieldError] = []
    problems = label_key_errors(key)
    if problems:
        found.append(invalid(f"{dot}key", key, "; ".join(problems)))
    listed = list(values)
    if operator in ("in", "notin"):
        if not values:
            found.append(invalid(f"{dot}values", listed, "for 'in', 'notin' operators, values set can't be empty"))
    elif operator in ("=", "==", "!="):
        if len(values) != 1:
            found.append(invalid(f"{dot}values", listed, "exact-match compatibility requires one single value"))
    elif operator in ("exists", "!"):
        if values:
            found.append(invalid(f"{dot}values", listed, "values set must be empty for exists and does not exist"))
    elif operator in ("gt", "lt"):
        if len(values) != 1:
            found.append(invalid(f"{dot}values", listed, "for 'Gt', 'Lt' operators, exactly one value is required"))
        found += [
            invalid(f"{dot}values[{i}]", value, "for 'Gt', 'Lt' operators, the value must be an integer")
            for i, value in enumerate(values) if not _INTEGER.fullmatch(value)
        ]
    else:
        found.append(not_supported(f"{dot}operator", operator, _OPERATORS))
    for i, value in enumerate(values):
        wrong = label_value_errors(value)
        if wrong:
            found.append(invalid(f"{dot}values[{i}][{key}]", value, "; ".join(wrong)))
    return found


@lru_cache(maxsize=4096)
def parse(text: str) -> Selector:
    """The selector that a string means (`app=web,tier in (a,b),!old`); raises SelectorError."""
    return Selector(_Parser(text).parse())


# LabelSelector objects.

_OF_OBJECT = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


@lru_cache(maxsize=4096)
def _compiled(pairs: tuple[tuple[str, str], ...], expressions: tuple[tuple[str, str, tuple[str, ...]], ...]) -> Selector:
    found = [Requirement(key, "=", (value,)) for key, value in pairs]
    for key, operator, values in expressions:
        known = _OF_OBJECT.get(operator)
        if known is None:
            raise SelectorError(f'"{operator}" is not a valid label selector operator')
        found.append(_checked(key, known, values))
    return Selector(found)


def from_object(selector: Mapping[str, Any] | None) -> Selector:
    """The selector that a LabelSelector object means: None selects nothing, an empty one everything."""
    if selector is None:
        return NOTHING
    pairs = selector.get("matchLabels")
    expressions = selector.get("matchExpressions")
    if not expressions:
        return _compiled(tuple(pairs.items()), ()) if pairs else EVERYTHING
    listed = tuple((e.get("key", ""), e.get("operator", ""), tuple(e.get("values") or ())) for e in expressions)
    return _compiled(tuple((pairs or {}).items()), listed)


def from_set(pairs: Mapping[str, str] | None) -> Selector:
    """The selector of labels that must all be there, as a Service's; an empty one selects everything."""
    return _compiled(tuple(pairs.items()), ()) if pairs else EVERYTHING


def matches(selector: Mapping[str, Any] | None, labels: Labels | None) -> bool:
    """Whether a LabelSelector object selects an object with these labels."""
    return from_object(selector).matches(labels)
