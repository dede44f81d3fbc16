"""What holds for every way to release, second by second: availability, the measured split, requests in a switch, the share of a bad version,
and the exact way back."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from clusterlab.cluster import Cluster
from clusterlab.controllers.objects import pod_ready
from clusterlab.scenario import load
from clusterlab.scenario.releases import gallery
from clusterlab.timeline import requests_of
from tests.scenario.test_releases import counted

Object = dict[str, Any]
ROUTE = "httproutes.gateway.networking.k8s.io/default/shop"


class Shop:
    """A scenario of the gallery, looked at each second."""

    def __init__(self, name: str, timeline: bool = True) -> None:
        scenario = gallery(name)
        assert scenario is not None
        self.cluster = Cluster(load(scenario if timeline else {**scenario, "timeline": []}))
        self.second, self.least = 0, 10 ** 6

    def run(self, until: int, service: str = "shop", after: int = 15) -> None:
        """Runs on; `least` is the fewest ready pods behind a Service in any second after some."""
        history = self.cluster.history
        while self.second < until:
            self.second += 1
            while (due := history.next_time()) is not None and due <= self.second * 1000:
                history.advance()
            self.cluster.sim.time_ms = max(self.cluster.sim.time_ms, self.second * 1000)
            if self.second > after:
                self.least = min(self.least, self.ready(service))
        assert not self.cluster.errors

    def ready(self, service: str) -> int:
        found = self.cluster.find(f"services/default/{service}")
        selector = (found or {}).get("spec", {}).get("selector") or {}
        return sum(selector.items() <= (pod["metadata"].get("labels") or {}).items() and pod_ready(pod)
                   for _, pod in self.cluster.objects("pods") if selector)

    def kubectl(self, line: str) -> None:
        for command in requests_of(line, self.cluster.find, self.cluster.sim.now_rfc3339()):
            answer = self.cluster.history.execute(command)
            assert answer.code < 300, answer.body

    def spec(self, key: str) -> Object:
        found = self.cluster.find(key)
        assert found is not None
        return dict(found["spec"])


class Law(NamedTuple):
    """What is to hold in a scenario. `service`: whose ready pods are counted, `bound`: how many there are at least, from `settled` on;
    `splits`: (source, share of the new version, from, until); `drains`: nothing is lost from `settled` on; `bad`: the most that may fail."""

    until: int
    service: str = "shop"
    bound: int = 0
    splits: tuple[tuple[str, float, int, int], ...] = ()
    drains: bool = False
    bad: float = 0
    settled: int = 20
    end: tuple[str, str] = ("", "")  # phase of the Rollout or Canary, and the version that has all requests then


LAWS = {
    "release-recreate": Law(70),
    "release-rolling": Law(80, bound=6, drains=True),
    "release-no-probe": Law(70, bound=5),
    "release-blue-green": Law(135, bound=6, drains=True),
    "release-blue-green-gateway": Law(80, "shop-blue", 6, drains=True),
    "release-sticky-sessions": Law(90, bound=6, drains=True),
    "release-canary-replicas": Law(80, bound=9, drains=True, splits=(("shoppers", 0.1, 25, 58),)),
    "release-canary-weights": Law(120, "shop-stable", 6, (("shoppers", 0.05, 25, 59), ("shoppers", 0.25, 94, 119)), drains=True),
    "release-canary-headers": Law(45, "shop-stable", 6, (("testers", 1, 20, 39), ("shoppers", 0, 20, 39)), drains=True),
    "release-feature-flag": Law(40, bound=6, drains=True),
    "release-shadow": Law(45, "shop-stable", 6, drains=True),
    "release-rollout-canary": Law(225, "shop-stable", 5, (("shoppers", 0.1, 80, 100),), drains=True, end=("Healthy", "v2")),
    "release-rollout-canary-bad": Law(110, "shop-stable", 5, bad=0.1, end=("Degraded", "v1")),
    "release-rollout-blue-green": Law(130, bound=6, drains=True, end=("Healthy", "v2")),
    "release-flagger-canary": Law(200, "shop-primary", 5, (("shoppers", 0.2, 92, 99),), drains=True, settled=40, end=("Succeeded", "v2")),
    "release-flagger-canary-bad": Law(130, "shop-primary", 5, bad=0.1, settled=40, end=("Failed", "v1")),
    "release-flagger-blue-green": Law(200, "shop-primary", 5, drains=True, settled=40, end=("Succeeded", "v2")),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws_of_a_release(name: str) -> None:
    law, shop = LAWS[name], Shop(name)
    for second in range(10, law.until + 1, 10):
        shop.run(second, law.service, law.settled)
        if law.bad and second > 60:
            seen = counted(shop.cluster, 60, second)
            assert seen.failed <= law.bad * seen.sent, "more than its share of requests has failed"
    assert shop.least >= law.bound, "fewer are available than the strategy promises"
    if not law.bound:
        assert shop.least == 0, "Recreate has a moment with nobody"
    whole = counted(shop.cluster, law.settled, law.until)
    assert whole.sent > 1000 and (not law.drains or whole.failed == 0), "a request was lost"
    if law.bad:
        assert whole.failed > 0 and counted(shop.cluster, law.until - 15, law.until).failed == 0, "it was not given up"
    if law.end[0]:
        key = "canaries.flagger.app/default/shop" if "flagger" in name else "rollouts.argoproj.io/default/shop"
        found = shop.cluster.find(key)
        last = counted(shop.cluster, law.until - 15, law.until - 5)
        assert found is not None and found["status"]["phase"] == law.end[0] and last.sent > 0
        assert counted(shop.cluster, law.until - 15, law.until - 5, version=law.end[1]).sent == last.sent
    for source, share, since, until in law.splits:
        for start in range(since, until - 4, 5):
            sent = counted(shop.cluster, start, start + 5, source).sent
            part = counted(shop.cluster, start, start + 5, source, "v2").sent
            assert sent > 40 and abs(part - share * sent) <= 3 * (share * (1 - share) * sent) ** 0.5 + 1e-9, (source, start, part, sent)


SELECT = "patch service shop --type=merge -p '{\"spec\":{\"selector\":{\"app\":\"shop\",\"slot\":\"%s\"}}}'"
WEIGHT = "patch httproute shop --type=json -p '[%s]'"


def _weights(*weights: int) -> str:
    return WEIGHT % ",".join(
        f'{{"op":"replace","path":"/spec/rules/0/backendRefs/{at}/weight","value":{weight}}}' for at, weight in enumerate(weights))


@pytest.mark.parametrize(("name", "what", "there", "back"), [
    ("release-recreate", "deployments/default/shop", "set image deployment/shop web=shop/web:v2", "set image deployment/shop web=shop/web:v1"),
    ("release-rolling", "deployments/default/shop", "set image deployment/shop web=shop/web:v2", "set image deployment/shop web=shop/web:v1"),
    ("release-blue-green", "services/default/shop", SELECT % "green", SELECT % "blue"),
    ("release-canary-weights", ROUTE, _weights(50, 50), _weights(95, 5)),
    ("release-canary-replicas", "deployments/default/canary", "scale deployment canary --replicas=5", "scale deployment canary --replicas=1")])
def test_the_way_back_restores_what_was_there(name: str, what: str, there: str, back: str) -> None:
    shop = Shop(name, timeline=False)
    shop.run(25)
    before, pods = shop.spec(what), _templates(shop)
    shop.kubectl(there)
    shop.run(60)
    assert shop.spec(what) != before
    shop.kubectl(back)
    shop.run(95)
    assert shop.spec(what) == before and _templates(shop) == pods
    seen = counted(shop.cluster, 86, 95)
    assert seen.sent > 500 and seen.failed == 0


def _templates(shop: Shop) -> list[tuple[str, int]]:
    """(name, replicas) of every ReplicaSet that has pods: names are made of their templates."""
    return sorted((rs["metadata"]["name"], rs["spec"]["replicas"])
                  for _, rs in shop.cluster.objects("replicasets") if rs["spec"]["replicas"] and rs["metadata"]["namespace"] == "default")
