"""The disruption controller: how many pods a PodDisruptionBudget can spare just now.

Follows pkg/controller/disruption/disruption.go. The size that a budget's percentages refer to is that of the pods' controllers, up to
a Deployment, or of anything with a scale.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.endpointslice import by_label
from clusterlab.controllers.hpa_metrics import go_selector
from clusterlab.controllers.objects import (
    Object,
    Objects,
    condition_of,
    controller_of,
    deleting,
    finished,
    key_of,
    pod_ready,
    replicas,
    scaled_value,
    unix_ms,
)
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import from_object as selector_of
from clusterlab.machinery.scheme import by_gvk, split_api_version

__all__ = ["DisruptionController"]

DELETION_TIMEOUT_MS = 2 * 60_000
STALE_MS = 2 * 60_000
CACHED = {
    ("apps", "ReplicaSet"): "replicasets", ("apps", "StatefulSet"): "statefulsets", ("", "ReplicationController"): "replicationcontrollers",
    ("apps", "Deployment"): "deployments",
}


class Unknown(Exception):
    """The number of pods to expect cannot be told."""


def budget_state(pod: Object) -> tuple[Any, ...]:
    """What a budget sees of a pod."""
    meta = pod["metadata"]
    condition = condition_of(pod, "DisruptionTarget")
    return (
        pod_ready(pod), meta.get("labels"), meta.get("deletionTimestamp"), meta.get("ownerReferences"),
        condition and condition["status"],
    )


class DisruptionController(BaseController):
    """Reconciles PodDisruptionBudgets. Keys: `NAMESPACE/NAME`, `pods/NAMESPACE/NAME` for conditions that went stale."""

    resource = "poddisruptionbudgets"
    controller_name = "disruption-controller"
    component = "controllermanager"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.budgets = self.informer("poddisruptionbudgets")
        self.pods = self.informer("pods")
        self.scaled = {resource: self.informer(resource) for resource in CACHED.values()}
        self.pods.add_index("label", by_label)
        self.budgets.on_change(self.enqueue_object)
        self.pods.on_change(self.pod_changed)
        for informer in self.scaled.values():
            informer.on_change(self.scale_changed)

    def object_key(self, key: str) -> str:
        return key if key.startswith("pods/") else super().object_key(key)

    # Handlers.

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and budget_state(old) == budget_state(new):
            return
        if new is not None and self._stale_in_ms(new) is not None:
            self.queue.add_after("pods/" + key_of(new), max(1, self._stale_in_ms(new) or 0), idle=True)
        for pod in (old, new):
            if pod is not None:
                found = self._budgets_of(pod)
                if len(found) > 1 and pod is new and old is None:
                    meta = pod["metadata"]
                    message = (
                        f'Pod "{meta["namespace"]}"/"{meta["name"]}" matches multiple PodDisruptionBudgets.  '
                        f'Chose "{found[0]["metadata"]["name"]}" arbitrarily.'
                    )
                    self.record(pod, "Warning", "MultiplePodDisruptionBudgets", message)
                for budget in found:
                    self.enqueue(key_of(budget))

    def scale_changed(self, old: Object | None, new: Object | None) -> None:
        """The wanted size of a workload changed: its pods' budgets refer to it."""
        if not self.budgets.store or (old is not None and new is not None and old["spec"].get("replicas") == new["spec"].get("replicas")):
            return
        namespace = (new or old)["metadata"]["namespace"]  # type: ignore[index]
        for budget in self.budgets.list(namespace):
            self.enqueue(key_of(budget))

    def _budgets_of(self, pod: Object) -> Objects:
        if not self.budgets.store:
            return []
        labels = pod["metadata"].get("labels")
        return [
            budget for budget in self.budgets.list(pod["metadata"]["namespace"])
            if selector_of(budget["spec"].get("selector")).matches(labels)
        ]

    def _stale_in_ms(self, pod: Object) -> int | None:
        """In how many ms a DisruptionTarget condition that came to nothing goes stale."""
        condition = condition_of(pod, "DisruptionTarget")
        if deleting(pod) or condition is None or condition["status"] != "True" or finished(pod) \
                or condition.get("reason") == "TerminationByKubelet":
            return None
        return max(0, unix_ms(condition["lastTransitionTime"]) + STALE_MS - self.now_ms)

    # Reconciling.

    def reconcile(self, key: str) -> None:
        if key.startswith("pods/"):
            self._clear_stale(key.removeprefix("pods/"))
            return
        budget = self.budgets.get(key)
        if budget is None:
            return
        pods = self._selected(budget)
        if not pods:
            self.record(budget, "Normal", "NoPods", "No matching pods found")
        try:
            expected, desired, unmanaged = self._expected(budget, pods)
        except Unknown as error:
            message = f"Failed to calculate the number of expected pods: {error}"
            self.record(budget, "Warning", "CalculateExpectedPodCountFailed", message)
            self._fail_safe(budget, str(error))
            return
        if unmanaged:
            message = (
                f"Pods selected by this PodDisruptionBudget (selector: {go_selector(budget['spec'])}) were found to be unmanaged. As a "
                "result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for "
                'these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
            )
            self.record(budget, "Warning", "UnmanagedPods", message)
        disrupted, recheck_ms = self._disrupted(budget, pods)
        healthy = sum(not deleting(pod) and pod["metadata"]["name"] not in disrupted and pod_ready(pod) for pod in pods)
        self._write(budget, healthy, desired, expected, disrupted)
        if recheck_ms is not None:
            self.queue.add_after(key, recheck_ms + 1, idle=True)

    def _selected(self, budget: Object) -> Objects:
        namespace, selector = budget["metadata"]["namespace"], selector_of(budget["spec"].get("selector"))
        exact = next((r for r in selector.requirements if r.operator == "="), None)
        found = self.pods.indexed("label", f"{namespace}/{exact.key}={exact.values[0]}") if exact else self.pods.list(namespace)
        return [pod for pod in found if selector.matches(pod["metadata"].get("labels"))]

    def _expected(self, budget: Object, pods: Objects) -> tuple[int, int, bool]:
        """(pods to expect, pods that must be healthy, whether some have no controller)."""
        spec = budget["spec"]
        if spec.get("maxUnavailable") is not None:
            expected, unmanaged = self._expected_scale(pods)
            return expected, max(0, expected - scaled_value(spec["maxUnavailable"], expected, True)), unmanaged
        least = spec.get("minAvailable")
        if isinstance(least, str):
            expected, unmanaged = self._expected_scale(pods)
            return expected, scaled_value(least, expected, True), unmanaged
        if least is None:
            return 0, 0, False
        return len(pods), least, False

    def _expected_scale(self, pods: Objects) -> tuple[int, bool]:
        sizes: dict[str, int] = {}
        seen: dict[str, bool] = {}
        unmanaged = False
        for pod in pods:
            ref = controller_of(pod)
            if ref is None:
                unmanaged = True
            elif ref["uid"] not in seen:
                seen[ref["uid"]] = True
                uid, size = self._controller(pod, ref)
                sizes[uid] = size
        return sum(sizes.values()), unmanaged

    def _controller(self, pod: Object, ref: Object) -> tuple[str, int]:
        """(uid, size) of the topmost controller of a pod."""
        namespace = pod["metadata"]["namespace"]
        kind = (split_api_version(ref["apiVersion"])[0], ref["kind"])
        resource = CACHED.get(kind)
        if resource is not None:
            owner = self.scaled[resource].get(f"{namespace}/{ref['name']}")
            if owner is not None and owner["metadata"]["uid"] == ref["uid"]:
                above = controller_of(owner)
                if kind[1] == "ReplicaSet" and above is not None and above["kind"] == "Deployment":
                    return self._controller(owner, above)
                return ref["uid"], replicas(owner)
        try:
            return self._live_scale(namespace, ref)
        except StatusError as error:
            if error.reason == "NotFound":
                raise Unknown(f'found no controllers for pod "{pod["metadata"]["name"]}"') from None
            raise

    def _live_scale(self, namespace: str, ref: Object) -> tuple[str, int]:
        group, version = split_api_version(ref["apiVersion"])
        known = by_gvk(group, version, ref["kind"])
        crds = self.process.informers.get(("customresourcedefinitions", None))
        names = [known.string] if known is not None else [
            crd["metadata"]["name"] for crd in (crds.store.values() if crds is not None else ())
            if crd["spec"]["group"] == group and crd["spec"]["names"]["kind"] == ref["kind"]
        ]
        if not names or (known is not None and "scale" not in known.subresources):
            raise Unknown(f"{ref['kind'].lower()}s.{group} does not implement the scale subresource")
        scale = self.client.get(names[0], namespace, ref["name"], "scale")
        return ref["uid"], int((scale.get("spec") or {}).get("replicas") or 0)

    def _disrupted(self, budget: Object, pods: Objects) -> tuple[dict[str, str], int | None]:
        """(pods whose eviction was granted and that are still there, in how many ms to give up on the first of them)."""
        known = (budget.get("status") or {}).get("disruptedPods") or {}
        left: dict[str, str] = {}
        waits = []
        for pod in pods if known else ():
            name = pod["metadata"]["name"]
            if deleting(pod) or name not in known:
                continue
            wait_ms = unix_ms(known[name]) + DELETION_TIMEOUT_MS - self.now_ms
            if wait_ms < 0:
                namespace = budget["metadata"]["namespace"]
                message = f"Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
                self.record(pod, "Warning", "NotDeleted", message)
            else:
                left[name] = known[name]
                waits.append(wait_ms)
        return left, min(waits, default=None)

    def _write(self, budget: Object, healthy: int, desired: int, expected: int, disrupted: dict[str, str]) -> None:
        allowed = max(0, healthy - desired) if expected > 0 else 0
        generation = budget["metadata"].get("generation", 0)
        reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
        status: Object = {
            "currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected, "disruptionsAllowed": allowed,
            "observedGeneration": generation, "conditions": [self._condition(budget, *reason, "", generation)],
        }
        if disrupted:
            status["disruptedPods"] = disrupted
        if status != budget.get("status"):
            self.client.update_status("poddisruptionbudgets", {**budget, "status": status})
            self.tell(f"The budget {budget['metadata']['name']} has {healthy} healthy pods and needs {desired}, so {allowed} may go.")
        self.note(healthy=healthy, desired=desired, allowed=allowed)

    def _condition(self, budget: Object, status: str, reason: str, message: str, generation: int) -> Object:
        old = condition_of(budget, "DisruptionAllowed")
        same = old is not None and old["status"] == status
        return {
            "type": "DisruptionAllowed", "status": status, **({"observedGeneration": generation} if generation else {}), "reason": reason,
            "message": message,
            "lastTransitionTime": old["lastTransitionTime"] if same and old is not None else self.sim.now_rfc3339(),
        }

    def _fail_safe(self, budget: Object, message: str) -> None:
        before = budget.get("status") or {}
        condition = self._condition(budget, "False", "SyncFailed", message, before.get("observedGeneration", 0))
        counts = {"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
        status = {**counts, **before, "disruptionsAllowed": 0, "conditions": [condition]}
        if status != before:
            self.client.update_status("poddisruptionbudgets", {**budget, "status": status})

    def _clear_stale(self, key: str) -> None:
        pod = self.pods.get(key)
        wait_ms = self._stale_in_ms(pod) if pod is not None else None
        if pod is None or wait_ms is None:
            return
        if wait_ms:
            self.queue.add_after("pods/" + key, wait_ms, idle=True)
            return
        new = {"type": "DisruptionTarget", "status": "False", "lastProbeTime": None, "lastTransitionTime": self.sim.now_rfc3339()}
        conditions = [new if each["type"] == "DisruptionTarget" else each for each in pod["status"]["conditions"]]
        self.client.update_status("pods", {**pod, "status": {**pod["status"], "conditions": conditions}})
