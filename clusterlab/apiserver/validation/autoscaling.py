"""HorizontalPodAutoscalers (as autoscaling/v2) and scales. Follows pkg/apis/autoscaling/validation/validation.go."""

from __future__ import annotations

from clusterlab.apiserver.validation.amounts import canonical, nano
from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, nonnegative_fields, number, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_label, name_is_subdomain, path_segment_name
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.apiserver.validation.resources import container_resource_name, nonnegative_quantity
from clusterlab.machinery.field import forbidden, invalid, not_supported, required

__all__ = ["create", "create_scale", "update", "update_scale", "update_status"]

_METRICS = ("ContainerResource", "External", "Object", "Pods", "Resource")
_POLICIES = ("Percent", "Pods")
_SELECTS = ("Disabled", "Max", "Min")


def _reference(path: str, ref: Obj, need_group: bool, any_version: bool = False) -> Errors:
    out: Errors = []
    for field in ("kind", "name"):
        value = text(ref, field)
        out += invalids(f"{path}.{field}", value, path_segment_name(value)) if value else [required(f"{path}.{field}")]
    version = text(ref, "apiVersion")
    if any_version:
        return out
    if version.count("/") > 1:
        out.append(invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}"))
    elif need_group and not version.rpartition("/")[0]:
        out.append(invalid(f"{path}.apiVersion", version, "apiVersion must specify API group"))
    return out


# Metrics.

