"""The law of the stream: snapshot(k) + frames k+1..n = snapshot(n), for whoever holds all Events and for whoever holds the newest
only; and every message fits the schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.cluster import Cluster
from clusterlab.lessons.loader import load_all
from clusterlab.scenario.load import load
from clusterlab.stream import project
from clusterlab.stream.reduce import reduce
from clusterlab.stream.tables import key_of, pack, unpack
from tests.model import script
from tests.server import ROOT

SCHEMA = json.loads((ROOT / "clusterlab" / "stream" / "schema.json").read_text())


def plain(value: object) -> object:
    return orjson.loads(orjson.dumps(value))


#: Few enough for the smallest cluster to have more.
EVENTS_MOST = 8


def opened(cluster: Cluster) -> dict[str, Any]:
    """The present as a browser holds it that was sent tables with its newest Events."""
    packed: Any = plain(project.tables(project.taken(cluster), EVENTS_MOST))
    return {**{name: value for name, value in packed.items() if name != "tables"}, "objects": unpack(packed["tables"])}


def check_law(cluster: Cluster, commands: list) -> int:
    """Plays commands and holds every frame against a fresh snapshot now and then; returns the number of frames."""
    state: Any = plain(project.snapshot(cluster))
    few = opened(cluster)
    seen = cluster.sim.last_seq
    frames = jsonschema_rs.validator_for({**SCHEMA, "$ref": "#/$defs/Frame"})

    def holds() -> None:
        nonlocal few
        assert state == plain(project.snapshot(cluster)), f"after step {seen}"
        assert few == plain(project.snapshot(cluster, few["eventsAfter"])), f"after step {seen}, of Events after {few['eventsAfter']}"
        assert sum(key.startswith("events/") for key in few["objects"]) <= EVENTS_MOST

    for number, command in enumerate(commands):
        cluster.history.execute(command)
        for turn in range(100_000):
            for step in cluster.sim.steps[seen - cluster.sim.first_seq + 1 :]:
                frame: Any = plain(project.frame(step, cluster.sim.epoch))
                frames.validate(frame)
                state, few = reduce(state, frame), reduce(few, frame, EVENTS_MOST)
                seen = step.seq
            if turn % 40 == 0:
                holds()
            if cluster.history.settled:
                break
            cluster.history.advance()
        if number % 2:
            few = opened(cluster)  # it may be sent anew at any time
    holds()
    return seen


def test_the_law_over_the_life_of_a_deployment() -> None:
    assert check_law(script.cluster(seed=3), script.COMMANDS) > 50


@pytest.mark.parametrize("lesson", load_all(ROOT / "lessons"), ids=lambda lesson: lesson.name)
def test_the_law_for_every_lesson(lesson) -> None:
    cluster = Cluster(load(lesson.scenario))
    assert check_law(cluster, script.COMMANDS[:2]) > 10


def test_a_snapshot_fits_the_schema() -> None:
    cluster = script.play(script.cluster(seed=4))
    validator = jsonschema_rs.validator_for({**SCHEMA, "$ref": "#/$defs/Snapshot"})
    validator.validate(plain(project.snapshot(cluster)))
    packed = jsonschema_rs.validator_for({**SCHEMA, "$ref": "#/$defs/PackedSnapshot"})
    packed.validate(plain(project.tables(project.taken(cluster))))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "a", "b", "nodes/ü", '"]']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2), max_leaves=4)
_VIEWS = st.lists(st.tuples(
    st.sampled_from(["", "default", "kube-system"]), st.dictionaries(st.sampled_from(["x", "y", "z", "at", "all"]), _VALUES)), max_size=8)


@given(_VIEWS)
def test_tables_lose_nothing(rows: list[tuple[str, dict[str, Any]]]) -> None:
    views = [{"name": f"n{i}", **({"namespace": space} if space else {}), **fields} for i, (space, fields) in enumerate(rows)]
    sent: Any = plain([pack("pods", views)])
    found = unpack(sent)
    assert list(found) == [key_of("pods", view) for view in views]
    # As text: 1, 1.0 and True are equal in Python, and are not to a browser.
    assert [json.dumps(found[key_of("pods", view)], sort_keys=True) for view in views] == [json.dumps(view, sort_keys=True) for view in views]


def test_tables_are_those_that_the_page_is_tested_with() -> None:
    """tests/frontend/tables.test.ts opens the same file."""
    file: Any = orjson.loads((ROOT / "tests" / "frontend" / "fixtures" / "tables.json").read_bytes())
    by_resource: dict[str, list] = {}
    for key, view in file["views"].items():
        by_resource.setdefault(key.partition("/")[0], []).append(view)
    assert plain([pack(resource, views) for resource, views in by_resource.items()]) == file["tables"]
    assert unpack(file["tables"]) == file["views"]


def test_pods_of_one_template_share_what_is_the_same() -> None:
    cluster = script.play(script.cluster(seed=4), script.COMMANDS[:2])
    pod = next(project.view(obj, cluster.sim.epoch) for _, obj in cluster.objects("pods"))
    views = [{**pod, "name": f"web-{i:05}", "uid": f"{i:036}", "node": f"node-{i % 100}"} for i in range(1000)]
    assert len(orjson.dumps(pack("pods", views))) * 5 < len(orjson.dumps(views))


def test_the_fields_of_views_are_the_documented_ones() -> None:
    text = (Path(ROOT) / "docs" / "stream-protocol.md").read_text()
    cluster = script.play(script.cluster(seed=4), script.COMMANDS[:2])
    for _, obj in cluster.objects():
        for field in project.view(obj, cluster.sim.epoch):
            assert field in text, f"{obj['kind']}.{field} is not in docs/stream-protocol.md"


def test_versions_of_apps_are_numbered_as_they_come_and_keep_their_numbers() -> None:
    """By their numbers the page colours them: apps of the same second, too, look the same to whoever comes late or goes back."""

    def named(app: str, image: str = "shop/web:v1") -> dict[str, Any]:
        made: Any = plain(script.DEPLOYMENT)
        made["metadata"]["name"] = app
        made["spec"]["replicas"] = 1
        made["spec"]["selector"]["matchLabels"] = made["spec"]["template"]["metadata"]["labels"] = {"app": app}
        made["spec"]["template"]["spec"]["containers"][0]["image"] = image
        return made

    def numbers() -> dict[str, int]:
        found: Any = plain(project.snapshot(cluster))["components"].get("versions", {})
        return found

    cluster = script.cluster(seed=5)
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    for name in ("web", "gone", "db", "api"):
        cluster.history.execute(script.request("POST", deployments, named(name)))
    script.settle(cluster)
    first = numbers()
    assert sorted(first) == [f"default/{name}/v1" for name in ("api", "db", "gone", "web")] and sorted(first.values()) == [0, 1, 2, 3]
    before = cluster.sim.last_seq
    script.play(cluster, [
        script.request("DELETE", f"{deployments}/gone"),
        script.request("PATCH", f"{deployments}/web", {"spec": {"template": named("web", "host:5000/web:v2@sha256:0")["spec"]["template"]}}, script.MERGE),
        script.request("POST", "/api/v1/namespaces/default/pods", {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "long"}, "spec": {"containers": [{"name": "c", "image": "x:" + "1" * 999}]}}),
    ])
    script.settle(cluster)
    assert numbers() == {**first, "default/web/v2": 4}
    cluster.history.seek(before)
    assert numbers() == first
