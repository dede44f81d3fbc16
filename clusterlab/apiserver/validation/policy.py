"""PodDisruptionBudgets, PriorityClasses, RuntimeClasses and leases.

Follows pkg/apis/{policy,scheduling,node,coordination}/validation/validation.go.
"""

from __future__ import annotations

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.affinity import tolerations
from clusterlab.apiserver.validation.common import (
    Errors,
    Obj,
    enum,
    immutable,
    invalids,
    nonnegative_fields,
    not_more_than_100_percent,
    number,
    positive_int_or_percent,
    struct,
    structs,
    text,
)
from clusterlab.apiserver.validation.formats import label_key, name_is_label, name_is_path_segment, name_is_subdomain
from clusterlab.apiserver.validation.meta import conditions, label_selector, labels, object_meta, object_meta_update
from clusterlab.apiserver.validation.resources import container_requirements
from clusterlab.machinery.field import duplicate, forbidden, invalid, not_supported, required

__all__ = [
    "create_lease", "create_pod_disruption_budget", "create_priority_class", "create_runtime_class", "update_lease",
    "update_pod_disruption_budget", "update_pod_disruption_budget_status", "update_priority_class", "update_runtime_class",
]


# PodDisruptionBudgets.

def _budget(spec: Obj) -> Errors:
    out: Errors = []
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and most is not None:
        shown = gotypes.go_struct("policy.PodDisruptionBudgetSpec", spec)
        out.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for field, value in (("minAvailable", least), ("maxUnavailable", most)):
        if value is not None:
            at = f"spec.{field}"
            out += positive_int_or_percent(at, value) + not_more_than_100_percent(at, value)
    out += label_selector("spec.selector", spec.get("selector"))
    if (policy := spec.get("unhealthyPodEvictionPolicy")) is not None:
        out += enum("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))
    return out


def create_pod_disruption_budget(obj: Obj) -> Errors:
    """A new PodDisruptionBudget."""
    return object_meta(obj, True, name_is_path_segment, kube=False) + _budget(struct(obj, "spec"))


def update_pod_disruption_budget(new: Obj, old: Obj) -> Errors:
    """A changed PodDisruptionBudget."""
    return object_meta_update(new, old, kube=False) + _budget(struct(new, "spec"))


def update_pod_disruption_budget_status(new: Obj, old: Obj) -> Errors:
    """A PodDisruptionBudget's new status."""
    status = struct(new, "status")
    return object_meta_update(new, old, kube=False) + conditions("status.conditions", structs(status, "conditions")) + nonnegative_fields(
        status, "status", "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"
    )


# PriorityClasses.

_SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_MOST = 1_000_000_000


def _system_error(name: str, value: int, default: bool) -> str:
    if name not in _SYSTEM:
        return f"{name} is not a known system priority class"
    if value != _SYSTEM[name]:
        return f"value of {name} PriorityClass must be {_SYSTEM[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if default else ""


def create_priority_class(obj: Obj) -> Errors:
    """A new PriorityClass."""
    out = object_meta(obj, False, name_is_subdomain)
    name, value = text(struct(obj, "metadata"), "name"), number(obj, "value")
    if name.startswith("system-"):
        if why := _system_error(name, value, bool(obj.get("globalDefault"))):
            reserved = "priority class names with 'system-' prefix are reserved for system use only. error: "
            out.append(forbidden("metadata.name", reserved + why))
    elif value > _MOST:
        out.append(forbidden("value", f"maximum allowed value of a user defined priority is {_MOST}"))
    if (policy := obj.get("preemptionPolicy")) is not None:
        allowed = ("PreemptLowerPriority", "Never")
        out += enum("preemptionPolicy", policy, allowed) if policy else [required("preemptionPolicy")]
    return out


def update_priority_class(new: Obj, old: Obj) -> Errors:
    """A changed PriorityClass: what it means stays."""
    out = object_meta_update(new, old)
    if number(new, "value") != number(old, "value"):
        out.append(forbidden("value", "may not be changed in an update."))
    return out + immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))


# RuntimeClasses.

def create_runtime_class(obj: Obj) -> Errors:
    """A new RuntimeClass."""
    out, handler = object_meta(obj, False, name_is_subdomain, kube=False), text(obj, "handler")
    out += invalids("handler", handler, name_is_label(handler)) if handler else [required("handler")]
    if (overhead := obj.get("overhead")) is not None:
        out += container_requirements("overhead", {"limits": overhead.get("podFixed")})
    scheduling = struct(obj, "scheduling")
    out += labels("scheduling.nodeSelector", scheduling.get("nodeSelector"))
    items = structs(scheduling, "tolerations")
    out += tolerations("scheduling.tolerations", items)
    seen: set[tuple[str, ...]] = set()
    for i, item in enumerate(items):
        key = tuple(text(item, field) for field in ("key", "operator", "value", "effect"))
        if key in seen:
            out.append(duplicate(f"scheduling.tolerations[{i}]", gotypes.go_struct("Toleration", item)))
        seen.add(key)
    return out


def update_runtime_class(new: Obj, old: Obj) -> Errors:
    """A changed RuntimeClass: the handler stays."""
    return object_meta_update(new, old, kube=False) + immutable("handler", text(new, "handler"), text(old, "handler"))


# Leases.

def _lease_spec(spec: Obj) -> Errors:
    out: Errors = []
    seconds, count = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        out.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if count is not None and count < 0:
        out.append(invalid("spec.leaseTransitions", count, "must be greater than or equal to 0"))
    strategy = spec.get("strategy")
    if strategy is not None:
        if "/" in strategy:
            out += invalids("spec.strategy.strategy", strategy, label_key(strategy))
        elif strategy != "OldestEmulationVersion":
            out.append(not_supported("spec.strategy.strategy", strategy, ("OldestEmulationVersion",)))
    if spec.get("preferredHolder") and not strategy:
        out.append(forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"))
    return out


def create_lease(obj: Obj) -> Errors:
    """A new lease."""
    return object_meta(obj, True, name_is_subdomain, kube=False) + _lease_spec(struct(obj, "spec"))


def update_lease(new: Obj, old: Obj) -> Errors:
    """A renewed lease."""
    return object_meta_update(new, old, kube=False) + _lease_spec(struct(new, "spec"))
