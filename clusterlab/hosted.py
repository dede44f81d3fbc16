"""Programs of the cluster that run in containers: when the container ends the program ends, when it runs again the program starts.

As kubeadm has it: kube-apiserver, kube-controller-manager and kube-scheduler in static pods, kube-proxy in its DaemonSet's pods. A fault
that holds a program down makes its container end as soon as it starts, which the kubelet answers with its back-off. Left out: etcd, whose
members are more than the one pod shows; and the loss of the control-plane node, which the programs survive as those of a second one would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.runtime.records import RUNNING
from clusterlab.scenario.model import Node

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["Program", "crash", "host", "relaunch"]

CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
NAMESPACE = "kube-system"


class Program:
    """One program of a node's containers. The runtime asks and tells."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    @property
    def _process(self) -> Any:
        return self.cluster.api if self.name == "kube-apiserver" else self.cluster.processes[self.name]

    def begin(self) -> bool:
        """Its container runs. False where it cannot: something holds the program down."""
        if self.cluster.fault_board.holds_down(self.name):
            return False
        if not self._process.up:
            self._process.start()
        return True

    def end(self) -> None:
        """Its container has ended."""
        if self._process.up:
            self._process.stop()


def host(cluster: Cluster, node: Node) -> None:
    """Tells a node's runtime which containers of kube-system are programs of the cluster."""
    if not cluster.scenario.has_addons:
        return
    names = {"kube-proxy": f"kube-proxy/{node.name}", **({name: name for name in CONTROL_PLANE} if node.control_plane else {})}
    cluster.runtimes[node.name].programs = {container: Program(cluster, name) for container, name in names.items()}


def _containers(cluster: Cluster, name: str) -> list[tuple[str, Any]]:
    """(node, container) of each container that is to run a program."""
    return [
        (node, container) for node, runtime in cluster.runtimes.items() for container in runtime.containers.values()
        if (program := runtime.program_of(container)) is not None and program.name == name
    ]


def crash(cluster: Cluster, name: str) -> None:
    """The program is stopped: its container ends."""
    for node, container in _containers(cluster, name):
        if container.state == RUNNING:
            cluster.runtimes[node].crash(container.id)


def relaunch(cluster: Cluster, name: str) -> None:
    """Nothing holds the program down any more: its container need not wait for the end of its back-off."""
    for node, container in _containers(cluster, name):
        kubelet: Any = cluster.processes[f"kubelet/{node}"]
        rec = kubelet.pods.get(container.pod_uid)
        if rec is not None:
            backoffs = {key: value for key, value in rec.backoffs.items() if key != container.name}
            kubelet.pods[container.pod_uid] = rec._replace(backoffs=backoffs)
            cluster.runtimes[node].tell_kubelet(container.pod_uid)
