"""A lab with the operator, two versions of a shop and shoppers, driven as kubectl would."""

from __future__ import annotations

from typing import Any

import pytest

from tests.network.conftest import Net

Object = dict[str, Any]
GATEWAY = "gateway.networking.k8s.io"
IMAGES = [
    {"match": "shop/web:v1", "ready": "1s", "serve": {"port": 80, "latency": "20ms"}},
    {"match": "shop/web:v2", "ready": "1s", "serve": {"port": 80, "latency": "20ms"}},
    {"match": "shop/web:bad", "ready": "1s", "serve": {"port": 80, "latency": "20ms", "errors": "50%"}},
    {"match": "shop/web:flaky", "ready": "1s", "serve": {"port": 80, "latency": "20ms", "errors": "10%"}},
    {"match": "shop/web:slow", "ready": "1s", "serve": {"port": 80, "latency": "900ms"}},
    {"match": "shop/web:never", "ready": "1h", "serve": {"port": 80}},
]


class Lab(Net):
    """What a person at the keyboard does with Rollouts."""

    def __init__(self, seed: int = 1, images: Any = (), **scenario: Any) -> None:
        super().__init__(seed=seed, rollouts=True, images=[*images, *IMAGES], **scenario)

    def rollout(self, strategy: Object, image: str = "shop/web:v1", replicas: int = 5, name: str = "shop", **spec: Any) -> None:
        """A Rollout; the Services that it names select its pods."""
        for plan in strategy.values():
            for service in [value for field, value in plan.items() if field.endswith("Service")]:
                if self.get("services", service) is not None:
                    self.patch({"spec": {"selector": {"app": name}}}, resource="services", name=service)
        self.create("rollouts.argoproj.io", {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": name}, "spec": {
                "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "strategy": strategy,
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [
                    {"name": "web", "image": image, "resources": {"requests": {"cpu": "100m"}},
                     "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}}]}}, **spec}})

    def get(self, resource: str, name: str) -> Any:  # type: ignore[override]
        return self.cluster.find(f"{resource}/default/{name}")

    @property
    def ro(self) -> Object:
        found = self.get("rollouts.argoproj.io", "shop")
        assert found is not None
        return dict(found)

    @property
    def status(self) -> Object:
        return dict(self.ro.get("status") or {})

    def patch(self, body: Object, subresource: str = "", resource: str = "rollouts.argoproj.io", name: str = "shop") -> None:
        self.do(lambda: self.client.patch(resource, "default", name, body, "merge", subresource))

    def image(self, image: str) -> None:
        template = self.ro["spec"]["template"]
        container = {**template["spec"]["containers"][0], "image": image}
        self.patch({"spec": {"template": {"spec": {"containers": [container]}}}})

    def abort(self) -> None:
        self.patch({"status": {"abort": True}}, "status")

    def retry(self) -> None:
        self.patch({"status": {"abort": False}}, "status")

    def promote(self, full: bool = False) -> None:
        """As `kubectl argo rollouts promote`: out of a pause, or past it all."""
        self.patch({"status": {"promoteFull": True} if full else {"pauseConditions": None}}, "status")

    def until(self, condition: Any, seconds: int = 300) -> None:
        for _ in range(seconds):
            if condition():
                return
            self.run(1)
        raise AssertionError(f"not within {seconds} s: {self.status}")

    def healthy(self, seconds: int = 300) -> None:
        self.until(lambda: self.status.get("phase") == "Healthy" and self.status["observedGeneration"] == str(
            self.ro["metadata"]["generation"]), seconds)
        assert not self.cluster.errors, self.cluster.errors

    def reasons(self, name: str = "shop") -> list[str]:
        return [event["reason"] for _, event in self.cluster.objects("events") if event["involvedObject"]["name"] == name]

    def sizes(self) -> dict[str, int]:
        """Pods by image tag, those that end left out."""
        found: dict[str, int] = {}
        for _, pod in self.cluster.objects("pods"):
            if not pod["metadata"].get("deletionTimestamp"):
                tag = pod["spec"]["containers"][0]["image"].rpartition(":")[2]
                found[tag] = found.get(tag, 0) + 1
        return found

    def template(self, query: str, condition: str, name: str = "success", **metric: Any) -> None:
        self.create("analysistemplates.argoproj.io", {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name}, "spec": {
                "args": [{"name": "service"}, {"name": "hash", "value": ""}],
                "metrics": [{"name": name, "successCondition": condition, "provider": {"prometheus": {
                    "address": "http://prometheus:9090", "query": query}}, **metric}]}})

    def gateway(self, *services: str, **fields: Any) -> None:
        def custom(kind: str, name: str, spec: Object) -> Object:
            return {"apiVersion": f"{GATEWAY}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}

        self.do(lambda: self.client.create(f"gatewayclasses.{GATEWAY}", custom("GatewayClass", "any", {"controllerName": "example.com/any"})))
        self.create(f"gateways.{GATEWAY}", custom("Gateway", "web", {
            "gatewayClassName": "any", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}))
        refs = [{"name": name, "port": 80} for name in services]
        self.create(f"httproutes.{GATEWAY}", custom("HTTPRoute", "shop", {
            "parentRefs": [{"name": "web"}], "hostnames": ["shop.example"], "rules": [{"backendRefs": refs}], **fields}))

    def sent(self, since_ms: int = -1, **wanted: str) -> int:
        """Requests sent to pods of a version since a time."""
        return self.counted("sent", since_ms, **wanted)

    def counted(self, field: str, since_ms: int = -1, **wanted: str) -> int:
        return sum(
            getattr(counts, field) for window in self.cluster.traffic.series.windows(since_ms) for key, counts in window.counts
            if all((getattr(key, name) if name in ("source", "mirrored") else getattr(key.group, name)) == value for name, value in wanted.items()))


SUCCESS = ('sum(rate(http_requests_total{service=~"{{args.service}}",code!~"5.*"}[10s])) / '
           'sum(rate(http_requests_total{service=~"{{args.service}}"}[10s]))')


@pytest.fixture
def lab() -> Lab:
    made = Lab()
    made.service("shop")
    return made
