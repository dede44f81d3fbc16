"""The StatefulSet controller: pods with names, in order, each with its own claims.

Follows pkg/controller/statefulset/stateful_set.go and stateful_set_control.go; `statefulset_pods` follows stateful_set_utils.go,
`statefulset_claims` stateful_pod_control.go. maxUnavailable is honoured where the API server lets it through.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.history import Collision
from clusterlab.controllers.objects import (
    Object,
    Objects,
    available_in_ms,
    by_controller,
    controller_of,
    deleting,
    key_of,
    manager_key,
    phase,
    pod_ready,
    replicas,
    scaled_value,
    status_count,
)
from clusterlab.controllers.refmanager import Claims
from clusterlab.controllers.replicaset import replica_state
from clusterlab.controllers.statefulset_claims import PodControl
from clusterlab.controllers.statefulset_pods import (
    REVISION,
    Revisions,
    belongs,
    created,
    end_ordinal,
    new_versioned_pod,
    ordinal,
    start_ordinal,
)
from clusterlab.machinery import errors
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import from_object as selector_of
from clusterlab.sim.words import counted

__all__ = ["StatefulSetController"]

#: Replicas that are planned and made in one pass. Kubernetes makes all at once; here a step stays short, and the next pass goes on.
BURST_REPLICAS = 50
COUNTS = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas")


class Stop(Exception):
    """Nothing more may be done to the set until something changes."""


class StatefulSetController(BaseController):
    """Reconciles StatefulSets."""

    resource = "statefulsets"
    controller_name = component = "statefulset-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.sets = self.informer("statefulsets")
        self.pods = self.informer("pods")
        self.claims = self.informer("persistentvolumeclaims")
        self.revisions = self.informer("controllerrevisions")
        self.revisions.add_index("controller", by_controller)
        self.pods.add_index("controller", by_controller)
        self.sets.on_change(self.set_changed)
        self.pods.on_change(self.pod_changed)

    # Handlers.

    def set_changed(self, old: Object | None, new: Object | None) -> None:
        self.enqueue_object(old, new)

    def owner_key(self, pod: Object) -> str | None:
        """The key of the StatefulSet that manages a pod."""
        return manager_key(pod, "StatefulSet", self.sets)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if not self.sets.store:
            return
        if old is not None and new is not None and replica_state(old) == replica_state(new):
            return
        for pod in (old, new):
            key = self.owner_key(pod) if pod is not None else None
            if key is not None:
                self.enqueue(key)
        if new is not None and controller_of(new) is None:
            for each in self.sets.list(new["metadata"]["namespace"]):
                selector = selector_of(each["spec"].get("selector"))
                if not selector.empty and selector.matches(new["metadata"].get("labels")):
                    self.enqueue(key_of(each))

    # Reconciling.

    def reconcile(self, key: str) -> None:
        found = self.sets.get(key)
        if found is None:
            return
        revisions = Revisions(self, found)
        try:
            revisions.find()
        except Collision as collision:
            status = {**(found.get("status") or {})}
            status["collisionCount"] = status.get("collisionCount", 0) + 1
            self.client.update_status("statefulsets", {**found, "status": status})
            raise errors.already_exists("controllerrevisions", "apps", str(collision)) from None
        pods = self.claim(found)
        sync = SetSync(self, found, revisions, pods)
        refused: StatusError | None = None
        try:
            sync.run()
        except Stop:
            pass
        except StatusError as error:
            refused = error
        self.write_status(found, sync.status())
        revisions.truncate(pods)
        self.note(desired=replicas(found), observed=len(pods))
        if refused is not None:
            raise refused
        self._check_availability(key, found, pods)

    def claim(self, owner: Object) -> Objects:
        """The set's pods, after adoption and release: only pods with its names."""
        meta = owner["metadata"]
        known = self.pods.indexed("controller", meta["uid"]) + self.pods.indexed("controller", "orphan/" + meta["namespace"])
        mine = [pod for pod in known if controller_of(pod) is not None or belongs(owner, pod)]
        selector = selector_of(owner["spec"].get("selector"))
        return Claims(self, owner, "statefulsets", "apps/v1", "StatefulSet", selector, "pods").claim(mine)

    def write_status(self, owner: Object, status: Object) -> None:
        before = owner.get("status") or {}
        watched = ("currentRevision", "updateRevision", "observedGeneration", *COUNTS)
        if all(before.get(name, 0) == status.get(name, 0) for name in watched) and "replicas" in before:
            return
        if before.get("conditions"):
            status["conditions"] = before["conditions"]
        self.client.update_status("statefulsets", {**owner, "status": status})
        step = self.sim.current
        if step is not None and not step.explain:
            step.explain = (
                f"The StatefulSet {owner['metadata']['name']} now reports {status.get('readyReplicas', 0)} of "
                f"{counted(replicas(owner), 'pod')} ready."
            )

    def _check_availability(self, key: str, owner: Object, pods: Objects) -> None:
        """Comes back when a ready pod has been ready for long enough."""
        min_ready_s = owner["spec"].get("minReadySeconds", 0)
        waits = [available_in_ms(pod, min_ready_s, self.now_ms) for pod in pods] if min_ready_s else []
        left = [wait for wait in waits if wait]
        if left:
            self.queue.add_after(key, min(left))


