"""Flagger's Canaries, as their manifests are: primaries, weights, iterations, gates, failed checks and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.network.conftest import Net
from tests.rollouts.conftest import GATEWAY, IMAGES

Object = dict[str, Any]
OUTSIDE = [{"name": "shoppers", "to": "http://shop.example", "rate": "40/s", "source": "outside"}]
METRICS = [
    {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "10s"},
    {"name": "request-duration", "thresholdRange": {"max": 500}, "interval": "10s"}]
LOAD = {"name": "load-test", "url": "http://flagger-loadtester.test/", "timeout": "5s", "metadata": {"cmd": "hey -z 1m -q 10 http://shop"}}


class Lab(Net):
    """A Deployment shop, and a Canary for it."""

    def __init__(self, seed: int = 1, **scenario: Any) -> None:
        super().__init__(seed=seed, flagger=True, images=IMAGES, **scenario)
        self.deployment("shop", "shop/web:v1", replicas=4, readinessProbe={"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1},
                        lifecycle={"preStop": {"sleep": {"seconds": 5}}})

    def gateway(self) -> None:
        for kind, name, spec in (
            ("GatewayClass", "any", {"controllerName": "example.com/any"}),
            ("Gateway", "web", {"gatewayClassName": "any", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}),
        ):
            body = {"apiVersion": f"{GATEWAY}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
            resource = f"{kind.lower()}{'es' if kind.endswith('s') else 's'}.{GATEWAY}"
            if kind == "Gateway":
                self.create(resource, body)
            else:
                self.do(lambda body=body, resource=resource: self.client.create(resource, body))

    def canary(self, analysis: Object | None, service: Object | None = None, **spec: Any) -> None:
        body = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}, "service": {"port": 80, **(service or {})},
                "analysis": analysis, **spec}
        self.create("canaries.flagger.app", {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "shop"}, "spec": body})

    def get(self, resource: str, name: str) -> Any:  # type: ignore[override]
        return self.cluster.find(f"{resource}/default/{name}")

    @property
    def status(self) -> Object:
        return dict(self.get("canaries.flagger.app", "shop").get("status") or {})

    def until(self, phase: str, seconds: int = 400) -> list[int]:
        """Runs until the Canary is in a phase; the weights on the way there."""
        weights: list[int] = []
        for _ in range(seconds):
            weight = self.status.get("canaryWeight", 0)
            if not weights or weights[-1] != weight:
                weights.append(weight)
            if self.status.get("phase") == phase:
                assert not self.cluster.errors, self.cluster.errors
                return weights
            self.run(1)
        raise AssertionError(f"not {phase} within {seconds} s: {self.status} {self.said()}")

    def image(self, image: str) -> None:
        self.do(lambda: self.client.patch(
            "deployments", "default", "shop", {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}, "strategic"))

    def said(self) -> list[str]:
        return [each["message"] for _, each in self.cluster.objects("events") if each["involvedObject"].get("kind") == "Canary"]

    def get_from(self, client: str, url: str) -> Any:
        return self.fabric.request(self.source(client), url)

    def tag(self, name: str) -> str:
        found: str = self.get("deployments", name)["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
        return found


ROUTE = {"hosts": ["shop.example"], "gatewayRefs": [{"name": "web"}]}
CANARY = {"interval": "10s", "threshold": 2, "maxWeight": 50, "stepWeight": 20, "metrics": METRICS, "webhooks": [LOAD]}


def routed(analysis: Object, seed: int = 1, **more: Any) -> Lab:
    lab = Lab(seed, gatewayApi=True, traffic=OUTSIDE)
    lab.gateway()
    lab.canary(analysis, ROUTE, **more)
    lab.until("Initialized")
    lab.run(5)
    return lab


def test_it_takes_over_a_deployment() -> None:
    lab = routed({**CANARY, "sessionAffinity": {"cookieName": "shop"}})
    assert "without effect in this lab: spec.analysis.sessionAffinity" in lab.said()
    assert (lab.get("deployments", "shop")["spec"]["replicas"], lab.get("deployments", "shop-primary")["spec"]["replicas"]) == (0, 4)
    selectors = {name: lab.get("services", name)["spec"]["selector"] for name in ("shop", "shop-primary", "shop-canary")}
    assert selectors == {"shop": {"app": "shop-primary"}, "shop-primary": {"app": "shop-primary"}, "shop-canary": {"app": "shop"}}
    refs = lab.get(f"httproutes.{GATEWAY}", "shop")["spec"]["rules"][0]["backendRefs"]
    assert [(each["name"], each["weight"]) for each in refs] == [("shop-primary", 100), ("shop-canary", 0)]
    assert "Initialization done! shop.default" in lab.said()
    (promoted,) = lab.status["conditions"]
    assert (promoted["type"], promoted["status"], promoted["message"]) == ("Promoted", "True", "Deployment initialization completed.")


def test_a_good_canary_rises_in_steps_and_is_promoted() -> None:
    lab = routed(CANARY)
    lab.image("shop/web:v2")
    weights = lab.until("Promoting")
    assert weights == [0, 20, 40, 60]
    assert lab.tag("shop-primary") == "v2"
    lab.until("Succeeded")
    assert lab.get("deployments", "shop")["spec"]["replicas"] == 0 and lab.status["failedChecks"] == 0
    said = lab.said()
    for words in ("New revision detected! Scaling up shop.default", "Starting canary analysis for shop.default", "Advance shop.default canary weight 20",
                  "Copying shop.default template spec to shop-primary.default", "Routing all traffic to primary",
                  "Promotion completed! Scaling down shop.default"):
        assert words in said
    lab.run(30)
    assert lab.status["phase"] == "Succeeded"
    totals = lab.cluster.traffic.totals["shoppers"]
    assert totals.errors == totals.timeouts == 0


def test_a_bad_canary_fails_its_checks_and_goes() -> None:
    lab = routed(CANARY)
    before = lab.get("deployments", "shop-primary")["spec"]["template"]
    lab.image("shop/web:bad")
    lab.until("Failed")
    said = lab.said()
    assert any("Halt shop.default advancement success rate" in each and "< 99%" in each for each in said)
    assert "Rolling back shop.default failed checks threshold reached 2" in said and "Canary failed! Scaling down shop.default" in said
    assert lab.get("deployments", "shop-primary")["spec"]["template"] == before
    refs = lab.get(f"httproutes.{GATEWAY}", "shop")["spec"]["rules"][0]["backendRefs"]
    assert [each["weight"] for each in refs] == [100, 0] and lab.get("deployments", "shop")["spec"]["replicas"] == 0
    totals = lab.cluster.traffic.totals["shoppers"]
    assert totals.errors < 0.5 * 0.2 * 40 * 60
    # The same template is not tried again; another one is.
    lab.run(60)
    assert lab.status["phase"] == "Failed"
    lab.image("shop/web:v2")
    lab.until("Succeeded")


def test_a_slow_canary_is_told_by_its_latency_and_alerts_tell_whom_it_concerns() -> None:
    alerts = [{"name": f"{severity}-room", "severity": severity, "providerRef": {"name": name}}
              for severity, name in (("info", "chat"), ("warn", "chat"), ("error", "pager"), ("error", "nobody"))]
    lab = Lab(gatewayApi=True, traffic=OUTSIDE)
    lab.do(lambda: lab.client.create("secrets", {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "url", "namespace": "default"}, "data": {"address": "aHR0cDovL3BhZ2Vy"}}))
    for name, more in (("chat", {"address": "http://chat.default", "channel": "ops"}), ("pager", {"secretRef": {"name": "url"}})):
        lab.create("alertproviders.flagger.app", {
            "apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider", "metadata": {"name": name}, "spec": {"type": "slack", **more}})
    lab.deployment("pager", "shop/web:v1", replicas=1)
    lab.service("pager")
    lab.gateway()
    events = {"name": "events", "type": "event", "url": "http://pager.default/"}
    lab.canary({**CANARY, "alerts": alerts, "webhooks": [LOAD, events]}, ROUTE)
    lab.until("Initialized")
    lab.image("shop/web:slow")
    lab.until("Failed")
    assert any("request duration" in each and "> 500ms" in each for each in lab.said())
    told = [each["message"] for _, each in lab.cluster.objects("events") if each["reason"] == "Alert"]
    reached = "Failed checks threshold reached 2"
    assert sorted(told) == sorted([
        "info-room (info) to slack channel ops: New Deployment detected, initialization completed.",
        "info-room (info) to slack channel ops: New revision detected, progressing canary analysis.",
        *(f"{name}-room ({severity}) to slack channel {channel}: {reached}" for name, severity, channel in (
            ("info", "error", "ops"), ("warn", "error", "ops"), ("error", "error", "general"))),
        'alert provider nobody.default error: alertproviders.flagger.app "nobody" not found'])
    assert not any("without effect" in each for each in lab.said())


def test_services_alone_give_blue_green_with_a_gate() -> None:
    gate = {"name": "ask", "type": "confirm-promotion", "url": "http://gate.default/open"}
    lab = Lab(traffic=[{"name": "shoppers", "to": "http://shop.default.svc", "rate": "40/s"},
                       {"name": "testers", "to": "http://shop-canary.default.svc", "rate": "10/s"}])
    lab.deployment("gate", "shop/web:v1", replicas=0)
    lab.service("gate")
    lab.canary({"interval": "10s", "threshold": 3, "iterations": 2, "metrics": METRICS, "webhooks": [gate]}, provider="kubernetes")
    lab.until("Initialized")
    lab.image("shop/web:v2")
    lab.until("WaitingPromotion")
    lab.run(30)
    assert lab.tag("shop-primary") == "v1" and lab.status["phase"] == "WaitingPromotion"
    lab.do(lambda: lab.client.patch("deployments", "default", "gate", {"spec": {"replicas": 1}}))
    lab.until("Succeeded")
    assert lab.tag("shop-primary") == "v2" and "Confirm-promotion check ask passed" in lab.said()


def test_testers_alone_meet_the_canary_in_an_ab_test() -> None:
    match = [{"headers": {"x-beta": {"exact": "yes"}}}]
    lab = Lab(gatewayApi=True, traffic=[*OUTSIDE, {**OUTSIDE[0], "name": "testers", "rate": "10/s", "headers": {"x-beta": "yes"}}])
    lab.gateway()
    lab.canary({"interval": "10s", "threshold": 2, "iterations": 3, "match": match, "metrics": METRICS}, ROUTE)
    lab.until("Initialized")
    lab.image("shop/web:v2")
    lab.until("Promoting")
    met = {(key.source, key.group.version) for window in lab.cluster.traffic.series.windows() for key, counts in window.counts if counts.sent}
    assert ("testers", "v2") in met and ("shoppers", "v2") not in met


def test_templates_gates_and_what_is_missing_are_told() -> None:
    lab = Lab(gatewayApi=True, traffic=OUTSIDE)
    lab.gateway()
    query = ('100 - sum(rate(istio_requests_total{reporter="destination",destination_workload_namespace=~"{{ namespace }}",'
             'destination_workload=~"{{ target }}",response_code!~"5.*",}[{{ interval }}])) / sum(rate(istio_requests_total{reporter="destination",'
             'destination_workload=~"{{ target }}"}[{{ interval }}])) * 100')
    metric = {"name": "error-rate", "templateRef": {"name": "error-rate"}, "thresholdRange": {"max": 1}, "interval": "10s"}
    lab.canary({**CANARY, "metrics": [metric], "threshold": 1}, ROUTE)
    lab.run(15)
    assert any('metrictemplates.flagger.app "error-rate" not found' in each for each in lab.said())
    lab.create("metrictemplates.flagger.app", {
        "apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "error-rate"},
        "spec": {"provider": {"type": "prometheus", "address": "http://prometheus:9090"}, "query": query}})
    lab.until("Initialized")
    lab.image("shop/web:bad")
    lab.until("Failed")
    assert any(each.startswith("Halt shop.default advancement error-rate") and each.endswith("> 1") for each in lab.said())


def test_a_canary_without_a_spec_is_told_so() -> None:
    lab = Lab()
    lab.create("canaries.flagger.app", {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "shop"}})
    lab.run(15)
    assert lab.status["phase"] == "Failed" and "spec: Required value" in lab.status["conditions"][0]["message"]
    assert not lab.cluster.errors


@pytest.mark.parametrize(("spec", "words"), [
    ({"provider": "istio"}, "this lab has no istio"), ({"provider": "contour"}, "this lab has no contour"),
    ({"autoscalerRef": {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "s"}}, "no ScaledObject"),
])
def test_what_is_not_to_be_had_is_said(spec: Object, words: str) -> None:
    lab = Lab()
    lab.canary(CANARY, **spec)
    lab.run(20)
    assert lab.status["phase"] == "Failed" and words in lab.status["conditions"][0]["message"]
    assert lab.get("deployments", "shop")["spec"]["replicas"] == 4


def test_skipped_analysis_configs_and_the_end_of_a_canary() -> None:
    lab = Lab()
    lab.do(lambda: lab.client.create("configmaps", {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags", "namespace": "default"}, "data": {"a": "1"}}))
    lab.do(lambda: lab.client.patch("deployments", "default", "shop", {"spec": {"template": {"spec": {"containers": [
        {"name": "c", "envFrom": [{"configMapRef": {"name": "flags"}}]}]}}}}, "strategic"))
    lab.run(20)
    lab.canary({"interval": "10s", "threshold": 1, "iterations": 1}, provider="kubernetes", skipAnalysis=True, revertOnDeletion=True)
    lab.until("Initialized")
    env = lab.get("deployments", "shop-primary")["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert env == [{"configMapRef": {"name": "flags-primary"}}] and lab.get("configmaps", "flags-primary")["data"] == {"a": "1"}
    lab.do(lambda: lab.client.patch("configmaps", "default", "flags", {"data": {"a": "2"}}))
    lab.until("Succeeded")
    assert lab.get("configmaps", "flags-primary")["data"] == {"a": "2"}
    lab.do(lambda: lab.client.delete("canaries.flagger.app", "default", "shop"))
    lab.run(60)
    assert lab.get("canaries.flagger.app", "shop") is None and lab.get("deployments", "shop-primary") is None
    assert lab.get("deployments", "shop")["spec"]["replicas"] == 4 and lab.get("deployments", "shop")["status"]["readyReplicas"] == 4


def test_a_checkpoint_in_the_midst_leads_to_the_same_end() -> None:
    lab = routed(CANARY, seed=5)
    lab.image("shop/web:v2")
    lab.run(35)
    kept = lab.cluster.checkpoint()
    lab.until("Succeeded")
    end, count = lab.status, lab.sim.time_ms
    lab.cluster.restore(kept)
    lab.until("Succeeded")
    assert (lab.status, lab.sim.time_ms) == (end, count)


TESTER = "http://flagger-loadtester.default"
GATED = {
    **CANARY, "webhooks": [
        {"name": "start", "type": "confirm-rollout", "url": f"{TESTER}/gate/check"},
        {"name": "promotion", "type": "confirm-promotion", "url": f"{TESTER}/gate/halt"},
        {"name": "back", "type": "rollback", "url": f"{TESTER}/rollback/check"}]}


def test_gates_of_a_load_tester_are_opened_and_closed_by_requests() -> None:
    """As docs/gitbook/usage/webhooks.md of Flagger has it (Manual Gating)."""
    lab = Lab(gatewayApi=True, traffic=OUTSIDE)
    lab.gateway()
    lab.deployment("flagger-loadtester", "ghcr.io/fluxcd/flagger-loadtester:0.36.0", replicas=1)
    lab.service("flagger-loadtester", target=8080)
    lab.pod("client")
    lab.canary(GATED, ROUTE)
    lab.until("Initialized")

    def ask(path: str) -> tuple[int, str]:
        found = lab.do(lambda: lab.get_from("client", f"{TESTER}{path}"))
        return found.status, found.body

    assert ask("/gate/check") == (403, "Forbidden") and ask("/gate/approve") == (200, "OK")
    lab.image("shop/web:v2")
    lab.until("Waiting")
    assert "Halt shop.default advancement waiting for approval start" in lab.said()
    assert ask("/gate/open")[0] == 202 and ask("/gate/check") == (200, "Approved")
    lab.until("WaitingPromotion")
    lab.run(20)
    assert lab.status["phase"] == "WaitingPromotion" and lab.tag("shop-primary") == "v1"
    ask("/rollback/open")
    lab.until("Failed")
    assert "Rolling back shop.default manual webhook invoked" in lab.said() and lab.tag("shop-primary") == "v1"
    ask("/rollback/close")
    lab.do(lambda: lab.client.patch("canaries.flagger.app", "default", "shop", [
        {"op": "replace", "path": "/spec/analysis/webhooks/1/url", "value": f"{TESTER}/gate/approve"}], "json"))
    lab.image("shop/web:slow2")
    lab.until("Succeeded")
    assert lab.tag("shop-primary") == "slow2"


def test_a_rollback_gate_that_nobody_opened_stays_shut() -> None:
    lab = routed({**CANARY, "webhooks": [{"name": "back", "type": "rollback", "url": "http://flagger-loadtester.test/rollback/check"}]})
    lab.image("shop/web:v2")
    lab.until("Succeeded")
    assert lab.tag("shop-primary") == "v2"
