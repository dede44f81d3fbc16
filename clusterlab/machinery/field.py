"""Field paths and field errors: what a validator says about one field.

Follows staging/src/k8s.io/apimachinery/pkg/util/validation/field/{path,errors}.go. A path is a string, so validators may
build one with f-strings; `Path` only saves them the punctuation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

__all__ = [
    "OMIT", "FieldError", "Path", "Raw", "duplicate", "escape_html", "forbidden", "go_json", "go_quote", "internal", "invalid", "not_found",
    "not_supported", "required", "too_few", "too_long", "too_long_characters", "too_many", "too_short", "type_invalid", "unique",
]


class Path(str):
    """The path of a field: `Path("spec").child("containers").index(0)` is "spec.containers[0]"."""

    __slots__ = ()

    def child(self, *names: str) -> Path:
        """A field of this one; of the object itself when this path is empty."""
        return Path(".".join((self, *names) if self else names))

    def index(self, i: int) -> Path:  # type: ignore[override]
        """An item of this list."""
        return Path(f"{self}[{i}]")

    def key(self, key: str) -> Path:
        """The value under a key of this map."""
        return Path(f"{self}[{key}]")


class Raw(str):
    """A bad value that is printed as it stands."""

    __slots__ = ()


#: A bad value that is left out of the message.
OMIT = Raw("")

_TITLES = {
    "FieldValueNotFound": "Not found",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "FieldValueTooFew": "Too few",
    "InternalError": "Internal error",
    "FieldValueTypeInvalid": "Invalid value",
    "FieldValueTooShort": "Too short",
}
_WITHOUT_VALUE = ("FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong", "FieldValueTooShort", "InternalError")


class FieldError:
    """One thing wrong with one field. `type` is the cause's reason in a Status."""

    __slots__ = ("bad_value", "detail", "field", "type")

    def __init__(self, type: str, field: str, bad_value: Any = OMIT, detail: str = "") -> None:
        self.type = type
        self.field = field
        self.bad_value = bad_value
        self.detail = detail

    def body(self) -> str:
        """The message without the field."""
        text = _TITLES[self.type]
        if self.type not in _WITHOUT_VALUE and self.bad_value is not OMIT:
            text = f"{text}: {_printed(self.bad_value)}"
        return f"{text}: {self.detail}" if self.detail else text

    def text(self) -> str:
        """The message with its field."""
        return f"{self.field}: {self.body()}"

    def __repr__(self) -> str:
        return f"<{self.text()}>"


def _printed(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return go_quote(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    return go_json(value)


def go_json(value: Any) -> str:
    """JSON as Go's encoding/json writes it: no spaces, keys of maps sorted, <, > and & escaped."""
    return escape_html(json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True))


def escape_html(text: str) -> str:
    """JSON text with what Go's encoding/json escapes for the sake of pages."""
    for char, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        if char in text:
            text = text.replace(char, escape)
    return text


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def go_quote(text: str) -> str:
    """A string as Go's %q prints it."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    out = []
    for char in text:
        if char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif char.isprintable():
            out.append(char)
        elif ord(char) < 0x80:
            out.append(f"\\x{ord(char):02x}")
        elif ord(char) < 0x10000:
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(f"\\U{ord(char):08x}")
    return '"' + "".join(out) + '"'


def required(path: str, detail: str = "") -> FieldError:
    """The value is missing."""
    return FieldError("FieldValueRequired", path, "", detail)


def invalid(path: str, value: Any, detail: str) -> FieldError:
    """The value is malformed or out of bounds."""
    return FieldError("FieldValueInvalid", path, value, detail)


def type_invalid(path: str, value: Any, detail: str) -> FieldError:
    """The value has the wrong type."""
    return FieldError("FieldValueTypeInvalid", path, value, detail)


def forbidden(path: str, detail: str) -> FieldError:
    """The value would be right elsewhere, but not here or not now."""
    return FieldError("FieldValueForbidden", path, "", detail)


def duplicate(path: str, value: Any) -> FieldError:
    """The value must be unique and is there twice."""
    return FieldError("FieldValueDuplicate", path, value)


def not_found(path: str, value: Any) -> FieldError:
    """The value refers to something that is not there."""
    return FieldError("FieldValueNotFound", path, value)


def not_supported(path: str, value: Any, supported: Iterable[str]) -> FieldError:
    """The value is none of an enumeration; `supported` in the order to print."""
    listed = ", ".join(go_quote(item) for item in supported)
    return FieldError("FieldValueNotSupported", path, value, f"supported values: {listed}" if listed else "")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def too_long(path: str, most: int) -> FieldError:
    """The value has more than `most` bytes."""
    return FieldError("FieldValueTooLong", path, "", f"may not be more than {_plural(most, 'byte')}")


def too_long_characters(path: str, most: int) -> FieldError:
    """The value has more than `most` characters."""
    return FieldError("FieldValueTooLong", path, "", f"may not be more than {_plural(most, 'character')}")


def too_short(path: str, least: int) -> FieldError:
    """The value has fewer than `least` characters."""
    return FieldError("FieldValueTooShort", path, "", f"must be at least {_plural(least, 'character')}")


def too_many(path: str, actual: int, most: int) -> FieldError:
    """The list has more than `most` items; a negative `actual` is not printed."""
    return FieldError("FieldValueTooMany", path, actual if actual >= 0 else OMIT, f"must have at most {_plural(most, 'item')}")


def too_few(path: str, actual: int, least: int) -> FieldError:
    """The list has fewer than `least` items."""
    return FieldError("FieldValueTooFew", path, actual, f"must have at least {_plural(least, 'item')}")


def internal(path: str, detail: str) -> FieldError:
    """Something went wrong that the user did not do."""
    return FieldError("InternalError", path, "", detail)


def unique(errors: Iterable[FieldError]) -> list[FieldError]:
    """The errors without repeated texts, in order (ErrorList.ToAggregate)."""
    kept: dict[str, FieldError] = {}
    for error in errors:
        kept.setdefault(error.text(), error)
    return list(kept.values())
