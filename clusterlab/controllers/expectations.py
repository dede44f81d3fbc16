"""Expectations: what a controller has asked for and its cache has not shown yet.

Follows pkg/controller/controller_utils.go (ControllerExpectations, UIDTrackingControllerExpectations): a controller that created
three pods must not look at a cache without them and create three more. An expectation expires after five minutes.
"""

from __future__ import annotations

from clusterlab.sim import Component

__all__ = ["Expectations"]

TIMEOUT_MS = 5 * 60_000


class Expectations:
    """Creations and deletions that the cache has yet to show, for each key of a controller."""

    def __init__(self, owner: Component) -> None:
        self._owner = owner
        self.counts: dict[str, tuple[int, int, int]] = {}  # key -> (creations, deletions, since)
        self.deletions: dict[str, str] = {}  # pod key -> key that expects its deletion

    def expect_creations(self, key: str, count: int) -> None:
        """From now on `count` objects are to be seen created."""
        self.expect(key, count, [])

    def expect_deletions(self, key: str, pods: list[str]) -> None:
        """From now on these objects are to be seen deleted."""
        self.expect(key, 0, pods)

    def expect(self, key: str, creations: int, pods: list[str]) -> None:
        """From now on so many creations and these deletions are to be seen."""
        self.counts[key] = (creations, len(pods), self._owner.sim.time_ms)
        for pod in pods:
            self.deletions[pod] = key

    def created(self, key: str, count: int = 1) -> None:
        """Objects were seen, or will never be."""
        adds, deletes, since = self.counts.get(key, (0, 0, 0))
        if adds > 0:
            self.counts[key] = (adds - count, deletes, since)

    def deleted(self, key: str, pod: str) -> None:
        """An object's deletion was seen, or will never be."""
        if self.deletions.get(pod) == key:
            del self.deletions[pod]
            adds, deletes, since = self.counts.get(key, (0, 0, 0))
            self.counts[key] = (adds, deletes - 1, since)

    def wait_ms(self, key: str) -> int:
        """How long to wait at most for what is expected; 0 when the cache shows it all."""
        adds, deletes, since = self.counts.get(key, (0, 0, 0))
        if adds <= 0 and deletes <= 0:
            return 0
        return max(0, since + TIMEOUT_MS - self._owner.sim.time_ms)

    def forget(self, key: str) -> None:
        """Drops what was expected for a key that is gone."""
        _, deletes, _ = self.counts.pop(key, (0, 0, 0))
        if deletes > 0:
            self.deletions = {pod: owner for pod, owner in self.deletions.items() if owner != key}

    def checkpoint(self) -> tuple[dict[str, tuple[int, int, int]], dict[str, str]]:
        return dict(self.counts), dict(self.deletions)

    def restore(self, data: tuple[dict[str, tuple[int, int, int]], dict[str, str]]) -> None:
        self.counts, self.deletions = dict(data[0]), dict(data[1])
