"""Waiting for something that comes about by itself: never for ever, and with a sentence about what did not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

__all__ = ["LONG_S", "eventually", "until"]

#: Longer than anything takes on a busy machine, and shorter than anyone's patience.
LONG_S = 120.0


def until(holds: Callable[[], Any], what: str, within_s: float = LONG_S, every_s: float = 0.05) -> Any:
    """Asks again and again until something holds; what it found. Raises AssertionError."""
    end = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < end, f"waited {within_s:.0f} s in vain: {what}"
        time.sleep(every_s)
    return found


async def eventually(holds: Callable[[], Any], what: str, within_s: float = LONG_S, every_s: float = 0.1) -> Any:
    """`until`, asked in a thread, so that an event loop goes on meanwhile."""
    end = time.monotonic() + within_s
    while not (found := await asyncio.to_thread(holds)):
        assert time.monotonic() < end, f"waited {within_s:.0f} s in vain: {what}"
        await asyncio.sleep(every_s)
    return found
