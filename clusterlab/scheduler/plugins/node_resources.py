"""NodeResourcesFit and NodeResourcesBalancedAllocation: room on nodes.

Follows pkg/scheduler/framework/plugins/noderesources (fit.go, resource_allocation.go, least_allocated.go, most_allocated.go,
requested_to_capacity_ratio.go, balanced_allocation.go). Extended resources backed by device classes (DRA) are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from clusterlab.scheduler.events import (
    ADD,
    DELETE,
    UPDATE_NODE_ALLOCATABLE,
    UPDATE_POD_SCALE_DOWN,
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
from clusterlab.scheduler.plugins.helper import broken_linear, memo_prefix
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.resources import allocatable, is_extended, is_scalar, pod_requests, rounded
from clusterlab.scheduler.snapshot import Snapshot

__all__ = ["NodeResourcesBalancedAllocation", "NodeResourcesFit", "ResourceSpec"]

MAX_UTILIZATION = 100
MAX_CUSTOM_SCORE = 10
NO_RESOURCES: tuple[int, int, int] = (0, 0, 0)
Scorer = Callable[[Sequence[int], Sequence[int]], int]


class ResourceSpec(NamedTuple):
    """A resource that counts in scoring, and how much."""

    name: str
    weight: int = 1


DEFAULT_RESOURCES = (ResourceSpec("cpu"), ResourceSpec("memory"))


# Filtering.


class NodeResourcesFit(Plugin):
    """Filters nodes without room for what the pod requests; scores by how much would be left (or used)."""

    name = "NodeResourcesFit"
    local = True

    def __init__(
        self, strategy: str = "LeastAllocated", resources: Sequence[ResourceSpec] = DEFAULT_RESOURCES,
        shape: Sequence[tuple[int, int]] = (), ignored: Iterable[str] = (), ignored_groups: Iterable[str] = (),
    ) -> None:
        self.resources = tuple(resources)
        self.ignored, self.ignored_groups = frozenset(ignored), frozenset(ignored_groups)
        weights = [resource.weight for resource in self.resources]
        self.scorer: Scorer = {
            "LeastAllocated": lambda: _weighted(_least_requested, weights),
            "MostAllocated": lambda: _weighted(_most_requested, weights),
            "RequestedToCapacityRatio": lambda: _ratio(shape, weights),
        }[strategy]()
        self._memo = memo_prefix("fit")
        self._plain = strategy == "LeastAllocated" and self.resources == DEFAULT_RESOURCES

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Pod", DELETE | UPDATE_POD_SCALE_DOWN), after_pod_event
        yield ClusterEvent("Node", ADD | UPDATE_NODE_ALLOCATABLE), self.after_node_change

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        want = pod.resources
        # The common case first, without building anything.
        if (
            len(node.pods) < node.alloc_pods and want.cpu <= node.alloc_cpu - node.cpu
            and want.memory <= node.alloc_memory - node.memory and not want.scalars
            and (not want.ephemeral or want.ephemeral <= node.alloc_ephemeral - node.ephemeral)
        ):
            return None
        return self._insufficient(pod, node)

    def _insufficient(self, pod: PodInfo, node: NodeInfo) -> Status | None:
        want = pod.resources
        reasons = ["Too many pods"] if len(node.pods) + 1 > node.alloc_pods else []
        hopeless = False
        for name, amount, used, capacity in (
            ("cpu", want.cpu, node.cpu, node.alloc_cpu), ("memory", want.memory, node.memory, node.alloc_memory),
            ("ephemeral-storage", want.ephemeral, node.ephemeral, node.alloc_ephemeral), *self._scalars(pod, node),
        ):
            if 0 < amount > capacity - used:
                reasons.append(f"Insufficient {name}")
                hopeless = hopeless or amount > capacity
        if not reasons:
            return None
        return (unresolvable if hopeless else unschedulable)(*reasons, plugin=self.name)

    def _scalars(self, pod: PodInfo, node: NodeInfo) -> Iterable[tuple[str, int, int, int]]:
        for name, amount in pod.resources.scalars.items():
            if is_extended(name) and (name in self.ignored or name.partition("/")[0] in self.ignored_groups):
                continue
            yield name, amount, node.scalars.get(name, 0), node.alloc_scalars.get(name, 0)

    # Scoring.

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        if not self._plain:
            state.data[self.name] = _pod_amounts(pod, self.resources, non_missing=True)
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        amounts = state.data.get(self.name)
        if amounts is None:
            amounts = _pod_amounts(pod, self.resources, non_missing=True)
        requested, _, capacity = _amounts(node, self.resources, amounts, non_zero=True)
        return self.scorer(requested, capacity)

    def score_all(self, state: CycleState, pod: PodInfo, nodes: Sequence[NodeInfo]) -> list[int]:
        key = self._memo + pod.local_key
        scores: list[int] = []
        plain = self._plain and not pod.spec.get("resources")
        for node in nodes:
            known = node.memo.get(key)
            if known is None:
                known = node.memo[key] = _plain_least(pod, node) if plain else self.score(state, pod, node)
            scores.append(known)
        return scores

    def after_node_change(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """A node came with room, or grew in something that the pod wants."""
        if new is None:
            return False
        node = NodeInfo("", new)
        if NodeResourcesFit._insufficient(self, pod, node) is not None:
            return False
        return old is None or _grew(pod, old, new)


def _grew(pod: PodInfo, old: Object, new: Object) -> bool:
    before, after, want = allocatable(old), allocatable(new), pod.resources
    if after.pods > before.pods:
        return True
    return (
        (want.cpu > 0 and after.cpu > before.cpu) or (want.memory > 0 and after.memory > before.memory)
        or (want.ephemeral > 0 and after.ephemeral > before.ephemeral)
        or any(n > 0 and after.scalars.get(k, 0) > before.scalars.get(k, 0) for k, n in want.scalars.items())
    )


def after_pod_event(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A pod left a node, or now asks for less."""
    if new is None:
        return old is not None and bool(old["spec"].get("nodeName") or (old.get("status") or {}).get("nominatedNodeName"))
    if new["metadata"].get("uid") == pod.uid:
        return True
    if old is None or not new["spec"].get("nodeName"):
        return False
    before, after = pod_requests(old, use_status=True), pod_requests(new, use_status=True)
    wanted = pod_requests(pod.pod)
    return any(amount and before.get(name, 0) > after.get(name, 0) for name, amount in wanted.items())


