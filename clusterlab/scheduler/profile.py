"""A profile: the plugins of one scheduler name, by extension point.

Follows frameworkImpl in pkg/scheduler/framework/runtime/framework.go: which plugin runs where, and in what order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

from clusterlab.scheduler.framework import Plugin

__all__ = ["EXTENSION_POINTS", "Profile", "Scored"]

#: Extension point in KubeSchedulerConfiguration -> the method that a plugin overrides to take part.
EXTENSION_POINTS: dict[str, str] = {
    "preEnqueue": "pre_enqueue", "preFilter": "pre_filter", "filter": "filter", "postFilter": "post_filter",
    "preScore": "pre_score", "score": "score", "reserve": "reserve", "permit": "permit", "preBind": "pre_bind", "bind": "bind",
}
_numbers = count()


class Scored(NamedTuple):
    """A score plugin and its weight."""

    plugin: Plugin
    weight: int


class Profile:
    """What schedules the pods that ask for `scheduler_name`."""

    def __init__(
        self, scheduler_name: str, points: Mapping[str, Sequence[Plugin]], weights: Mapping[str, int],
        percentage_of_nodes_to_score: int | None = None,
    ) -> None:
        self.scheduler_name = scheduler_name
        self.percentage_of_nodes_to_score = percentage_of_nodes_to_score
        self.pre_enqueue = list(points["preEnqueue"])
        self.pre_filter = list(points["preFilter"])
        self.filter = list(points["filter"])
        self.post_filter = list(points["postFilter"])
        self.pre_score = list(points["preScore"])
        self.score = [Scored(plugin, weights.get(plugin.name) or 1) for plugin in points["score"]]
        self.reserve = list(points["reserve"])
        self.permit = list(points["permit"])
        self.pre_bind = list(points["preBind"])
        self.bind = list(points["bind"])
        #: Pods may be tried out on nodes through these.
        self.extensions = [p for p in self.pre_filter if _offers(p, "add_pod")]
        self.memo_prefix = f"filter{next(_numbers)}"
        self.plugins: dict[str, Plugin] = {}
        for plugins in points.values():
            self.plugins.update({plugin.name: plugin for plugin in plugins})


def _offers(plugin: Plugin, method: str) -> bool:
    return getattr(type(plugin), method) is not getattr(Plugin, method)
