"""DefaultBinder: writes a pod's Binding. Follows pkg/scheduler/framework/plugins/defaultbinder."""

from __future__ import annotations

from collections.abc import Callable

from clusterlab.machinery.errors import StatusError
from clusterlab.scheduler.framework import CycleState, Object, Plugin, Status, error
from clusterlab.scheduler.podinfo import PodInfo

__all__ = ["DefaultBinder"]


class DefaultBinder(Plugin):
    """`write` sends the Binding to the API server."""

    name = "DefaultBinder"

    def __init__(self, write: Callable[[Object, str], None]) -> None:
        self.write = write

    def bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        try:
            self.write(pod.pod, node)
        except StatusError as refused:
            return error(refused.message, self.name)
        return None
