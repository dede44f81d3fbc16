"""Eviction thresholds: which signal has fallen below what, since when, and whether that is long enough.

Follows pkg/kubelet/eviction/helpers.go (ParseThresholdConfig, thresholdsMet, thresholdsFirstObservedAt, thresholdsMetGracePeriod,
nodeConditions) and defaults_linux.go. Everything here is data in, data out. Images, containers and volumes share one disk, so that
signals of containerfs are those of nodefs and are not told apart.
"""

from __future__ import annotations

from struct import pack, unpack
from typing import Any, NamedTuple

from clusterlab.runtime.amounts import units
from clusterlab.runtime.disk import quantity

__all__ = [
    "DEFAULT_HARD", "SIGNALS", "Observation", "Threshold", "conditions_of", "enough", "first_seen", "in_order", "info", "met", "parse",
    "quantity_of", "still_pressed",
]

MEMORY, DISK, INODES, PIDS = "memory", "ephemeral-storage", "inodes", "pids"
#: Signal -> (condition of the node, resource to reclaim).
SIGNALS = {
    "memory.available": ("MemoryPressure", MEMORY), "nodefs.available": ("DiskPressure", DISK),
    "nodefs.inodesFree": ("DiskPressure", INODES), "imagefs.available": ("DiskPressure", DISK),
    "imagefs.inodesFree": ("DiskPressure", INODES), "pid.available": ("PIDPressure", PIDS),
}
DEFAULT_HARD = {
    "memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%", "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}


Amount = tuple[int, float]


class Observation(NamedTuple):
    """What a signal shows now."""

    available: int
    capacity: int


class Threshold(NamedTuple):
    """Below what a signal is too low. Amounts are (units, share of the capacity), one of which counts; `grace_ms` 0 is a hard one."""

    signal: str
    amount: Amount
    grace_ms: int = 0
    reclaim: Amount = (0, 0.0)

    @property
    def condition(self) -> str:
        return SIGNALS[self.signal][0]

    @property
    def resource(self) -> str:
        return SIGNALS[self.signal][1]


def _single(value: float) -> float:
    """A number as a float32, which is how a kubelet keeps percentages: 15% of 100Gi are 16106128000 bytes there."""
    return float(unpack("f", pack("f", value))[0])


def amount(text: str) -> Amount:
    """A quantity or a percentage; raises ValueError with what would be right."""
    if text.endswith("%"):
        try:
            share = float(text[:-1])
        except ValueError:
            raise ValueError(f"{text!r} is no percentage") from None
        if not 0 <= share <= 100:
            raise ValueError(f"{text} must be between 0% and 100%")
        return 0, _single(_single(share) / 100)
    found = units(text)
    if found <= 0:
        raise ValueError(f"{text} must be positive")
    return found, 0.0


def parse(hard: dict[str, str], soft: dict[str, str], grace_ms: dict[str, int], reclaim: dict[str, str]) -> tuple[Threshold, ...]:
    """All thresholds of a kubelet, hard ones first, in the order of SIGNALS. 0% and 100% switch a signal off. Raises ValueError."""
    for group in (hard, soft, grace_ms, reclaim):
        for signal in group:
            if signal not in SIGNALS:
                raise ValueError(f"unsupported eviction signal {signal}; known are {', '.join(SIGNALS)}")
    found = []
    for group, is_soft in ((hard, False), (soft, True)):
        for signal in SIGNALS:
            text = group.get(signal)
            if text is None or text in {"0%", "100%"}:
                continue
            if is_soft and signal not in grace_ms:
                raise ValueError(f"grace period must be specified for the soft eviction threshold {signal}")
            least = amount(reclaim[signal]) if signal in reclaim and reclaim[signal] not in {"0", "0%"} else (0, 0.0)
            found.append(Threshold(signal, amount(text), grace_ms[signal] if is_soft else 0, least))
    return tuple(found)


def quantity_of(given: Amount, capacity: int) -> int:
    """An amount in units of a capacity."""
    return given[0] if given[0] else int(capacity * given[1])


def met(thresholds: Any, seen: dict[str, Observation], with_reclaim: bool = False) -> tuple[Threshold, ...]:
    """Those that are met; `with_reclaim`: those that still are, counting what has to be reclaimed at least."""
    found = []
    for each in thresholds:
        shows = seen.get(each.signal)
        if shows is None:
            continue
        least = quantity_of(each.amount, shows.capacity) + (quantity_of(each.reclaim, shows.capacity) if with_reclaim else 0)
        if shows.available < least:
            found.append(each)
    return tuple(found)


def first_seen(now_met: tuple[Threshold, ...], before: dict[Threshold, int], now_ms: int) -> dict[Threshold, int]:
    """Since when each threshold has been met."""
    return {each: before.get(each, now_ms) for each in now_met}


def enough(since: dict[Threshold, int], now_ms: int) -> tuple[Threshold, ...]:
    """Those that have been met for as long as their grace period."""
    return tuple(each for each, at in since.items() if now_ms - at >= each.grace_ms)


def conditions_of(thresholds: Any) -> tuple[str, ...]:
    """The node's conditions that thresholds stand for, each once."""
    return tuple(dict.fromkeys(each.condition for each in thresholds))


def still_pressed(observed_ms: dict[str, int], period_ms: int, now_ms: int) -> tuple[str, ...]:
    """The conditions that were seen within the transition period."""
    return tuple(sorted(kind for kind, at in observed_ms.items() if now_ms - at < period_ms))


def in_order(thresholds: tuple[Threshold, ...]) -> tuple[Threshold, ...]:
    """Memory first, then as they are."""
    return tuple(sorted(thresholds, key=lambda each: each.signal != "memory.available"))


def info(resource: str, thresholds: tuple[Threshold, ...], seen: dict[str, Observation]) -> tuple[str, str] | None:
    """(threshold, available) of the first threshold about a resource, as printed: a share of a count by powers of 1024."""
    for each in thresholds:
        if each.resource == resource and each.signal in seen:
            shows = seen[each.signal]
            least = quantity_of(each.amount, shows.capacity)
            return quantity(least, resource if each.amount[0] else MEMORY), quantity(shows.available, resource)
    return None
