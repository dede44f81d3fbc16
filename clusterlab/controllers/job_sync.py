"""One pass over a Job: count what has ended, decide whether it is over, then act and write the status.

Follows syncJob in pkg/controller/job/job_controller.go. `job_state` holds what a pass knows, `job_pods` creates and deletes pods,
`job_status` counts them.
"""

from __future__ import annotations

from clusterlab.controllers.job_indexes import absolute_failures, completion_index, failures, indexes_of, parse_indexes
from clusterlab.controllers.job_pods import JobPods
from clusterlab.controllers.job_policy import (
    finished_ms,
    match_failure_policy,
    match_success_policy,
    new_backoff,
    past_backoff_on_failure,
    pod_failed,
)
from clusterlab.controllers.job_state import has_finalizer
from clusterlab.controllers.job_status import JobStatus
from clusterlab.controllers.objects import Object, phase, unix_ms
from clusterlab.machinery.errors import StatusError

__all__ = ["JobSync"]


class JobSync(JobPods, JobStatus):
    """One pass."""

    def run(self) -> None:
        by, now = self.by, self.by.now_ms
        before = {**self.status}
        satisfied = not by.expectations.wait_ms(self.key)
        if not satisfied:
            by.queue.add_after(self.key, by.expectations.wait_ms(self.key), idle=True)
        new_succeeded = self._valid(lambda pod: phase(pod) == "Succeeded", "succeeded")
        new_failed = self._valid(lambda pod: pod_failed(pod, self.job), "failed")
        self.succeeded = self.status.get("succeeded", 0) + len(new_succeeded) + len(self.uncounted["succeeded"])
        counted = [pod for pod in new_failed if match_failure_policy(self.job, pod)[1]]
        self.failed = self.status.get("failed", 0) + len(counted) + len(self.uncounted["failed"])
        if not self.status.get("startTime") and not self.suspended:
            self.status["startTime"] = by.sim.now_rfc3339()
        self.backoff = new_backoff(self.backoff, new_succeeded, new_failed)
        self._decide(now)
        changed, refused = False, None
        try:
            changed, refused = self._act(satisfied)
        except StatusError as error:
            refused = error
        by.note(desired=self.completions if self.completions is not None else 1, observed=self.succeeded, active=self.active)
        flush = changed or self.active != before.get("active", 0) or self.ready != before.get("ready") \
            or self.terminating != before.get("terminating")
        self._track(flush)
        if refused is not None:
            raise refused

    def _decide(self, now: int) -> None:
        """Whether the Job is over, and why."""
        self.finish = self._true("SuccessCriteriaMet")
        target = self._true("FailureTarget")
        if self.finish is None and target is not None:
            self.finish = self._condition("Failed", target["reason"], target["message"])
        elif self.finish is None and self.spec.get("podFailurePolicy"):
            for pod in self.pods:
                message = match_failure_policy(self.job, pod)[0] if pod_failed(pod, self.job) else None
                if message is not None:
                    self._fails("PodFailurePolicy", message)
                    break
        limit = self.spec.get("backoffLimit", 6)
        if self.finish is None and (self.failed > limit or past_backoff_on_failure(self.job, self.pods)):
            self._fails("BackoffLimitExceeded", "Job has reached the specified backoff limit")
        self._check_deadline(now)
        if self.indexed:
            self._decide_by_index()

    def _check_deadline(self, now: int) -> None:
        deadline_s, start = self.spec.get("activeDeadlineSeconds"), self.status.get("startTime")
        if self.finish is not None or deadline_s is None or not start or self.suspended:
            return
        left_ms = unix_ms(start) + deadline_s * 1000 - now
        if left_ms <= 0:
            self._fails("DeadlineExceeded", "Job was active longer than specified deadline")
        else:
            self.by.queue.add_after(self.key, left_ms, idle=True)

    def _decide_by_index(self) -> None:
        completions = self.completions or 0
        self.previous_indexes = parse_indexes(self.status.get("completedIndexes"), completions)
        done = [pod for pod in self.pods if phase(pod) == "Succeeded" and has_finalizer(pod) and self._good_index(pod)]
        self.succeeded_indexes = self.previous_indexes | indexes_of(done)
        self.succeeded = len(self.succeeded_indexes)
        if self.per_index is not None:
            bad = [pod for pod in self.pods if has_finalizer(pod) and self._good_index(pod) and self._index_failed(pod)]
            self.failed_indexes = parse_indexes(self.status.get("failedIndexes"), completions) | indexes_of(bad)
            count, most = len(self.failed_indexes), self.spec.get("maxFailedIndexes")
            if self.finish is None and most is not None and count > most:
                message = "Job has exceeded the specified maximal number of failed indexes"
                self._fails("MaxFailedIndexesExceeded", message)
            elif self.finish is None and count and count + self.succeeded >= completions:
                self._fails("FailedIndexes", "Job has failed indexes")
            self._find_delayed()
        if self.finish is None:
            message_or_none = match_success_policy(self.job, self.succeeded_indexes)
            if message_or_none is not None:
                self.finish = self._condition("SuccessCriteriaMet", "SuccessPolicy", message_or_none)

    def _index_failed(self, pod: Object) -> bool:
        if not pod_failed(pod, self.job):
            return False
        _, counts, action = match_failure_policy(self.job, pod)
        return action == "FailIndex" or (counts and failures(pod) >= self.per_index)

    def _find_delayed(self) -> None:
        settled = self.succeeded_indexes | (self.failed_indexes or set()) | indexes_of(self.active_pods)
        for pod in self._valid(lambda pod: pod_failed(pod, self.job), "failed"):
            index = completion_index(pod)
            last = self.delayed.get(index)
            if index in settled:
                continue
            if last is None or (absolute_failures(last) <= absolute_failures(pod) and finished_ms(pod) >= finished_ms(last)):
                self.delayed[index] = pod
