"""Checkpoints as plain data: a cluster that is taken up from one goes on as the first did, step by step, and can learn its past."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from clusterlab.cluster import Cluster
from clusterlab.sim.plain import PlainError, decode, encode
from clusterlab.stream.compare import fingerprint
from clusterlab.web.labs.checkpoints import pack, unpack
from tests.model import script
from tests.model.combined import stateful_set
from tests.model.drive import World
from tests.model.test_chaos import Chaos


def taken_up(first: Cluster, place: int) -> Cluster:
    """Another cluster that goes on from a checkpoint of this one, as it comes back from the database."""
    _, cursor, _, state = first.history.checkpoints[place]
    second = Cluster(first.scenario, boot=False)
    for _ in second.reviving(unpack(pack(state)), list(first.history.log), cursor):
        pass
    return second


def go_on(cluster: Cluster, dispatched: int) -> None:
    while cluster.sim.dispatched < dispatched or cluster.history.replaying:
        cluster.history.advance()


@pytest.mark.parametrize("seed", [3, 8])
def test_one_that_is_taken_up_goes_on_as_the_first_did(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.play()
    first = chaos.world.cluster
    steps = [fingerprint(step) for step in first.sim.steps]
    count = len(first.history.checkpoints)
    for place in (0, count // 3, count // 2, count - 2):
        second = taken_up(first, place)
        begun = second.sim.last_seq
        go_on(second, first.sim.dispatched)
        assert [fingerprint(step) for step in second.sim.steps] == steps[begun:], f"seed {seed}, from step {begun}"
        assert dict(second.objects()) == dict(first.objects())


def test_a_pod_that_waits_for_its_disk_is_bound_as_it_was_chosen() -> None:
    """What the scheduler has assumed is kept as it was then: the event of the binding names that version of the pod."""
    world = World(seed=4)
    world.make({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disk"},
                "provisioner": "disk.csi.example.com", "volumeBindingMode": "WaitForFirstConsumer"}, *stateful_set("db", 3))
    first = world.cluster
    waiting: Any = first.sim.components["kube-scheduler/scheduler"]
    while not any(step.verb == "bind" and step.object == "pods/default/db-2" for step in first.sim.steps):
        assert first.sim.time_ms < 600_000, "the third pod is never bound"
        first.history.advance()
        if waiting.waiting and first.history.checkpoints[-1][0] < first.sim.last_seq:
            first.history.checkpoints.append((first.sim.last_seq, first.history.cursor, 0, first.checkpoint()))
    steps = [fingerprint(step) for step in first.sim.steps]
    for place in (1, len(first.history.checkpoints) - 1):
        second = taken_up(first, place)
        begun = second.sim.last_seq
        go_on(second, first.sim.dispatched)
        assert [fingerprint(step) for step in second.sim.steps] == steps[begun:], f"from step {begun}"


def test_it_learns_its_past_and_can_go_back_there() -> None:
    first = script.play(script.cluster(seed=5), between=40)
    steps = [fingerprint(step) for step in first.sim.steps]
    second = taken_up(first, len(first.history.checkpoints) // 2)
    begun = second.history.first_known
    assert begun > 10
    with pytest.raises(ValueError, match="not known yet"):
        second.history.seek(begun - 1)
    go_on(second, first.sim.dispatched)
    past = script.cluster(seed=5)
    past.history.log = list(first.history.log)
    while past.sim.last_seq < begun:
        past.history.advance()
    second.history.adopt_past(past.history)
    assert [fingerprint(step) for step in second.sim.steps] == steps
    for seq in (begun - 1, 3, 0, begun + 5, len(steps)):
        second.history.seek(seq)
        first.history.seek(seq)
        assert dict(second.objects()) == dict(first.objects()), f"at step {seq}"


def test_a_branch_shares_the_past_and_goes_its_own_way() -> None:
    first = script.play(script.cluster(seed=6), between=40)
    steps, world = [fingerprint(step) for step in first.sim.steps], dict(first.objects())
    middle = len(steps) // 2
    second = script.cluster(seed=6)
    first.history.branch(second.history, middle)
    while second.sim.last_seq < middle:
        second.history.advance()
    second.history.cut()
    assert second.sim.steps[:20] == first.sim.steps[:20] and all(a is b for a, b in zip(second.sim.steps[:20], first.sim.steps, strict=False))
    second.history.execute(script.request("DELETE", script.WEB))
    script.settle(second)
    assert dict(first.objects()) == world and [fingerprint(step) for step in first.sim.steps] == steps
    second.history.seek(middle)
    first.history.seek(middle)
    assert dict(second.objects()) == dict(first.objects())


@pytest.mark.parametrize("value", [
    {"a": (1, 2.5, None, True), "b": {3: "x", (1, "y"): b"\x00\xff"}, "": {"s": {1}, "f": frozenset("q")}}, [[], {}, (), 2**64 - 1, -(2**63)],
])
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    rows = orjson.loads(orjson.dumps(encode(value)))
    back = decode([rows[:1], rows[1:]])
    assert back == value and repr(back) == repr(value)


def test_what_is_shared_stays_shared() -> None:
    part = {"x": [1]}
    one, two = decode([encode([part, part])])
    assert one is two


@pytest.mark.parametrize("rows", [
    [], [{"": "os:system", "v": ["true"]}], [{"": "clusterlab.cluster:Cluster", "v": [1]}], [{"": "clusterlab.none:None", "v": []}],
    [[[7]]], [{"": "z", "v": []}], ["text"], [{"": "d", "v": [1]}],
])
def test_rows_that_mean_nothing_are_refused(rows: list[Any]) -> None:
    with pytest.raises(PlainError):
        decode([rows])


def test_what_is_no_plain_data_is_not_written() -> None:
    with pytest.raises(PlainError, match="no plain data"):
        encode([object()])
