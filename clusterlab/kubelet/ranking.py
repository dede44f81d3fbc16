"""Which pod has to go first when a node runs short of something.

Follows pkg/kubelet/eviction/helpers.go (rankMemoryPressure, rankDiskPressureFunc, rankPIDPressure). Pure: pods are what they
use and asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from clusterlab.kubelet.thresholds import DISK, INODES, PIDS

__all__ = ["Candidate", "ranked"]


class Candidate(NamedTuple):
    """A pod that could be evicted. `requested` is what it asked for of the resource that is short: nothing of inodes and process numbers,
    which cannot be asked for. `ephemeral` is its request of disk, which inodes are measured against as well, oddly."""

    rec: Any
    used: int
    requested: int
    priority: int
    ephemeral: int = 0


def ranked(candidates: list[Candidate], resource: str = DISK) -> list[Candidate]:
    """The pods in the order of their eviction: those over their requests, then by priority, then by how far they are over. Process numbers
    go by priority first."""
    if resource == PIDS:
        return sorted(candidates, key=lambda each: (each.priority, -each.used))
    if resource == INODES:
        return sorted(candidates, key=lambda each: (each.used <= each.requested, each.priority, each.ephemeral - each.used))
    return sorted(candidates, key=lambda each: (each.used <= each.requested, each.priority, -(each.used - each.requested)))
