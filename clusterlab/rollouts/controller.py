"""The Rollout controller: canaries and blue-green releases of pod templates, by ReplicaSets of its own.

Follows rollout/controller.go of Argo Rollouts: a level-based loop over ReplicaSets, Services, routes, AnalysisRuns and Experiments.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from clusterlab.client.api import Request
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, by_controller, condition_of, controlled_by, created_ms, deleting
from clusterlab.machinery.errors import StatusError
from clusterlab.rollouts import bluegreen, canary, nginx, references, spec, status, workload
from clusterlab.rollouts.context import Context
from clusterlab.rollouts.routing import ROUTES, routes_of
from clusterlab.rollouts.validation import of_template, problem

__all__ = ["RolloutController"]

class RolloutController(BaseController):
    """Keys are those of Rollouts."""

    resource = spec.ROLLOUTS
    controller_name = component = "rollouts-controller"

    def __init__(self, process: Any) -> None:
        super().__init__(process)
        self.rollouts = self.informer(spec.ROLLOUTS)
        self.sets = self.informer("replicasets")
        self.sets.add_index("controller", by_controller)
        self.services = self.informer("services")
        self.ingresses = self.informer("ingresses")
        self.routes = self.informer(ROUTES)
        self.runs = self.informer(spec.ANALYSIS_RUNS)
        self.experiments = self.informer(spec.EXPERIMENTS)
        self.templates, self.cluster_templates = self.informer(spec.ANALYSIS_TEMPLATES), self.informer(spec.CLUSTER_TEMPLATES)
        self.defined = {each.resource: each for each in (
            self.rollouts, self.routes, self.runs, self.experiments, self.templates, self.cluster_templates)}
        for informer in self.defined.values():
            informer.optional = True
        self.rollouts.on_change(self.enqueue_object)
        for informer in (self.sets, self.runs, self.experiments, self.ingresses):
            informer.on_change(self._owned)
        for informer in (self.services, self.routes, self.ingresses):
            informer.on_change(self._named)
        for informer in (self.templates, self.cluster_templates):
            informer.on_change(self._template)
        #: What Rollouts can take their templates from.
        self.workloads = {resource: self.informer(resource) for resource in workload.KINDS.values()}
        for resource, informer in self.workloads.items():
            informer.on_change(partial(self._referenced, resource))
        self.informer("customresourcedefinitions").on_change(self._definition)

    def _definition(self, old: Object | None, new: Object | None) -> None:
        """A definition has come: watch what it defines."""
        if new is not None and new["metadata"]["name"] in self.defined:
            self.process.watch_also(new["metadata"]["name"])

    def _owned(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        assert obj is not None
        for ref in obj["metadata"].get("ownerReferences") or ():
            if ref.get("controller") and ref["kind"] == "Rollout":
                self.enqueue(f"{obj['metadata']['namespace']}/{ref['name']}")

    def _named(self, old: Object | None, new: Object | None) -> None:
        """A Service or a route: Rollouts that name it look again."""
        meta = (new or old)["metadata"]  # type: ignore[index]
        if old is not None and new is not None and old["spec"] == new["spec"]:
            return
        for key, ro in self.rollouts.store.items():
            plan = spec.blue_green(ro) or {}
            names = [*spec.services(ro), plan.get("activeService"), plan.get("previewService")]
            names += [*(name for _, name in routes_of(ro)), *nginx.stable_ingresses(ro)]
            if ro["metadata"]["namespace"] == meta["namespace"] and meta["name"] in names:
                self.enqueue(key)

    def _template(self, old: Object | None, new: Object | None) -> None:
        """What analyses are made of: Rollouts that missed it look again."""
        namespace = (new or old)["metadata"].get("namespace")  # type: ignore[index]
        for key, ro in self.rollouts.store.items():
            if namespace in (None, "", ro["metadata"]["namespace"]) and condition_of(ro, "InvalidSpec") is not None:
                self.enqueue(key)

    def _referenced(self, resource: str, old: Object | None, new: Object | None) -> None:
        """What Rollouts take their templates from has changed: they look again."""
        meta = (new or old)["metadata"]  # type: ignore[index]
        if old is not None and new is not None and old["metadata"].get("generation") == meta.get("generation"):
            return
        for key, ro in self.rollouts.store.items():
            if ro["metadata"]["namespace"] == meta["namespace"] and workload.refers_to(ro, resource, meta["name"]):
                self.enqueue(key)

    def create_checked(self, resource: str, obj: Object) -> Object:
        """Creates an object whose body people wrote, so that it is checked and defaulted as a manifest is."""
        made: Object = self.client.api.serve(Request(
            "create", resource, self.client.user, namespace=obj["metadata"].get("namespace", ""), body=obj,
            options={"fieldManager": "rollouts-controller"}))
        return made

    def reconcile(self, key: str) -> None:
        ro = self.rollouts.get(key)
        if ro is None or deleting(ro):
            return
        if ro["spec"].get("replicas") is None:
            meta = ro["metadata"]
            ro = self.client.patch(spec.ROLLOUTS, meta["namespace"], meta["name"], {"spec": {"replicas": 1}})
        try:
            ro = workload.resolved(self, ro)
        except workload.WorkloadError as error:
            self._invalid(ro, str(error))
            return
        wrong = problem(ro) or references.missing(self, ro)
        if wrong:
            self._invalid(ro, wrong)
            return
        context = Context(self, ro, self._owned_by(self.sets, ro), self._owned_by(self.runs, ro), self._owned_by(self.experiments, ro))
        before = self.sim.current.requests if self.sim.current is not None else []
        count = len(before)
        try:
            (bluegreen if spec.blue_green(ro) is not None else canary).reconcile(context)
            if spec.canary(ro) is not None:
                canary.prune(context, context.others)
        except StatusError as error:
            if error.code in (400, 404, 422):
                # A Service, route or template that isn't there, or pods that can't be: the Rollout says so and looks again.
                self._invalid(context.ro, of_template(error.message))
                self.queue.add_after(key, 5_000, idle=True)
                return
            raise
        if len(before) > count:
            self.busy(key, 20)

    def _owned_by(self, informer: Any, ro: Object) -> list[Object]:
        if informer is self.sets:
            found = self.sets.indexed("controller", ro["metadata"]["uid"])
        else:
            found = [each for each in informer.list(ro["metadata"]["namespace"]) if controlled_by(each, ro)]
        return sorted(found, key=lambda each: (created_ms(each), spec.revision_of(each), each["metadata"]["name"]))

    def _invalid(self, ro: Object, message: str) -> None:
        """Tells what is wrong with a Rollout, in its status and as an event."""
        old = spec.status_of(ro)
        now = self.sim.now_rfc3339()
        text = f'The Rollout "{ro["metadata"]["name"]}" is invalid: {message}'
        kept = [each for each in old.get("conditions") or () if each["type"] != "InvalidSpec"]
        known = next((each for each in old.get("conditions") or () if each["type"] == "InvalidSpec"), None)
        if known is not None and known["message"] == text and old.get("observedGeneration") == str(ro["metadata"].get("generation", 0)):
            return
        condition = {"type": "InvalidSpec", "status": "True", "reason": "InvalidSpec", "message": text, "lastUpdateTime": now,
                     "lastTransitionTime": now}
        made = {**old, "phase": "Degraded", "message": f"InvalidSpec: {text}",
                "observedGeneration": str(ro["metadata"].get("generation", 0)), "conditions": [*kept, condition]}
        meta = ro["metadata"]
        self.client.patch(spec.ROLLOUTS, meta["namespace"], meta["name"], {"status": status.merge_diff(old, made)}, "merge", "status")
        self.record(ro, "Warning", "InvalidSpec", text)
        self.tell(text)
