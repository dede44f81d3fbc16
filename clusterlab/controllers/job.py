"""The Job controller: runs pods until enough of them have succeeded, or too many have failed.

Follows pkg/controller/job/job_controller.go; `job_sync` holds one pass over a Job. Workloads and PodGroups (gang scheduling, alpha)
are left out.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.expectations import Expectations
from clusterlab.controllers.job_policy import Backoff
from clusterlab.controllers.job_state import FINALIZER, has_finalizer, job_finished, remove_finalizer
from clusterlab.controllers.job_sync import JobSync
from clusterlab.controllers.objects import Object, by_controller, controller_of, deleting, key_of, manager_key
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import from_object as selector_of

__all__ = ["JobController"]

#: Pod changes of a Job are gathered for so long.
BATCH_MS = 1_000
JOB_CONTROLLER = "kubernetes.io/job-controller"


class JobController(BaseController):
    """Reconciles Jobs. Keys: `NAMESPACE/NAME` of a Job, `pods/NAMESPACE/NAME` of a pod whose Job is gone."""

    STATE = ("busy_until", "backoffs", "unfinalized", "finished")
    resource = "jobs"
    controller_name = component = "job-controller"
    backoff_ms = (1_000, 60_000)

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.jobs = self.informer("jobs")
        self.pods = self.informer("pods")
        self.pods.add_index("controller", by_controller)
        self.jobs.on_change(self.job_changed)
        self.pods.on_change(self.pod_changed)

    def clear(self) -> None:
        super().clear()
        self.expectations = Expectations(self)
        self.backoffs: dict[str, Backoff] = {}
        self.unfinalized: dict[str, str] = {}  # uid of a pod whose finalizer was removed, until that is seen -> job
        self.finished: dict[str, bool] = {}  # uids of Jobs that ended, until that is seen

    def object_key(self, key: str) -> str:
        return key if key.startswith("pods/") else super().object_key(key)

    # Handlers.

    def job_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            assert old is not None
            self.enqueue(key_of(old))
            self.expectations.forget(key_of(old))
            for pod in self.pods.indexed("controller", old["metadata"]["uid"]):
                self._orphan(pod)
            return
        if old is None or old["metadata"].get("generation") != new["metadata"].get("generation"):
            self.enqueue(key_of(new))
        else:
            self.queue.add_after(key_of(new), BATCH_MS)

    def owner_key(self, pod: Object) -> str | None:
        """The key of the Job that manages a pod."""
        return manager_key(pod, "Job", self.jobs)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        assert pod is not None
        ref = controller_of(pod)
        if ref is not None and ref["kind"] != "Job":
            return
        uid = pod["metadata"]["uid"]
        if uid in self.unfinalized and (new is None or not has_finalizer(new)):
            del self.unfinalized[uid]
        key = self.owner_key(pod)
        if key is None:
            if new is not None and has_finalizer(new):
                self._orphan(new)
            if new is not None and ref is None and not deleting(new):
                self._enqueue_matching(new)
            return
        if new is None or deleting(new):
            self.expectations.deleted(key, key_of(pod))
        elif old is None:
            self.expectations.created(key)
        if old is not None and new is not None:
            before = self.owner_key(old)
            if before is not None and before != key:
                self.queue.add_after(before, BATCH_MS)
        self.queue.add_after(key, BATCH_MS)

    def _enqueue_matching(self, pod: Object) -> None:
        labels = pod["metadata"].get("labels")
        for job in self.jobs.list(pod["metadata"]["namespace"]) if labels else ():
            if selector_of(job["spec"].get("selector")).matches(labels):
                self.queue.add_after(key_of(job), BATCH_MS)

    def _orphan(self, pod: Object) -> None:
        if has_finalizer(pod):
            self.enqueue("pods/" + key_of(pod))

    # Reconciling.

    def reconcile(self, key: str) -> None:
        if key.startswith("pods/"):
            self._release_orphan(key.removeprefix("pods/"))
            return
        job = self.jobs.get(key)
        if job is None:
            self._forget(key)
            return
        if job["spec"].get("managedBy", JOB_CONTROLLER) != JOB_CONTROLLER:
            return
        uid = job["metadata"]["uid"]
        if job_finished(job):
            self.backoffs.pop(key, None)
            self.finished.pop(uid, None)
            return
        if uid in self.finished:
            return
        JobSync(self, key, job).run()

    def _forget(self, key: str) -> None:
        self.backoffs.pop(key, None)
        self.expectations.forget(key)
        self.unfinalized = {uid: job for uid, job in self.unfinalized.items() if job != key}

    def _release_orphan(self, key: str) -> None:
        """A pod whose Job is gone need not be counted any more."""
        pod = self.pods.get(key)
        if pod is None or not has_finalizer(pod) or self.owner_key(pod) is not None:
            return
        ref = controller_of(pod)
        if ref is not None and ref["kind"] == "Job":
            try:  # the cache may lag behind: ask for the Job itself
                job = self.client.get("jobs", pod["metadata"]["namespace"], ref["name"])
                if job["metadata"]["uid"] == ref["uid"]:
                    return
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
        remove_finalizer(self, pod)
        self.tell(f"The Job of pod {pod['metadata']['name']} is gone, so its finalizer {FINALIZER} is taken away.")

    # State.

    def checkpoint(self) -> dict[str, Any]:
        return {**super().checkpoint(), "expectations": self.expectations.checkpoint()}

    def restore(self, data: dict[str, Any]) -> None:
        self.expectations.restore(data["expectations"])
        super().restore(data)
