"""NodeVolumeLimits: a CSI driver attaches only so many volumes to a node.

Follows pkg/scheduler/framework/plugins/nodevolumelimits/csi.go. In-tree volumes that migrate to CSI are left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.scheduler.events import ADD, DELETE, UPDATE, ClusterEvent, Hint
from clusterlab.scheduler.framework import SKIPPED, CycleState, Object, Plugin, Status, error, unschedulable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.snapshot import Listers, Snapshot
from clusterlab.scheduler.volumes import claim_names, class_of

__all__ = ["NodeVolumeLimits"]


class NodeVolumeLimits(Plugin):
    """Filters nodes whose CSINode does not allow for the pod's volumes on top of those that are there."""

    name = "NodeVolumeLimits"
    rejection = unschedulable("node(s) exceed max volume count", plugin=name)

    def __init__(self, listers: Listers) -> None:
        self.listers = listers

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("CSINode", ADD), None
        yield ClusterEvent("CSINode", UPDATE), after_limits_raised
        yield ClusterEvent("Pod", DELETE), after_pod_deleted
        yield ClusterEvent("PersistentVolumeClaim", ADD), after_claim_added
        yield ClusterEvent("VolumeAttachment", DELETE), lambda pod, old, new: bool(pod.claims)

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        if not pod.spec.get("volumes") or next(iter(claim_names(pod)), None) is None:
            return None, SKIPPED
        return None, None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        wanted = self._volumes(pod, new=True)
        if isinstance(wanted, Status):
            return wanted
        found = self.listers.get("csinodes", node.name)
        limits = _limits(found) if found is not None else {}
        if not wanted or not limits:
            return None
        attached: dict[str, str] = {}
        for other in node.pods.values():
            theirs = self._volumes(other, new=False)
            if isinstance(theirs, dict):
                attached.update(theirs)
        attached.update(self._attachments(node.name))
        for driver, limit in limits.items():
            more = sum(d == driver and handle not in attached for handle, d in wanted.items())
            if more and sum(d == driver for d in attached.values()) + more > limit:
                return self.rejection
        return None

    def _volumes(self, pod: PodInfo, new: bool) -> dict[str, str] | Status:
        """The CSI volumes of a pod: unique name -> driver."""
        found: dict[str, str] = {}
        for name, _ in claim_names(pod):
            key = f"{pod.namespace}/{name}"
            claim = self.listers.get("persistentvolumeclaims", key)
            if claim is None:
                if new:
                    return error(f'looking up PVC {key}: persistentvolumeclaim "{name}" not found', self.name)
                continue
            driver, handle = self._driver(claim, key)
            if driver and handle:
                found[f"{driver}/{handle}"] = driver
        return found

    def _driver(self, claim: Object, key: str) -> tuple[str, str]:
        volume_name = claim["spec"].get("volumeName")
        volume = self.listers.get("persistentvolumes", volume_name) if volume_name else None
        if volume is None:  # one will be provisioned: it is counted under a name of its own
            storage_class = self.listers.get("storageclasses", class_of(claim)) if class_of(claim) else None
            return (storage_class.get("provisioner", ""), key) if storage_class is not None else ("", "")
        csi = volume["spec"].get("csi") or {}
        return csi.get("driver", ""), csi.get("volumeHandle", "")

    def _attachments(self, node: str) -> dict[str, str]:
        """The volumes that are attached to a node, whatever pods use them."""
        found: dict[str, str] = {}
        for attachment in self.listers.store("volumeattachments").values():
            spec = attachment.get("spec") or {}
            volume = self.listers.get("persistentvolumes", (spec.get("source") or {}).get("persistentVolumeName") or "")
            if spec.get("nodeName") == node and volume is not None and volume["spec"].get("csi"):
                csi = volume["spec"]["csi"]
                found[f"{csi['driver']}/{csi['volumeHandle']}"] = spec.get("attacher", csi["driver"])
        return found


def _limits(csi_node: Object) -> dict[str, int]:
    drivers = (csi_node.get("spec") or {}).get("drivers") or ()
    counts = {driver["name"]: (driver.get("allocatable") or {}).get("count") for driver in drivers}
    return {name: count for name, count in counts.items() if count is not None}


def after_limits_raised(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    before, after = _limits(old or {}), _limits(new or {})
    return any(count > before.get(name, 0) for name, count in after.items())


def after_pod_deleted(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A pod with volumes left a node."""
    if old is None or not (old["spec"].get("nodeName") or (old.get("status") or {}).get("nominatedNodeName")):
        return False
    return next(iter(claim_names(PodInfo(old))), None) is not None


def after_claim_added(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    if new is None or new["metadata"].get("namespace", "default") != pod.namespace:
        return False
    return any(name == new["metadata"]["name"] for name, _ in claim_names(pod))
