"""What became of requests over time: a window for each second, by source and by the group of pods that was asked.

Recent windows are kept one by one; older ones are merged, twelve into one, so that hours fit in a bounded memory. Everything is whole
numbers and plain tuples: a checkpoint copies two deques.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["BUCKETS_US", "WINDOW_S", "Counts", "Group", "Key", "Series", "Window", "add", "group_of", "quantile_us", "slot_of"]

#: Upper ends of the latency classes, in microseconds.
BUCKETS_US = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000)
#: The length of a recent window.
WINDOW_S = 1
#: How many recent windows are kept (ten minutes), how many are merged into an old one, and how many old ones are kept (four hours).
RECENT, MERGED, OLD = 600, 12, 1_200
#: Different keys that a window tells apart; the rest is counted under the last one.
KEYS_MOST = 200


class Group(NamedTuple):
    """Pods that count as one: those of a version behind a service. All empty where a request met no pod."""

    namespace: str = ""
    service: str = ""  # "" for requests straight to a pod
    version: str = ""  # label version, or the tag of the first container's image
    track: str = ""  # label track
    hash: str = ""  # label rollouts-pod-template-hash or pod-template-hash
    workload: str = ""  # the Deployment, Rollout or StatefulSet that the pods belong to
    ingress: str = ""  # the Ingress that led there
    canary: str = ""  # NAMESPACE-SERVICE-PORT of the canary that an Ingress led to


def group_of(pod: dict[str, Any], service: str) -> Group:
    """The group of a pod that answers for a service."""
    labels = pod["metadata"].get("labels") or {}
    image = str(pod["spec"]["containers"][0].get("image", ""))
    tag = image.rsplit("/", 1)[-1].split("@", maxsplit=1)[0].partition(":")[2] or "latest"
    made_by = labels.get("rollouts-pod-template-hash") or labels.get("pod-template-hash") or ""
    owner = next((each["name"] for each in pod["metadata"].get("ownerReferences") or () if each.get("controller")), "")
    return Group(
        pod["metadata"]["namespace"], service, labels.get("version") or tag, labels.get("track", ""), made_by,
        owner.removesuffix(f"-{made_by}") if made_by else owner)


class Key(NamedTuple):
    """Whose requests, who was asked, whether they were copies whose answers nobody waits for, and whether a header, cookie or parameter
    of theirs led them there, so that no weight was asked."""

    source: str
    group: Group
    mirrored: bool = False
    led: bool = False


class Counts(NamedTuple):
    """Requests of one key in one window. `latency` counts the answered ones (errors as well) by class of `BUCKETS_US`."""

    sent: int = 0
    answered: int = 0
    errors: int = 0  # answered with a status of 500 or more
    refused: int = 0
    timeouts: int = 0
    unresolved: int = 0
    latency_us: int = 0  # the sum
    latency: tuple[int, ...] = (0,) * (len(BUCKETS_US) + 1)

    @property
    def failed(self) -> int:
        return self.errors + self.refused + self.timeouts + self.unresolved


class Window(NamedTuple):
    """A stretch of time that ends at `time_ms`, and what happened in it."""

    time_ms: int
    span_s: int
    counts: tuple[tuple[Key, Counts], ...]


def add(one: Counts, other: Counts) -> Counts:
    """The sum of two counts."""
    return Counts(
        one.sent + other.sent, one.answered + other.answered, one.errors + other.errors, one.refused + other.refused,
        one.timeouts + other.timeouts, one.unresolved + other.unresolved, one.latency_us + other.latency_us,
        tuple(a + b for a, b in zip(one.latency, other.latency, strict=True)))


def slot_of(latency_us: int) -> int:
    """The class of a latency."""
    return next((number for number, end in enumerate(BUCKETS_US) if latency_us <= end), len(BUCKETS_US))


def quantile_us(latency: Iterable[int], share: float) -> float | None:
    """The latency below which a share of the answers stayed, as Prometheus' histogram_quantile works it out: even within a class,
    and never above the last class's lower end. None without answers."""
    parts = tuple(latency)
    total = sum(parts)
    if not total:
        return None
    rank, seen = share * total, 0
    for number, count in enumerate(parts):
        if count and seen + count >= rank:
            if number == len(BUCKETS_US):
                break
            low = BUCKETS_US[number - 1] if number else 0
            return low + (BUCKETS_US[number] - low) * max(0.0, rank - seen) / count
        seen += count
    return float(BUCKETS_US[-1])


class Series:
    """The windows so far, oldest first. Not a component: the component that counts keeps it in its state."""

    def __init__(self, recent: Iterable[Window] = (), old: Iterable[Window] = ()) -> None:
        self.recent: deque[Window] = deque(recent)
        self.old: deque[Window] = deque(old)

    def copy(self) -> Series:
        return Series(self.recent, self.old)

    def put(self, time_ms: int, counts: dict[Key, Counts]) -> None:
        """The counts of the window that ends now."""
        self.recent.append(Window(time_ms, WINDOW_S, tuple(counts.items())))
        if len(self.recent) >= RECENT + MERGED:
            self.old.append(_merged([self.recent.popleft() for _ in range(MERGED)]))
            if len(self.old) > OLD:
                self.old.popleft()

    def windows(self, since_ms: int = -1, until_ms: int | None = None) -> list[Window]:
        """All windows that end after `since_ms` and no later than `until_ms`, oldest first."""
        return [each for part in (self.old, self.recent) for each in part
                if each.time_ms > since_ms and (until_ms is None or each.time_ms <= until_ms)]

    def newest(self, time_ms: int) -> list[Window]:
        """The recent windows that end after a time, oldest first; cheaper than `windows`."""
        found: list[Window] = []
        for each in reversed(self.recent):
            if each.time_ms <= time_ms:
                break
            found.append(each)
        return found[::-1]


def _merged(windows: list[Window]) -> Window:
    sums: dict[Key, Counts] = {}
    for window in windows:
        for key, counts in window.counts:
            known = sums.get(key)
            sums[key] = counts if known is None else add(known, counts)
    return Window(windows[-1].time_ms, sum(window.span_s for window in windows), tuple(sums.items()))
