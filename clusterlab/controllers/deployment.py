"""The Deployment controller: keeps ReplicaSets of old and new pod templates at the sizes that a rollout asks for.

Follows pkg/controller/deployment/deployment_controller.go, rolling.go, recreate.go and rollback.go. `deployment_sync` holds what
sync.go does with ReplicaSets, `deployment_status` what progress.go tells, `deployment_math` the arithmetic.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers import deployment_math as math
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.deployment_rollback import rollback, rollback_revision
from clusterlab.controllers.deployment_status import check_paused, sync_rollout_status, sync_status
from clusterlab.controllers.deployment_sync import Rollout, cleanup, find_sets, scale, scale_set
from clusterlab.controllers.objects import (
    Object,
    Objects,
    by_controller,
    controller_of,
    deleting,
    finished,
    key_of,
    replicas,
    status_count,
)
from clusterlab.controllers.refmanager import Claims
from clusterlab.machinery.labels import from_object as selector_of

__all__ = ["DeploymentController"]

#: Statuses of a Deployment whose pods come up in a burst are written at most this often.
BURST_MS = 20
BURST_MS_PER_100_PODS = 15


class DeploymentController(BaseController):
    """Reconciles Deployments."""

    resource = "deployments"
    controller_name = component = "deployment-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.deployments = self.informer("deployments")
        self.sets = self.informer("replicasets")
        self.pods = self.informer("pods")
        self.sets.add_index("controller", by_controller)
        self.pods.add_index("controller", by_controller)
        self.deployments.on_change(self.enqueue_object)
        self.sets.on_change(self.set_changed)
        self.pods.on_change(self.pod_changed)

    # Handlers.

    def set_changed(self, old: Object | None, new: Object | None) -> None:
        owner_before = self.owner_of(old) if old is not None else None
        owner = self.owner_of(new) if new is not None else None
        for key in dict.fromkeys((owner_before, owner)):
            if key is not None:
                self.enqueue(key)
        if new is not None and owner is None and controller_of(new) is None and not deleting(new):
            for d in self.selecting(new):
                self.enqueue(key_of(d))

    def owner_of(self, rs: Object) -> str | None:
        """The key of the Deployment that manages a ReplicaSet."""
        ref = controller_of(rs)
        if ref is None or ref["kind"] != "Deployment":
            return None
        key = f"{rs['metadata']['namespace']}/{ref['name']}"
        d = self.deployments.get(key)
        return key if d is not None and d["metadata"]["uid"] == ref["uid"] else None

    def selecting(self, rs: Object) -> Objects:
        """The Deployments whose selector matches a ReplicaSet."""
        labels = rs["metadata"].get("labels")
        if not labels:
            return []
        found = []
        for d in self.deployments.list(rs["metadata"]["namespace"]):
            selector = selector_of(d["spec"].get("selector"))
            if not selector.empty and selector.matches(labels):
                found.append(d)
        return found

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        """A Recreate rollout goes on when the last old pod is gone."""
        if new is not None or old is None:
            return
        ref = controller_of(old)
        if ref is None or ref["kind"] != "ReplicaSet":
            return
        rs = self.sets.get(f"{old['metadata']['namespace']}/{ref['name']}")
        key = self.owner_of(rs) if rs is not None and rs["metadata"]["uid"] == ref["uid"] else None
        if key is None or math.is_rolling(self.deployments.store[key]):
            return
        uid = self.deployments.store[key]["metadata"]["uid"]
        if not any(self.pods.indexed("controller", each["metadata"]["uid"]) for each in self.sets.indexed("controller", uid)):
            self.enqueue(key)

    # Reconciling.

    def reconcile(self, key: str) -> None:
        d = self.deployments.get(key)
        if d is None:
            self.busy_until.pop(key, None)
            return
        if d["spec"].get("selector") == {}:
            self.selecting_all(d)
            return
        rollout = Rollout(self, d, self.claim(d))
        self.sync(rollout)
        self.note(desired=replicas(d), observed=status_count(rollout.d, "replicas"))
        step = self.sim.current
        if step is not None and step.requests:
            self.busy(key, BURST_MS + BURST_MS_PER_100_PODS * replicas(d) // 100)

    def sync(self, rollout: Rollout) -> None:
        """One pass over a Deployment."""
        d = rollout.d
        if deleting(d):
            find_sets(rollout, create=False)
            sync_status(rollout)
            return
        check_paused(rollout)
        if d["spec"].get("paused"):
            self.sync_sizes(rollout)
        elif rollback_revision(d) is not None:
            rollback(rollout)
        elif self.is_scaling(rollout):
            self.sync_sizes(rollout)
        elif math.is_rolling(d):
            roll(rollout)
        else:
            recreate(rollout)

    def selecting_all(self, d: Object) -> None:
        self.record(d, "Warning", "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required.")
        generation = d["metadata"].get("generation", 0)
        if status_count(d, "observedGeneration") < generation:
            self.client.update_status("deployments", {**d, "status": {**d.get("status", {}), "observedGeneration": generation}})

    def claim(self, d: Object) -> Objects:
        """The ReplicaSets of a Deployment, after adoption and release."""
        meta = d["metadata"]
        known = self.sets.indexed("controller", meta["uid"]) + self.sets.indexed("controller", "orphan/" + meta["namespace"])
        selector = selector_of(d["spec"].get("selector"))
        return Claims(self, d, "deployments", "apps/v1", "Deployment", selector, "replicasets").claim(known)

    def is_scaling(self, rollout: Rollout) -> bool:
        """Whether the Deployment's size changed since its ReplicaSets were last told."""
        find_sets(rollout, create=False)
        for rs in math.active_sets(rollout.all_sets):
            desired = math.desired_annotation(rs)
            if desired is not None and desired != replicas(rollout.d):
                return True
        return False

    def sync_sizes(self, rollout: Rollout) -> None:
        """Scales without rolling out: on a change of size, or while paused."""
        find_sets(rollout, create=False)
        scale(rollout)
        if rollout.d["spec"].get("paused") and rollback_revision(rollout.d) is None:
            cleanup(rollout)
        sync_status(rollout)


