"""The pods of a Job: how many to run, with which indexes, and when the next try is due.

Follows manageJob in pkg/controller/job/job_controller.go.
"""

from __future__ import annotations

from clusterlab.controllers.job_indexes import FAILURES, IGNORED_FAILURES, INDEX, absolute_failures, completion_index, failures, indexes_of
from clusterlab.controllers.job_policy import backoff_left_ms, finished_ms, match_failure_policy, only_replace_failed
from clusterlab.controllers.job_state import FINALIZER, JobState, has_finalizer, remove_finalizer
from clusterlab.controllers.objects import Object, Objects, controller_ref, deleting, find_condition, finished, key_of, pod_ready
from clusterlab.controllers.podcontrol import create_pod, delete_pod, namespace_terminating, pod_from_template
from clusterlab.controllers.ranking import deletion_order
from clusterlab.machinery.errors import StatusError
from clusterlab.sim.words import counted

__all__ = ["JobPods"]

MAX_PER_SYNC = 500
ENV = "JOB_COMPLETION_INDEX"


class JobPods(JobState):
    """Creates and deletes the pods of a Job."""

    def _act(self, satisfied: bool) -> tuple[bool, StatusError | None]:
        """Creates or deletes pods; whether the Suspended condition changed, and what was refused meanwhile."""
        if self.finish is not None:
            wanted = self.active
            deleted = self._delete(self.active_pods, expect=False)
            if deleted != wanted or not satisfied:
                self.finish = None
            return False, None
        managed = satisfied and not deleting(self.job)
        refused: StatusError | None = None
        if managed:
            try:
                self._manage()
            except StatusError as error:
                refused = error
        enough = self.succeeded > 0 if self.completions is None else self.succeeded >= self.completions
        changed = False
        if enough and self.active == 0:
            self.finish = self._condition("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")
        elif managed:
            changed = self._note_suspension()
        return changed, refused

    def _note_suspension(self) -> bool:
        conditions: Objects = list(self.status.get("conditions") or ())
        known = find_condition(conditions, "Suspended")
        reason, message = ("JobSuspended", "Job suspended") if self.suspended else ("JobResumed", "Job resumed")
        wanted = "True" if self.suspended else "False"
        if known is None and not self.suspended:
            return False
        if known is not None and (known["status"], known.get("reason"), known.get("message")) == (wanted, reason, message):
            return False
        new = {**self._condition("Suspended", reason, message), "status": wanted}
        self.status["conditions"] = [*conditions, new] if known is None else [new if each is known else each for each in conditions]
        self.by.record(self.job, "Normal", "Suspended" if self.suspended else "Resumed", message)
        self.by.tell(f"The Job {self.job['metadata']['name']} is {'suspended' if self.suspended else 'resumed'}.")
        if self.suspended:
            self.status.pop("startTime", None)
        else:
            self.status["startTime"] = self.by.sim.now_rfc3339()
        return True

    def _delete(self, pods: Objects, expect: bool = True) -> int:
        """Deletes pods; how many are gone or going. With `expect`, their finalizers go first: they will not be counted."""
        if expect:
            self.by.expectations.expect_deletions(self.key, [key_of(pod) for pod in pods])
        done, refused = 0, None
        for pod in pods:
            try:
                if expect and has_finalizer(pod):
                    remove_finalizer(self.by, pod)
                delete_pod(self.by, pod, self.job)
            except StatusError as error:
                if expect:
                    self.by.expectations.deleted(self.key, key_of(pod))
                if error.reason != "NotFound":
                    refused = error
                    continue
            done += 1
            self.ready -= pod_ready(pod)
        self.active -= done
        self.terminating += done
        if done:
            self.by.tell(f"The Job {self.job['metadata']['name']} deletes {counted(done, 'pod')}.")
        if refused is not None and expect:
            raise refused
        return done

    def _manage(self) -> None:
        parallelism = self.spec.get("parallelism", 1)
        if self.suspended:
            self._delete(self._for_removal(self.active))
            return
        if self.completions is None:
            wanted = self.active if self.succeeded > 0 else parallelism
        else:
            wanted = max(0, min(self.completions - self.succeeded, parallelism))
        surplus = self._for_removal(max(0, self.active - wanted))[:MAX_PER_SYNC]
        if surplus:
            self._delete(surplus)
            return
        terminating = self.terminating if only_replace_failed(self.job) else 0
        diff = wanted - terminating - self.active
        if diff > 0:
            self._create(min(diff, MAX_PER_SYNC))

    def _for_removal(self, count: int) -> Objects:
        remove: Objects = []
        left = self.active_pods
        if self.indexed:
            remove, left = self._duplicates()
        if len(remove) < count:
            remove = remove + deletion_order(left, [0] * len(left), None)[:count - len(remove)]
        return remove

    def _duplicates(self) -> tuple[Objects, Objects]:
        """(active pods of no index or of one that has a better pod, the others)."""
        by_index: dict[int, Objects] = {}
        for pod in self.active_pods:
            by_index.setdefault(completion_index(pod), []).append(pod)
        remove: Objects = []
        left: Objects = []
        for index in sorted(by_index):
            pods = by_index[index]
            if not 0 <= index < (self.completions or 0):
                remove += pods
            else:
                ordered = deletion_order(pods, [0] * len(pods), None)
                remove += ordered[:-1]
                left.append(ordered[-1])
        return remove, left

    def _create(self, count: int) -> None:
        by, now = self.by, self.by.now_ms
        indexes: list[int] = []
        if self.per_index is None:
            left_ms = backoff_left_ms(*self.backoff, now)
            if left_ms:
                self._wait(left_ms)
                return
        if self.indexed:
            indexes = self._pending_indexes(count)
            if self.per_index is not None:
                waits = {index: self._index_wait_ms(index, now) for index in indexes}
                indexes = [index for index in indexes if not waits[index]]
                if not indexes and waits:
                    self._wait(min(waits.values()))
                    return
            count = len(indexes)
        by.expectations.expect_creations(self.key, count)
        done, batch, refused = 0, 1, None
        while done < count and refused is None:
            for place in range(done, min(done + batch, count)):
                try:
                    create_pod(by, self._pod(indexes[place] if self.indexed else None), self.job)
                except StatusError as error:
                    if not namespace_terminating(error):
                        refused = error
                        by.expectations.created(self.key)
                        continue
                self.active += 1
            done, batch = min(done + batch, count), batch * 2
        if done < count:
            by.expectations.created(self.key, count - done)
        by.tell(f"The Job {self.job['metadata']['name']} has {counted(self.succeeded, 'pod')} done and creates {done} more.")
        if refused is not None:
            raise refused

    def _wait(self, left_ms: int) -> None:
        self.by.queue.add_after(self.key, left_ms, idle=True)
        self.by.tell(f"A pod of the Job {self.job['metadata']['name']} failed; the next try comes in {left_ms // 1000} s.")

    def _index_wait_ms(self, index: int, now: int) -> int:
        last = self.delayed.get(index)
        return 0 if last is None else backoff_left_ms(absolute_failures(last) + 1, finished_ms(last), now)

    def _pending_indexes(self, count: int) -> list[int]:
        taken = self.succeeded_indexes | indexes_of(self.active_pods) | (self.failed_indexes or set())
        if only_replace_failed(self.job):
            taken = taken | indexes_of([pod for pod in self.pods if deleting(pod) and not finished(pod)])
        free = (index for index in range(self.completions or 0) if index not in taken)
        return [index for index, _ in zip(free, range(count), strict=False)]

    def _pod(self, index: int | None) -> Object:
        ref = controller_ref(self.job, "batch/v1", "Job")
        pod = pod_from_template(self.spec["template"], self.job, ref)
        meta, spec = {**pod["metadata"]}, {**pod["spec"]}
        meta["finalizers"] = [*(meta.get("finalizers") or ()), FINALIZER]
        if index is not None:
            text, name = str(index), self.job["metadata"]["name"]
            meta["generateName"] = f"{name[:58 - len(text) - 2]}-{text}-"
            meta["annotations"] = {**(meta.get("annotations") or {}), INDEX: text}
            meta["labels"] = {**(meta.get("labels") or {}), INDEX: text}
            if self.per_index is not None:
                meta["annotations"].update(self._failure_counts(index))
            spec["hostname"] = f"{name}-{index}"
            for field in ("initContainers", "containers"):
                if spec.get(field):
                    spec[field] = [_with_index_env(container) for container in spec[field]]
        return {**pod, "metadata": meta, "spec": spec}

    def _failure_counts(self, index: int) -> dict[str, str]:
        last = self.delayed.get(index)
        if last is None:
            return {FAILURES: "0"}
        counted, ignored = failures(last), absolute_failures(last) - failures(last)
        counts = match_failure_policy(self.job, last)[1]
        counted, ignored = counted + counts, ignored + (not counts)
        return {FAILURES: str(counted), **({IGNORED_FAILURES: str(ignored)} if ignored else {})}


def _with_index_env(container: Object) -> Object:
    env = container.get("env") or []
    if any(each["name"] == ENV for each in env):
        return container
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    return {**container, "env": [*env, {"name": ENV, "valueFrom": source}]}
