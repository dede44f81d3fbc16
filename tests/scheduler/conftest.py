"""A scheduler on a small API server in memory, and builders for nodes and pods."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.machinery import errors
from clusterlab.scheduler import scheduler
from clusterlab.sim import Simulation
from tests.controllers.fake_api import FakeApi

Object = dict[str, Any]


class Api(FakeApi):
    """Adds bindings."""

    def _create(self, request: Any) -> Object:
        if request.subresource != "binding":
            return super()._create(request)
        pod = self._find(request)
        if pod["spec"].get("nodeName"):
            why = f"pod {request.name} is already assigned to node \"{pod['spec']['nodeName']}\""
            raise errors.conflict("pods/binding", "", request.name, why)
        condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": self.sim.now_rfc3339()}
        conditions = [c for c in pod["status"].get("conditions", []) if c["type"] != "PodScheduled"]
        status = {**pod["status"], "conditions": [*conditions, condition]}
        node = request.body["target"]["name"]
        return self._write("pods", self._key(request), {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status})


def node(name: str, cpu: str = "4", memory: str = "8Gi", pods: str = "110", labels: Object | None = None, **spec: Any) -> Object:
    have = {"cpu": cpu, "memory": memory, "pods": pods, "ephemeral-storage": "100Gi"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}}, "spec": spec,
        "status": {"capacity": have, "allocatable": have},
    }


def pod(name: str, cpu: str = "", memory: str = "", labels: Object | None = None, namespace: str = "default", **spec: Any) -> Object:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    container = {"name": "c", "image": "web:v1", "resources": {"requests": requests} if requests else {}}
    meta = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"metadata": meta, "spec": {"containers": [container], "schedulerName": "default-scheduler", **spec}}


class Bench:
    """A simulation with a scheduler in it."""

    def __init__(self, config: Object | None = None) -> None:
        self.sim = Simulation(7)
        self.api = Api(self.sim)
        self.process = scheduler(self.sim, self.api, config=config)
        self.part = self.process.parts[0]
        self.process.start()

    def nodes(self, *nodes: Object) -> None:
        for each in nodes:
            self.api.put("nodes", each)

    def create(self, *pods: Object) -> None:
        for each in pods:
            self.api.put("pods", each)

    def run(self, until_ms: int | None = None) -> None:
        """Runs until it has settled, or until a time with idle events as well."""
        for _ in range(100_000):
            due = self.sim.next_time()
            if due is None or (until_ms is None and self.sim.settled) or (until_ms is not None and due > until_ms):
                break
            self.sim.dispatch()
        else:
            raise AssertionError("it does not settle")
        if until_ms is not None:
            self.sim.advance_to(until_ms)

    def where(self, name: str) -> str:
        found = self.api.get("pods", name if "/" in name else f"default/{name}")
        return (found or {"spec": {}})["spec"].get("nodeName", "")

    def condition(self, name: str) -> Object:
        conditions = self.api.get("pods", f"default/{name}")["status"].get("conditions", [])
        return next((c for c in conditions if c["type"] == "PodScheduled"), {})

    def told(self, reason: str) -> list[str]:
        return [message for known, message in self.api.events() if known == reason]


@pytest.fixture
def bench() -> Bench:
    return Bench()
