"""InterPodAffinity: pods that want to be near others, or far from them.

Follows pkg/scheduler/framework/plugins/interpodaffinity (filtering.go, scoring.go, plugin.go). Matches are counted per node and
remembered there, so that a cycle only counts again on nodes where something has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from clusterlab.scheduler.events import ADD, DELETE, UPDATE_NODE_LABEL, UPDATE_POD_LABEL, ClusterEvent, Hint
from clusterlab.scheduler.framework import (
    MAX_NODE_SCORE,
    SKIPPED,
    CycleState,
    Object,
    Plugin,
    Status,
    unresolvable,
    unschedulable,
)
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import AffinityTerm, PodInfo
from clusterlab.scheduler.snapshot import Listers, Snapshot

__all__ = ["InterPodAffinity"]

NO_LABELS: dict[str, str] = {}
Pairs = dict[tuple[str, str], int]  # (topology key, value) -> count
Sums = tuple[tuple[str, int], ...]  # (topology key, count) on one node


class Affinity:
    """What filtering needs to know: matching pods by topology pair."""

    __slots__ = ("affinity", "affinity_terms", "anti_affinity", "anti_terms", "existing_anti", "namespace_labels")

    def __init__(
        self, affinity_terms: Sequence[AffinityTerm], anti_terms: Sequence[AffinityTerm], namespace_labels: Mapping[str, str]
    ) -> None:
        self.affinity_terms = affinity_terms
        self.anti_terms = anti_terms
        self.namespace_labels = namespace_labels
        self.affinity: Pairs = {}
        self.anti_affinity: Pairs = {}
        self.existing_anti: Pairs = {}

    def clone(self) -> Affinity:
        other = Affinity(self.affinity_terms, self.anti_terms, self.namespace_labels)
        other.affinity, other.anti_affinity = self.affinity.copy(), self.anti_affinity.copy()
        other.existing_anti = self.existing_anti.copy()
        return other

    def shift(self, pod: PodInfo, other: PodInfo, node: NodeInfo, delta: int) -> None:
        """Another pod comes to a node, or leaves it."""
        for term in other.anti_affinity:
            if term.matches(pod, self.namespace_labels):
                _tally(self.existing_anti, node, term.topology_key, delta)
        if matches_all(self.affinity_terms, other):
            for term in self.affinity_terms:
                _tally(self.affinity, node, term.topology_key, delta)
        for term in self.anti_terms:
            if term.matches(other, NO_LABELS):
                _tally(self.anti_affinity, node, term.topology_key, delta)


class InterPodAffinity(Plugin):
    """Filters by required terms, its own and those of pods that are there; scores by preferred ones."""

    name = "InterPodAffinity"
    no_affinity = unresolvable("node(s) didn't match pod affinity rules", plugin=name)
    anti = unschedulable("node(s) didn't match pod anti-affinity rules", plugin=name)
    existing = unschedulable("node(s) didn't satisfy existing pods anti-affinity rules", plugin=name)

    def __init__(self, listers: Listers, hard_weight: int = 1, ignore_preferred_of_existing: bool = False) -> None:
        self.listers = listers
        self.hard_weight = hard_weight
        self.ignore_preferred_of_existing = ignore_preferred_of_existing

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Pod", ADD | UPDATE_POD_LABEL | DELETE), after_pod_change
        yield ClusterEvent("Node", ADD | UPDATE_NODE_LABEL), after_node_change

    def _namespace_labels(self, pod: PodInfo) -> Mapping[str, str]:
        found = self.listers.get("namespaces", pod.namespace)
        return (found["metadata"].get("labels") or NO_LABELS) if found is not None else NO_LABELS

    def _resolved(self, terms: Iterable[AffinityTerm]) -> tuple[AffinityTerm, ...]:
        return tuple(term.resolved(self.listers.store("namespaces")) for term in terms)

    # Filtering.

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        if not snapshot.with_anti_affinity and not pod.affinity and not pod.anti_affinity:
            return None, SKIPPED
        labels = self._namespace_labels(pod)
        found = Affinity(self._resolved(pod.affinity), self._resolved(pod.anti_affinity), labels)
        key = f"anti-of-existing/{pod.labels_key}/{labels}"
        for node in snapshot.with_anti_affinity.values():
            _spread(found.existing_anti, node, _remembered(node, key, lambda n: _existing_anti(n, pod, labels)))
        if found.affinity_terms:
            key = "affinity/" + "/".join(term.key for term in found.affinity_terms)
            for node in snapshot.nodes:
                if node.pods:
                    _spread(found.affinity, node, _remembered(node, key, lambda n: _matching_all(n, found.affinity_terms)))
        if found.anti_terms:
            key = "anti/" + "/".join(term.key for term in found.anti_terms)
            for node in snapshot.nodes:
                if node.pods:
                    _spread(found.anti_affinity, node, _remembered(node, key, lambda n: _matching_each(n, found.anti_terms)))
        if not found.existing_anti and not pod.affinity and not pod.anti_affinity:
            return None, SKIPPED
        state.data[self.name] = found
        return None, None

    def add_pod(self, state: CycleState, pod: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        state.data[self.name].shift(pod, added, node, 1)

    def remove_pod(self, state: CycleState, pod: PodInfo, removed: PodInfo, node: NodeInfo) -> None:
        state.data[self.name].shift(pod, removed, node, -1)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        found: Affinity = state.data[self.name]
        labels = node.labels
        if found.affinity_terms and not _near_enough(found, pod, labels):
            return self.no_affinity
        for term in found.anti_terms:
            value = labels.get(term.topology_key)
            if value is not None and found.anti_affinity.get((term.topology_key, value), 0) > 0:
                return self.anti
        if found.existing_anti:
            for pair in labels.items():
                if found.existing_anti.get(pair, 0) > 0:
                    return self.existing
        return None

    # Scoring.

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        own = bool(pod.preferred_affinity or pod.preferred_anti_affinity)
        if (not own and not snapshot.with_affinity) or (self.ignore_preferred_of_existing and not own):
            return SKIPPED
        labels = self._namespace_labels(pod)
        wanted = self._resolved(pod.preferred_affinity)
        unwanted = self._resolved(pod.preferred_anti_affinity)
        scores: Pairs = {}
        touched = False
        key = f"preferred-of-existing/{self.hard_weight}/{pod.labels_key}/{labels}"
        for node in snapshot.with_affinity.values():
            sums = _remembered(node, key, lambda n: _existing_preferred(n, pod, labels, self.hard_weight))
            touched = _score(scores, node, sums) or touched
        if own:
            key = "preferred/" + "/".join(term.key for term in wanted) + "//" + "/".join(term.key for term in unwanted)
            for node in snapshot.nodes:
                if node.pods:
                    touched = _score(scores, node, _remembered(node, key, lambda n: _preferred(n, wanted, unwanted))) or touched
        if not touched:
            return SKIPPED
        by_key: dict[str, dict[str, int]] = {}
        for (topology_key, value), score in scores.items():
            by_key.setdefault(topology_key, {})[value] = score
        state.data[self.name + "/score"] = by_key
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        total = 0
        for topology_key, values in state.data[self.name + "/score"].items():
            value = node.labels.get(topology_key)
            if value is not None:
                total += values.get(value, 0)
        return total

    def normalize(self, state: CycleState, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        lowest, highest = min(scores), max(scores)
        span = highest - lowest
        if span <= 0:
            return [0] * len(scores)
        return [int(float(MAX_NODE_SCORE) * (float(score - lowest) / float(span))) for score in scores]


def matches_all(terms: Sequence[AffinityTerm], pod: PodInfo) -> bool:
    """Whether a pod matches all the terms; no terms match nothing."""
    return bool(terms) and all(term.matches(pod, NO_LABELS) for term in terms)


def _near_enough(found: Affinity, pod: PodInfo, labels: Mapping[str, str]) -> bool:
    there = True
    for term in found.affinity_terms:
        value = labels.get(term.topology_key)
        if value is None:
            return False
        there = there and found.affinity.get((term.topology_key, value), 0) > 0
    # The first of a group that wants to be near its own kind may go anywhere.
    return there or (not found.affinity and matches_all(found.affinity_terms, pod))


def _tally(pairs: Pairs, node: NodeInfo, topology_key: str, delta: int) -> None:
    value = node.labels.get(topology_key)
    if value is None:
        return
    pair = (topology_key, value)
    count = pairs.get(pair, 0) + delta
    if count:
        pairs[pair] = count
    else:
        pairs.pop(pair, None)


def _spread(pairs: Pairs, node: NodeInfo, sums: Sums) -> None:
    for topology_key, count in sums:
        _tally(pairs, node, topology_key, count)


def _score(pairs: Pairs, node: NodeInfo, sums: Sums) -> bool:
    """Adds up scores; tells whether any term applied, even where they cancel each other out."""
    for topology_key, count in sums:
        pair = (topology_key, node.labels[topology_key])
        pairs[pair] = pairs.get(pair, 0) + count
    return bool(sums)


def _remembered(node: NodeInfo, key: str, compute: Callable[[NodeInfo], dict[str, int]]) -> Sums:
    """Counts by topology key on a node, from its memo if nothing has changed there."""
    known: Sums | None = node.memo.get(key)
    if known is None:
        known = node.memo[key] = tuple(compute(node).items())
    return known


def _existing_anti(node: NodeInfo, pod: PodInfo, namespace_labels: Mapping[str, str]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for other in node.with_anti_affinity.values():
        for term in other.anti_affinity:
            if term.matches(pod, namespace_labels):
                sums[term.topology_key] = sums.get(term.topology_key, 0) + 1
    return sums


def _matching_all(node: NodeInfo, terms: Sequence[AffinityTerm]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for other, count in node.alike.values():
        if matches_all(terms, other):
            for term in terms:
                sums[term.topology_key] = sums.get(term.topology_key, 0) + count
    return sums


def _matching_each(node: NodeInfo, terms: Sequence[AffinityTerm]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for other, count in node.alike.values():
        for term in terms:
            if term.matches(other, NO_LABELS):
                sums[term.topology_key] = sums.get(term.topology_key, 0) + count
    return sums


def _preferred(node: NodeInfo, wanted: Sequence[AffinityTerm], unwanted: Sequence[AffinityTerm]) -> dict[str, int]:
    """The weights of the pod's own terms, for every pod on the node that they mean."""
    sums: dict[str, int] = {}
    for other, count in node.alike.values():
        for terms, sign in ((wanted, count), (unwanted, -count)):
            for term in terms:
                if term.topology_key in node.labels and term.matches(other, NO_LABELS):
                    sums[term.topology_key] = sums.get(term.topology_key, 0) + sign * term.weight
    return sums


