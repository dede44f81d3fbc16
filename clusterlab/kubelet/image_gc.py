"""Image garbage collection: when the disk fills, images that nobody uses go, the longest unused first.

Follows pkg/kubelet/images/image_gc_manager.go with its defaults: every five minutes, above 85 % of the disk down to 80 %, no image
younger than two minutes. Eviction for lack of disk space removes every such image first (DeleteUnusedImages).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.runtime import disk
from clusterlab.runtime.images import Image, full_name, short_name

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

__all__ = ["PERIOD_MS", "collect", "free"]

PERIOD_MS = 300_000


def collect(kl: Kubelet) -> None:
    """Looks at the disk, every five minutes."""
    now = kl.sim.time_ms
    if now - kl.collected_ms < PERIOD_MS:
        return
    kl.collected_ms = now
    runtime, has = kl.runtime, kl.config.settings
    if has.gc_most_age_ms:
        old = [each for each in _unused(kl, 0) if now - each.used_ms > has.gc_most_age_ms]
        _remove(kl, old, runtime.disk_bytes)
    capacity, taken = runtime.disk_bytes, disk.used(runtime)
    if not capacity:
        kl.node_event("Warning", "InvalidDiskCapacity", "invalid capacity 0 on image filesystem")
        return
    percent = 100 - (capacity - taken) * 100 // capacity
    if percent < has.gc_high:
        return
    wanted = capacity * (100 - has.gc_low) // 100 - (capacity - taken)
    freed = free(kl, wanted, has.gc_age_ms)
    if freed < wanted:
        kl.node_event("Warning", "FreeDiskSpaceFailed", (
            f"Insufficient free disk space on the node's image filesystem ({percent}% of {capacity / (1 << 30):.1f} GiB used). "
            f"Failed to free sufficient space by deleting unused images (freed {freed} bytes). "
            "Investigate disk usage, as it could be used by active images, logs, volumes, or other data."))


def free(kl: Kubelet, wanted: int, least_age_ms: int) -> int:
    """Removes images that no container uses until so many bytes are free, none younger than that; the answer is how many were freed."""
    return _remove(kl, _unused(kl, least_age_ms), wanted)


def _unused(kl: Kubelet, least_age_ms: int) -> list[Image]:
    """The images that no container uses, not even one that has ended, the longest unused first (imagesInEvictionOrder)."""
    runtime, now = kl.runtime, kl.sim.time_ms
    ids = {runtime.images[name].id for name in runtime.images_in_use() if name in runtime.images}
    once = {image.id: image for image in runtime.images.values()}
    return sorted((image for image in once.values() if image.id not in ids and now - image.pulled_ms >= least_age_ms),
                  key=lambda image: (image.used_ms, image.pulled_ms, image.id))


def _remove(kl: Kubelet, images: list[Image], wanted: int) -> int:
    freed = 0
    for image in images:
        if freed >= wanted:
            break
        freed += kl.runtime.remove_image(full_name(image.names[0]))
        kl.say(f"the unused image {short_name(image.names[0])} is removed")
    return freed
