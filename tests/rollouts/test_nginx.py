"""Canaries by ingress-nginx: its annotations by hand, by a Rollout and by Flagger."""

from __future__ import annotations

import math
from typing import Any

import pytest

from clusterlab.network import ingresses
from clusterlab.network.routing import Backend
from clusterlab.sim.rng import Rng
from tests.rollouts.conftest import Lab
from tests.rollouts.test_flagger import METRICS
from tests.rollouts.test_flagger import Lab as Flagger

Object = dict[str, Any]
NOTE = "nginx.ingress.kubernetes.io/"
SHOPPERS = {"name": "shoppers", "to": "http://shop.example", "rate": "50/s", "source": "outside"}


def ingress(name: str, service: str, path: str = "/", host: str = "shop.example", **notes: str) -> Object:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default", "annotations": {NOTE + key.replace("_", "-"): value for key, value in notes.items()}},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [
            {"path": path, "pathType": "Prefix", "backend": backend}]}}]}}


MAIN = ingress("web", "stable")
RULES = {"canary": "true", "canary_by_header": "X-Canary", "canary_by_cookie": "beta"}


@pytest.mark.parametrize(("notes", "headers", "expected"), [
    ({}, {"x-canary": "always"}, "canary"), ({}, {"X-Canary": "never", "Cookie": "beta=always"}, "stable"),
    ({}, {"x-canary": "maybe", "Cookie": "a=1; beta=always"}, "canary"), ({"canary_weight": "100"}, {"Cookie": "beta=never"}, "stable"),
    ({"canary_weight": "100"}, {"Cookie": "beta=perhaps"}, "canary"), ({}, {}, "stable"),
    ({"canary_by_header_value": "insider"}, {"x-canary": "insider"}, "canary"),
    ({"canary_by_header_value": "insider", "canary_weight": "100"}, {"x-canary": "never"}, "canary"),
    ({"canary_by_header_pattern": "in.id"}, {"x-canary": "an insider"}, "canary"),
    ({"canary_by_header_value": "no", "canary_by_header_pattern": ".*"}, {"x-canary": "insider"}, "stable"),
    ({"canary_by_header_pattern": "(", "canary_weight": "100"}, {"x-canary": "a"}, "stable"),
    ({"canary": "false", "canary_weight": "100"}, {"x-canary": "always"}, "stable"),
])
def test_header_goes_before_cookie_before_weight(notes: dict[str, str], headers: dict[str, str], expected: str) -> None:
    canary = ingress("web-canary", "canary", **{**RULES, **notes})
    found = ingresses.route([MAIN, canary], "shop.example", "/a?b=1", headers, lambda key, weights: 0, lambda backend: True)
    assert found is not None and found.backend == Backend("default", expected, 80)
    assert found.path == "/a?b=1" and found.ingress == "web"


def test_a_canary_stands_beside_another_ingress_or_does_nothing() -> None:
    def asked(canary: Object, ready: bool = True) -> Any:
        return ingresses.route([MAIN, canary], "shop.example", "/", {}, lambda key, weights: len(weights) - 1, lambda backend: ready)

    weighed = {"canary": "true", "canary_weight": "50", "canary_weight_total": "400"}
    found = asked(ingress("web-canary", "canary", **weighed))
    assert [(each.service, weight) for each, weight in found.shares] == [("stable", 350), ("canary", 50)]
    for alone in (ingress("c", "canary", "/other", **weighed), ingress("c", "canary", host="other.example", **weighed)):
        assert not asked(alone).shares
        assert ingresses.route([alone], "shop.example", "/", {}, lambda key, weights: 0, lambda backend: True) is None
        assert not ingresses.known_host([alone], "shop.example", "/")
    assert not asked(ingress("c", "canary", **weighed), ready=False).shares  # who has no endpoints gets nothing


@pytest.mark.parametrize(("path", "target", "asked", "seen"), [
    ("/shop", "/", "/shop", "/"), ("/shop(/|$)(.*)", "/$2", "/shop/cart?x=1", "/cart?x=1"), ("/shop(/|$)(.*)", "/$2", "/SHOP", "/"),
    ("/", "", "/shop", "/shop"),
])
def test_paths_are_rewritten(path: str, target: str, asked: str, seen: str) -> None:
    one = ingress("web", "stable", path, **({"rewrite_target": target} if target else {}))
    found = ingresses.route([one], "shop.example", asked, {}, lambda key, weights: 0, lambda backend: True)
    assert found is not None and found.path == seen


def within(part: int, whole: int, share: float) -> bool:
    return abs(part - share * whole) <= 3 * math.sqrt(max(share * (1 - share) * whole, 1e-9)) + 1e-9


