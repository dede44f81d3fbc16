"""Image garbage collection: when the disk fills, images that nobody uses go, the longest unused first.

Follows pkg/kubelet/images/image_gc_manager.go with its defaults: every five minutes, above 85 % of the disk down to 80 %, no image
younger than two minutes. Eviction for lack of disk space tries the same first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.runtime import disk
from clusterlab.runtime.images import full_name, short_name

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

__all__ = ["PERIOD_MS", "collect", "free"]

PERIOD_MS = 300_000
HIGH, LOW = 85, 80
LEAST_AGE_MS = 120_000


def collect(kl: Kubelet) -> None:
    """Looks at the disk, every five minutes."""
    now = kl.sim.time_ms
    if now - kl.collected_ms < PERIOD_MS:
        return
    kl.collected_ms = now
    runtime = kl.runtime
    capacity, taken = runtime.disk_bytes, disk.used(runtime)
    percent = taken * 100 // capacity if capacity else 0
    if percent < HIGH:
        return
    wanted = taken - capacity * LOW // 100
    freed = free(kl, wanted)
    if freed < wanted:
        kl.node_event("Warning", "FreeDiskSpaceFailed", (
            f"Insufficient free disk space on the node's image filesystem ({percent}% of {capacity / (1 << 30):.1f} GiB used). "
            f"Failed to free sufficient space by deleting unused images (freed {freed} bytes). "
            "Investigate disk usage, as it could be used by active images, logs, volumes, or other data."))


def free(kl: Kubelet, wanted: int) -> int:
    """Removes images that no container uses until so many bytes are free; the answer is how many were freed."""
    runtime, now = kl.runtime, kl.sim.time_ms
    in_use = runtime.images_in_use()
    ids = {runtime.images[name].id for name in in_use if name in runtime.images}
    once = {image.id: image for image in runtime.images.values()}
    unused = sorted((image for image in once.values() if image.id not in ids and now - image.pulled_ms >= LEAST_AGE_MS),
                    key=lambda image: (image.used_ms, image.pulled_ms, image.id))
    freed = 0
    for image in unused:
        if freed >= wanted:
            break
        freed += runtime.remove_image(full_name(image.names[0]))
        kl.say(f"the unused image {short_name(image.names[0])} is removed")
    return freed
