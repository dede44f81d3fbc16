"""The HorizontalPodAutoscaler controller: changes a workload's size as its metrics ask for, every 15 seconds.

Follows pkg/controller/podautoscaler/horizontal.go; `replica_calculator` has the arithmetic, `hpa_metrics` reads metrics,
`hpa_behavior` limits the change. Scaling to zero (HPAScaleToZero, alpha) is left out.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.endpointslice import by_label
from clusterlab.controllers.garbage_collector import custom_resources
from clusterlab.controllers.hpa_behavior import (
    Samples,
    limit_by_policies,
    limit_by_rules,
    longest_period_s,
    rules,
    stabilize,
    stabilize_with_rules,
    with_scale_event,
)
from clusterlab.controllers.hpa_metrics import FailedMetric, MetricReader
from clusterlab.controllers.objects import Object, Objects, find_condition, key_of
from clusterlab.controllers.replica_calculator import Tolerances
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import Selector, SelectorError
from clusterlab.machinery.labels import parse as parse_selector
from clusterlab.machinery.quantity import parse as parse_quantity
from clusterlab.machinery.scheme import BUILTIN, split_api_version
from clusterlab.sim.words import counted

__all__ = ["HorizontalPodAutoscalerController"]

SYNC_MS = 15_000
IDENTITY = ("type", "status", "reason", "message")


class Unable(Exception):
    """No size can be computed; the text is for event and log."""


class HorizontalPodAutoscalerController(BaseController):
    """Reconciles HorizontalPodAutoscalers."""

    STATE = ("busy_until", "recommendations", "ups", "downs", "selectors")
    resource = "horizontalpodautoscalers"
    controller_name = "horizontal-pod-autoscaler-controller"
    component = "horizontal-pod-autoscaler"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.hpas = self.informer("horizontalpodautoscalers")
        self.pods = self.informer("pods")
        self.crds = self.informer("customresourcedefinitions")
        self.pods.add_index("label", by_label)
        self.hpas.on_change(self.hpa_changed)

    def clear(self) -> None:
        super().clear()
        self.recommendations: dict[str, Samples] = {}
        self.ups: dict[str, Samples] = {}
        self.downs: dict[str, Samples] = {}
        self.selectors: dict[str, str] = {}

    def hpa_changed(self, old: Object | None, new: Object | None) -> None:
        """Autoscalers are looked at at a fixed pace, new ones after the first interval."""
        if new is None:
            for state in (self.recommendations, self.ups, self.downs, self.selectors):
                state.pop(key_of(old), None)  # type: ignore[arg-type]
        elif key_of(new) not in self.queue.delayed:
            self.queue.add_after(key_of(new), SYNC_MS, idle=True)

    # Reconciling.

    def reconcile(self, key: str) -> None:
        hpa = self.hpas.get(key)
        if hpa is None:
            return
        self.queue.add_after(key, SYNC_MS, idle=True)
        Sync(self, key, hpa).run()

    def target(self, ref: Object) -> str | None:
        """The resource of a scale target."""
        group, version = split_api_version(ref.get("apiVersion", ""))
        known = BUILTIN.by_gvk(group, version, ref["kind"])
        if known is None:
            known = next((r for r in BUILTIN if r.group == group and r.kind == ref["kind"]), None)
        if known is not None:
            return known.string
        for crd in self.crds.store.values():
            described = custom_resources(crd)
            if described is not None and any(kind == ref["kind"] and gv.startswith(group + "/") for gv, kind in described[3]):
                return described[0]
        return None

    def selected(self, namespace: str, selector: Selector) -> Objects:
        """The pods that a selector selects."""
        exact = next((r for r in selector.requirements if r.operator in ("=", "==")), None)
        if exact is not None:
            found = self.pods.indexed("label", f"{namespace}/{exact.key}={exact.values[0]}")
        else:
            found = self.pods.list(namespace)
        return [pod for pod in found if selector.matches(pod["metadata"].get("labels"))]


class Sync:
    """One look at one autoscaler."""

    def __init__(self, by: HorizontalPodAutoscalerController, key: str, hpa: Object) -> None:
        self.by, self.key, self.hpa = by, key, hpa
        self.spec, self.meta = hpa["spec"], hpa["metadata"]
        self.status: Object = {**(hpa.get("status") or {})}
        self.conditions: Objects = list(self.status.get("conditions") or ())
        self.metric_statuses: Objects = []
        self.behavior: Object | None = self.spec.get("behavior")
        self.least = self.spec.get("minReplicas", 1)
        self.most = self.spec["maxReplicas"]

    def event(self, kind: str, reason: str, message: str) -> None:
        self.by.record(self.hpa, kind, reason, message)

    def set_condition(self, kind: str, status: str, reason: str, message: str) -> None:
        old = find_condition(self.conditions, kind)
        moved = old is None or old["status"] != status
        when = self.by.sim.now_rfc3339() if moved else old["lastTransitionTime"]  # type: ignore[index]
        new = {"type": kind, "status": status, "lastTransitionTime": when, "reason": reason, "message": message}
        self.conditions = [*self.conditions, new] if old is None else [new if each is old else each for each in self.conditions]

    def run(self) -> None:
        by, ref = self.by, self.spec["scaleTargetRef"]
        resource = by.target(ref)
        try:
            if resource is None:
                group = split_api_version(ref.get("apiVersion", ""))[0]
                raise Unable(f'no matches for kind "{ref["kind"]}" in group "{group}"')
            scale = by.client.get(resource, self.meta["namespace"], ref["name"], "scale")
        except (StatusError, Unable) as error:
            self.event("Warning", "FailedGetScale", str(error))
            message = f"the HPA controller was unable to get the target's current scale: {error}"
            self.set_condition("AbleToScale", "False", "FailedGetScale", message)
            self.write(self.status)
            return
        self.set_condition("AbleToScale", "True", "SucceededGetScale",
                           "the HPA controller was able to get the target's current scale")
        current = int((scale.get("spec") or {}).get("replicas") or 0)
        by.recommendations.setdefault(self.key, ((current, by.now_ms),))
        try:
            desired, reason = self.desired(scale, current)
        except Unable as error:
            self.set_status(current, self.status.get("desiredReplicas", 0), False)
            self.event("Warning", "FailedComputeMetricsReplicas", str(error))
            by.tell(f"The autoscaler {self.meta['name']} cannot tell how many pods {ref['name']} needs: {error}")
            return
        rescale = desired != current
        if rescale and not self.rescale(str(resource), scale, current, desired, reason):
            return
        self.set_status(current, desired, rescale)
        by.note(current=current, desired=desired)
        if not rescale:
            by.tell(f"The autoscaler {self.meta['name']} leaves {ref['name']} at {counted(current, 'pod')}.")

    def desired(self, scale: Object, current: int) -> tuple[int, str]:
        """(the size to have, why)."""
        if current == 0:
            message = "scaling is disabled since the replica count of the target is zero"
            self.set_condition("ScalingActive", "False", "ScalingDisabled", message)
            return 0, ""
        if current > self.most:
            return self.most, "Current number of replicas above Spec.MaxReplicas"
        if current < self.least:
            return self.least, "Current number of replicas below Spec.MinReplicas"
        proposed, metric = self.propose(scale, current)
        desired = max(proposed, 0)
        reason = ""
        if desired > current:
            reason = f"{metric} above target"
        elif desired < current:
            reason = "All metrics below target"
        return self.normalize(current, desired), reason

    def propose(self, scale: Object, current: int) -> tuple[int, str]:
        """(the highest count that a metric asks for, that metric)."""
        selector = self.selector(scale)
        pods = self.by.selected(self.meta["namespace"], selector)
        reader = MetricReader(
            self.by, self.meta["namespace"], str((scale.get("status") or {}).get("selector")), pods, self.tolerances(), current,
            int((scale.get("status") or {}).get("replicas") or 0),
        )
        specs: Objects = self.spec.get("metrics") or []
        best, metric = 0, ""
        failed: list[FailedMetric] = []
        for spec in specs:
            try:
                proposal, name, status = reader.compute(spec)
            except FailedMetric as error:
                self.event("Warning", error.reason, error.text)
                failed.append(error)
                self.metric_statuses.append({"type": ""})
                continue
            self.metric_statuses.append(status)
            if best == 0 or proposal.replicas > best:
                best, metric = proposal.replicas, name
        if len(failed) >= len(specs) or (failed and best < current):
            first = failed[0] if failed else FailedMetric("", "", "")
            if failed:
                message = f"the HPA was unable to compute the replica count: {first.text}"
                self.set_condition("ScalingActive", "False", first.reason, message)
            raise Unable(f"invalid metrics ({len(failed)} invalid out of {len(specs)}), first error is: {first.summary}")
        message = f"the HPA was able to successfully calculate a replica count from {metric}"
        self.set_condition("ScalingActive", "True", "ValidMetricFound", message)
        return best, metric

    def selector(self, scale: Object) -> Selector:
        text = (scale.get("status") or {}).get("selector")
        if not text:
            self.event("Warning", "SelectorRequired", "selector is required")
            self.set_condition("ScalingActive", "False", "InvalidSelector", "the HPA target's scale is missing a selector")
            raise Unable("selector is required")
        try:
            selector = parse_selector(text)
        except SelectorError as error:
            message = f"couldn't convert selector into a corresponding internal selector object: {error}"
            self.event("Warning", "InvalidSelector", message)
            self.set_condition("ScalingActive", "False", "InvalidSelector", message)
            raise Unable(message) from None
        self.by.selectors[self.key] = text
        namespace = self.meta["namespace"]
        pods = self.by.selected(namespace, selector)
        rivals = [
            key for key, other in self.by.selectors.items()
            if key.startswith(namespace + "/") and any(parse_selector(other).matches(p["metadata"].get("labels")) for p in pods)
        ]
        if len(rivals) > 1:
            listed = " ".join(f"{{{key.replace('/', ' ')}}}" for key in sorted(rivals))
            message = f"pods by selector {text} are controlled by multiple HPAs: [{listed}]"
            self.event("Warning", "AmbiguousSelector", message)
            self.set_condition("ScalingActive", "False", "AmbiguousSelector", message)
            raise Unable(message)
        return selector

    def tolerances(self) -> Tolerances:
        given = [((self.behavior or {}).get(direction) or {}).get("tolerance") for direction in ("scaleDown", "scaleUp")]
        down, up = (0.1 if value is None else parse_quantity(str(value)).nano / 1e9 for value in given)
        return Tolerances(down, up)

    def normalize(self, current: int, desired: int) -> int:
        """The size after stabilization and limits."""
        by, now = self.by, self.by.now_ms
        samples = by.recommendations[self.key]
        if self.behavior is None:
            stable, by.recommendations[self.key] = stabilize(samples, desired, now)
            why = ("ScaleDownStabilized",
                   "recent recommendations were higher than current one, applying the highest recent recommendation")
            limited = limit_by_rules(current, stable, self.least, self.most)
        else:
            found, by.recommendations[self.key] = stabilize_with_rules(samples, current, desired, self.behavior, now)
            stable, why = found.replicas, (found.reason, found.message)
            ups, downs = by.ups.get(self.key, ()), by.downs.get(self.key, ())
            limited = limit_by_policies(current, stable, self.least, self.most, self.behavior, ups, downs, now)
        if stable == desired:
            why = ("ReadyForNewScale", "recommended size matches current size")
        self.set_condition("AbleToScale", "True", *why)
        self.set_condition("ScalingLimited", "False" if limited.replicas == stable else "True", limited.reason, limited.message)
        return limited.replicas

    def rescale(self, resource: str, scale: Object, current: int, desired: int, reason: str) -> bool:
        by, name = self.by, self.spec["scaleTargetRef"]["name"]
        try:
            by.client.update(resource, {**scale, "spec": {**(scale.get("spec") or {}), "replicas": desired}}, "scale")
        except StatusError as error:
            self.event("Warning", "FailedRescale", f"New size: {desired}; reason: {reason}; error: {error.message}")
            message = f"the HPA controller was unable to update the target scale: {error.message}"
            self.set_condition("AbleToScale", "False", "FailedUpdateScale", message)
            self.set_status(current, self.status.get("desiredReplicas", 0), False)
            return False
        message = f"the HPA controller was able to update the target scale to {desired}"
        self.set_condition("AbleToScale", "True", "SucceededRescale", message)
        self.event("Normal", "SuccessfulRescale", f"New size: {desired}; reason: {reason}")
        if self.behavior is not None:
            events, direction = (by.ups, "scaleUp") if desired > current else (by.downs, "scaleDown")
            period = longest_period_s(rules(self.behavior, direction))
            events[self.key] = with_scale_event(events.get(self.key, ()), abs(desired - current), period, by.now_ms)
        by.tell(f"The autoscaler {self.meta['name']} scales {name} from {current} to {counted(desired, 'pod')}"
                + (f": {reason}." if reason else "."))
        return True

    def set_status(self, current: int, desired: int, rescaled: bool) -> None:
        status: Object = {"currentReplicas": current, "desiredReplicas": desired, "currentMetrics": self.metric_statuses}
        last = self.by.sim.now_rfc3339() if rescaled else self.status.get("lastScaleTime")
        if last:
            status["lastScaleTime"] = last
        self.write(status)

    def write(self, status: Object) -> None:
        status = {**status, "conditions": self.conditions}
        status.setdefault("desiredReplicas", 0)
        if not status.get("currentMetrics"):
            status["currentMetrics"] = None
        before = {"currentMetrics": None, **(self.hpa.get("status") or {})}
        if status == before:
            return
        try:
            self.by.client.update_status("horizontalpodautoscalers", {**self.hpa, "status": status})
        except StatusError as error:
            self.event("Warning", "FailedUpdateStatus", error.message)
            raise
