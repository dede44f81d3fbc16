"""Cluster events: what happened to an object, as far as scheduling cares.

Follows pkg/scheduler/framework/events.go and the ActionType constants of staging/src/k8s.io/kube-scheduler/framework/types.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.resources import pod_requests

Object = dict[str, Any]
#: Whether what happened (old, new) may make a pod schedulable that the plugin rejected.
Hint = Callable[[PodInfo, Object | None, Object | None], bool]

__all__ = [
    "ADD", "ALL", "DELETE", "POD_ADD", "POD_DELETE",
    "POD_UPDATE", "UPDATE", "UPDATE_NODE_ALLOCATABLE", "UPDATE_NODE_LABEL", "UPDATE_NODE_TAINT", "UPDATE_POD_GATES",
    "UPDATE_POD_LABEL", "UPDATE_POD_RESOURCE_CLAIM", "UPDATE_POD_SCALE_DOWN", "UPDATE_POD_TOLERATION", "ClusterEvent", "Hint",
    "node_update", "pod_update",
]

ADD = 1
DELETE = 2
UPDATE_NODE_ALLOCATABLE = 4
UPDATE_NODE_LABEL = 8
UPDATE_NODE_TAINT = 16
UPDATE_NODE_CONDITION = 32
UPDATE_NODE_ANNOTATION = 64
UPDATE_NODE_DECLARED_FEATURE = 128
UPDATE_POD_LABEL = 256
UPDATE_POD_SCALE_DOWN = 512
UPDATE_POD_TOLERATION = 1024
UPDATE_POD_GATES = 2048
UPDATE_POD_RESOURCE_CLAIM = 4096
ALL = 8191
UPDATE = ALL & ~(ADD | DELETE)


class ClusterEvent(NamedTuple):
    """What happened: `resource` is a kind ("Pod", "Node", "PersistentVolumeClaim", "*"), `action` one or more of the
    actions above."""

    resource: str
    action: int

    def matches(self, incoming: ClusterEvent) -> bool:
        """Whether this registration covers an event."""
        if self.resource == "*" and self.action == ALL:
            return True
        # An update that is none of the specific ones is only for those who registered for any update.
        same = self.resource in ("*", incoming.resource)
        return same and bool(self.action & incoming.action) and incoming.action <= self.action


POD_ADD, POD_DELETE, POD_UPDATE = (ClusterEvent("Pod", action) for action in (ADD, DELETE, UPDATE))


def node_update(old: Object, new: Object) -> list[ClusterEvent]:
    """What changed about a node."""
    action = 0
    old_spec, new_spec = old.get("spec") or {}, new.get("spec") or {}
    if (old_spec.get("unschedulable") or False) and not new_spec.get("unschedulable"):
        action |= UPDATE_NODE_TAINT
    old_status, new_status = old.get("status") or {}, new.get("status") or {}
    if old_status.get("allocatable") != new_status.get("allocatable"):
        action |= UPDATE_NODE_ALLOCATABLE
    if (old["metadata"].get("labels") or {}) != (new["metadata"].get("labels") or {}):
        action |= UPDATE_NODE_LABEL
    if (old_spec.get("taints") or []) != (new_spec.get("taints") or []):
        action |= UPDATE_NODE_TAINT
    if old_status.get("conditions") is not new_status.get("conditions") and _conditions(old_status) != _conditions(new_status):
        action |= UPDATE_NODE_CONDITION
    if (old["metadata"].get("annotations") or {}) != (new["metadata"].get("annotations") or {}):
        action |= UPDATE_NODE_ANNOTATION
    return _each("Node", action)


def _each(resource: str, actions: int) -> list[ClusterEvent]:
    return [ClusterEvent(resource, 1 << bit) for bit in range(actions.bit_length()) if actions >> bit & 1]


def _conditions(status: Object) -> dict[str, str]:
    return {condition["type"]: condition.get("status", "") for condition in status.get("conditions") or ()}


def pod_update(old: Object, new: Object) -> list[ClusterEvent]:
    """What changed about a pod; UPDATE for what has no action of its own."""
    action = 0
    old_meta, new_meta = old["metadata"], new["metadata"]
    if old_meta.get("labels") is not new_meta.get("labels") and (old_meta.get("labels") or {}) != (new_meta.get("labels") or {}):
        action |= UPDATE_POD_LABEL
    made, known = ((pod.get("status") or {}).get("resourceClaimStatuses") for pod in (new, old))
    if made is not known and made != known:
        action |= UPDATE_POD_RESOURCE_CLAIM
    old_spec, new_spec = old["spec"], new["spec"]
    if old_spec is new_spec or old_spec == new_spec:
        return _each("Pod", action) or [POD_UPDATE]
    before, after = pod_requests(old, use_status=True), pod_requests(new, use_status=True)
    if any(amount > after.get(name, -1) for name, amount in before.items()):
        action |= UPDATE_POD_SCALE_DOWN
    if old_spec.get("schedulingGates") and not new_spec.get("schedulingGates"):
        action |= UPDATE_POD_GATES
    if len(old_spec.get("tolerations") or ()) != len(new_spec.get("tolerations") or ()):
        action |= UPDATE_POD_TOLERATION
    return _each("Pod", action) or [POD_UPDATE]
