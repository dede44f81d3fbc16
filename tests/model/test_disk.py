"""Disks that fill: limits of pods, evictions in the right order, images that go first."""

from __future__ import annotations

from typing import Any

from tests.model.drive import World

Object = dict[str, Any]


def small(disk: str = "20Gi", **rest: Any) -> World:
    node = {"name": "node-1", "capacity": {"ephemeral-storage": disk}}
    return World(controlPlaneNode=False, nodes=[node], **rest)


def writer(name: str, megabytes: int, path: str = "/scratch/file", after: int = 5, limit: str = "", request: str = "", **pod: Any) -> Object:
    resources = {**({"limits": {"ephemeral-storage": limit}} if limit else {}),
                 **({"requests": {"ephemeral-storage": request}} if request else {})}
    script = f"mkdir -p /scratch; sleep {after}; dd if=/dev/zero of={path} bs=1M count={megabytes}; sleep 3600"
    container = {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", script], "resources": resources}
    container.update(pod.pop("container", {}))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": [container], **pod}}


def status(world: World, name: str) -> tuple[str, str, str]:
    found = world.get(f"pods/default/{name}")["status"]
    return found["phase"], found.get("reason", ""), found.get("message", "")


def conditions(world: World) -> dict[str, str]:
    return {each["type"]: each["status"] for each in world.get("nodes/node-1")["status"]["conditions"]}


def test_an_empty_dir_over_its_limit_ends_the_pod() -> None:
    world = small()
    volume = [{"name": "cache", "emptyDir": {"sizeLimit": "500Mi"}}]
    mounts = {"volumeMounts": [{"name": "cache", "mountPath": "/cache"}]}
    world.make(writer("over", 600, "/cache/file", volumes=volume, container=mounts),
               writer("under", 400, "/cache/file", volumes=volume, container=mounts))
    world.run(40)
    assert status(world, "over") == ("Failed", "Evicted", 'Usage of EmptyDir volume "cache" exceeds the limit "500Mi". ')
    assert status(world, "under")[0] == "Running" and conditions(world)["DiskPressure"] == "False"


def test_a_container_over_its_ephemeral_storage_ends_the_pod() -> None:
    world = small()
    world.make(writer("over", 300, limit="200Mi"), writer("under", 100, limit="200Mi"))
    world.run(40)
    assert status(world, "over") == (
        "Failed", "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 200Mi. ")
    assert status(world, "under")[0] == "Running"


def test_a_full_disk_evicts_whoever_is_furthest_over_its_requests() -> None:
    world = small()
    world.make(writer("modest", 3_000, request="4Gi"), writer("greedy", 14_000, after=12))
    world.run(60)
    phase, reason, message = status(world, "greedy")
    assert (phase, reason) == ("Failed", "Evicted") and status(world, "modest")[0] == "Running"
    assert message.startswith("The node was low on resource: ephemeral-storage. Threshold quantity: 3221225600, available: ")
    assert "Container main was using 14336004Ki, request is 0, has larger consumption of ephemeral-storage. " in message
    assert conditions(world)["DiskPressure"] == "True"
    assert "node.kubernetes.io/disk-pressure" in {each["key"] for each in world.get("nodes/node-1")["spec"]["taints"]}
    world.run(330)
    assert conditions(world)["DiskPressure"] == "False" and not world.get("nodes/node-1")["spec"].get("taints")
    world.check()


def test_images_that_nobody_uses_go_before_pods() -> None:
    images = [{"match": f"big/{name}:*", "sizeBytes": 5 << 30} for name in ("one", "two", "three")]
    world = small(images=images)
    for name in ("one", "two"):
        world.make({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [
            {"name": "c", "image": f"big/{name}:v1"}]}})
        world.run(5)
    world.ask("DELETE", "/api/v1/namespaces/default/pods/one")
    world.run(130)
    world.make({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "three"}, "spec": {"containers": [
        {"name": "c", "image": "big/three:v1"}]}}, writer("small", 2_500, request="3Gi"))
    world.run(60)
    have = {name for each in world.get("nodes/node-1")["status"]["images"] for name in each["names"]}
    assert "docker.io/big/one:v1" not in have and "docker.io/big/two:v1" in have
    assert {status(world, name)[0] for name in ("two", "three", "small")} == {"Running"}