def roll(rollout: Rollout) -> None:
    """A rolling update: up with the new ReplicaSet if there is room, otherwise down with the old ones."""
    find_sets(rollout, create=True)
    if not scale_up_new(rollout) and not scale_down_old(rollout) and math.complete(rollout.d, rollout.d.get("status") or {}):
        cleanup(rollout)
    sync_rollout_status(rollout)


def scale_up_new(rollout: Rollout) -> bool:
    """Grows the new ReplicaSet as far as the surge allows."""
    new_set, wanted = rollout.the_new_set, replicas(rollout.d)
    size = replicas(new_set)
    if size == wanted:
        return False
    target = wanted if size > wanted else math.new_replicas(rollout.d, rollout.all_sets, new_set)
    return scale_set(rollout, new_set, target)


def scale_down_old(rollout: Rollout) -> bool:
    """Shrinks the old ReplicaSets as far as availability allows, those with unhealthy pods first."""
    d, olds, new_set = rollout.d, math.active_sets(rollout.old_sets), rollout.the_new_set
    if not olds:
        return False
    minimum = replicas(d) - math.max_unavailable(d)
    unavailable = replicas(new_set) - status_count(new_set, "availableReplicas")
    room = sum(map(replicas, rollout.all_sets)) - minimum - unavailable
    if room <= 0:
        return False
    done = 0
    for rs in math.by_creation(olds):  # unhealthy replicas first: they'd block the rollout and losing them costs nothing
        if done >= room:
            break
        unhealthy = replicas(rs) - status_count(rs, "availableReplicas")
        if unhealthy == 0:
            continue
        count = min(room - done, unhealthy)
        scale_set(rollout, rs, replicas(rs) - count)
        done += count
    return done + _scale_down_available(rollout, minimum) > 0


def _scale_down_available(rollout: Rollout, minimum: int) -> int:
    available = sum(status_count(rs, "availableReplicas") for rs in rollout.all_sets)
    room, done = available - minimum, 0
    for rs in math.by_creation(math.active_sets(rollout.old_sets)):
        if done >= room:
            break
        count = min(replicas(rs), room - done)
        scale_set(rollout, rs, replicas(rs) - count)
        done += count
    return done


def recreate(rollout: Rollout) -> None:
    """All old pods go before the first new one comes."""
    find_sets(rollout, create=False)
    scaled = [scale_set(rollout, rs, 0) for rs in math.active_sets(rollout.old_sets)]
    if any(scaled) or old_pods_running(rollout):
        sync_rollout_status(rollout)
        return
    if rollout.new_set is None:
        find_sets(rollout, create=True)
    scale_set(rollout, rollout.the_new_set, replicas(rollout.d))
    if math.complete(rollout.d, rollout.d.get("status") or {}):
        cleanup(rollout)
    sync_rollout_status(rollout)


def old_pods_running(rollout: Rollout) -> bool:
    """Whether pods of old ReplicaSets are still there."""
    if any(status_count(rs, "replicas") for rs in rollout.old_sets):
        return True
    pods = rollout.by.pods
    return any(not finished(pod) for rs in rollout.old_sets for pod in pods.indexed("controller", rs["metadata"]["uid"]))
