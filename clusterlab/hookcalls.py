"""The way of a webhook's call: from the API server over the cluster's network to a pod, and what answers there.

Follows staging/src/k8s.io/apiserver/pkg/util/proxy/proxy.go (ResolveCluster): the API server goes to the Service's address, by the rules
of kube-proxy on its own node. Without a control-plane node it stands outside of the cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.hooks import NO_PROGRAM, Reached
from clusterlab.network.fabric import Source

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["HookCalls"]


class HookCalls:
    """Calls of the webhooks of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __call__(self, address: str, port: int, path: str) -> Reached:
        """Where a call gets to."""
        cluster = self.cluster
        here = next((node.name for node in cluster.nodes.values() if node.control_plane), "")
        shown = f"[{address}]" if ":" in address else address
        found = cluster.network.request(Source(here, name="kube-apiserver"), f"https://{shown}:{port}{path}", "POST")
        if found.error:
            return Reached(found.error, found.pod, found.latency_us)
        if not found.container:
            return Reached(NO_PROGRAM)
        node, runtime = self._where(found.container)
        if cluster.fault_board.others("node-cut-off", node):
            return Reached("timeout", found.pod)
        container = runtime.containers[found.container]
        program = container.program.behaviour.admission
        cluster.traffic.count(found.container, found.cpu_us, found.pod)
        return Reached("" if program is not None else NO_PROGRAM, found.pod, found.latency_us, program)

    def _where(self, container: str) -> tuple[str, Any]:
        """The node that a container is on, and its runtime."""
        return next((node, runtime) for node, runtime in self.cluster.runtimes.items() if container in runtime.containers)
