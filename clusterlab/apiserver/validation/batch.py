"""Jobs and CronJobs.

Follows pkg/apis/batch/validation/validation.go and the options that pkg/registry/batch/job/strategy.go gives it.
"""

from __future__ import annotations

import re

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import (
    Errors,
    Obj,
    condition_true,
    enum,
    equal,
    immutable,
    invalids,
    nonnegative_fields,
    number,
    struct,
    structs,
    text,
)
from clusterlab.apiserver.validation.formats import dns1123_label, domain_prefixed_path, label_key, name_is_subdomain
from clusterlab.apiserver.validation.job_status import indexes_error, update_status
from clusterlab.apiserver.validation.meta import label_selector, object_meta, object_meta_update
from clusterlab.apiserver.validation.pod import pod_template_spec
from clusterlab.apiserver.validation.selectors import matches, selector_error
from clusterlab.machinery.cron import CronError, parse, time_zone
from clusterlab.machinery.field import OMIT, duplicate, invalid, not_supported, required, too_long, too_many

__all__ = ["create_cron_job", "create_job", "update_cron_job", "update_job", "update_status"]

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_UID, _NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
_GENERATED = frozenset((_UID, _NAME, "controller-uid", "job-name"))


def _go_list(values: tuple[str, ...]) -> str:
    return "[" + " ".join(f'"{value}"' for value in values) + "]"


# Policies.

def _exit_codes(path: str, codes: Obj, containers: set[str]) -> Errors:
    out: Errors = []
    operator, values = text(codes, "operator"), [value or 0 for value in codes.get("values") or ()]
    if not operator:
        out.append(required(f"{path}.operator", f"valid values: {_go_list(('In', 'NotIn'))}"))
    else:
        out += enum(f"{path}.operator", operator, ("In", "NotIn"))
    name = codes.get("containerName")
    if name is not None and name not in containers:
        why = "must be one of the container or initContainer names in the pod template"
        out.append(invalid(f"{path}.containerName", name, why))
    if not values:
        out.append(invalid(f"{path}.values", codes.get("values"), "at least one value is required"))
    elif len(values) > 255:
        out.append(too_many(f"{path}.values", len(values), 255))
    seen: set[int] = set()
    for i, value in enumerate(values):
        if operator == "In" and value == 0:
            out.append(invalid(f"{path}.values[{i}]", value, "must not be 0 for the In operator"))
        if value in seen:
            out.append(duplicate(f"{path}.values[{i}]", value))
        seen.add(value)
    if values != sorted(values):
        out.append(invalid(f"{path}.values", values, "must be ordered"))
    return out


def _pod_conditions(path: str, patterns: list[Obj]) -> Errors:
    out: Errors = []
    statuses = ("False", "True", "Unknown")
    if len(patterns) > 20:
        out.append(too_many(path, len(patterns), 20))
    for i, pattern in enumerate(patterns):
        kind, status = text(pattern, "type"), text(pattern, "status")
        out += invalids(f"{path}[{i}].type", kind, label_key(kind))
        if not status:
            out.append(required(f"{path}[{i}].status", f"valid values: {_go_list(statuses)}"))
        else:
            out += enum(f"{path}[{i}].status", status, statuses)
    return out


def _failure_policy(path: str, spec: Obj) -> Errors:
    out: Errors = []
    rules = structs(struct(spec, "podFailurePolicy"), "rules")
    if len(rules) > 20:
        out.append(too_many(f"{path}.rules", len(rules), 20))
    pod = struct(struct(spec, "template"), "spec")
    names = {text(container, "name") for field in ("containers", "initContainers") for container in structs(pod, field)}
    for i, rule in enumerate(rules):
        at, action = f"{path}.rules[{i}]", text(rule, "action")
        if not action:
            out.append(required(f"{at}.action", f"valid values: {_go_list(_ACTIONS)}"))
        elif action == "FailIndex":
            if spec.get("backoffLimitPerIndex") is None:
                out.append(invalid(f"{at}.action", action, "requires the backoffLimitPerIndex to be set"))
        else:
            out += enum(f"{at}.action", action, _ACTIONS)
        codes, patterns = rule.get("onExitCodes"), structs(rule, "onPodConditions")
        if codes is not None:
            out += _exit_codes(f"{at}.onExitCodes", codes, names)
        if patterns:
            out += _pod_conditions(f"{at}.onPodConditions", patterns)
        if codes is not None and patterns:
            out.append(invalid(at, OMIT, "specifying both OnExitCodes and OnPodConditions is not supported"))
        if codes is None and not patterns:
            out.append(invalid(at, OMIT, "specifying one of OnExitCodes and OnPodConditions is required"))
    return out


