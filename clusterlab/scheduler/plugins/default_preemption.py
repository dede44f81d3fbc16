"""DefaultPreemption: makes room for a pod by evicting less important ones.

Follows pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go and
pkg/scheduler/framework/preemption/preemption.go. It only finds out what to evict; the scheduler does it. Preemption by pod groups
is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from clusterlab.scheduler.cycle import Cycle
from clusterlab.scheduler.decision import fit_error
from clusterlab.scheduler.events import DELETE, ClusterEvent, Hint
from clusterlab.scheduler.framework import (
    UNRESOLVABLE,
    UNSCHEDULABLE,
    CycleState,
    NodeToStatus,
    Object,
    Plugin,
    PostFilterResult,
    Status,
    unresolvable,
    unschedulable,
)
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo, start_time_of
from clusterlab.scheduler.selectors import label_selector
from clusterlab.scheduler.snapshot import Listers, Snapshot

__all__ = ["Candidate", "DefaultPreemption", "pick_one"]

UNHELPFUL = unresolvable("Preemption is not helpful for scheduling")
NO_VICTIMS = unresolvable("No preemption victims found for incoming pod")
#: Added to every priority, so that sums of priorities grow with each pod even where priorities are negative.
PRIORITY_OFFSET = 2**31


class Candidate(NamedTuple):
    """A node where the pod would fit without the victims (the most important one first)."""

    node: str
    victims: tuple[PodInfo, ...]
    violations: int


class DefaultPreemption(Plugin):
    """Its PostFilter looks for the node where evicting pods of lower priority does the least harm."""

    name = "DefaultPreemption"

    def __init__(self, listers: Listers, min_candidates_percentage: int = 10, min_candidates_absolute: int = 100) -> None:
        self.listers = listers
        self.min_candidates_percentage = min_candidates_percentage
        self.min_candidates_absolute = min_candidates_absolute

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Pod", DELETE), lambda pod, old, new: False

    def post_filter(
        self, state: CycleState, pod: PodInfo, snapshot: Snapshot, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        refusal = not_eligible(pod, snapshot, statuses)
        if refusal:
            return None, unschedulable(f"preemption: {refusal}")
        potential = statuses.nodes_with(UNSCHEDULABLE, snapshot.nodes)
        candidates, why_not = self.candidates(state, pod, potential)
        if not candidates:
            why_not.absent = UNHELPFUL
            text = fit_error(len(snapshot.nodes), "", why_not, "")
            return PostFilterResult(""), unschedulable(f"preemption: {text}")
        assert state.cycle is not None
        best = pick_one(candidates, state.cycle.now())
        return PostFilterResult(best.node, tuple(victim.pod for victim in best.victims)), None

    def candidates(
        self, state: CycleState, pod: PodInfo, potential: Sequence[NodeInfo]
    ) -> tuple[list[Candidate], NodeToStatus]:
        """Tries the nodes one by one, from a random one on, until there are enough candidates (DryRunPreemption)."""
        statuses = NodeToStatus()
        total = len(potential)
        if not total:
            return [], statuses
        cycle = state.cycle
        assert cycle is not None
        budgets = list(self.listers.store("poddisruptionbudgets").values())
        enough = min(max(total * self.min_candidates_percentage // 100, self.min_candidates_absolute), total)
        offset = cycle.rng.randint(0, total - 1)
        harmless: list[Candidate] = []
        violating: list[Candidate] = []
        age = {key: i for i, key in enumerate(self.listers.store("pods"))}
        for i in range(total):
            node = potential[(offset + i) % total]
            found = select_victims(cycle, state.clone(), pod, node.clone(), budgets, age)
            if isinstance(found, Status):
                statuses.by_node[node.name] = found
                continue
            (violating if found.violations else harmless).append(found)
            if harmless and len(harmless) + len(violating) >= enough:
                break
        return harmless + violating, statuses


def not_eligible(pod: PodInfo, snapshot: Snapshot, statuses: NodeToStatus) -> str:
    """Why a pod may not preempt others; "" if it may."""
    if pod.spec.get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    nominated = (pod.pod.get("status") or {}).get("nominatedNodeName")
    if nominated and statuses.get(nominated).code != UNRESOLVABLE and nominated in snapshot.by_name:
        for other in snapshot.by_name[nominated].pods.values():
            if other.priority < pod.priority and _terminating_by_preemption(other.pod):
                return "not eligible due to a terminating pod on the nominated node."
    return ""


def _terminating_by_preemption(pod: Object) -> bool:
    if not pod["metadata"].get("deletionTimestamp"):
        return False
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "DisruptionTarget":
            return bool(condition.get("status") == "True" and condition.get("reason") == "PreemptionByScheduler")
    return False


def select_victims(
    cycle: Cycle, state: CycleState, pod: PodInfo, node: NodeInfo, budgets: Sequence[Object], age: Mapping[str, int]
) -> Candidate | Status:
    """The fewest pods of lower priority without which the pod fits on the node. `state` and `node` are copies to try on; `age`
    tells in which order pods were made, which decides between equals, as the order in which Kubernetes came to know them does."""
    lower = [other for other in node.pods.values() if other.priority < pod.priority]
    if not lower:
        return NO_VICTIMS
    age = {other.key: age.get(other.key, i) for i, other in enumerate(lower)}

    def remove(other: PodInfo) -> None:
        node.remove(other.key)
        cycle.tell_removed(state, pod, other, node)

    for other in lower:
        remove(other)
    status = cycle.fits(state, pod, node)
    if status is not None:
        return status
    victims: list[PodInfo] = []
    violations = 0
    now = cycle.now()
    lower.sort(key=lambda other: _importance(other, now, age))
    violating, harmless = split_by_budgets(lower, budgets)
    # Spare as many as fit, the ones whose budget would be violated first.
    for i, other in enumerate([*violating, *harmless]):
        node.add(other)
        cycle.tell_added(state, pod, other, node)
        if cycle.fits(state, pod, node) is not None:
            remove(other)
            victims.append(other)
            violations += i < len(violating)
    if not victims:
        return Status("Error", (f'expected at least one victim pod on node "{node.name}"',))
    victims.sort(key=lambda other: _importance(other, now, age))
    return Candidate(node.name, tuple(victims), violations)


def _importance(pod: PodInfo, now: str, age: Mapping[str, int]) -> tuple[int, str, int]:
    """Sorts the more important pod first: higher priority, then started earlier, then made earlier. Of pods that have not started the
    one made last comes first: Kubernetes takes the moment of the comparison for their start, and sorts by insertion."""
    start, order = start_time_of(pod.pod), age[pod.key]
    return -pod.priority, start or now, order if start else -order


def split_by_budgets(pods: Iterable[PodInfo], budgets: Sequence[Object]) -> tuple[list[PodInfo], list[PodInfo]]:
    """Pods whose eviction would violate a PodDisruptionBudget, and those whose eviction would not; order is kept."""
    allowed = [(budget.get("status") or {}).get("disruptionsAllowed", 0) for budget in budgets]
    selectors = [label_selector((budget.get("spec") or {}).get("selector")) for budget in budgets]
    violating: list[PodInfo] = []
    harmless: list[PodInfo] = []
    for pod in pods:
        violated = False
        for i, budget in enumerate(budgets):
            if not pod.labels or budget["metadata"].get("namespace") != pod.namespace:
                continue
            if selectors[i].empty or not selectors[i].matches(pod.labels):
                continue
            if pod.pod["metadata"]["name"] in ((budget.get("status") or {}).get("disruptedPods") or {}):
                continue  # its disruption was counted already
            allowed[i] -= 1
            violated = violated or allowed[i] < 0
        (violating if violated else harmless).append(pod)
    return violating, harmless


def pick_one(candidates: Sequence[Candidate], now: str) -> Candidate:
    """The candidate that does the least harm (pickOneNodeForPreemption): by budgets violated, highest priority among the victims,
    sum of their priorities, their number, and how long the most important ones have been running."""
    left = list(candidates)
    for harm in (
        lambda c: c.violations,
        lambda c: c.victims[0].priority,
        lambda c: sum(victim.priority + PRIORITY_OFFSET for victim in c.victims),
        lambda c: len(c.victims),
    ):
        least = min(harm(c) for c in left)
        left = [c for c in left if harm(c) == least]
        if len(left) == 1:
            return left[0]
    return max(left, key=lambda c: _earliest_start(c, now))


def _earliest_start(candidate: Candidate, now: str) -> str:
    highest = max(victim.priority for victim in candidate.victims)
    return min(start_time_of(victim.pod) or now for victim in candidate.victims if victim.priority == highest)
