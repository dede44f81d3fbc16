"""Driving a whole cluster in a test: kubectl-like requests, simulated time, and looking at what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from clusterlab.cluster import Cluster
from tests.model.script import MERGE, cluster, request

__all__ = ["MERGE", "World", "deployment", "pod"]

Object = dict[str, Any]


def pod(name: str, image: str = "nginx:1.25", **spec: Any) -> Object:
    containers = [{"name": "main", "image": image}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"containers": containers, **spec}}


def deployment(name: str, replicas: int = 3, image: str = "nginx:1.25", **template: Any) -> Object:
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}], **template}}}}


class World:
    """A cluster and the hands on it. Every command is logged, as one from kubectl would be."""

    def __init__(self, **scenario: Any) -> None:
        self.cluster: Cluster = cluster(**scenario)
        self.sim, self.history = self.cluster.sim, self.cluster.history

    # Doing.

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json", query: str = "") -> Any:
        """The answer to a request, as JSON; the HTTP code is in `code` of a refusal."""
        answer = self.history.execute({**request(method, path, body, kind), "query": query})
        return json.loads(answer.body) if answer.body else {}

    def make(self, *objects: Object, namespace: str = "default") -> None:
        """Creates objects."""
        for obj in objects:
            path = self.path(obj["apiVersion"], obj["kind"], obj["metadata"].get("namespace", namespace))
            answer = self.ask("POST", path, obj)
            assert answer.get("status") != "Failure", answer.get("message")

    def path(self, version: str, kind: str, namespace: str = "default") -> str:
        group, _, rest = version.rpartition("/")
        found = self.cluster.api.scheme.by_gvk(group, rest, kind)
        assert found is not None, f"no kind {version} {kind}"
        base = f"/apis/{version}" if group else f"/api/{version}"
        return f"{base}/namespaces/{namespace}/{found.plural}" if found.namespaced else f"{base}/{found.plural}"

    def url(self, key: str) -> str:
        """The path of the object of a key such as pods/default/web."""
        resource, _, rest = key.partition("/")
        found = self.cluster.api.scheme.by_plural(resource) if "." not in resource else None
        assert found is not None, resource
        base = f"/apis/{found.group}/{found.version}" if found.group else f"/api/{found.version}"
        if not found.namespaced:
            return f"{base}/{resource}/{rest}"
        namespace, _, name = rest.partition("/")
        return f"{base}/namespaces/{namespace}/{resource}/{name}"

    def patch(self, key: str, body: Any, sub: str = "") -> Any:
        return self.ask("PATCH", self.url(key) + (f"/{sub}" if sub else ""), body, MERGE)

    def scale(self, key: str, replicas: int) -> Any:
        return self.patch(key, {"spec": {"replicas": replicas}}, "scale")

    def delete(self, key: str, grace_s: int | None = None, policy: str = "") -> Any:
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        if policy:
            body["propagationPolicy"] = policy
        return self.ask("DELETE", self.url(key), body)

    def evict(self, key: str) -> Any:
        _, namespace, name = key.split("/")
        return self.ask("POST", self.url(key) + "/eviction", {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}})

    def fault(self, kind: str, target: str = "", **options: Any) -> str:
        body = {"kind": kind, **({"target": target} if target else {}), **options}
        self.cluster.check_fault(body)
        return str(self.history.execute({"kind": "fault", "fault": body}))

    def heal(self, fault: str) -> None:
        self.history.execute({"kind": "heal", "id": fault})

    # Time.

    @property
    def now_s(self) -> float:
        return self.sim.time_ms / 1000

    def settle(self, limit: int = 30_000) -> None:
        for _ in range(limit):
            if self.history.settled:
                return
            self.history.advance()
        raise AssertionError(f"not settled after {limit} events: {self.sim.due()[:5]}")

    def run(self, seconds: float) -> None:
        """Lets simulated time pass."""
        until = self.sim.time_ms + round(seconds * 1000)
        while (due := self.history.next_time()) is not None and due <= until:
            self.history.advance()
        self.sim.time_ms = max(self.sim.time_ms, until)

    def until(self, what: Callable[[], Any], seconds: float = 600) -> float:
        """Runs until something is so; returns how many seconds that took."""
        start = self.sim.time_ms
        seq = -1
        while True:
            if self.sim.last_seq != seq:
                seq = self.sim.last_seq
                if what():
                    return (self.sim.time_ms - start) / 1000
            due = self.history.next_time()
            assert due is not None and due <= start + seconds * 1000, f"it did not come about in {seconds} s"
            self.history.advance()

    # Looking.

    def get(self, key: str) -> Object:
        found = self.cluster.find(key)
        assert found is not None, f"there is no {key}"
        return found

    def gone(self, key: str) -> bool:
        return self.cluster.find(key) is None

    def all(self, resource: str, **labels: str) -> list[Object]:
        """The objects of a resource that have these labels."""
        return [obj for _, obj in self.cluster.objects(resource)
                if labels.items() <= (obj["metadata"].get("labels") or {}).items()]

    def pods(self, **labels: str) -> list[Object]:
        """The pods of the default namespace with these labels."""
        return [each for each in self.all("pods", **labels) if each["metadata"]["namespace"] == "default"]

    def ready(self, **labels: str) -> int:
        return sum(is_ready(each) and "deletionTimestamp" not in each["metadata"] for each in self.pods(**labels))

    def events(self, reason: str = "", about: str = "") -> list[Object]:
        """Events, oldest first, with a reason and about an object's name."""
        found = [obj for _, obj in self.cluster.objects("events")
                 if reason in ("", obj["reason"]) and obj["involvedObject"]["name"].startswith(about)]
        return sorted(found, key=lambda each: int(each["metadata"]["resourceVersion"]))

    def condition(self, key: str, kind: str) -> Object:
        conditions = self.get(key).get("status", {}).get("conditions") or ()
        return next((each for each in conditions if each["type"] == kind), {"status": "None"})

    def endpoints(self, service: str) -> dict[str, bool]:
        """The addresses of a Service's slices: address -> ready."""
        return {
            address: bool(each["conditions"].get("ready"))
            for obj in self.all("endpointslices", **{"kubernetes.io/service-name": service})
            for each in obj.get("endpoints") or () for address in each["addresses"]
        }

    def check(self) -> None:
        """No component met a fault of ours."""
        assert self.cluster.errors == []


def is_ready(pod: Object) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod.get("status", {}).get("conditions") or ())
