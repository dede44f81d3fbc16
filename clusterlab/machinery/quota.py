"""Quota: what an object counts for, and which quotas it counts against. Shared by admission and the quota controller.

Follows pkg/quota/v1/evaluator/core (pods.go, services.go, persistent_volume_claims.go) and
staging/src/k8s.io/apiserver/pkg/quota/v1/generic. Usages are {resource name: Quantity}. Device claims are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusterlab.machinery.labels import Requirement
from clusterlab.machinery.quantity import ZERO, Quantity, from_int, parse

__all__ = [
    "add", "covers", "exceeded", "matches", "missing_constraints", "object_count_name", "pod_counts", "pod_requests_and_limits", "tracked",
    "usage",
]

Object = dict[str, Any]
Usage = dict[str, Quantity]

ONE = from_int(1)
COMPUTE = ("cpu", "memory", "ephemeral-storage")
CONSTRAINED = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
#: The old names of object counts, and the resource that each counts.
CLASSIC = {
    "pods": "pods", "services": "services", "replicationcontrollers": "replicationcontrollers", "resourcequotas": "resourcequotas",
    "secrets": "secrets", "configmaps": "configmaps", "persistentvolumeclaims": "persistentvolumeclaims",
}
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_DEVICE_CLASS = "requests.deviceclass.resource.kubernetes.io/"


def add(total: Usage, more: Usage) -> Usage:
    """The sum of two usages."""
    out = dict(total)
    for name, amount in more.items():
        out[name] = out[name] + amount if name in out else amount
    return out


def object_count_name(resource: str, group: str = "") -> str:
    """`count/pods`, `count/deployments.apps`."""
    return f"count/{resource}.{group}" if group else f"count/{resource}"


# Pods.


def _amounts(container: Object, kind: str) -> Usage:
    return {name: parse(str(value)) for name, value in ((container.get("resources") or {}).get(kind) or {}).items()}


def _largest(a: Usage, b: Usage) -> Usage:
    out = dict(a)
    for name, amount in b.items():
        if name not in out or out[name] < amount:
            out[name] = amount
    return out


def pod_requests_and_limits(pod: Object) -> tuple[Usage, Usage]:
    """What a pod requests and is limited to: containers and sidecars together, or the largest init container beside the sidecars
    started before it; overhead added; pod-level resources win (component-helpers/resource/helpers.go)."""
    spec = pod["spec"]
    totals: list[Usage] = []
    for kind in ("requests", "limits"):
        total: Usage = {}
        for container in spec.get("containers") or ():
            total = add(total, _amounts(container, kind))
        sidecars: Usage = {}
        peak: Usage = {}
        for container in spec.get("initContainers") or ():
            amounts = _amounts(container, kind)
            if container.get("restartPolicy") == "Always":
                total, sidecars = add(total, amounts), add(sidecars, amounts)
                peak = _largest(peak, sidecars)
            else:
                peak = _largest(peak, add(sidecars, amounts))
        total = _largest(total, peak)
        total.update(_amounts(spec, kind))
        for name, value in (spec.get("overhead") or {}).items():
            if kind == "requests" or (total.get(name)):
                total = add(total, {name: parse(str(value))})
        totals.append(total)
    return totals[0], totals[1]


def pod_counts(pod: Object, now_ms: int | None = None) -> bool:
    """Whether a pod still uses compute resources: not once it has ended, nor long after its deletion was due."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    meta = pod["metadata"]
    if now_ms is not None and meta.get("deletionTimestamp") and meta.get("deletionGracePeriodSeconds") is not None:
        from datetime import datetime

        due_ms = datetime.fromisoformat(meta["deletionTimestamp"]).timestamp() * 1000
        return bool(now_ms <= due_ms + meta["deletionGracePeriodSeconds"] * 1000)
    return True


def _compute(requests: Usage, limits: Usage) -> Usage:
    found: Usage = {"pods": ONE}
    for name in COMPUTE:
        if name in requests:
            found[name] = found["requests." + name] = requests[name]
        if name in limits:
            found["limits." + name] = limits[name]
    for name, amount in requests.items():
        if name.startswith("hugepages-"):
            found[name] = found["requests." + name] = amount
        elif name not in COMPUTE and "/" in name:
            found["requests." + name] = amount
    return found


# Other objects.


def _service(service: Object) -> Usage:
    spec = service["spec"]
    ports = spec.get("ports") or ()
    node_ports = balancers = 0
    if spec.get("type") == "NodePort":
        node_ports = len(ports)
    elif spec.get("type") == "LoadBalancer":
        balancers = 1
        explicit = spec.get("allocateLoadBalancerNodePorts") is False
        node_ports = sum(bool(port.get("nodePort")) for port in ports) if explicit else len(ports)
    return {
        "count/services": ONE, "services": ONE, "services.loadbalancers": from_int(balancers), "services.nodeports": from_int(node_ports),
    }


def _claim(claim: Object) -> Usage:
    found: Usage = {"persistentvolumeclaims": ONE, "count/persistentvolumeclaims": ONE}
    annotations = claim["metadata"].get("annotations") or {}
    name = annotations.get("volume.beta.kubernetes.io/storage-class") or claim["spec"].get("storageClassName")
    prefix = f"{name}.storageclass.storage.k8s.io/" if name else ""
    if prefix:
        found[prefix + "persistentvolumeclaims"] = ONE
    storage = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    if storage is not None:
        amount = parse(str(storage))
        allocated = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")
        if allocated is not None and amount < parse(str(allocated)):
            amount = parse(str(allocated))
        found["requests.storage"] = amount
        if prefix:
            found[prefix + "requests.storage"] = amount
    return found


