"""The CronJob controller: creates a Job at each time of a schedule.

Follows pkg/controller/cronjob/cronjob_controllerv2.go and utils.go; schedules are those of `machinery.cron`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.job_state import job_finished
from clusterlab.controllers.objects import (
    EPOCH,
    Object,
    Objects,
    by_controller,
    controlled_by,
    controller_of,
    controller_ref,
    deleting,
    key_of,
    unix_ms,
)
from clusterlab.controllers.podcontrol import namespace_terminating
from clusterlab.machinery import errors
from clusterlab.machinery.cron import CronError, Every, Schedule, parse, time_zone
from clusterlab.machinery.errors import StatusError

__all__ = ["CronJobController", "most_recent"]

DELTA = timedelta(milliseconds=100)
#: Deadlines beyond it (thirty years) are as good as none, and fit into a date.
LONG_S = 10**9
SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"

Times = Schedule | Every


def at(stamp: str) -> datetime:
    """An RFC 3339 time."""
    return EPOCH + timedelta(milliseconds=unix_ms(stamp))


def most_recent(cronjob: Object, now: datetime, schedule: Times, with_deadline: bool) -> tuple[datetime, datetime | None, str]:
    """(from when on times count, the latest time that has come, how many were missed: none, few, many)."""
    meta, status = cronjob["metadata"], cronjob.get("status") or {}
    earliest = at(status.get("lastScheduleTime") or meta["creationTimestamp"])
    deadline_s = cronjob["spec"].get("startingDeadlineSeconds")
    if with_deadline and deadline_s is not None:
        earliest = max(earliest, now - timedelta(seconds=min(deadline_s, LONG_S)))
    first = schedule.next(earliest)
    if first is None or now < first:
        return earliest, None, "none"
    second = schedule.next(first)
    if second is None or now < second:
        return earliest, first, "none"
    gap_s = round((second - first).total_seconds())
    if gap_s < 1:
        raise CronError("time difference between two schedules is less than 1 second")
    missed = int((now - first).total_seconds()) // gap_s + 1
    latest: datetime | None = None
    time = schedule.next(first + timedelta(seconds=(missed - 2) * gap_s))
    while time is not None and time <= now:
        latest, time = time, schedule.next(time)
    return earliest, latest, "many" if missed > 100 else "few"


def next_in(cronjob: Object, now: datetime, schedule: Times) -> timedelta | None:
    """How long to wait for the next time."""
    try:
        earliest, latest, missed = most_recent(cronjob, now, schedule, False)
        base = latest if latest is not None else earliest if missed == "none" else now
    except CronError:
        base = now
    following = schedule.next(base)
    return None if following is None else following + DELTA - now


class CronJobController(BaseController):
    """Reconciles CronJobs."""

    resource = "cronjobs"
    controller_name = component = "cronjob-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.cronjobs = self.informer("cronjobs")
        self.jobs = self.informer("jobs")
        self.jobs.add_index("controller", by_controller)
        self.cronjobs.on_change(self.cronjob_changed)
        self.jobs.on_change(self.job_changed)

    # Handlers.

    def cronjob_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            return
        key = key_of(new)
        schedules = ("schedule", "timeZone")
        if old is not None and any(old["spec"].get(name) != new["spec"].get(name) for name in schedules):
            # A time of the new schedule that has passed already is not made up for: wait for the next one.
            schedule = self._schedule(new)
            if schedule is None:
                text = new["spec"]["schedule"]
                message = f"unparseable schedule for cronjob: {text}"
                self.record(new, "Warning", "UnParseableCronJobSchedule", message)
                return
            wait = next_in(new, self.now, schedule)
            if wait is not None:
                self._wait(key, wait)
            return
        self.enqueue(key)

    def job_changed(self, old: Object | None, new: Object | None) -> None:
        for job in (old, new):
            ref = controller_of(job) if job is not None else None
            if job is not None and ref is not None and ref["kind"] == "CronJob":
                key = f"{job['metadata']['namespace']}/{ref['name']}"
                owner = self.cronjobs.get(key)
                if owner is not None and owner["metadata"]["uid"] == ref["uid"]:
                    self.enqueue(key)

    # Reconciling.

    @property
    def now(self) -> datetime:
        return EPOCH + timedelta(milliseconds=self.now_ms)

    def _schedule(self, cronjob: Object) -> Times | None:
        spec = cronjob["spec"]
        try:
            zone = "" if "TZ" in spec["schedule"] else spec.get("timeZone") or ""
            return parse(spec["schedule"], zone)
        except CronError:
            return None

    def _wait(self, key: str, wait: timedelta) -> None:
        self.queue.add_after(key, max(1, round(wait.total_seconds() * 1000)), idle=True)

    def reconcile(self, key: str) -> None:
        cronjob = self.cronjobs.get(key)
        if cronjob is None:
            return
        jobs = [job for job in self.jobs.indexed("controller", cronjob["metadata"]["uid"]) if controlled_by(job, cronjob)]
        self.active: Objects = list((cronjob.get("status") or {}).get("active") or ())
        self.status: Object = {**(cronjob.get("status") or {})}
        before = (list(self.active), {**self.status})
        refused: StatusError | None = None
        self._clean_up(cronjob, jobs)  # first: of a Job that history has no room for nobody says that it has ended
        try:
            self._sync(key, cronjob, jobs)
        except StatusError as error:
            refused = error
        if (self.active, self.status) != before:
            status = {**self.status, "active": self.active}
            if not self.active:
                del status["active"]
            try:
                self.client.update_status("cronjobs", {**cronjob, "status": status})
            except StatusError as error:
                refused = refused or error
        self.note(active=len(self.active))
        if refused is not None:
            raise refused

    def _sync(self, key: str, cronjob: Object, jobs: Objects) -> None:
        now, spec = self.now, cronjob["spec"]
        self._follow_jobs(cronjob, jobs)
        if deleting(cronjob):
            return
        if spec.get("timeZone") is not None:
            try:
                time_zone(spec["timeZone"])
            except CronError as error:
                self.record(cronjob, "Warning", "UnknownTimeZone", f'invalid timeZone: "{spec["timeZone"]}": {error}')
                return
        if spec.get("suspend"):
            return
        schedule = self._parsed(cronjob)
        if schedule is None:
            return
        try:
            _, due, missed = most_recent(cronjob, now, schedule, True)
        except CronError as error:
            self.record(cronjob, "Warning", "InvalidSchedule", f"invalid schedule: {spec['schedule']} : {error}")
            return
        if due is not None and missed == "many":
            message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self.record(cronjob, "Warning", "TooManyMissedTimes", message)
        if due is not None and self._may_start(cronjob, due, now):
            self._start(cronjob, due)
        wait = next_in({**cronjob, "status": self.status}, now, schedule)
        if wait is not None:
            self._wait(key, wait)

    def _parsed(self, cronjob: Object) -> Times | None:
        text = cronjob["spec"]["schedule"]
        if "TZ" in text:
            message = (
                f'CRON_TZ or TZ used in schedule "{text}" is not officially supported, see '
                "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
            )
            self.record(cronjob, "Warning", "UnsupportedSchedule", message)
        try:
            return parse(text, "" if "TZ" in text else cronjob["spec"].get("timeZone") or "")
        except CronError as error:
            self.record(cronjob, "Warning", "UnparseableSchedule", f'unparseable schedule: "{text}" : {error}')
            return None

    def _follow_jobs(self, cronjob: Object, jobs: Objects) -> None:
        """Takes note of Jobs that ended, appeared or vanished."""
        present = {job["metadata"]["uid"] for job in jobs}
        for job in jobs:
            uid, name = job["metadata"]["uid"], job["metadata"]["name"]
            listed = any(ref["uid"] == uid for ref in self.active)
            if not job_finished(job):
                if not listed:
                    fresh = self.client.get("cronjobs", cronjob["metadata"]["namespace"], cronjob["metadata"]["name"])
                    if any(ref["uid"] == uid for ref in (fresh.get("status") or {}).get("active") or ()):
                        raise errors.conflict("cronjobs", "batch", cronjob["metadata"]["name"], "the cache lags behind")
                    message = f"Saw a job that the controller did not create or forgot: {name}"
                    self.record(cronjob, "Warning", "UnexpectedJob", message)
                continue
            kind = next(c["type"] for c in job["status"]["conditions"] if c["type"] in ("Complete", "Failed") and c["status"] == "True")
            if listed:
                self._drop(uid)
                self.record(cronjob, "Normal", "SawCompletedJob", f"Saw completed job: {name}, condition: {kind}")
                self.tell(f"The Job {name} of CronJob {cronjob['metadata']['name']} has ended: {kind}.")
            ended = job["status"].get("completionTime")
            if kind == "Complete" and ended:
                known = self.status.get("lastSuccessfulTime")
                if known is None or unix_ms(ended) > unix_ms(known):
                    self.status["lastSuccessfulTime"] = ended
        for ref in [ref for ref in self.active if ref["uid"] not in present]:
            try:
                self.client.get("jobs", ref["namespace"], ref["name"])
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
                self.record(cronjob, "Normal", "MissingJob", f"Active job went missing: {ref['name']}")
                self._drop(ref["uid"])

    def _drop(self, uid: str) -> None:
        self.active = [ref for ref in self.active if ref["uid"] != uid]

    def _name(self, cronjob: Object, due: datetime) -> str:
        return f"{cronjob['metadata']['name']}-{int((due - EPOCH).total_seconds()) // 60}"

    def _may_start(self, cronjob: Object, due: datetime, now: datetime) -> bool:
        spec = cronjob["spec"]
        deadline_s = spec.get("startingDeadlineSeconds")
        if deadline_s is not None and due + timedelta(seconds=min(deadline_s, LONG_S)) < now:
            when = due.strftime("%a, %d %b %Y %H:%M:%S +0000")
            self.record(cronjob, "Warning", "MissSchedule", f"Missed scheduled time to start a job: {when}")
            return False
        last = self.status.get("lastScheduleTime")
        name = self._name(cronjob, due)
        if (last and at(last) == due) or any(ref["name"] == name for ref in self.active):
            return False
        policy = spec.get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and self.active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.record(cronjob, "Normal", "JobAlreadyActive", message)
            self.tell(f"CronJob {cronjob['metadata']['name']} is due, but its last Job still runs and concurrency is forbidden.")
            return False
        if policy == "Replace":
            for ref in list(self.active):
                self._delete(cronjob, self.client.get("jobs", ref["namespace"], ref["name"]), strict=True)
        return True

    def _start(self, cronjob: Object, due: datetime) -> None:
        template, meta, name = cronjob["spec"]["jobTemplate"], cronjob["metadata"], self._name(cronjob, due)
        template_meta = template.get("metadata") or {}
        stamp = due.astimezone(time_zone(cronjob["spec"].get("timeZone") or "")).isoformat().replace("+00:00", "Z")
        body: Object = {
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": name, "namespace": meta["namespace"], "labels": template_meta.get("labels") or {},
                "annotations": {**(template_meta.get("annotations") or {}), SCHEDULED_AT: stamp},
                "ownerReferences": [controller_ref(cronjob, "batch/v1", "CronJob")],
            },
            "spec": template["spec"],
        }
        try:
            job = self.client.create("jobs", body)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                if not namespace_terminating(error):
                    self.record(cronjob, "Warning", "FailedCreate", f"Error creating job: {error.message}")
                raise
            job = self.client.get("jobs", meta["namespace"], name)
            if not controlled_by(job, cronjob) or any(ref["uid"] == job["metadata"]["uid"] for ref in self.active):
                return
        else:
            self.record(cronjob, "Normal", "SuccessfulCreate", f"Created job {name}")
            self.tell(f"It is {due.strftime('%H:%M')} UTC, so CronJob {meta['name']} creates the Job {name}.")
        made = job["metadata"]
        self.active = [*self.active, {
            "kind": "Job", "namespace": made["namespace"], "name": name, "uid": made["uid"], "apiVersion": "batch/v1",
            "resourceVersion": made.get("resourceVersion", ""),
        }]
        self.status["lastScheduleTime"] = due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # History.

    def _clean_up(self, cronjob: Object, jobs: Objects) -> None:
        for kind, field, default in (("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)):
            limit = cronjob["spec"].get(field, default)
            done = [
                job for job in jobs
                if any(c["type"] == kind and c["status"] == "True" for c in (job.get("status") or {}).get("conditions") or ())
            ]
            if limit is None or len(done) <= limit:
                continue
            done.sort(key=lambda job: (job["status"].get("startTime") or "9", job["metadata"]["name"]))
            for job in done[:len(done) - limit]:
                self._delete(cronjob, job)

    def _delete(self, cronjob: Object, job: Object, strict: bool = False) -> None:
        meta = job["metadata"]
        try:
            self.client.delete("jobs", meta["namespace"], meta["name"], propagationPolicy="Background")
        except StatusError as error:
            self.record(cronjob, "Warning", "FailedDelete", f"Deleted job: {error.message}")
            if strict:
                raise
            return
        self._drop(meta["uid"])
        self.record(cronjob, "Normal", "SuccessfulDelete", f"Deleted job {meta['name']}")
