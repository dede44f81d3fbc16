"""Nodes: what their conversion adds. Follows pkg/apis/core/v1/conversion.go (NodeSpec)."""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.registry.store import Hooks
from clusterlab.apiserver.strategy import with_pod_cidrs

Object = dict[str, Any]

__all__ = ["NodeHooks"]


class NodeHooks(Hooks):
    """podCIDR decides over podCIDRs before anybody owns either."""

    def claimed(self, obj: Object) -> Object:
        return with_pod_cidrs(obj)
