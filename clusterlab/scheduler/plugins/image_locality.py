"""ImageLocality: prefers nodes that have the pod's images already. Follows pkg/scheduler/framework/plugins/imagelocality."""

from __future__ import annotations

from collections.abc import Sequence

from clusterlab.scheduler.framework import MAX_NODE_SCORE, CycleState, Plugin, Status
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.snapshot import Snapshot

__all__ = ["ImageLocality"]

MEGABYTE = 1024 * 1024
MIN_THRESHOLD = 23 * MEGABYTE
MAX_CONTAINER_THRESHOLD = 1000 * MEGABYTE


class ImageLocality(Plugin):
    """Scores by the size of the images that the node has, scaled by how many nodes have them."""

    name = "ImageLocality"

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        known = snapshot.images
        total = len(snapshot.nodes)
        worth = [
            (name, int(float(known[name].size) * (float(known[name].nodes) / float(total))))
            for name in pod.images if name in known
        ]
        containers = len(pod.spec.get("initContainers") or ()) + len(pod.spec.get("containers") or ())
        state.data[self.name] = (worth, MAX_CONTAINER_THRESHOLD * containers)
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        worth: list[tuple[str, int]]
        most: int
        worth, most = state.data[self.name]
        images = node.images
        total = 0
        for name, size in worth:
            if name in images:
                total += size
        if total <= MIN_THRESHOLD:
            return 0
        return MAX_NODE_SCORE * (min(total, most) - MIN_THRESHOLD) // (most - MIN_THRESHOLD)

    def score_all(self, state: CycleState, pod: PodInfo, nodes: Sequence[NodeInfo]) -> list[int]:
        if not state.data[self.name][0]:
            return [0] * len(nodes)
        if len(state.data[self.name][0]) == 1:  # all who have the one image are alike
            name = state.data[self.name][0][0][0]
            value = next((self.score(state, pod, node) for node in nodes if name in node.images), 0)
            return [value if name in node.images else 0 for node in nodes]
        return [self.score(state, pod, node) for node in nodes]
