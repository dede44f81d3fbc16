"""What a node's disk holds: images, the writable layers of containers, their logs, and volumes that live on the node.

The part of cAdvisor and of pkg/kubelet/stats that evictions and image garbage collection read. Large files are kept as a note of their
size, as `dd` and `fallocate` write it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from clusterlab.runtime.memory import leaked
from clusterlab.runtime.records import RUNNING

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = [
    "SYSTEM_PERCENT", "PodDisk", "images_bytes", "note_of", "pod_disk", "pod_inodes", "pod_pids", "quantity", "size_of", "used",
    "used_inodes", "used_pids",
]

#: What the operating system takes of a node's disk.
SYSTEM_PERCENT = 5
BLOCK = 4096
#: What the operating system has of inodes and processes, and how many bytes of an image there are to a file.
SYSTEM_INODES_PERCENT, SYSTEM_PIDS, BYTES_A_FILE = 2, 150, 32_768
_NOTE = re.compile(r"\((\d{1,16}) bytes\)")


def note_of(size: int) -> str:
    """The content of a file of which only the size matters."""
    return f"({size} bytes)"


def size_of(text: str) -> int:
    """The size of a file in bytes."""
    found = _NOTE.fullmatch(text) if text.startswith("(") else None
    return int(found[1]) if found is not None else len(text)


class PodDisk(NamedTuple):
    """What a pod has on the disk: bytes of each container (layer and log) by name, and of each emptyDir by its volume's name."""

    containers: dict[str, int]
    volumes: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.containers.values()) + sum(self.volumes.values())


def pod_disk(runtime: Runtime, uid: str, empty_dirs: tuple[str, ...] = ()) -> PodDisk:
    """The disk usage of one pod. `empty_dirs`: names of its volumes that lie on the disk."""
    containers: dict[str, int] = {}
    for each in runtime.of_pod(uid):
        if each.state == RUNNING:
            files = runtime.volumes.get(f"{uid}/#{each.id}")
            layer = (sum(map(size_of, files.values())) if files else 0) + leaked(each, "disk", runtime.sim.time_ms)
            taken = layer + sum(len(text) for _, _, text in runtime.logs.get(each.id, ()))
            containers[each.name] = -(-taken // BLOCK) * BLOCK
    volumes = {name: sum(map(size_of, (runtime.volumes.get(f"{uid}/{name}") or {}).values())) for name in empty_dirs}
    return PodDisk(containers, volumes)


def pod_inodes(runtime: Runtime, uid: str, empty_dirs: tuple[str, ...] = ()) -> int:
    """How many inodes a pod has on the disk: its files, its logs, and its volumes that lie there."""
    total = sum(1 + len(runtime.volumes.get(f"{uid}/{name}") or ()) for name in empty_dirs)
    for each in runtime.of_pod(uid):
        if each.state == RUNNING:
            total += 1 + len(runtime.volumes.get(f"{uid}/#{each.id}") or ()) + leaked(each, "inodes", runtime.sim.time_ms)
    return total


def pod_pids(runtime: Runtime, uid: str) -> int:
    """How many processes a pod has, its pause container among them, as far as podPidsLimit lets it."""
    running = [each for each in runtime.of_pod(uid) if each.state == RUNNING]
    total = 1 + len(running) + sum(leaked(each, "pids", runtime.sim.time_ms) for each in running)
    return min(total, runtime.pod_pids) if runtime.pod_pids >= 0 else total


def images_bytes(runtime: Runtime) -> int:
    """What the images of a node take, each of their layers once."""
    return runtime.images_bytes()


def _leaks(runtime: Runtime, what: str) -> int:
    return sum(leaked(each, what, runtime.sim.time_ms) for each in runtime.containers.values() if each.leaks and each.state == RUNNING)


def used(runtime: Runtime) -> int:
    """Bytes of the node's disk that are taken."""
    system = runtime.disk_bytes * SYSTEM_PERCENT // 100
    rest = _leaks(runtime, "disk") + sum(
        sum(map(size_of, files.values())) for key, files in runtime.volumes.items() if files and not key.startswith("claim/"))
    return min(runtime.disk_bytes, system + images_bytes(runtime) + rest)


def used_inodes(runtime: Runtime) -> int:
    """Inodes of the node's disk that are taken."""
    system = runtime.inodes * SYSTEM_INODES_PERCENT // 100
    files = sum(len(each) + 1 for key, each in runtime.volumes.items() if each and not key.startswith("claim/"))
    return min(runtime.inodes, system + images_bytes(runtime) // BYTES_A_FILE + files + _leaks(runtime, "inodes"))


def used_pids(runtime: Runtime) -> int:
    """Processes of the node."""
    return min(runtime.pids, SYSTEM_PIDS + sum(pod_pids(runtime, uid) for uid, each in runtime.sandboxes.items() if each.ready))


def quantity(size: int, resource: str = "memory") -> str:
    """An amount as Go prints a quantity: bytes by powers of 1024 where they divide it, counts by powers of 1000."""
    units = (("k", 10**3), ("M", 10**6), ("G", 10**9)) if resource in {"inodes", "pids"} else (
        ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40))
    for suffix, unit in reversed(units):
        if size and size % unit == 0:
            return f"{size // unit}{suffix}"
    return str(size)
