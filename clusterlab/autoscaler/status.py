"""The configMap cluster-autoscaler-status, in which the cluster autoscaler says how it is.

Follows cluster-autoscaler/clusterstate/api/types.go and clusterstate/utils/status.go in its fields. The real one writes it in every scan;
here it is written when something but its times has changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import yaml

from clusterlab.autoscaler.config import Group

__all__ = ["NAME", "NAMESPACE", "GroupState", "text"]

Object = dict[str, Any]
NAME, NAMESPACE = "cluster-autoscaler-status", "kube-system"


class GroupState(NamedTuple):
    """How a group stands. Of its nodes: those registered, those of them ready, those on their way, those that could go."""

    group: Group
    target: int
    registered: int
    ready: int
    upcoming: int
    candidates: int
    back_off: str = ""  # why it gets no more nodes for now
    since: tuple[str, str, str] = ("", "", "")  # when health, scaleUp and scaleDown last changed


def words(state: GroupState) -> tuple[str, str, str]:
    """Health, scale-up and scale-down in one word each."""
    up = "Backoff" if state.back_off else "InProgress" if state.upcoming else "NoActivity"
    health = "Healthy" if state.ready >= state.registered - 3 else "Unhealthy"
    return health, up, "CandidatesPresent" if state.candidates else "NoCandidates"


def _counts(states: Iterable[GroupState]) -> Object:
    every = list(states)
    registered, ready = sum(each.registered for each in every), sum(each.ready for each in every)
    unregistered = sum(max(0, each.target - each.registered) for each in every)
    return {"registered": {"total": registered, "ready": ready, "notStarted": registered - ready}, "longUnregistered": 0,
            "unregistered": unregistered}


def _entry(states: list[GroupState], names: tuple[str, str, str], now: str, more: Object) -> Object:
    since = states[0].since if len(states) == 1 else tuple(max((each.since[at] for each in states), default=now) for at in range(3))
    times = [{"lastProbeTime": now, "lastTransitionTime": each or now} for each in since]
    scale_up: Object = {"status": names[1]}
    why = next((each.back_off for each in states if each.back_off), "")
    if names[1] == "Backoff":
        scale_up["backoffInfo"] = {"errorCode": "timeout", "errorMessage": why}
    scale_down: Object = {"status": names[2]}
    if names[2] == "CandidatesPresent":
        scale_down["candidates"] = sum(each.candidates for each in states)
    return {"health": {"status": names[0], "nodeCounts": _counts(states), **more, **times[0]}, "scaleUp": {**scale_up, **times[1]},
            "scaleDown": {**scale_down, **times[2]}}


def text(states: list[GroupState], now: str) -> str:
    """The status as YAML."""
    parts = [words(each) for each in states]
    whole = (
        "Healthy" if all(each[0] == "Healthy" for each in parts) else "Unhealthy",
        "InProgress" if any(each[1] == "InProgress" for each in parts) else "NoActivity",
        "CandidatesPresent" if any(each[2] == "CandidatesPresent" for each in parts) else "NoCandidates",
    )
    groups = [
        {"name": state.group.name, **_entry([state], words(state), now, {
            "cloudProviderTarget": state.target, "minSize": state.group.least, "maxSize": state.group.most})}
        for state in states
    ]
    return yaml.safe_dump({
        "time": now, "autoscalerStatus": "Running", "clusterWide": _entry(states, whole, now, {}), "nodeGroups": groups}, sort_keys=False)
