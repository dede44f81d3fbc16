"""A small cluster with its services, to send requests through."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.client.api import User
from clusterlab.client.client import Client
from clusterlab.cluster import Cluster
from clusterlab.network.fabric import Exchange, Fabric, Source
from clusterlab.scenario import load

Object = dict[str, Any]


class Net:
    """A cluster of three nodes; objects are created as an administrator would."""

    def __init__(self, **scenario: Any) -> None:
        self.cluster = Cluster(load({"nodes": 3, "controlPlaneNode": False, "etcd": {"members": 1}, **scenario}))
        self.sim = self.cluster.sim
        self.client = Client(self.cluster.api, User("admin", ("system:masters", "system:authenticated")), "test")
        found = self.sim.components["network"]
        assert isinstance(found, Fabric)
        self.fabric = found

    def do(self, act: Any) -> Any:
        self.sim.perform("test", "do", "")
        try:
            return act()
        finally:
            self.sim.finish()

    def create(self, resource: str, obj: Object) -> Object:
        obj.setdefault("metadata", {}).setdefault("namespace", "default")
        made: Object = self.do(lambda: self.client.create(resource, obj))
        return made

    def settle(self) -> None:
        for _ in range(100_000):
            if self.sim.settled:
                return
            self.sim.dispatch()
        raise AssertionError("does not settle")

    def run(self, seconds: float) -> None:
        end = self.sim.time_ms + round(seconds * 1000)
        while (due := self.sim.next_time()) is not None and due <= end:
            self.sim.dispatch()
        self.sim.advance_to(end)

    def deployment(self, name: str, image: str = "nginx:1.25", replicas: int = 3, **container: Any) -> None:
        labels = {"app": name}
        spec = {"containers": [{"name": "c", "image": image, **container}]}
        self.create("deployments", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}})

    def service(self, name: str, port: int = 80, target: int = 80, **spec: Any) -> Object:
        return self.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
            "selector": {"app": name}, "ports": [{"port": port, "targetPort": target}], **spec}})

    def pod(self, name: str, labels: dict[str, str] | None = None, namespace: str = "default", **spec: Any) -> None:
        self.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": name, "namespace": namespace, "labels": labels or {"run": name}}, "spec": {
                "containers": [{"name": "c", "image": "busybox:1.36", "command": ["sleep", "3600"]}], **spec}})

    def source(self, name: str, namespace: str = "default") -> Source:
        pod = self.cluster.find(f"pods/{namespace}/{name}")
        assert pod is not None
        return self.fabric.source_of(pod["metadata"]["uid"], pod["spec"]["nodeName"])

    def get(self, url: str, client: str = "client", **headers: str) -> Exchange:
        return self.fabric.request(self.source(client), url, "GET", headers)

    def outside(self, url: str, **headers: str) -> Exchange:
        return self.fabric.request(Source(), url, "GET", headers)


@pytest.fixture
def net() -> Net:
    made = Net()
    made.deployment("web")
    made.service("web")
    made.pod("client")
    made.settle()
    return made
