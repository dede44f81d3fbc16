"""Resizing a pod in place: new limits without a restart, a restart where the policy wants one, and what does not fit."""

from __future__ import annotations

from typing import Any

from tests.model.drive import World

Object = dict[str, Any]


def pod(name: str, cpu: str, memory: str = "128Mi", **container: Any) -> Object:
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [
        {"name": "pause", "image": "registry.k8s.io/pause:3.8", "resources": resources, **container}]}}


def resize(world: World, name: str, cpu: str = "", memory: str = "") -> Object:
    asked = {**({"cpu": cpu} if cpu else {}), **({"memory": memory} if memory else {})}
    body = {"spec": {"containers": [{"name": "pause", "resources": {"requests": asked, "limits": asked}}]}}
    answer: Object = world.ask("PATCH", f"/api/v1/namespaces/default/pods/{name}/resize", body, "application/strategic-merge-patch+json")
    assert answer.get("kind") == "Pod", answer
    world.run(5)
    return answer


def told(world: World, reason: str) -> list[str]:
    return [each["message"] for each in world.all("events") if each["reason"] == reason]


def status(world: World, name: str) -> Object:
    found: Object = world.get(f"pods/default/{name}")["status"]
    return found


def world_of(*pods: Object) -> World:
    world = World(controlPlaneNode=False, nodes=1)
    world.make(*pods)
    world.settle()
    return world


def test_cpu_changes_without_a_restart() -> None:
    world = world_of(pod("demo", "700m"))
    resize(world, "demo", "800m")
    shown = status(world, "demo")["containerStatuses"][0]
    assert (shown["restartCount"], shown["allocatedResources"]["cpu"], shown["resources"]["limits"]["cpu"]) == (0, "800m", "800m")
    runtime = world.cluster.runtimes["node-1"]
    assert [each.config.cpu_limit_milli for each in runtime.containers.values()] == [800]
    assert told(world, "ResizeCompleted") == [
        'Pod resize completed: {"containers":[{"name":"pause","resources":{"limits":{"cpu":"800m","memory":"128Mi"},'
        '"requests":{"cpu":"800m","memory":"128Mi"}}}],"generation":2}']
    assert not [each for each in status(world, "demo")["conditions"] if each["type"].startswith("PodResize")]


def test_memory_restarts_where_the_policy_says_so() -> None:
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}, {"resourceName": "cpu", "restartPolicy": "NotRequired"}]
    world = world_of(pod("demo", "100m", resizePolicy=policy))
    resize(world, "demo", memory="256Mi")
    shown = status(world, "demo")["containerStatuses"][0]
    assert (shown["restartCount"], shown["resources"]["limits"]["memory"]) == (1, "256Mi")
    assert "Container pause resize requires restart" in told(world, "Killing")


def test_what_never_fits_is_infeasible() -> None:
    world = world_of(pod("demo", "100m"))
    resize(world, "demo", "1000")
    condition = next(each for each in status(world, "demo")["conditions"] if each["type"] == "PodResizePending")
    assert (condition["status"], condition["reason"]) == ("True", "Infeasible")
    assert condition["message"] == "Node didn't have enough capacity: cpu, requested: 1000000, capacity: 4000"
    assert status(world, "demo")["containerStatuses"][0]["allocatedResources"]["cpu"] == "100m"


def test_what_does_not_fit_now_waits_for_room() -> None:
    world = world_of(pod("demo", "1"), pod("other", "2500m"))
    resize(world, "demo", "2")
    condition = next(each for each in status(world, "demo")["conditions"] if each["type"] == "PodResizePending")
    assert condition["reason"] == "Deferred" and "requested: 2000" in condition["message"]
    world.ask("DELETE", "/api/v1/namespaces/default/pods/other")
    world.run(10)
    assert status(world, "demo")["containerStatuses"][0]["allocatedResources"]["cpu"] == "2"
    kubelet: Any = world.sim.components["kubelet/node-1"]
    assert kubelet.used["cpu"] == 2000
    world.ask("DELETE", "/api/v1/namespaces/default/pods/demo")
    world.run(35)
    assert kubelet.used["cpu"] == 0
    world.check()
