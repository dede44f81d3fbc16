"""How many replicas a metric asks for: the arithmetic of the HorizontalPodAutoscaler.

Follows pkg/controller/podautoscaler/replica_calculator.go and metrics/utilization.go. Pure functions; times are milliseconds since
1970, amounts are thousandths.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from clusterlab.controllers.objects import MAX_INT32, Object, Objects, deleting, phase, pod_ready, ready_condition, unix_ms
from clusterlab.machinery.quantity import milli_value

__all__ = [
    "MetricError", "PodMetric", "Proposal", "Tolerances", "per_pod_replicas", "plain_replicas", "resource_replicas", "value_replicas",
]

CPU_INITIALIZATION_MS = 5 * 60_000
INITIAL_READINESS_MS = 30_000


class MetricError(Exception):
    """A metric from which no count follows; the text is Kubernetes'."""


class PodMetric(NamedTuple):
    """What a pod uses: over the `window_ms` before `at_ms`."""

    value: int
    at_ms: int = 0
    window_ms: int = 60_000


class Tolerances(NamedTuple):
    """How far off the target usage may be, as shares of it."""

    down: float = 0.1
    up: float = 0.1

    def within(self, ratio: float) -> bool:
        """Whether a ratio of usage to target calls for no change."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Proposal(NamedTuple):
    """`replicas` asked for, with the `usage` (per pod) and `utilization` (percent of request, where there is one) they come from."""

    replicas: int
    usage: int
    utilization: int | None = None


Metrics = dict[str, PodMetric]


class _Groups(NamedTuple):
    ready: int
    unready: list[str]
    missing: list[str]
    ignored: list[str]


def group_pods(pods: Objects, metrics: Metrics, resource: str, now: int) -> _Groups:
    """Pods that count, that are not ready, that have no metrics, and that are on their way out."""
    ready = 0
    unready: list[str] = []
    missing: list[str] = []
    ignored: list[str] = []
    for pod in pods:
        name = pod["metadata"]["name"]
        if deleting(pod) or phase(pod) == "Failed":
            ignored.append(name)
        elif phase(pod) == "Pending":
            unready.append(name)
        elif name not in metrics:
            missing.append(name)
        elif resource == "cpu" and _cpu_unready(pod, metrics[name], now):
            unready.append(name)
        else:
            ready += 1
    return _Groups(ready, unready, missing, ignored)


def _cpu_unready(pod: Object, metric: PodMetric, now: int) -> bool:
    """While a pod starts, its CPU says little: it counts once it was ready for a whole window of the metric."""
    condition, started = ready_condition(pod), (pod.get("status") or {}).get("startTime")
    if condition is None or not started:
        return True
    since = unix_ms(condition["lastTransitionTime"]) if condition.get("lastTransitionTime") else 0
    not_ready = condition["status"] == "False"
    if unix_ms(started) + CPU_INITIALIZATION_MS > now:
        return not_ready or metric.at_ms < since + metric.window_ms
    return not_ready and unix_ms(started) + INITIAL_READINESS_MS > since


def pod_requests(pods: Objects, container: str, resource: str) -> dict[str, int]:
    """What each pod (or one container of it) requests; raises MetricError when one requests nothing."""
    return {pod["metadata"]["name"]: _request(pod, container, resource) for pod in pods}


def _request(pod: Object, container: str, resource: str) -> int:
    spec, name = pod["spec"], pod["metadata"]["name"]
    level = (spec.get("resources") or {}).get("requests")
    if level and not container:
        if resource not in level:
            raise MetricError(f"missing pod-level request for {resource} in Pod {name}")
        return milli_value(level[resource])
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    total = 0
    for each in [*spec["containers"], *sidecars]:
        if not container or each["name"] == container:
            amount = ((each.get("resources") or {}).get("requests") or {}).get(resource)
            if amount is None:
                raise MetricError(f"missing request for {resource} in container {each['name']} of Pod {name}")
            total += milli_value(amount)
        if each["name"] == container:
            return total
    if container:
        raise MetricError(f"container {container} not found in Pod {name}")
    return total


def utilization_ratio(metrics: Metrics, requests: dict[str, int], target: int) -> tuple[float, int, int]:
    """(usage over target, utilization in percent, usage per pod)."""
    total = requested = count = 0
    for name, metric in metrics.items():
        if name in requests:
            total, requested, count = total + metric.value, requested + requests[name], count + 1
    if requested == 0:
        raise MetricError("no metrics returned matched known pods")
    utilization = total * 100 // requested
    return utilization / target, utilization, total // count


def usage_ratio(metrics: Metrics, target: int) -> tuple[float, int]:
    """(usage over target, usage per pod)."""
    usage = sum(metric.value for metric in metrics.values()) // len(metrics)
    return usage / target, usage


def _counted(pods: Objects, metrics: Metrics, resource: str, now: int) -> tuple[_Groups, Metrics]:
    if not pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    groups = group_pods(pods, metrics, resource, now)
    dropped = {*groups.ignored, *groups.unready}
    kept = {name: metric for name, metric in metrics.items() if name not in dropped}
    if not kept:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    return groups, kept


def resource_replicas(
    current: int, target: int, resource: str, tolerances: Tolerances, pods: Objects, metrics: Metrics, now: int, container: str = "",
) -> Proposal:
    """The count for a target utilization, in percent of what pods request."""
    groups, kept = _counted(pods, metrics, resource, now)
    requests = pod_requests(pods, container, resource)
    ratio, utilization, usage = utilization_ratio(kept, requests, target)

    def again(filled: Metrics) -> float:
        return utilization_ratio(filled, requests, target)[0]

    fallback = {name: requests[name] * max(100, target) // 100 for name in groups.missing}
    return Proposal(_settle(current, ratio, groups, kept, fallback, tolerances, again), usage, utilization)


def plain_replicas(
    current: int, target: int, tolerances: Tolerances, pods: Objects, metrics: Metrics, now: int, resource: str = ""
) -> Proposal:
    """The count for a target average value."""
    groups, kept = _counted(pods, metrics, resource, now)
    ratio, usage = usage_ratio(kept, target)

    def again(filled: Metrics) -> float:
        return usage_ratio(filled, target)[0]

    fallback = dict.fromkeys(groups.missing, target)
    return Proposal(_settle(current, ratio, groups, kept, fallback, tolerances, again), usage)


def _settle(
    current: int, ratio: float, groups: _Groups, kept: Metrics, fallback: dict[str, int], tolerances: Tolerances, again: object
) -> int:
    """The count for a ratio, with missing and unready pods taken to be on the careful side."""
    rising_with_unready = bool(groups.unready) and ratio > 1.0
    if not rising_with_unready and not groups.missing:
        return current if tolerances.within(ratio) else math.ceil(ratio * groups.ready)
    filled = dict(kept)
    for name in groups.missing:
        if ratio < 1.0:
            filled[name] = PodMetric(fallback[name])
        elif ratio > 1.0:
            filled[name] = PodMetric(0)
    if rising_with_unready:
        filled.update(dict.fromkeys(groups.unready, PodMetric(0)))
    new: float = again(filled)  # type: ignore[operator]
    if tolerances.within(new) or (ratio < 1.0 < new) or (new < 1.0 < ratio):
        return current
    replicas = math.ceil(new * len(filled))
    if (new < 1.0 and replicas > current) or (new > 1.0 and replicas < current):
        return current  # the change would go against the ratio
    return replicas


def value_replicas(current: int, usage: int, target: int, tolerances: Tolerances, pods: Objects) -> Proposal:
    """The count for a target value of one metric of an object, or of the outside."""
    ratio = usage / target
    if current == 0:
        return Proposal(math.ceil(ratio), usage)
    if tolerances.within(ratio):
        return Proposal(current, usage)
    if not pods:
        raise MetricError("unable to calculate ready pods: no pods returned by selector while calculating replica count")
    ready = sum(phase(pod) == "Running" and pod_ready(pod) for pod in pods)
    return Proposal(min(MAX_INT32, math.ceil(ratio * ready)), usage)


def per_pod_replicas(current: int, usage: int, target: int, tolerances: Tolerances) -> Proposal:
    """The count for a target value per pod of one metric of an object, or of the outside."""
    replicas = current
    ratio = usage / (target * current) if current else math.inf
    if not tolerances.within(ratio):
        replicas = min(MAX_INT32, math.ceil(usage / target))
    return Proposal(replicas, math.ceil(usage / current) if current else usage)
