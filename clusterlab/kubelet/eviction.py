"""Node-pressure eviction: when a node runs out of memory, which pod goes first.

Follows pkg/kubelet/eviction/eviction_manager.go and helpers.go (rankMemoryPressure, evictionMessage) with the default hard threshold
memory.available<100Mi, looked at with each heartbeat; the condition stays for five minutes after the pressure is gone. Left out: soft
thresholds, disk and process numbers (containers' disk usage is not modelled), reclaiming before evicting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.kubelet.records import SYNC, Pod
from clusterlab.kubelet.resources import pod_requests
from clusterlab.runtime.amounts import units
from clusterlab.runtime.records import RUNNING
from clusterlab.runtime.runtime import memory_of

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["Candidate", "manage", "ranked"]

THRESHOLD = 100 << 20
SYSTEM_MEMORY = 350 << 20
TRANSITION_MS = 300_000
CRITICAL_PRIORITY = 2_000_000_000


class Candidate(NamedTuple):
    """A pod that could be evicted."""

    rec: Pod
    used: int
    requested: int
    priority: int


def ranked(candidates: list[Candidate]) -> list[Candidate]:
    """The pods in the order of their eviction: those over their requests, then by priority, then by how far they are over."""
    return sorted(candidates, key=lambda each: (each.used <= each.requested, each.priority, -(each.used - each.requested)))


def _used(kl: Kubelet, uid: str) -> int:
    now = kl.sim.time_ms
    return sum(memory_of(each, now) for each in kl.runtime.of_pod(uid) if each.state == RUNNING)


def manage(kl: Kubelet) -> None:
    """Looks at what is left of the node's memory, and evicts one pod where that is too little."""
    now = kl.sim.time_ms
    usage = {uid: _used(kl, uid) for uid, rec in kl.pods.items() if rec.stage in {SYNC, "terminating"}}
    available = kl.runtime.memory_bytes - SYSTEM_MEMORY - sum(usage.values())
    if available >= THRESHOLD:
        if kl.pressure and now - kl.pressure_ms >= TRANSITION_MS:
            kl.pressure = ()
        return
    kl.pressure, kl.pressure_ms = ("MemoryPressure",), now
    kl.node_event("Warning", "EvictionThresholdMet", "Attempting to reclaim memory")
    candidates = [
        Candidate(rec, usage[uid], pod_requests(rec.pod).get("memory", 0), int(rec.pod["spec"].get("priority") or 0))
        for uid, rec in kl.pods.items() if rec.stage == SYNC and usage.get(uid)
    ]
    for each in ranked(candidates):
        if each.priority < CRITICAL_PRIORITY and not each.rec.static:
            _evict(kl, each, max(0, available))
            return


def _evict(kl: Kubelet, chosen: Candidate, available: int) -> None:
    rec = chosen.rec
    message = (
        f"The node was low on resource: memory. Threshold quantity: {_quantity(THRESHOLD)}, available: {available >> 10}Ki. "
    )
    now = kl.sim.time_ms
    requests = {
        each["name"]: ((each.get("resources") or {}).get("requests") or {}).get("memory", "0") for each in rec.pod["spec"]["containers"]
    }
    for each in kl.runtime.of_pod(rec.uid):
        used = memory_of(each, now)
        request = requests.get(each.name, "0")
        if each.state == RUNNING and used > units(request):
            message += (
                f"Container {each.name} was using {_quantity(used)}, request is {request}, has larger consumption of memory. "
            )
    kl.event(rec, "Warning", "Evicted", message)
    condition = {
        "lastTransitionTime": kl.sim.now_rfc3339(), "message": message, "reason": "TerminationByKubelet", "status": "True",
        "type": "DisruptionTarget", "observedGeneration": rec.pod["metadata"].get("generation", 0),
    }
    kl.pods[rec.uid] = rec._replace(failed=("Evicted", message), conditions=(condition,), grace_ms=0)
    kl.wake(rec.uid)


def _quantity(size: int) -> str:
    for suffix, shift in (("Gi", 30), ("Mi", 20), ("Ki", 10)):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{suffix}"
    return str(size)
