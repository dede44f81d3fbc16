"""Regular expressions from users, by RE2, which never backtracks: time grows with pattern and text alone; without references."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]  # comes with cel-python

__all__ = ["safe"]

LONGEST, MEMORY = 300, 1 << 20


@lru_cache(maxsize=256)
def safe(pattern: str, ignore_case: bool = False) -> Any:
    """A compiled pattern, to be used as those of `re`; raises ValueError where it is wrong, long, or repeats more than fits into memory."""
    if len(pattern) > LONGEST:
        raise ValueError("pattern too long")
    options = re2.Options()
    options.log_errors, options.case_sensitive, options.max_mem = False, not ignore_case, MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        raise ValueError("bad pattern") from None
