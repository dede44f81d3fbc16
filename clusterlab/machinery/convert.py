"""Decoding: from parsed JSON to an object of a built-in type as a Go server would hold and print it.

Follows sigs.k8s.io/json (decode.go: type errors, unknown fields), apimachinery/pkg/runtime/serializer/json/json.go (strictness),
pkg/runtime/converter.go (`from_unstructured`, the way of strategic merge patch) and the UnmarshalJSON of Time, MicroTime, Quantity
and IntOrString. The result is what a round trip through the Go type prints: nulls and empty optional fields dropped, fields that
are always written added. Left out: required lists and maps that Go prints as null.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import Any

from clusterlab.machinery import errors
from clusterlab.machinery.field import go_quote
from clusterlab.machinery.go_time import TimeError, parse_micro_time, parse_time
from clusterlab.machinery.quantity import QuantityError, canonical
from clusterlab.machinery.schema import Node, node_of

__all__ = ["DecodeError", "decode", "decode_node", "from_unstructured", "json_kind", "strict_error"]

Where = tuple[Any, str, str, Node | None, Node | None]

_STRICT_MOST = 100
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class DecodeError(ValueError):
    """A body that does not fit its type; the text is Kubernetes' own."""


class _Abort(Exception):
    """An error of a type's own UnmarshalJSON, which ends decoding at once."""


def strict_error(problems: Iterable[str]) -> str:
    """The text for unknown and duplicate fields."""
    return "strict decoding error: " + ", ".join(problems)