# Scoring.


def _pod_amounts(pod: PodInfo, resources: Sequence[ResourceSpec], non_missing: bool) -> list[int]:
    # The scorer of NodeResourcesFit is made without the feature of pod-level resources (fit.go, getScorer), so it does not see them.
    asked = pod_requests(pod.pod, non_missing=non_missing, use_status=True, pod_level=not non_missing)
    return [rounded(resource.name, asked.get(resource.name, 0)) for resource in resources]


def _amounts(
    node: NodeInfo, resources: Sequence[ResourceSpec], asked: Sequence[int], non_zero: bool
) -> tuple[list[int], list[int], list[int]]:
    """Requested with the pod, requested without it, and capacity, for each resource; zeros for what does not count."""
    requested, allocated, capacity = [], [], []
    for resource, amount in zip(resources, asked, strict=True):
        have, used, _ = NO_RESOURCES if not amount and is_scalar(resource.name) else _of_node(node, resource.name, non_zero)
        if have == 0:
            used = amount = 0
        capacity.append(have)
        allocated.append(used)
        requested.append(used + amount)
    return requested, allocated, capacity


def _of_node(node: NodeInfo, name: str, non_zero: bool) -> tuple[int, int, int]:
    if name == "cpu":
        return node.alloc_cpu, node.non0_cpu if non_zero else node.cpu, 0
    if name == "memory":
        return node.alloc_memory, node.non0_memory if non_zero else node.memory, 0
    if name == "ephemeral-storage":
        return node.alloc_ephemeral, node.ephemeral, 0
    if name in node.alloc_scalars:
        return node.alloc_scalars[name], node.scalars.get(name, 0), 0
    return NO_RESOURCES


