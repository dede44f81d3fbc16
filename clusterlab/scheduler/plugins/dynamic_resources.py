"""DynamicResources: resource claims. Follows pkg/scheduler/framework/plugins/dynamicresources, of which it models little.

Allocating devices is left out: there are no drivers and no ResourceSlices, so a pod with claims is told what Kubernetes says where
no device is left. For all other pods it only adds its part of the message when nothing fits.
"""

from __future__ import annotations

from clusterlab.scheduler.framework import (
    SKIPPED,
    CycleState,
    NodeToStatus,
    Plugin,
    PostFilterResult,
    Status,
    error,
    unschedulable,
)
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.snapshot import Snapshot

__all__ = ["DynamicResources"]


class DynamicResources(Plugin):
    """Rejects pods with resource claims."""

    name = "DynamicResources"

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        state.data[self.name] = True
        return None, None if pod.spec.get("resourceClaims") else SKIPPED

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        return unschedulable("cannot allocate all claims", plugin=self.name)

    def post_filter(
        self, state: CycleState, pod: PodInfo, snapshot: Snapshot, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        if self.name not in state.data:  # another plugin's PreFilter refused the pod before this one was asked
            return None, error("not found", self.name)
        text = "still not schedulable" if pod.spec.get("resourceClaims") else "no new claims to deallocate"
        return None, unschedulable(text)
