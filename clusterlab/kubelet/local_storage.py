"""Pods that take more of their node's disk than their own limits say.

Follows localStorageEviction in pkg/kubelet/eviction/eviction_manager.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.kubelet.node_stats import empty_dirs
from clusterlab.kubelet.records import SYNC, Pod
from clusterlab.kubelet.resources import limits
from clusterlab.kubelet.thresholds import DISK
from clusterlab.runtime import disk
from clusterlab.runtime.amounts import units

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

__all__ = ["over_limits"]


def over_limits(kl: Kubelet) -> list[tuple[Pod, str]]:
    """The pods over a limit, each with what is said of it."""
    found = []
    for rec in list(kl.pods.values()):
        spec = rec.pod["spec"]
        if rec.stage != SYNC or rec.failed[0] or rec.static:
            continue
        bounded = {name: each["sizeLimit"] for name, each in empty_dirs(rec).items() if each.get("sizeLimit")}
        most = {each["name"]: ((each.get("resources") or {}).get("limits") or {}).get(DISK) for each in spec["containers"]}
        if bounded or any(most.values()):
            message = _message(kl, rec, bounded, most)
            if message:
                found.append((rec, message))
    return found


def _message(kl: Kubelet, rec: Pod, bounded: dict[str, str], most: dict[str, str | None]) -> str:
    has = disk.pod_disk(kl.runtime, rec.uid, tuple(empty_dirs(rec)))
    for name, limit in bounded.items():
        if has.volumes.get(name, 0) > units(limit):
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    whole = limits(rec.pod).get(DISK, 0)
    if whole and has.total > whole:
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {disk.quantity(whole)}. "
    for name, each in most.items():
        if each and has.containers.get(name, 0) > units(each):
            return f'Container {name} exceeded its local ephemeral storage limit "{each}". '
    return ""
