"""Times as Go reads and writes them: RFC 3339 to the second (metav1.Time) or the microsecond (metav1.MicroTime).

Follows staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/{time,micro_time}.go and Go's time.Parse, errors included.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

__all__ = ["TimeError", "parse_micro_time", "parse_time"]

_PARTS = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)")
_PLAIN = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")
_ELEMENTS = (
    ("2006", r"\d{4}"), ("-", "-"), ("01", r"\d\d"), ("-", "-"), ("02", r"\d\d"), ("T", "T"), ("15", r"\d\d"), (":", ":"),
    ("04", r"\d\d"), (":", ":"), ("05", r"\d\d"),
)


class TimeError(ValueError):
    """A string that is no time; the text is Go's own."""


def _failure(text: str, micro: bool) -> TimeError:
    layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    rest = text
    tail = ((".000000", r"\.\d{6}(?!\d)"),) if micro else (("", r"(?:[.,]\d+)?"),)
    for element, pattern in (*_ELEMENTS, *tail, ("Z07:00", r"Z|[+-]\d\d:\d\d")):
        match = re.match(pattern, rest)
        if match is None:
            return TimeError(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{element}"')
        rest = rest[match.end():]
    return TimeError(f'parsing time "{text}": extra text: "{rest}"')


def _utc(text: str, micro: bool) -> datetime:
    match = _PARTS.fullmatch(text)
    if match is None or (micro and len(match[7] or "") != 6):
        raise _failure(text, micro)
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    zone = match[8]
    for name, bad in (("month", not 1 <= month <= 12), ("hour", hour > 23), ("minute", minute > 59), ("second", second > 59)):
        if bad:
            raise TimeError(f'parsing time "{text}": {name} out of range')
    try:
        at = datetime(max(year, 1), month, day, hour, minute, second, int((match[7] or "0")[:6].ljust(6, "0")), UTC)
        if zone != "Z":
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            at = at - offset if zone[0] == "+" else at + offset
    except (ValueError, OverflowError):
        raise TimeError(f'parsing time "{text}": day out of range') from None
    return at


def parse_time(text: str) -> str:
    """A time as the API prints it, in UTC to the second; raises TimeError."""
    if _PLAIN.fullmatch(text):
        return text
    return _utc(text, False).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def parse_micro_time(text: str) -> str:
    """A time as the API prints it, in UTC to the microsecond; raises TimeError."""
    return _utc(text, True).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
