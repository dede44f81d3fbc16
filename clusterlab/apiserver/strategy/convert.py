"""Conversion between the versions of a kind: HorizontalPodAutoscalers v1 and v2, Events of both groups.

Follows pkg/apis/autoscaling/v1/conversion.go, pkg/apis/autoscaling/helpers.go and pkg/apis/events/v1/conversion.go.
"""

from __future__ import annotations

import json
from typing import Any

from clusterlab.apiserver.validation.common import EMPTY, Obj, struct, structs
from clusterlab.machinery.field import go_json
from clusterlab.machinery.scheme import Resource

__all__ = ["convert", "event_to_core", "event_to_events", "hpa_to_v1", "hpa_to_v2"]

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_ROUND_TRIP = (_METRICS, _CURRENT, _BEHAVIOR, _CONDITIONS)
_REFERENCE = ("kind", "name", "apiVersion")


def convert(resource: str | Resource, obj: Obj, version: str) -> Obj:
    """The object in that version: "v1" or "v2" of a HorizontalPodAutoscaler; an Event for the group that `resource` names."""
    key = resource if isinstance(resource, str) else resource.string
    if key == "horizontalpodautoscalers":
        if str(obj.get("apiVersion", "")).endswith(f"/{version}"):
            return obj
        return hpa_to_v1(obj) if version == "v1" else hpa_to_v2(obj)
    if key == "events.events.k8s.io":
        return obj if str(obj.get("apiVersion", "")).startswith("events.k8s.io/") else event_to_events(obj)
    if key == "events":
        return event_to_core(obj) if str(obj.get("apiVersion", "")).startswith("events.k8s.io/") else obj
    return obj


def _some(**fields: Any) -> Obj:
    return {key: value for key, value in fields.items() if value is not None}


# HorizontalPodAutoscalers.

def _metric_to_v1(metric: Obj, current: bool) -> Obj:
    side = "current" if current else "target"
    kind = metric.get("type") or ""
    field = kind[:1].lower() + kind[1:]
    source = struct(metric, field)
    amounts = struct(source, side)
    name, selector = struct(source, "metric").get("name"), struct(source, "metric").get("selector")
    cap = side.capitalize()
    out: Obj
    if field in ("resource", "containerResource"):
        out = _some(name=source.get("name"))
        out |= _some(**{f"{side}AverageUtilization": amounts.get("averageUtilization"),
                        f"{side}AverageValue": amounts.get("averageValue") or ("0" if current else None)})
        out |= _some(container=source.get("container"))
    elif field == "pods":
        out = {"metricName": name, f"{side}AverageValue": amounts.get("averageValue") or "0", **_some(selector=selector)}
    elif field == "object":
        target = {key: value for key, value in struct(source, "describedObject").items() if key in _REFERENCE}
        out = {"target": target, "metricName": name, f"{side}Value": amounts.get("value") or "0"}
        out |= _some(selector=selector, averageValue=amounts.get("averageValue"))
    elif field == "external":
        out = {"metricName": name, **_some(metricSelector=selector)}
        out |= _some(**{f"{side}Value": amounts.get("value") or ("0" if current else None)})
        out |= _some(**{f"{side}AverageValue": amounts.get("averageValue")})
    else:
        return {"type": kind}
    return {"type": kind, field: out} if cap else {}


def _metric_to_v2(metric: Obj, current: bool) -> Obj:
    side = "current" if current else "target"
    kind = metric.get("type") or ""
    field = kind[:1].lower() + kind[1:]
    source = struct(metric, field)
    average, value = source.get(f"{side}AverageValue"), source.get(f"{side}Value")
    utilization = source.get(f"{side}AverageUtilization")
    amounts: Obj
    if field in ("resource", "containerResource"):
        amounts = _some(averageValue=average, averageUtilization=utilization)
        type_ = "AverageValue" if utilization is None else "Utilization"
        out = _some(name=source.get("name"), container=source.get("container"))
    elif field in ("pods", "external", "object"):
        average = source.get("averageValue") if field == "object" else average
        if field == "object" and average is not None and value == "0":
            value = None
        amounts = _some(value=value, averageValue=average)
        type_ = "Value" if (value is not None if field == "external" else average is None) else "AverageValue"
        selector = source.get("metricSelector" if field == "external" else "selector")
        out = {"metric": _some(name=source.get("metricName"), selector=selector)}
        if field == "object":
            out["describedObject"] = struct(source, "target")
    else:
        return {"type": kind}
    return {"type": kind, field: {**out, side: amounts if current else {"type": type_, **amounts}}}


