"""The TTL-after-finished controller: deletes Jobs some time after they ended.

Follows pkg/controller/ttlafterfinished/ttlafterfinished_controller.go.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.job_state import job_finished
from clusterlab.controllers.objects import Object, deleting, key_of, split_key, unix_ms
from clusterlab.machinery.errors import StatusError

__all__ = ["TTLAfterFinishedController"]


class TTLAfterFinishedController(BaseController):
    """Deletes Jobs whose ttlSecondsAfterFinished is over."""

    resource = "jobs"
    controller_name = component = "ttl-after-finished-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.jobs = self.informer("jobs")
        self.jobs.on_change(self.job_changed)

    def job_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and not deleting(new) and self._left_ms(new) is not None:
            self.enqueue(key_of(new))

    def _left_ms(self, job: Object) -> int | None:
        ttl_s = job["spec"].get("ttlSecondsAfterFinished")
        if ttl_s is None or not job_finished(job):
            return None
        ends = [c for c in job["status"]["conditions"] if c["type"] in ("Complete", "Failed") and c["status"] == "True"]
        return int(unix_ms(ends[0]["lastTransitionTime"]) + ttl_s * 1000 - self.now_ms)

    def reconcile(self, key: str) -> None:
        job = self.jobs.get(key)
        left_ms = self._left_ms(job) if job is not None and not deleting(job) else None
        if left_ms is None:
            return
        if left_ms > 0:
            self.queue.add_after(key, left_ms, idle=True)
            return
        namespace, name = split_key(key)
        try:
            fresh = self.client.get("jobs", namespace, name)  # its TTL may have been changed at the last moment
            left_ms = self._left_ms(fresh)
            if left_ms is None or left_ms > 0:
                return
            self.client.delete("jobs", namespace, name, uid=fresh["metadata"]["uid"], propagationPolicy="Foreground")
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        self.tell(f"The Job {name} ended more than its TTL ago, so it is deleted.")