def json_kind(value: Any) -> str:
    """What Go's JSON calls a value's type."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "number"


def _literal(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return f"{value:.1f}"
    return repr(value)


class _Decoder:
    """Decodes as encoding/json does. `unknown` collects the strict errors, `first` keeps the first type error."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.first = ""

    # Where a problem is.

    def path(self, where: Where | None, field: str) -> str:
        parts = [f".{field}"] if field else []
        while where is not None:
            parent, kind, name, _, _ = where
            parts.append(f"[{name}]" if kind == "index" else f".{name}")
            where = parent
        return "".join(reversed(parts)).removeprefix(".")

    def mismatch(self, node: Node, value: Any, where: Where | None, type: str = "", kind: str = "") -> None:
        """Notes that a value does not fit its type."""
        if not self.first:
            target = self.target(where)
            self.first = f"json: cannot unmarshal {kind or json_kind(value)} into Go {target} of type {type or node.go_kind}"

    def target(self, where: Where | None) -> str:
        stack: list[str] = []
        struct = ""
        while where is not None:
            parent, kind, name, owner, field = where
            if kind == "field" and owner is not None and field is not None:
                struct = struct or owner.name.rsplit(".", 1)[-1]
                stack[:0] = [*field.embedded, name]
            where = parent
        return f"struct field {struct}.{'.'.join(stack)}" if struct else "value"

    def problem(self, where: Where | None, field: str) -> None:
        """Notes an unknown field."""
        if len(self.unknown) < _STRICT_MOST:
            text = f"unknown field {go_quote(self.path(where, field))}"
            if text not in self.unknown:
                self.unknown.append(text)

    # Values.

    def value(self, node: Node, value: Any, where: Where | None) -> Any:
        return _DECODE[node.kind](self, node, value, where)

    def struct(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is not dict:
            if value is not None:
                self.mismatch(node, value, where)
            return dict(node.always)
        fields = node.fields
        out: dict[str, Any] = {}
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                if node.preserve:
                    out[key] = item
                else:
                    self.problem(where, key)
                continue
            if item is None:
                continue
            made = item if type(item) is str and field.kind == "string" else self.value(field, item, (where, "field", key, node, field))
            if made or field.mode in ("a", "s", "p") or (field.mode == "e" and field.kind in ("struct", "any")):
                out[key] = made
            elif made == [] and key == "policies" and node.name.endswith("HPAScalingRules"):
                out[key] = made  # no rules at all are refused, where those that nobody names have defaults
        for key, zero in node.always.items():
            if key not in out:
                out[key] = zero
        return out

    def map(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is not dict:
            self.mismatch(node, value, where)
            return {}
        item = node.item
        assert item is not None
        if item.kind == "string":
            for part in value.values():
                if type(part) is not str:
                    break
            else:
                return value
        return {
            key: _zero(item) if part is None else self.value(item, part, (where, "key", key, None, None))
            for key, part in value.items()
        }

    def list(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is not list:
            self.mismatch(node, value, where)
            return []
        item = node.item
        assert item is not None
        return [
            _zero(item) if part is None else self.value(item, part, (where, "index", str(i), None, None))
            for i, part in enumerate(value)
        ]

    def string(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is not str:
            self.mismatch(node, value, where)
            return ""
        return value

    def bool(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is not bool:
            self.mismatch(node, value, where)
            return False
        return value

    def int(self, node: Node, value: Any, where: Where | None) -> Any:
        bits = 31 if node.kind == "int32" and node.go_kind != "int64" else 63
        if type(value) is int and -(1 << bits) <= value < 1 << bits:
            return value
        if type(value) in (int, float):
            self.mismatch(node, value, where, kind=f"number {_literal(value)}")
        else:
            self.mismatch(node, value, where)
        return 0

    def float(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) not in (int, float):
            self.mismatch(node, value, where)
            return 0
        return value

    def bytes(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is not str:
            if type(value) is list and value and not isinstance(self, _FromUnstructured):  # a list of numbers would be bytes too
                self.mismatch(node, value[0], where, type="uint8")
            else:
                self.mismatch(node, value, where, type="[]uint8")
            return ""
        plain = _BASE64.fullmatch(value)
        at = None if plain else _corrupt_at(value)
        if at is None:
            return b64encode(b64decode(value if plain else value.replace("\r", "").replace("\n", ""))).decode()
        self.corrupt(at)
        return ""

    def corrupt(self, at: int) -> None:  # type: ignore[valid-type]
        if not self.first:
            self.first = f"illegal base64 data at input byte {at}"

    def quantity(self, node: Node, value: Any, where: Where | None) -> Any:
        try:
            return canonical(value)
        except QuantityError as error:
            raise _Abort(str(error)) from None

    def intstr(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is str or (type(value) is int and -(1 << 31) <= value < 1 << 31):
            return value
        self.first = ""
        self.mismatch(node, value, where, "int32", f"number {_literal(value)}" if type(value) in (int, float) else "")
        raise _Abort(self.first)

    def time(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is not str:
            self.first = ""
            self.mismatch(node, value, where, "string")
            raise _Abort(self.first)
        try:
            return parse_micro_time(value) if node.kind == "microtime" else parse_time(value)
        except TimeError as error:
            raise _Abort(str(error)) from None

    def any(self, node: Node, value: Any, where: Where | None) -> Any:
        return value


_DECODE: dict[str, Callable[[_Decoder, Node, Any, Where | None], Any]] = {
    "struct": lambda d, *rest: d.struct(*rest), "map": lambda d, *rest: d.map(*rest), "list": lambda d, *rest: d.list(*rest),
    "string": lambda d, *rest: d.string(*rest), "bool": lambda d, *rest: d.bool(*rest), "int32": lambda d, *rest: d.int(*rest),
    "int64": lambda d, *rest: d.int(*rest), "float": lambda d, *rest: d.float(*rest), "bytes": lambda d, *rest: d.bytes(*rest),
    "quantity": lambda d, *rest: d.quantity(*rest), "intstr": lambda d, *rest: d.intstr(*rest),
    "time": lambda d, *rest: d.time(*rest), "microtime": lambda d, *rest: d.time(*rest), "any": lambda d, *rest: d.any(*rest),
    "deduced": lambda d, *rest: d.any(*rest),
}


def _zero(node: Node) -> Any:
    if node.kind == "struct":
        return dict(node.always)
    return {"map": {}, "list": [], "string": "", "bytes": "", "bool": False, "quantity": "0"}.get(node.kind, 0)


_B64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def _corrupt_at(text: str) -> int | None:
    """The offset that Go's base64 decoder complains of (encoding/base64, decodeQuantum); None if the text is well-formed."""
    in_quantum, at, end = 0, 0, len(text)
    while at < end:
        char = text[at]
        at += 1
        if char in "\r\n":
            continue
        if char in _B64:
            in_quantum = (in_quantum + 1) % 4
            continue
        if char != "=" or in_quantum < 2:
            return len(text[:at - 1].encode())
        rest = text[at:].lstrip("\r\n")
        if in_quantum == 2:
            if not rest:
                return end
            if rest[0] != "=":
                return end - len(rest) - 1
            rest = rest[1:].lstrip("\r\n")
        return end - len(rest) if rest else None
    return end - in_quantum if in_quantum else None


class _FromUnstructured(_Decoder):
    """Decodes as runtime.DefaultUnstructuredConverter does, whose errors read otherwise."""

    _GO = {"string": "string", "bool": "bool", "object": "map", "array": "slice"}

    def path(self, where: Where | None, field: str) -> str:
        while where is not None and where[1] == "key":
            where = where[0]
        return super().path(where, field)

    def mismatch(self, node: Node, value: Any, where: Where | None, type: str = "", kind: str = "") -> None:
        found = self._GO.get(json_kind(value)) or ("float64" if isinstance(value, float) else "int64")
        if type in ("int32", "string"):
            raise _Abort(f"json: cannot unmarshal {kind or json_kind(value)} into Go value of type {type}")
        if node.kind == "struct":
            raise _Abort(f"cannot restore struct from: {found}")
        if node.kind in ("map", "list", "bytes"):
            raise _Abort(f"cannot restore {'map' if node.kind == 'map' else 'slice'} from {found}")
        if isinstance(value, bool | str | dict | list):
            plain = {"string": "string", "bool": "bool", "float": "float64"}.get(node.kind, node.kind)
            raise _Abort(f"unrecognized type: {plain}")
        if node.kind == "bool":
            raise _Abort("unrecognized type: bool")
        raise _Abort(f"cannot convert {found} to {node.go_kind}")

    def int(self, node: Node, value: Any, where: Where | None) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and node.kind == "int32":
            return (value + (1 << 31)) % (1 << 32) - (1 << 31)  # Go's conversion wraps
        return super().int(node, value, where)

    def corrupt(self, at: int) -> None:  # type: ignore[valid-type]
        raise _Abort(f"error decoding from json: illegal base64 data at input byte {at}")


def decode_node(node: Node, body: Any) -> tuple[Any, list[str]]:
    """Decodes a JSON value as a type: (object, unknown fields); raises DecodeError."""
    decoder = _Decoder()
    try:
        made = decoder.value(node, body, None)
    except _Abort as error:
        raise DecodeError(str(error)) from None
    if decoder.first:
        raise DecodeError(decoder.first)
    return made, decoder.unknown


def from_unstructured(node: Node, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Converts the outcome of a strategic merge patch to its type: (object, unknown fields, sorted); raises DecodeError."""
    decoder = _FromUnstructured()
    try:
        made = decoder.value(node, body, None)
    except _Abort as error:
        raise DecodeError(str(error)) from None
    return made, sorted(decoder.unknown)


def decode(
    group: str, version: str, kind: str, body: Any, validation: str = "Strict", duplicates: Iterable[str] = (),
) -> tuple[dict[str, Any], list[str]]:
    """Decodes the body of a create or update: (object, warnings); raises StatusError (400).

    `validation`: Strict refuses unknown and duplicate fields, Warn returns them as warnings, Ignore drops them.
    `duplicates`: the problems that parsing the body found (see `machinery.decode`)."""
    node = node_of(group, version, kind)
    if node is None:
        raise errors.bad_request(f'no kind "{kind}" is registered for version "{group}/{version}"')
    head = f'{kind} in version "{version}" cannot be handled as a {kind}: '
    try:
        made, unknown = decode_node(node, body)
    except DecodeError as error:
        raise errors.bad_request(head + str(error)) from None
    problems = [*duplicates, *unknown]
    if problems and validation == "Strict":
        raise errors.bad_request(head + strict_error(problems))
    return made, problems if validation == "Warn" else []
