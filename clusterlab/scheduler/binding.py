"""The binding cycle: what happens between the choice of a node and the pod being bound to it.

Follows assumeAndReserve, bindingCycle and handleBindingCycleError in pkg/scheduler/schedule_one.go. It ends within the step of the
choice, unless volumes have to be bound first: then the pod waits, and is bound in a step of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.scheduler.decision import Decision
from clusterlab.scheduler.events import POD_DELETE
from clusterlab.scheduler.explain import name_of
from clusterlab.scheduler.framework import ERROR, SKIP, WAIT, CycleState, Status
from clusterlab.scheduler.plugins.volume_binding import PLAN, VolumePlan
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.profile import Profile
from clusterlab.scheduler.queue import Queued

if TYPE_CHECKING:
    from clusterlab.scheduler.scheduler import Scheduler

__all__ = ["Binding"]


class Binding:
    """Binds pods for a scheduler; it has no state of its own."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler

    def place(self, entry: Queued, pod: PodInfo, profile: Profile, decision: Decision) -> None:
        """Assumes, reserves and permits; then binds, or waits for the volumes."""
        scheduler = self.scheduler
        node, state = decision.chosen, decision.state
        scheduler.cache.assume(pod, node)
        scheduler.queue.nominator.delete(pod.key)
        for plugin in profile.reserve:
            status = plugin.reserve(state, pod, node)
            if status is not None:
                self._give_up(entry, pod, profile, state, node, status)
                return
        for plugin in profile.permit:
            status = plugin.permit(state, pod, node)
            if status is not None:
                self._give_up(entry, pod, profile, state, node, status)
                return
        self.bind(entry, pod, profile, state, node)

    def bind(self, entry: Queued, pod: PodInfo, profile: Profile, state: CycleState, node: str, deadline_ms: int = 0) -> None:
        """Runs PreBind and Bind. `deadline_ms`: until when volumes may be waited for; 0 when that begins only now."""
        scheduler = self.scheduler
        for plugin in profile.pre_bind:
            status = plugin.pre_bind(state, pod, node)
            if status is None:
                continue
            if status.code == WAIT:
                if deadline_ms and scheduler.sim.time_ms >= deadline_ms:
                    status = Status(ERROR, ("binding volumes: context deadline exceeded",))
                else:
                    self._wait(entry, pod, node, deadline_ms, state.data[PLAN])
                    return
            prefixed = Status(ERROR, (f'running PreBind plugin "{plugin.name}": {status.message}',), plugin.name)
            self._give_up(entry, pod, profile, state, node, prefixed)
            return
        scheduler.waiting.pop(pod.key, None)
        for plugin in profile.bind:
            status = plugin.bind(state, pod, node)
            if status is None:
                break
            if status.code != SKIP:
                text = f'running Bind plugin "{plugin.name}": {status.message}'
                self._give_up(entry, pod, profile, state, node, Status(ERROR, (text,), plugin.name))
                return
        step = scheduler.sim.current
        if step is not None:
            step.verb = "bind"
        scheduler.queue.pods.pop(pod.key, None)
        scheduler.event(pod.pod, "Normal", "Scheduled", "Binding", f"Successfully assigned {pod.key} to {node}")

    def _wait(self, entry: Queued, pod: PodInfo, node: str, deadline_ms: int, plan: VolumePlan) -> None:
        """Keeps a pod until its volumes are bound; looked at again when claims change, or too much time has passed."""
        scheduler = self.scheduler
        if not deadline_ms:
            binding: Any = scheduler.profiles[entry.profile].plugins["VolumeBinding"]
            timeout_ms = binding.timeout_s * 1_000
            deadline_ms = scheduler.sim.time_ms + timeout_ms
            scheduler.after(timeout_ms, "bind", pod.key, idle=True)
            scheduler.patch_status(pod.pod, {"status": {"nominatedNodeName": node}})
            step = scheduler.sim.current
            if step is not None:
                step.explain = f"{scheduler.process.name} has chosen {node} for {name_of(pod)} and waits for its volumes there."
        scheduler.waiting[pod.key] = (node, entry, deadline_ms, plan)

    def again(self, key: str) -> None:
        """Tries again to bind a pod that waits for its volumes."""
        scheduler = self.scheduler
        found = scheduler.waiting.get(key)
        pod = scheduler.cache.pod_on(key)
        if found is None or pod is None or key not in scheduler.cache.assumed:
            scheduler.waiting.pop(key, None)
            return
        node, entry, deadline_ms, plan = found
        entry = Queued(*entry)
        profile = scheduler.profiles[entry.profile]
        state = CycleState()
        state.data[PLAN] = VolumePlan(*plan)
        ready = not any(_waits(plugin.pre_bind(state, pod, node)) for plugin in profile.pre_bind)
        if not ready and scheduler.sim.time_ms < deadline_ms:
            return
        scheduler.begin("bind", f"pods/{key}", actor=scheduler.process.name).explain = (
            f"{scheduler.process.name} binds {name_of(pod)} to {node}, where its volumes are ready now."
            if ready else f"{scheduler.process.name} gives up on {node} for {name_of(pod)}: its volumes were not ready in time."
        )
        self.bind(entry, pod, profile, state, node, deadline_ms)
        scheduler.arm()

    def _give_up(
        self, entry: Queued, pod: PodInfo, profile: Profile, state: CycleState, node: str, status: Status
    ) -> None:
        """The pod cannot be bound there after all (handleBindingCycleError)."""
        scheduler = self.scheduler
        for plugin in reversed(profile.reserve):
            plugin.unreserve(state, pod, node)
        scheduler.waiting.pop(pod.key, None)
        scheduler.cache.forget(pod.key)
        placed = {**pod.pod, "spec": {**pod.pod["spec"], "nodeName": node}}
        scheduler.queue.move_all(POD_DELETE, placed, None)  # what it was to take is free again
        step = scheduler.sim.current
        if step is not None:
            step.explain = f"{scheduler.process.name} could not bind {name_of(pod)} to {node}: {status.message}."
        scheduler.failed(entry, pod, status.code, status.message, (status.plugin,) if status.rejected else (), "")


def _waits(status: Status | None) -> bool:
    return status is not None and status.code == WAIT
