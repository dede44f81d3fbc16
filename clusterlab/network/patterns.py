"""Regular expressions from users, kept to those that cannot run for ever."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["safe"]

LONGEST = 300
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{\d*,\d*\})")


@lru_cache(maxsize=256)
def safe(pattern: str, ignore_case: bool = False) -> re.Pattern[str]:
    """A compiled pattern; raises ValueError where it is wrong, long, or repeats a group that repeats or offers a choice itself."""
    if len(pattern) > LONGEST:
        raise ValueError("pattern too long")
    if _REPEATED_GROUP.search(pattern) and _nested(pattern):
        raise ValueError("pattern nests repetitions")
    if sum(pattern.count(each) for each in ("*", "+", "{")) > 8:
        raise ValueError("pattern repeats too much")
    try:
        return re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, RecursionError, OverflowError):
        raise ValueError("bad pattern") from None


def _nested(pattern: str) -> bool:
    """Whether a group that is repeated holds a repetition or a choice."""
    stack: list[int] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif char == "(":
            stack.append(at)
        elif char == ")" and stack:
            start = stack.pop()
            after = pattern[at + 1:at + 2]
            inner = pattern[start:at]
            if after and after in "*+{" and any(each in inner for each in "*+{|"):
                return True
        at += 1
    return False
