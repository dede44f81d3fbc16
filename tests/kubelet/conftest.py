"""A node or two on a real API server: what a kubelet does, seen through the API."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.apiserver.server import ApiServer
from clusterlab.client.api import User
from clusterlab.client.client import Client
from clusterlab.etcd.cluster import Etcd
from clusterlab.kubelet import Kubelet, kubelet
from clusterlab.machinery.errors import StatusError
from clusterlab.runtime import scripts
from clusterlab.scenario import load
from clusterlab.sim import Simulation

Object = dict[str, Any]


class Lab:
    """A simulation with kubelets, without a scheduler or controllers."""

    def __init__(self, **scenario: Any) -> None:
        self.scenario = load({"nodes": 1, "controlPlaneNode": False, "etcd": {"members": 1}, **scenario})
        self.sim = Simulation(self.scenario.seed)
        self.etcd = Etcd(self.sim, ["etcd-0"])
        self.api = ApiServer(self.sim, self.etcd)
        self.kubelets: dict[str, Kubelet] = {
            node.name: kubelet(self.sim, self.api, node, self.scenario) for node in self.scenario.all_nodes()
        }
        self.client = Client(self.api, User("admin", ("system:masters", "system:authenticated")), "test")
        self.etcd.start()
        self.api.start()
        for name in ("default", "kube-system", "kube-node-lease"):
            self.ask(lambda name=name: self.client.create("namespaces", {
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}), ignore="AlreadyExists")
        for name in ("default", "kube-system"):
            self.ask(lambda name=name: self.client.create("serviceaccounts", {
                "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}),
                ignore="AlreadyExists")
            self.ask(lambda name=name: self.client.create("configmaps", {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": name},
                "data": {"ca.crt": "CERT"}}), ignore="AlreadyExists")
        for each in self.kubelets.values():
            each.start()
        self.settle()

    def ask(self, act: Any, ignore: str = "") -> Any:
        self.sim.perform("test", "do", "")
        try:
            return act()
        except StatusError as error:
            if error.reason != ignore:
                raise
        finally:
            self.sim.finish()

    def settle(self, limit: int = 100_000) -> None:
        for _ in range(limit):
            if self.sim.settled:
                return
            self.sim.dispatch()
        raise AssertionError("does not settle")

    def run(self, seconds: float) -> None:
        end = self.sim.time_ms + round(seconds * 1000)
        while (due := self.sim.next_time()) is not None and due <= end:
            self.sim.dispatch()
        self.sim.advance_to(end)

    def pod(self, name: str = "p", node: str = "node-1", image: str = "nginx:1.25", container: Object | None = None, **spec: Any) -> Object:
        """Creates a pod that is bound already."""
        body = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": image, **(container or {})}], **spec},
        }
        return self.ask(lambda: self.client.create("pods", body))

    def get(self, name: str = "p") -> Object | None:
        try:
            return self.ask(lambda: self.client.get("pods", "default", name))
        except StatusError as error:
            if error.reason == "NotFound":
                return None
            raise

    def status(self, name: str = "p") -> Object:
        found = self.get(name)
        assert found is not None
        return found["status"]

    def exec(self, script: str, name: str = "p", container: str = "c") -> str:
        """What a script prints in a container."""
        found = self.get(name)
        assert found is not None
        runtime = self.kubelets[found["spec"]["nodeName"]].runtime
        made = runtime.latest(found["metadata"]["uid"], container)
        assert made is not None
        _, out, err, _ = scripts.execute(runtime, made, ("sh", "-c", script))
        return out + err

    def delete(self, name: str = "p", **options: Any) -> None:
        self.ask(lambda: self.client.delete("pods", "default", name, **options))

    def events(self, name: str = "p") -> list[tuple[str, str]]:
        listed = self.ask(lambda: self.client.list("events", "default"))
        mine = [each for each in listed if each["involvedObject"]["name"] == name]
        return [(each["reason"], each["message"]) for each in sorted(mine, key=lambda each: each["metadata"]["name"])]


@pytest.fixture
def lab() -> Lab:
    return Lab()