def _plain_least(pod: PodInfo, node: NodeInfo) -> int:
    """LeastAllocated over CPU and memory of equal weight: the default, spelt out."""
    want = pod.resources
    score = weights = 0
    if node.alloc_cpu:
        weights += 1
        left = node.alloc_cpu - node.non0_cpu - want.non0_cpu
        if left > 0:
            score += left * MAX_NODE_SCORE // node.alloc_cpu
    if node.alloc_memory:
        weights += 1
        left = node.alloc_memory - node.non0_memory - want.non0_memory
        if left > 0:
            score += left * MAX_NODE_SCORE // node.alloc_memory
    return score // weights if weights else 0


def _weighted(one: Callable[[int, int], int], weights: Sequence[int]) -> Scorer:
    def scorer(requested: Sequence[int], capacity: Sequence[int]) -> int:
        total = weight_sum = 0
        for i, have in enumerate(capacity):
            if have:
                total += one(requested[i], have) * weights[i]
                weight_sum += weights[i]
        return total // weight_sum if weight_sum else 0

    return scorer


def _least_requested(requested: int, capacity: int) -> int:
    return 0 if requested > capacity else (capacity - requested) * MAX_NODE_SCORE // capacity


def _most_requested(requested: int, capacity: int) -> int:
    return min(requested, capacity) * MAX_NODE_SCORE // capacity


def _ratio(shape: Sequence[tuple[int, int]], weights: Sequence[int]) -> Scorer:
    function = broken_linear([(at, score * (MAX_NODE_SCORE // MAX_CUSTOM_SCORE)) for at, score in shape])

    def scorer(requested: Sequence[int], capacity: Sequence[int]) -> int:
        total = weight_sum = 0
        for i, have in enumerate(capacity):
            if not have:
                continue
            used = MAX_UTILIZATION if requested[i] > have else requested[i] * MAX_UTILIZATION // have
            score = function(used)
            if score > 0:
                total += score * weights[i]
                weight_sum += weights[i]
        # math.Round: halves away from zero.
        return math.floor(total / weight_sum + 0.5) if weight_sum else 0

    return scorer


class NodeResourcesBalancedAllocation(Plugin):
    """Prefers nodes whose resources would be used more evenly with the pod than without it."""

    name = "NodeResourcesBalancedAllocation"

    def __init__(self, resources: Sequence[ResourceSpec] = DEFAULT_RESOURCES) -> None:
        self.resources = tuple(resources)
        self._memo = memo_prefix("balance")
        self._plain = [resource.name for resource in self.resources] == ["cpu", "memory"]

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        want = pod.resources
        amounts = [want.cpu, want.memory] if self._plain else _pod_amounts(pod, self.resources, non_missing=False)
        if not any(amounts):
            return SKIPPED
        state.data[self.name] = amounts
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        requested, allocated, capacity = _amounts(node, self.resources, state.data[self.name], non_zero=False)
        half = MAX_NODE_SCORE // 2
        return half + (half + _balance(requested, capacity) - _balance(allocated, capacity)) // 2

    def score_all(self, state: CycleState, pod: PodInfo, nodes: Sequence[NodeInfo]) -> list[int]:
        key = self._memo + pod.local_key
        scores: list[int] = []
        for node in nodes:
            known = node.memo.get(key)
            if known is None:
                known = node.memo[key] = self.score(state, pod, node)
            scores.append(known)
        return scores


def _balance(requested: Sequence[int], capacity: Sequence[int]) -> int:
    """100 less the standard deviation of the fractions used, in percent."""
    fractions = [min(used / have, 1.0) for used, have in zip(requested, capacity, strict=True) if have]
    deviation = 0.0
    if len(fractions) == 2:
        deviation = abs((fractions[0] - fractions[1]) / 2)
    elif len(fractions) > 2:
        total = squares = 0.0
        for fraction in fractions:
            total += fraction
        mean = total / len(fractions)
        for fraction in fractions:
            squares += (fraction - mean) * (fraction - mean)
        deviation = math.sqrt(squares / len(fractions))
    return int((1 - deviation) * MAX_NODE_SCORE)
