"""VolumeZone: volumes with zone labels are only reached from their zones. Follows pkg/scheduler/framework/plugins/volumezone."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.scheduler.events import ADD, UPDATE, UPDATE_NODE_LABEL, ClusterEvent, Hint
from clusterlab.scheduler.framework import SKIPPED, CycleState, Object, Plugin, Status, unresolvable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.snapshot import Listers, Snapshot
from clusterlab.scheduler.volumes import class_of

__all__ = ["VolumeZone"]

GA = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
TOPOLOGY_LABELS = (*GA, *GA.values())
Topologies = tuple[tuple[str, frozenset[str]], ...]


class VolumeZone(Plugin):
    """Filters nodes in other zones or regions than the labels of the pod's bound volumes say."""

    name = "VolumeZone"
    rejection = unresolvable("node(s) had no available volume zone", plugin=name)

    def __init__(self, listers: Listers) -> None:
        self.listers = listers

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("StorageClass", ADD), after_class_added
        yield ClusterEvent("Node", ADD | UPDATE_NODE_LABEL), None
        yield ClusterEvent("PersistentVolumeClaim", ADD | UPDATE), after_claim_change
        yield ClusterEvent("PersistentVolume", ADD | UPDATE), after_volume_change

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        found: list[tuple[str, frozenset[str]]] = []
        for key in pod.claims:
            topologies = self._of_claim(key)
            if isinstance(topologies, str):
                return None, unresolvable(topologies)
            found += topologies
        if not found:
            return None, SKIPPED
        state.data[self.name] = tuple(found)
        return None, None

    def _of_claim(self, key: str) -> Topologies | str:
        name = key.partition("/")[2]
        if not name:
            return "PersistentVolumeClaim had no name"
        claim = self.listers.get("persistentvolumeclaims", key)
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        volume_name = claim["spec"].get("volumeName")
        if not volume_name:
            return self._without_volume(claim)
        volume = self.listers.get("persistentvolumes", volume_name)
        return f'persistentvolume "{volume_name}" not found' if volume is None else _topologies(volume)

    def _without_volume(self, claim: Object) -> Topologies | str:
        name = class_of(claim)
        if not name:
            return "PersistentVolumeClaim had no pv name and storageClass name"
        found = self.listers.get("storageclasses", name)
        if found is None:
            return f'storageclass.storage.k8s.io "{name}" not found'
        mode = found.get("volumeBindingMode")
        if mode is None:
            return f'VolumeBindingMode not set for StorageClass "{name}"'
        return () if mode == "WaitForFirstConsumer" else "PersistentVolume had no name"

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        labels = node.labels
        if not any(label in labels for label in TOPOLOGY_LABELS):
            return None  # the node is in no zone at all
        for key, values in state.data[self.name]:
            value = labels.get(key, labels.get(GA.get(key, key)))
            if value not in values:
                return self.rejection
        return None


def _topologies(volume: Object) -> Topologies:
    labels = volume["metadata"].get("labels") or {}
    return tuple((label, frozenset(labels[label].split("__"))) for label in TOPOLOGY_LABELS if label in labels)


def after_class_added(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    return new is not None and new.get("volumeBindingMode") == "WaitForFirstConsumer"


def after_claim_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """One of the pod's claims came or changed."""
    return new is not None and f"{new['metadata'].get('namespace', 'default')}/{new['metadata']['name']}" in pod.claims


def after_volume_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A volume came, or is elsewhere now."""
    return old is None or (new is not None and _topologies(old) != _topologies(new))
