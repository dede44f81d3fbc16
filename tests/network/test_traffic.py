"""Traffic: whole numbers that add up, queues that grow, the same every time."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.network.loads import task_of
from clusterlab.network.traffic import Totals, Traffic, quantile, rate_at
from clusterlab.scenario import load
from tests.network.conftest import Net


def source(**fields: Any) -> Any:
    return load({"traffic": [{"name": "s", "to": "http://web", "rate": "50/s", **fields}]}).traffic[0]


@pytest.mark.parametrize(("fields", "time_ms", "rate"), [
    ({}, 0, 50_000), ({"from": "10s"}, 9_999, 0), ({"from": "10s"}, 10_000, 50_000), ({"until": "5s"}, 5_000, 0),
    ({"wave": {"period": "60s", "to": "200/s"}}, 30_000, 200_000), ({"wave": {"period": "60s", "to": "200/s"}}, 60_000, 50_000),
    ({"wave": {"period": "60s", "to": "200/s"}}, 15_000, 125_000), ({"ramp": {"to": "150/s", "over": "10s"}}, 5_000, 100_000),
    ({"ramp": {"to": "150/s", "over": "10s"}}, 60_000, 150_000), ({"wave": {"period": "10s", "to": "0/s", "shape": "square"}}, 6_000, 0),
])
def test_rates(fields: dict[str, Any], time_ms: int, rate: int) -> None:
    assert rate_at(source(**fields), time_ms) == rate


def _lab(rate: str, replicas: int = 2, **behaviour: Any) -> tuple[Net, Traffic]:
    serve = {"port": 80, "latency": "20ms", "cpu": "10m", **behaviour}
    net = Net(images=[{"match": "shop/web:*", "serve": serve}])
    net.deployment("web", "shop/web:v1", replicas, resources={"limits": {"cpu": "1"}})
    net.service("web")
    net.settle()
    net.run(2)
    found = net.sim.components.get("traffic")
    traffic = found if isinstance(found, Traffic) else Traffic(net.sim, net.fabric)
    traffic.set_source(source(rate=rate, to="http://web.default.svc"))
    return net, traffic


def test_everything_sent_is_accounted_for() -> None:
    net, traffic = _lab("50/s", errors="10%")
    net.run(100)
    totals = traffic.totals["s"]
    assert totals.sent == 5_000
    assert totals.answered + totals.errors + totals.timeouts + totals.refused + totals.unresolved == 5_000
    assert abs(totals.errors - 500) <= 2


def test_load_costs_cpu_and_a_full_pod_makes_requests_wait() -> None:
    net, traffic = _lab("150/s")
    net.run(10)
    calm = quantile(traffic.totals["s"], 50)
    assert [load.cpu_micro for load in traffic.loads.values()] == [750_000, 750_000]
    net, traffic = _lab("300/s")
    net.run(10)
    assert quantile(traffic.totals["s"], 50) > 10 * calm
    assert all(load.cpu_micro == 1_000_000 and load.waiting for load in traffic.loads.values())
    net.run(120)
    assert traffic.totals["s"].timeouts > 0


def test_a_client_with_affinity_stays_at_one_pod() -> None:
    net, traffic = _lab("30/s", 3)
    net.service("sticky", selector={"app": "web"}, sessionAffinity="ClientIP")
    net.run(2)
    traffic.set_source(source(rate="30/s", to="http://sticky.default.svc"))
    net.run(3)
    assert sum(load.served > 0 for load in traffic.loads.values()) == 1
    traffic.set_source(source(rate="30/s", to="http://web.default.svc"))
    net.run(3)
    assert sum(load.served > 0 for load in traffic.loads.values()) == 3


def test_nobody_to_answer() -> None:
    net, traffic = _lab("10/s", 0)
    net.run(10)
    assert traffic.totals["s"] == Totals(sent=100, refused=100)


def test_the_same_every_time() -> None:
    results = []
    for _ in range(2):
        net, traffic = _lab("77/s", errors="3%")
        net.run(30)
        results.append((traffic.totals, list(traffic.loads.values())))
    assert results[0] == results[1]


def test_goes_back() -> None:
    net, traffic = _lab("50/s")
    net.run(5)
    kept = net.sim.checkpoint()
    net.run(20)
    first = dict(traffic.totals)
    net.sim.restore(kept)
    net.run(20)
    assert traffic.totals == first


@pytest.mark.parametrize(("command", "rate", "seconds", "to"), [
    ("hey -z 1m -q 10 -c 2 http://podinfo.test:9898/", 20, 60, "http://podinfo.test:9898/"),
    ("hey -z 30s -q 5 -c 2 -H 'Cookie: canary=always' -host app.example.com web.test", 10, 30, "http://web.test"),
    ("/usr/bin/hey -n 500 -c 10 http://web", 100, 5, "http://web"), ("wrk -t1 -c2 -d2m --latency http://web", 200, 120, "http://web"),
    ("hey -z 1h -q 1000000 -c 1000000 http://web", 1000, 3600, "http://web"),
])
def test_command_lines_of_load_generators_are_read(command: str, rate: int, seconds: int, to: str) -> None:
    found = task_of("load", command, 5_000)
    assert found is not None and (found.rate_milli, found.from_ms, found.until_ms, found.to) == (rate * 1000, 5_000, 5_000 + seconds * 1000, to)
    assert found.headers == ({"Cookie": "canary=always", "Host": "app.example.com"} if "-host" in command else {})


@pytest.mark.parametrize("command", ["", "curl -s http://web", "hey", "hey -z", "hey 'http://web", "ghz -z 1m web:9000"])
def test_what_is_no_load_sends_none(command: str) -> None:
    assert task_of("load", command, 0) is None


def test_a_load_ends_when_its_time_is_over(net: Net) -> None:
    net.run(10)
    assert net.cluster.traffic.run_task("load-test", "hey -z 10s -q 5 -c 2 http://web")
    net.run(5)
    assert net.cluster.traffic.run_task("load-test", "hey -z 10s -q 5 -c 2 http://web")  # goes on, and is not doubled
    net.run(20)
    totals = net.cluster.traffic.totals["load-test"]
    assert "load-test" not in net.cluster.traffic.sources and 140 <= totals.sent == totals.answered <= 160
