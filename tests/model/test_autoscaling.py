"""The autoscaler in the whole cluster: requests cost CPU, the kubelets' figures reach the Metrics API, and the controller answers as the
recorded one did. Each case's load is made of requests that cost ten millicores each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.model.drive import World, deployment

Object = dict[str, Any]
CASES = json.loads((Path(__file__).parent.parent / "controllers" / "golden" / "hpa.json").read_text())
SECONDS = 180
COST = 10


def _sources(load: list[list[int]], start_s: int) -> list[Object]:
    """The load as sources of traffic, one for each stretch."""
    found = []
    for number, (second, millicores) in enumerate(load):
        end = f"{start_s + load[number + 1][0]}s" if number + 1 < len(load) else None
        found.append({"name": f"part-{number}", "to": "http://app", "rate": f"{millicores / COST:g}/s", "from": f"{start_s + second}s",
                      **({"until": end} if end else {})})
    return found


def replay(case: Object) -> tuple[list[list[float]], Object, list[tuple[str, str]]]:
    """[second, replicas] from when the autoscaler is made, its last state, and its events."""
    app = deployment("app", case["replicas"], "load/app:v1")
    requests = {"requests": {"cpu": f"{case['requests']}m"}} if case["requests"] else {}
    app["spec"]["template"]["spec"]["containers"] = [{"name": "c", "image": "load/app:v1", "resources": requests}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}, "spec": {
        "selector": {"app": "app"}, "ports": [{"port": 80}]}}
    images = [{"match": "load/app:*", "cpu": "0", "serve": {"port": 80, "cpu": f"{COST}m", "latency": "5ms"}}]
    start_s = 40
    world = World(nodes=3, controlPlaneNode=False, images=images, traffic=_sources(case["load"], start_s), manifests=[app, service])
    world.run(start_s + 1.5)  # requests are counted a second after they are sent; the recorded load counts at once
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}
    world.make({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "app"},
                "spec": {**case["hpa"], "scaleTargetRef": target}})
    began, seen = world.now_s, [[0.0, case["replicas"]]]
    while world.now_s < began + SECONDS:
        world.run(0.5)
        now = world.get("deployments/default/app")["spec"]["replicas"]
        if now != seen[-1][1]:
            seen.append([world.now_s - began, now])
    world.check()
    events = [(each["reason"], each["message"]) for each in world.all("events")
              if each["involvedObject"]["kind"] == "HorizontalPodAutoscaler"]
    return seen, world.get("horizontalpodautoscalers/default/app"), events


@pytest.mark.parametrize("golden", CASES, ids=[each["case"]["name"] for each in CASES])
def test_the_whole_cluster_scales_as_recorded(golden: Object) -> None:
    seen, hpa, events = replay(golden["case"])
    assert [count for _, count in seen] == [count for _, count in golden["replicas"]], seen
    for (ours, _), (theirs, _) in zip(seen, golden["replicas"], strict=True):
        assert abs(ours - theirs) <= 15
    ours = [(each["type"], each["status"], each["reason"]) for each in hpa["status"]["conditions"]]
    assert ours == [(each["type"], each["status"], each["reason"]) for each in golden["conditions"]]
    assert hpa["status"]["desiredReplicas"] == golden["desired"]
    wanted = [(reason, message) for reason, message in golden["events"] if reason == "SuccessfulRescale"]
    assert sorted(each for each in events if each[0] == "SuccessfulRescale") == sorted(wanted)
