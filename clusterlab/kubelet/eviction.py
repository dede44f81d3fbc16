"""Node-pressure eviction: when a node runs out of memory or disk, which pod goes first.

Follows pkg/kubelet/eviction/eviction_manager.go and helpers.go with the default hard thresholds: memory.available<100Mi,
nodefs.available<10%, imagefs.available<15%. Soft thresholds and the kernel's own OOM killer for whole nodes are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

__all__ = ["manage"]


def manage(kl: Kubelet) -> None:
    """Looks at what is left of the node's memory, and evicts one pod where that is too little."""