def _target(path: str, target: Obj) -> Errors:
    out: Errors = []
    kind = text(target, "type")
    if not kind:
        out.append(required(f"{path}.type", "must specify a metric target type"))
    if kind not in ("Utilization", "Value", "AverageValue"):
        out.append(invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        if target.get(field) is not None and nano(target[field]) <= 0:
            out.append(invalid(f"{path}.{field}", canonical(target[field]), "must be positive"))
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        out.append(invalid(f"{path}.averageUtilization", percent, "must be greater than 0"))
    return out


def _identifier(path: str, identifier: Obj) -> Errors:
    name = text(identifier, "name")
    if not name:
        return [required(f"{path}.name", "must specify a metric name")]
    return invalids(f"{path}.name", name, path_segment_name(name))


def _resource(path: str, source: Obj, container: bool) -> Errors:
    out: Errors = []
    name, target = text(source, "name"), struct(source, "target")
    if not name:
        out.append(required(f"{path}.name", "must specify a resource name"))
    elif container:
        out += container_resource_name(f"{path}.name", name)
    if container:
        where = text(source, "container")
        at = f"{path}.container"
        out += invalids(at, where, dns1123_label(where)) if where else [required(at, "must specify a container")]
    out += _target(f"{path}.target", target)
    percent, value = target.get("averageUtilization"), target.get("averageValue")
    if percent is None and value is None:
        why = "must set either a target raw value or a target utilization"
        out.append(required(f"{path}.target.averageUtilization", why))
    if percent is not None and value is not None:
        why = "may not set both a target raw value and a target utilization"
        out.append(forbidden(f"{path}.target.averageValue", why))
    return out


def _source(path: str, field: str, source: Obj) -> Errors:
    if field in ("resource", "containerResource"):
        return _resource(path, source, field == "containerResource")
    target = struct(source, "target")
    value, average = target.get("value"), target.get("averageValue")
    out: Errors = []
    if field == "object":
        out += _reference(f"{path}.describedObject", struct(source, "describedObject"), False)
    out += _identifier(f"{path}.metric", struct(source, "metric")) + _target(f"{path}.target", target)
    at = f"{path}.target.averageValue"
    if field == "pods":
        if average is None:
            out.append(required(at, "must specify a positive target averageValue"))
    elif value is None and average is None:
        why = "averageValue" if field == "object" else "for metric or a per-pod target"
        out.append(required(at, f"must set either a target value {'or ' if field == 'object' else ''}{why}"))
    elif field == "external" and value is not None and average is not None:
        why = "may not set both a target value for metric and a per-pod target"
        out.append(forbidden(f"{path}.target.value", why))
    return out


def _metric(path: str, metric: Obj) -> Errors:
    out: Errors = []
    kind = text(metric, "type")
    if not kind:
        out.append(required(f"{path}.type", "must specify a metric source type"))
    if kind not in _METRICS:
        out.append(not_supported(f"{path}.type", kind, _METRICS))
    present = [field for field in ("object", "external", "pods", "resource", "containerResource") if metric.get(field) is not None]
    if present:
        out += _source(f"{path}.{present[0]}", present[0], metric[present[0]])
    expected = kind[:1].lower() + kind[1:] if kind in _METRICS else ""
    if not expected:
        out.append(not_supported(f"{path}.type", kind, _METRICS))
    elif expected not in present:
        out.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(present) != 1:
        why = "must populate the given metric source only"
        out += [forbidden(f"{path}.{field}", why) for field in present if field != expected]
    return out


# Behavior.

def _policy(path: str, policy: Obj) -> Errors:
    out = enum(f"{path}.type", text(policy, "type"), _POLICIES)
    for field in ("value", "periodSeconds"):
        if number(policy, field) <= 0:
            out.append(invalid(f"{path}.{field}", number(policy, field), "must be greater than zero"))
    if number(policy, "periodSeconds") > 1800:
        out.append(invalid(f"{path}.periodSeconds", policy["periodSeconds"], "must be less than or equal to 1800"))
    return out


def _rules(path: str, rules: Obj | None) -> Errors:
    if rules is None:
        return []
    out: Errors = []
    window, at = rules.get("stabilizationWindowSeconds"), f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        out.append(invalid(at, window, "must be greater than or equal to zero"))
    if window is not None and window > 3600:
        out.append(invalid(at, window, "must be less than or equal to 3600"))
    if rules.get("selectPolicy") is not None:
        out += enum(f"{path}.selectPolicy", rules["selectPolicy"], _SELECTS)
    policies = structs(rules, "policies")
    if not policies:
        out.append(required(f"{path}.policies", "must specify at least one Policy"))
    for i, policy in enumerate(policies):
        out += _policy(f"{path}.policies[{i}]", policy)
    if rules.get("tolerance") is not None:
        out += nonnegative_quantity(f"{path}.tolerance", rules["tolerance"])
    return out


def _spec(spec: Obj, least: int, before: Obj | None = None) -> Errors:
    out: Errors = []
    low, high = spec.get("minReplicas"), number(spec, "maxReplicas")
    if low is not None and low < least:
        out.append(invalid("spec.minReplicas", low, f"must be greater than or equal to {least}"))
    if high == 0:
        out.append(required("spec.maxReplicas", "must be set and greater than 0"))
    elif high < 0:
        out.append(invalid("spec.maxReplicas", high, "must be greater than or equal to 1"))
    if low is not None and high < low:
        out.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    target = struct(spec, "scaleTargetRef")
    was = struct(before, "scaleTargetRef") if before is not None else None
    same = was is not None and all(text(was, field) == text(target, field) for field in ("apiVersion", "kind"))
    out += _reference("spec.scaleTargetRef", target, text(target, "kind") != "ReplicationController", same)
    metrics = structs(spec, "metrics")
    for i, metric in enumerate(metrics):
        out += _metric(f"spec.metrics[{i}]", metric)
    if low == 0 and not any(text(metric, "type") in ("Object", "External") for metric in metrics):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        out.append(forbidden("spec.metrics", why))
    behavior = struct(spec, "behavior")
    return out + _rules("spec.behavior.scaleUp", behavior.get("scaleUp")) + _rules("spec.behavior.scaleDown", behavior.get("scaleDown"))


def create(obj: Obj) -> Errors:
    """A new HorizontalPodAutoscaler."""
    return object_meta(obj, True, name_is_subdomain) + _spec(struct(obj, "spec"), 1)


def update(new: Obj, old: Obj) -> Errors:
    """A changed HorizontalPodAutoscaler."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old)
    return out if spec is before else out + _spec(spec, 0 if before.get("minReplicas") == 0 else 1, before)


def update_status(new: Obj, old: Obj) -> Errors:
    """A HorizontalPodAutoscaler's new status."""
    return object_meta_update(new, old) + nonnegative_fields(struct(new, "status"), "status", "currentReplicas", "desiredReplicas")


def create_scale(obj: Obj) -> Errors:
    """A Scale."""
    return object_meta(obj, True, name_is_subdomain) + nonnegative_fields(struct(obj, "spec"), "spec", "replicas")


def update_scale(new: Obj, old: Obj) -> Errors:
    """The Scale of a workload."""
    return create_scale(new)
