"""Many watchers and many objects; hostile bodies. Counts and order, not speed, except for the budgets of a lab."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clusterlab.apiserver import http

from .conftest import Http, pod

PODS = "/api/v1/namespaces/default/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
WATCHERS, OBJECTS = 100, 1000


def test_many_watchers_see_every_event_once_and_in_order(web: Http) -> None:
    watches = [web.raw("GET", PODS + "?watch=true") for _ in range(WATCHERS)]
    web.trusted = True
    for i in range(OBJECTS):
        web.create("pods", pod(f"p{i}"))
        if i % 3 == 0:
            web.ask("delete", "pods", f"p{i}", gracePeriodSeconds=0)
    seen: list[list[tuple[str, str]]] = []
    first = b""
    for watch in watches:
        lines = b""
        while chunk := watch.take(4096):
            lines += chunk
        if seen and lines == first:  # the common case, and quicker to tell than to read
            seen.append(seen[0])
            continue
        first = lines
        events = list(map(json.loads, lines.splitlines()))
        versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
        assert versions == sorted(set(versions))
        seen.append([(e["type"], e["object"]["metadata"]["name"]) for e in events])
    assert all(other == seen[0] for other in seen)
    assert sum(kind == "ADDED" for kind, _ in seen[0]) == OBJECTS
    alive: set[str] = set()
    for kind, name in seen[0]:
        if kind == "ADDED":
            assert name not in alive
            alive.add(name)
        elif kind == "DELETED":
            alive.remove(name)
    assert len(alive) == len(web.ask("list", "pods")["items"])


def test_a_table_of_a_thousand_pods_is_quick(web: Http) -> None:
    web.trusted = True
    for i in range(1000):
        web.create("pods", pod(f"p{i}"))
    took_ms = 1e9
    for _ in range(3):
        start = time.process_time()
        table = web("GET", PODS, accept=TABLE)
        took_ms = min(took_ms, (time.process_time() - start) * 1000)
    print(f"a table of 1,000 pods: {took_ms:.0f} ms")
    assert len(table.json["rows"]) == 1000 and took_ms < 600


def test_a_first_list_is_prepared_in_pieces(web: Http) -> None:
    for i in range(120):
        web.create("pods", pod(f"p{i}"))
    assert len(list(http.preparing(web.api, "GET", PODS, {"accept": "application/json"}))) == 2
    assert not any(record.notes for record in web.api.managed.records[web.api.stores["pods"].bucket.prefix].values())
    assert list(http.preparing(web.api, "GET", PODS, {"accept": TABLE})) == []
    assert web("GET", PODS).json["items"][0]["metadata"]["managedFields"]


JUNK: list[Any] = [None, True, 0, -1, 2**40, 1.5, "", "x", "-", [], {}, [None], [1], [{}], {"": ""}, {"a": None}, "1h", "{{", "\x00"]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: put(value[path[0]], path[1:], new)}
    return [put(item, path[1:], new) if i == path[0] else item for i, item in enumerate(value)]


BODIES: list[tuple[str, dict[str, Any]]] = [
    (PODS, pod("a", volumes=[{"name": "v", "emptyDir": {}}], tolerations=[{"key": "a"}], affinity={"nodeAffinity": {}})),
    ("/api/v1/namespaces/default/services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}], "type": "NodePort"}}),
    ("/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": "a"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}}}),
    ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {"metadata": {"name": "as.x.io"}, "spec": {
        "group": "x.io", "scope": "Namespaced", "names": {"plural": "as", "kind": "A"}, "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {"x": {"type": "integer"}}}}}}}]}}),
    ("/apis/x.io/v1/namespaces/default/as", {"apiVersion": "x.io/v1", "kind": "A", "metadata": {"name": "a"}, "spec": {"x": 1}}),
    ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}),
]


@pytest.mark.parametrize("seed", range(3))
def test_no_body_makes_the_server_fail(web: Http, seed: int) -> None:
    chance = random.Random(seed)
    for path, body in BODIES:
        web("POST", path, body)
    for _ in range(300):
        path, body = chance.choice(BODIES)
        place = chance.choice([p for p in places(body) if p and p[0] not in ("kind", "apiVersion")])
        bad = put(body, place, chance.choice(JUNK))
        media = chance.choice(["merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"])
        for method, where, sort in (
            ("POST", path, ""), ("PUT", path + "/a", ""), ("PATCH", path + "/a?fieldManager=f&force=true", "application/" + media),
        ):
            answer = web(method, where, bad, media=sort)
            assert answer.code < 500, (seed, method, where, bad, answer.body)
        assert web("GET", path, accept=TABLE).code < 500
