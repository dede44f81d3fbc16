"""Cron schedules as CronJobs write them: five fields, names, steps, `?`, descriptors, time zones.

Follows github.com/robfig/cron/v3 (parser.go, spec.go, constantdelay.go), which Kubernetes uses; errors are worded as there, so that
validation can show them. Sunday is 0 only; day of month and day of week must both match if either begins with a star, else one is enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["CronError", "Every", "Schedule", "parse", "time_zone"]

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
#: (least, most, names) of minute, hour, day of month, month, day of week.
FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = ((0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, MONTHS), (0, 6, DAYS))
DESCRIPTORS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}
YEARS_AHEAD = 5


class CronError(ValueError):
    """A schedule that cannot be understood; the text is robfig/cron's."""


@lru_cache(maxsize=256)
def time_zone(name: str) -> tzinfo:
    """A time zone by name; raises CronError."""
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CronError(f"unknown time zone {name}") from None


@dataclass(frozen=True)
class Every:
    """A fixed delay (`@every 1h30m`)."""

    delay_s: int

    def next(self, after: datetime) -> datetime:
        """The first time after `after`."""
        return after.replace(microsecond=0) + timedelta(seconds=self.delay_s)


@dataclass(frozen=True)
class Schedule:
    """Times that match fields, in a time zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool  # day of month or day of week begins with a star: both must match
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        """The first matching time after `after`, None when there is none within five years."""
        when = (after.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)).astimezone(self.zone)
        if when.second:
            when = self._plus(when.replace(second=0), timedelta(minutes=1))
        last_year = when.year + YEARS_AHEAD
        while when.year <= last_year:
            if when.month not in self.months:
                month = when.month % 12 + 1
                when = self._at(when.year + (month == 1), month, 1)
            elif not self._day_matches(when):
                when = self._next_day(when)
            elif when.hour not in self.hours:
                when = self._plus(when.replace(minute=0), timedelta(hours=1))
            elif when.minute not in self.minutes:
                when = self._plus(when, timedelta(minutes=1))
            else:
                return when.astimezone(UTC)
        return None

    def _plus(self, when: datetime, delta: timedelta) -> datetime:
        return (when.astimezone(UTC) + delta).astimezone(self.zone)

    def _at(self, year: int, month: int, day: int) -> datetime:
        """Midnight of a day, or the first time after it where clocks skip midnight."""
        return datetime(year, month, day, tzinfo=self.zone).astimezone(UTC).astimezone(self.zone)

    def _next_day(self, when: datetime) -> datetime:
        day = (datetime(when.year, when.month, when.day) + timedelta(days=1)).date()
        return self._at(day.year, day.month, day.day)

    def _day_matches(self, when: datetime) -> bool:
        by_month, by_week = when.day in self.days, when.isoweekday() % 7 in self.weekdays
        return (by_month and by_week) if self.any_day else (by_month or by_week)


def _number(text: str, names: dict[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise CronError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)


def _range(expression: str, least: int, most: int, names: dict[str, int]) -> tuple[set[int], bool]:
    """(the numbers that a range means, whether it is a star that restricts nothing)."""
    bounds, *steps = expression.split("/")
    low, *high = bounds.split("-")
    star = low in ("*", "?")
    if star:
        start, end = least, most
    else:
        start = _number(low, names)
        if len(high) > 1:
            raise CronError(f"too many hyphens: {expression}")
        end = _number(high[0], names) if high else start
    step = 1
    if len(steps) > 1:
        raise CronError(f"too many slashes: {expression}")
    if steps:
        step = _number(steps[0], {})
        end = most if not high else end
        star = star and step <= 1
    if start < least:
        raise CronError(f"beginning of range ({start}) below minimum ({least}): {expression}")
    if end > most:
        raise CronError(f"end of range ({end}) above maximum ({most}): {expression}")
    if start > end:
        raise CronError(f"beginning of range ({start}) beyond end of range ({end}): {expression}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {expression}")
    return set(range(start, end + 1, step)), star


def _field(text: str, least: int, most: int, names: dict[str, int]) -> tuple[frozenset[int], bool]:
    numbers: set[int] = set()
    star = False
    for expression in filter(None, text.split(",")):
        found, starred = _range(expression, least, most, names)
        numbers |= found
        star = star or starred
    return frozenset(numbers), star


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")


def _every(text: str) -> Every:
    if not _DURATION.fullmatch(text):
        raise CronError(f'failed to parse duration @every {text}: time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return Every(max(1, int(-seconds if text.startswith("-") else seconds)))


@lru_cache(maxsize=1024)
def parse(text: str, zone: str = "") -> Schedule | Every:
    """The schedule that a string means, in a time zone (UTC unless named here or by a TZ= in front); raises CronError."""
    if not text:
        raise CronError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        head, _, text = text.partition(" ")
        zone = head.partition("=")[2]
        try:
            time_zone(zone)
        except CronError as error:
            raise CronError(f"provided bad location {zone}: {error}") from None
        text = text.strip()
    if text.startswith("@"):
        if text.startswith("@every "):
            return _every(text.removeprefix("@every "))
        if text not in DESCRIPTORS:
            raise CronError(f"unrecognized descriptor: {text}")
        text = DESCRIPTORS[text]
    fields = text.split()
    if len(fields) != 5:
        raise CronError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    (minutes, _), (hours, _), (days, star_day), (months, _), (weekdays, star_week) = (
        _field(field, *bounds) for field, bounds in zip(fields, FIELDS, strict=True)
    )
    return Schedule(minutes, hours, days, months, weekdays, star_day or star_week, time_zone(zone))
