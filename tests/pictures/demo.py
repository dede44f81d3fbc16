"""Records what the front page plays: `python -m tests.pictures.demo`. A shop of four pods in a real model is brought from v1 to v2, then loses a node.

Written to static/src/front/demo.json: the snapshot at the beginning and the frames that matter, without what the picture does not show.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load
from clusterlab.stream import project
from tests.model.script import WEB, request, settle
from tests.server import ROOT

DEMO = ROOT / "static" / "src" / "front" / "demo.json"
#: The picture shows pods, nodes, services and workloads; what else there is would only make the file larger.
SHOWN = ("pods/", "nodes/", "services/default/", "endpointslices/default/", "deployments/default/", "replicasets/default/")
#: Work that a visitor need not see in the first minute.
QUIET = ("endpoints-controller", "kube-proxy")
LOST_MS = 56_000


def _scenario() -> dict[str, Any]:
    labels = {"app": "web"}
    container = {"name": "web", "image": "shop/web:v1", "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}}, "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}}
    spec = {"replicas": 4, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}
    return {
        "seed": 8, "nodes": [{"name": f"node-{i}"} for i in (1, 2, 3)], "etcd": {"members": 3},
        "images": [{"match": "shop/web:*", "pull": "2s", "start": "500ms", "ready": "1s", "serve": {"port": 8080}}],
        "manifests": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}, "spec": spec},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": labels, "ports": [{"port": 80}]}},
        ],
    }


def _patch() -> dict[str, Any]:
    return request("PATCH", WEB, {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "shop/web:v2"}]}}}}, "application/strategic-merge-patch+json")


def _slim(frame: dict[str, Any]) -> dict[str, Any]:
    for span in frame["requests"]:
        span["stages"] = [{**stage, "why": ""} for stage in span["stages"]]
    kept = {key: view for key, view in frame["objects"].items() if key.startswith(SHOWN)}
    return {**frame, "objects": kept, "changes": [one for one in frame["changes"] if one["key"] in kept]}


def record() -> dict[str, Any]:
    """{snapshot, frames}: the same bytes each time, for the same model."""
    cluster = Cluster(load(_scenario()))
    settle(cluster)
    snapshot = project.snapshot(cluster)
    snapshot["objects"] = {key: view for key, view in snapshot["objects"].items() if key.startswith(SHOWN)}
    begin = cluster.sim.last_seq
    cluster.history.execute(_patch())
    settle(cluster)
    cluster.history.execute({"kind": "fault", "fault": {"kind": "node-down", "target": "node-2"}})
    end_ms = cluster.sim.time_ms + LOST_MS
    while cluster.sim.time_ms < end_ms:
        cluster.history.advance()
    steps = cluster.sim.steps[begin - cluster.sim.first_seq + 1 :]
    frames = [_slim(project.frame(step, cluster.sim.epoch)) for step in steps]
    return {"snapshot": snapshot, "frames": [one for one in frames if not one["routine"] and one["actor"] not in QUIET]}


def main(path: Path = DEMO) -> None:
    path.write_bytes(orjson.dumps(record()) + b"\n")


if __name__ == "__main__":
    main()
