"""A script of commands that many tests play on a cluster: the life of a Deployment, with things that break."""

from __future__ import annotations

import json
from typing import Any

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
    "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "web"}}, "template": {
        "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx:1.25"}]}}},
}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}


def request(method: str, path: str, body: Any = None, kind: str = "application/json") -> dict[str, Any]:
    """A command that asks the API server something, as kubectl would."""
    text = "" if body is None else json.dumps(body)
    headers = {"content-type": kind, "user-agent": "kubectl/v1.37", "accept": "application/json"}
    return {"kind": "request", "method": method, "path": path, "query": "", "headers": headers, "body": text}


MERGE = "application/merge-patch+json"
WEB = "/apis/apps/v1/namespaces/default/deployments/web"
COMMANDS: list[dict[str, Any]] = [
    request("POST", "/apis/apps/v1/namespaces/default/deployments", DEPLOYMENT),
    request("POST", "/api/v1/namespaces/default/services", SERVICE),
    request("PATCH", WEB, {"spec": {"replicas": 7}}, MERGE),
    request("PATCH", WEB, {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}, MERGE),
    request("POST", "/api/v1/namespaces/default/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad name"}}),
    {"kind": "fault", "fault": {"kind": "etcd-kill", "target": "etcd-0", "for": "4s"}},
    request("DELETE", WEB),
]


def cluster(**scenario: Any) -> Cluster:
    return Cluster(load({"apiVersion": "clusterlab/v1", "kind": "Scenario", "nodes": 3, **scenario}))


def settle(cluster: Cluster, limit: int = 20_000) -> None:
    for _ in range(limit):
        if cluster.history.settled:
            return
        cluster.history.advance()
    raise AssertionError(f"not settled after {limit} events (seed {cluster.scenario.seed})")


def play(cluster: Cluster, commands: list[dict[str, Any]] | None = None, between: int = 0) -> Cluster:
    """Plays commands, each after the cluster has settled, or after `between` events."""
    for command in COMMANDS if commands is None else commands:
        cluster.history.execute(command)
        if between:
            for _ in range(between):
                cluster.history.advance()
        else:
            settle(cluster)
    settle(cluster)
    return cluster
