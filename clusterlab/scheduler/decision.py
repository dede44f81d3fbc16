"""What a scheduling cycle came to, and how it is told.

Follows FitError and Diagnosis in pkg/scheduler/framework/types.go.
"""

from __future__ import annotations

from typing import Any

from clusterlab.scheduler.framework import ERROR, CycleState, NodeToStatus, Status

Object = dict[str, Any]

__all__ = ["Decision", "fit_error"]


class Decision:
    """The outcome of one cycle. `code` is "" where a node was chosen. Scores are kept as columns, a plugin each, and turned into
    tables only when somebody asks."""

    __slots__ = (
        "chosen", "code", "columns", "evaluated", "feasible", "filtered_statuses", "message", "next_start", "nodes", "nominated",
        "plugins", "pod", "post_filter_error", "post_filter_message", "pre_filter_message", "rejecting", "scored_nodes", "state",
        "ties", "totals", "victims",
    )

    def __init__(self, pod: str, nodes: int, state: CycleState) -> None:
        self.pod = pod
        self.nodes = nodes  # how many there were
        self.state = state
        self.chosen = ""
        self.code = ""
        self.message = ""
        self.pre_filter_message = ""
        self.post_filter_message = ""
        self.post_filter_error = False
        self.filtered_statuses: dict[str, Status] = {}
        self.feasible = 0
        self.evaluated = 0
        self.next_start: int | None = None
        self.scored_nodes: list[str] = []
        self.plugins: tuple[str, ...] = ()
        self.columns: list[list[int]] = []
        self.totals: list[int] = []
        self.ties: tuple[str, ...] = ()
        #: A node that preemption has found room on, "" to give up an earlier one, None to leave it.
        self.nominated: str | None = None
        self.victims: tuple[Object, ...] = ()
        #: The plugins without whose rejection the pod might have fit.
        self.rejecting: tuple[str, ...] = ()

    def fail(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        if code == ERROR:
            self.nominated = ""

    @property
    def filtered(self) -> dict[str, tuple[str, str]]:
        """Node -> (the plugin that filtered it out, why)."""
        return {node: (status.plugin, status.message) for node, status in self.filtered_statuses.items()}

    @property
    def scores(self) -> dict[str, dict[str, int]]:
        """Node -> plugin -> normalised and weighted score."""
        return {
            node: {plugin: column[i] for plugin, column in zip(self.plugins, self.columns, strict=True)}
            for i, node in enumerate(self.scored_nodes)
        }

    @property
    def final(self) -> dict[str, int]:
        """Node -> sum of its scores."""
        return dict(zip(self.scored_nodes, self.totals, strict=True))


def fit_error(nodes: int, pre_filter_message: str, statuses: NodeToStatus, post_filter_message: str) -> str:
    """The message of a pod that fits nowhere."""
    message = f"0/{nodes} nodes are available:"
    if pre_filter_message:
        message += f" {pre_filter_message}."
    else:
        reasons: dict[str, int] = {}
        for status in statuses.by_node.values():
            for reason in status.reasons:
                reasons[reason] = reasons.get(reason, 0) + 1
        absent = nodes - len(statuses.by_node)
        if absent > 0:
            for reason in statuses.absent.reasons:
                reasons[reason] = reasons.get(reason, 0) + absent
        if reasons:
            message += " " + ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items())) + "."
    return f"{message} {post_filter_message}" if post_filter_message else message
