"""The pod garbage collector: pods of nodes that are gone, of nodes out of service, never scheduled but deleted, or too many that ended.

Follows pkg/controller/podgc/gc_controller.go, which looks every 20 seconds; a node must be gone for 40 seconds.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, Objects, condition_of, created_ms, deleting, find_condition, finished, phase
from clusterlab.machinery.errors import StatusError

__all__ = ["PodGCController"]

PERIOD_MS = 20_000
QUARANTINE_MS = 40_000
TERMINATED_THRESHOLD = 12_500
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


class PodGCController(BaseController):
    """Cleans up pods that nobody else will."""

    STATE = ("busy_until", "missing")
    controller_name = component = "pod-garbage-collector-controller"
    resource = "pods"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.pods = self.informer("pods")
        self.nodes = self.informer("nodes")

    def clear(self) -> None:
        super().clear()
        self.missing: dict[str, int] = {}  # node that pods name but that is not there -> since when

    def started(self) -> None:
        self.after(PERIOD_MS, "collect", idle=True)

    def on_collect(self) -> None:
        self.after(PERIOD_MS, "collect", idle=True)
        ended: Objects = []
        lost: dict[str, Objects] = {}
        for pod in self.pods.store.values():
            node = pod["spec"].get("nodeName")
            if deleting(pod):
                if not node:
                    self._delete(pod, "it was never scheduled")
                    continue
                if self._out_of_service(node):
                    self._delete(pod, "its node is out of service")
                    continue
            if node and node not in self.nodes.store:
                lost.setdefault(node, []).append(pod)
            elif finished(pod):
                ended.append(pod)
        self._orphaned(lost)
        surplus = len(ended) - TERMINATED_THRESHOLD
        if surplus > 0:
            def oldest(pod: Object) -> tuple[bool, int, str]:
                evicted = (pod.get("status") or {}).get("reason") == "Evicted"
                return not evicted, created_ms(pod), pod["metadata"]["name"]

            for pod in sorted(ended, key=oldest)[:surplus]:
                self._delete(pod, "too many pods have ended")

    def _out_of_service(self, name: str) -> bool:
        node = self.nodes.get(name)
        if node is None:
            return False
        ready = condition_of(node, "Ready")
        tainted = any(taint["key"] == OUT_OF_SERVICE for taint in (node.get("spec") or {}).get("taints") or ())
        return tainted and (ready is None or ready["status"] != "True")

    def _orphaned(self, lost: dict[str, Objects]) -> None:
        now = self.sim.time_ms
        self.missing = {name: self.missing.get(name, now) for name in lost}
        for name, pods in lost.items():
            if now - self.missing[name] < QUARANTINE_MS:
                continue
            try:
                self.client.get("nodes", "", name)
                continue
            except StatusError as error:
                if error.reason != "NotFound":
                    continue
            for pod in pods:
                self._delete(pod, f"its node {name} is gone", {
                    "type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "reason": "DeletionByPodGC",
                    "message": "PodGC: node no longer exists", "observedGeneration": pod["metadata"].get("generation"),
                })

    def _delete(self, pod: Object, why: str, condition: Object | None = None) -> None:
        meta = pod["metadata"]
        if self.sim.current is None:
            self.begin("collect", f"pods/{meta['namespace']}/{meta['name']}")
        try:
            if phase(pod) not in ("Succeeded", "Failed"):
                status = {**(pod.get("status") or {}), "phase": "Failed"}
                if condition is not None:
                    conditions = status.get("conditions") or []
                    known = find_condition(conditions, condition["type"])
                    now = self.sim.now_rfc3339()
                    status["conditions"] = [*(each for each in conditions if each is not known), {**condition, "lastTransitionTime": now}]
                self.client.update_status("pods", {**pod, "status": status})
            self.client.delete("pods", meta["namespace"], meta["name"], gracePeriodSeconds=0)
            self.tell(f"Pod {meta['name']} is removed: {why}.")
        except StatusError as error:
            if error.reason != "NotFound":
                self.tell(f"Pod {meta['name']} could not be removed ({error.reason}).")
