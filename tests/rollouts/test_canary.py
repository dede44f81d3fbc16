"""Canaries: steps, pauses, aborts and the way back, by pods' numbers and by a Gateway's weights."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.rollouts.sizes import approximate
from tests.rollouts.conftest import GATEWAY, SUCCESS, Lab

SHOPPERS = [{"name": "shoppers", "to": "http://shop.default.svc", "rate": "40/s"}]


def steps(*steps: Any, **fields: Any) -> dict[str, Any]:
    return {"canary": {"steps": list(steps), **fields}}


def test_steps_raise_the_share_of_pods_and_pauses_wait(lab: Lab) -> None:
    lab.rollout(steps({"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "10s"}}))
    lab.healthy()
    stable = lab.status["stableRS"]
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status["phase"] == "Paused")
    assert (lab.status["message"], lab.status["currentStepIndex"], lab.sizes()) == ("CanaryPauseStep", 1, {"v1": 4, "v2": 1})
    lab.run(120)
    assert lab.status["currentStepIndex"] == 1 and lab.status["stableRS"] == stable
    lab.promote()
    lab.until(lambda: lab.status["currentStepIndex"] == 3)
    since = lab.sim.time_ms
    assert lab.sizes() == {"v1": 2, "v2": 3}
    lab.healthy()
    assert 9_000 <= lab.sim.time_ms - since <= 20_000
    assert lab.sizes() == {"v2": 5} and lab.status["stableRS"] == lab.status["currentPodHash"] != stable
    reasons = lab.reasons()
    assert reasons.count("RolloutStepCompleted") == 4 and reasons.count("RolloutCompleted") == 2 and "RolloutPaused" in reasons
    conditions = {each["type"]: (each["status"], each["reason"]) for each in lab.status["conditions"]}
    assert conditions["Progressing"] == ("True", "NewReplicaSetAvailable") and conditions["Healthy"] == ("True", "RolloutHealthy")
    assert conditions["Completed"] == ("True", "RolloutCompleted") and conditions["Available"] == ("True", "AvailableReason")


@pytest.mark.parametrize(("replicas", "surge", "unavailable"), [(5, "25%", "25%"), (4, 1, 0), (6, 0, 2), (3, "100%", 0)])
def test_availability_never_falls_below_the_bound(lab: Lab, replicas: int, surge: Any, unavailable: Any) -> None:
    lab.rollout(steps({"setWeight": 34}, {"pause": {"duration": 5}}, maxSurge=surge, maxUnavailable=unavailable), replicas=replicas)
    lab.healthy()
    lab.image("shop/web:v2")
    most = replicas + (-(-replicas * int(str(surge)[:-1]) // 100) if isinstance(surge, str) else surge)
    least = replicas - (replicas * int(str(unavailable)[:-1]) // 100 if isinstance(unavailable, str) else unavailable)
    seen: set[tuple[int, int]] = set()
    for _ in range(2_000):
        lab.sim.dispatch()
        ready = total = 0
        for _, pod in lab.cluster.objects("pods"):
            if not pod["metadata"].get("deletionTimestamp"):
                total += 1
                ready += any(each["type"] == "Ready" and each["status"] == "True" for each in (pod.get("status") or {}).get("conditions") or ())
        seen.add((ready, total))
        if lab.status.get("phase") == "Healthy" and lab.sizes() == {"v2": replicas}:
            break
    lab.healthy()
    assert min(ready for ready, _ in seen) >= least, (least, sorted(seen))
    # ReplicaSets that shrink and grow are two steps: for a moment the pods of both may stand, never more than that.
    assert max(total for _, total in seen) <= most + max(1, replicas - least), (most, sorted(seen))


def test_a_bad_canary_is_aborted_before_more_than_its_share_has_failed() -> None:
    lab = Lab(traffic=SHOPPERS)
    lab.service("shop")
    lab.template(SUCCESS, "result[0] >= 0.95", interval="5s", failureLimit=1, initialDelay="5s")
    lab.rollout(steps({"setWeight": 20}, {"pause": {"duration": "5m"}}, {"setWeight": 100}, analysis={
        "templates": [{"templateName": "success"}], "args": [{"name": "service", "value": "shop"}]}))
    lab.healthy()
    lab.run(20)
    before = lab.ro["spec"]["template"]
    began = lab.sim.time_ms
    lab.image("shop/web:bad")
    lab.until(lambda: lab.status["phase"] == "Degraded")
    ended = lab.sim.time_ms
    assert ended - began < 30_000
    assert "RolloutAborted" in lab.reasons() and "AnalysisRunFailed" in lab.reasons()
    assert 'Metric "success" assessed Failed due to failed (2) > failureLimit (1)' in lab.status["message"]
    lab.run(15)
    assert lab.sizes() == {"v1": 5}
    failed, sent = lab.counted("errors", began), lab.sent(began)
    assert 0 < failed <= 0.2 * sent
    assert lab.counted("errors", lab.sim.time_ms - 5_000) == 0
    # Rolled back by the template that was there before: the stable ReplicaSet, without any steps.
    lab.patch({"spec": {"template": before}})
    lab.healthy()
    assert lab.ro["spec"]["template"] == before and lab.status["stableRS"] == lab.status["currentPodHash"]
    assert "SkipSteps" in lab.reasons() and lab.sizes() == {"v1": 5}


def test_abort_retry_and_full_promotion(lab: Lab) -> None:
    lab.rollout(steps({"setWeight": 40}, {"pause": {}}))
    lab.healthy()
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status["phase"] == "Paused")
    lab.abort()
    lab.until(lambda: lab.sizes() == {"v1": 5})
    assert lab.status["phase"] == "Degraded" and lab.status["currentStepIndex"] == 0 and lab.status["abortedAt"]
    assert lab.status["message"] == "RolloutAborted: Rollout aborted update to revision 2"
    lab.retry()
    lab.until(lambda: lab.status["phase"] == "Paused")
    assert lab.sizes() == {"v1": 3, "v2": 2}
    lab.promote(full=True)
    lab.healthy()
    assert lab.sizes() == {"v2": 5} and "promoteFull" not in lab.status


def test_a_rollout_can_be_paused_by_hand_scaled_and_is_told_what_is_wrong(lab: Lab) -> None:
    lab.rollout(steps({"setWeight": 50}))
    lab.healthy()
    lab.patch({"spec": {"replicas": 7}})
    lab.until(lambda: lab.sizes() == {"v1": 7})
    lab.patch({"spec": {"paused": True}})
    lab.image("shop/web:v2")
    lab.run(20)
    assert lab.status["phase"] == "Paused" and lab.status["message"] == "manually paused" and lab.sizes() == {"v1": 7}
    lab.patch({"spec": {"paused": False, "strategy": {"canary": {"steps": [{"setWeight": 20, "pause": {}}]}}}})
    lab.until(lambda: lab.status["phase"] == "Degraded")
    assert "InvalidSpec" in lab.status["message"] and "InvalidSpec" in lab.reasons()
    lab.patch({"spec": {"strategy": {"canary": {"steps": []}}}})
    lab.healthy()
    assert lab.sizes() == {"v2": 7}


def test_an_update_that_makes_no_progress_is_given_up(lab: Lab) -> None:
    lab.rollout(steps({"setWeight": 20}), progressDeadlineSeconds=30, progressDeadlineAbort=True)
    lab.healthy()
    lab.image("shop/web:never")
    lab.until(lambda: lab.status.get("abort", False), 60)
    assert "has timed out progressing" in lab.status["message"]
    lab.until(lambda: lab.sizes() == {"v1": 5})


def routed(lab: Lab, *given: Any, **fields: Any) -> dict[str, Any]:
    lab.service("stable")
    lab.service("canary")
    for name in ("stable", "canary"):
        lab.patch({"spec": {"selector": {"app": "shop"}}}, resource="services", name=name)
    lab.gateway("stable", "canary")
    return steps(*given, canaryService="canary", stableService="stable", trafficRouting={
        "managedRoutes": [{"name": "testers"}, {"name": "mirror"}],
        "plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop", "namespace": "default"}}}, **fields)


OUTSIDE = [{"name": "shoppers", "to": "http://shop.example", "rate": "40/s", "source": "outside"},
           {"name": "testers", "to": "http://shop.example", "rate": "5/s", "source": "outside", "headers": {"x-tester": "yes"}}]


@pytest.mark.parametrize("seed", [1, 7])
def test_weights_of_a_route_split_traffic_exactly_and_none_is_lost(seed: int) -> None:
    lab = Lab(seed=seed, gatewayApi=True, traffic=OUTSIDE[:1])
    lab.rollout(routed(lab, {"setWeight": 10}, {"pause": {"duration": "20s"}}, {"setWeight": 50}, {"pause": {"duration": "20s"}}))
    lab.healthy()
    lab.run(10)
    began = lab.sim.time_ms
    lab.image("shop/web:v2")
    parts: dict[int, tuple[int, int, int]] = {}
    weight, since = 0, 0
    while lab.status.get("phase") != "Healthy" or not parts:
        now = (lab.status.get("canary") or {}).get("weights", {}).get("canary", {}).get("weight", 0)
        if now != weight:
            weight, since = now, lab.sim.time_ms + 2_000  # the route's change is on its way to the gateway
        lab.run(1)
        if lab.sim.time_ms - since >= 10_000 and weight not in (0, 100) and weight not in parts:
            parts[weight] = (lab.sent(since), lab.sent(since, version="v2"), lab.counted("failed", since))
        assert lab.sim.time_ms - began < 300_000
    for share, (sent, canary, failed) in parts.items():
        p = share / 100
        assert sent >= 300 and not failed
        assert abs(canary - p * sent) <= 3 * math.sqrt(p * (1 - p) * sent), (share, canary, sent)
    assert set(parts) == {10, 50}
    lab.run(40)
    assert lab.counted("failed", began) == 0  # not one, from the first step to the last old pod's end
    assert lab.sizes() == {"v2": 5}
    weights = lab.status["canary"]["weights"]
    assert (weights["canary"]["weight"], weights["stable"]["weight"]) == (0, 100)
    assert "TrafficWeightUpdated" in lab.reasons()


def test_a_header_route_sends_testers_to_the_canary_alone_and_goes_with_the_abort() -> None:
    lab = Lab(gatewayApi=True, traffic=OUTSIDE)
    lab.rollout(routed(
        lab, {"setCanaryScale": {"replicas": 1}},
        {"setHeaderRoute": {"name": "testers", "match": [{"headerName": "x-tester", "headerValue": {"exact": "yes"}}]}}, {"pause": {}}))
    lab.healthy()
    lab.run(10)
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status["phase"] == "Paused")
    lab.run(3)
    since = lab.sim.time_ms
    lab.run(10)
    assert lab.sent(since, source="testers", version="v2") == lab.sent(since, source="testers") == 50
    assert lab.sent(since, source="shoppers", version="v1") == lab.sent(since, source="shoppers") == 400
    assert len(lab.get(f"httproutes.{GATEWAY}", "shop")["spec"]["rules"]) == 2
    # Testers are told apart from what the weights share out, which would stand above its weight with them.
    assert lab.sim.notes["traffic"]["led"] == {"services/default/canary": 50}
    lab.abort()
    lab.run(5)
    since = lab.sim.time_ms
    lab.run(5)
    assert lab.sent(since, version="v2") == 0 and len(lab.get(f"httproutes.{GATEWAY}", "shop")["spec"]["rules"]) == 1
    lab.run(60)
    assert lab.sizes() == {"v1": 5}  # the canary stood 30 s more


def test_a_mirror_route_copies_requests_whose_answers_nobody_waits_for() -> None:
    lab = Lab(gatewayApi=True, traffic=OUTSIDE[:1])
    match = {"name": "mirror", "percentage": 50, "match": [{"path": {"prefix": "/"}}]}
    lab.rollout(routed(lab, {"setCanaryScale": {"replicas": 1}}, {"setMirrorRoute": match}, {"pause": {}}))
    lab.healthy()
    lab.run(10)
    lab.image("shop/web:flaky")
    lab.until(lambda: lab.status["phase"] == "Paused")
    lab.run(3)
    since, totals = lab.sim.time_ms, lab.cluster.traffic.totals["shoppers"]
    lab.run(20)
    copies = sum(counts.sent for window in lab.cluster.traffic.series.windows(since) for key, counts in window.counts if key.mirrored)
    assert copies == 400
    assert lab.counted("errors", since, version="flaky") == 40  # one copy in ten fails, and no shopper notices
    after = lab.cluster.traffic.totals["shoppers"]
    assert after.sent - totals.sent == after.answered - totals.answered == 800 and after.errors == totals.errors


def test_experiments_stand_beside_the_stable_pods_and_end() -> None:
    lab = Lab(traffic=SHOPPERS)
    lab.service("shop")
    lab.rollout(steps({"experiment": {"duration": "20s", "templates": [
        {"name": "baseline", "specRef": "stable"}, {"name": "candidate", "specRef": "canary", "replicas": 2}]}}, {"setWeight": 50}))
    lab.healthy()
    lab.image("shop/web:v2")
    lab.until(lambda: lab.sizes() == {"v1": 6, "v2": 2})
    name = next(key.rpartition("/")[2] for key, _ in lab.cluster.objects("experiments.argoproj.io"))
    lab.until(lambda: lab.get("experiments.argoproj.io", name)["status"]["phase"] == "Successful")
    lab.healthy()
    lab.until(lambda: lab.sizes() == {"v2": 5})


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(0, 100), st.integers(0, 3))
def test_the_replicas_of_a_weight_come_as_close_as_whole_pods_can(replicas: int, weight: int, surge: int) -> None:
    canary, stable = approximate(replicas, weight, 100, surge)
    assert canary >= 0 and stable >= 0 and canary + stable in (replicas, replicas + min(1, surge) if replicas else 0)
    # Where the weight lies in the middle between the last two sizes and nothing may surge, there is no choice: as in Argo Rollouts.
    if not surge and 2 * (replicas * weight % 100) == 100 and -(-replicas * weight // 100) == replicas:
        assert (canary, stable) == (0, replicas)
        return
    if replicas > 1 and 0 < weight < 100:
        assert canary >= 1
    if replicas and weight in (0, 100):
        assert (canary, stable)[weight == 100] == 0 or surge
    if replicas > 1 and 0 < weight < 100:
        assert abs(canary / (canary + stable) - weight / 100) <= 1 / replicas + 1e-9


def test_a_checkpoint_in_the_midst_of_a_canary_leads_to_the_same_end() -> None:
    lab = Lab(traffic=SHOPPERS)
    lab.service("shop")
    lab.template(SUCCESS, "result[0] >= 0.95", interval="5s", count=3)
    lab.rollout(steps({"setWeight": 20}, {"analysis": {"templates": [{"templateName": "success"}], "args": [
        {"name": "service", "value": "shop"}]}}, {"setWeight": 60}, {"pause": {"duration": 5}}))
    lab.healthy()
    lab.run(20)
    lab.image("shop/web:v2")
    lab.run(12)
    kept = lab.cluster.checkpoint()
    lab.run(40)
    first = [(step.time_ms, step.actor, step.verb, step.object, step.explain) for step in lab.sim.steps]
    status = lab.status
    assert status["phase"] == "Healthy"
    lab.cluster.restore(kept)
    lab.run(40)
    again = [(step.time_ms, step.actor, step.verb, step.object, step.explain) for step in lab.sim.steps]
    assert again == first and lab.status == status


@pytest.mark.parametrize("delay", [None, 8])
def test_a_stable_part_that_was_scaled_down_gets_its_traffic_back_as_its_pods_come(delay: int | None) -> None:
    """As test/e2e/canary_test.go of Argo Rollouts (TestCanaryDynamicStableScale, …AbortScaleDownDelay, …RollbackToStable)."""
    lab = Lab(gatewayApi=True, traffic=[{"name": "shoppers", "to": "http://shop.example", "rate": "40/s", "source": "outside"}])
    for name in ("stable", "canary"):
        lab.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
            "selector": {"app": "shop"}, "ports": [{"port": 80}]}})
    lab.gateway("stable", "canary")
    steps: list[dict[str, Any]] = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
    lab.rollout({"canary": {
        "dynamicStableScale": True, "stableService": "stable", "canaryService": "canary", "steps": steps, "trafficRouting": {
            "plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop", "namespace": "default"}}},
        **({} if delay is None else {"abortScaleDownDelaySeconds": delay})}}, replicas=4)
    lab.healthy()
    lab.run(5)
    began = lab.sim.time_ms

    def seen() -> tuple[int, int, int]:
        return lab.sizes().get("v1", 0), lab.sizes().get("v2", 0), lab.status["canary"]["weights"]["canary"]["weight"]

    def path(seconds: int) -> list[tuple[int, int, int]]:
        found: list[tuple[int, int, int]] = []
        for _ in range(seconds):
            lab.run(1)
            found += [seen()] if found[-1:] != [seen()] else []
        return found

    lab.image("shop/web:v2")
    lab.until(lambda: lab.status.get("pauseConditions"))
    lab.run(2)
    assert seen() == (3, 1, 25)
    if delay is None:  # back to the stable template
        lab.image("shop/web:v1")
        assert path(12) == [(4, 1, 25), (4, 0, 0)]
        lab.image("shop/web:v2")
        lab.until(lambda: lab.status.get("pauseConditions"))
    lab.promote()
    lab.until(lambda: lab.status.get("currentStepIndex") == 3 and lab.status.get("pauseConditions"))
    lab.run(2)
    assert seen() == (1, 3, 75)
    lab.abort()
    kept = 0 if delay is None else 3
    assert path(14) == [(3, 3, 75), (4, kept or 1, 25), (4, kept, 0), *([(4, 0, 0)] if kept else [])]
    assert lab.counted("failed", began) == 0
    assert lab.get("services", "canary")["spec"]["selector"] == lab.get("services", "stable")["spec"]["selector"]


def test_the_services_of_a_ping_pong_change_parts_with_each_promotion_and_lose_nothing() -> None:
    lab = Lab(gatewayApi=True, traffic=OUTSIDE[:1])
    plan = routed(lab, {"setWeight": 50}, {"pause": {"duration": "10s"}})
    del plan["canary"]["canaryService"], plan["canary"]["stableService"]
    lab.rollout({"canary": {**plan["canary"], "pingPong": {"pingService": "stable", "pongService": "canary"}}})
    lab.healthy()
    lab.run(5)
    began = lab.sim.time_ms
    for image, stable, other in (("v1", "stable", "canary"), ("v2", "canary", "stable"), ("slow", "stable", "canary")):
        lab.image(f"shop/web:{image}")
        lab.run(2)
        lab.healthy()
        assert lab.status["canary"]["stablePingPong"] == {"stable": "ping", "canary": "pong"}[stable]
        assert lab.get("services", stable)["spec"]["selector"]["rollouts-pod-template-hash"] == lab.status["stableRS"]
        refs = lab.get(f"httproutes.{GATEWAY}", "shop")["spec"]["rules"][0]["backendRefs"]
        assert {each["name"]: each["weight"] for each in refs} == {stable: 100, other: 0}
        lab.run(5)
    lab.run(40)
    assert lab.counted("failed", began) == 0 and lab.sizes() == {"slow": 5}