def usage(resource: str, obj: Object, group: str = "", now_ms: int | None = None) -> Usage:
    """What an object counts for. `resource`: the plural, e.g. "pods"."""
    if resource == "pods" and not group:
        found = {"count/pods": ONE}
        return add(found, _compute(*pod_requests_and_limits(obj))) if pod_counts(obj, now_ms) else found
    if resource == "services" and not group:
        return _service(obj)
    if resource == "persistentvolumeclaims" and not group:
        return _claim(obj)
    found = {object_count_name(resource, group): ONE}
    if not group and resource in CLASSIC:
        found[CLASSIC[resource]] = ONE
    return found


def tracked(resource: str, names: Iterable[str], group: str = "") -> list[str]:
    """Those of a quota's resource names that objects of a resource count for."""
    found = []
    for name in names:
        if name == object_count_name(resource, group):
            found.append(name)
        elif group:
            continue
        elif resource == "pods":
            native = name in (
                "pods", *COMPUTE, *(f"requests.{each}" for each in COMPUTE), *(f"limits.{each}" for each in COMPUTE)
            )
            extended = name.startswith("requests.") and "/" in name and not name.startswith(_DEVICE_CLASS)
            if native or extended or name.startswith(("hugepages-", "requests.hugepages-")):
                found.append(name)
        elif resource == "services":
            if name in ("services", "services.nodeports", "services.loadbalancers"):
                found.append(name)
        elif resource == "persistentvolumeclaims":
            if name in ("persistentvolumeclaims", "requests.storage") or ".storageclass.storage.k8s.io/" in name:
                found.append(name)
        elif CLASSIC.get(resource) == name:
            found.append(name)
    return found


# Scopes and constraints.


def _best_effort(pod: Object) -> bool:
    requests, limits = pod_requests_and_limits(pod)
    return not any(amounts.get(name) for amounts in (requests, limits) for name in ("cpu", "memory"))


def _crosses_namespaces(pod: Object) -> bool:
    affinity = pod["spec"].get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        required = terms.get("requiredDuringSchedulingIgnoredDuringExecution") or []
        preferred = [each["podAffinityTerm"] for each in terms.get("preferredDuringSchedulingIgnoredDuringExecution") or ()]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in [*required, *preferred]):
            return True
    return False


def _in_scope(scope: str, rule: Object, pod: Object) -> bool:
    spec = pod["spec"]
    if scope in ("Terminating", "NotTerminating"):
        deadline = spec.get("activeDeadlineSeconds")
        return (deadline is not None and deadline >= 0) == (scope == "Terminating")
    if scope in ("BestEffort", "NotBestEffort"):
        return _best_effort(pod) == (scope == "BestEffort")
    if scope == "PriorityClass":
        name = spec.get("priorityClassName")
        operator = _OPERATORS.get(rule.get("operator", "Exists"), "exists")
        return Requirement("PriorityClass", operator, tuple(rule.get("values") or ())).matches({"PriorityClass": name} if name else {})
    if scope == "CrossNamespacePodAffinity":
        return _crosses_namespaces(pod)
    return False


def scopes(quota: Object) -> list[Object]:
    """The scopes of a quota as rules."""
    spec = quota["spec"]
    rules = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    return rules + list((spec.get("scopeSelector") or {}).get("matchExpressions") or ())


def matches(quota: Object, resource: str, obj: Object, group: str = "") -> bool:
    """Whether an object counts against a quota: a name that it counts for, and all scopes met."""
    if not tracked(resource, quota["spec"].get("hard") or {}, group):
        return False
    return covers(quota, resource, obj, group)


def covers(quota: Object, resource: str, obj: Object, group: str = "") -> bool:
    """Whether an object meets all scopes of a quota. Only pods have scopes."""
    rules = scopes(quota)
    if resource != "pods" or group:
        return not rules
    return all(_in_scope(rule["scopeName"], rule, obj) for rule in rules)


def missing_constraints(pod: Object, names: Iterable[str]) -> str:
    """Why a quota on these names refuses a pod that leaves them open: "must specify …", or ""."""
    if (pod["spec"].get("resources") or {}).get("requests") or (pod["spec"].get("resources") or {}).get("limits"):
        return ""
    required = [name for name in names if name in CONSTRAINED]
    missing: dict[str, list[str]] = {}
    for container in [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]:
        found = _compute(_amounts(container, "requests"), _amounts(container, "limits"))
        for name in required:
            if name not in found:
                missing.setdefault(name, []).append(container["name"])
    if not missing:
        return ""
    return "must specify " + "; ".join(f"{name} for: {','.join(sorted(set(missing[name])))}" for name in sorted(missing))


def exceeded(hard: Usage, used: Usage, delta: Usage) -> list[str]:
    """The names whose limit `delta` would break; what shrinks or stays is never refused."""
    return sorted(
        name for name, amount in delta.items()
        if name in hard and amount > ZERO and used.get(name, ZERO) + amount > hard[name]
    )
