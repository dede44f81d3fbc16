"""Seed + scenario + log = the same steps, byte for byte; the past can be visited and left again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import orjson
import pytest

from clusterlab.cluster import Cluster
from clusterlab.stream import project
from tests.model import script
from tests.server import ROOT


def told(cluster: Cluster) -> list[bytes]:
    return [orjson.dumps(project.frame(step, cluster.sim.epoch)) for step in cluster.sim.steps]


def digest(seed: int) -> str:
    cluster = script.play(script.cluster(seed=seed), between=25)
    return hashlib.sha256(b"\n".join(told(cluster))).hexdigest()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_same_seed_same_steps_under_any_hash_seed(seed: int) -> None:
    code = f"from tests.model.test_replay import digest; print(digest({seed}))"
    seen = set()
    for hash_seed in ("0", "1", "4242"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=120)
        seen.add(done.stdout.strip())
    assert len(seen) == 1, f"seed {seed} gives different steps under different hash seeds"


def test_another_seed_gives_other_steps() -> None:
    assert digest(1) != digest(2)


def test_going_back_and_forth_changes_nothing() -> None:
    cluster = script.play(script.cluster(seed=5), between=40)
    before, last = told(cluster), cluster.history.last_seq
    world = dict(cluster.objects())
    for seq in (last // 2, 3, last - 1, 0, last // 3, last):
        cluster.history.seek(seq)
        assert told(cluster) == before[:seq], f"after seeking to {seq} of {last}"
    assert dict(cluster.objects()) == world


def test_what_watches_a_custom_resource_watches_it_again_after_a_seek_before_it_came() -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "crons.example.com"}, "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "crons", "kind": "Cron", "singular": "cron"}, "versions": [{
                "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}
    owner = {"apiVersion": "example.com/v1", "kind": "Cron", "metadata": {"name": "a"}}
    crons = "/apis/example.com/v1/namespaces/default/crons"
    cluster = script.play(script.cluster(seed=4), [
        script.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition), script.request("POST", crons, owner),
        script.request("DELETE", f"{crons}/a")])
    before, last = told(cluster), cluster.history.last_seq
    assert any(b"crons.example.com/default/a" in frame for frame in before)
    for seq in (0, last, last // 2, last):
        cluster.history.seek(seq)
    assert told(cluster) == before


def test_a_replayed_log_ends_in_the_same_world() -> None:
    first = script.play(script.cluster(seed=9), between=30)
    second = script.cluster(seed=9)
    second.history.log = list(first.history.log)
    while second.sim.dispatched < first.sim.dispatched:
        second.history.advance()
    assert told(second) == told(first)
    assert dict(second.objects()) == dict(first.objects())


def test_a_new_lab_is_like_the_one_before() -> None:
    one, two = script.cluster(seed=11), script.cluster(seed=11)
    assert told(script.play(one)) == told(script.play(two))
