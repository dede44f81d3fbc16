"""Websockets of tests. They send no pings of their own: a server on a busy machine that answers one late is not cut off (1011)."""

from __future__ import annotations

from functools import partial

from websockets.asyncio import client

__all__ = ["connect"]

connect = partial(client.connect, ping_interval=None)
