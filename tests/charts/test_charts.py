"""Charts: the counts over time add up to the totals, survive a checkpoint, and are what the REST API shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.network.series import BUCKETS_US, MERGED, OLD, RECENT, Counts, Group, Key, Series, add, quantile_us
from clusterlab.scenario import load
from clusterlab.stream.over_time import Past
from tests.network.conftest import Net
from tests.server import Server


def shop(**traffic: Any) -> Net:
    net = Net(images=[{"match": "shop/web:v1", "serve": {"port": 80, "latency": "20ms"}},
                      {"match": "shop/web:v2", "serve": {"port": 80, "latency": "80ms", "errors": "25%"}}],
              traffic=[{"name": "s", "to": "http://web", "rate": "40/s", **traffic}])
    for version, replicas in (("v1", 3), ("v2", 1)):
        net.create("deployments", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": version}, "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web", "track": version}}, "template": {
                "metadata": {"labels": {"app": "web", "track": version}}, "spec": {"containers": [
                    {"name": "c", "image": f"shop/web:{version}", "resources": {"requests": {"cpu": "100m"}}}]}}}})
    net.service("web")
    net.settle()
    return net


def summed(net: Net, **wanted: str) -> Counts:
    total = Counts()
    for window in net.cluster.traffic.series.windows():
        for key, counts in window.counts:
            if all(getattr(key.group, name) == value for name, value in wanted.items()):
                total = add(total, counts)
    return total


def test_the_windows_add_up_to_the_totals_and_are_split_by_version() -> None:
    net = shop()
    net.run(60)
    totals, every = net.cluster.traffic.totals["s"], summed(net)
    assert (every.sent, every.answered, every.errors, every.latency) == (totals.sent, totals.answered, totals.errors, totals.latency)
    # While the pods start, what is ready takes all: from when all four are, one in four goes to v2.
    late = [window for window in net.cluster.traffic.series.windows() if window.time_ms > 20_000]
    sent = {key.group.version: sum(each.sent for w in late for k, each in w.counts if k.group.version == key.group.version)
            for w in late for key, _ in w.counts}
    assert sent["v1"] == 3 * sent["v2"]
    v2 = summed(net, version="v2")
    assert v2.errors == v2.sent // 4 and summed(net, version="v1").errors == 0
    assert 50_000 < (quantile_us(v2.latency, 0.5) or 0) <= 100_000


def test_a_checkpoint_keeps_the_series() -> None:
    net = shop()
    net.run(20)
    kept = net.cluster.checkpoint()
    net.run(20)
    after = net.cluster.traffic.series.windows()
    net.cluster.restore(kept)
    assert len(net.cluster.traffic.series.windows()) == len(after) - 20
    net.run(20)
    assert net.cluster.traffic.series.windows() == after


def test_the_series_is_bounded_and_loses_no_count() -> None:
    series, key = Series(), Key("s", Group(version="v1"))
    for second in range(1, 5_001):
        series.put(second * 1000, {key: Counts(sent=second % 7)})
    assert len(series.recent) < RECENT + MERGED and len(series.old) <= OLD
    windows = series.windows()
    assert sum(each.span_s for each in windows) == 5_000
    assert sum(counts.sent for each in windows for _, counts in each.counts) == sum(second % 7 for second in range(1, 5_001))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=len(BUCKETS_US) + 1, max_size=len(BUCKETS_US) + 1), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_class_that_holds_it(latency: list[int], share: float) -> None:
    found = quantile_us(latency, share)
    if not sum(latency):
        assert found is None
        return
    assert found is not None
    below = sum(count for count, end in zip(latency, BUCKETS_US, strict=False) if end <= found)
    assert below <= share * sum(latency) + 1e-6 or found == BUCKETS_US[-1]


def test_connections_stay_with_old_pods_until_they_end() -> None:
    net = shop(connections=20, keepAlive="20s")
    net.run(30)
    before = summed(net, version="v1").sent
    assert before
    net.do(lambda: net.client.patch("services", "default", "web", {"spec": {"selector": {"app": "web", "track": "v2"}}}))
    net.run(5)
    soon = summed(net, version="v1").sent
    assert soon > before  # the selector has moved, but connections are still open
    net.run(60)
    late = summed(net, version="v1").sent
    net.run(5)
    assert summed(net, version="v1").sent == late  # all have drained
    totals = net.cluster.traffic.totals["s"]
    assert totals.refused + totals.timeouts == sum(
        each.refused + each.timeouts for w in net.cluster.traffic.series.windows() if w.time_ms < 20_000 for _, each in w.counts)


def test_replicas_and_capacity_are_read_off_the_steps() -> None:
    net = shop()
    net.run(5)
    past = Past()
    past.advance(net.cluster)
    assert past.sizes["default/web", "v1 (v1)"][-1][1] == (3, 3, 300)
    net.do(lambda: net.client.patch("deployments", "default", "v1", {"spec": {"replicas": 5}}))
    net.settle()
    past.advance(net.cluster)
    assert past.sizes["default/web", "v1 (v1)"][-1][1] == (5, 5, 500)
    assert [count for _, count in past.wanted["deployments/default/v1"]] == [3, 5]
    again = Past()
    again.advance(net.cluster)
    assert again.sizes == past.sizes and again.wanted == past.wanted


@pytest.mark.parametrize("name", ["requests", "errors", "latency", "replicas", "cpu", "autoscaler"])
def test_every_chart_answers_for_an_empty_lab(server: Server, name: str) -> None:
    found = server.lab().call("GET", f"/charts/{name}")
    assert found["name"] == name and isinstance(found["figure"]["data"], list) and found["table"]["columns"][0] == "seconds"


def test_the_chart_of_a_lab_shows_the_models_numbers(server: Server) -> None:
    lab = server.lab(scenario="22-canary", paused=True)
    lab.call("POST", "/run", {"until": {"time": 60_000}})
    found = lab.call("GET", "/charts/requests?by=source")
    assert found["table"]["columns"] == ["seconds", "shoppers", "outside", "testers", "buyers"]
    trace = found["figure"]["data"][0]
    assert dict(zip(trace["x"], trace["y"], strict=True)) == {row[0]: row[1] for row in found["table"]["rows"]}
    assert found["table"]["rows"][-1] == [60.0, 30.0, 20.0, 5.0, 20.0]
    assert server.call("GET", f"/api/labs/{lab.id}/charts/nonsense")[0] == 404
    assert server.call("GET", f"/api/labs/{lab.id}/charts/requests?by=moon")[0] == 400


def test_connections_of_a_source_are_checked() -> None:
    source = load({"traffic": [{"name": "s", "to": "http://web", "rate": "1/s", "connections": 4, "keepAlive": "5s"}]}).traffic[0]
    assert (source.connections, source.keep_alive_ms) == (4, 5_000)