def _existing_preferred(
    node: NodeInfo, pod: PodInfo, namespace_labels: Mapping[str, str], hard_weight: int
) -> dict[str, int]:
    """The weights of the terms of pods on the node that mean the pod."""
    sums: dict[str, int] = {}
    for other in node.with_affinity.values():
        weighted = [(term, hard_weight) for term in other.affinity] if hard_weight > 0 else []
        weighted += [(term, term.weight) for term in other.preferred_affinity]
        weighted += [(term, -term.weight) for term in other.preferred_anti_affinity]
        for term, weight in weighted:
            if term.topology_key in node.labels and term.matches(pod, namespace_labels):
                sums[term.topology_key] = sums.get(term.topology_key, 0) + weight
    return sums


# Hints.


def _placed(obj: Object | None) -> bool:
    return obj is None or bool(obj["spec"].get("nodeName") or (obj.get("status") or {}).get("nominatedNodeName"))


def after_pod_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A pod came that this one wants to be near, or went that kept it away."""
    if old is not None and new is not None and new["metadata"].get("uid") == pod.uid:
        return True
    if not _placed(old) or not _placed(new):
        return False
    before = PodInfo(old) if old is not None else None
    after = PodInfo(new) if new is not None else None
    if after is not None:
        near = matches_all(pod.affinity, after)
        if before is None:
            return near
        if near and not matches_all(pod.affinity, before):
            return True
        return matches_all(pod.anti_affinity, before) and not matches_all(pod.anti_affinity, after)
    return before is not None and (matches_all(pod.anti_affinity, before) or matches_all(before.anti_affinity, pod))


def after_node_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A node came, or moved between domains that the pod's terms speak of."""
    before: dict[str, Any] = (old["metadata"].get("labels") or {}) if old is not None else {}
    after: dict[str, Any] = ((new or {}).get("metadata") or {}).get("labels") or {}
    for term in pod.affinity:
        key = term.topology_key
        if key in after and before.get(key) != after[key]:
            return True
    for term in pod.anti_affinity:
        key = term.topology_key
        if old is None or (key in before and before[key] != after.get(key)):
            return True
    return False
