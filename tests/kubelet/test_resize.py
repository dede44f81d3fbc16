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


CPU, MEMORY = ("RestartContainer", "NotRequired"), ("NotRequired", "RestartContainer")  # policies for CPU and memory: which restarts
NEITHER = ("NotRequired", "NotRequired")
#: Of TestComputePodActionsForPodResize (kuberuntime_manager_test.go): which container, its policies, its limits and requests (CPU in
#: thousandths, memory in Mi) before and after, and what is done. Where no requests are given they are the limits.
CASES: dict[str, tuple[int, tuple[str, str], tuple[int, ...], tuple[int, ...], str]] = {
    "cpu-and-memory": (1, NEITHER, (200, 200), (100, 100), "updated"),
    "cpu-and-memory-up": (1, NEITHER, (100, 100), (200, 200), "updated"),
    "cpu": (1, NEITHER, (200, 100), (100, 100), "updated"),
    "memory": (2, NEITHER, (200, 100), (200, 200), "updated"),
    "nothing": (1, NEITHER, (200, 100), (200, 100), "left"),
    "cpu-restarts-both": (0, CPU, (100, 100), (200, 200), "restarted"),
    "memory-restarts-both": (2, MEMORY, (100, 100), (200, 200), "restarted"),
    "memory-where-cpu-restarts": (1, CPU, (100, 100), (100, 200), "updated"),
    "cpu-where-memory-restarts": (2, MEMORY, (100, 100), (200, 100), "updated"),
    "memory-request-restarts": (2, MEMORY, (200, 200, 100, 200), (200, 200, 100, 100), "restarted"),
    "memory-request": (2, NEITHER, (200, 200, 100, 200), (200, 200, 100, 100), "updated"),
    "cpu-request-restarts": (2, CPU, (200, 200, 200, 200), (200, 200, 100, 200), "restarted"),
    "sidecar": (3, NEITHER, (100, 100), (200, 200), "updated"),
    "sidecar-restarts": (3, MEMORY, (100, 100), (100, 200), "restarted"),
}


def test_what_a_resize_does_to_each_container() -> None:
    def resources(given: tuple[int, ...]) -> Object:
        cpu, memory, cpu_request, memory_request = given if len(given) == 4 else (*given, *given)
        return {"limits": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}, "requests": {"cpu": f"{cpu_request}m", "memory": f"{memory_request}Mi"}}

    def plain(name: str, policies: tuple[str, str]) -> Object:
        return {"name": name, "image": "registry.k8s.io/pause:3.8", "resizePolicy": [
            {"resourceName": "cpu", "restartPolicy": policies[0]}, {"resourceName": "memory", "restartPolicy": policies[1]}]}

    pods = []
    for name, (number, policies, before, _, _) in CASES.items():
        every = [plain(f"c{each}", NEITHER) for each in range(4)]
        every[number] = {**plain(f"c{number}", policies), "resources": resources(before)}
        every[3]["restartPolicy"] = "Always"
        pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "initContainers": every[3:], "containers": every[:3]}})
    world = world_of(*pods)
    ids = {name: _ids(world, name) for name in CASES}
    for name, (number, _, _, after, _) in CASES.items():
        part = "initContainers" if number == 3 else "containers"
        body = {"spec": {part: [{"name": f"c{number}", "resources": resources(after)}]}}
        answer = world.ask("PATCH", f"/api/v1/namespaces/default/pods/{name}/resize", body, "application/strategic-merge-patch+json")
        assert answer.get("kind") == "Pod", answer
    world.run(45)
    runtime = world.cluster.runtimes["node-1"]
    for name, (number, _, _, after, done) in CASES.items():
        now = _ids(world, name)
        changed = [each for each in now if now[each] != ids[name][each]]
        assert changed == ([f"c{number}"] if done == "restarted" else []), name
        config = runtime.containers[now[f"c{number}"][0]].config
        cpu, memory, cpu_request, memory_request = after if len(after) == 4 else (*after, *after)
        assert (config.cpu_limit_milli, config.cpu_request_milli) == (cpu, cpu_request), name
        assert (config.memory_limit, config.memory_request) == (memory << 20, memory_request << 20), name
        shown = next(each for each in _statuses(world, name) if each["name"] == f"c{number}")
        assert shown["resources"] == resources(after) and shown["restartCount"] == int(done == "restarted"), name
    assert len(told(world, "ResizeCompleted")) == len(CASES) - 1
    world.check()


def _statuses(world: World, name: str) -> list[Object]:
    found = status(world, name)
    return [*found["containerStatuses"], *found["initContainerStatuses"]]


def _ids(world: World, name: str) -> dict[str, tuple[str, int]]:
    """Container -> its id, and how often it has been restarted."""
    return {each["name"]: (each["containerID"].split("://")[1], each["restartCount"]) for each in _statuses(world, name)}
