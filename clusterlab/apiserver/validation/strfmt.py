"""String formats of schemas. Follows k8s.io/kube-openapi/pkg/validation/strfmt and apiextensions-apiserver/pkg/apiserver/validation.

Formats that a schema's type does not know are ignored, as a server strips them before it validates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from email.utils import parseaddr
from urllib.parse import urlsplit

import re2  # type: ignore[import-untyped]  # comes with cel-python

from clusterlab.apiserver.validation.formats import dns1123_label, dns1123_subdomain, parse_cidr, parse_ip

__all__ = ["applies", "matches"]

_UUID = "[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{}-?{}-?[0-9a-f]{{12}}"
_ANY, _VARIANT = "[0-9a-f]{4}", "[89ab][0-9a-f]{3}"
_LABEL = r"[^\W_](?:-?[^\W_]{0,62})?"
_time = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))").fullmatch
_durations = re2.compile(r"(\d+)\s*([A-Za-zµ]+)").finditer
_go_duration = re2.compile(r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)").fullmatch
_UNITS = frozenset(["ns", "us", "µs", "μs", "ms", "s", "m", "h", "d", "w"]) | frozenset(
    f"{name}{plural}" for name in ("nano", "nanosecond", "micro", "microsecond", "milli", "millisecond", "sec", "second", "min",
                                   "minute", "hr", "hour", "day", "week") for plural in ("", "s")
)


def _date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _date_time(text: str) -> bool:
    day, mark, rest = text.lower().partition("t")
    found = _time(rest) if mark and _date(day) else None
    return found is not None and found[1] <= "23" and found[2] <= "59" and found[3] <= "59"


def _duration(text: str) -> bool:
    if _go_duration(text):
        return True
    return any(found[2].lower() in _UNITS for found in _durations(text))


def _hostname(text: str) -> bool:
    parts = text.split(".")
    return len(text) <= 255 and all(0 < len(part) <= 63 for part in parts) and bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", text))


def _uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return text.startswith("/") or ((bool(parts.scheme) and bool(parts.netloc or parts.path)) and " " not in text)


def _email(text: str) -> bool:
    address = parseaddr(text)[1]
    return 0 < address.find("@") < len(address) - 1


def _regex(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda text: compiled.fullmatch(text) is not None


_FORMATS: dict[str, Callable[[str], bool]] = {
    "byte": _regex("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"),
    "cidr": lambda text: parse_cidr(text) is not None,
    "date": _date,
    "datetime": _date_time,
    "duration": _duration,
    "email": _email,
    "hexcolor": _regex("#?([0-9a-f]{3}|[0-9a-f]{6})"),
    "hostname": _hostname,
    "ipv4": lambda text: "." in text and parse_ip(text) is not None,
    "ipv6": lambda text: ":" in text and parse_ip(text) is not None,
    "k8slongname": lambda text: not dns1123_subdomain(text),
    "k8sshortname": lambda text: not dns1123_label(text),
    "mac": _regex("([0-9a-f]{2}[:-]){5}([0-9a-f]{2}[:-]){0,2}[0-9a-f]{2}|([0-9a-f]{4}\\.){2,3}[0-9a-f]{4}"),
    "uri": _uri,
    "uuid": _regex(_UUID.format(_ANY, _ANY)),
    "uuid3": _regex(_UUID.format("3[0-9a-f]{3}", _ANY)),
    "uuid4": _regex(_UUID.format("4[0-9a-f]{3}", _VARIANT)),
    "uuid5": _regex(_UUID.format("5[0-9a-f]{3}", _VARIANT)),
}
_UNCHECKED = frozenset(("bsonobjectid", "creditcard", "isbn", "isbn10", "isbn13", "password", "rgbcolor", "ssn"))


def applies(format_name: str, types: tuple[str, ...]) -> bool:
    """Whether a server honours this format in a schema of these types."""
    if not format_name or len(types) > 1:
        return bool(format_name) and len(types) == 0
    if not types or types[0] == "string":
        name = format_name.replace("-", "")
        return name in _FORMATS or name in _UNCHECKED
    if types[0] == "integer":
        return format_name in ("int32", "int64")
    return types[0] == "number" and format_name in ("float", "double")


def matches(format_name: str, text: str) -> bool:
    """Whether the text is of that format; any text is of a format that is not known."""
    check = _FORMATS.get(format_name.replace("-", ""))
    return check is None or check(text)
