"""Rows of workloads: Deployments and their kin, jobs, autoscalers, disruption budgets. Follows printers.go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlab.apiserver.tables.cells import Context, age, human_duration, labels_text, seconds_since, selector_text

Object = dict[str, Any]

__all__ = ["WORKLOADS", "containers_of"]


def containers_of(template: Object) -> list[str]:
    """Names and images of a template's containers."""
    containers = (template.get("spec") or {}).get("containers") or ()
    return [",".join(c["name"] for c in containers), ",".join(c.get("image", "") for c in containers)]


def _age(obj: Object, context: Context) -> str:
    return age(obj["metadata"].get("creationTimestamp"), context)


def _deployment(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    ready = f"{state.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [
        obj["metadata"]["name"], ready, state.get("updatedReplicas", 0), state.get("availableReplicas", 0), _age(obj, context),
        *containers_of(spec["template"]), selector_text(spec.get("selector")),
    ]


def _replica_set(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"], spec.get("replicas", 0), state.get("replicas", 0), state.get("readyReplicas", 0), _age(obj, context),
        *containers_of(spec.get("template") or {}), selector_text(spec.get("selector")),
    ]


def _replication_controller(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"], spec.get("replicas", 0), state.get("replicas", 0), state.get("readyReplicas", 0), _age(obj, context),
        *containers_of(spec.get("template") or {}), labels_text(spec.get("selector")),
    ]


def _stateful_set(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    ready = f"{state.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [obj["metadata"]["name"], ready, _age(obj, context), *containers_of(spec["template"])]


def _daemon_set(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    template = spec["template"]
    counts = [state.get(key, 0) for key in (
        "desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable",
    )]
    return [
        obj["metadata"]["name"], *counts, labels_text((template.get("spec") or {}).get("nodeSelector")), _age(obj, context),
        *containers_of(template), selector_text(spec.get("selector")),
    ]


_JOB_STATES = (("Complete", "Complete"), ("Failed", "Failed"), ("", "Terminating"), ("Suspended", "Suspended"),
               ("FailureTarget", "FailureTarget"), ("SuccessCriteriaMet", "SuccessCriteriaMet"))


def _job_status(obj: Object) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    true = {c["type"] for c in conditions if c["status"] == "True"}
    for kind, shown in _JOB_STATES:
        if (kind in true) if kind else obj["metadata"].get("deletionTimestamp"):
            return shown
    return "Running"


def _job(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    done, wanted, parallel = state.get("succeeded", 0), spec.get("completions"), spec.get("parallelism") or 0
    if wanted is not None:
        completions = f"{done}/{wanted}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    took, start, end = "", state.get("startTime"), state.get("completionTime")
    if start:
        seconds = seconds_since(start, context.now)
        took = human_duration(seconds - seconds_since(end, context.now) if end else seconds)
    return [
        obj["metadata"]["name"], _job_status(obj), completions, took, _age(obj, context), *containers_of(spec["template"]),
        selector_text(spec.get("selector")),
    ]


def _cron_job(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    last, job = state.get("lastScheduleTime"), spec["jobTemplate"].get("spec") or {}
    suspend = spec.get("suspend")
    return [
        obj["metadata"]["name"], spec.get("schedule", ""), spec.get("timeZone") or "<none>",
        "<unset>" if suspend is None else str(bool(suspend)), len(state.get("active") or ()), age(last, context) if last else "<none>",
        _age(obj, context), *containers_of(job.get("template") or {}), selector_text(job.get("selector")),
    ]


def _pod_template(obj: Object, context: Context) -> list[Any]:
    template = obj.get("template") or {}
    return [obj["metadata"]["name"], *containers_of(template), labels_text((template.get("metadata") or {}).get("labels"))]


def _budget(obj: Object, context: Context) -> list[Any]:
    spec, state = obj.get("spec") or {}, obj.get("status") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        obj["metadata"]["name"], "N/A" if least is None else str(least), "N/A" if most is None else str(most),
        state.get("disruptionsAllowed", 0), _age(obj, context),
    ]


# Autoscalers.

_SOURCES = {"External": "external", "Pods": "pods", "Object": "object", "Resource": "resource", "ContainerResource": "containerResource"}


def _metric(spec: Object, status: Object) -> str:
    """One metric as `cpu: 12%/80%` (formatHPAMetrics)."""
    kind = spec.get("type", "")
    field = _SOURCES.get(kind)
    if field is None:
        return "<unknown type>"
    source, current = spec.get(field) or {}, ((status.get(field) or {}).get("current") or {})
    target = source.get("target") or {}
    average = target.get("averageValue")
    if kind in ("Resource", "ContainerResource"):
        head = f"{source.get('name', '')}: "
        if average is not None:
            return f"{head}{current.get('averageValue', '<unknown>')}/{average}"
        used, wanted = current.get("averageUtilization"), target.get("averageUtilization")
        return f"{head}{'<unknown>' if used is None else f'{used}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"
    if kind == "Pods":
        return f"{current.get('averageValue', '<unknown>')}/{average}"
    if average is not None:
        return f"{current.get('averageValue', '<unknown>')}/{average} (avg)"
    return f"{current.get('value', '<unknown>')}/{target.get('value')}"


def _autoscaler(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    known = state.get("currentMetrics") or []
    metrics = [
        _metric(metric, known[i] if i < len(known) and known[i] else {}) for i, metric in enumerate(spec.get("metrics") or ())
    ]
    shown = ", ".join(metrics[:2]) or "<none>"
    if len(metrics) > 2:
        shown += f" + {len(metrics) - 2} more..."
    target, least = spec["scaleTargetRef"], spec.get("minReplicas")
    return [
        obj["metadata"]["name"], f"{target.get('kind', '')}/{target.get('name', '')}", shown,
        "<unset>" if least is None else str(least), spec.get("maxReplicas", 0), state.get("currentReplicas", 0), _age(obj, context),
    ]


def _scale(obj: Object, context: Context) -> list[Any]:
    wanted, now = (obj.get("spec") or {}).get("replicas", 0), (obj.get("status") or {}).get("replicas", 0)
    return [obj["metadata"]["name"], wanted, now, _age(obj, context)]


def _revision(obj: Object, context: Context) -> list[Any]:
    owner = next((ref for ref in obj["metadata"].get("ownerReferences") or () if ref.get("controller")), None)
    shown = "<none>"
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        shown = f"{owner['kind']}{'.' + group if group else ''}".lower() + f"/{owner['name']}"
    return [obj["metadata"]["name"], shown, obj.get("revision", 0), _age(obj, context)]


#: (group, kind) -> (columns, row)
WORKLOADS: dict[tuple[str, str], tuple[str, Callable[[Object, Context], Any]]] = {
    ("apps", "Deployment"): ("Deployment", _deployment), ("apps", "ReplicaSet"): ("ReplicaSet", _replica_set),
    ("", "ReplicationController"): ("ReplicationController", _replication_controller),
    ("apps", "StatefulSet"): ("StatefulSet", _stateful_set), ("apps", "DaemonSet"): ("DaemonSet", _daemon_set),
    ("apps", "ControllerRevision"): ("ControllerRevision", _revision), ("batch", "Job"): ("Job", _job),
    ("batch", "CronJob"): ("CronJob", _cron_job), ("", "PodTemplate"): ("PodTemplate", _pod_template),
    ("policy", "PodDisruptionBudget"): ("PodDisruptionBudget", _budget),
    ("autoscaling", "Scale"): ("Scale", _scale), ("autoscaling", "HorizontalPodAutoscaler"): ("HorizontalPodAutoscaler", _autoscaler),
}
