"""The ReplicaSet controller: as many pods as wanted, no more and no fewer. ReplicationControllers share its code.

Follows pkg/controller/replicaset/replica_set.go and replica_set_utils.go.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.expectations import Expectations
from clusterlab.controllers.objects import (
    Object,
    Objects,
    by_controller,
    condition_of,
    controller_of,
    controller_ref,
    deleting,
    finished,
    key_of,
    manager_key,
    replicas,
    unix_ms,
    without_condition,
)
from clusterlab.controllers.podcontrol import create_pod, delete_pod, namespace_terminating, pod_from_template
from clusterlab.controllers.ranking import pods_to_delete
from clusterlab.controllers.refmanager import Claims
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import Selector
from clusterlab.machinery.labels import from_object as selector_of
from clusterlab.sim.words import counted

__all__ = ["ReplicaSetController"]

#: At most this many pods are created or deleted in one reconcile: a step is to stay a few milliseconds of work, and something that can be
#: watched. (Kubernetes has 500 here; the outcome is the same.)
BURST_REPLICAS = 50
#: While pods come up in a burst, the status is written at most this often.
BURST_MS = 20
BURST_MS_PER_100_PODS = 15


def replica_state(pod: Object) -> tuple[Any, ...]:
    """What a ReplicaSet sees of a pod: a change of anything else is none of its business."""
    meta, status = pod["metadata"], pod.get("status") or {}
    ready = None
    for condition in status.get("conditions") or ():
        if condition["type"] == "Ready":
            ready = (condition["status"], condition.get("lastTransitionTime"))
            break
    return status.get("phase"), ready, meta.get("deletionTimestamp"), meta.get("labels"), meta.get("ownerReferences")


class ReplicaSetController(BaseController):
    """Reconciles ReplicaSets."""

    resource = "replicasets"
    controller_name = component = "replicaset-controller"
    api_version, kind = "apps/v1", "ReplicaSet"
    counts_terminating = True

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.sets = self.informer(self.resource)
        self.pods = self.informer("pods")
        self.sets.add_index("controller", by_controller)
        self.pods.add_index("controller", by_controller)
        self.sets.on_change(self.set_changed)
        self.pods.on_change(self.pod_changed)

    def clear(self) -> None:
        super().clear()
        self.expectations = Expectations(self)

    def selector(self, rs: Object) -> Selector:
        """The selector of a ReplicaSet."""
        return selector_of(rs["spec"].get("selector"))

    # Handlers.

    def set_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or new["metadata"]["uid"] != old["metadata"]["uid"]):
            self.expectations.forget(key_of(old))
        self.enqueue_object(old, new)

    def owner_key(self, pod: Object) -> str | None:
        """The key of the ReplicaSet that manages a pod."""
        return manager_key(pod, self.kind, self.sets)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            assert old is not None
            self.pod_gone(old)
        elif deleting(new):
            if old is None or not deleting(old) or replica_state(old) != replica_state(new):
                self.pod_gone(new)
        elif old is None:
            self.pod_added(new)
        elif replica_state(old) != replica_state(new):
            self.pod_updated(old, new)

    def pod_gone(self, pod: Object) -> None:
        key = self.owner_key(pod)
        if key is not None:
            self.expectations.deleted(key, key_of(pod))
            self.enqueue(key)

    def pod_added(self, pod: Object) -> None:
        key = self.owner_key(pod)
        if key is not None:
            self.expectations.created(key)
            self.enqueue(key)
        elif controller_of(pod) is None:
            self.enqueue_matching(pod)

    def pod_updated(self, old: Object, new: Object) -> None:
        key, before = self.owner_key(new), self.owner_key(old)
        if before is not None and before != key:
            self.enqueue(before)
        if key is not None:
            self.enqueue(key)
        elif controller_of(new) is None:
            self.enqueue_matching(new)

    def enqueue_matching(self, pod: Object) -> None:
        """An orphan: whoever selects it may adopt it."""
        meta = pod["metadata"]
        labels = meta.get("labels")
        if not labels:
            return
        for rs in self.sets.list(meta["namespace"]):
            selector = self.selector(rs)
            if not selector.empty and selector.matches(labels):
                self.enqueue(key_of(rs))

    # Reconciling.

    def reconcile(self, key: str) -> None:
        rs = self.sets.get(key)
        if rs is None:
            self.expectations.forget(key)
            self.busy_until.pop(key, None)
            return
        wait_ms = self.expectations.wait_ms(key)
        uid, namespace = rs["metadata"]["uid"], rs["metadata"]["namespace"]
        owned = self.pods.indexed("controller", uid)
        candidates = owned + self.pods.indexed("controller", "orphan/" + namespace)
        selector = self.selector(rs)
        alive = [pod for pod in candidates if "deletionTimestamp" not in pod["metadata"] and not finished(pod)]
        pods = Claims(self, rs, self.resource, self.api_version, self.kind, selector, "pods").claim(alive)
        refused: StatusError | None = None
        if wait_ms:
            self.queue.add_after(key, wait_ms, idle=True)
        elif not deleting(rs):
            try:
                self.manage(key, rs, pods)
            except StatusError as error:
                refused = error
        terminating = None
        if self.counts_terminating:
            gone = [pod for pod in owned if deleting(pod) and not finished(pod)]
            terminating = sum(selector.matches(pod["metadata"].get("labels")) for pod in gone)
        self.write_status(key, rs, pods, terminating, refused)
        if refused is not None:
            raise refused

    def manage(self, key: str, rs: Object, pods: Objects) -> None:
        """Creates or deletes pods until there are as many as wanted."""
        wanted, name = replicas(rs), rs["metadata"]["name"]
        diff = len(pods) - wanted
        self.note(desired=wanted, observed=len(pods))
        if diff < 0:
            self.create_pods(key, rs, min(-diff, BURST_REPLICAS))
        elif diff > 0:
            chosen = pods_to_delete(pods, self.related_pods(rs), min(diff, BURST_REPLICAS), self.now_ms)
            self.tell(f"{self.kind} {name} wants {counted(wanted, 'pod')} and has {len(pods)}, so it deletes {len(chosen)}.")
            self.delete_pods(key, rs, chosen)

    def create_pods(self, key: str, rs: Object, count: int) -> None:
        """Slow start: 1, 2, 4, … so that a refusal does not come five hundred times."""
        self.expectations.expect_creations(key, count)
        pod = pod_from_template(rs["spec"]["template"], rs, controller_ref(rs, self.api_version, self.kind))
        done, batch, refused = 0, 1, None
        while done < count and refused is None:
            batch = min(batch, count - done)
            for _ in range(batch):
                try:
                    create_pod(self, pod, rs)
                    done += 1
                except StatusError as error:
                    if namespace_terminating(error):
                        done += 1  # as good as done: nothing can be created there any more
                    else:
                        refused = error
            batch *= 2
        name = rs["metadata"]["name"]
        if done:
            self.tell(f"{self.kind} {name} wants {counted(replicas(rs), 'pod')}, so it creates {done}.")
        if refused is not None:
            self.expectations.created(key, count - done)
            self.tell(f"{self.kind} {name} could not create pods: {refused.message}")
            raise refused

    def delete_pods(self, key: str, rs: Object, pods: Objects) -> None:
        self.expectations.expect_deletions(key, [key_of(pod) for pod in pods])
        refused = None
        for pod in pods:
            try:
                delete_pod(self, pod, rs)
            except StatusError as error:
                self.expectations.deleted(key, key_of(pod))
                if error.reason != "NotFound":
                    refused = refused or error
        if refused is not None:
            raise refused

    def related_pods(self, rs: Object) -> Objects:
        """The pods of all ReplicaSets that share this one's owner."""
        ref = controller_of(rs)
        if ref is None:
            return []
        family = self.sets.indexed("controller", ref["uid"])
        return [pod for each in family for pod in self.pods.indexed("controller", each["metadata"]["uid"])]

    # Status.

    def write_status(self, key: str, rs: Object, pods: Objects, terminating: int | None, refused: StatusError | None) -> None:
        status, next_ms = self.calculate_status(rs, pods, terminating, refused)
        before = rs.get("status") or {}
        if {**status, "observedGeneration": before.get("observedGeneration")} != {
            "replicas": 0, "observedGeneration": None, **before,
        } or before.get("observedGeneration", 0) != rs["metadata"].get("generation", 0):
            self.client.update_status(self.resource, {**rs, "status": status})
            self.busy(key, BURST_MS + BURST_MS_PER_100_PODS * len(pods) // 100)
            step = self.sim.current
            if step is not None and not step.explain:
                step.explain = (
                    f"{self.kind} {rs['metadata']['name']} now reports {status.get('readyReplicas', 0)} of "
                    f"{counted(replicas(rs), 'pod')} ready."
                )
        if next_ms is not None:
            self.queue.add_after(key, next_ms)

    def calculate_status(
        self, rs: Object, pods: Objects, terminating: int | None, refused: StatusError | None
    ) -> tuple[Object, int | None]:
        """(the status that follows from the pods, in how many ms the next pod becomes available)."""
        min_ready_ms, now = rs["spec"].get("minReadySeconds", 0) * 1000, self.now_ms
        template = ((rs["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
        wanted = template.items()
        labelled = ready = available = 0
        next_ms: int | None = None
        full: dict[int, bool] = {}  # pods of one template share their labels
        for pod in pods:
            labels = pod["metadata"].get("labels")
            has_all = full.get(id(labels))
            if has_all is None:
                has_all = full[id(labels)] = (labels or {}).items() >= wanted
            labelled += has_all
            for condition in (pod.get("status") or {}).get("conditions") or ():
                if condition["type"] == "Ready":
                    if condition["status"] == "True":
                        ready += 1
                        left = unix_ms(condition["lastTransitionTime"]) + min_ready_ms - now if min_ready_ms else 0
                        if left <= 0:
                            available += 1
                        elif next_ms is None or left < next_ms:
                            next_ms = left
                    break
        status: Object = {"replicas": len(pods)}
        for field, value in (("fullyLabeledReplicas", labelled), ("readyReplicas", ready), ("availableReplicas", available)):
            if value:
                status[field] = value
        if terminating is not None:
            status["terminatingReplicas"] = terminating
        status["observedGeneration"] = rs["metadata"].get("generation", 0)
        conditions = self.conditions(rs, len(pods), refused)
        if conditions:
            status["conditions"] = conditions
        return status, next_ms

    def conditions(self, rs: Object, count: int, refused: StatusError | None) -> Objects:
        known = (rs.get("status") or {}).get("conditions") or []
        failure = condition_of(rs, "ReplicaFailure")
        if refused is None:
            return without_condition(known, "ReplicaFailure") if failure is not None else known
        if failure is not None:
            return known
        reason = "FailedCreate" if count < replicas(rs) else "FailedDelete"
        return [*known, {
            "type": "ReplicaFailure", "status": "True", "lastTransitionTime": self.sim.now_rfc3339(), "reason": reason,
            "message": refused.message,
        }]

    # State.

    def checkpoint(self) -> dict[str, Any]:
        return {**super().checkpoint(), "expectations": self.expectations.checkpoint()}

    def restore(self, data: dict[str, Any]) -> None:
        self.expectations.restore(data["expectations"])
        super().restore(data)


