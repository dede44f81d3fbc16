"""A cluster of controllers on the fake API server, with a stand-in for scheduler and kubelet."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.controllers.manager import Options, controller_manager
from clusterlab.sim import Simulation
from tests.controllers.fake_api import FakeApi

Object = dict[str, Any]


class Lab:
    """A simulation, an API server and the named controllers."""

    def __init__(self, *controllers: str, **options: Any) -> None:
        self.sim = Simulation()
        self.api = FakeApi(self.sim)
        self.process = controller_manager(self.sim, self.api, options=Options(controllers=controllers, **options))

    def start(self) -> Lab:
        self.process.start()
        self.settle()
        return self

    def settle(self, limit: int = 200_000) -> None:
        for _ in range(limit):
            if self.sim.settled:
                return
            self.sim.dispatch()
        raise AssertionError("does not settle")

    def run(self, seconds: float) -> None:
        """Runs for a stretch of simulated time."""
        end = self.sim.time_ms + round(seconds * 1000)
        for _ in range(1_000_000):
            due = self.sim.next_time()
            if due is None or due > end:
                break
            self.sim.dispatch()
        self.sim.advance_to(end)

    # Standing in for the scheduler and the kubelets.

    def pods(self, namespace: str = "default") -> list[Object]:
        return [pod for pod in self.api.all("pods") if pod["metadata"]["namespace"] == namespace]

    def set_pod(self, pod: Object, phase: str = "Running", ready: bool = True, node: str = "node-1", **status: Any) -> None:
        key = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        pod = self.api.store["pods"][key]
        now = self.sim.now_rfc3339()
        condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now}
        number = int(pod["metadata"]["resourceVersion"])
        full = {"phase": phase, "podIP": f"10.0.{number // 250}.{number % 250 + 1}", "startTime": now, "conditions": [condition], **status}
        full["podIPs"] = [{"ip": full["podIP"]}]
        self.api.change("pods", key, spec={**pod["spec"], "nodeName": pod["spec"].get("nodeName") or node}, status=full)

    def run_pods(self, namespace: str = "default") -> None:
        """Makes every pod run, and finishes what is being deleted."""
        for _ in range(20):
            todo = False
            for pod in self.pods(namespace):
                if pod["metadata"].get("deletionTimestamp"):
                    meta = {**pod["metadata"], "deletionGracePeriodSeconds": 0}
                    if meta.get("finalizers"):
                        self.api.change("pods", f"{namespace}/{meta['name']}", metadata=meta,
                                        status={**pod.get("status", {}), "phase": "Failed"})
                    else:
                        self.api.remove("pods", f"{namespace}/{meta['name']}")
                    todo = True
                elif pod["status"].get("phase") == "Pending":
                    self.set_pod(pod)
                    todo = True
            if not todo and self.sim.settled:
                return
            self.settle()


@pytest.fixture
def lab() -> type[Lab]:
    return Lab


def template(image: str = "nginx:1.25", app: str = "web", **spec: Any) -> Object:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "nginx", "image": image}], **spec}}


def workload(kind: str, name: str = "web", replicas: int = 3, **spec: Any) -> Object:
    """A Deployment, ReplicaSet, … called `name` with three pods labelled app=name."""
    return {
        "kind": kind, "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(app=name), **spec},
    }
