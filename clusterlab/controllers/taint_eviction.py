"""The taint eviction controller: deletes pods from nodes with NoExecute taints, when their tolerations run out.

Follows pkg/controller/tainteviction/taint_eviction.go and timed_workers.go.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.node_lifecycle import by_node
from clusterlab.controllers.nodes import taints_of, tolerations_used
from clusterlab.controllers.objects import Object, Objects, find_condition, key_of
from clusterlab.machinery.errors import StatusError

__all__ = ["TaintEvictionController", "minimum_toleration_s"]

RETRY_MS = 10_000
DONE = -1


def no_execute(node: Object | None) -> Objects:
    """The NoExecute taints of a node."""
    return [taint for taint in taints_of(node) if taint["effect"] == "NoExecute"] if node is not None else []


def minimum_toleration_s(tolerations: Objects) -> int | None:
    """For how long tolerations hold: 0 for not at all, None for ever."""
    if not tolerations:
        return 0
    limits = [toleration["tolerationSeconds"] for toleration in tolerations if toleration.get("tolerationSeconds") is not None]
    return max(0, min(limits)) if limits else None


class TaintEvictionController(BaseController):
    """Evicts pods that do not tolerate their node's taints. Keys: `nodes/NAME` and `pods/NAMESPACE/NAME`."""

    STATE = ("busy_until", "evictions")
    controller_name = component = "taint-eviction-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.nodes = self.informer("nodes")
        self.pods = self.informer("pods")
        self.pods.add_index("node", by_node)
        self.nodes.on_change(self.node_changed)
        self.pods.on_change(self.pod_changed)

    def clear(self) -> None:
        super().clear()
        self.evictions: dict[str, tuple[int, int, int]] = {}  # pod -> (decided, due, event)

    def object_key(self, key: str) -> str:
        return key

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        if no_execute(old) != no_execute(new):
            self.enqueue("nodes/" + key_of(new or old))  # type: ignore[arg-type]

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if key_of(old) in self.evictions:  # type: ignore[arg-type]
                self.enqueue("pods/" + key_of(old))  # type: ignore[arg-type]
            return
        spec = new["spec"]
        node = spec.get("nodeName")
        if not node:
            return
        if old is not None and old["spec"].get("nodeName") == node and old["spec"].get("tolerations") == spec.get("tolerations"):
            return
        if no_execute(self.nodes.get(node)) or key_of(new) in self.evictions:
            self.enqueue("pods/" + key_of(new))

    def reconcile(self, key: str) -> None:
        kind, _, name = key.partition("/")
        if kind == "nodes":
            self._node(name)
            return
        pod = self.pods.get(name)
        if pod is None:
            self._cancel(name)
            return
        taints = no_execute(self.nodes.get(pod["spec"].get("nodeName", "")))
        if taints:
            self._process(pod, taints)

    def _node(self, name: str) -> None:
        taints = no_execute(self.nodes.get(name))
        pods = self.pods.indexed("node", name)
        for pod in pods:
            if taints:
                self._process(pod, taints)
            else:
                self._cancel(key_of(pod))
        waiting = sum(key_of(pod) in self.evictions for pod in pods)
        if taints and waiting:
            self.tell(f"Node {name} has a NoExecute taint; {waiting} of its pods will be evicted when their tolerations run out.")
        self.note(evictions=len(self.evictions))

    def _process(self, pod: Object, taints: Objects) -> None:
        key, now = key_of(pod), self.sim.time_ms
        used = tolerations_used(taints, pod["spec"].get("tolerations") or [])
        if used is None:
            self._cancel(key)
            self._evict_at(key, now, now)
            return
        limit_s = minimum_toleration_s(used)
        if limit_s is None:
            self._cancel(key)
            return
        start, due = now, now + limit_s * 1000
        known = self.evictions.get(key)
        if known is not None and known[2] != DONE:
            start = known[0]
            if start + limit_s * 1000 < due:
                return  # planned already, from an earlier taint on
            self._cancel(key)
        self._evict_at(key, start, due)

    def _evict_at(self, key: str, start: int, due: int) -> None:
        if key not in self.evictions:
            self.evictions[key] = (start, due, self.after(due - self.sim.time_ms, "evict", key, idle=due > self.sim.time_ms))

    def _cancel(self, key: str) -> None:
        known = self.evictions.pop(key, None)
        if known is not None and known[2] != DONE:
            self.sim.cancel(known[2])
            self._pod_event(key, f"Cancelling deletion of Pod {key}")

    def _pod_event(self, key: str, message: str) -> None:
        namespace, _, name = key.partition("/")
        reference = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name}}
        self.record(reference, "Normal", "TaintManagerEviction", message)

    def on_evict(self, key: str) -> None:
        """The tolerations of a pod have run out."""
        start, due, _ = self.evictions[key]
        self.evictions[key] = (start, due, DONE)
        namespace, _, name = key.partition("/")
        step = self.begin("evict", f"pods/{key}")
        step.explain = f"Pod {name} does not tolerate its node's taint any longer, so it is deleted."
        self._pod_event(key, f"Marking for deletion Pod {key}")
        try:
            self._mark_and_delete(namespace, name)
        except StatusError as error:
            if error.reason == "NotFound":
                return
            step.explain = f"Pod {name} could not be evicted ({error.reason}); another try follows."
            self.evictions[key] = (start, due, self.after(RETRY_MS, "evict", key, idle=True))

    def _mark_and_delete(self, namespace: str, name: str) -> None:
        pod = self.client.get("pods", namespace, name)
        conditions = (pod.get("status") or {}).get("conditions") or []
        known = find_condition(conditions, "DisruptionTarget")
        condition = {
            "type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": self.sim.now_rfc3339(),
            "reason": "DeletionByTaintManager", "message": "Taint manager: deleting due to NoExecute taint",
            "observedGeneration": pod["metadata"].get("generation"),
        }
        if known is None or (known["status"], known.get("reason")) != ("True", "DeletionByTaintManager"):
            others = [each for each in conditions if each is not known]
            self.client.update_status("pods", {**pod, "status": {**pod["status"], "conditions": [*others, condition]}})
        self.client.delete("pods", namespace, name)
