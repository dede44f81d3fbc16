"""The processes: leader election, load balancers, replay from a checkpoint."""

from __future__ import annotations

from clusterlab.controllers.manager import Options, cloud_controller_manager, controller_manager
from tests.controllers.conftest import Lab, workload
from tests.controllers.test_nodes import add_node

NAMES = ("deployment-controller", "replicaset-controller")


def test_second_replica_takes_over() -> None:
    lab = Lab(*NAMES)
    second = controller_manager(lab.sim, lab.api, "kube-controller-manager/2", Options(controllers=NAMES))
    lab.process.start()
    lab.run(1)
    second.start()
    lab.run(30)
    assert lab.process.leading and not second.leading  # type: ignore[attr-defined]
    lab.process.stop()
    died = lab.sim.time_ms
    lab.api.put("deployments", workload("Deployment", strategy={"type": "RollingUpdate"}))
    while not second.leading and lab.sim.time_ms - died < 60_000:  # type: ignore[attr-defined]
        lab.run(1)
    assert 13_000 <= lab.sim.time_ms - died <= 18_000
    lab.settle()
    assert len(lab.pods()) == 3
    lab.process.start()
    lab.run(10)
    assert not lab.process.leading  # type: ignore[attr-defined]
    lease = lab.api.get("leases", "kube-system/kube-controller-manager")
    assert lease is not None and lease["spec"]["leaseTransitions"] == 1


def test_leader_that_cannot_renew_gives_up() -> None:
    from clusterlab.machinery import errors

    lab = Lab(*NAMES).start()

    def refuse(request: object) -> None:
        raise errors.service_unavailable("etcdserver: request timed out")

    lab.api.refuse.append(refuse)
    lab.run(13)
    assert not lab.process.leading and not lab.process.synced  # type: ignore[attr-defined]
    lab.api.refuse.clear()
    lab.run(20)
    assert lab.process.leading  # type: ignore[attr-defined]


def test_load_balancer_addresses() -> None:
    lab = Lab("none")
    cloud = cloud_controller_manager(lab.sim, lab.api)
    cloud.start()
    add_node(lab, "node-1")
    for name in ("a", "b"):
        lab.api.put("services", {"metadata": {"name": name, "namespace": "default"},
                                 "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    lab.settle()
    addresses = [s["status"]["loadBalancer"]["ingress"][0]["ip"] for s in lab.api.all("services")]
    assert addresses == ["203.0.113.1", "203.0.113.2"]
    assert [reason for reason, _ in lab.api.events() if "LoadBalancer" in reason][:2] == ["EnsuringLoadBalancer", "EnsuredLoadBalancer"]
    service = lab.api.get("services", "default/a")
    assert service is not None and service["metadata"]["finalizers"] == ["service.kubernetes.io/load-balancer-cleanup"]
    lab.api.change("services", "default/a", spec={**service["spec"], "type": "ClusterIP"})
    lab.settle()
    service = lab.api.get("services", "default/a")
    assert service is not None and not service["metadata"].get("finalizers") and not service["status"]["loadBalancer"].get("ingress")


def test_restored_checkpoint_goes_on_alike() -> None:
    """Run to n, go back to k, run to n again: the same steps. The API server's store is put back by hand."""
    lab = Lab()
    lab.process.start()
    for number in (1, 2, 3):
        add_node(lab, f"node-{number}")
    lab.run(2)
    mark = lab.sim.checkpoint()
    store = {resource: dict(objects) for resource, objects in lab.api.store.items()}
    revision, streams = lab.api.revision, {name: list(events) for name, events in lab.api.streams.items()}
    told, watches = set(lab.api.told), dict(lab.api.watches)
    first = lab.sim.last_seq

    def go_on() -> list[tuple[object, ...]]:
        lab.api.put("deployments", workload("Deployment", strategy={"type": "RollingUpdate"}))
        lab.run(20)
        return [(s.time_ms, s.actor, s.verb, s.object, s.explain) for s in lab.sim.steps if s.seq > first]

    once = go_on()
    lab.sim.restore(mark)
    del lab.sim.steps[first:]
    lab.api.store = {resource: dict(objects) for resource, objects in store.items()}
    lab.api.revision, lab.api.told, lab.api.watches = revision, told, watches
    for name, events in streams.items():
        lab.api.streams[name].clear()
        lab.api.streams[name].extend(events)
    assert go_on() == once
