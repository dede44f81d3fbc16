"""The law of the stream: snapshot(k) + frames k+1..n = snapshot(n); and every message fits the schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from clusterlab.cluster import Cluster
from clusterlab.lessons.loader import load_all
from clusterlab.scenario.load import load
from clusterlab.stream import project
from clusterlab.stream.reduce import reduce
from tests.model import script
from tests.server import ROOT

SCHEMA = json.loads((ROOT / "clusterlab" / "stream" / "schema.json").read_text())


def plain(value: object) -> object:
    return orjson.loads(orjson.dumps(value))


def check_law(cluster: Cluster, commands: list) -> int:
    """Plays commands and holds every frame against a fresh snapshot now and then; returns the number of frames."""
    state = plain(project.snapshot(cluster))
    seen = cluster.sim.last_seq
    frames = jsonschema_rs.validator_for({**SCHEMA, "$ref": "#/$defs/Frame"})
    for command in commands:
        cluster.history.execute(command)
        for turn in range(100_000):
            for step in cluster.sim.steps[seen - cluster.sim.first_seq + 1 :]:
                frame = plain(project.frame(step, cluster.sim.epoch))
                frames.validate(frame)
                state = reduce(state, frame)  # type: ignore[arg-type]
                seen = step.seq
            if turn % 40 == 0:
                assert state == plain(project.snapshot(cluster)), f"after step {seen}"
            if cluster.history.settled:
                break
            cluster.history.advance()
    assert state == plain(project.snapshot(cluster))
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


def test_the_fields_of_views_are_the_documented_ones() -> None:
    text = (Path(ROOT) / "docs" / "stream-protocol.md").read_text()
    cluster = script.play(script.cluster(seed=4), script.COMMANDS[:2])
    for _, obj in cluster.objects():
        for field in project.view(obj, cluster.sim.epoch):
            assert field in text, f"{obj['kind']}.{field} is not in docs/stream-protocol.md"
