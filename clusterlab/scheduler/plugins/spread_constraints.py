"""Topology spread constraints: a pod's own, or the default ones for what its services and owner select.

Follows pkg/scheduler/framework/plugins/podtopologyspread/common.go and helper/spread.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.selectors import NOTHING, RequiredNodeAffinity, Selector, label_selector, selector_of, untolerated
from clusterlab.scheduler.snapshot import Listers

Object = dict[str, Any]

__all__ = [
    "HOSTNAME", "SYSTEM_DEFAULTS", "Constraint", "SpreadConstraints", "count_again", "count_key", "count_matching", "counter",
    "default_selector",
]

HOSTNAME = "kubernetes.io/hostname"
SYSTEM_DEFAULTS: tuple[Object, ...] = (
    {"topologyKey": HOSTNAME, "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 3},
    {"topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 5},
)
_OWNERS = {
    ("v1", "ReplicationController"): "replicationcontrollers",
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("apps/v1", "StatefulSet"): "statefulsets",
}


class Constraint:
    """A compiled constraint."""

    __slots__ = ("honors_affinity", "honors_taints", "max_skew", "min_domains", "selector", "topology_key")

    def __init__(self, constraint: Object, selector: Selector) -> None:
        self.max_skew: int = constraint["maxSkew"]
        self.topology_key: str = constraint["topologyKey"]
        self.selector = selector
        least = constraint.get("minDomains")
        self.min_domains: int = 1 if least is None else least
        self.honors_affinity = (constraint.get("nodeAffinityPolicy") or "Honor") == "Honor"
        self.honors_taints = constraint.get("nodeTaintsPolicy") == "Honor"

    def counts_node(self, pod: PodInfo, node: NodeInfo, required: RequiredNodeAffinity) -> bool:
        """Whether the pods of a node count for the constraint (nodeAffinityPolicy, nodeTaintsPolicy)."""
        if self.honors_affinity and not required.matches(node.labels, node.name):
            return False
        return not (self.honors_taints and node.taints and untolerated(node.taints, pod.tolerations) is not None)


class SpreadConstraints:
    """Finds the constraints of pods. `defaults` hold for pods without any; None stands for the built-in ones."""

    def __init__(self, listers: Listers, defaults: Sequence[Object] | None) -> None:
        self.listers = listers
        self.system_defaulted = defaults is None
        self.defaults = SYSTEM_DEFAULTS if defaults is None else tuple(defaults)

    def of(self, pod: PodInfo, action: str) -> list[Constraint]:
        """The constraints of a pod that act in that way: DoNotSchedule or ScheduleAnyway."""
        own = pod.spec.get("topologySpreadConstraints")
        if own:
            return [Constraint(c, _selector(c, pod)) for c in own if c["whenUnsatisfiable"] == action]
        wanted = [c for c in self.defaults if c["whenUnsatisfiable"] == action]
        if not wanted:
            return []
        selector = default_selector(pod, self.listers)
        return [] if selector.empty else [Constraint(c, selector) for c in wanted]


def _selector(constraint: Object, pod: PodInfo) -> Selector:
    selector = label_selector(constraint.get("labelSelector"))
    keys = constraint.get("matchLabelKeys") or ()
    same = {key: pod.labels[key] for key in keys if key in pod.labels}
    return selector_of(same).also(selector) if same and not selector.nothing else selector


def default_selector(pod: PodInfo, listers: Listers) -> Selector:
    """What the services that select the pod, and the controller that owns it, select together."""
    labels: dict[str, str] = {}
    for service in listers.namespaced("services", pod.namespace):
        wanted = (service.get("spec") or {}).get("selector")
        if wanted and all(pod.labels.get(key) == value for key, value in wanted.items()):
            labels.update(wanted)
    selector = selector_of(labels)
    for owner in pod.pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return _with_owner(selector, labels, owner, pod, listers)
    return selector


def _with_owner(selector: Selector, labels: dict[str, str], owner: Object, pod: PodInfo, listers: Listers) -> Selector:
    resource = _OWNERS.get((owner.get("apiVersion", ""), owner.get("kind", "")))
    found = listers.get(resource, f"{pod.namespace}/{owner['name']}") if resource else None
    if found is None:
        return selector
    wanted = (found.get("spec") or {}).get("selector")
    if resource == "replicationcontrollers":
        return selector_of({**labels, **(wanted or {})})
    other = label_selector(wanted)
    return selector if other is NOTHING else selector.also(other)


def count_matching(node: NodeInfo, selector: Selector, namespace: str) -> int:
    """How many pods of a node, in a namespace and not on their way out, a selector selects; an empty one selects none here."""
    if not node.pods or selector.empty or selector.nothing:
        return 0
    key = count_key(selector, namespace)
    known: int | None = node.memo.get(key)
    return known if known is not None else count_again(node, selector, namespace, key)


def counter(selector: Selector, namespace: str) -> Callable[[PodInfo], bool]:
    """Whether a pod is one of those that `count_matching` counts."""
    if selector.empty or selector.nothing:
        return lambda pod: False
    return lambda pod: not pod.terminating and pod.namespace == namespace and selector.matches(pod.labels)


def count_key(selector: Selector, namespace: str) -> str:
    """Where a node's memo keeps `count_matching`."""
    return f"count/{namespace}/{selector.key}"


def count_again(node: NodeInfo, selector: Selector, namespace: str, key: str) -> int:
    """Counts, and remembers until something changes on the node."""
    count = 0
    if not (selector.empty or selector.nothing):
        for pod, alike in node.alike.values():
            if not pod.terminating and pod.namespace == namespace and selector.matches(pod.labels):
                count += alike
    node.memo[key] = count
    return count
