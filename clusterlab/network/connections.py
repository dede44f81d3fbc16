"""Connections that clients keep open: a Service chooses a pod when a connection is opened, and all its requests go there until it ends.

This is why old pods still get traffic after a Service's selector has moved (conntrack, HTTP keep-alive), and why sessions stick.
"""

from __future__ import annotations

from typing import NamedTuple

from clusterlab.network.series import Group
from clusterlab.network.trip import Backend

__all__ = ["Open", "Pin", "age", "joined", "pin_of"]


class Pin(NamedTuple):
    """So many connections of a source to one container, opened at one time. `at`: node, pod's uid, port, address."""

    at: tuple[str, str, int, str]
    container_id: str
    service: str
    group: Group
    size: int


class Open(NamedTuple):
    """The open connections of a source, the oldest first. `rest`: thousandths of a connection whose end is still owed."""

    pins: tuple[Pin, ...] = ()
    rest: int = 0


def age(held: Open, wanted: int, keep_alive_ms: int, tick_ms: int) -> Open:
    """What is left after one more tick: of `wanted` connections each lives `keep_alive_ms`, so some end all the time."""
    there = sum(pin.size for pin in held.pins)
    over = max(0, there - wanted)  # the source wants fewer now
    owed = held.rest + there * tick_ms * 1000 // max(tick_ms, keep_alive_ms)
    ending, rest = min(there, owed // 1000 + over), owed % 1000
    pins = []
    for pin in held.pins:
        gone = min(pin.size, ending)  # the oldest end first
        ending -= gone
        if pin.size > gone:
            pins.append(pin._replace(size=pin.size - gone))
    return Open(tuple(pins), rest)


def pin_of(backend: Backend, count: int) -> Pin:
    """New connections to a backend."""
    return Pin(backend.at, backend.container_id, backend.group.service, backend.group, count)


def joined(pins: list[tuple[Pin, Backend]]) -> list[tuple[Pin, Backend]]:
    """Connections to the same container as one, for sharing requests out."""
    found: dict[str, tuple[Pin, Backend]] = {}
    for pin, backend in pins:
        known = found.get(pin.container_id)
        found[pin.container_id] = (pin if known is None else known[0]._replace(size=known[0].size + pin.size), backend)
    return list(found.values())
