"""The scheduler's cache: nodes and the pods on them, with those that it has just placed and that are not bound yet.

Follows pkg/scheduler/backend/cache/cache.go. State are the assumed pods, the order of the nodes and the sizes of images as first
reported; the rest is rebuilt from the informers' stores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clusterlab.scheduler.nodeinfo import ImageState, NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.snapshot import Listers, NodeTree, Snapshot

Object = dict[str, Any]

__all__ = ["Cache"]

FINISHED = ("Succeeded", "Failed")


class Cache:
    """`snapshot` is always up to date but for the order of nodes, which `fresh` sees to."""

    def __init__(self, listers: Listers) -> None:
        self.snapshot = Snapshot(listers)
        self.tree = NodeTree()
        self.assumed: dict[str, str] = {}  # pod key -> node
        self._where: dict[str, NodeInfo] = {}
        self._ghosts: dict[str, NodeInfo] = {}  # nodes that are gone, or not known yet, with pods on them
        self._reorder = False

    def fresh(self) -> Snapshot:
        """The snapshot for the next cycle."""
        if self._reorder:
            self._reorder = False
            self.snapshot.order(self.tree)
        return self.snapshot

    # Nodes.

    def set_node(self, node: Object) -> None:
        """A node was added or changed."""
        name = node["metadata"]["name"]
        info = self.snapshot.by_name.get(name)
        if info is None:
            info = self._ghosts.pop(name, None) or NodeInfo(name)
            self.tree.add(node)
            self._reorder = True
        elif info.node is not None and self.tree.update(info.node, node):
            self._reorder = True
        self.snapshot.set_node(info, node)
        self._index_affinity(info)

    def remove_node(self, name: str) -> None:
        """A node was deleted; pods may still be bound to it."""
        info = self.snapshot.by_name.get(name)
        if info is None or info.node is None:
            return
        self.tree.remove(info.node)
        self.snapshot.drop_node(info)
        self.snapshot.with_affinity.pop(name, None)
        self.snapshot.with_anti_affinity.pop(name, None)
        self._reorder = True
        if info.pods:
            info.node = None
            self._ghosts[name] = info

    def _index_affinity(self, info: NodeInfo) -> None:
        if info.with_affinity:
            self.snapshot.with_affinity[info.name] = info
        if info.with_anti_affinity:
            self.snapshot.with_anti_affinity[info.name] = info

    # Pods.

    def assume(self, pod: PodInfo, node: str) -> None:
        """Counts a pod on the node that it will be bound to."""
        self._put(pod, node)
        self.assumed[pod.key] = node

    def forget(self, key: str) -> None:
        """The pod will not be bound there after all."""
        if self.assumed.pop(key, None) is not None:
            self._take(key)

    def set_pod(self, pod: Object) -> None:
        """An assigned pod was added or changed."""
        meta, spec = pod["metadata"], pod["spec"]
        key = f"{meta.get('namespace', 'default')}/{meta['name']}"
        self.assumed.pop(key, None)
        info = self._where.get(key)
        if info is not None:
            known = info.pods[key]
            if info.name == spec["nodeName"] and _same(known, pod):
                known.pod = pod
                return
            self._take(key)
            resized = known.resized or known.pod["spec"].get("containers") != spec.get("containers")
            self._put(PodInfo(pod, resized), spec["nodeName"])
        else:
            self._put(PodInfo(pod, resized=_was_resized(pod)), spec["nodeName"])

    def remove_pod(self, key: str) -> None:
        """An assigned pod was deleted."""
        self.assumed.pop(key, None)
        self._take(key)

    def pod_on(self, key: str) -> PodInfo | None:
        """What is known of a pod that is on a node."""
        info = self._where.get(key)
        return info.pods.get(key) if info is not None else None

    def _put(self, pod: PodInfo, node: str) -> None:
        info = self.snapshot.by_name.get(node)
        if info is not None:
            self.snapshot.add_pod(info, pod)
        else:
            info = self._ghosts.get(node)
            if info is None:
                info = self._ghosts[node] = NodeInfo(node)
            info.add(pod)
        self._where[pod.key] = info

    def _take(self, key: str) -> None:
        info = self._where.pop(key, None)
        if info is None:
            return
        if info.node is None:
            info.remove(key)
            if not info.pods:
                self._ghosts.pop(info.name, None)
        else:
            self.snapshot.remove_pod(info, key)

    # State.

    def checkpoint(self) -> dict[str, Any]:
        return {
            "assumed": {key: (node, self._where[key].pods[key].pod) for key, node in self.assumed.items()},
            "zones": [(zone, tuple(names)) for zone, names in self.tree.zones.items()],
            "images": {name: state.size for name, state in self.snapshot.images.items()},
        }

    def rebuild(self, data: dict[str, Any], nodes: Mapping[str, Object], pods: Mapping[str, Object]) -> None:
        """Builds the cache from a checkpoint and the informers' stores."""
        for name, size in data["images"].items():
            self.snapshot.images[name] = ImageState(size)
        for zone, names in data["zones"]:
            self.tree.zones[zone] = dict.fromkeys(names)
        known = [name for names in self.tree.zones.values() for name in names]
        for name in known:
            node = nodes.get(name)
            if node is not None:
                self.snapshot.set_node(NodeInfo(name), node)
        self._reorder = True
        for name in known:
            if name not in nodes:
                self.tree.forget(name)
        for name, node in nodes.items():
            if name not in self.snapshot.by_name:
                self.set_node(node)
        for pod in pods.values():
            if pod["spec"].get("nodeName") and (pod.get("status") or {}).get("phase") not in FINISHED:
                self.set_pod(pod)
        for key, (node_name, chosen) in data["assumed"].items():
            pending = pods.get(key)
            if pending is not None and not pending["spec"].get("nodeName"):
                self.assume(PodInfo(chosen), node_name)  # as it was when it was chosen a node, which is what its events name


def _same(known: PodInfo, pod: Object) -> bool:
    """Whether a newer version of a pod means the same for scheduling."""
    old = known.pod
    meta = pod["metadata"]
    if known.resized or bool(meta.get("deletionTimestamp")) != known.terminating:
        return False
    labels = meta.get("labels")
    if labels is not old["metadata"].get("labels") and (labels or {}) != known.labels:
        return False
    spec, before = pod["spec"], old["spec"]
    return spec is before or all(_equal(spec.get(name), before.get(name)) for name in ("containers", "initContainers", "resources"))


def _equal(a: Any, b: Any) -> bool:
    return a is b or a == b


def _was_resized(pod: Object) -> bool:
    """Whether what the kubelet has allocated may differ from what the spec asks for: its spec was changed after creation."""
    return int(pod["metadata"].get("generation") or 1) > 1
