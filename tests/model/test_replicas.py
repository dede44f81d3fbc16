"""Several replicas of the controller manager and the scheduler: one works, another takes over when its lease runs out."""

from __future__ import annotations

from tests.model import script


def holder(cluster, name: str) -> str:
    return cluster.find(f"leases/kube-system/{name}")["spec"]["holderIdentity"].split("_")[0]


def run_until(cluster, time_ms: int) -> None:
    while (due := cluster.history.next_time()) is not None and due <= time_ms:
        cluster.history.advance()


def test_a_second_replica_takes_over() -> None:
    cluster = script.cluster(replicas={"controllerManager": 2, "scheduler": 2}, seed=6)
    first = {name: holder(cluster, name) for name in ("kube-controller-manager", "kube-scheduler")}
    for name, who in first.items():
        process = name if who == "control-plane" else f"{name}/{who}"
        cluster.history.execute({"kind": "fault", "fault": {"kind": "component-stop", "target": process}})
    cluster.history.execute(script.COMMANDS[0])
    run_until(cluster, cluster.sim.time_ms + 5_000)
    assert not list(cluster.objects("pods")) or all("web" not in key for key, _ in cluster.objects("pods"))
    run_until(cluster, cluster.sim.time_ms + 20_000)
    for name, who in first.items():
        assert holder(cluster, name) != who
    ready = cluster.find("deployments/default/web")["status"].get("readyReplicas")
    assert ready == 4, f"seed 6: {ready} of 4 pods ready after the other replicas took over"
    assert sum(step.actor == "kube-controller-manager" or "holds the lease" in step.explain for step in cluster.sim.steps) >= 2
