"""The TTL controller: tells kubelets by an annotation how long they may keep Secrets and ConfigMaps, the longer the larger the cluster.

Follows pkg/controller/ttl/ttl_controller.go.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object

__all__ = ["TTLController"]

ANNOTATION = "node.alpha.kubernetes.io/ttl"
#: (from how many nodes on to step down, up to how many to stay, seconds).
BOUNDARIES = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 2147483647, 300))


class TTLController(BaseController):
    """Annotates nodes."""

    STATE = ("busy_until", "step")
    resource = "nodes"
    controller_name = component = "ttl-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.nodes = self.informer("nodes")
        self.nodes.on_change(self.node_changed)

    def clear(self) -> None:
        super().clear()
        self.step = 0

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        count = len(self.nodes.store)
        before = self.step
        while count > BOUNDARIES[self.step][1]:
            self.step += 1
        while count < BOUNDARIES[self.step][0]:
            self.step -= 1
        if self.step != before:
            for name in self.nodes.store:
                self.enqueue(name)
        elif new is not None and (new["metadata"].get("annotations") or {}).get(ANNOTATION) != str(BOUNDARIES[self.step][2]):
            self.enqueue(new["metadata"]["name"])

    def reconcile(self, key: str) -> None:
        node = self.nodes.get(key)
        wanted = str(BOUNDARIES[self.step][2])
        if node is None or (node["metadata"].get("annotations") or {}).get(ANNOTATION) == wanted:
            return
        self.client.patch("nodes", "", key, {"metadata": {"annotations": {ANNOTATION: wanted}}}, "strategic")
        self.tell(f"The kubelet of {key} may keep what it has read for {wanted} s.")