def _success_policy(path: str, spec: Obj) -> Errors:
    out: Errors = []
    rules, completions = structs(struct(spec, "successPolicy"), "rules"), number(spec, "completions")
    if not rules:
        out.append(required(f"{path}.rules", "at least one rules must be specified when the successPolicy is specified"))
    if len(rules) > 20:
        out.append(too_many(f"{path}.rules", len(rules), 20))
    for i, rule in enumerate(rules):
        at, count, indexes = f"{path}.rules[{i}]", rule.get("succeededCount"), rule.get("succeededIndexes")
        total = 0
        if count is None and indexes is None:
            out.append(required(at, "at least one of succeededCount or succeededIndexes must be specified"))
        if indexes is not None:
            if len(indexes) > 65536:
                out.append(too_long(f"{at}.succeededIndexes", 65536))
            total, why = indexes_error(indexes, completions)
            if why:
                out.append(invalid(f"{at}.succeededIndexes", indexes, f"error parsing succeededIndexes: {why}"))
        if count is not None:
            out += nonnegative_fields(rule, at, "succeededCount")
            if count > completions:
                why = f"must be less than or equal to {completions} (the number of specified completions)"
                out.append(invalid(f"{at}.succeededCount", count, why))
            if indexes is not None and count > total:
                why = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
                out.append(invalid(f"{at}.succeededCount", count, why))
    return out


# Jobs.

def _indexed(path: str, spec: Obj) -> Errors:
    out: Errors = []
    completions, parallelism, most = spec.get("completions"), number(spec, "parallelism"), spec.get("maxFailedIndexes")
    if completions is None:
        out.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > 100_000:
        why = "must be less than or equal to 100000 when completion mode is Indexed"
        out.append(invalid(f"{path}.parallelism", parallelism, why))
    if completions is not None and most is not None and most > completions:
        out.append(invalid(f"{path}.maxFailedIndexes", most, "must be less than or equal to completions"))
    if most is not None and most > 100_000:
        out.append(invalid(f"{path}.maxFailedIndexes", most, "must be less than or equal to 100000"))
    if completions is not None and completions > 100_000 and spec.get("backoffLimitPerIndex") is not None:
        why = "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index"
        if most is None:
            out.append(required(f"{path}.maxFailedIndexes", "must be specified when completions is above 100000"))
        if parallelism > 10_000:
            out.append(invalid(f"{path}.parallelism", parallelism, why))
        if most is not None and most > 10_000:
            out.append(invalid(f"{path}.maxFailedIndexes", most, why))
    return out


def _completion_mode(path: str, spec: Obj) -> Errors:
    mode = spec.get("completionMode")
    out: Errors = []
    if mode is not None:
        out += enum(f"{path}.completionMode", mode, ("NonIndexed", "Indexed"))
        if mode == "Indexed":
            out += _indexed(path, spec)
    if mode is None or mode == "NonIndexed":
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(field) is not None:
                out.append(invalid(f"{path}.{field}", spec[field], "requires indexed completion mode"))
    return out


