"""kube-scheduler: takes pods without a node from its queue, one a step, and binds each to the node that suits it best.

Follows pkg/scheduler (scheduler.go, schedule_one.go): the scheduling cycle runs within the step, and so does the binding, unless a
plugin has to wait for volumes before it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from clusterlab.client.api import Api, User
from clusterlab.client.informer import by_namespace
from clusterlab.client.leaderelection import ElectedProcess
from clusterlab.client.process import Part, Process
from clusterlab.machinery.errors import StatusError
from clusterlab.scheduler.binding import Binding
from clusterlab.scheduler.cache import Cache
from clusterlab.scheduler.config import SchedulerConfig, profiles
from clusterlab.scheduler.cycle import schedule
from clusterlab.scheduler.decision import Decision
from clusterlab.scheduler.explain import explain_binding, explain_failure, name_of, scheduling_notes
from clusterlab.scheduler.framework import ERROR, UNSCHEDULABLE
from clusterlab.scheduler.handlers import Handlers
from clusterlab.scheduler.log import DecisionLog
from clusterlab.scheduler.plugins.volume_binding import VolumePlan
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.profile import Profile
from clusterlab.scheduler.queue import Queued, SchedulingQueue
from clusterlab.scheduler.recorder import SchedulingRecorder
from clusterlab.scheduler.registry import Handle
from clusterlab.scheduler.snapshot import Listers
from clusterlab.scheduler.status import condition_patch, victim_patch
from clusterlab.sim import Simulation

Object = dict[str, Any]

__all__ = ["Scheduler", "SchedulerProcess", "scheduler"]

USER = User("system:kube-scheduler", ("system:authenticated",))
#: What plugins read beside nodes and pods.
LISTED = (
    "namespaces", "services", "replicasets", "statefulsets", "replicationcontrollers", "persistentvolumeclaims",
    "persistentvolumes", "storageclasses", "csinodes", "csidrivers", "csistoragecapacities", "volumeattachments",
    "poddisruptionbudgets", "resourceclaims", "deviceclasses", "resourceslices",
)


class Scheduler(Part):
    """The scheduler. `active` tells whether it is the leader among its replicas; while it is not, its queue only fills.

    State: the queue, assumed pods, where the search for nodes begins next, pods that wait to be bound, the last decisions."""

    STATE = ("active", "scheduled", "start", "waiting", "backoff_timer", "flush_timer")

    def __init__(self, process: Process, config: SchedulerConfig) -> None:
        super().__init__(process, f"{process.name}/scheduler")
        self.config = config
        self.informers = {name: self.informer(name) for name in ("nodes", *LISTED, "pods")}
        self.informers["services"].add_index("namespace", by_namespace)
        self.listers = Listers(informers=self.informers)
        self.handle = Handle(self.listers, self.client.bind, self.client)
        self.profiles = profiles(config, self.handle)
        self.recorder = SchedulingRecorder(self)
        self.rng = self.sim.rng(process.name)
        self.active = True
        self.binding = Binding(self)
        Handlers(self).register()
        self._stale: dict[str, Any] | None = None
        self._empty()

    def _empty(self) -> None:
        self._cache = Cache(self.listers)
        self._queue = SchedulingQueue(
            self.profiles, lambda: self.sim.time_ms, lambda: self.sim.cause,
            initial_backoff_s=self.config.pod_initial_backoff_s, max_backoff_s=self.config.pod_max_backoff_s,
        )
        self.log = DecisionLog()
        self.recorder.series = {}
        self.scheduled = False
        self.start = 0
        #: Pods that have a node and wait for their volumes: key -> (node, queue entry, deadline in ms, what is to be bound).
        self.waiting: dict[str, tuple[str, Queued, int, VolumePlan]] = {}
        self.handle.volumes.written = {}
        self.backoff_timer: tuple[int, ...] = ()  # (due in ms, handle)
        self.flush_timer = 0
        self._stale = None

    @property
    def queue(self) -> SchedulingQueue:
        self._rebuild()
        return self._queue

    @property
    def cache(self) -> Cache:
        self._rebuild()
        return self._cache

    # Life.

    def reset(self) -> None:
        self._empty()

    def stopped(self) -> None:
        self._empty()

    def set_active(self, active: bool) -> None:
        """Leader election: this replica leads from now on, or no longer."""
        self.active = active
        self.arm()

    def arm(self) -> None:
        """Sees to it that the next pod is tried, and that waits end."""
        queue = self.queue
        if self.active and not self.scheduled and queue.ready:
            self.scheduled = True
            self.after(0, "work", because=queue.next_cause())
        now = self.sim.time_ms
        if queue.backoff:
            due = queue.backoff_due_ms() or now
            if not self.backoff_timer or due < self.backoff_timer[0]:
                if self.backoff_timer:
                    self.sim.cancel(self.backoff_timer[1])
                self.backoff_timer = (due, self.after(due - now, "backoff", idle=True))
        if queue.unschedulable and not self.flush_timer:
            flush_due = queue.flush_due_ms()
            if flush_due is not None:
                self.flush_timer = self.after(flush_due - now, "flush", idle=True)

    def on_backoff(self) -> None:
        """The first back-off is over."""
        self.backoff_timer = ()
        self.queue.flush_backoff()
        self.arm()

    def on_flush(self) -> None:
        """Pods may have waited for five minutes in vain."""
        self.flush_timer = 0
        self.queue.flush_unschedulable()
        self.arm()

    # Scheduling.

    def on_work(self) -> None:
        """Tries the next pod."""
        self.scheduled = False
        queue = self.queue
        if not self.active:
            return
        entry = queue.pop()
        if entry is None:
            return
        self.sim.because(entry.cause)
        pod = queue.pods.get(entry.key)
        profile = self.profiles.get(entry.profile)
        if pod is not None and profile is not None and entry.key not in self.cache.assumed:
            try:
                self._schedule_one(entry, pod, profile)
            except Exception as error:  # a fault of ours with one pod must not stop the others
                said = self.sim.fail(self.process.name, "schedule", error)
                self.failed(entry, pod, ERROR, said, (), None)
                if self.sim.current is not None:
                    self.sim.current.explain = said
        self.arm()

    def _schedule_one(self, entry: Queued, pod: PodInfo, profile: Profile) -> None:
        step = self.begin("schedule", f"pods/{pod.key}", actor=self.process.name)
        if pod.terminating:
            self.event(pod.pod, "Warning", "FailedScheduling", "Scheduling", f"skip schedule deleting pod: {pod.key}")
            step.explain = f"{self.process.name} leaves {name_of(pod)} alone: it is being deleted."
            return
        decision = schedule(
            pod, self.cache.fresh(), profile, self.rng, nominated=self.queue.nominator.by_node, start=self.start,
            percentage=self.config.percentage_of_nodes_to_score, now=self.sim.now_rfc3339,
        )
        if decision.next_start is not None:
            self.start = decision.next_start
        self.log.keep(decision, step.seq, step.time_ms)
        if decision.chosen:
            step.explain = explain_binding(self.process.name, name_of(pod), decision)
            self.binding.place(entry, pod, profile, decision)
        else:
            step.explain = explain_failure(self.process.name, name_of(pod), decision)
            self._preempt(pod, decision)
            self.failed(entry, pod, decision.code, decision.message, decision.rejecting, decision.nominated)
        self.sim.note(self.process.name, scheduling_notes(decision, self.queue))

    def on_bind(self, key: str) -> None:
        """Tries again to bind a pod that waits for its volumes."""
        self.binding.again(key)

    # Failing.

    def failed(
        self, entry: Queued, pod: PodInfo, code: str, message: str, rejecting: tuple[str, ...], nominated: str | None
    ) -> None:
        """Puts the pod back and tells why (handleSchedulingFailure)."""
        current = self.informers["pods"].get(pod.key)
        if current is None or (current["metadata"].get("uid") or pod.key) != pod.uid or current["spec"].get("nodeName"):
            self.queue.delete(pod.key)
        else:
            if current is not pod.pod:
                pod = self.queue.pods[pod.key] = PodInfo(current)
            self.queue.requeue_failed(entry, rejecting)
            if nominated is not None:
                self.queue.nominator.nominate(pod, nominated)
        reason = "SchedulerError" if code == ERROR else UNSCHEDULABLE
        self.event(pod.pod, "Warning", "FailedScheduling", "Scheduling", message)
        patch = condition_patch(current or pod.pod, reason, message, nominated, self.sim.now_rfc3339())
        if patch is not None:
            self.patch_status(pod.pod, patch)

    def _preempt(self, pod: PodInfo, decision: Decision) -> None:
        """Evicts the victims and takes back nominations to the node by pods of lower priority (actuatePodPreemption)."""
        node = decision.nominated
        if not decision.victims or not node:
            return
        for other in list(self.queue.nominator.by_node.get(node, ())):
            if other.priority < pod.priority and other.pod.get("status", {}).get("nominatedNodeName"):
                self.patch_status(other.pod, {"status": {"nominatedNodeName": None}})
        name = pod.spec.get("schedulerName") or "default-scheduler"
        for victim in decision.victims:
            if victim["metadata"].get("deletionTimestamp"):
                continue
            meta = victim["metadata"]
            patch = victim_patch(victim, f"{name}: preempting to accommodate a higher priority pod", self.sim.now_rfc3339())
            try:
                self.client.patch("pods", meta["namespace"], meta["name"], patch, "strategic", "status")
                self.client.delete("pods", meta["namespace"], meta["name"])
            except StatusError:
                continue  # it is gone, or will be found again in the next cycle
            note = f"Preempted by pod {pod.uid} on node {node}"
            self.event(victim, "Normal", "Preempted", "Preempting", note, related=pod.pod)

    def patch_status(self, pod: Object, patch: Object) -> None:
        meta = pod["metadata"]
        with suppress(StatusError):  # the next attempt tells it again
            self.client.patch("pods", meta["namespace"], meta["name"], patch, "strategic", "status")

    def event(self, pod: Object, kind: str, reason: str, action: str, note: str, related: Object | None = None) -> None:
        name = pod["spec"].get("schedulerName") or "default-scheduler"
        if related is not None:
            name = related["spec"].get("schedulerName") or "default-scheduler"
        self.recorder.event(pod, kind, reason, action, note, controller=name, related=related)

    # What others may ask.

    def decision_of(self, key: str) -> Object | None:
        """The last decision about a pod (`namespace/name`); None when none is remembered."""
        return self.log.told(key)

    # State.

    def checkpoint(self) -> dict[str, Any]:
        untouched = self._stale  # restored, and nobody has asked for anything since
        return {
            **super().checkpoint(),
            "queue": untouched["queue"] if untouched else self._queue.checkpoint(),
            "cache": untouched["cache"] if untouched else self._cache.checkpoint(),
            "log": self.log.checkpoint(), "series": self.recorder.series.copy(),
            "volumes": self.handle.volumes.written.copy(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        self._empty()
        super().restore(data)
        self.log.restore(data["log"])
        self.handle.volumes.written = dict(data["volumes"])
        self.recorder.series = {key: tuple(value) for key, value in data["series"].items()}
        self._stale = data

    def _rebuild(self) -> None:
        """Builds queue and cache from a checkpoint when they are first wanted: going through checkpoints stays cheap."""
        data, self._stale = self._stale, None
        if data is None:
            return
        pods = self.informers["pods"].store
        self._cache.rebuild(data["cache"], self.informers["nodes"].store, pods)
        self._queue.restore(data["queue"], pods.get)


class SchedulerProcess(ElectedProcess):
    """The program kube-scheduler, with its one part. Of several replicas the one that holds the lease works."""

    def __init__(self, sim: Simulation, name: str, api: Api, config: Object | None, leader_elect: bool = True) -> None:
        super().__init__(sim, name, api, USER)
        self.leader_elect = leader_elect
        self.scheduler = Scheduler(self, SchedulerConfig.parse(config))

    def start(self) -> None:
        if self.leader_elect:
            super().start()
        else:
            Process.start(self)

    def decision_of(self, key: str) -> Object | None:
        """The last decision about a pod (`namespace/name`); None when none is remembered."""
        return self.scheduler.decision_of(key)


def scheduler(
    sim: Simulation, api: Api, name: str = "kube-scheduler", config: Object | None = None, leader_elect: bool = False
) -> SchedulerProcess:
    """Builds the process of a scheduler; `config` is a KubeSchedulerConfiguration, None for the defaults. With `leader_elect` it
    works while it holds the lease kube-scheduler."""
    return SchedulerProcess(sim, name, api, config, leader_elect)
