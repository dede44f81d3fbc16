"""NodeAffinity: node selectors and node affinity, required and preferred.

Follows pkg/scheduler/framework/plugins/nodeaffinity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clusterlab.scheduler.events import ADD, UPDATE_NODE_LABEL, ClusterEvent, Hint
from clusterlab.scheduler.framework import SKIPPED, CycleState, Object, Plugin, Status, unresolvable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.plugins.helper import normalize
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.selectors import NodeSelector, PreferredTerms, RequiredNodeAffinity
from clusterlab.scheduler.snapshot import Snapshot

__all__ = ["NodeAffinity"]

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
CONFLICT = "pod affinity terms conflict"


class NodeAffinity(Plugin):
    """`added` is the profile's addedAffinity, which holds for every pod."""

    name = "NodeAffinity"
    local = True
    rejection = unresolvable("node(s) didn't match Pod's node affinity/selector", plugin=name)
    enforced = unresolvable("node(s) didn't match scheduler-enforced node affinity", plugin=name)

    def __init__(self, added: Object | None = None) -> None:
        added = added or {}
        self.added_required = NodeSelector(added[REQUIRED]) if added.get(REQUIRED) is not None else None
        self.added_preferred = PreferredTerms(added[PREFERRED]) if added.get(PREFERRED) else None

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Node", ADD | UPDATE_NODE_LABEL), self.after_node_change

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        spec = pod.spec
        required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED)
        if required is None and self.added_required is None and not spec.get("nodeSelector"):
            return None, SKIPPED
        state.data[self.name] = RequiredNodeAffinity(spec)
        terms = (required or {}).get("nodeSelectorTerms") or ()
        names = _only_nodes(terms) if terms else None
        if names is not None and not names:
            return None, unresolvable(CONFLICT)
        return names, None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if self.added_required is not None and not self.added_required.matches(node.labels, node.name):
            return self.enforced
        return None if state.data[self.name].matches(node.labels, node.name) else self.rejection

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        terms = ((pod.spec.get("affinity") or {}).get("nodeAffinity") or {}).get(PREFERRED)
        if terms is None and self.added_preferred is None:
            return SKIPPED
        state.data[self.name + "/score"] = PreferredTerms(terms or ())
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        preferred: PreferredTerms = state.data[self.name + "/score"]
        count = preferred.score(node.labels, node.name)
        if self.added_preferred is not None:
            count += self.added_preferred.score(node.labels, node.name)
        return count

    def normalize(self, state: CycleState, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        return normalize(scores)

    def after_node_change(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """A node came to match."""
        if new is None or (self.added_required is not None and not self.added_required.matches(*_identity(new))):
            return False
        required = RequiredNodeAffinity(pod.spec)
        return required.matches(*_identity(new)) and (old is None or not required.matches(*_identity(old)))


def _identity(node: Object) -> tuple[dict[str, str], str]:
    return node["metadata"].get("labels") or {}, node["metadata"]["name"]


def _only_nodes(terms: Iterable[Object]) -> frozenset[str] | None:
    """The nodes that the terms name, where each of them names some."""
    names: frozenset[str] = frozenset()
    for term in terms:
        named: frozenset[str] | None = None
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In":
                values = frozenset(field.get("values") or ())
                named = values if named is None else named & values
        if named is None:
            return None
        names |= named
    return names
