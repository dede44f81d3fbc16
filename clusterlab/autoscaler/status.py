"""The configMap cluster-autoscaler-status, in which the cluster autoscaler says how it is.

Follows cluster-autoscaler/clusterstate/api/types.go and clusterstate/utils/status.go in its fields. The real one writes it in every scan;
here it is written when something but its times has changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import yaml

from clusterlab.autoscaler.config import Group
from clusterlab.autoscaler.health import Readiness

__all__ = ["NAME", "NAMESPACE", "ClusterState", "GroupState", "text", "whole_words", "words"]

Object = dict[str, Any]
NAME, NAMESPACE = "cluster-autoscaler-status", "kube-system"


class GroupState(NamedTuple):
    """How a group stands. Of its nodes: those registered and how they are, those on their way, those that could go."""

    group: Group
    target: int
    nodes: Readiness
    healthy: bool
    upcoming: int
    candidates: int
    back_off: str = ""  # why it gets no more nodes for now
    since: tuple[str, str, str] = ("", "", "")  # when health, scaleUp and scaleDown last changed


class ClusterState(NamedTuple):
    """How the whole cluster stands, with the nodes that no group has."""

    nodes: Readiness
    healthy: bool
    since: tuple[str, str, str] = ("", "", "")


def words(state: GroupState) -> tuple[str, str, str]:
    """Health, scale-up and scale-down in one word each."""
    up = "Backoff" if state.back_off else "InProgress" if state.upcoming else "NoActivity"
    return _health(state.healthy), up, "CandidatesPresent" if state.candidates else "NoCandidates"


def whole_words(states: Iterable[GroupState], healthy: bool) -> tuple[str, str, str]:
    """The same of the whole cluster."""
    parts = [words(each) for each in states]
    return (
        _health(healthy), "InProgress" if any(each[1] == "InProgress" for each in parts) else "NoActivity",
        "CandidatesPresent" if any(each[2] == "CandidatesPresent" for each in parts) else "NoCandidates",
    )


def _health(healthy: bool) -> str:
    return "Healthy" if healthy else "Unhealthy"


def _counts(states: Iterable[GroupState], nodes: Readiness) -> Object:
    return {
        "registered": {"total": sum(nodes), "ready": nodes.ready, "notStarted": nodes.not_started,
                       "unready": {"total": nodes.unready, "resourceUnready": 0}},
        "longUnregistered": 0, "unregistered": sum(max(0, each.target - sum(each.nodes)) for each in states),
    }


def _entry(
    states: list[GroupState], names: tuple[str, str, str], now: str, more: Object, nodes: Readiness, since: tuple[str, str, str],
) -> Object:
    times = [{"lastProbeTime": now, "lastTransitionTime": each or now} for each in since]
    scale_up: Object = {"status": names[1]}
    why = next((each.back_off for each in states if each.back_off), "")
    if names[1] == "Backoff":
        scale_up["backoffInfo"] = {"errorCode": "timeout", "errorMessage": why}
    scale_down: Object = {"status": names[2]}
    if names[2] == "CandidatesPresent":
        scale_down["candidates"] = sum(each.candidates for each in states)
    return {"health": {"status": names[0], "nodeCounts": _counts(states, nodes), **more, **times[0]}, "scaleUp": {**scale_up, **times[1]},
            "scaleDown": {**scale_down, **times[2]}}


def text(states: list[GroupState], cluster: ClusterState, now: str) -> str:
    """The status as YAML."""
    whole = _entry(states, whole_words(states, cluster.healthy), now, {}, cluster.nodes, cluster.since)
    groups = [
        {"name": state.group.name, **_entry([state], words(state), now, {
            "cloudProviderTarget": state.target, "minSize": state.group.least, "maxSize": state.group.most}, state.nodes, state.since)}
        for state in states
    ]
    return yaml.safe_dump({
        "time": now, "autoscalerStatus": "Running", "clusterWide": whole, "nodeGroups": groups}, sort_keys=False)
