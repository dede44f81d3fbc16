"""How often one client address may do what is only fine now and then: ask for labs that do not exist, or make new ones.

Counted in memory, for a minute. With several processes what each counts is shared a second later (scale/counting.py).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from django.conf import settings

__all__ = ["Held", "Throttle", "address_of", "hold", "is_loopback", "misses", "new_labs", "sockets", "throttles", "wrong_codes"]

#: Addresses remembered in one minute; beyond that all are forgotten, which costs less than to be filled up.
MAX_ADDRESSES = 20_000
#: All that count in this process.
throttles: list[Throttle] = []


class Throttle:
    """Counts by address within the last minute. `setting` names the number that is still fine.

    Counted is by the clock's minutes, which are the same in all processes. Of the minute before, that part still counts which lies
    within the last sixty seconds, as if it had been spread evenly: no limit is twice as high where a minute turns.
    """

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}  # in the minute before
        self._fresh: dict[str, int] = {}  # not shared yet
        self._minute = 0
        throttles.append(self)

    def count(self, address: str) -> None:
        self._turn()
        who = _known_as(address)
        self._counts[who] = self._counts.get(who, 0) + 1
        if settings.SCALED:
            self._fresh[who] = self._fresh.get(who, 0) + 1

    def exhausted(self, address: str) -> bool:
        """Whether the address has done it as often as it may in a minute."""
        self._turn()
        who = _known_as(address)
        still = math.ceil(self._before.get(who, 0) * (1 - time.time() % 60 / 60))
        return self._counts.get(who, 0) + still >= settings.CLUSTERLAB[self.setting]

    def take(self) -> tuple[int, dict[str, int]] | None:
        """(the minute, what was counted here and not shared yet)."""
        self._turn()
        fresh, self._fresh = self._fresh, {}
        return (self._minute, fresh) if fresh else None

    def learn(self, minute: int, totals: dict[str, int]) -> None:
        """Takes over what all processes have counted together in a minute."""
        self._turn()
        if minute == self._minute:
            for who, total in totals.items():
                self._counts[who] = max(self._counts.get(who, 0), total + self._fresh.get(who, 0))

    def _turn(self) -> None:
        minute = int(time.time() // 60)  # the same in all processes
        if minute != self._minute:
            self._before = self._counts if minute == self._minute + 1 else {}
            self._minute, self._counts, self._fresh = minute, {}, {}
        elif len(self._counts) > MAX_ADDRESSES:
            self._counts, self._fresh = {}, {}


class Held:
    """How many of something each address holds at the same time, in this process. `setting` names the number that it may."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self.counts: dict[str, int] = {}

    @contextmanager
    def one(self, address: str) -> Iterator[bool]:
        """Holds one more for as long as the block goes on; says whether that is still fine."""
        hold(self.counts, address, 1)
        try:
            yield is_loopback(address) or self.counts[address] <= settings.CLUSTERLAB[self.setting]
        finally:
            hold(self.counts, address, -1)


def hold(counts: dict[str, int], address: str, number: int) -> None:
    """Adds to what an address holds; who holds nothing is forgotten."""
    counts[address] = counts.get(address, 0) + number
    if not counts[address]:
        del counts[address]


def _known_as(address: str) -> str:
    """What an address is counted as: of fixed length, and not to be read off where counts are shared."""
    return hashlib.blake2b(address.encode(), digest_size=12, key=settings.SECRET_KEY.encode()[:64]).hexdigest()


def address_of(scope: Mapping[str, Any]) -> str:
    """The client's address; behind a proxy (CLUSTERLAB_HTTPS=1) the one that the proxy has seen."""
    if settings.HTTPS and "tls" not in (scope.get("extensions") or {}):  # to the listener of our own nobody comes through the proxy
        for name, value in reversed(scope["headers"]):  # a proxy that adds a line of its own leaves the client's before it
            if name == b"x-forwarded-for":
                return str(value.decode("latin-1").rsplit(",", 1)[-1].strip()[:64])
    client = scope.get("client")
    return str(client[0]) if client else ""


def is_loopback(address: str) -> bool:
    """Whether it is somebody on this very machine, who is not throttled when making labs."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


#: Addresses and keys of labs that do not exist, and keys that do not fit.
misses = Throttle("MISSES_PER_MINUTE")
#: Join codes that open no class.
wrong_codes = Throttle("CODES_PER_MINUTE")
new_labs = Throttle("LABS_PER_MINUTE")
#: Websockets, so that one client cannot take all that a server has.
sockets = Held("MAX_SOCKETS_PER_ADDRESS")
