"""Nominations: pods that preemption has found room for, and on which node they wait for it.

Follows pkg/scheduler/backend/queue/nominator.go.
"""

from __future__ import annotations

from typing import Any

from clusterlab.scheduler.podinfo import PodInfo

Object = dict[str, Any]

__all__ = ["Nominator"]


class Nominator:
    """`nodes`: pod key -> node, which is state; `by_node`: node -> pods, derived."""

    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        self.by_node: dict[str, list[PodInfo]] = {}

    def add(self, pod: PodInfo) -> None:
        """Takes the nomination in a pod's status, if there is one."""
        node = _nominated(pod.pod)
        if node:
            self.nominate(pod, node)
        elif pod.key in self.nodes:
            self.delete(pod.key)

    def nominate(self, pod: PodInfo, node: str) -> None:
        """Nominates a pod to a node; "" only takes an earlier nomination back."""
        self.delete(pod.key)
        if node and not pod.pod["spec"].get("nodeName"):
            self.nodes[pod.key] = node
            self.by_node.setdefault(node, []).append(pod)

    def update(self, old: Object, pod: PodInfo) -> None:
        """A newer version of a pod."""
        if not self.nodes and not _nominated(pod.pod):
            return
        kept = self.nodes.get(pod.key, "")
        # A version from before the nomination was written must not undo it.
        reserved = kept if not _nominated(old) and not _nominated(pod.pod) else ""
        self.nominate(pod, reserved or _nominated(pod.pod))

    def delete(self, key: str) -> None:
        """The pod needs no nomination any longer."""
        node = self.nodes.pop(key, "")
        if node:
            left = [pod for pod in self.by_node[node] if pod.key != key]
            if left:
                self.by_node[node] = left
            else:
                del self.by_node[node]


def _nominated(pod: Object) -> str:
    return (pod.get("status") or {}).get("nominatedNodeName") or ""
