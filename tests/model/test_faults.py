"""Faults of single components, their consequences and their ends, as Kubernetes has them."""

from __future__ import annotations

from typing import Any

from tests.model.drive import World, deployment

Object = dict[str, Any]


def probed(kind: str, port: int = 80, **fields: Any) -> Object:
    return {f"{kind}Probe": {"httpGet": {"path": "/", "port": port}, "periodSeconds": 5, "failureThreshold": 2, **fields}}


def with_probes(name: str, image: str, replicas: int = 1, **probes: Any) -> Object:
    made = deployment(name, replicas, image)
    made["spec"]["template"]["spec"]["containers"][0].update(probes)
    return made


def test_probes_outlive_the_kubelet() -> None:
    """prober_manager.go, setReadyStateOnKubeletRestart: who was ready stays so, and probes go on."""
    # One that serves for a minute and a half and then fails its probes.
    world = World(nodes=1, images=[{"match": "web:1", "serve": {"port": 80}}, {"match": "late:1", "ready": "60s", "serve": {"port": 80}}])
    world.make(with_probes("web", "web:1", **probed("readiness")), with_probes("late", "late:1", **probed("readiness")))
    world.run(30)
    assert (world.ready(app="web"), world.ready(app="late")) == (1, 0)
    world.fault("kubelet-stop", "node-1", **{"for": "5s"})
    seen = []
    for _ in range(40):
        world.run(0.5)
        seen.append(world.ready(app="web"))
    assert set(seen) == {1}
    assert world.ready(app="late") == 0
    world.run(30)
    assert world.ready(app="late") == 1
    # The next restart falls into a liveness probe that will fail.
    world.make(with_probes("sick", "web:1", **probed("liveness", port=81)))
    world.run(4)
    world.fault("kubelet-stop", "node-1", **{"for": "12s"})
    world.run(30)
    assert world.pods(app="sick")[0]["status"]["containerStatuses"][0]["restartCount"] >= 1
    world.check()