def _restart_policy(path: str, spec: Obj) -> Errors:
    at, policy = f"{path}.template.spec.restartPolicy", text(struct(struct(spec, "template"), "spec"), "restartPolicy")
    if policy in ("Always", ""):
        return [required(at, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(at, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _spec(path: str, spec: Obj) -> Errors:
    """What Jobs and the templates of CronJobs have in common."""
    out = nonnegative_fields(
        spec, path, "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex", "maxFailedIndexes",
    )
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        out.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if (manager := spec.get("managedBy")) is not None:
        out += domain_prefixed_path(f"{path}.managedBy", manager)
        if len(manager) > 63:
            out.append(too_long(f"{path}.managedBy", 63))
    out += _completion_mode(path, spec)
    if spec.get("podFailurePolicy") is not None:
        out += _failure_policy(f"{path}.podFailurePolicy", spec)
    if spec.get("successPolicy") is not None:
        if spec.get("completionMode") != "Indexed":
            shown = gotypes.go_struct("batch.SuccessPolicy", spec["successPolicy"])
            out.append(invalid(f"{path}.successPolicy", shown, "requires indexed completion mode"))
        else:
            out += _success_policy(f"{path}.successPolicy", spec)
    if (policy := spec.get("podReplacementPolicy")) is not None:
        allowed = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
        out += enum(f"{path}.podReplacementPolicy", policy, allowed)
    return out + pod_template_spec(f"{path}.template", struct(spec, "template")) + _restart_policy(path, spec)


def _job_spec(spec: Obj) -> Errors:
    out, selector = _spec("spec", spec), spec.get("selector")
    if selector is None:
        out.append(required("spec.selector"))
    else:
        out += label_selector("spec.selector", selector)
    template_labels = struct(struct(spec, "template"), "metadata").get("labels")
    if not selector_error(selector) and (selector is None or not matches(selector, template_labels or {})):
        why = "`selector` does not match template `labels`"
        out.append(invalid("spec.template.metadata.labels", template_labels, why))
    return out


def _has_label(labels: Obj, key: str, expected: str) -> Errors:
    path = f"spec.template.metadata.labels[{key}]"
    if key not in labels:
        return [required(path, f"must be '{expected}'")]
    return [] if labels[key] == expected else [invalid(path, labels, f"must be '{expected}'")]


def _generated_selector(obj: Obj, prefixed: bool) -> Errors:
    spec, meta = struct(obj, "spec"), struct(obj, "metadata")
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    uid, name = text(meta, "uid"), text(meta, "name")
    out: Errors = [] if uid else [required("metadata.uid")]
    labels = struct(struct(struct(spec, "template"), "metadata"), "labels")
    expected = {"controller-uid": uid, "job-name": name}
    if prefixed:
        expected |= {_UID: uid, _NAME: name}
    for key, value in expected.items():
        out += _has_label(labels, key, value)
    if not selector_error(spec["selector"]) and not matches(spec["selector"], expected):
        out.append(invalid("spec.selector", gotypes.selector(spec["selector"]), "`selector` not auto-generated"))
    return out


def _unlabelled(obj: Obj) -> Obj:
    """A Job without the labels that it gets from its template once it is stored: at first the template had none."""
    meta, labels = struct(obj, "metadata"), struct(struct(struct(struct(obj, "spec"), "template"), "metadata"), "labels")
    if labels and meta.get("labels") is labels and labels.keys() <= _GENERATED:
        return {**obj, "metadata": {key: value for key, value in meta.items() if key != "labels"}}
    return obj


def _job(obj: Obj, prefixed: bool = True) -> Errors:
    spec, name = struct(obj, "spec"), text(struct(obj, "metadata"), "name")
    out = object_meta(_unlabelled(obj), True, name_is_subdomain) + _generated_selector(obj, prefixed) + _job_spec(spec)
    if spec.get("completionMode") == "Indexed" and number(spec, "completions") > 0:
        host = f"{name}-{spec['completions'] - 1}"
        if dns1123_label(host):
            out.append(invalid("metadata.name", name, f"will not able to create pod with invalid DNS label: {host}"))
    return out


def create_job(obj: Obj) -> Errors:
    """A new Job."""
    return _job(obj)


def _mutable_template(old: Obj) -> bool:
    """A suspended Job that runs nothing may still change where its pods will run and what they ask for."""
    spec, status = struct(old, "spec"), struct(old, "status")
    waits = status.get("startTime") is None or condition_true(status, "Suspended")
    return bool(spec.get("suspend")) and waits and not number(status, "active")


def _template_changes(spec: Obj, old: Obj, mutable: bool) -> Errors:
    template, before = struct(spec, "template"), struct(old, "template")
    if template is before:
        return []
    if mutable:
        pod, old_pod = struct(template, "spec"), dict(struct(before, "spec"))
        for field in ("nodeSelector", "tolerations", "schedulingGates"):
            old_pod[field] = pod.get(field)
        affinity = {**struct(old_pod, "affinity"), "nodeAffinity": struct(pod, "affinity").get("nodeAffinity")}
        affinity = {key: value for key, value in affinity.items() if value is not None}
        old_pod["affinity"] = affinity or (pod.get("affinity") if pod.get("affinity") == {} else None)
        for field in ("containers", "initContainers"):
            pairs = (structs(old_pod, field), structs(pod, field))
            if len(pairs[0]) == len(pairs[1]):
                old_pod[field] = [
                    {**was, "resources": now.get("resources")} if text(was, "name") == text(now, "name") else was
                    for was, now in zip(*pairs, strict=True)
                ]
        if gotypes.go_equal("PodSpec", pod, old_pod):
            return []
        return [invalid("spec.template.spec", gotypes.go_struct("PodSpec", pod), "field is immutable")]
    if gotypes.go_equal("PodTemplateSpec", template, before):
        return []
    return [invalid("spec.template", gotypes.go_struct("PodTemplateSpec", template), "field is immutable")]


def _completions(spec: Obj, old: Obj) -> Errors:
    value = spec.get("completions")
    if spec.get("completionMode") != "Indexed":
        return immutable("spec.completions", value, old.get("completions"))
    if value is not None and value != old.get("completions") and value != number(spec, "parallelism"):
        return [invalid("spec.completions", value, "can only be modified in tandem with spec.parallelism")]
    return []


def update_job(new: Obj, old: Obj) -> Errors:
    """A changed Job."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    if spec is before:
        return object_meta_update(new, old)
    labels = struct(struct(struct(before, "template"), "metadata"), "labels")
    out = _job(new, _UID in labels and _NAME in labels) + object_meta_update(new, old) + _job_spec(spec)
    out += _completions(spec, before)
    if not equal(spec.get("selector"), before.get("selector")):
        out.append(invalid("spec.selector", gotypes.selector(spec.get("selector")), "field is immutable"))
    out += _template_changes(spec, before, _mutable_template(old))
    out += immutable("spec.completionMode", spec.get("completionMode"), before.get("completionMode"))
    for field, kind in (("podFailurePolicy", "PodFailurePolicy"), ("successPolicy", "SuccessPolicy")):
        if not equal(spec.get(field), before.get(field)):
            shown = gotypes.go_struct(f"*:batch.{kind}", spec.get(field))
            out.append(invalid(f"spec.{field}", shown, "field is immutable"))
    for field in ("backoffLimitPerIndex", "managedBy"):
        out += immutable(f"spec.{field}", spec.get(field), before.get(field))
    return out


# CronJobs.

_zone = re.compile(r"[A-Za-z.\-_0-9+]{1,14}").fullmatch


def _time_zone(path: str, zone: str | None) -> Errors:
    if zone is None:
        return []
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _zone(part):
            return [invalid(path, zone, f"unknown time zone {zone}")]
    out: Errors = []
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        out.append(invalid(path, zone, why))
        return out
    try:
        time_zone(zone)
    except CronError as error:
        out.append(invalid(path, zone, str(error)))
    return out


def _schedule(path: str, schedule: str) -> Errors:
    try:
        parse(schedule)
    except CronError as error:
        return [invalid(path, schedule, str(error))]
    return []


def _cron_job_spec(spec: Obj, old: Obj | None) -> Errors:
    out: Errors = []
    schedule, zone = text(spec, "schedule"), spec.get("timeZone")
    if not schedule:
        out.append(required("spec.schedule"))
    else:
        out += _schedule("spec.schedule", schedule)
        kept = old is not None and "TZ" in text(old, "schedule")
        if "TZ" in schedule and kept and zone is not None:
            why = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
            out.append(invalid("spec.schedule", schedule, why))
        elif "TZ" in schedule and not kept:
            why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            out.append(invalid("spec.schedule", schedule, why))
    out += nonnegative_fields(spec, "spec", "startingDeadlineSeconds")
    if old is None or old.get("timeZone") != zone:
        out += _time_zone("spec.timeZone", zone)
    policy = text(spec, "concurrencyPolicy")
    allowed = ("Allow", "Forbid", "Replace")
    out += enum("spec.concurrencyPolicy", policy, allowed) if policy else [required("spec.concurrencyPolicy")]
    job = struct(struct(spec, "jobTemplate"), "spec")
    out += _spec("spec.jobTemplate.spec", job)
    if job.get("selector") is not None:
        shown = gotypes.selector(job["selector"])
        out.append(invalid("spec.jobTemplate.spec.selector", shown, "`selector` will be auto-generated"))
    if job.get("manualSelector"):
        out.append(not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
    return out + nonnegative_fields(spec, "spec", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")


def create_cron_job(obj: Obj) -> Errors:
    """A new CronJob."""
    out = object_meta(obj, True, name_is_subdomain) + _cron_job_spec(struct(obj, "spec"), None)
    name = text(struct(obj, "metadata"), "name")
    if len(name) > 52:
        out.append(invalid("metadata.name", name, "must be no more than 52 characters"))
    return out


def update_cron_job(new: Obj, old: Obj) -> Errors:
    """A changed CronJob."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old)
    return out if spec is before else out + _cron_job_spec(spec, before)
