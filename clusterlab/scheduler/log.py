"""The last decisions, kept so that anyone may ask why a pod is where it is.

Each is a tuple of plain data, and how many are kept depends on how many nodes they speak of.
"""

from __future__ import annotations

from typing import Any

from clusterlab.scheduler.decision import Decision

__all__ = ["DecisionLog"]

Object = dict[str, Any]
Entry = tuple[Any, ...]

DECISIONS_KEPT = 2_000
NODES_KEPT = 30_000


class DecisionLog:
    """Decisions by pod key, the latest last. State: `entries` and `nodes`, the nodes that they speak of in all."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.nodes = 0

    def keep(self, decision: Decision, seq: int, time_ms: int) -> None:
        """Remembers a decision, and forgets the oldest when there are too many."""
        size = len(decision.filtered_statuses) + len(decision.scored_nodes)
        old = self.entries.pop(decision.pod, None)
        if old is not None:
            self.nodes -= old[0]
        self.entries[decision.pod] = (
            size, decision.chosen, decision.message, decision.filtered_statuses, decision.scored_nodes, decision.plugins,
            decision.columns, decision.totals, decision.ties, decision.nominated,
            tuple(f"{v['metadata'].get('namespace', 'default')}/{v['metadata']['name']}" for v in decision.victims), seq, time_ms,
        )
        self.nodes += size
        while len(self.entries) > DECISIONS_KEPT or (self.nodes > NODES_KEPT and len(self.entries) > 1):
            self.nodes -= self.entries.pop(next(iter(self.entries)))[0]

    def told(self, key: str) -> Object | None:
        """A decision as data for people: chosen, message, filtered, scores, final, ties, preemption, seq, time_ms."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        _, chosen, message, filtered, nodes, plugins, columns, totals, ties, nominated, victims, seq, time_ms = entry
        scores = {
            node: {plugin: column[i] for plugin, column in zip(plugins, columns, strict=True)} for i, node in enumerate(nodes)
        }
        return {
            "chosen": chosen, "message": message,
            "filtered": {node: [status[2], ", ".join(status[1])] for node, status in filtered.items()},
            "scores": scores, "final": dict(zip(nodes, totals, strict=True)), "ties": list(ties),
            "preemption": {"node": nominated, "victims": list(victims)} if nominated else None,
            "seq": seq, "time_ms": time_ms,
        }

    def checkpoint(self) -> dict[str, Any]:
        return {"entries": self.entries.copy(), "nodes": self.nodes}

    def restore(self, data: dict[str, Any]) -> None:
        self.entries, self.nodes = dict(data["entries"]), data["nodes"]
