"""One pass over a Job: count what has ended, decide whether it is over, create or delete pods, write the status.

Follows syncJob, manageJob and trackJobStatusAndRemoveFinalizers in pkg/controller/job/job_controller.go. Pods carry a finalizer
until the status has counted them: first the status lists them as uncounted, then the finalizers go, then they are added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.controllers.job_indexes import (
    FAILURES,
    IGNORED_FAILURES,
    INDEX,
    absolute_failures,
    completion_index,
    failures,
    format_indexes,
    indexes_of,
    parse_indexes,
)
from clusterlab.controllers.job_policy import (
    backoff_left_ms,
    finished_ms,
    match_failure_policy,
    match_success_policy,
    new_backoff,
    only_replace_failed,
    past_backoff_on_failure,
    pod_failed,
)
from clusterlab.controllers.objects import (
    Object,
    Objects,
    active,
    controlled_by,
    controller_ref,
    deleting,
    find_condition,
    finished,
    key_of,
    phase,
    pod_ready,
    unix_ms,
    with_meta,
)
from clusterlab.controllers.podcontrol import create_pod, delete_pod, namespace_terminating, pod_from_template
from clusterlab.controllers.ranking import deletion_order
from clusterlab.controllers.refmanager import Claims
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import from_object as selector_of

if TYPE_CHECKING:
    from clusterlab.controllers.job import JobController

__all__ = ["FINALIZER", "JobSync", "has_finalizer", "job_finished", "remove_finalizer"]

FINALIZER = "batch.kubernetes.io/job-tracking"
MAX_UNCOUNTED = 500
MAX_PER_SYNC = 500
ENV = "JOB_COMPLETION_INDEX"


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


class JobSync:
    """What one pass knows and decides."""

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

    # The pass.

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
            changed = self._act(satisfied)
        except StatusError as error:
            refused = error
        by.note(desired=self.completions if self.completions is not None else 1, observed=self.succeeded, active=self.active)
        flush = changed or self.active != before.get("active", 0) or self.ready != before.get("ready") \
            or self.terminating != before.get("terminating")
        self._track(flush)
        if refused is not None:
            raise refused

    def _valid(self, wanted: object, uncounted: str) -> Objects:
        """Pods that the status has not counted and that meet a condition."""
        known = set(self.uncounted[uncounted])
        return [
            pod for pod in self.pods
            if has_finalizer(pod) and pod["metadata"]["uid"] not in known and pod["metadata"]["uid"] not in self.by.unfinalized
            and (not self.indexed or self._good_index(pod)) and wanted(pod)  # type: ignore[operator]
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

    # Pods.

    def _act(self, satisfied: bool) -> bool:
        """Creates or deletes pods; whether the Suspended condition changed."""
        if self.finish is not None:
            wanted = self.active
            deleted = self._delete(self.active_pods, expect=False)
            if deleted != wanted or not satisfied:
                self.finish = None
            return False
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
        if refused is not None:
            raise refused
        return changed

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
            self.by.tell(f"The Job {self.job['metadata']['name']} deletes {done} pods.")
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
        by.tell(f"The Job {self.job['metadata']['name']} has {self.succeeded} pods done and creates {done} more.")
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

    # Status.

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


def _with_index_env(container: Object) -> Object:
    env = container.get("env") or []
    if any(each["name"] == ENV for each in env):
        return container
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    return {**container, "env": [*env, {"name": ENV, "valueFrom": source}]}
