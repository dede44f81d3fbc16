"""The gallery of releases: every scenario runs, and shows what it says it shows."""

from __future__ import annotations

from clusterlab.cluster import Cluster
from clusterlab.network.series import Counts, add
from clusterlab.scenario import load
from clusterlab.scenario.releases import GALLERY, gallery


def ran(name: str, seconds: int) -> Cluster:
    cluster = Cluster(load(gallery(name)))
    while (due := cluster.sim.next_time()) is not None and due <= seconds * 1000:
        cluster.sim.dispatch()
    cluster.sim.advance_to(seconds * 1000)
    assert not cluster.errors
    refused = [step.explain for step in cluster.sim.steps if "(refused)" in step.explain or "cannot be run" in step.explain]
    assert not refused, refused
    return cluster


def counted(cluster: Cluster, since: int, until: int, source: str = "shoppers", version: str = "", mirrored: bool = False) -> Counts:
    total = Counts()
    for window in cluster.traffic.series.windows(since * 1000, until * 1000):
        for key, counts in window.counts:
            if key.source == source and key.mirrored == mirrored and version in ("", key.group.version):
                total = add(total, counts)
    return total


def test_recreate_has_nobody_for_a_while_and_rolling_does_not() -> None:
    assert counted(ran("release-recreate", 90), 40, 90).failed > 100
    assert counted(ran("release-rolling", 110), 40, 110).failed == 0


def test_without_a_probe_shoppers_meet_pods_that_cannot_answer_yet() -> None:
    assert counted(ran("release-no-probe", 90), 40, 90).failed > 20


def test_blue_green_switches_there_and_back_without_loss() -> None:
    cluster = ran("release-blue-green", 150)
    assert counted(cluster, 20, 60, version="v2").sent == 0 and counted(cluster, 20, 60, "testers", "v2").sent > 150
    assert counted(cluster, 67, 122, version="v1").sent == 0 and counted(cluster, 127, 150, version="v2").sent == 0
    assert counted(cluster, 20, 150).failed == 0
    cluster = ran("release-blue-green-gateway", 90)
    assert counted(cluster, 67, 90, version="v1").sent == 0 and counted(cluster, 20, 90).failed == 0
    assert counted(cluster, 20, 58, "testers", "v1").sent == 0


def test_what_goes_wrong_with_blue_green() -> None:
    cluster = ran("release-switched-too-soon", 115)
    assert counted(cluster, 52, 80).failed == counted(cluster, 52, 80).sent > 1_000
    assert counted(cluster, 95, 110, version="v3").sent == counted(cluster, 95, 110).answered > 500, "green is ready at last"
    cluster = ran("release-blue-green-schema", 150)
    assert counted(cluster, 20, 40).failed == 0 and counted(cluster, 100, 110, version="v1").errors > 500
    assert counted(cluster, 118, 150).failed == 0
    cluster = ran("release-sticky-sessions", 150)
    assert counted(cluster, 50, 70, version="v1").sent > counted(cluster, 80, 100, version="v1").sent > 0
    assert counted(cluster, 135, 150, version="v1").sent == 0 and counted(cluster, 20, 150).failed == 0


def test_canaries_get_their_share() -> None:
    cluster = ran("release-canary-replicas", 110)
    sent = counted(cluster, 25, 60)
    assert abs(counted(cluster, 25, 60, version="v2").sent - sent.sent / 10) <= 3 * (sent.sent * 0.09) ** 0.5
    cluster = ran("release-canary-weights", 180)
    for since, until, share in ((25, 60, 5), (64, 89, 10), (94, 119, 25), (124, 149, 50), (154, 180, 100)):
        part = counted(cluster, since, until, version="v2").sent / counted(cluster, since, until).sent
        assert abs(part * 100 - share) < 0.5, (share, part)
    cluster = ran("release-canary-ingress", 131)
    for since, until, share in ((25, 60, 5), (66, 90, 20), (96, 120, 50), (126, 131, 100)):
        part = counted(cluster, since, until, version="v2").sent / counted(cluster, since, until).sent
        assert abs(part * 100 - share) < 0.5, (share, part)
    assert counted(cluster, 20, 60, "testers", "v1").sent == 0 and counted(cluster, 20, 131).failed == 0
    cluster = ran("release-canary-headers", 60)
    assert counted(cluster, 20, 60, "testers", "v1").sent == 0 and counted(cluster, 20, 60, version="v2").sent == 0


def test_the_other_ways() -> None:
    cluster = ran("release-ab-test", 60)
    assert counted(cluster, 20, 60, "group-a", "slow").sent == 0 and counted(cluster, 20, 60, "group-b", "v1").sent == 0
    assert counted(cluster, 20, 60, "group-b").latency_us > 20 * counted(cluster, 20, 60, "group-a").latency_us
    cluster = ran("release-shadow", 60)
    copies, own = counted(cluster, 20, 60, mirrored=True), counted(cluster, 20, 60)
    assert copies.sent == own.sent // 2 and copies.errors > 200 and own.failed == 0
    cluster = ran("release-feature-flag", 260)
    assert counted(cluster, 20, 40).failed == 0 and counted(cluster, 110, 150).errors > 300 and counted(cluster, 230, 260).failed == 0


def test_every_scenario_of_the_gallery_is_read() -> None:
    for name, (title, text, _) in GALLERY.items():
        assert title and text and load(gallery(name)).name == name
    assert gallery("nothing") is None
