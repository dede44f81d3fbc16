"""The nodes and what plugins look up beside them, in one scheduling cycle.

Follows pkg/scheduler/backend/cache/snapshot.go and node_tree.go. A cycle runs within one step, in which nothing else changes, so
the snapshot is a view of the cache rather than a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from clusterlab.client.informer import Informer
from clusterlab.scheduler.nodeinfo import ImageState, NodeInfo
from clusterlab.scheduler.podinfo import PodInfo

Object = dict[str, Any]
Store = Mapping[str, Object]

__all__ = ["Listers", "NodeTree", "Snapshot", "zone_key"]

NO_OBJECTS: dict[str, Object] = {}
#: Tallies kept up to date at a time.
TALLIES_MOST = 32


class Listers:
    """What a plugin may read beside nodes and pods: objects by resource and key, given or as informers hold them."""

    def __init__(self, stores: Mapping[str, Store] | None = None, informers: Mapping[str, Informer] | None = None) -> None:
        self._stores = dict(stores or {})
        self._informers = dict(informers or {})

    def store(self, resource: str) -> Store:
        """All objects of a resource by key."""
        informer = self._informers.get(resource)
        return informer.store if informer is not None else self._stores.get(resource, NO_OBJECTS)

    def get(self, resource: str, key: str) -> Object | None:
        return self.store(resource).get(key)

    def namespaced(self, resource: str, namespace: str) -> list[Object]:
        """The objects of a namespace."""
        informer = self._informers.get(resource)
        if informer is not None:
            return informer.list(namespace)
        return [obj for obj in self.store(resource).values() if obj["metadata"].get("namespace") == namespace]


def zone_key(node: Object) -> str:
    """Region and zone of a node (component-helpers/node/topology)."""
    labels = node["metadata"].get("labels") or {}
    zone = labels.get("topology.kubernetes.io/zone") or labels.get("failure-domain.beta.kubernetes.io/zone") or ""
    region = labels.get("topology.kubernetes.io/region") or labels.get("failure-domain.beta.kubernetes.io/region") or ""
    return f"{region}:\0:{zone}" if zone or region else ""


class NodeTree:
    """The nodes by zone; `list` takes one of each zone in turn."""

    def __init__(self) -> None:
        self.zones: dict[str, dict[str, None]] = {}

    def add(self, node: Object) -> None:
        self.zones.setdefault(zone_key(node), {})[node["metadata"]["name"]] = None

    def remove(self, node: Object) -> None:
        zone = zone_key(node)
        names = self.zones.get(zone)
        if names is not None:
            names.pop(node["metadata"]["name"], None)
            if not names:
                del self.zones[zone]

    def forget(self, name: str) -> None:
        """Drops a node of which nothing but the name is known."""
        for zone, names in list(self.zones.items()):
            if names.pop(name, self) is None and not names:
                del self.zones[zone]

    def update(self, old: Object, new: Object) -> bool:
        """Moves a node to its zone; tells whether it moved."""
        if zone_key(old) == zone_key(new):
            return False
        self.remove(old)
        self.add(new)
        return True

    def list(self) -> list[str]:
        if len(self.zones) == 1:
            return list(next(iter(self.zones.values())))
        columns = [list(names) for names in self.zones.values()]
        rows = max((len(column) for column in columns), default=0)
        return [column[row] for row in range(rows) for column in columns if row < len(column)]


class Snapshot:
    """Nodes by name and in order, images, and the listers."""

    def __init__(self, listers: Listers | None = None) -> None:
        self.by_name: dict[str, NodeInfo] = {}
        self.nodes: list[NodeInfo] = []
        self.images: dict[str, ImageState] = {}
        self.listers = listers or Listers()
        #: Nodes that have pods with inter-pod (anti-)affinity, and with required anti-affinity.
        self.with_affinity: dict[str, NodeInfo] = {}
        self.with_anti_affinity: dict[str, NodeInfo] = {}
        #: Pods by topology value that plugins have counted: key -> (what a pod has to be, topology key, value -> pods). Kept up to date.
        self.tallies: dict[str, tuple[Callable[[PodInfo], bool], str, dict[str, int]]] = {}
        #: How many taints of the kind PreferNoSchedule there are.
        self.soft_taints = 0

    @classmethod
    def of(cls, nodes: Iterable[Object], pods: Iterable[Object] = (), stores: Mapping[str, Store] | None = None) -> Snapshot:
        """A snapshot of given objects; pods without a node are left out."""
        made = cls(Listers(stores))
        tree = NodeTree()
        for node in nodes:
            made.set_node(NodeInfo(node["metadata"]["name"]), node)
            tree.add(node)
        made.order(tree)
        for pod in pods:
            info = made.by_name.get(pod["spec"].get("nodeName", ""))
            if info is not None:
                made.add_pod(info, PodInfo(pod))
        return made

    def order(self, tree: NodeTree) -> None:
        """Takes the order of the nodes."""
        self.nodes = [self.by_name[name] for name in tree.list()]

    def set_node(self, info: NodeInfo, node: Object) -> None:
        """Adds a node, or takes a newer version of it."""
        self.tallies = {}
        self.drop_images(info)
        self.soft_taints -= _soft(info)
        info.set_node(node)
        self.soft_taints += _soft(info)
        self.by_name[info.name] = info
        for image in (node.get("status") or {}).get("images") or ():
            for name in image.get("names") or ():
                state = self.images.get(name)
                if state is None:
                    state = self.images[name] = ImageState(image.get("sizeBytes", 0))
                if name not in info.images:
                    state.nodes += 1
                    info.images[name] = state

    def drop_node(self, info: NodeInfo) -> None:
        """Takes a node away."""
        self.tallies = {}
        self.drop_images(info)
        self.soft_taints -= _soft(info)
        self.by_name.pop(info.name, None)

    def drop_images(self, info: NodeInfo) -> None:
        for name, state in info.images.items():
            state.nodes -= 1
            if state.nodes <= 0:
                self.images.pop(name, None)
        info.images = {}

    def add_pod(self, info: NodeInfo, pod: PodInfo) -> None:
        info.add(pod)
        if self.tallies:
            self._tally(info, pod, 1)
        if pod.has_affinity:
            self.with_affinity[info.name] = info
            if pod.anti_affinity:
                self.with_anti_affinity[info.name] = info

    def remove_pod(self, info: NodeInfo, key: str) -> PodInfo | None:
        pod = info.remove(key)
        if pod is not None and self.tallies:
            self._tally(info, pod, -1)
        if pod is not None and pod.has_affinity:
            if not info.with_affinity:
                self.with_affinity.pop(info.name, None)
            if not info.with_anti_affinity:
                self.with_anti_affinity.pop(info.name, None)
        return pod

    def _tally(self, info: NodeInfo, pod: PodInfo, by: int) -> None:
        for counts, topology_key, tally in self.tallies.values():
            if counts(pod):
                value = info.labels.get(topology_key, "")
                tally[value] = tally.get(value, 0) + by

    def tally(self, key: str, topology_key: str, counts: Callable[[PodInfo], bool]) -> dict[str, int]:
        """How many pods that count there are, by their nodes' value of a topology key ("" without one). `key` names what counts."""
        found = self.tallies.get(f"{topology_key}|{key}")
        if found is None:
            if len(self.tallies) >= TALLIES_MOST:
                self.tallies = {}
            tally: dict[str, int] = {}
            for info in self.by_name.values():
                value = info.labels.get(topology_key, "")
                for pod in info.pods.values():
                    if counts(pod):
                        tally[value] = tally.get(value, 0) + 1
            found = self.tallies[f"{topology_key}|{key}"] = (counts, topology_key, tally)
        return found[2]


def _soft(info: NodeInfo) -> int:
    return sum(taint["effect"] == "PreferNoSchedule" for taint in info.taints)
