"""The measured split of traffic: in every window, for many weights, rates and seeds, within three standard deviations of what was set."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.network.gateways import Split, divide
from clusterlab.sim.rng import Rng
from tests.rollouts.conftest import Lab

WINDOW_S, SETTLE_S = 5, 2


def within(part: int, whole: int, share: float) -> bool:
    return abs(part - share * whole) <= 3 * math.sqrt(max(share * (1 - share) * whole, 1e-9)) + 1e-9


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=4).filter(any), st.lists(st.integers(0, 400), min_size=1, max_size=30))
def test_any_window_of_a_split_is_within_two_of_its_exact_share(weights: list[int], counts: list[int]) -> None:
    known: Split | None = None
    had = []
    for count in counts:
        parts, known = divide(known, tuple(weights), count)
        assert sum(parts) == count
        had.append(parts)
    for first in range(len(had)):
        for last in range(first + 1, len(had) + 1):
            whole = sum(counts[first:last])
            for number, weight in enumerate(weights):
                assert abs(sum(parts[number] for parts in had[first:last]) - whole * weight / sum(weights)) <= 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weights_of_a_route_hold_in_every_window(seed: int) -> None:
    """Weights change at random; each window that lies wholly between two changes is measured."""
    print("seed", seed)
    draw = Rng(seed, "split")
    rate = draw.choice([7, 40, 130])
    lab = Lab(seed=seed, gatewayApi=True, traffic=[{"name": "shoppers", "to": "http://shop.example", "rate": f"{rate}/s", "source": "outside"}])
    for name, image in (("stable", "v1"), ("canary", "v2")):
        lab.deployment(name, f"shop/web:{image}", replicas=draw.randint(1, 4))
        lab.service(name)
    lab.gateway("stable", "canary")
    lab.run(15)
    measured = 0
    for _ in range(12):
        weights = (draw.randint(0, 100), draw.randint(1, 100))
        refs: list[Any] = [{"name": name, "port": 80, "weight": weight} for name, weight in zip(("stable", "canary"), weights, strict=True)]
        lab.patch({"spec": {"rules": [{"backendRefs": refs}]}}, resource="httproutes.gateway.networking.k8s.io")
        lab.run(SETTLE_S)
        for _ in range(draw.randint(1, 3)):
            since = lab.sim.time_ms
            lab.run(WINDOW_S)
            whole, part = lab.sent(since), lab.sent(since, version="v2")
            assert whole >= rate * (WINDOW_S - 1)
            assert within(part, whole, weights[1] / sum(weights)), (weights, part, whole)
            measured += 1
    assert measured >= 12


@pytest.mark.parametrize(("seed", "stable", "canary"), [(1, 9, 1), (2, 5, 5), (3, 1, 3)])
def test_replicas_of_one_service_split_by_their_number(seed: int, stable: int, canary: int) -> None:
    lab = Lab(seed=seed, traffic=[{"name": "shoppers", "to": "http://shop.default.svc", "rate": "50/s"}])
    lab.service("shop")
    for name, image, replicas in (("stable", "v1", stable), ("canary", "v2", canary)):
        labels = {"app": "shop", "track": name}
        lab.create("deployments", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                "containers": [{"name": "web", "image": f"shop/web:{image}"}]}}}})
    lab.run(20)
    for _ in range(6):
        since = lab.sim.time_ms
        lab.run(WINDOW_S)
        assert within(lab.sent(since, version="v2"), lab.sent(since), canary / (stable + canary))


def test_sessions_of_a_gateway_stay_with_the_version_they_met() -> None:
    """Weights are for newcomers: who came before the switch keeps blue until the visit is over; without persistence all move at once."""
    for stays in (True, False):
        lab = Lab(gatewayApi=True, traffic=[{
            "name": "shoppers", "to": "http://shop.example", "rate": "50/s", "source": "outside", "connections": 50, "keepAlive": "40s"}])
        for name, image in (("blue", "v1"), ("green", "v2")):
            lab.deployment(name, f"shop/web:{image}", replicas=2, lifecycle={"preStop": {"sleep": {"seconds": 3}}})
            lab.service(name)
        lab.gateway("blue", "green")

        def weigh(blue: int, green: int, stays: bool = stays, lab: Lab = lab) -> None:
            refs = [{"name": name, "port": 80, "weight": weight} for name, weight in (("blue", blue), ("green", green))]
            rule: dict[str, Any] = {"backendRefs": refs, **({"sessionPersistence": {"sessionName": "shop"}} if stays else {})}
            lab.patch({"spec": {"rules": [rule]}}, resource="httproutes.gateway.networking.k8s.io")

        def share(seconds: int, lab: Lab = lab) -> float:
            since = lab.sim.time_ms
            lab.run(seconds)
            return lab.sent(since, version="v2") / lab.sent(since)

        weigh(1, 0)
        lab.run(20)
        assert share(5) == 0
        weigh(0, 1)
        lab.run(2)
        first, later = share(5), share(5)
        assert (0 < first < later < 0.6) if stays else first == later == 1
        lab.run(35)
        assert share(5) == 1
        # A pod that goes takes no session with it.
        failed = lab.counted("failed")
        lab.do(lambda lab=lab: lab.client.patch("deployments", "default", "green", {"spec": {"replicas": 1}}))
        lab.run(20)
        assert lab.counted("failed") == failed
