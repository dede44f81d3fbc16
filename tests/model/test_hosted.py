"""Programs of the cluster in containers: what befalls the one befalls the other."""

from __future__ import annotations

from typing import Any

from tests.model.drive import World


def pods_of(world: World, app: str) -> list[Any]:
    return [each for each in world.all("pods") if each["metadata"]["name"].startswith(app)]


def restarts(pod: Any) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def test_a_crashed_scheduler_is_restarted_by_the_kubelet() -> None:
    world = World()
    world.settle()
    scheduler: Any = world.cluster.processes["kube-scheduler"]
    world.fault("container-crash", "kube-system/kube-scheduler-control-plane")
    assert not scheduler.up
    world.run(5)
    assert scheduler.up and restarts(pods_of(world, "kube-scheduler")[0]) == 1
    world.check()


def test_a_stopped_scheduler_is_seen_to_crash_until_it_is_mended() -> None:
    world = World()
    world.settle()
    scheduler: Any = world.cluster.processes["kube-scheduler"]
    fault = world.fault("component-stop", "kube-scheduler")
    world.run(60)
    waiting = pods_of(world, "kube-scheduler")[0]["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff" and not scheduler.up
    world.heal(fault)
    assert scheduler.up
    world.run(5)
    assert pods_of(world, "kube-scheduler")[0]["status"]["containerStatuses"][0]["ready"]
    world.check()


def test_the_api_server_comes_back() -> None:
    world = World()
    world.settle()
    world.fault("container-crash", "kube-system/kube-apiserver-control-plane")
    assert not world.cluster.api.up
    world.run(30)
    assert world.cluster.api.up and restarts(pods_of(world, "kube-apiserver")[0]) == 1
    world.check()


def test_no_kube_proxy_without_its_pods() -> None:
    world = World()
    world.settle()
    proxy: Any = world.cluster.processes["kube-proxy/node-1"]
    mine = next(each for each in pods_of(world, "kube-proxy") if each["spec"]["nodeName"] == "node-1")
    world.delete(f"pods/kube-system/{mine['metadata']['name']}")
    world.run(40)
    assert proxy.up, "the DaemonSet made another pod"
    world.delete("daemonsets/kube-system/kube-proxy")
    world.run(40)
    assert not proxy.up and pods_of(world, "kube-proxy") == []
    world.check()
