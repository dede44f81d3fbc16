"""What one pass over a Job knows: its pods, its counts, whether it is over. And the finalizer that pods carry until they are counted.

Follows syncJobCtx in pkg/controller/job/job_controller.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.controllers.job_indexes import completion_index
from clusterlab.controllers.objects import (
    Object,
    Objects,
    active,
    controlled_by,
    deleting,
    find_condition,
    finished,
    pod_ready,
    with_meta,
)
from clusterlab.controllers.refmanager import Claims
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import from_object as selector_of

if TYPE_CHECKING:
    from clusterlab.controllers.job import JobController

__all__ = ["FINALIZER", "JobState", "has_finalizer", "job_finished", "remove_finalizer"]

FINALIZER = "batch.kubernetes.io/job-tracking"


def has_finalizer(pod: Object) -> bool:
    """Whether a pod has not been counted yet."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def remove_finalizer(by: JobController, pod: Object) -> None:
    """Lets go of a pod that was counted, or never will be."""
    meta = pod["metadata"]
    body = {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
    try:
        by.client.patch("pods", meta["namespace"], meta["name"], body, "strategic")
    except StatusError as error:
        if error.reason != "NotFound":
            raise


def job_finished(job: Object) -> bool:
    """Whether a Job is over."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(condition["type"] in ("Complete", "Failed") and condition["status"] == "True" for condition in conditions)


class JobState:
    """One reconcile's view of a Job, kept up to date with what it does."""

    def __init__(self, by: JobController, key: str, job: Object) -> None:
        self.by, self.key, self.job = by, key, job
        self.spec = job["spec"]
        self.status: Object = {**(job.get("status") or {})}
        uncounted = self.status.get("uncountedTerminatedPods") or {}
        self.uncounted: dict[str, list[str]] = {name: list(uncounted.get(name) or ()) for name in ("succeeded", "failed")}
        self.suspended = bool(self.spec.get("suspend"))
        self.indexed = self.spec.get("completionMode") == "Indexed"
        self.per_index = self.spec.get("backoffLimitPerIndex")
        self.completions: int | None = self.spec.get("completions")
        self.pods = self._claim()
        self.active_pods = [pod for pod in self.pods if active(pod)]
        self.active = len(self.active_pods)
        self.ready = sum(map(pod_ready, self.active_pods))
        self.terminating = sum(deleting(pod) and not finished(pod) for pod in self.pods)
        self.succeeded = self.failed = 0
        self.finish: Object | None = None
        self.succeeded_indexes: set[int] = set()
        self.previous_indexes: set[int] = set()
        self.failed_indexes: set[int] | None = None
        self.delayed: dict[int, Object] = {}  # index -> the failed pod that is kept until its index is tried again
        self.backoff = by.backoffs.get(key, (0, None))

    def _claim(self) -> Objects:
        by, meta = self.by, self.job["metadata"]
        known = by.pods.indexed("controller", meta["uid"]) + by.pods.indexed("controller", "orphan/" + meta["namespace"])
        selector = selector_of(self.spec.get("selector"))
        claims = Claims(by, self.job, "jobs", "batch/v1", "Job", selector, "pods", (FINALIZER,))
        claimed = []
        for pod in claims.claim(known):
            if not controlled_by(pod, self.job) and not has_finalizer(pod):
                pod = with_meta(pod, finalizers=[*(pod["metadata"].get("finalizers") or ()), FINALIZER])
            claimed.append(pod)
        return claimed

    def _valid(self, wanted: Callable[[Object], bool], uncounted: str) -> Objects:
        """Pods that the status has not counted and that meet a condition."""
        known = set(self.uncounted[uncounted])
        return [
            pod for pod in self.pods
            if has_finalizer(pod) and pod["metadata"]["uid"] not in known and pod["metadata"]["uid"] not in self.by.unfinalized
            and (not self.indexed or self._good_index(pod)) and wanted(pod)
        ]

    def _good_index(self, pod: Object) -> bool:
        return 0 <= completion_index(pod) < (self.completions or 0)

    def _condition(self, kind: str, reason: str, message: str) -> Object:
        now = self.by.sim.now_rfc3339()
        return {
            "type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now, "reason": reason, "message": message,
        }

    def _fails(self, reason: str, message: str) -> None:
        self.finish = self._condition("FailureTarget", reason, message)

    def _true(self, kind: str) -> Object | None:
        found = find_condition(self.status.get("conditions"), kind)
        return found if found is not None and found["status"] == "True" else None
