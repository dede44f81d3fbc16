"""The status of Jobs: counters, conditions and indexes that make sense.

Follows pkg/apis/batch/validation/validation.go (ValidateJobStatusUpdate) with the options of getStatusValidationOptions in
pkg/registry/batch/job/strategy.go.
"""

from __future__ import annotations

import re
from typing import Any

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import EMPTY, Errors, Obj, condition_true, nonnegative_fields, number, strings, struct, text
from clusterlab.apiserver.validation.meta import object_meta_update
from clusterlab.machinery.field import OMIT, duplicate, go_quote, invalid, required

__all__ = ["indexes_error", "update_status"]

_integer = re.compile("[+-]?[0-9]{1,18}").fullmatch


def _interval(fragment: str, completions: int) -> tuple[int, int, str]:
    parts = fragment.split("-")
    if len(parts) > 2:
        why = f"the fragment {go_quote(fragment)} violates the requirement that an index interval can have at most two parts"
        return 0, 0, f"{why} separated by '-'"
    numbers = []
    for part in parts:
        if not _integer(part):
            return 0, 0, f"cannot convert string to integer for index: {go_quote(part)}"
        if int(part) >= completions:
            return 0, 0, f"too large index: {go_quote(part)}"
        numbers.append(int(part))
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        return 0, 0, f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}"
    return numbers[0], numbers[-1], ""


def indexes_error(indexes: str, completions: int) -> tuple[int, str]:
    """How many indexes a list such as "0,3-5" names, and what is wrong with it."""
    total, last = 0, None
    for fragment in indexes.split(",") if indexes else ():
        first, end, why = _interval(fragment, completions)
        if why:
            return 0, why
        if last is not None and last >= first:
            return 0, f"non-increasing order, previous: {last}, current: {first}"
        total, last = total + end - first + 1, end
    return total, ""


def _intervals(indexes: str, completions: int) -> list[tuple[int, int]]:
    found = (_interval(fragment, completions) for fragment in indexes.split(","))
    return [(first, end) for first, end, why in found if not why]


def _overlap(completed: str, failed: str, completions: int) -> str:
    if not completed or not failed:
        return ""
    ours, theirs = _intervals(completed, completions), _intervals(failed, completions)
    i = j = 0
    while i < len(ours) and j < len(theirs):
        (a, b), (x, y) = ours[i], theirs[j]
        if a <= y and x <= b:
            return f"failedIndexes and completedIndexes overlap at index: {max(a, x)}"
        if a <= x:
            i += 1
        else:
            j += 1
    return ""


def _counters(status: Obj) -> Errors:
    out = nonnegative_fields(status, "status", "active", "succeeded", "failed", "ready", "terminating")
    pods = struct(status, "uncountedTerminatedPods")
    seen: set[str] = set()
    for field in ("succeeded", "failed"):
        for i, uid in enumerate(strings(pods, field)):
            at = f"status.uncountedTerminatedPods.{field}[{i}]"
            if not uid:
                out.append(invalid(at, uid, "must not be empty"))
            elif uid in seen:
                out.append(duplicate(at, uid))
            seen.add(uid)
    return out


def _together(path: str, *rules: tuple[bool, str]) -> Errors:
    return [invalid(path, OMIT, why) for wrong, why in rules if wrong]


def _ends(new: dict[str, bool], changed: dict[str, bool]) -> Errors:
    """What may not be true together with Complete."""
    complete = new["Complete"]
    return _together(
        "status.conditions",
        ((changed["Complete"] or changed["Failed"]) and complete and new["Failed"], "cannot set Complete=True and Failed=true conditions"),
        ((changed["Complete"] or changed["FailureTarget"]) and complete and new["FailureTarget"],
         "cannot set Complete=True and FailureTarget=true conditions"),
    )


