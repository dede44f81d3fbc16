"""Long lists are written down in pieces: the same bytes, of one moment, whatever happens between the pieces."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.apiserver import http

from .conftest import Http, pod

PODS, ALL = "/api/v1/namespaces/default/pods", "/api/v1/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
YAML = "application/yaml"
COUNT = 150
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "lamps.example.com"},
    "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "lamps", "singular": "lamp", "kind": "Lamp", "listKind": "LampList"},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "additionalPrinterColumns": [{"name": "Watts", "type": "integer", "jsonPath": ".spec.watts"}],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"watts": {"type": "integer"}}}}}},
        }],
    },
}


def in_pieces(web: Http, path: str, accept: str = "", between: Any = None, **headers: str) -> tuple[Any, int]:
    """The answer to a GET that is made in pieces, and how many times others had their turn."""
    path, _, query = path.partition("?")
    work = http.answering(web.api, "GET", path, query, {"accept": accept, **headers}, b"")
    turns = 0
    while True:
        try:
            next(work)
        except StopIteration as done:
            assert not web.api.failures, web.api.failures
            return done.value, turns
        turns += 1
        if between is not None:
            between(turns)


@pytest.fixture(scope="module")
def full() -> Http:
    web = Http()
    web.trusted = True
    web.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    for i in range(COUNT):
        one = pod(f"p{i}")
        one["metadata"] |= {"labels": {"odd": str(i % 2), "few": str(i % 50)}, "annotations": {"text": 'two\nlines, "items":[] and\nitems: []\n'}}
        web.create("pods", one, namespace="other" if i % 3 == 0 else "default")
    return web


@pytest.mark.parametrize("accept", ["", TABLE, PARTIAL, YAML, "application/json;pretty=1", "application/vnd.kubernetes.protobuf,application/json"])
def test_the_bytes_are_those_of_one_go(full: Http, accept: str) -> None:
    for path, long in (
        (ALL, True), (PODS, True), (ALL + "?pretty=true", True), (ALL + "?labelSelector=odd%3D1", True), (ALL + "?labelSelector=few%3D1", False),
        (ALL + "?fieldSelector=metadata.namespace%3Ddefault", True), (ALL + "?fieldSelector=metadata.name%3Dp7", False),
        (ALL + "?limit=70", True), (ALL + "?limit=20", False), (ALL + "?resourceVersion=0", True), (ALL + "?includeObject=Object", True),
        (ALL + "?includeObject=None", True), (ALL + "?includeObject=Junk", accept != TABLE), (ALL + "?labelSelector=%3D%3D", False),
        (PODS + "/p1", False), ("/api/v1/namespaces/none/pods", False),
    ):
        whole = full.raw("GET", *([path, None, accept]))
        answer, turns = in_pieces(full, path, accept)
        assert answer == whole, path
        assert (turns > 1) == long, (path, turns)
    assert full.raw("GET", ALL, user_agent="curl/8")[2] == in_pieces(full, ALL, **{"user-agent": "curl/8"})[0].body


@pytest.mark.parametrize("accept", ["", TABLE, YAML])
def test_a_list_is_of_one_moment(accept: str) -> None:
    web = Http()
    web.trusted = True
    for i in range(COUNT):
        web.create("pods", pod(f"p{i}"))
    path = PODS + "?includeObject=Object"
    whole = web.raw("GET", path, accept=accept)
    for i in range(COUNT):  # whose owners have yet to be worked out
        web.ask("patch", "pods", f"p{i}", body={"metadata": {"labels": {"turn": "0"}}}, patch_type="merge")
    apart = Http()  # the same again, and asked at once
    apart.trusted = True
    for i in range(COUNT):
        apart.create("pods", pod(f"p{i}"))
    for i in range(COUNT):
        apart.ask("patch", "pods", f"p{i}", body={"metadata": {"labels": {"turn": "0"}}}, patch_type="merge")
    expected = apart.raw("GET", path, accept=accept)
    assert expected.body != whole.body

    def between(turn: int) -> None:
        web.sim.advance_to(web.sim.time_ms + 7_000)
        for i in range(COUNT - turn, COUNT):
            web.ask("patch", "pods", f"p{i}", body={"metadata": {"labels": {"turn": str(turn)}}}, patch_type="merge")
        web.ask("delete", "pods", f"p{100 + turn}", gracePeriodSeconds=0)
        web.create("pods", pod(f"new{turn}"))

    answer, turns = in_pieces(web, path, accept, lambda turn: between(turn) if turn < 10 else None)
    assert turns > 2 and answer == expected
    assert web.raw("GET", path, accept=accept) == in_pieces(web, path, accept)[0] != expected


def test_custom_resources_whose_definition_goes_meanwhile(web: Http) -> None:
    web.create("customresourcedefinitions", CRD)
    lamps = "/apis/example.com/v1/namespaces/default/lamps"
    for i in range(COUNT):
        web("POST", lamps, {"apiVersion": "example.com/v1", "kind": "Lamp", "metadata": {"name": f"l{i}"}, "spec": {"watts": i}})
    for accept in ("", TABLE, YAML):
        assert in_pieces(web, lamps, accept)[0] == web.raw("GET", lamps, accept=accept)
    whole = web.raw("GET", lamps, accept=TABLE)
    answer, turns = in_pieces(web, lamps, TABLE, lambda turn: turn == 1 and web.ask("delete", "customresourcedefinitions", CRD["metadata"]["name"]))
    assert turns > 1 and answer == whole and b"Watts" in answer.body


def test_reading_leaves_no_trace(full: Http) -> None:
    before = full.sim.last_seq, full.api.storage.revision, full.sim.time_ms
    in_pieces(full, ALL)
    given_up = http.answering(full.api, "GET", ALL, "", {}, b"")
    next(given_up)
    given_up.close()
    assert (full.sim.last_seq, full.api.storage.revision, full.sim.time_ms) == before and full.sim.current is None
