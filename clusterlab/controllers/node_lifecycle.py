"""The node lifecycle controller: notices when kubelets fall silent, and says so in conditions, taints and pods.

Follows pkg/controller/nodelifecycle/node_lifecycle_controller.go. Nodes are looked at every five seconds, as there. NoExecute taints
are handed out at a limited rate per zone, which drops when too much of a zone is down; `taint_eviction` acts on them.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.nodes import NOT_READY, UNREACHABLE, has_taint, node_reference, same_taint, swap_taints, taints_of, zone_of
from clusterlab.controllers.objects import Object, Objects, condition_of, created_ms, pod_ready, ready_condition, unix_ms
from clusterlab.machinery.errors import StatusError

__all__ = ["NodeLifecycleController"]

MONITOR_MS = 5_000
#: Where in its period the monitor starts: a free choice, as a real one starts at any time.
MONITOR_PHASE_MS = 4_000
GRACE_MS = 50_000
STARTUP_GRACE_MS = 60_000
TAINT_MS = 100
EVICTIONS_PER_S = 0.1
SECONDARY_EVICTIONS_PER_S = 0.01
LARGE_CLUSTER = 50
UNHEALTHY_ZONE = 0.55

LEASE_NAMESPACE = "kube-node-lease"
MONITORED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
CONDITION_TAINTS = {
    ("Ready", "False"): "node.kubernetes.io/not-ready", ("Ready", "Unknown"): "node.kubernetes.io/unreachable",
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure", ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
}
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
OWN_TAINTS = {*CONDITION_TAINTS.values(), UNSCHEDULABLE}
LEGACY_LABELS = (("kubernetes.io/os", "beta.kubernetes.io/os"), ("kubernetes.io/arch", "beta.kubernetes.io/arch"))

#: (when last heard of, the Ready condition's heartbeat or None, the lease's renewal)
Health = tuple[int, str | None, str]


class NodeLifecycleController(BaseController):
    """Watches over nodes."""

    STATE = ("busy_until", "health", "known", "zones", "tainting", "limits", "taint_event", "retry")
    resource = "nodes"
    controller_name = "node-lifecycle-controller"
    component = "node-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.nodes = self.informer("nodes")
        self.leases = self.informer("leases")
        self.pods = self.informer("pods")
        self.pods.add_index("node", by_node)
        self.nodes.on_change(self.node_changed)
        self.pods.on_change(self.pod_changed)

    def clear(self) -> None:
        super().clear()
        self.health: dict[str, Health] = {}
        self.known: dict[str, str] = {}  # node -> uid
        self.zones: dict[str, str] = {}  # zone -> Initial, Normal, PartialDisruption, FullDisruption
        self.tainting: dict[str, str] = {}  # node that waits for its NoExecute taint -> zone
        self.limits: dict[str, tuple[float, float, int]] = {}  # zone -> (taints a second, tokens, since)
        self.retry: dict[str, bool] = {}
        self.taint_event = 0

    def started(self) -> None:
        self.after(0, "monitor", idle=True)
        self.after(MONITOR_PHASE_MS, "tick", idle=True)

    # Handlers.

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self.retry.pop(old["metadata"]["name"], None)  # type: ignore[index]
            return
        if old is None or statuses(old) != statuses(new) or old.get("spec") != new.get("spec") \
                or old["metadata"].get("labels") != new["metadata"].get("labels"):
            self.enqueue(new["metadata"]["name"])

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        """A pod that comes to a node that is down is not ready."""
        if new is None:
            return
        name = new["spec"].get("nodeName")
        if not name or (old is not None and old["spec"].get("nodeName") == name):
            return
        node = self.nodes.get(name)
        ready = condition_of(node, "Ready") if node is not None else None
        if ready is not None and ready["status"] != "True" and pod_ready(new):
            self.enqueue(name)

    # A node's NoSchedule taints and labels.

    def reconcile(self, key: str) -> None:
        node = self.nodes.get(key)
        if node is None:
            return
        wanted = []
        for condition in (node.get("status") or {}).get("conditions") or ():
            taint = CONDITION_TAINTS.get((condition["type"], condition["status"]))
            if taint:
                wanted.append({"key": taint, "effect": "NoSchedule"})
        if (node.get("spec") or {}).get("unschedulable"):
            wanted.append({"key": UNSCHEDULABLE, "effect": "NoSchedule"})
        present = [taint for taint in taints_of(node) if taint["effect"] == "NoSchedule" and taint["key"] in OWN_TAINTS]
        surplus = [taint for taint in present if not any(same_taint(taint, each) for each in wanted)]
        changed = swap_taints(self, node, wanted, surplus)
        if changed is not node:
            names = ", ".join(taint["key"] for taint in wanted) or "none"
            self.tell(f"Node {key} gets the NoSchedule taints that its conditions call for: {names}.")
        self._legacy_labels(changed)
        ready = condition_of(changed, "Ready")
        if ready is not None and ready["status"] != "True" and key in self.health:
            self.mark_pods_not_ready(key)

    def _legacy_labels(self, node: Object) -> None:
        labels = node["metadata"].get("labels") or {}
        missing = {old: labels[new] for new, old in LEGACY_LABELS if new in labels and labels.get(old) != labels[new]}
        if missing:
            self.client.patch("nodes", "", node["metadata"]["name"], {"metadata": {"labels": missing}}, "strategic")

    # The monitor.

    def on_tick(self) -> None:
        self.after(MONITOR_MS, "tick", idle=True)
        self.on_monitor()

    def on_monitor(self) -> None:
        """Looks at every node."""
        nodes = list(self.nodes.store.values())
        self._classify(nodes)
        by_zone: dict[str, list[bool]] = {}
        for node in nodes:
            name = node["metadata"]["name"]
            try:
                node, observed, current = self._update_health(node)
            except StatusError:
                continue  # tried again in five seconds
            if "node.kubernetes.io/exclude-disruption" not in (node["metadata"].get("labels") or {}):
                by_zone.setdefault(zone_of(node), []).append(current == "True")
            if current:
                try:
                    self._act(node, observed, current)
                except StatusError:
                    self.retry[name] = True
        self._handle_disruption(by_zone, nodes)

    def _step(self, name: str) -> None:
        if self.sim.current is None:
            self.begin("monitor", f"nodes/{name}")

    def _classify(self, nodes: Objects) -> None:
        present = {node["metadata"]["name"]: node for node in nodes}
        for name, node in present.items():
            zone = zone_of(node)
            if zone not in self.zones:
                self.zones[zone] = "Initial"
                self.limits[zone] = (EVICTIONS_PER_S, 1.0, self.sim.time_ms)
            if name not in self.known:
                self._node_event(node, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
                self.known[name] = node["metadata"]["uid"]
        for name in [name for name in self.known if name not in present]:
            self._step(name)
            message = f"Node {name} event: Removing Node {name} from Controller"
            self.record(node_reference(name, self.known.pop(name)), "Normal", "RemovingNode", message)
            self.health.pop(name, None)

    def _node_event(self, node: Object, reason: str, message: str) -> None:
        meta = node["metadata"]
        self._step(meta["name"])
        self.tell(f"The node controller notes of {meta['name']}: {message.partition('event: ')[2] or message}.")
        self.record(node_reference(meta["name"], meta["uid"]), "Normal", reason, message)

    def _update_health(self, node: Object) -> tuple[Object, str, str]:
        """(the node, its Ready status as it told it, its Ready status as it is now)."""
        name = node["metadata"]["name"]
        now, ready = self.now_ms, condition_of(node, "Ready")
        before = self.health.get(name)
        heartbeat = ready.get("lastHeartbeatTime", "") if ready is not None else None
        if ready is None:
            observed, grace_ms = "Unknown", STARTUP_GRACE_MS
            probe = before[0] if before is not None else created_ms(node)
        else:
            observed, grace_ms = ready["status"], GRACE_MS
            probe = now if before is None or before[1] != heartbeat else before[0]
        renewed = before[2] if before is not None else ""
        lease = self.leases.get(f"{LEASE_NAMESPACE}/{name}")
        if lease is not None:
            renewal = (lease.get("spec") or {}).get("renewTime") or ""
            if renewal and (not renewed or unix_ms(renewed) < unix_ms(renewal)):
                renewed, probe = renewal, now
        self.health[name] = (probe, heartbeat, renewed)
        if now < probe + grace_ms:
            return node, observed, ready["status"] if ready is not None else ""
        changed = self._silent(node)
        if changed is node:
            return node, observed, "Unknown"
        self._step(name)
        self.tell(f"Nothing was heard of node {name} for {grace_ms // 1000} seconds, so its conditions become Unknown.")
        node = self.client.update_status("nodes", changed)
        ready = condition_of(node, "Ready")
        self.health[name] = (probe, (ready or {}).get("lastHeartbeatTime", ""), renewed)
        return node, observed, "Unknown"

    def _silent(self, node: Object) -> Object:
        """The node with Unknown conditions."""
        now = self.sim.now_rfc3339()
        conditions: Objects = []
        known = (node.get("status") or {}).get("conditions") or []
        for condition in known:
            if condition["type"] in MONITORED and condition["status"] != "Unknown":
                condition = {
                    **condition, "status": "Unknown", "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.", "lastTransitionTime": now,
                }
            conditions.append(condition)
        names = {condition["type"] for condition in known}
        for kind in MONITORED:
            if kind not in names:
                conditions.append({
                    "type": kind, "status": "Unknown", "lastHeartbeatTime": node["metadata"].get("creationTimestamp"),
                    "lastTransitionTime": now, "reason": "NodeStatusNeverUpdated", "message": "Kubelet never posted node status.",
                })
        if conditions == known:
            return node
        return {**node, "status": {**(node.get("status") or {}), "conditions": conditions}}

    def _act(self, node: Object, observed: str, current: str) -> None:
        name = node["metadata"]["name"]
        if current == "True":
            self._mark_reachable(node)
        else:
            wrong, right = (UNREACHABLE, NOT_READY) if current == "False" else (NOT_READY, UNREACHABLE)
            if has_taint(node, wrong):
                self._step(name)
                node = swap_taints(self, node, [right], [wrong])
            elif not has_taint(node, right) and name not in self.tainting:
                self.tainting[name] = zone_of(node)
                self._schedule_taint()
        if current != "True" and observed == "True":
            self._node_event(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
            self._step(name)
            self.mark_pods_not_ready(name)
        elif self.retry.get(name) and observed != "True":
            self._step(name)
            self.mark_pods_not_ready(name)
        self.retry.pop(name, None)

    def mark_pods_not_ready(self, name: str) -> None:
        """Sets Ready to False on all pods of a node, so that Services drop them."""
        now, marked, refused = self.sim.now_rfc3339(), 0, None
        for pod in self.pods.indexed("node", name):
            ready = ready_condition(pod)
            if ready is None or ready["status"] == "False":
                continue
            new = {**ready, "status": "False", "lastTransitionTime": now}
            conditions = [new if condition is ready else condition for condition in pod["status"]["conditions"]]
            try:
                self.client.update_status("pods", {**pod, "status": {**pod["status"], "conditions": conditions}})
            except StatusError as error:
                if error.reason != "NotFound":
                    refused = error
                continue
            marked += 1
            self.record(pod, "Warning", "NodeNotReady", "Node is not ready")
        if marked:
            count = "One pod" if marked == 1 else f"The {marked} pods"
            self.tell(f"{count} of node {name} no longer count{'s' if marked == 1 else ''} as ready.")
        if refused is not None:
            raise refused

    def _mark_reachable(self, node: Object) -> None:
        name = node["metadata"]["name"]
        self.tainting.pop(name, None)
        if has_taint(node, UNREACHABLE) or has_taint(node, NOT_READY):
            self._step(name)
            swap_taints(self, node, [], [UNREACHABLE, NOT_READY])
            self.tell(f"Node {name} is ready again, so its NoExecute taint is taken away.")

    # NoExecute taints at a limited rate.

    def _schedule_taint(self, delay_ms: int = TAINT_MS) -> None:
        self.sim.cancel(self.taint_event)
        self.taint_event = self.after(delay_ms, "taint", idle=delay_ms > 1_000)

    def on_taint(self) -> None:
        """Taints the nodes that wait for it, as many as the rates of their zones allow."""
        self.taint_event, waits = 0, []
        for name, zone in list(self.tainting.items()):
            wait_ms = self._take_token(zone)
            if wait_ms:
                waits.append(wait_ms)
                continue
            node = self.nodes.get(name)
            ready = condition_of(node, "Ready") if node is not None else None
            del self.tainting[name]
            if node is None or ready is None or ready["status"] == "True":
                continue
            add, remove = (NOT_READY, UNREACHABLE) if ready["status"] == "False" else (UNREACHABLE, NOT_READY)
            if self.sim.current is None:
                self.begin("taint", f"nodes/{name}")
            try:
                swap_taints(self, node, [add], [remove])
                self.tell(f"Node {name} is {'not ready' if add is NOT_READY else 'unreachable'}, so it is tainted {add['key']}:NoExecute.")
            except StatusError:
                self.tainting[name] = zone
                waits.append(TAINT_MS)
        if waits:
            self._schedule_taint(min(waits))

    def _take_token(self, zone: str) -> int:
        """0 when a taint may be handed out in a zone, otherwise in how many ms to ask again."""
        rate, tokens, since = self.limits.get(zone, (EVICTIONS_PER_S, 1.0, self.sim.time_ms))
        now = self.sim.time_ms
        tokens = min(1.0, tokens + rate * (now - since) / 1000)
        if tokens >= 1.0 and rate > 0:
            self.limits[zone] = (rate, tokens - 1.0, now)
            return 0
        self.limits[zone] = (rate, tokens, now)
        return max(TAINT_MS, int((1.0 - tokens) / rate * 1000) + 1) if rate > 0 else MONITOR_MS

    def _set_rate(self, zone: str, size: int, state: str) -> None:
        rate = EVICTIONS_PER_S
        if state == "PartialDisruption":
            rate = SECONDARY_EVICTIONS_PER_S if size > LARGE_CLUSTER else 0.0
        self._swap_rate(zone, rate)

    def _swap_rate(self, zone: str, rate: float) -> None:
        old, tokens, since = self.limits.get(zone, (EVICTIONS_PER_S, 1.0, self.sim.time_ms))
        if old != rate:  # a new limiter begins with no spent tokens
            self.limits[zone] = (rate, tokens if rate == 0 else min(1.0, tokens), since)

    def _handle_disruption(self, by_zone: dict[str, list[bool]], nodes: Objects) -> None:
        new_states = {zone: zone_state(ready) for zone, ready in by_zone.items()}
        for zone in new_states:
            self.zones.setdefault(zone, "Initial")
        self.zones = {zone: state for zone, state in self.zones.items() if zone in by_zone}
        all_down = all(state == "FullDisruption" for state in new_states.values())
        were_down = all(state == "FullDisruption" for state in self.zones.values())
        if all_down and were_down:
            return
        if all_down:
            for node in nodes:
                try:
                    self._mark_reachable(self.nodes.get(node["metadata"]["name"]) or node)
                except StatusError:
                    continue
            for zone in self.zones:
                self._swap_rate(zone, 0.0)
                self.zones[zone] = "FullDisruption"
            return
        if were_down:
            now = self.now_ms
            self.health = {name: (now, *rest) for name, (_, *rest) in self.health.items()}  # type: ignore[misc]
        for zone, state in new_states.items():
            if were_down or self.zones[zone] != state:
                self._set_rate(zone, len(by_zone[zone]), state)
                self.zones[zone] = state
        self.note(zones=dict(self.zones))


def statuses(node: Object) -> list[tuple[str, str]]:
    """The conditions of a node without their times: heartbeats change nothing."""
    return [(condition["type"], condition["status"]) for condition in (node.get("status") or {}).get("conditions") or ()]


def by_node(pod: Object) -> tuple[str, ...]:
    """Index function: the node that a pod is bound to."""
    name = pod["spec"].get("nodeName")
    return (name,) if name else ()


def zone_state(ready: list[bool]) -> str:
    """How badly a zone is hit."""
    down = ready.count(False)
    if down and down == len(ready):
        return "FullDisruption"
    if down > 2 and down / len(ready) >= UNHEALTHY_ZONE:
        return "PartialDisruption"
    return "Normal"
