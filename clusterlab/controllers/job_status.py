"""The status of a Job: pods are counted exactly once.

Follows trackJobStatusAndRemoveFinalizers in pkg/controller/job/job_controller.go. First the status lists pods as uncounted, then their
finalizers go, then they are added up; a controller that dies in between finds everything it needs.
"""

from __future__ import annotations

from clusterlab.controllers.job_indexes import completion_index, format_indexes
from clusterlab.controllers.job_policy import match_failure_policy, pod_failed
from clusterlab.controllers.job_state import JobState, has_finalizer, remove_finalizer
from clusterlab.controllers.objects import Object, Objects, deleting, phase
from clusterlab.machinery.errors import StatusError

__all__ = ["JobStatus"]

MAX_UNCOUNTED = 500


class JobStatus(JobState):
    """Counts the pods of a Job and writes its status."""

    def _track(self, flush: bool) -> None:
        """Counts pods that ended, lets them go, and writes the status."""
        held = {pod["metadata"]["uid"] for pod in self.pods if has_finalizer(pod)} - set(self.by.unfinalized)
        flush = self._count_released(held) or flush
        to_release, all_seen, more = self._collect()
        flush = flush or more
        if self.indexed:
            self.status["succeeded"] = len(self.succeeded_indexes)
            text = format_indexes(self.succeeded_indexes)
            flush = flush or text != self.status.get("completedIndexes", "")
            self.status["completedIndexes"] = text
            if self.failed_indexes is not None:
                text = format_indexes(self.failed_indexes)
                flush = flush or text != self.status.get("failedIndexes")
                self.status["failedIndexes"] = text
        flush = self._announce_finish() or flush
        if flush:
            self._write()
            self.by.backoffs[self.key] = self.backoff
        refused: StatusError | None = None
        for pod in to_release:
            try:
                self.by.unfinalized[pod["metadata"]["uid"]] = self.key
                remove_finalizer(self.by, pod)
                held.discard(pod["metadata"]["uid"])
            except StatusError as error:
                self.by.unfinalized.pop(pod["metadata"]["uid"], None)
                refused = error
        flush = self._count_released(held)
        over = refused is None and all_seen and self._enact_finish()
        if flush or over:
            self._write()
        if over:
            self._record_finish()
        if refused is not None:
            raise refused

    def _count_released(self, held: set[str]) -> bool:
        """Adds up the uncounted pods whose finalizers are gone."""
        changed = False
        for name in ("succeeded", "failed"):
            left = [uid for uid in self.uncounted[name] if uid in held]
            if len(left) != len(self.uncounted[name]):
                self.status[name] = self.status.get(name, 0) + len(self.uncounted[name]) - len(left)
                self.uncounted[name] = left
                changed = True
        return changed

    def _collect(self) -> tuple[Objects, bool, bool]:
        """(pods to let go, whether all were looked at, whether the status has to say more)."""
        release: Objects = []
        more = False
        fresh = 0
        pods = sorted(self.pods, key=completion_index) if self.indexed else self.pods
        seen = {name: set(uids) for name, uids in self.uncounted.items()}
        ending = self.finish is not None and self.finish["type"] != "SuccessCriteriaMet"
        for pod in pods:
            uid, failed = pod["metadata"]["uid"], pod_failed(pod, self.job)
            if not has_finalizer(pod) or uid in self.by.unfinalized or not self._may_release(pod, failed):
                continue
            release.append(pod)
            index = completion_index(pod)
            if phase(pod) == "Succeeded" and uid not in seen["failed"]:
                if self.indexed:
                    if self._good_index(pod) and index not in self.previous_indexes:
                        self.succeeded_indexes.add(index)
                        fresh, more = fresh + 1, True
                elif uid not in seen["succeeded"]:
                    self.uncounted["succeeded"].append(uid)
                    more = True
            elif (failed or ending) and uid not in seen["failed"] and (not self.indexed or self._good_index(pod)):
                if match_failure_policy(self.job, pod)[1]:
                    self.uncounted["failed"].append(uid)
                    more = True
            if fresh + len(self.uncounted["succeeded"]) + len(self.uncounted["failed"]) >= MAX_UNCOUNTED:
                return release, False, more
        return release, True, more

    def _may_release(self, pod: Object, failed: bool) -> bool:
        if deleting(self.job) or self.finish is not None or phase(pod) == "Succeeded":
            return True
        return failed and self.delayed.get(completion_index(pod)) is not pod

    def _announce_finish(self) -> bool:
        """FailureTarget or SuccessCriteriaMet first; Failed or Complete follow when all pods are gone."""
        if self.finish is None:
            return False
        conditions: Objects = list(self.status.get("conditions") or ())
        kind, reason, message = self.finish["type"], self.finish["reason"], self.finish["message"]
        if kind == "FailureTarget":
            self.status["conditions"] = [*conditions, self.finish]
            self.finish = self._condition("Failed", reason, message)
            return True
        if kind == "SuccessCriteriaMet":
            announced = self._true("SuccessCriteriaMet") is not None
            if not announced:
                self.status["conditions"] = [*conditions, self.finish]
            self.finish = self._condition("Complete", reason, message)
            return not announced
        return False

    def _enact_finish(self) -> bool:
        if self.finish is None or self.uncounted["succeeded"] or self.uncounted["failed"] or self.terminating:
            return False
        self.status["conditions"] = [*(self.status.get("conditions") or ()), self.finish]
        if self.finish["type"] == "Complete":
            self.status["completionTime"] = self.finish["lastTransitionTime"]
        return True

    def _record_finish(self) -> None:
        assert self.finish is not None
        by, name = self.by, self.job["metadata"]["name"]
        if self.finish["type"] == "Complete":
            if self.completions is not None and self.status.get("succeeded", 0) > self.completions:
                message = "Too many succeeded pods running after completion count reached"
                by.record(self.job, "Warning", "TooManySucceededPods", message)
            by.record(self.job, "Normal", "Completed", "Job completed")
            by.tell(f"The Job {name} is complete.")
        else:
            by.record(self.job, "Warning", self.finish["reason"], self.finish["message"])
            by.tell(f"The Job {name} has failed: {self.finish['message']}.")
        by.finished[self.job["metadata"]["uid"]] = True

    def _write(self) -> None:
        status = {**self.status, "ready": self.ready, "terminating": self.terminating, "active": self.active}
        status["uncountedTerminatedPods"] = {name: uids.copy() for name, uids in self.uncounted.items() if uids}
        for name in ("active", "succeeded", "failed", "completedIndexes"):
            if not status.get(name):
                status.pop(name, None)
        self.job = self.by.client.update_status("jobs", {**self.job, "status": status})
