"""date: the time of the model, or with -d another one, in a format of strftime."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.machine import Result, Run

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

_PLAIN, _MAIL, _ISO = "%a %b %e %H:%M:%S UTC %Y", "%a, %d %b %Y %H:%M:%S +0000", "%Y-%m-%dT%H:%M:%S+00:00"
_DAY = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})?[T ]?(?:(\d{1,2}:\d{2})(:\d{2})?(?:\.\d{1,9})?)? ?(?:Z|UTC|[+]00:?00)?")
_STEP = re.compile(r"([-+]?) ?(\d{1,6}) ?(second|sec|minute|min|hour|day|week)s?( ago)?")
_UNITS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3_600, "day": 86_400, "week": 604_800}


def _moment(text: str, now_s: int) -> datetime | None:
    """What -d names: @SECONDS, an ISO date and time, now, and steps from there ("+ 2 days", "1 hour ago")."""
    text, offset = text.strip()[:100], 0
    for word, shift in (("yesterday", -86_400), ("tomorrow", 86_400), ("today", 0), ("now", 0)):
        if word in text:
            text, offset = text.replace(word, "", 1), offset + shift
    for found in list(_STEP.finditer(text))[:10] if "@" not in text else ():
        if not (found[1] == "-" and text[max(0, found.start() - 1):found.start()].isdigit()):
            offset += _UNITS[found[3]] * int(found[2]) * (-1 if (found[1] == "-") != bool(found[4]) else 1)
            text = text.replace(found[0], "", 1)
    text = text.strip()
    since = re.fullmatch(r"@(-?\d{1,11})(?:\.\d+)?", text)
    start = datetime.fromtimestamp(0, UTC)
    try:
        if since is not None:
            return start + timedelta(seconds=int(since[1]) + offset)
        if not text:
            return start + timedelta(seconds=now_s + offset)
        known = _DAY.fullmatch(text)
        if known is None:
            return None
        day = known[1] or (start + timedelta(seconds=now_s)).strftime("%Y-%m-%d")
        year, month, date_ = (int(each) for each in day.split("-"))
        hour, minute = (int(each) for each in (known[2] or "0:0").split(":"))
        return datetime(year, month, date_, hour, minute, int((known[3] or ":0")[1:]), tzinfo=UTC) + timedelta(seconds=offset)
    except (ValueError, OverflowError):
        return None


def _shown(moment: datetime, form: str) -> str:
    form = form[:200].replace("%e", f"{moment.day:2}").replace("%N", "000000000").replace("%s", str(int(moment.timestamp())))
    return moment.strftime(form.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S"))


def date(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`date [-u] [-d TIME] [-R] [-I[seconds]] [+FORMAT]`"""
    words, form, given = list(argv[1:]), _PLAIN, None
    while words:
        word = words.pop(0)
        if word.startswith("+"):
            form = word[1:]
        elif word in {"-d", "--date", "-ud"}:
            given = words.pop(0) if words else ""
        elif word.startswith(("--date=", "-d")):
            given = word.removeprefix("--date=").removeprefix("-d")
        elif word in {"-R", "--rfc-email", "-uR"}:
            form = _MAIL
        elif word.startswith(("-I", "--iso-8601")):
            form = _ISO if word.endswith(("s", "seconds")) and word != "-I" else "%Y-%m-%d"
    if given is None:
        return Result(0, box.date(form, run.time_ms) + "\n")
    moment = _moment(given, int(box.date("%s", run.time_ms)))
    return Result(1, "", f"date: invalid date '{given}'\n") if moment is None else Result(0, _shown(moment, form) + "\n")


TOOLS: dict[str, Tool] = {"date": date}