class SetSync:
    """One pass over a StatefulSet: its replicas in order, the condemned in reverse, then the rollout."""

    def __init__(self, by: StatefulSetController, owner: Object, revisions: Revisions, pods: Objects) -> None:
        self.by, self.owner, self.revisions = by, owner, revisions
        self.control = PodControl(by, owner)
        self.monotonic = owner["spec"].get("podManagementPolicy", "OrderedReady") != "Parallel"
        self.min_ready_s = owner["spec"].get("minReadySeconds", 0)
        self.start = start_ordinal(owner)
        present = {ordinal(pod): pod for pod in pods if self.start <= ordinal(pod) <= end_ordinal(owner)}
        self.replicas: Objects = []
        planned = 0
        for number in range(self.start, end_ordinal(owner) + 1):
            planned += number not in present
            if planned > BURST_REPLICAS:
                break
            self.replicas.append(present.get(number) or new_versioned_pod(owner, revisions, number))
        self.cut = planned > BURST_REPLICAS
        if self.cut:
            self.replicas += [present[number] for number in sorted(present) if number > ordinal(self.replicas[-1])]
        strays = [pod for pod in pods if ordinal(pod) >= 0 and not self.start <= ordinal(pod) <= end_ordinal(owner)]
        self.condemned = sorted(strays, key=ordinal, reverse=True)
        self.current_lost = 0
        self.first_unavailable = next((pod for pod in self.replicas + self.condemned[::-1] if self.unavailable(pod)), None)

    def unavailable(self, pod: Object) -> bool:
        """Whether a replica does not count: missing, not ready for long enough, or going."""
        return deleting(pod) or available_in_ms(pod, self.min_ready_s, self.by.now_ms) != 0

    def run(self) -> None:
        if deleting(self.owner):
            return
        for place in range(len(self.replicas)):
            self._replica(place)
        for pod in self.condemned:
            self.control.match_retention(pod)
        for pod in self.condemned:
            self._condemned(pod)
        strategy = self.owner["spec"].get("updateStrategy") or {}
        if self.cut:
            return  # pods that are missing come before a rollout
        if strategy.get("type", "RollingUpdate") == "RollingUpdate":
            self._roll(strategy.get("rollingUpdate") or {})

    def _replica(self, place: int) -> None:
        pod = self.replicas[place]
        if phase(pod) in ("Failed", "Succeeded"):
            if not deleting(pod):
                self.control.delete(pod)
            raise Stop
        if not created(pod):
            if self.control.claim_is_stale(pod):
                raise Stop
            self.replicas[place] = self.control.create(pod)
            if self.monotonic:
                raise Stop
            return
        if phase(pod) == "Pending":
            self.control.create_missing_claims(pod)
        waits = deleting(pod) or phase(pod) != "Running" or not pod_ready(pod) \
            or available_in_ms(pod, self.min_ready_s, self.by.now_ms) != 0
        if waits and self.monotonic:
            raise Stop
        self.control.update(pod)

    def _condemned(self, pod: Object) -> None:
        if deleting(pod):
            if self.monotonic:
                raise Stop
            return
        well = phase(pod) == "Running" and pod_ready(pod) and not self.unavailable(pod)
        if not well and self.monotonic and pod is not self.first_unavailable:
            raise Stop
        self.control.delete(pod)
        if self.monotonic:
            raise Stop

    def _roll(self, rolling: Object) -> None:
        """Replaces pods of older revisions from the highest ordinal down to the partition."""
        partition, update = rolling.get("partition") or 0, self.revisions.update_name
        limit = 1
        if rolling.get("maxUnavailable") is not None:
            limit = max(1, scaled_value(rolling["maxUnavailable"], len(self.replicas), False))
        missing = sum(self.unavailable(pod) for pod in self.replicas) if limit > 1 else 0
        for target in range(len(self.replicas) - 1, partition - 1, -1):
            pod = self.replicas[target]
            old = (pod["metadata"].get("labels") or {}).get(REVISION) != update
            if limit > 1:
                if missing >= limit:
                    return
                if old and not deleting(pod):
                    missing += not self.unavailable(pod)
                    self.control.delete(pod)
                    self.current_lost += 1
                continue
            if old and not deleting(pod):
                self.control.delete(pod)
                self.current_lost += 1
                return
            if self.unavailable(pod):
                return

    def status(self) -> Object:
        """The status that follows from the pods as they are now."""
        counts = dict.fromkeys(COUNTS, 0)
        current, update = self.revisions.current_name, self.revisions.update_name
        for pod in self.replicas + self.condemned:
            if not created(pod):
                continue
            counts["replicas"] += 1
            if phase(pod) == "Running" and pod_ready(pod):
                counts["readyReplicas"] += 1
                counts["availableReplicas"] += available_in_ms(pod, self.min_ready_s, self.by.now_ms) == 0
            if not deleting(pod):
                revision = (pod["metadata"].get("labels") or {}).get(REVISION)
                counts["currentReplicas"] += revision == current
                counts["updatedReplicas"] += revision == update
        counts["currentReplicas"] -= min(self.current_lost, counts["currentReplicas"])
        wanted = replicas(self.owner)
        strategy = self.owner["spec"].get("updateStrategy") or {}
        done = counts["updatedReplicas"] == counts["readyReplicas"] == counts["replicas"] == wanted
        if done and strategy.get("type", "RollingUpdate") == "RollingUpdate":
            counts["currentReplicas"], current = counts["updatedReplicas"], update
        status: Object = {name: value for name, value in counts.items() if value or name in ("replicas", "availableReplicas")}
        status["currentRevision"], status["updateRevision"] = current, update
        status["collisionCount"] = status_count(self.owner, "collisionCount")
        status["observedGeneration"] = self.owner["metadata"].get("generation", 0)
        return status
