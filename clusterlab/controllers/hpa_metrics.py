"""The metrics that an autoscaler reads, and the count that each of its metric specs asks for.

Follows pkg/controller/podautoscaler/metrics/client.go and computeStatusFor* in horizontal.go. Resource metrics come from the Metrics
API (`pods.metrics.k8s.io`). Custom and external metrics are read as `pods.custom.metrics.k8s.io`, `objects.custom.metrics.k8s.io`
and `external.metrics.k8s.io`, lists of metric values, where the cluster serves such resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.controllers.objects import Object, Objects, unix_ms
from clusterlab.controllers.replica_calculator import (
    MetricError,
    PodMetric,
    Proposal,
    Tolerances,
    per_pod_replicas,
    plain_replicas,
    resource_replicas,
    value_replicas,
)
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import from_object
from clusterlab.machinery.quantity import BINARY, DECIMAL, from_milli, milli_value

if TYPE_CHECKING:
    from clusterlab.controllers.horizontalpodautoscaler import HorizontalPodAutoscalerController

__all__ = ["FailedMetric", "MetricReader", "go_selector"]

NO_CUSTOM = "no custom metrics API (custom.metrics.k8s.io) registered"


class FailedMetric(Exception):
    """A metric spec without a count. `reason` and the text go into condition and event, `summary` into the overall error."""

    def __init__(self, reason: str, text: str, summary: str) -> None:
        super().__init__(text)
        self.reason, self.text, self.summary = reason, text, summary


def duration_ms(text: str) -> int:
    """A window such as "15s" or "1m0s"."""
    total, number = 0.0, ""
    for letter in text:
        if letter in "hms":
            total += float(number or 0) * {"h": 3_600_000, "m": 60_000, "s": 1000}[letter]
            number = ""
        else:
            number += letter
    return round(total)


def quantity(resource: str, milli: int) -> str:
    """An amount as a status shows it."""
    return str(from_milli(milli, BINARY if resource == "memory" else DECIMAL))


class MetricReader:
    """Reads metrics for one autoscaler's pods."""

    def __init__(
        self, by: HorizontalPodAutoscalerController, namespace: str, selector: str, pods: Objects, tolerances: Tolerances,
        spec_replicas: int, status_replicas: int,
    ) -> None:
        self.by, self.namespace, self.selector, self.pods, self.tolerances = by, namespace, selector, pods, tolerances
        self.spec_replicas, self.status_replicas = spec_replicas, status_replicas

    def compute(self, spec: Object) -> tuple[Proposal, str, Object]:
        """(the count, the metric's name in messages, its status) for a metric spec; raises FailedMetric."""
        kind = spec.get("type", "")
        readers: dict[str, Any] = {
            "Resource": self._resource, "ContainerResource": self._container, "Pods": self._pods, "Object": self._object,
            "External": self._external,
        }
        reader = readers.get(kind)
        if reader is None:
            text = f'unknown metric source type "{kind}"'
            raise FailedMetric("InvalidMetricSourceType", text, text)
        result: tuple[Proposal, str, Object] = reader(spec[kind[0].lower() + kind[1:]])
        return result

    # Resource metrics.

    def _resource(self, source: Object) -> tuple[Proposal, str, Object]:
        name = source["name"]
        try:
            proposal, label, current = self._generic(name, source["target"], "")
        except MetricError as error:
            raise FailedMetric(
                "FailedGetResourceMetric", str(error), f"failed to get {name} resource metric value: {error}"
            ) from None
        return proposal, label, {"type": "Resource", "resource": {"name": name, "current": current}}

    def _container(self, source: Object) -> tuple[Proposal, str, Object]:
        name, container = source["name"], source["container"]
        try:
            proposal, label, current = self._generic(name, source["target"], container)
        except MetricError as error:
            summary = f"failed to get {container} container metric value: {error}"
            raise FailedMetric("FailedGetContainerResourceMetric", str(error), summary) from None
        status = {"name": name, "container": container, "current": current}
        return proposal, label, {"type": "ContainerResource", "containerResource": status}

    def _generic(self, name: str, target: Object, container: str) -> tuple[Proposal, str, Object]:
        now = self.by.now_ms
        if target.get("averageValue") is not None:
            try:
                metrics = self._resource_metrics(name, container)
                proposal = plain_replicas(
                    self.spec_replicas, milli_value(target["averageValue"]), self.tolerances, self.pods, metrics, now, name
                )
            except MetricError as error:
                raise MetricError(f"failed to get {name} usage: {error}") from None
            return proposal, f"{name} resource", {"averageValue": quantity(name, proposal.usage)}
        if target.get("averageUtilization") is None:
            raise MetricError(
                "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set"
            )
        try:
            metrics = self._resource_metrics(name, container)
            proposal = resource_replicas(
                self.spec_replicas, target["averageUtilization"], name, self.tolerances, self.pods, metrics, now, container
            )
        except MetricError as error:
            raise MetricError(f"failed to get {name} utilization: {error}") from None
        what = "container resource" if container else "resource"
        current = {"averageUtilization": proposal.utilization, "averageValue": quantity(name, proposal.usage)}
        return proposal, f"{name} {what} utilization (percentage of request)", current

    def _resource_metrics(self, name: str, container: str) -> dict[str, PodMetric]:
        prefix = f"unable to get metrics for resource {name}: "
        try:
            items = self.by.client.list("pods.metrics.k8s.io", self.namespace, labelSelector=self.selector)
        except StatusError as error:
            missing = " (get pods.metrics.k8s.io)" if error.code in (404, 503) and "pods.metrics" not in error.message else ""
            raise MetricError(f"{prefix}unable to fetch metrics from resource metrics API: {error.message}{missing}") from None
        if not items:
            raise MetricError(f"{prefix}no metrics returned from resource metrics API")
        found: dict[str, PodMetric] = {}
        for item in items:
            meta = item["metadata"]
            amounts = [
                each["usage"].get(name) for each in item["containers"] if not container or each["name"] == container
            ]
            if container and not amounts:
                raise MetricError(f"{prefix}failed to get container metrics: container {container} not present in metrics for pod "
                                  f"{self.namespace}/{meta['name']}")
            if amounts and all(amount is not None for amount in amounts):
                total = sum(milli_value(amount) for amount in amounts)
                found[meta["name"]] = PodMetric(total, unix_ms(item["timestamp"]), duration_ms(item["window"]))
        return found

    # Custom and external metrics.

    def _values(self, resource: str, metric: Object, what: str, absent: str, **options: str) -> Objects:
        selector = metric.get("selector")
        if selector is not None:
            options["metricLabelSelector"] = str(from_object(selector))
        try:
            found = self.by.client.list(resource, self.namespace, metricName=metric["name"], **options)
        except StatusError as error:
            text = absent if error.code == 404 else error.message
            raise MetricError(f"unable to fetch metrics from {what} metrics API: {text}") from None
        if not found:
            raise MetricError(f"no metrics returned from {what} metrics API")
        return found

    def _pods(self, source: Object) -> tuple[Proposal, str, Object]:
        metric = source["metric"]
        try:
            try:
                values = self._values("pods.custom.metrics.k8s.io", metric, "custom", NO_CUSTOM, labelSelector=self.selector)
            except MetricError as error:
                raise MetricError(f"unable to get metric {metric['name']}: {error}") from None
            metrics = {
                each["describedObject"]["name"]: PodMetric(
                    milli_value(each["value"]), unix_ms(each["timestamp"]), int(each.get("windowSeconds") or 60) * 1000
                ) for each in values
            }
            target = milli_value(source["target"]["averageValue"])
            proposal = plain_replicas(self.spec_replicas, target, self.tolerances, self.pods, metrics, self.by.now_ms)
        except MetricError as error:
            raise FailedMetric("FailedGetPodsMetric", str(error), f"failed to get pods metric value: {error}") from None
        status = {"metric": metric, "current": {"averageValue": quantity("", proposal.usage)}}
        return proposal, f"pods metric {metric['name']}", {"type": "Pods", "pods": status}

    def _object(self, source: Object) -> tuple[Proposal, str, Object]:
        metric, described, target = source["metric"], source["describedObject"], source["target"]
        name, kind = metric["name"], described["kind"]
        current: Object
        try:
            try:
                values = self._values(
                    "objects.custom.metrics.k8s.io", metric, "custom", NO_CUSTOM, objectKind=kind, objectName=described["name"]
                )
            except MetricError as error:
                where = f"{kind} {self.namespace}/{described['name']}"
                raise MetricError(f"unable to get metric {name}: {error} on {where}") from None
            usage = milli_value(values[0]["value"])
            if target.get("type") == "Value":
                proposal = value_replicas(self.spec_replicas, usage, milli_value(target["value"]), self.tolerances, self.pods)
                label, current = f"{kind} metric {name}", {"value": quantity("", proposal.usage)}
            else:
                proposal = per_pod_replicas(self.status_replicas, usage, milli_value(target["averageValue"]), self.tolerances)
                label, current = f"external metric {name}({go_selector(metric)})", {"averageValue": quantity("", proposal.usage)}
        except MetricError as error:
            raise FailedMetric("FailedGetObjectMetric", str(error), f"failed to get object metric value: {error}") from None
        status = {"metric": metric, "describedObject": described, "current": current}
        return proposal, label, {"type": "Object", "object": status}

    def _external(self, source: Object) -> tuple[Proposal, str, Object]:
        metric, target = source["metric"], source["target"]
        name = metric["name"]
        current: Object
        try:
            absent = f"the server could not find the requested resource (get {name}.external.metrics.k8s.io)"
            try:
                values = self._values("external.metrics.k8s.io", metric, "external", absent)
            except MetricError as error:
                text = f"unable to get external metric {self.namespace}/{name}/{go_selector(metric)}: {error}"
                raise MetricError(text) from None
            usage = sum(milli_value(each["value"]) for each in values)
            if target.get("averageValue") is not None:
                proposal = per_pod_replicas(self.status_replicas, usage, milli_value(target["averageValue"]), self.tolerances)
                current = {"averageValue": quantity("", proposal.usage)}
            else:
                proposal = value_replicas(self.spec_replicas, usage, milli_value(target["value"]), self.tolerances, self.pods)
                current = {"value": quantity("", proposal.usage)}
        except MetricError as error:
            kind = f"failed to get {name} external metric" if target.get("averageValue") else f"failed to get external metric {name}"
            text = f"{kind}: {error}"
            raise FailedMetric("FailedGetExternalMetric", str(error), f"failed to get {name} external metric value: {text}") from None
        status = {"metric": metric, "current": current}
        return proposal, f"external metric {name}({go_selector(metric)})", {"type": "External", "external": status}


def go_selector(metric: Object) -> str:
    """A selector as Go prints it."""
    selector = metric.get("selector")
    if selector is None:
        return "nil"
    labels = " ".join(f"{key}:{value}" for key, value in sorted((selector.get("matchLabels") or {}).items()))
    rules = ",".join(
        f"LabelSelectorRequirement{{Key:{r['key']},Operator:{r['operator']},Values:[{' '.join(r.get('values') or ())}],}}"
        for r in selector.get("matchExpressions") or ()
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels.replace(':', ': ') + ',' if labels else ''}}},MatchExpressions:" \
           f"[]LabelSelectorRequirement{{{rules}}},}}"
