"""Jobs and CronJobs: completions, back-off, indexes, policies, schedules over a simulated day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from clusterlab.machinery.cron import CronError, parse
from clusterlab.machinery.errors import forbidden
from tests.controllers.conftest import Lab, template

Object = dict[str, Any]
NAMES = ("job-controller", "cronjob-controller", "ttl-after-finished-controller", "garbage-collector-controller")


def job(lab: Lab, **spec: Any) -> None:
    spec = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "selector": {"matchLabels": {"app": "once"}},
            "template": template("busybox", "once", restartPolicy="Never"), **spec}
    lab.api.put("jobs", {"kind": "Job", "metadata": {"name": "once", "namespace": "default"}, "spec": spec})
    lab.settle()


def start(**spec: Any) -> Lab:
    lab = Lab(*NAMES).start()
    job(lab, **spec)
    return lab


def status(lab: Lab) -> Object:
    found = lab.api.get("jobs", "default/once")
    assert found is not None
    return found["status"]


def conditions(lab: Lab) -> list[tuple[str, str]]:
    return [(c["type"], c["reason"]) for c in status(lab).get("conditions", ()) if c["status"] == "True"]


def end(lab: Lab, phase: str, pods: list[Object] | None = None, code: int = 1) -> None:
    for pod in pods if pods is not None else lab.pods():
        if pod["status"].get("phase") in ("Pending", "Running"):
            code_now = 0 if phase == "Succeeded" else code
            ended = {"state": {"terminated": {"exitCode": code_now, "finishedAt": lab.sim.now_rfc3339()}}, "name": "nginx"}
            lab.set_pod(pod, phase=phase, ready=False, containerStatuses=[ended])
    lab.settle()


def alive(lab: Lab) -> list[Object]:
    return [p for p in lab.pods() if p["status"].get("phase") in ("Pending", "Running")]


def test_completes() -> None:
    lab = start(completions=3, parallelism=2)
    assert len(lab.pods()) == 2
    assert lab.pods()[0]["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    assert status(lab)["active"] == 2
    end(lab, "Succeeded")
    end(lab, "Succeeded")
    assert conditions(lab) == [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")]
    assert status(lab)["succeeded"] == 3 and "completionTime" in status(lab) and "active" not in status(lab)
    assert all(not pod["metadata"].get("finalizers") for pod in lab.pods())
    assert ("Completed", "Job completed") in lab.api.events()


def test_backoff_doubles_until_the_limit() -> None:
    """pkg/controller/job/backoff_utils_test.go: 10 s, 20 s, 40 s after the last failure."""
    lab = start(backoffLimit=3)
    tries = [lab.sim.time_ms]
    for _ in range(3):
        end(lab, "Failed")
        before = len(lab.pods())
        for _ in range(200):
            lab.run(0.5)
            if len(lab.pods()) > before:
                break
        tries.append(lab.sim.time_ms)
    waits = [(b - a) / 1000 for a, b in zip(tries, tries[1:], strict=False)]
    assert [round(wait / 10) * 10 for wait in waits] == [10, 20, 40]
    end(lab, "Failed")
    lab.run(3)
    assert conditions(lab) == [("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded")]
    assert status(lab)["failed"] == 4
    assert ("BackoffLimitExceeded", "Job has reached the specified backoff limit") in lab.api.events()


def test_active_deadline() -> None:
    lab = start(activeDeadlineSeconds=30, parallelism=2, completions=2)
    lab.run(25)
    assert conditions(lab) == []
    lab.run(6)
    lab.run_pods()
    lab.run(3)
    assert conditions(lab)[-1] == ("Failed", "DeadlineExceeded")


def test_indexed() -> None:
    lab = start(completionMode="Indexed", completions=4, parallelism=3)
    assert sorted(p["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for p in lab.pods()) == ["0", "1", "2"]
    pod = lab.pods()[0]
    assert pod["spec"]["hostname"] == "once-0" and pod["metadata"]["name"].startswith("once-0-")
    assert pod["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    end(lab, "Succeeded", lab.pods()[:2])
    assert status(lab)["completedIndexes"] == "0,1"
    end(lab, "Succeeded")
    end(lab, "Succeeded")
    assert status(lab)["completedIndexes"] == "0-3" and conditions(lab)[-1][0] == "Complete"


def test_backoff_limit_per_index() -> None:
    lab = start(completionMode="Indexed", completions=2, parallelism=2, backoffLimitPerIndex=1, backoffLimit=2147483647)
    for _ in range(2):
        bad = [p for p in alive(lab) if p["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == "0"]
        end(lab, "Failed", bad)
        lab.run(25)
    assert status(lab)["failedIndexes"] == "0"
    end(lab, "Succeeded")
    lab.run(3)
    assert conditions(lab)[-1] == ("Failed", "FailedIndexes") and status(lab)["completedIndexes"] == "1"


def test_pod_failure_policy() -> None:
    """pkg/controller/job/pod_failure_policy_test.go."""
    rules = [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
             {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    lab = start(podFailurePolicy={"rules": rules})
    name = lab.pods()[0]["metadata"]["name"]
    end(lab, "Failed", code=42)
    assert conditions(lab)[-1] == ("Failed", "PodFailurePolicy")
    message = status(lab)["conditions"][-1]["message"]
    assert message == f"Container nginx for pod default/{name} failed with exit code 42 matching FailJob rule at index 0"
    lab2 = start(podFailurePolicy={"rules": rules}, backoffLimit=0)
    lab2.set_pod(lab2.pods()[0], phase="Failed", ready=False, conditions=[{"type": "DisruptionTarget", "status": "True"}])
    lab2.run(15)
    assert conditions(lab2) == [] and "failed" not in status(lab2) and len(alive(lab2)) == 1


def test_success_policy() -> None:
    """pkg/controller/job/success_policy_test.go."""
    lab = start(completionMode="Indexed", completions=3, parallelism=3,
                successPolicy={"rules": [{"succeededIndexes": "0,2", "succeededCount": 1}]})
    end(lab, "Succeeded", [p for p in lab.pods() if p["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == "2"])
    lab.run_pods()
    lab.run(3)
    assert conditions(lab) == [("SuccessCriteriaMet", "SuccessPolicy"), ("Complete", "SuccessPolicy")]


def test_suspend_and_resume() -> None:
    lab = start(suspend=True)
    assert lab.pods() == [] and conditions(lab) == [("Suspended", "JobSuspended")]
    spec = lab.api.get("jobs", "default/once")["spec"]  # type: ignore[index]
    lab.api.change("jobs", "default/once", spec={**spec, "suspend": False})
    lab.settle()
    assert len(lab.pods()) == 1 and ("Resumed", "Job resumed") in lab.api.events()
    lab.api.change("jobs", "default/once", spec={**spec, "suspend": True})
    lab.settle()
    lab.run_pods()
    assert lab.pods() == [] and "startTime" not in status(lab)


def test_scaled_down_parallelism() -> None:
    lab = start(parallelism=4, completions=8)
    spec = lab.api.get("jobs", "default/once")["spec"]  # type: ignore[index]
    lab.api.change("jobs", "default/once", spec={**spec, "parallelism": 1})
    lab.settle()
    lab.run_pods()
    assert len(lab.pods()) == 1


def test_ttl_deletes_the_job() -> None:
    lab = start(ttlSecondsAfterFinished=60)
    end(lab, "Succeeded")
    lab.run(58)
    assert lab.api.get("jobs", "default/once") is not None
    lab.run(5)
    assert lab.api.get("jobs", "default/once") is None and lab.pods() == []


def test_deleted_job_frees_its_pods() -> None:
    lab = start()
    lab.api.remove("jobs", "default/once")
    lab.settle()
    lab.run_pods()
    assert lab.pods() == []


# CronJobs.


def cron(lab: Lab, schedule: str, **spec: Any) -> None:
    body = {"schedule": schedule, "concurrencyPolicy": "Allow", "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {"parallelism": 1, "completions": 1, "backoffLimit": 0, "selector": {"matchLabels": {"app": "once"}},
                                     "template": template("busybox", "once", restartPolicy="Never")}}, **spec}
    lab.api.put("cronjobs", {"kind": "CronJob", "metadata": {"name": "tick", "namespace": "default"}, "spec": body})
    lab.settle()


def test_cron_over_a_day() -> None:
    lab = Lab("cronjob-controller").start()
    cron(lab, "30 */6 * * *")
    made: dict[str, str] = {}
    for _ in range(24 * 4):
        lab.run(900)
        for each in lab.api.all("jobs"):
            name = each["metadata"]["name"]
            if name not in made:
                made[name] = each["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
                now = lab.sim.now_rfc3339()
                done = {"type": "Complete", "status": "True", "lastTransitionTime": now}
                lab.api.change("jobs", f"default/{name}", status={"conditions": [done], "startTime": now, "completionTime": now})
    assert list(made.values()) == [f"2026-01-01T{hour:02}:30:00Z" for hour in (0, 6, 12, 18)]
    assert list(made)[0] == "tick-29453790"
    assert len(lab.api.all("jobs")) == 3
    status_now = lab.api.get("cronjobs", "default/tick")["status"]  # type: ignore[index]
    assert status_now["lastScheduleTime"] == "2026-01-01T18:30:00Z" and "active" not in status_now
    assert ("SawCompletedJob", "Saw completed job: tick-29453790, condition: Complete") in lab.api.events()


@pytest.mark.parametrize(("policy", "jobs"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_concurrency(policy: str, jobs: int) -> None:
    lab = Lab("cronjob-controller").start()
    cron(lab, "* * * * *", concurrencyPolicy=policy)
    lab.run(185)
    assert len(lab.api.all("jobs")) == jobs
    names = [each["metadata"]["name"] for each in lab.api.all("jobs")]
    assert names == (["tick-29453763"] if policy == "Replace" else ["tick-29453761"] if policy == "Forbid" else names)


def test_missed_runs_are_made_up_once() -> None:
    lab = Lab("cronjob-controller").start()
    cron(lab, "* * * * *", suspend=True)
    lab.run(600)
    spec = lab.api.get("cronjobs", "default/tick")["spec"]  # type: ignore[index]
    lab.api.change("cronjobs", "default/tick", spec={**spec, "suspend": False})
    lab.settle()
    assert [j["metadata"]["name"] for j in lab.api.all("jobs")] == ["tick-29453770"]


def test_starting_deadline() -> None:
    lab = Lab("cronjob-controller").start()
    cron(lab, "0 * * * *", suspend=True, startingDeadlineSeconds=60)
    lab.run(3600 + 300)
    spec = lab.api.get("cronjobs", "default/tick")["spec"]  # type: ignore[index]
    lab.api.change("cronjobs", "default/tick", spec={**spec, "suspend": False})
    lab.settle()
    assert lab.api.all("jobs") == []


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(("now", "schedule", "zone", "then"), [
    # robfig/cron/v3 spec_test.go, TestNext
    ("2012-07-09T14:45:00Z", "0/15 * * * *", "", "2012-07-09T15:00:00Z"),
    ("2012-07-09T14:59:59Z", "0/15 * * * *", "", "2012-07-09T15:00:00Z"),
    ("2012-07-09T15:45:00Z", "20-35/15 * * * *", "", "2012-07-09T16:20:00Z"),
    ("2012-07-09T23:46:00Z", "*/15 * * * *", "", "2012-07-10T00:00:00Z"),
    ("2012-07-09T23:35:00Z", "0 0 9 Apr-Oct ?", "", "2012-08-09T00:00:00Z"),
    ("2012-07-09T23:35:00Z", "0 0 */5 Apr,Aug,Oct Mon", "", "2012-08-01T00:00:00Z"),
    ("2012-12-31T23:59:45Z", "* * * * *", "", "2013-01-01T00:00:00Z"),
    ("2012-07-09T23:35:00Z", "0 0 29 Feb ?", "", "2016-02-29T00:00:00Z"),
    ("2012-03-11T00:00:00-05:00", "30 2 11 Mar ?", "America/New_York", "2013-03-11T02:30:00-04:00"),
    ("2012-03-11T01:59:00-05:00", "0 * * * ?", "America/New_York", "2012-03-11T03:00:00-04:00"),
    ("2012-11-04T01:00:00-04:00", "0 1 * * ?", "America/New_York", "2012-11-04T01:00:00-05:00"),
    ("2012-11-04T00:00:00-04:00", "0 3 * * ?", "America/New_York", "2012-11-04T03:00:00-05:00"),
    ("2026-01-01T00:00:00Z", "@weekly", "", "2026-01-04T00:00:00Z"),
    ("2026-01-01T00:00:00Z", "0 3 * * *", "Asia/Tokyo", "2026-01-01T18:00:00Z"),
])
def test_next_time(now: str, schedule: str, zone: str, then: str) -> None:
    assert parse(schedule, zone).next(moment(now)) == moment(then)


@pytest.mark.parametrize(("schedule", "error"), [
    ("every day", "expected exactly 5 fields, found 2: [every day]"),
    ("60 0 * * *", "end of range (60) above maximum (59): 60"),
    ("0 0 * * 7", "end of range (7) above maximum (6): 7"),
    ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
    ("*/0 * * * *", "step of range should be a positive number: */0"),
    ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
    ("@soon", "unrecognized descriptor: @soon"),
])
def test_bad_schedules(schedule: str, error: str) -> None:
    with pytest.raises(CronError) as caught:
        parse(schedule)
    assert str(caught.value) == error


def test_nobody_says_that_a_job_has_ended_which_history_has_no_room_for() -> None:
    lab = Lab("cronjob-controller").start()
    cron(lab, "* * * * *", successfulJobsHistoryLimit=0)
    lab.run(65)
    (made,) = lab.api.all("jobs")
    now = lab.sim.now_rfc3339()
    done = {"type": "Complete", "status": "True", "lastTransitionTime": now}
    lab.api.change("jobs", f"default/{made['metadata']['name']}", status={"conditions": [done], "startTime": now, "completionTime": now})
    lab.settle()
    told = [reason for reason, _ in lab.api.events()]
    assert "SuccessfulDelete" in told and "SawCompletedJob" not in told


def test_a_job_is_resumed_once_though_its_pods_are_refused() -> None:
    lab = start(suspend=True)

    def refuse(request: Any) -> None:
        if request.verb == "create" and request.resource == "pods":
            raise forbidden("pods", "", "once", "no room")

    lab.api.refuse.append(refuse)
    spec = lab.api.get("jobs", "default/once")["spec"]  # type: ignore[index]
    lab.api.change("jobs", "default/once", spec={**spec, "suspend": False})
    lab.settle()
    suspended = [c for c in status(lab)["conditions"] if c["type"] == "Suspended"]
    assert [(c["status"], c["reason"]) for c in suspended] == [("False", "JobResumed")] and status(lab)["startTime"]
    resumed = [event for event in lab.api.all("events") if event["reason"] == "Resumed"]
    assert [event.get("count", 1) for event in resumed] == [1]
