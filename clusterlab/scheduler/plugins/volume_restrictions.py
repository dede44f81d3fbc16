"""VolumeRestrictions: some disks serve one pod at a time. Follows pkg/scheduler/framework/plugins/volumerestrictions."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.scheduler.events import ADD, DELETE, ClusterEvent, Hint
from clusterlab.scheduler.framework import SKIPPED, CycleState, Object, Plugin, Status, unresolvable, unschedulable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.snapshot import Listers, Snapshot

__all__ = ["VolumeRestrictions"]

DISKS = ("gcePersistentDisk", "awsElasticBlockStore", "rbd", "iscsi")


class InUse:
    """The pod's ReadWriteOncePod claims, and how often other pods use them."""

    __slots__ = ("claims", "uses")

    def __init__(self, claims: frozenset[str], uses: int) -> None:
        self.claims, self.uses = claims, uses

    def clone(self) -> InUse:
        return InUse(self.claims, self.uses)

    def shift(self, other: PodInfo, delta: int) -> None:
        self.uses += delta * sum(key in self.claims for key in other.claims)


class VolumeRestrictions(Plugin):
    """Filters nodes where another pod has one of the pod's disks, and every node while one of its ReadWriteOncePod claims is in
    use."""

    name = "VolumeRestrictions"
    disk_conflict = unschedulable("node(s) had no available disk", plugin=name)
    in_use = unschedulable(
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
        plugin=name,
    )

    def __init__(self, listers: Listers) -> None:
        self.listers = listers

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Pod", DELETE), after_pod_deleted
        yield ClusterEvent("Node", ADD), None
        yield ClusterEvent("PersistentVolumeClaim", ADD), after_claim_added

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        volumes = pod.spec.get("volumes")
        if not volumes:
            return None, SKIPPED
        exclusive = set()
        for key in pod.claims:
            claim = self.listers.get("persistentvolumeclaims", key)
            if claim is None:
                return None, unresolvable(f'persistentvolumeclaim "{key.partition("/")[2]}" not found')
            if "ReadWriteOncePod" in (claim["spec"].get("accessModes") or ()):
                exclusive.add(key)
        uses = sum(any(key in node.claims for node in snapshot.nodes) for key in exclusive)
        if not uses and not any(volume.get(disk) for volume in volumes for disk in DISKS):
            return None, SKIPPED
        state.data[self.name] = InUse(frozenset(exclusive), uses)
        return None, None

    def add_pod(self, state: CycleState, pod: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        state.data[self.name].shift(added, 1)

    def remove_pod(self, state: CycleState, pod: PodInfo, removed: PodInfo, node: NodeInfo) -> None:
        state.data[self.name].shift(removed, -1)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if any(conflicts(pod, other) for other in node.pods.values()):
            return self.disk_conflict
        return self.in_use if state.data[self.name].uses > 0 else None


def conflicts(pod: PodInfo, other: PodInfo) -> bool:
    """Whether two pods want the same disk in a way that cannot be shared."""
    theirs = other.spec.get("volumes") or ()
    return any(_conflict(mine, volume) for mine in pod.spec.get("volumes") or () for volume in theirs)


def _conflict(a: Object, b: Object) -> bool:
    for kind, name in (("gcePersistentDisk", "pdName"), ("iscsi", "iqn")):
        x, y = a.get(kind), b.get(kind)
        if x and y and x.get(name) == y.get(name) and not (x.get("readOnly") and y.get("readOnly")):
            return True
    x, y = a.get("awsElasticBlockStore"), b.get("awsElasticBlockStore")
    if x and y and x.get("volumeID") == y.get("volumeID"):
        return True
    x, y = a.get("rbd"), b.get("rbd")
    if not x or not y or (x.get("readOnly") and y.get("readOnly")):
        return False
    same = all(x.get(field, default) == y.get(field, default) for field, default in (("pool", "rbd"), ("image", "")))
    return same and any(monitor in (y.get("monitors") or ()) for monitor in x.get("monitors") or ())


def after_pod_deleted(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A pod gave up a disk or a claim that this one wants."""
    if old is None or old["metadata"].get("namespace", "default") != pod.namespace:
        return False
    other = PodInfo(old)
    return conflicts(pod, other) or any(key in pod.claims for key in other.claims)


def after_claim_added(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    return new is not None and f"{new['metadata'].get('namespace', 'default')}/{new['metadata']['name']}" in pod.claims
