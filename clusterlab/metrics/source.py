"""The Metrics API's objects, as metrics-server (sigs.k8s.io/metrics-server) makes them from what the kubelets tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from clusterlab.metrics.usage import Usage, node_usage, pod_usage
from clusterlab.sim import Simulation

Object = dict[str, Any]

__all__ = ["MetricsSource"]

WINDOW = "15s"
SCRAPED_AGO_MS = 1_000


class MetricsSource:
    """Called with (plural, namespace) by the API server; "" is every namespace. Nodes that are down or whose kubelet is say nothing."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim

    def __call__(self, plural: str, namespace: str = "") -> list[Object]:
        return self.nodes() if plural == "nodes" else self.pods(namespace)

    def _kubelets(self) -> list[Any]:
        every: list[Any] = [each for name, each in self.sim.components.items() if name.startswith("kubelet/")]
        return [each for each in every if each.up and each.runtime.up]

    def _scraped(self) -> str:
        """When the figures were taken: they are always a moment old, which is why the autoscaler waits a little for new pods."""
        moment = self.sim.epoch + timedelta(milliseconds=max(0, self.sim.time_ms - SCRAPED_AGO_MS))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def nodes(self) -> list[Object]:
        """NodeMetrics of every node, by name."""
        now, scraped = self.sim.now_rfc3339(), self._scraped()
        found = []
        for kubelet in self._kubelets():
            meta = {"name": kubelet.config.name, "creationTimestamp": now}
            labels = ((kubelet.node or {}).get("metadata") or {}).get("labels")
            if labels:
                meta["labels"] = labels
            found.append({"metadata": meta, "timestamp": scraped, "window": WINDOW, "usage": _usage(node_usage(kubelet.runtime))})
        return sorted(found, key=lambda each: str(each["metadata"]["name"]))

    def pods(self, namespace: str = "") -> list[Object]:
        """PodMetrics of the pods of a namespace whose containers run."""
        now, scraped = self.sim.now_rfc3339(), self._scraped()
        found = []
        for kubelet in self._kubelets():
            for uid, rec in kubelet.pods.items():
                meta = rec.pod["metadata"]
                if namespace and meta["namespace"] != namespace:
                    continue
                used = pod_usage(kubelet.runtime, uid)
                if not used:
                    continue
                shown = {"name": meta["name"], "namespace": meta["namespace"], "creationTimestamp": now}
                if meta.get("labels"):
                    shown["labels"] = meta["labels"]
                containers = [{"name": name, "usage": _usage(each)} for name, each in used.items()]
                found.append({"metadata": shown, "timestamp": scraped, "window": WINDOW, "containers": containers})
        return sorted(found, key=lambda each: (str(each["metadata"]["namespace"]), str(each["metadata"]["name"])))


def _usage(used: Usage) -> Object:
    return {"cpu": f"{used.cpu_micro * 1000}n" if used.cpu_micro else "0", "memory": f"{used.memory >> 10}Ki"}
