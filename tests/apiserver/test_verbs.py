"""The verbs, one by one, through serve."""

from __future__ import annotations

import pytest

from clusterlab.machinery.errors import StatusError

from .conftest import Listener, Server, pod


def test_create_fills_in_what_only_the_server_knows(server: Server) -> None:
    made = server.create("pods", pod())
    meta = made["metadata"]
    assert meta["uid"] and meta["creationTimestamp"] == "2026-01-01T00:00:00Z" and meta["namespace"] == "default"
    assert meta["resourceVersion"] == str(server.etcd.revision)
    assert server.get("pods", "web") == made


def test_create_twice_is_refused(server: Server) -> None:
    server.create("pods", pod())
    with pytest.raises(StatusError, match='pods "web" already exists'):
        server.create("pods", pod())


def test_generated_names_differ(server: Server) -> None:
    body = {**pod(), "metadata": {"generateName": "web-"}}
    names = {server.create("pods", body)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5 and all(name.startswith("web-") and len(name) == 9 for name in names)


def test_an_update_of_an_old_version_conflicts(server: Server) -> None:
    first = server.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    server.ask("update", "configmaps", "c", body={**first, "data": {"a": "2"}})
    with pytest.raises(StatusError, match="the object has been modified"):
        server.ask("update", "configmaps", "c", body={**first, "data": {"a": "3"}})


def test_an_update_that_changes_nothing_writes_nothing(server: Server) -> None:
    first = server.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    again = server.ask("update", "configmaps", "c", body={**first})
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_merge_patch(server: Server) -> None:
    server.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}})
    done = server.ask("patch", "configmaps", "c", body={"data": {"a": None, "c": "3"}}, patch_type="merge")
    assert done["data"] == {"b": "2", "c": "3"}


def test_delete_returns_a_status(server: Server) -> None:
    server.create("configmaps", {"metadata": {"name": "c"}})
    answer = server.ask("delete", "configmaps", "c")
    assert answer["status"] == "Success" and answer["details"]["name"] == "c"
    with pytest.raises(StatusError, match='configmaps "c" not found'):
        server.get("configmaps", "c")


def test_finalizers_hold_a_deletion_up(server: Server) -> None:
    server.create("configmaps", {"metadata": {"name": "c", "finalizers": ["a.io/b"]}})
    server.ask("delete", "configmaps", "c")
    held = server.get("configmaps", "c")
    assert held["metadata"]["deletionTimestamp"]
    server.ask("patch", "configmaps", "c", body={"metadata": {"finalizers": None}}, patch_type="merge")
    with pytest.raises(StatusError):
        server.get("configmaps", "c")


def test_pages_show_the_list_as_it_was(server: Server) -> None:
    for name in "abcde":
        server.create("configmaps", {"metadata": {"name": name}})
    page = server.ask("list", "configmaps", limit=2)
    assert [item["metadata"]["name"] for item in page["items"]] == ["a", "b"]
    assert page["metadata"]["remainingItemCount"] == 3
    rest = server.ask("list", "configmaps", **{"continue": page["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "d", "e"]


def test_selectors(server: Server) -> None:
    for name, tier in (("a", "x"), ("b", "y")):
        server.create("configmaps", {"metadata": {"name": name, "labels": {"tier": tier}}})
    assert [i["metadata"]["name"] for i in server.ask("list", "configmaps", labelSelector="tier in (y)")["items"]] == ["b"]
    assert [i["metadata"]["name"] for i in server.ask("list", "configmaps", fieldSelector="metadata.name=a")["items"]] == ["a"]


def test_processes_are_told_after_the_latency_and_by_field(server: Server) -> None:
    everything, mine = Listener(server.sim, "all", server.api), Listener(server.sim, "mine", server.api)
    server.api.watch("all", "pods")
    server.api.watch("mine", "pods", ("spec.nodeName", "node-1"))
    server.create("pods", pod("a", nodeName="node-1"))
    server.create("pods", pod("b", nodeName="node-2"))
    assert not everything.told
    while not server.sim.settled:
        server.sim.dispatch()
    assert everything.told == [("ADDED", "default/a"), ("ADDED", "default/b")]
    assert mine.told == [("ADDED", "default/a")]


def test_a_step_tells_stages_and_changes(server: Server) -> None:
    server.create("configmaps", {"metadata": {"name": "c"}})
    step = server.sim.steps[-1]
    span = step.requests[0]
    assert [stage.name for stage in span.stages] == [
        "authentication", "authorization", "mutating", "schema", "validating", "storage", "watch",
    ]
    assert span.code == 201 and span.revision == step.changes[0].revision and step.changes[0].key == "configmaps/default/c"


def test_a_stopped_server_refuses_and_ends_watches(server: Server) -> None:
    listener = Listener(server.sim, "all", server.api)
    server.api.watch("all", "pods")
    server.api.stop()
    server.sim.dispatch()
    assert listener.told == [("CLOSED", "")]
    with pytest.raises(StatusError, match="refused"):
        server.get("pods", "web")
    server.api.start()
    with pytest.raises(StatusError, match="not found"):
        server.get("pods", "web")


def test_going_back_in_time(server: Server) -> None:
    server.create("configmaps", {"metadata": {"name": "a"}})
    saved = server.sim.checkpoint()
    server.create("configmaps", {"metadata": {"name": "b"}})
    server.sim.restore(saved)
    assert [i["metadata"]["name"] for i in server.ask("list", "configmaps")["items"]] == ["a"]
    assert server.create("configmaps", {"metadata": {"name": "b"}})["metadata"]["name"] == "b"
