"""SchedulingGates: pods wait until their gates are lifted. Follows pkg/scheduler/framework/plugins/schedulinggates."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.scheduler.events import UPDATE_POD_GATES, ClusterEvent, Hint
from clusterlab.scheduler.framework import Object, Plugin, Status, unresolvable
from clusterlab.scheduler.podinfo import PodInfo

__all__ = ["SchedulingGates"]


class SchedulingGates(Plugin):
    """Keeps pods with spec.schedulingGates out of the active queue."""

    name = "SchedulingGates"

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Pod", UPDATE_POD_GATES), after_gates_lifted

    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        gates = pod.spec.get("schedulingGates")
        if not gates:
            return None
        names = " ".join(gate["name"] for gate in gates)
        return unresolvable(f"waiting for scheduling gates: [{names}]", plugin=self.name)


def after_gates_lifted(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """The pod itself lost its last gate."""
    return new is not None and new["metadata"].get("uid") == pod.uid
