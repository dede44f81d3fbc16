"""Services that call services: requests fan out, latencies add up, and a call that fails fails the request that needs it."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.network.traffic import Traffic
from clusterlab.scenario import ScenarioError, load
from tests.network.conftest import Net


def shop(**front: Any) -> Net:
    """A front end that asks a cart, which asks a store; advertisements may fail."""
    calls = ["http://cart", {"to": "http://$(ADS)", "required": False}]
    images = [
        {"match": "shop/front:*", "serve": {"port": 80, "latency": "5ms", "cpu": "1m", "calls": calls, **front}},
        {"match": "shop/cart:*", "serve": {"port": 80, "latency": "3ms", "calls": [{"to": "http://store", "times": 2}]}},
        {"match": "shop/store:*", "serve": {"port": 80, "latency": "2ms"}},
    ]
    net = Net(images=images)
    net.deployment("front", "shop/front:v1", 2, env=[{"name": "ADS", "value": "ads"}])
    net.deployment("cart", "shop/cart:v1", 2)
    net.deployment("store", "shop/store:v1", 1)
    for name in ("front", "cart", "store"):
        net.service(name)
    net.pod("client")
    net.settle()
    net.run(2)
    return net


def flow(net: Net, seconds: int = 20, **fields: Any) -> Traffic:
    found = net.sim.components.get("traffic")
    traffic = found if isinstance(found, Traffic) else Traffic(net.sim, net.fabric)
    traffic.set_source(load({"traffic": [{"name": "s", "to": "http://front", "rate": "100/s", **fields}]}).traffic[0])
    net.run(seconds)
    return traffic


def test_a_request_is_followed_through_its_calls() -> None:
    net = shop()
    answer = net.get("http://front")
    assert answer.status == 200 and answer.latency_us >= 5_000 + 3_000 + 2 * 2_000
    asked = [(hop.depth, hop.what) for hop in answer.hops if hop.decision == "asks"]
    assert asked == [(0, "GET http://front"), (1, "GET http://cart"), (2, "GET http://store"), (2, "GET http://store"), (1, "GET http://ads")]


def test_the_totals_of_calls_are_exact() -> None:
    totals = flow(shop()).totals
    sent = {name: each.sent for name, each in totals.items()}
    assert sent == {"s": 2_000, "default/front": 4_000, "default/cart": 4_000}
    assert totals["s"].answered == 2_000 and totals["default/front"].unresolved == 2_000  # there is no service called ads


def test_a_call_that_fails_fails_the_request_that_needs_it() -> None:
    net = shop()
    net.do(lambda: net.client.delete("services", "default", "store"))
    net.run(3)
    answer = net.get("http://front")
    assert answer.status == 500 and "cart" in answer.body
    totals = flow(net).totals
    assert (totals["s"].answered, totals["s"].errors) == (0, 2_000)


def test_a_policy_below_shows_as_errors_above() -> None:
    net = shop()
    traffic = flow(net, 1)
    before = traffic.totals["s"]
    net.create("networkpolicies", {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed"}, "spec": {
        "podSelector": {"matchLabels": {"app": "store"}}, "policyTypes": ["Ingress"]}})
    net.run(10)
    after = traffic.totals["s"]
    assert after.sent - before.sent == 1_000 and after.errors - before.errors >= 900


def test_calls_in_a_circle_come_to_an_end() -> None:
    net = Net(images=[{"match": "shop/a:*", "serve": {"port": 80, "calls": ["http://a"]}}])
    net.deployment("a", "shop/a:v1", 1)
    net.service("a")
    net.pod("client")
    net.settle()
    net.run(2)
    assert net.get("http://a").status == 200
    assert flow(net, 5, to="http://a").totals["s"].answered == 500


@pytest.mark.parametrize(("calls", "problem"), [
    ([{"times": 1}], "to"), ([7], "to"), ([{"to": "http://x", "times": -1}], "between 0 and 100"), ([{"to": "x", "often": 1}], "often"),
])
def test_bad_calls_are_refused(calls: Any, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        load({"images": [{"match": "x", "serve": {"port": 80, "calls": calls}}]})
