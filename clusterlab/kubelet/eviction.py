"""Node-pressure eviction: when a node runs out of memory or disk, which pod goes first; and pods that take more disk than they may.

Follows pkg/kubelet/eviction/eviction_manager.go (synchronize, localStorageEviction) and helpers.go (rankMemoryPressure,
rankDiskPressureFunc, evictionMessage) with the default hard thresholds memory.available<100Mi and imagefs.available<15% (images and
containers share one disk), looked at with each heartbeat; a condition stays for five minutes after the pressure is gone. Left out: soft
thresholds, inodes and process numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.kubelet import image_gc
from clusterlab.kubelet.records import SYNC, Pod
from clusterlab.kubelet.resources import limits, pod_requests
from clusterlab.runtime import disk
from clusterlab.runtime.amounts import units
from clusterlab.runtime.records import RUNNING
from clusterlab.runtime.runtime import memory_of

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["Candidate", "manage", "ranked"]

THRESHOLD = 100 << 20
DISK_PERCENT = 15
SYSTEM_MEMORY = 350 << 20
TRANSITION_MS = 300_000
CRITICAL_PRIORITY = 2_000_000_000
MEMORY, DISK = "memory", "ephemeral-storage"


class Candidate(NamedTuple):
    """A pod that could be evicted."""

    rec: Pod
    used: int
    requested: int
    priority: int


def ranked(candidates: list[Candidate]) -> list[Candidate]:
    """The pods in the order of their eviction: those over their requests, then by priority, then by how far they are over."""
    return sorted(candidates, key=lambda each: (each.used <= each.requested, each.priority, -(each.used - each.requested)))


def manage(kl: Kubelet) -> None:
    """Looks at the node's memory and disk, and evicts one pod where something is short."""
    image_gc.collect(kl)
    if _over_own_limits(kl):
        return
    now = kl.sim.time_ms
    used = {uid: _memory(kl, uid) for uid, rec in kl.pods.items() if rec.stage in {SYNC, "terminating"}}
    available = kl.runtime.memory_bytes - SYSTEM_MEMORY - sum(used.values())
    _pressure(kl, "MemoryPressure", available < THRESHOLD, now)
    if available < THRESHOLD:
        kl.node_event("Warning", "EvictionThresholdMet", "Attempting to reclaim memory")
        _evict_first(kl, MEMORY, used, THRESHOLD, max(0, available))
        return
    threshold = kl.runtime.disk_bytes * DISK_PERCENT // 100
    free = kl.runtime.disk_bytes - disk.used(kl.runtime)
    short = free < threshold
    if short:
        kl.node_event("Warning", "EvictionThresholdMet", f"Attempting to reclaim {DISK}")
        image_gc.free(kl, threshold - free)
        free = kl.runtime.disk_bytes - disk.used(kl.runtime)
    _pressure(kl, "DiskPressure", short, now)
    if free < threshold:
        taken = {uid: _disk(kl, rec).total for uid, rec in kl.pods.items() if rec.stage == SYNC}
        _evict_first(kl, DISK, taken, threshold, free)


def _pressure(kl: Kubelet, kind: str, short: bool, now: int) -> None:
    """A condition begins at once, and ends five minutes after its cause."""
    if short:
        kl.pressure = tuple(sorted({*kl.pressure, kind}))
        kl.pressure_ms = {**kl.pressure_ms, kind: now}
    elif kind in kl.pressure and now - kl.pressure_ms.get(kind, 0) >= TRANSITION_MS:
        kl.pressure = tuple(each for each in kl.pressure if each != kind)


def _memory(kl: Kubelet, uid: str) -> int:
    now = kl.sim.time_ms
    return sum(memory_of(each, now) for each in kl.runtime.of_pod(uid) if each.state == RUNNING)


def _empty_dirs(rec: Pod) -> dict[str, Object]:
    """The emptyDirs of a pod that lie on the disk."""
    return {each["name"]: each["emptyDir"] or {} for each in rec.pod["spec"].get("volumes") or ()
            if "emptyDir" in each and (each["emptyDir"] or {}).get("medium", "") != "Memory"}


def _disk(kl: Kubelet, rec: Pod) -> disk.PodDisk:
    return disk.pod_disk(kl.runtime, rec.uid, tuple(_empty_dirs(rec)))


def _evict_first(kl: Kubelet, resource: str, used: dict[str, int], threshold: int, available: int) -> None:
    candidates = [
        Candidate(rec, used[uid], pod_requests(rec.pod).get(resource, 0), int(rec.pod["spec"].get("priority") or 0))
        for uid, rec in kl.pods.items() if rec.stage == SYNC and used.get(uid) and not rec.failed[0]
    ]
    for each in ranked(candidates):
        if each.priority < CRITICAL_PRIORITY and not each.rec.static:
            message = f"The node was low on resource: {resource}. Threshold quantity: {_quantity(threshold)}, "
            evict(kl, each.rec, f"{message}available: {available >> 10}Ki. {_blame(kl, each.rec, resource)}")
            return


def _blame(kl: Kubelet, rec: Pod, resource: str) -> str:
    """Which containers use more than they asked for."""
    now, text = kl.sim.time_ms, ""
    requests = {
        each["name"]: ((each.get("resources") or {}).get("requests") or {}).get(resource, "0") for each in rec.pod["spec"]["containers"]
    }
    on_disk = _disk(kl, rec).containers if resource == DISK else {}
    for each in kl.runtime.of_pod(rec.uid):
        used = on_disk.get(each.name, 0) if resource == DISK else memory_of(each, now)
        request = requests.get(each.name, "0")
        if each.state == RUNNING and used > units(request):
            text += f"Container {each.name} was using {_quantity(used)}, request is {request}, has larger consumption of {resource}. "
    return text


def _over_own_limits(kl: Kubelet) -> bool:
    """Evicts pods that take more of the disk than their own limits say (localStorageEviction)."""
    found = False
    for rec in list(kl.pods.values()):
        spec = rec.pod["spec"]
        if rec.stage != SYNC or rec.failed[0] or rec.static:
            continue
        bounded = {name: each["sizeLimit"] for name, each in _empty_dirs(rec).items() if each.get("sizeLimit")}
        most = {each["name"]: ((each.get("resources") or {}).get("limits") or {}).get(DISK) for each in spec["containers"]}
        if not bounded and not any(most.values()):
            continue
        has = _disk(kl, rec)
        message = next((f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". ' for name, limit in bounded.items()
                        if has.volumes.get(name, 0) > units(limit)), "")
        whole = limits(rec.pod).get(DISK, 0) if all(most.values()) else 0
        if not message and whole and has.total > whole:
            message = f"Pod ephemeral local storage usage exceeds the total limit of containers {_quantity(whole)}. "
        message = message or next((
            f'Container {name} exceeded its local ephemeral storage limit "{limit}". ' for name, limit in most.items()
            if limit and has.containers.get(name, 0) > units(limit)), "")
        if message:
            evict(kl, rec, message)
            found = True
    return found


def evict(kl: Kubelet, rec: Pod, message: str) -> None:
    """Ends a pod at once, for good."""
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
