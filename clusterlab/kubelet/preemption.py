"""A critical pod for which a node has no room pushes others out.

Follows pkg/kubelet/preemption/preemption.go (HandleAdmissionFailure, getPodsToPreempt). There the kubelet waits for each of them to end;
here the critical pod is admitted in the round after the last one has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.kubelet import eviction
from clusterlab.kubelet.records import SYNC, Pod
from clusterlab.kubelet.resources import Amounts, pod_requests, qos_class

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

__all__ = ["NoRoom", "make_room", "to_preempt"]

MESSAGE = "Preempted in order to admit critical pod"
WHY = "Pod was preempted by Kubelet to accommodate a critical pod."


class NoRoom(Exception):
    """There are no pods whose end would make enough room."""


def _left(needs: Amounts, pods: list[Amounts]) -> Amounts:
    """What is still missing once some pods are gone."""
    rest = {name: needed - sum(each.get(name, 0) for each in pods) for name, needed in needs.items()}
    return {name: missing for name, missing in rest.items() if missing > 0}


def _distance(needs: Amounts, pod: Amounts) -> float:
    return sum(((needed - pod.get(name, 0)) / needed) ** 2 for name, needed in needs.items() if needed > pod.get(name, 0))


def _nearest(pods: list[Amounts], needs: Amounts) -> list[Amounts]:
    """The pods to end, each time the one that comes nearest to what is missing, of two the one that asked for less."""
    pods, chosen = list(pods), []
    while needs:
        if not pods:
            raise NoRoom(_shown(needs))
        best, nearest = 0, float(len(needs) + 1)
        for at, each in enumerate(pods):
            far = _distance(needs, each)
            if far < nearest or (far == nearest and _smaller(each, pods[best])):
                best, nearest = at, far
        chosen.append(pods[best])
        needs = _left(needs, [pods[best]])
        pods[best] = pods[-1]
        pods.pop()
    return chosen


def _smaller(one: Amounts, other: Amounts) -> bool:
    for name in ("memory", "cpu"):
        if one.get(name, 0) != other.get(name, 0):
            return one.get(name, 0) < other.get(name, 0)
    return True


def _shown(needs: Amounts) -> str:
    return "[" + "".join(f"(res: {name}, q: {missing}), " for name, missing in needs.items()) + "]"


def to_preempt(pods: dict[str, list[Amounts]], needs: Amounts) -> list[Amounts]:
    """Which pods have to go, given as what they ask for, by their quality of service: fewest Guaranteed, then Burstable, then BestEffort
    ones. The answer holds the very objects that were given. Raises NoRoom."""
    best_effort, burstable, guaranteed = (pods.get(each, []) for each in ("BestEffort", "Burstable", "Guaranteed"))
    missing = _left(needs, [*best_effort, *burstable, *guaranteed])
    if missing:
        raise NoRoom(_shown(missing))
    first = _nearest(guaranteed, _left(needs, [*best_effort, *burstable]))
    second = _nearest(burstable, _left(needs, [*best_effort, *first]))
    third = _nearest(best_effort, _left(needs, [*second, *first]))
    return [*third, *second, *first]


def _preemptable(by: Pod) -> Callable[[Pod], bool]:
    mine = by.pod["spec"].get("priority")

    def may(rec: Pod) -> bool:
        theirs = rec.pod["spec"].get("priority")
        return not eviction.is_critical(rec) or (mine is not None and theirs is not None and mine > theirs)

    return may


def make_room(kl: Kubelet, critical: Pod, needs: Amounts) -> tuple[str, ...]:
    """Ends the pods that stand in the way of a critical one; the answer is their uids. Raises NoRoom."""
    may = _preemptable(critical)
    by_class: dict[str, list[Amounts]] = {}
    asked: list[tuple[Amounts, Pod]] = []
    for rec in kl.pods.values():
        if rec.stage == SYNC and rec.uid != critical.uid and may(rec):
            requests = {**pod_requests(rec.pod), "pods": 1}
            asked.append((requests, rec))
            by_class.setdefault(qos_class(rec.pod), []).append(requests)
    chosen = to_preempt(by_class, needs)
    victims = [rec for requests, rec in asked if any(requests is each for each in chosen)]
    for rec in victims:
        if not rec.failed[0]:
            kl.event(rec, "Warning", "Preempting", MESSAGE)
            eviction.fail(kl, rec, "Preempting", MESSAGE, -1, WHY)
    return tuple(rec.uid for rec in victims)