@pytest.mark.parametrize("seed", [1, 2])
def test_weights_of_a_canary_hold_in_every_window(seed: int) -> None:
    print("seed", seed)
    draw = Rng(seed, "ingress")
    lab = Lab(seed=seed, traffic=[{**SHOPPERS, "rate": f"{draw.choice([9, 60])}/s"}])
    for name, image in (("stable", "v1"), ("canary", "v2")):
        lab.deployment(name, f"shop/web:{image}", replicas=draw.randint(1, 3))
        lab.service(name)
    lab.create("ingresses", MAIN)
    lab.create("ingresses", ingress("web-canary", "canary", canary="true", canary_weight="0"))
    lab.run(12)
    for _ in range(8):
        total = draw.choice([100, 1000])
        weight = draw.randint(0, total)
        lab.patch({"metadata": {"annotations": {f"{NOTE}canary-weight": str(weight), f"{NOTE}canary-weight-total": str(total)}}},
                  resource="ingresses", name="web-canary")
        lab.run(2)
        since = lab.sim.time_ms
        lab.run(5)
        whole, part = lab.sent(since), lab.sent(since, version="v2")
        assert whole and within(part, whole, weight / total), (weight, total, part, whole)
        assert lab.sent(since, ingress="web", canary="default-canary-80") == part and lab.sent(since, ingress="web") == whole


def test_sessions_stay_with_the_canary_that_they_met() -> None:
    for behaviour, first in (("sticky", 0.5), ("legacy", 1.0)):
        lab = Lab(traffic=[{**SHOPPERS, "connections": 50, "keepAlive": "60s"}])
        for name, image in (("stable", "v1"), ("canary", "v2")):
            lab.deployment(name, f"shop/web:{image}", replicas=2)
            lab.service(name)
        lab.create("ingresses", ingress("web", "stable", affinity="cookie"))
        lab.create("ingresses", ingress("web-canary", "canary", canary="true", canary_weight="0", affinity_canary_behavior=behaviour))
        lab.run(15)
        lab.patch({"metadata": {"annotations": {f"{NOTE}canary-weight": "100"}}}, resource="ingresses", name="web-canary")
        lab.run(2)
        since = lab.sim.time_ms
        lab.run(5)
        share = lab.sent(since, version="v2") / lab.sent(since)
        assert (0 < share < first) if behaviour == "sticky" else share == first, (behaviour, share)


STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": 10}}]


def rollout(seed: int = 1, made: bool = True, routing: Object | None = None, **canary: Any) -> Lab:
    lab = Lab(seed=seed, traffic=[SHOPPERS])
    for name in ("stable", "canary"):
        lab.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
            "selector": {"app": "shop"}, "ports": [{"port": 80}]}})
    if made:
        lab.create("ingresses", MAIN)
    lab.rollout({"canary": {"stableService": "stable", "canaryService": "canary", "steps": STEPS, "trafficRouting": {
        "nginx": {"stableIngress": "web", "additionalIngressAnnotations": {"canary-by-header": "X-Canary"}}, **(routing or {})}, **canary}},
        replicas=4)
    lab.run(3)
    return lab


def notes(lab: Any, name: str = "shop-web-canary") -> dict[str, str]:
    found = lab.get("ingresses", name)["metadata"].get("annotations") or {}
    return {key.removeprefix(f"{NOTE}canary"): value for key, value in found.items()}


def test_a_rollout_makes_and_weighs_the_canary_ingress() -> None:
    lab = rollout(made=False)
    assert 'nginx.stableIngress: Invalid value: "web": ingress.networking.k8s.io "web" not found' in lab.status["message"]
    lab.create("ingresses", MAIN)
    lab.healthy(60)
    made = lab.get("ingresses", "shop-web-canary")
    assert notes(lab) == {"": "true", "-weight": "0", "-by-header": "X-Canary"}
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Rollout" and made["spec"]["ingressClassName"] == "nginx"
    assert made["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "canary"
    lab.run(3)
    began = lab.sim.time_ms
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status.get("pauseConditions"))
    assert notes(lab)["-weight"] == "20"
    since = lab.sim.time_ms
    lab.run(10)
    assert (lab.sent(since, version="v2"), lab.sent(since)) == (100, 500)
    lab.abort()
    lab.run(3)
    assert notes(lab)["-weight"] == "0" and lab.status["phase"] == "Degraded"
    lab.retry()
    lab.until(lambda: lab.status.get("pauseConditions"))
    lab.promote()
    lab.healthy()
    assert notes(lab)["-weight"] == "0" and lab.counted("failed", began) == 0
    assert {"CreatingCanaryIngress", "PatchingCanaryIngress", "TrafficWeightUpdated"} <= set(lab.reasons())
    lab.do(lambda: lab.client.delete("rollouts.argoproj.io", "default", "shop"))
    lab.run(5)
    assert lab.get("ingresses", "shop-web-canary") is None and lab.get("ingresses", "web") is not None