def _is_cpu(metric: Obj) -> bool:
    resource = struct(metric, "resource")
    target = struct(resource, "target")
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and target.get("averageUtilization") is not None


def hpa_to_v1(obj: Obj) -> Obj:
    """A HorizontalPodAutoscaler as autoscaling/v1 shows it: what v1 has no field for is in annotations."""
    spec, status, meta = struct(obj, "spec"), struct(obj, "status"), struct(obj, "metadata")
    notes = {key: value for key, value in (meta.get("annotations") or EMPTY).items() if key not in _ROUND_TRIP}
    made = {key: value for key, value in spec.items() if key not in ("metrics", "behavior")}
    metrics = structs(spec, "metrics")
    for metric in metrics:
        if _is_cpu(metric):
            made["targetCPUUtilizationPercentage"] = metric["resource"]["target"]["averageUtilization"]
    if others := [_metric_to_v1(metric, False) for metric in metrics if not _is_cpu(metric)]:
        notes[_METRICS] = json.dumps(_in_order(others), separators=(",", ":"))
    if current := structs(status, "currentMetrics"):
        notes[_CURRENT] = json.dumps(_in_order([_metric_to_v1(metric, True) for metric in current]), separators=(",", ":"))
    if spec.get("behavior") is not None:
        notes[_BEHAVIOR] = _internal_behavior(spec["behavior"])
    if conditions := structs(status, "conditions"):
        notes[_CONDITIONS] = go_json(conditions)
    made_status = {key: value for key, value in status.items() if key not in ("currentMetrics", "conditions")}
    made_status = {"currentReplicas": 0, "desiredReplicas": 0, **made_status}
    for metric in current:
        found = struct(struct(metric, "resource"), "current").get("averageUtilization")
        if metric.get("type") == "Resource" and struct(metric, "resource").get("name") == "cpu" and found is not None:
            made_status["currentCPUUtilizationPercentage"] = found
    meta = {key: value for key, value in meta.items() if key != "annotations"}
    meta = {**meta, "annotations": notes} if notes else meta
    return {**obj, "apiVersion": "autoscaling/v1", "metadata": meta, "spec": made, "status": made_status}


_RULES = (("StabilizationWindowSeconds", "stabilizationWindowSeconds"), ("SelectPolicy", "selectPolicy"))
_POLICY = (("Type", "type"), ("Value", "value"), ("PeriodSeconds", "periodSeconds"))


def _internal_behavior(behavior: Obj) -> str:
    """Behavior is kept as Go prints the internal type: fields by their Go names."""
    def rules(one: Obj | None) -> Any:
        if one is None:
            return None
        out: Obj = {go: one.get(name) for go, name in _RULES}
        policies = one.get("policies")
        out = {"StabilizationWindowSeconds": out["StabilizationWindowSeconds"], "SelectPolicy": out["SelectPolicy"],
               "Policies": None if policies is None else [{go: p.get(name) for go, name in _POLICY} for p in policies],
               "Tolerance": one.get("tolerance")}
        return out

    value = {"ScaleUp": rules(behavior.get("scaleUp")), "ScaleDown": rules(behavior.get("scaleDown"))}
    return json.dumps(value, separators=(",", ":"))


#: The order of the fields of autoscaling/v1's metrics in Go.
_METRIC_FIELDS = (
    "type", "object", "pods", "resource", "containerResource", "external", "target", "kind", "name", "apiVersion", "metricName",
    "metricSelector", "targetValue", "currentAverageUtilization", "targetAverageUtilization", "currentValue", "targetAverageValue",
    "currentAverageValue", "selector", "averageValue", "container",
)


