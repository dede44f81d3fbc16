"""When a Job's pods have failed, what follows from it, and how long to wait before the next try.

Follows pkg/controller/job/pod_failure_policy.go, success_policy.go and backoff_utils.go.
"""

from __future__ import annotations

from clusterlab.controllers.job_indexes import parse_indexes
from clusterlab.controllers.objects import Object, Objects, created_ms, deleting, key_of, phase, ready_condition, unix_ms

__all__ = [
    "backoff_left_ms", "finished_ms", "match_failure_policy", "match_success_policy", "new_backoff", "only_replace_failed",
    "past_backoff_on_failure", "pod_failed",
]

BACKOFF_MS, BACKOFF_MAX_MS = 10_000, 10 * 60_000

Backoff = tuple[int, int | None]  # (failures since the last success, when the last one was)


def only_replace_failed(job: Object) -> bool:
    """Whether a terminating pod is replaced only once it has failed."""
    spec = job["spec"]
    return spec.get("podReplacementPolicy") == "Failed" or spec.get("podFailurePolicy") is not None


def pod_failed(pod: Object, job: Object) -> bool:
    """Whether a pod counts as failed."""
    if phase(pod) == "Failed":
        return True
    return not only_replace_failed(job) and deleting(pod) and phase(pod) != "Succeeded"


def match_failure_policy(job: Object, pod: Object) -> tuple[str | None, bool, str | None]:
    """(why the Job fails at once, whether the failure counts, the action that was taken)."""
    policy = job["spec"].get("podFailurePolicy")
    for number, rule in enumerate((policy or {}).get("rules") or ()):
        why = _matches(rule, pod)
        if why is None:
            continue
        action = rule["action"]
        if action == "FailJob":
            return f"{why} matching FailJob rule at index {number}", True, action
        return None, action != "Ignore", action
    return None, True, None


def _matches(rule: Object, pod: Object) -> str | None:
    status = pod.get("status") or {}
    codes = rule.get("onExitCodes")
    if codes is not None:
        for container in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
            ended = (container.get("state") or {}).get("terminated")
            if ended is None or codes.get("containerName", container["name"]) != container["name"] or not ended.get("exitCode"):
                continue
            if (ended["exitCode"] in codes["values"]) == (codes["operator"] == "In"):
                return f"Container {container['name']} for pod {key_of(pod)} failed with exit code {ended['exitCode']}"
        return None
    for condition in status.get("conditions") or ():
        for pattern in rule.get("onPodConditions") or ():
            if (condition["type"], condition["status"]) == (pattern["type"], pattern.get("status", "True")):
                return f"Pod {key_of(pod)} has condition {condition['type']}"
    return None


def match_success_policy(job: Object, succeeded: set[int]) -> str | None:
    """Which rule says that the Job has succeeded already."""
    policy, completions = job["spec"].get("successPolicy"), job["spec"].get("completions", 1)
    if policy is None or not succeeded:
        return None
    for number, rule in enumerate(policy.get("rules") or ()):
        count = rule.get("succeededCount")
        if rule.get("succeededIndexes") is not None:
            required = parse_indexes(rule["succeededIndexes"], completions)
            got = len(required & succeeded)
            met = bool(required) and (got == len(required) or (count is not None and got >= count))
        else:
            met = count is not None and len(succeeded) >= count
        if met:
            return f"Matched rules at index {number}"
    return None


def past_backoff_on_failure(job: Object, pods: Objects) -> bool:
    """Whether containers that restart in place have done so too often."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    count = 0
    for pod in pods:
        if phase(pod) in ("Running", "Pending"):
            status = pod["status"]
            statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
            count += sum(container.get("restartCount", 0) for container in statuses)
    limit = job["spec"].get("backoffLimit", 6)
    return count > 0 if limit == 0 else count >= limit


# Back-off.


def finished_ms(pod: Object) -> int:
    """When a pod ended, as milliseconds since 1970."""
    status = pod.get("status") or {}
    sidecars = {c["name"] for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"}
    inits = [c for c in status.get("initContainerStatuses") or () if c["name"] in sidecars]
    ends = [
        ((container.get("state") or {}).get("terminated") or {}).get("finishedAt")
        for container in [*(status.get("containerStatuses") or ()), *inits]
    ]
    if ends and all(ends):
        return max(unix_ms(end) for end in ends)
    ready = ready_condition(pod)
    if ready is not None and ready["status"] == "False" and ready.get("lastTransitionTime"):
        return unix_ms(ready["lastTransitionTime"])
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        return unix_ms(meta["deletionTimestamp"]) - (meta.get("deletionGracePeriodSeconds") or 0) * 1000
    return created_ms(pod)


def new_backoff(before: Backoff, succeeded: Objects, failed: Objects) -> Backoff:
    """The back-off after pods that ended: a success sets it back, failures after it count."""
    if not succeeded:
        if not failed:
            return before
        return before[0] + len(failed), max(finished_ms(pod) for pod in failed)
    last_success = max(finished_ms(pod) for pod in succeeded)
    later = [at for at in map(finished_ms, failed) if at > last_success]
    return len(later), max(later, default=None)


def backoff_left_ms(failures: int, last_ms: int | None, now: int) -> int:
    """How long to wait after so many failures: ten seconds, doubled for each, at most ten minutes."""
    if failures == 0 or last_ms is None:
        return 0
    backoff_ms = min(BACKOFF_MS << min(failures - 1, 20), BACKOFF_MAX_MS)
    return max(0, backoff_ms - (now - last_ms))