def _announced(new: dict[str, bool], changed: dict[str, bool], failed_indexes_changed: bool) -> Errors:
    """Each end is announced by a condition that comes first."""
    return _together(
        "status.conditions",
        ((changed["Failed"] or failed_indexes_changed) and new["Failed"] and not new["FailureTarget"],
         "cannot set Failed=True condition without the FailureTarget=true condition"),
        ((changed["Complete"] or changed["SuccessCriteriaMet"]) and new["Complete"] and not new["SuccessCriteriaMet"],
         "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
    )


def _met(job: Obj, new: dict[str, bool]) -> Errors:
    """What may not be true together with SuccessCriteriaMet, or without it."""
    met = new["SuccessCriteriaMet"]
    return _together(
        "status.conditions",
        (met and new["Failed"], "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        (met and new["FailureTarget"], "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
        (struct(job, "spec").get("successPolicy") is not None and not met and new["Complete"],
         "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"),
    )


def _times(status: Obj, was: Obj, complete: bool, complete_changed: bool) -> Errors:
    path, done, start = "status.completionTime", status.get("completionTime"), status.get("startTime")
    done_changed, start_changed = done != was.get("completionTime"), start != was.get("startTime")
    out: Errors = []
    if complete_changed or done_changed:
        if done is not None and not complete:
            out.append(invalid(path, done, "cannot set completionTime when there is no Complete=True condition"))
        if done is None and complete:
            out.append(required(path, "completionTime is required for Complete jobs"))
    if (start_changed or done_changed) and start is not None and done is not None and done < start:
        out.append(invalid(path, done, "must be equal to or after `startTime`"))
    return out


def _indexes(spec: Obj, status: Obj, was: Obj) -> Errors:
    out: Errors = []
    completed, failed = text(status, "completedIndexes"), status.get("failedIndexes")
    new_completed, new_failed = completed != text(was, "completedIndexes"), failed != was.get("failedIndexes")
    completions, per_index = spec.get("completions"), spec.get("backoffLimitPerIndex")
    if new_completed and completions is not None and (why := indexes_error(completed, completions)[1]):
        out.append(invalid("status.completedIndexes", completed, f"error parsing completedIndexes: {why}"))
    if new_failed and completions is not None and per_index is not None and failed is not None:
        if why := indexes_error(failed, completions)[1]:
            out.append(invalid("status.failedIndexes", failed, f"error parsing failedIndexes: {why}"))
    if new_completed and completed and spec.get("completionMode") != "Indexed":
        why = "cannot set non-empty completedIndexes when non-indexed completion mode"
        out.append(invalid("status.completedIndexes", completed, why))
    if new_failed and per_index is None and failed is not None:
        why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        out.append(invalid("status.failedIndexes", failed, why))
    if (new_failed or new_completed) and completions is not None and failed is not None:
        if why := _overlap(completed, failed, completions):
            out.append(invalid("status.failedIndexes", failed, why))
    return out


def _finished(status: Obj, was: Obj, spec: Obj, finished: bool, finished_changed: bool) -> Errors:
    out: Errors = []

    def changed(field: str) -> bool:
        return finished_changed or status.get(field) != was.get(field)

    active, terminating, ready = number(status, "active"), number(status, "terminating"), status.get("ready")
    if finished:
        if changed("active") and active > 0:
            out.append(invalid("status.active", active, "active>0 is invalid for finished job"))
        idle = spec.get("suspend") is True and spec.get("completions") == 0
        if changed("startTime") and not idle and status.get("startTime") is None:
            out.append(required("status.startTime", "startTime is required for finished job"))
        pods = struct(status, "uncountedTerminatedPods")
        if changed("uncountedTerminatedPods") and (pods.get("failed") or pods.get("succeeded")):
            shown = gotypes.go_struct("batch.UncountedTerminatedPods", pods)
            out.append(invalid("status.uncountedTerminatedPods", shown, "must be empty for finished job"))
        if changed("terminating") and terminating > 0:
            out.append(invalid("status.terminating", terminating, "terminating>0 is invalid for finished job"))
    if (ready != was.get("ready") or status.get("active") != was.get("active")) and ready is not None and ready > active:
        out.append(invalid("status.ready", ready, "cannot set more ready pods than active"))
    return out


_KINDS = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")


def update_status(new: Obj, old: Obj) -> Errors:
    """A Job's new status."""
    out = object_meta_update(new, old)
    spec, status, was = struct(new, "spec"), struct(new, "status"), struct(old, "status")
    now = {kind: condition_true(status, kind) for kind in _KINDS}
    then = {kind: condition_true(was, kind) for kind in _KINDS}
    changed = {kind: now[kind] != then[kind] for kind in _KINDS}
    finished, finished_before = now["Complete"] or now["Failed"], then["Complete"] or then["Failed"]
    out += _counters(status)
    out += _ends(now, changed) + _times(status, was, now["Complete"], changed["Complete"])
    out += _announced(now, changed, status.get("failedIndexes") != was.get("failedIndexes"))
    out += _finished(status, was, spec, finished, finished != finished_before) + _indexes(spec, status, was) + _met(new, now)
    for kind in ("Failed", "Complete", "FailureTarget"):
        if then[kind] and not now[kind]:
            out.append(invalid("status.conditions", OMIT, f"cannot disable the terminal {kind}=True condition"))
    return out + _transitions(new, old, status, was) + _together(
        "status.conditions",
        (then["SuccessCriteriaMet"] and not now["SuccessCriteriaMet"], "cannot disable the SuccessCriteriaMet=True condition"),
        (then["Complete"] and not then["SuccessCriteriaMet"] and now["SuccessCriteriaMet"],
         "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"),
    )


def _resuming(status: Obj, was: Obj) -> bool:
    false = any((c or EMPTY).get("type") == "Suspended" and (c or EMPTY).get("status") == "False" for c in status.get("conditions") or ())
    return condition_true(was, "Suspended") and false


def _transitions(new: Obj, old: Obj, status: Obj, was: Obj) -> Errors:
    out: Errors = []
    spec = struct(new, "spec")
    if number(status, "failed") < number(was, "failed"):
        out.append(invalid("status.failed", number(status, "failed"), "cannot decrease the failed counter"))
    elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    if not elastic and number(status, "succeeded") < number(was, "succeeded"):
        out.append(invalid("status.succeeded", number(status, "succeeded"), "cannot decrease the succeeded counter"))
    done: Any = status.get("completionTime")
    if done is not None and was.get("completionTime") is not None and done != was["completionTime"]:
        out.append(invalid("status.completionTime", done, "field is immutable"))
    start = was.get("startTime")
    if start is not None and start != status.get("startTime") and not spec.get("suspend") and not _resuming(status, was):
        out.append(invalid("status.startTime", status.get("startTime"), "field is immutable for unsuspended job once set"))
    return out
