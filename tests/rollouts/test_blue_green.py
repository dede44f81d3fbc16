"""Blue-green Rollouts: a preview, one switch for all traffic, a way back, and nothing lost on either."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rollouts.conftest import SUCCESS, Lab

SHOPPERS = [{"name": "shoppers", "to": "http://active.default.svc", "rate": "40/s"},
            {"name": "testers", "to": "http://preview.default.svc", "rate": "5/s"}]
GRACEFUL = {"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}


def blue_green(lab: Lab, **fields: Any) -> dict[str, Any]:
    for name in ("active", "preview"):
        lab.service(name)
        lab.patch({"spec": {"selector": {"app": "shop"}}}, resource="services", name=name)
    return {"blueGreen": {"activeService": "active", "previewService": "preview", **fields}}


@pytest.mark.parametrize("seed", [1, 3])
@pytest.mark.parametrize("connections", [0, 16])
def test_the_switch_moves_all_traffic_at_once_and_loses_nothing(seed: int, connections: int) -> None:
    shoppers = {**SHOPPERS[0], **({"connections": connections, "keepAlive": "10s"} if connections else {})}
    lab = Lab(seed=seed, traffic=[shoppers, SHOPPERS[1]])
    lab.rollout(blue_green(lab, autoPromotionEnabled=False, scaleDownDelaySeconds=30))
    lab.healthy()
    lab.run(15)
    began = lab.sim.time_ms
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status["phase"] == "Paused")
    assert lab.status["message"] == "BlueGreenPause" and lab.sizes() == {"v1": 5, "v2": 5}
    lab.run(10)
    assert lab.sent(began, source="shoppers", version="v2") == 0  # an idle green takes no traffic
    assert lab.sent(lab.sim.time_ms - 5_000, source="testers", version="v2") == 25  # but testers see it
    lab.promote()
    lab.until(lambda: lab.status["blueGreen"]["activeSelector"] == lab.status["currentPodHash"])
    switched = lab.sim.time_ms
    lab.healthy()
    lab.run(15)
    if not connections:
        assert lab.sent(switched + 1_000, source="shoppers", version="v1") == 0
    else:
        assert lab.sent(switched + 1_000, source="shoppers", version="v1") > 0  # open connections drain
        assert lab.sent(switched + 12_000, source="shoppers", version="v1") == 0
    assert lab.sizes() == {"v1": 5, "v2": 5}  # blue stands by for the way back
    lab.run(40)
    assert lab.sizes() == {"v2": 5}
    assert lab.counted("failed", began, source="shoppers") == 0
    assert "SwitchService" in lab.reasons() and lab.reasons().count("RolloutCompleted") == 2


def test_it_promotes_itself_after_a_while_and_goes_back_at_once(lab: Lab) -> None:
    lab.rollout(blue_green(lab, autoPromotionSeconds=20, scaleDownDelaySeconds=60, previewReplicaCount=1))
    lab.healthy()
    before = lab.ro["spec"]["template"]
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status["phase"] == "Paused")
    assert lab.sizes() == {"v1": 5, "v2": 1}
    paused = lab.sim.time_ms
    lab.healthy()
    assert 19_000 <= lab.sim.time_ms - paused <= 30_000 and lab.sizes() == {"v1": 5, "v2": 5}
    # The way back is one step too: the old ReplicaSet still stands.
    lab.patch({"spec": {"template": before}})
    lab.promote(full=True)
    lab.healthy()
    assert lab.get("services", "active")["spec"]["selector"]["rollouts-pod-template-hash"] == lab.status["currentPodHash"]
    assert lab.ro["spec"]["template"] == before
    names = {key for key, _ in lab.cluster.objects("replicasets")}
    assert len(names) == 2  # none was made for the old template


@pytest.mark.parametrize("image", ["shop/web:bad", "shop/web:v2"])
def test_analysis_before_the_promotion_decides(image: str) -> None:
    lab = Lab(traffic=SHOPPERS)
    lab.template(SUCCESS, "result[0] >= 0.95", interval="5s", count=3, failureLimit=1, initialDelay="12s")
    analysis = {"templates": [{"templateName": "success"}], "args": [{"name": "service", "value": "preview"}]}
    lab.rollout(blue_green(lab, prePromotionAnalysis=analysis, abortScaleDownDelaySeconds=10))
    lab.healthy()
    lab.run(20)
    began = lab.sim.time_ms
    lab.image(image)
    if image.endswith("v2"):
        lab.healthy()
        assert lab.status["blueGreen"]["prePromotionAnalysisRunStatus"]["status"] == "Successful"
    else:
        lab.until(lambda: lab.status["phase"] == "Degraded")
        assert "pre-promotion analysis phase error/failed" in lab.status["message"]
        lab.run(30)
        assert lab.sizes() == {"v1": 5}
    assert lab.counted("errors", began, source="shoppers") == 0


def test_analysis_after_the_promotion_switches_back() -> None:
    lab = Lab(traffic=SHOPPERS[:1])
    lab.template(SUCCESS, "result[0] >= 0.95", interval="5s", count=3, initialDelay="10s")
    analysis = {"templates": [{"templateName": "success"}], "args": [{"name": "service", "value": "active"}]}
    lab.rollout(blue_green(lab, postPromotionAnalysis=analysis))
    lab.healthy()
    lab.run(15)
    stable = lab.status["stableRS"]
    lab.image("shop/web:bad")
    lab.until(lambda: lab.status["phase"] == "Degraded")
    lab.run(5)
    assert lab.get("services", "active")["spec"]["selector"]["rollouts-pod-template-hash"] == stable == lab.status["stableRS"]
    since = lab.sim.time_ms
    lab.run(10)
    assert lab.counted("errors", since) == 0


def test_a_missing_service_is_told_in_the_status_and_mended(lab: Lab) -> None:
    lab.rollout({"blueGreen": {"activeService": "active"}})
    lab.run(5)
    told = 'spec.strategy.blueGreen.activeService: Invalid value: "active": service "active" not found'
    assert lab.status["phase"] == "Degraded" and told in lab.status["message"]
    lab.service("active")
    lab.patch({"spec": {"selector": {"app": "shop"}}}, resource="services", name="active")
    lab.healthy()
