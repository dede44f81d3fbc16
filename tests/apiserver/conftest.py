"""A server on an etcd of its own, and short names for the requests that the tests make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusterlab.apiserver import http
from clusterlab.apiserver.server import ApiServer
from clusterlab.client.api import Request, User
from clusterlab.etcd.cluster import Etcd
from clusterlab.sim import Component, Simulation

ADMIN = User("kubernetes-admin", ("kubeadm:cluster-admins", "system:masters", "system:authenticated"))


class Server:
    """An API server and what a test wants to ask of it."""

    def __init__(self) -> None:
        self.sim = Simulation()
        self.etcd = Etcd(self.sim, ["m1", "m2", "m3"])
        self.api = ApiServer(self.sim, self.etcd)
        self.etcd.start()
        self.api.start()
        self.user = ADMIN
        self.trusted = False

    def ask(self, verb: str, resource: str, name: str = "", namespace: str = "default", subresource: str = "", body: Any = None,
            patch_type: str = "", **options: Any) -> Any:
        store = self.api.stores[resource]
        request = Request(verb, resource, self.user, namespace if store.namespaced else "", name, subresource, body,
                          patch_type=patch_type, options=options, trusted=self.trusted)
        self.sim.perform("kubectl", verb, resource)
        try:
            return self.api.serve(request)
        finally:
            self.sim.finish()

    def create(self, resource: str, body: Any, **rest: Any) -> Any:
        return self.ask("create", resource, body=body, **rest)

    def get(self, resource: str, name: str, **rest: Any) -> Any:
        return self.ask("get", resource, name, **rest)


class Listener(Component):
    """A process that only notes what it is told."""

    STATE = ("told",)

    def __init__(self, sim: Simulation, name: str, api: ApiServer) -> None:
        super().__init__(sim, name)
        self.api = api
        self.told: list[tuple[str, str]] = []

    def on_deliver(self) -> None:
        self.told += [(event.type, event.key) for event in self.api.drain(self.name)]

    def on_watch_closed(self) -> None:
        self.told.append(("CLOSED", ""))


@pytest.fixture
def server() -> Server:
    return Server()


def pod(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}], **spec},
    }


class Answer:
    """A whole answer, with its body read."""

    def __init__(self, answer: Any) -> None:
        self.code, self.headers, self.body = answer.code, answer.headers, answer.body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def warnings(self) -> list[str]:
        return [value for name, value in self.headers if name == "Warning"]


class Http(Server):
    """The same server, asked over HTTP."""

    def raw(self, method: str, path: str, body: Any = None, accept: str = "", media: str = "", **headers: str) -> Any:
        path, _, query = path.partition("?")
        head = {key.replace("_", "-"): value for key, value in headers.items()}
        if accept:
            head["accept"] = accept
        if media or body is not None:
            head["content-type"] = media or "application/json"
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if method == "GET":
            return http.handle(self.api, method, path, query, head, data)
        self.sim.perform("kubectl", method, path)
        try:
            return http.handle(self.api, method, path, query, head, data)
        finally:
            self.sim.finish()

    def __call__(self, method: str, path: str, body: Any = None, **rest: Any) -> Answer:
        answer = Answer(self.raw(method, path, body, **rest))
        assert not self.api.failures, self.api.failures
        return answer


@pytest.fixture
def web() -> Http:
    return Http()
