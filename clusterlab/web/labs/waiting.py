"""What may wait for a lab, and how much of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.web.labs.lab import Lab

__all__ = ["MAX_BATCH", "MAX_JOBS", "MAX_WAITING", "MAX_WAITING_BYTES", "Job", "weight_of"]

#: Commands and runs that may wait at the same time in one lab, and the bytes of the commands.
MAX_WAITING = 1000
MAX_WAITING_BYTES = 32 << 20
MAX_JOBS = 50
#: Commands stored together at most; those after them wait for the next turn.
MAX_BATCH = 200


def weight_of(data: dict[str, Any]) -> int:
    """About how many bytes a command takes in the log."""
    return 300 + len(data.get("body", "")) + len(data.get("body64", "")) + len(data.get("query", "")) + len(data.get("stdin", ""))


@dataclass
class Job:
    """Something to run towards. `reached(lab)` is asked after each thing done; `limit` bounds the steps."""

    reached: Callable[[Lab], bool]
    done: asyncio.Future[None]
    limit: int
    start_seq: int
