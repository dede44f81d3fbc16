"""What a node and its pods use now, as the eviction manager reads it.

The part of pkg/kubelet/stats and cAdvisor behind makeSignalObservations in pkg/kubelet/eviction/helpers.go: memory (working sets), disk,
inodes and process numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.kubelet.records import SYNC, TERMINATING, Pod
from clusterlab.kubelet.thresholds import DISK, INODES, MEMORY, PIDS, Observation
from clusterlab.runtime import disk
from clusterlab.runtime.records import RUNNING
from clusterlab.runtime.runtime import memory_of

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["PodStats", "empty_dirs", "observe", "pod_stats"]

SYSTEM_MEMORY = 350 << 20


class PodStats(NamedTuple):
    """What one pod uses. Of each running container by name: memory and disk in bytes."""

    memory: dict[str, int]
    disk: disk.PodDisk
    inodes: int
    pids: int

    def of(self, resource: str) -> int:
        return {MEMORY: sum(self.memory.values()), DISK: self.disk.total, INODES: self.inodes, PIDS: self.pids}[resource]


def empty_dirs(rec: Pod) -> dict[str, Object]:
    """The emptyDirs of a pod that lie on the disk."""
    return {each["name"]: each["emptyDir"] or {} for each in rec.pod["spec"].get("volumes") or ()
            if "emptyDir" in each and (each["emptyDir"] or {}).get("medium", "") != "Memory"}


def memory(kl: Kubelet, uid: str) -> dict[str, int]:
    now = kl.sim.time_ms
    return {each.name: memory_of(each, now) for each in kl.runtime.of_pod(uid) if each.state == RUNNING}


def pod_stats(kl: Kubelet, rec: Pod) -> PodStats:
    """What a pod uses now."""
    names = tuple(empty_dirs(rec))
    return PodStats(
        memory(kl, rec.uid), disk.pod_disk(kl.runtime, rec.uid, names), disk.pod_inodes(kl.runtime, rec.uid, names),
        disk.pod_pids(kl.runtime, rec.uid))


def observe(kl: Kubelet) -> dict[str, Observation]:
    """What the signals show now that the kubelet has thresholds for."""
    runtime = kl.runtime
    wanted = {each.signal for each in kl.config.settings.thresholds}
    used = sum(sum(memory(kl, uid).values()) for uid, rec in kl.pods.items() if rec.stage in {SYNC, TERMINATING})
    space = Observation((runtime.disk_bytes - disk.used(runtime)) // disk.BLOCK * disk.BLOCK, runtime.disk_bytes)
    inodes = Observation(runtime.inodes - disk.used_inodes(runtime), runtime.inodes)
    free = max(0, runtime.memory_bytes - SYSTEM_MEMORY - used) // disk.BLOCK * disk.BLOCK
    seen = {
        "memory.available": Observation(free, runtime.memory_bytes),
        "nodefs.available": space, "nodefs.inodesFree": inodes, "imagefs.available": space, "imagefs.inodesFree": inodes,
    }
    if "pid.available" in wanted:
        seen["pid.available"] = Observation(max(0, runtime.pids - disk.used_pids(runtime)), runtime.pids)
    return seen
