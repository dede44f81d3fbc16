"""What a node's disk holds: images, the writable layers of containers, their logs, and volumes that live on the node.

The part of cAdvisor and of pkg/kubelet/stats that evictions and image garbage collection read. Large files are kept as a note of their
size, as `dd` and `fallocate` write it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from clusterlab.runtime.records import RUNNING

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["SYSTEM_PERCENT", "PodDisk", "note_of", "pod_disk", "size_of", "used"]

#: What the operating system takes of a node's disk.
SYSTEM_PERCENT = 5
BLOCK = 4096
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
            layer = sum(map(size_of, files.values())) if files else 0
            taken = layer + sum(len(text) for _, _, text in runtime.logs.get(each.id, ()))
            containers[each.name] = -(-taken // BLOCK) * BLOCK
    volumes = {name: sum(map(size_of, (runtime.volumes.get(f"{uid}/{name}") or {}).values())) for name in empty_dirs}
    return PodDisk(containers, volumes)


def images_bytes(runtime: Runtime) -> int:
    """What the images of a node take, each once."""
    return sum({image.id: image.size_bytes for image in runtime.images.values()}.values())


def used(runtime: Runtime) -> int:
    """Bytes of the node's disk that are taken."""
    system = runtime.disk_bytes * SYSTEM_PERCENT // 100
    rest = sum(
        sum(map(size_of, files.values())) for key, files in runtime.volumes.items() if files and not key.startswith("claim/"))
    return min(runtime.disk_bytes, system + images_bytes(runtime) + rest)