def test_what_ingresses_cannot_do_is_told() -> None:
    weighed = rollout(routing={"maxTrafficWeight": 1000}, steps=[{"setWeight": 5}, {"pause": {}}])
    weighed.image("shop/web:v2")
    weighed.until(lambda: weighed.status.get("pauseConditions"))
    assert notes(weighed)["-weight"] == "5" and notes(weighed)["-weight-total"] == "1000"
    routed = rollout(routing={"managedRoutes": [{"name": "a"}]}, steps=[{"setHeaderRoute": {"name": "a"}}])
    assert "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix" in routed.status["message"]
    wrong = rollout(stableService="other")
    assert 'spec.strategy.canary.stableService: Invalid value: "other": service "other" not found' in wrong.status["message"]
    wrong.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other"}, "spec": {
        "selector": {"app": "shop"}, "ports": [{"port": 80}]}})
    wrong.run(3)
    assert "ingress `web` has no rules using service other backend" in wrong.status["message"]


def flagger(analysis: Object, traffic: list[Object], made: bool = True) -> Flagger:
    lab = Flagger(traffic=traffic)
    if made:
        lab.create("ingresses", ingress("shop", "shop"))
    lab.canary({"interval": "10s", "threshold": 2, "metrics": METRICS, **analysis}, provider="nginx", ingressRef={
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "shop"})
    return lab


def test_flagger_weighs_the_canary_ingress() -> None:
    lab = flagger({"maxWeight": 40, "stepWeight": 20}, [SHOPPERS], made=False)
    lab.run(40)
    assert any('ingresses.networking.k8s.io "shop" not found' in each for each in lab.said())
    lab.create("ingresses", ingress("shop", "shop"))
    lab.until("Initialized")
    assert notes(lab, "shop-canary") == {"": "true", "-weight": "0"}
    lab.run(5)
    lab.image("shop/web:v2")
    assert lab.until("Succeeded") == [0, 20, 40, 0]
    assert lab.tag("shop-primary") == "v2" and notes(lab, "shop-canary") == {"": "true", "-weight": "0"}
    lab.image("shop/web:bad")
    lab.until("Failed")
    assert any(each.startswith("Halt shop.default advancement success rate 5") for each in lab.said()), lab.said()
    assert lab.tag("shop-primary") == "v2" and notes(lab, "shop-canary")["-weight"] == "0"


def test_flagger_leads_testers_through_an_ingress() -> None:
    testers = {**SHOPPERS, "name": "testers", "rate": "5/s", "headers": {"X-Canary": "insider"}}
    lab = flagger({"iterations": 3, "match": [
        {"headers": {"x-canary": {"exact": "insider"}}}, {"headers": {"cookie": {"exact": "canary"}}}]}, [SHOPPERS, testers])
    lab.until("Initialized")
    lab.image("shop/web:v2")
    lab.until("Progressing")
    lab.run(25)
    assert notes(lab, "shop-canary") == {
        "": "true", "-weight": "0", "-by-header": "x-canary", "-by-header-value": "insider", "-by-cookie": "canary"}
    lab.until("Succeeded")
    assert lab.tag("shop-primary") == "v2" and notes(lab, "shop-canary") == {"": "true", "-weight": "0"}


def test_an_ingress_controller_tells_within_a_minute_where_ingresses_answer() -> None:
    lab = Lab(ingressController=True, traffic=[SHOPPERS])
    lab.deployment("shop", "shop/web:v1", replicas=1)
    lab.service("shop")
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    lab.create("ingresses", {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"}, "spec": {
            "ingressClassName": "nginx", "rules": [{"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}})
    lab.run(2)
    assert lab.reasons().count("Sync") == 1 and not lab.get("ingresses", "shop")["status"]["loadBalancer"]
    assert lab.outside("http://198.18.1.1/").error
    lab.run(60)
    assert lab.get("ingresses", "shop")["status"]["loadBalancer"] == {"ingress": [{"ip": "198.18.1.1"}]}
    asked = [lab.outside("http://198.18.1.1/", **headers).status for headers in ({"Host": "shop.example"}, {})]
    assert asked == [200, 404] and lab.cluster.find("ingressclasses/nginx")["spec"] == {"controller": "k8s.io/ingress-nginx"}
    before = len(lab.sim.steps)
    lab.run(120)
    assert not [step for step in lab.sim.steps[before:] if step.actor == "nginx-ingress-controller"]