def _in_order(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_order(one) for one in value]
    if not isinstance(value, dict):
        return value
    known = [key for key in _METRIC_FIELDS if key in value]
    return {key: _in_order(value[key]) for key in (*known, *sorted(value.keys() - set(known)))}


def _behavior(value: Any) -> Obj | None:
    def rules(one: Any) -> Obj | None:
        if not isinstance(one, dict):
            return None
        out = {name: one.get(go) for go, name in _RULES if one.get(go) is not None}
        policies = one.get("Policies")
        if isinstance(policies, list):
            out["policies"] = [{name: p.get(go) for go, name in _POLICY} for p in policies if isinstance(p, dict)]
        if one.get("Tolerance") is not None:
            out["tolerance"] = one["Tolerance"]
        return out

    if not isinstance(value, dict):
        return None
    found = _some(scaleUp=rules(value.get("ScaleUp")), scaleDown=rules(value.get("ScaleDown")))
    return found or None


def _load(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _cpu(target: int | None) -> Obj:
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}}


def hpa_to_v2(obj: Obj) -> Obj:
    """A HorizontalPodAutoscaler as it is stored."""
    spec, status, meta = struct(obj, "spec"), struct(obj, "status"), struct(obj, "metadata")
    notes = meta.get("annotations") or EMPTY
    made = {key: value for key, value in spec.items() if key != "targetCPUUtilizationPercentage"}
    metrics = []
    others = _load(notes.get(_METRICS))
    if isinstance(others, list):
        metrics = [_metric_to_v2(metric, False) for metric in others if isinstance(metric, dict)]
    if spec.get("targetCPUUtilizationPercentage") is not None:
        metrics.append(_cpu(spec["targetCPUUtilizationPercentage"]))
    made["metrics"] = metrics or [_cpu(80)]
    if (behavior := _behavior(_load(notes.get(_BEHAVIOR)))) is not None:
        made["behavior"] = behavior
    made_status = {key: value for key, value in status.items() if key != "currentCPUUtilizationPercentage"}
    current, conditions = _load(notes.get(_CURRENT)), _load(notes.get(_CONDITIONS))
    if isinstance(current, list):
        made_status["currentMetrics"] = [_metric_to_v2(metric, True) for metric in current if isinstance(metric, dict)]
    elif (percent := status.get("currentCPUUtilizationPercentage")) is not None:
        cpu = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}
        made_status["currentMetrics"] = [cpu]
    if isinstance(conditions, list):
        made_status["conditions"] = [condition for condition in conditions if isinstance(condition, dict)]
    rest = {key: value for key, value in notes.items() if key not in _ROUND_TRIP}
    meta = {key: value for key, value in meta.items() if key != "annotations"}
    meta = {**meta, "annotations": rest} if rest else meta
    return {**obj, "apiVersion": "autoscaling/v2", "metadata": meta, "spec": made, "status": made_status}


# Events.

_EVENT_FIELDS = (
    ("involvedObject", "regarding"), ("message", "note"), ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"), ("lastTimestamp", "deprecatedLastTimestamp"), ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
)


def _renamed(obj: Obj, names: dict[str, str], api_version: str) -> Obj:
    return {**{names.get(key, key): value for key, value in obj.items()}, "apiVersion": api_version}


def event_to_events(obj: Obj) -> Obj:
    """A core Event as events.k8s.io/v1 shows it."""
    made = _renamed(obj, dict(_EVENT_FIELDS), "events.k8s.io/v1")
    return {key: value for key, value in made.items() if value != "" or key not in ("reportingController", "reportingInstance")}


def event_to_core(obj: Obj) -> Obj:
    """An event of events.k8s.io/v1 as it is stored."""
    return {"reportingComponent": "", "reportingInstance": "", **_renamed(obj, {new: old for old, new in _EVENT_FIELDS}, "v1")}
