"""What throttles count, shared by all processes of a deployment through Redis: what one has counted, the others know a second later.

Each process goes on with its own counts while Redis is away.
"""

from __future__ import annotations

import asyncio
import logging

from redis.exceptions import RedisError

from clusterlab.web.scale import streams
from clusterlab.web.throttle import Throttle, throttles

__all__ = ["share", "share_once"]

_log = logging.getLogger(__name__)

SHARE_S, KEEP_S = 1.0, 150


async def share() -> None:
    """Shares, again and again, for as long as the process lives."""
    while True:
        await asyncio.sleep(SHARE_S)
        try:
            await share_once()
        except (RedisError, OSError) as error:
            _log.warning("counts could not be shared: %s", error)


async def share_once() -> None:
    """Adds what was counted here since the last time, and learns what all have counted."""
    for throttle in throttles:
        if fresh := throttle.take():
            await _share(throttle, *fresh)


async def _share(throttle: Throttle, minute: int, fresh: dict[str, int]) -> None:
    key = f"clusterlab:counts:{throttle.setting}:{minute}"
    async with streams.client().pipeline(transaction=False) as pipe:
        for who, count in fresh.items():
            pipe.hincrby(key, who, count)
        pipe.expire(key, KEEP_S)
        totals = await pipe.execute()
    throttle.learn(minute, dict(zip(fresh, totals, strict=False)))
