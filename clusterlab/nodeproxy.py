"""What a kubelet answers through the API server: `kubectl get --raw /api/v1/nodes/NAME/proxy/…`.

Follows pkg/kubelet/server/server.go and server/stats/{handler,summary}.go, and for refusals pkg/registry/core/node/rest. Served are
`healthz`, `pods`, `configz`, `stats/summary` and `metrics/resource`, as far as the model measures; the rest is left out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from clusterlab.apiserver.answers import HttpAnswer, plain
from clusterlab.kubelet.configuration import shown
from clusterlab.kubelet.kubelet import Kubelet
from clusterlab.machinery.errors import bad_request, not_found, service_unavailable
from clusterlab.metrics.usage import Usage, node_usage, pod_usage
from clusterlab.sim import Simulation

__all__ = ["NodeProxy"]

Object = dict[str, Any]
_PORTS = ("", "10250")


class NodeProxy:
    """The kubelets of a cluster by the names of their nodes, as the API server reaches them."""

    def __init__(self, sim: Simulation, api: Any) -> None:
        self.sim, self.api = sim, api

    def __call__(self, method: str, name: str, path: str) -> HttpAnswer:
        """Answers a request to a node. `name`: [SCHEME:]NODE[:PORT]; raises StatusError where the node cannot be asked."""
        kubelet = self._kubelet(name)
        if method != "GET":
            return plain(405, "405: Method Not Allowed\n")
        path = path.strip("/")
        if path in {"healthz", "healthz/ping", "healthz/log", "healthz/syncloop"}:
            return plain(200, "ok")
        if path == "pods":
            return _json(self._pods(kubelet))
        if path == "configz":
            return _json({"kubeletconfig": shown(kubelet)})
        if path == "stats/summary":
            return _json(self._summary(kubelet))
        if path == "metrics/resource":
            return plain(200, self._metrics(kubelet), "text/plain; version=0.0.4; charset=utf-8")
        return plain(404, "404 page not found\n")

    def _kubelet(self, name: str) -> Kubelet:
        words = name.split(":")
        node = words[1] if len(words) == 3 else words[0]
        port = words[2] if len(words) == 3 else words[1] if len(words) == 2 else ""
        if self.api.find(f"nodes/{node}") is None:
            raise not_found("nodes", "", node)
        kubelet = self.sim.components.get(f"kubelet/{node}")
        if not isinstance(kubelet, Kubelet):
            raise bad_request(f"no host is known for node {node}")
        if port not in _PORTS or not (kubelet.up and kubelet.runtime.up):
            at = f"{kubelet.config.address}:{port or _PORTS[1]}"
            raise service_unavailable(f"error trying to reach service: dial tcp {at}: connect: connection refused")
        return kubelet

    def _pods(self, kubelet: Kubelet) -> Object:
        pods = [{**rec.pod, "status": rec.status or rec.pod.get("status") or {}} for rec in kubelet.pods.values()]
        return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods}

    def _moment(self, time_ms: int) -> str:
        return (self.sim.epoch + timedelta(milliseconds=max(0, time_ms))).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _figures(self, used: Usage) -> Object:
        now = self._moment(self.sim.time_ms)
        return {
            "cpu": {"time": now, "usageNanoCores": used.cpu_micro * 1000},
            "memory": {"time": now, "usageBytes": used.memory, "workingSetBytes": used.memory},
        }

    def _summary(self, kubelet: Kubelet) -> Object:
        """A Summary of stats/v1alpha1."""
        runtime, pods = kubelet.runtime, []
        for uid, rec in kubelet.pods.items():
            meta, used = rec.pod["metadata"], pod_usage(runtime, uid)
            whole = Usage(sum(each.cpu_micro for each in used.values()), sum(each.memory for each in used.values()))
            pods.append({
                "podRef": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
                "startTime": (rec.status or {}).get("startTime") or meta.get("creationTimestamp"),
                "containers": [{"name": name, **self._figures(each)} for name, each in used.items()], **self._figures(whole),
            })
        figures = self._figures(node_usage(runtime))
        figures["memory"]["availableBytes"] = max(0, runtime.memory_bytes - figures["memory"]["workingSetBytes"])
        return {"node": {"nodeName": kubelet.config.name, **figures}, "pods": pods}

    def _metrics(self, kubelet: Kubelet) -> str:
        """The memory of node, pods and containers in Prometheus' text format (pkg/kubelet/metrics/collectors/resource_metrics.go). CPU is
        a total since the start there, which the model does not keep."""
        rows: dict[str, tuple[str, list[str]]] = {
            "container_memory_working_set_bytes": ("Current working set of the container in bytes", []),
            "node_memory_working_set_bytes": ("Current working set of the node in bytes", []),
            "pod_memory_working_set_bytes": ("Current working set of the pod in bytes", []),
        }
        at = int(self.sim.epoch.timestamp() * 1000) + self.sim.time_ms
        rows["node_memory_working_set_bytes"][1].append(f"{node_usage(kubelet.runtime).memory} {at}")
        for uid, rec in kubelet.pods.items():
            meta, used = rec.pod["metadata"], pod_usage(kubelet.runtime, uid)
            which = f'namespace="{meta["namespace"]}",pod="{meta["name"]}"'
            for name, each in used.items():
                rows["container_memory_working_set_bytes"][1].append(f'{{container="{name}",{which}}} {each.memory} {at}')
            if used:
                rows["pod_memory_working_set_bytes"][1].append(f"{{{which}}} {sum(each.memory for each in used.values())} {at}")
        return "".join(
            f"# HELP {name} [STABLE] {told}\n# TYPE {name} gauge\n" + "".join(
                f"{name}{line}\n" if line.startswith("{") else f"{name} {line}\n" for line in lines)
            for name, (told, lines) in rows.items() if lines
        )


def _json(body: Object) -> HttpAnswer:
    return HttpAnswer(200, [("Content-Type", "application/json")], orjson.dumps(body))
