"""PodTopologySpread: keeps the pods of an app even over zones, nodes or whatever label counts.

Follows pkg/scheduler/framework/plugins/podtopologyspread (common.go, filtering.go, scoring.go, plugin.go).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from clusterlab.scheduler.events import (
    ADD,
    DELETE,
    UPDATE_NODE_LABEL,
    UPDATE_NODE_TAINT,
    UPDATE_POD_LABEL,
    UPDATE_POD_TOLERATION,
    ClusterEvent,
    Hint,
)
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
from clusterlab.scheduler.plugins.spread_constraints import (
    HOSTNAME,
    Constraint,
    SpreadConstraints,
    count_again,
    count_key,
    count_matching,
    counter,
)
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.selectors import RequiredNodeAffinity
from clusterlab.scheduler.snapshot import Listers, Snapshot

__all__ = ["PodTopologySpread"]

MANY = 2**31 - 1


class Spread:
    """What filtering needs to know: for each constraint, the matching pods by topology value, and where the fewest are."""

    __slots__ = ("constraints", "counts", "critical", "required")

    def __init__(self, constraints: Sequence[Constraint], required: RequiredNodeAffinity) -> None:
        self.constraints = constraints
        self.required = required
        self.counts: list[dict[str, int]] = [{} for _ in constraints]
        #: Two of the least values of each constraint as (value, count), the least first (criticalPaths).
        self.critical: list[list[tuple[str | None, int]]] = [[(None, MANY), (None, MANY)] for _ in constraints]

    def clone(self) -> Spread:
        other = Spread(self.constraints, self.required)
        other.counts = [counts.copy() for counts in self.counts]
        other.critical = [paths.copy() for paths in self.critical]
        return other

    def find_critical(self) -> None:
        for i, counts in enumerate(self.counts):
            for value, count in counts.items():
                self.update_critical(i, value, count)

    def update_critical(self, i: int, value: str, count: int) -> None:
        paths = self.critical[i]
        at = 0 if paths[0][0] == value else 1 if paths[1][0] == value else -1
        if at >= 0:
            paths[at] = (value, count)
            if paths[0][1] > paths[1][1]:
                paths.reverse()
        elif count < paths[0][1]:
            paths[1], paths[0] = paths[0], (value, count)
        elif count < paths[1][1]:
            paths[1] = (value, count)

    def least(self, i: int) -> int:
        """The fewest matching pods anywhere; 0 while there are fewer domains than the constraint wants."""
        return 0 if len(self.counts[i]) < self.constraints[i].min_domains else self.critical[i][0][1]

    def shift(self, pod: PodInfo, other: PodInfo, node: NodeInfo, delta: int) -> None:
        """Another pod comes to a node, or leaves it."""
        if other.namespace != pod.namespace or not has_all_keys(node, self.constraints):
            return
        for i, constraint in enumerate(self.constraints):
            if constraint.selector.matches(other.labels) and constraint.counts_node(pod, node, self.required):
                value = node.labels[constraint.topology_key]
                self.counts[i][value] = self.counts[i].get(value, 0) + delta
                self.update_critical(i, value, self.counts[i][value])


class PodTopologySpread(Plugin):
    """Filters by hard constraints (DoNotSchedule), scores by soft ones (ScheduleAnyway)."""

    name = "PodTopologySpread"
    no_label = unresolvable("node(s) didn't match pod topology spread constraints (missing required label)", plugin=name)
    rejection = unschedulable("node(s) didn't match pod topology spread constraints", plugin=name)

    def __init__(self, listers: Listers, defaults: Sequence[Object] | None = None) -> None:
        """`defaults`: constraints for pods without any; None stands for the built-in ones."""
        self.rules = SpreadConstraints(listers, defaults)

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Pod", ADD | UPDATE_POD_LABEL | UPDATE_POD_TOLERATION | DELETE), self.after_pod_change
        yield ClusterEvent("Node", ADD | DELETE | UPDATE_NODE_LABEL | UPDATE_NODE_TAINT), self.after_node_change

    # Filtering.

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        constraints = self.rules.of(pod, "DoNotSchedule")
        if not constraints:
            return None, SKIPPED
        spread = Spread(constraints, RequiredNodeAffinity(pod.spec))
        for node in snapshot.nodes:
            if not has_all_keys(node, constraints):
                continue
            for i, constraint in enumerate(constraints):
                if constraint.counts_node(pod, node, spread.required):
                    value = node.labels[constraint.topology_key]
                    counts = spread.counts[i]
                    counts[value] = counts.get(value, 0) + count_matching(node, constraint.selector, pod.namespace)
        spread.find_critical()
        state.data[self.name] = spread
        return None, None

    def add_pod(self, state: CycleState, pod: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        state.data[self.name].shift(pod, added, node, 1)

    def remove_pod(self, state: CycleState, pod: PodInfo, removed: PodInfo, node: NodeInfo) -> None:
        state.data[self.name].shift(pod, removed, node, -1)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        spread: Spread = state.data[self.name]
        for i, constraint in enumerate(spread.constraints):
            value = node.labels.get(constraint.topology_key)
            if value is None:
                return self.no_label
            itself = 1 if constraint.selector.matches(pod.labels) else 0
            if spread.counts[i].get(value, 0) + itself - spread.least(i) > constraint.max_skew:
                return self.rejection
        return None

    # Scoring.

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        constraints = self.rules.of(pod, "ScheduleAnyway")
        if not constraints:
            return SKIPPED
        # The built-in constraints count where a node lacks a zone as well.
        need_all = bool(pod.spec.get("topologySpreadConstraints")) or not self.rules.system_defaulted
        ignored = {node.name for node in nodes if not has_all_keys(node, constraints)} if need_all else set()
        counts: list[dict[str, int]] = [{} for _ in constraints]
        zoned = [(i, c) for i, c in enumerate(constraints) if c.topology_key != HOSTNAME]
        for i, constraint in zoned:
            key = constraint.topology_key
            counts[i] = dict.fromkeys([node.labels.get(key, "") for node in nodes if not ignored or node.name not in ignored], 0)
        sizes = [len(nodes) - len(ignored) if c.topology_key == HOSTNAME else len(counts[i]) for i, c in enumerate(constraints)]
        weights = [math.log(size + 2) for size in sizes]
        # Only values that a candidate has matter; where all have the same, counting is still needed for the score's size.
        required = RequiredNodeAffinity(pod.spec)
        everywhere = required.selector is None and required.affinity is None and not need_all
        for i, constraint in zoned:
            of_value, key, memo_key = counts[i], constraint.topology_key, count_key(constraint.selector, pod.namespace)
            if everywhere and not constraint.honors_taints:
                tally = snapshot.tally(memo_key, key, counter(constraint.selector, pod.namespace))
                counts[i] = {value: tally.get(value, 0) for value in of_value}
                continue
            for node in snapshot.nodes:
                value = node.labels.get(key, "")
                if value not in of_value:
                    continue
                if (not need_all or has_all_keys(node, constraints)) and constraint.counts_node(pod, node, required):
                    count = node.memo.get(memo_key)
                    of_value[value] += count_again(node, constraint.selector, pod.namespace, memo_key) if count is None else count
        state.data[self.name + "/score"] = (constraints, counts, weights, ignored)
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        constraints, counts, weights, ignored = state.data[self.name + "/score"]
        if node.name in ignored:
            return 0
        score = 0.0
        for i, constraint in enumerate(constraints):
            value = node.labels.get(constraint.topology_key)
            if value is None:
                continue
            if constraint.topology_key == HOSTNAME:
                count = count_matching(node, constraint.selector, pod.namespace)
            else:
                count = counts[i][value]
            score += float(count) * weights[i] + float(constraint.max_skew - 1)
        return math.floor(score + 0.5)

    def score_all(self, state: CycleState, pod: PodInfo, nodes: Sequence[NodeInfo]) -> list[int]:
        constraints, counts, weights, ignored = state.data[self.name + "/score"]
        totals = [0.0] * len(nodes)
        for i, constraint in enumerate(constraints):
            weight, base, topology_key = weights[i], float(constraint.max_skew - 1), constraint.topology_key
            if topology_key == HOSTNAME:
                key, selector = count_key(constraint.selector, pod.namespace), constraint.selector
                for at, node in enumerate(nodes):
                    if topology_key in node.labels:
                        count = node.memo.get(key)
                        if count is None:
                            count = count_again(node, selector, pod.namespace, key)
                        totals[at] += float(count) * weight + base
            else:
                worth = {value: float(count) * weight + base for value, count in counts[i].items()}
                for at, node in enumerate(nodes):
                    value = node.labels.get(topology_key)
                    if value is not None:
                        totals[at] += worth.get(value, 0.0)
        floor = math.floor
        if not ignored:
            return [floor(total + 0.5) for total in totals]
        return [0 if node.name in ignored else floor(total + 0.5) for node, total in zip(nodes, totals, strict=True)]

    def normalize(self, state: CycleState, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        ignored = state.data[self.name + "/score"][3]
        counted = [score for node, score in zip(nodes, scores, strict=True) if node.name not in ignored] if ignored else scores
        lowest, highest = min(counted, default=0), max(counted, default=0)
        if highest <= 0:
            return [0 if node.name in ignored else MAX_NODE_SCORE for node in nodes]
        both = highest + lowest
        if not ignored:
            return [MAX_NODE_SCORE * (both - score) // highest for score in scores]
        return [
            0 if node.name in ignored else MAX_NODE_SCORE * (both - score) // highest
            for node, score in zip(nodes, scores, strict=True)
        ]

    # Hints.

    def after_pod_change(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """A pod that counts came, went or changed its labels; or the pod itself got a toleration that matters."""
        if any(obj is not None and not _involved(obj, pod) for obj in (old, new)):
            return False
        constraints = self.rules.of(pod, "DoNotSchedule")
        if old is not None and new is not None:
            if new["metadata"].get("uid") == pod.uid and old["spec"].get("tolerations") != new["spec"].get("tolerations"):
                if any(constraint.honors_taints for constraint in constraints):
                    return True
            before, after = _labels(old), _labels(new)
            return before != after and any(c.selector.matches(before) != c.selector.matches(after) for c in constraints)
        labels = _labels(new if new is not None else old)
        return any(constraint.selector.matches(labels) for constraint in constraints)

    def after_node_change(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """A node came into, left or changed the domains of the constraints."""
        keys = [constraint.topology_key for constraint in self.rules.of(pod, "DoNotSchedule")]
        before = old is not None and all(key in _labels(old) for key in keys)
        after = new is not None and all(key in _labels(new) for key in keys)
        if old is None or new is None:
            return before or after
        if before != after:
            return True
        moved = any(_labels(old).get(key) != _labels(new).get(key) for key in keys)
        return after and (moved or ((old.get("spec") or {}).get("taints") or []) != ((new.get("spec") or {}).get("taints") or []))


def has_all_keys(node: NodeInfo, constraints: Iterable[Constraint]) -> bool:
    """Whether a node has every topology key of the constraints."""
    labels = node.labels
    return all(constraint.topology_key in labels for constraint in constraints)


def _labels(obj: Object | None) -> dict[str, Any]:
    return (obj["metadata"].get("labels") or {}) if obj is not None else {}


def _involved(other: Object, pod: PodInfo) -> bool:
    if other["metadata"].get("uid") == pod.uid:
        return True
    if not other["spec"].get("nodeName") and not (other.get("status") or {}).get("nominatedNodeName"):
        return False
    return bool(other["metadata"].get("namespace", "default") == pod.namespace)
