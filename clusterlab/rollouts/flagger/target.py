"""The Deployment that a Canary takes over, and its twin, the primary, which gets the traffic.

Follows pkg/canary/deployment_controller.go, deployment_ready.go, hpa_reconciler.go and util.go of Flagger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.client.api import Request
from clusterlab.controllers.objects import Object, condition_of, controller_ref, unix_ms
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.go_dump import revision_hash
from clusterlab.rollouts.flagger import configs, spec
from clusterlab.rollouts.flagger.spec import Halt

if TYPE_CHECKING:
    from clusterlab.rollouts.flagger.controller import CanaryController

__all__ = ["Target"]

LABELS = ("app", "name", "app.kubernetes.io/name")
ID = "flagger-id"


class Target:
    """What is done to the target of one Canary. Reads are from the API server, as upstream. Raises Halt."""

    def __init__(self, by: CanaryController, cd: Object) -> None:
        self.by, self.cd, self.client = by, cd, by.client
        self.namespace, self.name = cd["metadata"]["namespace"], cd["spec"]["targetRef"]["name"]
        self.primary_name = spec.primary_of(cd)
        self.owner = controller_ref(cd, spec.API, "Canary")

    def _get(self, name: str) -> Object:
        try:
            return self.client.get("deployments", self.namespace, name)
        except StatusError as error:
            raise Halt(f"deployment {name}.{self.namespace} get query error: {error.message}") from error

    def canary(self) -> Object:
        return self._get(self.name)

    def label(self) -> tuple[str, str]:
        """(label, value) by which Services tell the target's pods."""
        have = self.canary()["spec"]["selector"].get("matchLabels") or {}
        found = next((each for each in LABELS if each in have), None)
        if found is None:
            raise Halt(f"deployment {self.name}.{self.namespace} spec.selector.matchLabels must contain one of [{' '.join(LABELS)}]")
        return found, have[found]

    def ports(self) -> list[tuple[str, int]]:
        """Further ports of the containers, where portDiscovery asks for them."""
        service = self.cd["spec"].get("service") or {}
        if not service.get("portDiscovery"):
            return []
        main = service.get("targetPort") or service.get("port")
        return [
            (port.get("name") or f"tcp-{container['name']}-{number}", port["containerPort"])
            for container in self.canary()["spec"]["template"]["spec"]["containers"]
            if container["name"] not in ("istio-proxy", "envoy")
            for number, port in enumerate(container.get("ports") or ())
            if main not in (port["containerPort"], port.get("name"))
        ]

    # The primary.

    def _labels(self, labels: Object | None) -> Object:
        label, value = self.label()
        return {**{key: each for key, each in (labels or {}).items() if key != label}, label: f"{value}-primary"}

    def _template(self, target: Object, used: dict[str, Object]) -> Object:
        template = target["spec"]["template"]
        notes = {key: value for key, value in (template["metadata"].get("annotations") or {}).items() if key != ID}
        return {
            "metadata": {"labels": self._labels(template["metadata"].get("labels")), "annotations": {**notes, ID: self.by.new_id()}},
            "spec": configs.for_primary(template["spec"], used),
        }

    def initialize(self) -> None:
        """Makes the primary where there is none; waits for it in the beginning."""
        try:
            self.client.get("deployments", self.namespace, self.primary_name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            self._create_primary()
        if spec.phase(self.cd) in ("", "Initializing") and not spec.skips(self.cd):
            self.primary_ready()

    def _create_primary(self) -> None:
        target = self.canary()
        used = configs.tracked(self.client, target)
        configs.copied(self.client, used, self.owner)
        label, value = self.label()
        kept = ("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy")
        meta = {"name": self.primary_name, "namespace": self.namespace, "labels": self._labels(None), "ownerReferences": [self.owner]}
        notes = {
            key: each
            for key, each in (target["metadata"].get("annotations") or {}).items()
            if not key.startswith("kubectl.kubernetes.io/") and not key.startswith("deployment.kubernetes.io/")
        }
        self.client.api.serve(
            Request(
                "create",
                "deployments",
                self.client.user,
                namespace=self.namespace,
                body={
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {**meta, **({"annotations": notes} if notes else {})},
                    "spec": {
                        **{field: target["spec"][field] for field in kept if field in target["spec"]},
                        "replicas": int(target["spec"].get("replicas", 1)) or 1,
                        "selector": {"matchLabels": {label: f"{value}-primary"}},
                        "template": self._template(target, used),
                    },
                },
                options={"fieldManager": "flagger"},
            )
        )
        self.by.tell(f"Deployment {self.primary_name} is made of {self.name}: it takes the traffic from now on.")

    def promote(self) -> None:
        """Copies the target's template, and copies of what it uses, to the primary."""
        target, primary = self.canary(), self._get(self.primary_name)
        used = configs.tracked(self.client, target)
        configs.copied(self.client, used, self.owner)
        body = {**primary["spec"], "template": self._template(target, used)}
        for field in ("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy"):
            if field in target["spec"]:
                body[field] = target["spec"][field]
        if not self.cd["spec"].get("autoscalerRef"):
            body["replicas"] = target["spec"].get("replicas", 1)
        self.client.update("deployments", {**primary, "spec": body})
        self.by.tell(f"The template of {self.name} is copied to {self.primary_name}, which rolls it out.")

    def reconcile_scaler(self, first: bool) -> None:
        """The primary has an autoscaler like the target's."""
        ref = self.cd["spec"].get("autoscalerRef")
        if not ref:
            return
        resource, name = "horizontalpodautoscalers", ref["name"]
        try:
            hpa = self.client.get(resource, self.namespace, name)
        except StatusError as error:
            raise Halt(f"HorizontalPodAutoscaler {name}.{self.namespace} get query error: {error.message}") from error
        body = {**hpa["spec"], "scaleTargetRef": {**hpa["spec"]["scaleTargetRef"], "name": self.primary_name}}
        body.update(
            {key: value for key, value in (ref.get("primaryScalerReplicas") or {}).items() if key in ("minReplicas", "maxReplicas")}
        )
        try:
            have = self.client.get(resource, self.namespace, f"{name}-primary")
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            self.client.create(
                resource,
                {
                    "apiVersion": hpa["apiVersion"],
                    "kind": hpa["kind"],
                    "spec": body,
                    "metadata": {"name": f"{name}-primary", "namespace": self.namespace, "ownerReferences": [self.owner]},
                },
            )
        else:
            if not first and have["spec"] != body:
                self.client.update(resource, {**have, "spec": body})

    # Sizes.

    def _scale(self, replicas: int) -> None:
        if int(self.canary()["spec"].get("replicas", 1)) != replicas:
            self.client.patch("deployments", self.namespace, self.name, {"spec": {"replicas": replicas}})
            self.by.tell(f"Deployment {self.name} is scaled to {replicas}.")

    def scale_to_zero(self) -> None:
        self._scale(0)

    def scale_from_zero(self) -> None:
        """As many pods as the target or its autoscaler says, else as the primary has."""
        replicas = int(self.canary()["spec"].get("replicas", 1))
        ref = self.cd["spec"].get("autoscalerRef")
        if not replicas and ref:
            try:
                hpa = self.client.get("horizontalpodautoscalers", self.namespace, ref["name"])
                replicas = int(hpa["spec"].get("minReplicas") or 1)
            except StatusError:
                replicas = 1
        self._scale(replicas or int(self._get(self.primary_name)["spec"].get("replicas", 1)) or 1)

    def revert(self) -> None:
        """As big as the primary again, when its Canary goes."""
        self._scale(int(self._get(self.primary_name)["spec"].get("replicas", 1)))

    # What it is like.

    def hash(self) -> str:
        return revision_hash(self.canary()["spec"]["template"])

    def checksums(self) -> dict[str, str]:
        return {key: configs.checksum(obj) for key, obj in configs.tracked(self.client, self.canary()).items()}

    def changed(self) -> bool:
        """Whether the template, or a ConfigMap or Secret it uses, is another than was last looked at; not where it went back by hand."""
        status, now = spec.status_of(self.cd), self.hash()
        applied = status.get("lastAppliedSpec", "")
        if not applied:
            return True
        if status.get("lastPromotedSpec") != now and applied != now:
            return True
        return bool((status.get("trackedConfigs") or {}) != self.checksums())

    def primary_ready(self) -> None:
        try:
            self._ready(self._get(self.primary_name), int(analysis_field(self.cd, "primaryReadyThreshold", 100)))
        except Halt as halt:
            raise Halt(f"{self.primary_name}.{self.namespace} not ready: {halt.message}", halt.retriable) from halt

    def canary_ready(self) -> None:
        try:
            self._ready(self.canary(), int(analysis_field(self.cd, "canaryReadyThreshold", 100)))
        except Halt as halt:
            raise Halt(f"canary deployment {self.name}.{self.namespace} not ready: {halt.message}", halt.retriable) from halt

    def _ready(self, deployment: Object, share: int) -> None:
        status = deployment.get("status") or {}
        if deployment["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
            raise Halt("waiting for rollout to finish: observed deployment generation less than desired generation")
        updated, there = int(status.get("updatedReplicas", 0)), int(status.get("availableReplicas", 0))
        progressing, available = condition_of(deployment, "Progressing"), condition_of(deployment, "Available")
        retriable = True
        if progressing is not None and available is not None and available["reason"] == "MinimumReplicasUnavailable":
            deadline = int(self.cd["spec"].get("progressDeadlineSeconds") or 600)
            retriable = unix_ms(available["lastUpdateTime"]) + deadline * 1000 >= self.by.now_ms
        if progressing is not None and progressing["reason"] == "ProgressDeadlineExceeded":
            raise Halt(f'deployment "{deployment["metadata"]["name"]}" exceeded its progress deadline', retriable=False)
        wanted, total = int(deployment["spec"].get("replicas", 1)), int(status.get("replicas", 0))
        if updated < wanted:
            raise Halt(f"waiting for rollout to finish: {updated} out of {wanted} new replicas have been updated", retriable)
        if total > updated:
            raise Halt(f"waiting for rollout to finish: {total - updated} old replicas are pending termination", retriable)
        least = updated * share // 100
        if there < least:
            raise Halt(
                f"waiting for rollout to finish: {there} of {least} (readyThreshold {share}%) updated replicas are available", retriable
            )


def analysis_field(cd: Object, field: str, default: int) -> int:
    value = spec.analysis(cd).get(field)
    return default if value is None else int(value)
