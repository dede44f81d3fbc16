"""What the scheduler does when something changes in the cluster.

Follows pkg/scheduler/eventhandlers.go: nodes and assigned pods go to the cache, pods without a node to the queue, and whatever may
help a waiting pod moves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.scheduler.events import ADD, DELETE, POD_ADD, POD_DELETE, UPDATE, ClusterEvent, node_update, pod_update
from clusterlab.scheduler.podinfo import PodInfo, priority_of

if TYPE_CHECKING:
    from clusterlab.scheduler.scheduler import Scheduler

Object = dict[str, Any]

__all__ = ["Handlers"]

NODE_ADD, NODE_DELETE = ClusterEvent("Node", ADD), ClusterEvent("Node", DELETE)
KINDS = {
    "persistentvolumeclaims": "PersistentVolumeClaim", "persistentvolumes": "PersistentVolume",
    "storageclasses": "StorageClass", "csinodes": "CSINode", "csistoragecapacities": "CSIStorageCapacity",
    "volumeattachments": "VolumeAttachment", "resourceclaims": "ResourceClaim", "deviceclasses": "DeviceClass",
    "resourceslices": "ResourceSlice",
}


class Handlers:
    """The handlers of the scheduler's informers."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler

    def register(self) -> None:
        informers = self.scheduler.informers
        informers["nodes"].on_change(self.node)
        informers["pods"].on_change(self.pod)
        for resource in KINDS:
            self._register_other(resource)

    def _register_other(self, resource: str) -> None:
        events = {action: ClusterEvent(KINDS[resource], action) for action in (ADD, DELETE, UPDATE)}

        def changed(old: Object | None, new: Object | None) -> None:
            event = events[ADD if old is None else DELETE if new is None else UPDATE]
            self.scheduler.queue.move_all(event, old, new)
            self.scheduler.arm()
            for key in list(self.scheduler.waiting):
                self.scheduler.after(0, "bind", key)

        self.scheduler.informers[resource].on_change(changed)

    # Nodes.

    def node(self, old: Object | None, new: Object | None) -> None:
        scheduler = self.scheduler
        cache, queue = scheduler.cache, scheduler.queue
        if new is None:
            assert old is not None
            queue.move_all(NODE_DELETE, old, None)
            cache.remove_node(old["metadata"]["name"])
        elif old is None:
            cache.set_node(new)
            queue.move_all(NODE_ADD, None, new)
        else:
            if _matters(old, new):
                cache.set_node(new)
            for event in node_update(old, new):
                queue.move_all(event, old, new)
        scheduler.arm()

    # Pods.

    def pod(self, old: Object | None, new: Object | None) -> None:
        # The real one does not watch pods that have come to their end; here they leave when they do.
        before = old if old is not None and not _ended(old) else None
        after = new if new is not None and not _ended(new) else None
        if before is not None and after is not None and before["metadata"].get("uid") != after["metadata"].get("uid"):
            self._deleted(before)
            before = None
        if after is None:
            if before is not None:
                self._deleted(before)
        elif after["spec"].get("nodeName"):
            self._assigned(before, after)
        elif self._ours(after):
            self._unassigned(before, after)
        self.scheduler.arm()

    def _ours(self, pod: Object) -> bool:
        return (pod["spec"].get("schedulerName") or "default-scheduler") in self.scheduler.profiles

    def _assigned(self, old: Object | None, new: Object) -> None:
        scheduler = self.scheduler
        scheduler.cache.set_pod(new)
        queue = scheduler.queue
        if old is None or not old["spec"].get("nodeName"):
            if old is not None:
                queue.delete(_key(new))
            if queue.unschedulable:
                queue.move_all(POD_ADD, None, new)
        elif queue.unschedulable:
            for event in pod_update(old, new):
                queue.move_all(event, old, new)

    def _unassigned(self, old: Object | None, new: Object) -> None:
        scheduler = self.scheduler
        queue, key = scheduler.queue, _key(new)
        if old is None:
            queue.add(PodInfo(new))
            return
        if key in scheduler.cache.assumed:
            if new["metadata"].get("deletionTimestamp") and not old["metadata"].get("deletionTimestamp"):
                self._forget(key, new)
            return
        queue.update(old, PodInfo(new))
        nominated = (old.get("status") or {}).get("nominatedNodeName")
        if nominated and nominated != (new.get("status") or {}).get("nominatedNodeName"):
            priority = priority_of(old)
            queue.move_all(POD_DELETE, old, None, lambda entry: entry.priority <= priority)

    def _deleted(self, old: Object) -> None:
        scheduler = self.scheduler
        queue, key = scheduler.queue, _key(old)
        if old["spec"].get("nodeName"):
            scheduler.cache.remove_pod(key)
            queue.move_all(POD_DELETE, old, None)
        elif self._ours(old):
            queue.delete(key)
            if key in scheduler.cache.assumed:
                self._forget(key, old)
            elif (old.get("status") or {}).get("nominatedNodeName"):
                priority = priority_of(old)
                queue.move_all(POD_DELETE, old, None, lambda entry: entry.priority <= priority)

    def _forget(self, key: str, pod: Object) -> None:
        """A pod that was to be bound is being deleted: what it was to take is free."""
        scheduler = self.scheduler
        node = scheduler.cache.assumed[key]
        scheduler.cache.forget(key)
        scheduler.waiting.pop(key, None)
        placed = {**pod, "spec": {**pod["spec"], "nodeName": node}}
        scheduler.queue.move_all(POD_DELETE, placed, None)


def _key(pod: Object) -> str:
    meta = pod["metadata"]
    return f"{meta.get('namespace', 'default')}/{meta['name']}"


def _ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _matters(old: Object, new: Object) -> bool:
    """Whether the cache keeps anything that changed about a node: its heartbeats leave everything as it was."""
    if old.get("spec") != new.get("spec") or old["metadata"].get("labels") != new["metadata"].get("labels"):
        return True
    before, after = old.get("status") or {}, new.get("status") or {}
    return before.get("allocatable") != after.get("allocatable") or before.get("images") != after.get("images")
