"""PrioritySort: which pod is tried first. Follows pkg/scheduler/framework/plugins/queuesort."""

from __future__ import annotations

from clusterlab.scheduler.framework import Plugin

__all__ = ["PrioritySort"]


class PrioritySort(Plugin):
    """The higher priority first, then the one that was queued earlier."""

    name = "PrioritySort"

    def order(self, priority: int, queued_ms: int) -> tuple[int, int]:
        """Sorts what is to be tried first first."""
        return -priority, queued_ms
