"""How often one client address may do what is only fine now and then: ask for labs that do not exist, or make new ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from django.conf import settings

__all__ = ["Throttle", "address_of", "is_loopback", "misses", "new_labs", "wrong_codes"]

#: Addresses remembered in one minute; beyond that all are forgotten, which costs less than to be filled up.
MAX_ADDRESSES = 20_000


class Throttle:
    """Counts by address within the present minute. `setting` names the number that is still fine."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._counts: dict[str, int] = {}
        self._minute = 0

    def count(self, address: str) -> None:
        self._turn()
        self._counts[address] = self._counts.get(address, 0) + 1

    def exhausted(self, address: str) -> bool:
        """Whether the address has done it as often as it may in this minute."""
        self._turn()
        return self._counts.get(address, 0) >= settings.CLUSTERLAB[self._setting]

    def _turn(self) -> None:
        minute = int(time.monotonic() // 60)
        if minute != self._minute or len(self._counts) > MAX_ADDRESSES:
            self._minute = minute
            self._counts.clear()


def address_of(scope: Mapping[str, Any]) -> str:
    """The client's address; behind a proxy (CLUSTERLAB_HTTPS=1) the one that the proxy has seen."""
    if settings.HTTPS:
        for name, value in scope["headers"]:
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
