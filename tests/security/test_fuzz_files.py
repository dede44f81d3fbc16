"""Scenarios, dumps of clusters, scripts and faults with junk in them: each is taken, or refused in words of its own, and the lab lives on.

Each test does so much with its seed; the environment's CLUSTERLAB_FUZZ names another seed, for a longer look around."""

from __future__ import annotations

import copy
import json
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clusterlab.cluster import Cluster
from clusterlab.faults import FaultError
from clusterlab.scenario.importing import ImportProblem, import_cluster
from clusterlab.scenario.load import load
from clusterlab.scenario.model import FAULT_KINDS
from clusterlab.scenario.reader import ScenarioError

SEED = os.environ.get("CLUSTERLAB_FUZZ", "12")
JUNK: list[Any] = [
    None, True, 0, -1, 3.7, 1e308, "", "x" * 5000, "-5s", "1e9h", "9" * 40, [], {}, [[]], [None], {"a": 1}, "\x00", "${x}", "../..", "10%", "-10%", "1/s",
    "1e9/s", 2**63, -(2**63), "0", "v1:", "/", "node-1", "default/web", "\ud800",
]
SCENARIO: dict[str, Any] = {
    "seed": 3, "etcd": {"members": 3}, "controlPlaneNode": True,
    "nodes": [{"name": "node-1", "labels": {"disk": "ssd"}, "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}], "capacity": {"cpu": "4", "pods": "9"},
               "images": [{"names": ["nginx:1.25"], "sizeBytes": 9}]}, {"name": "node-2"}],
    "images": [{"match": "shop/web:v2", "pull": "1s", "start": "500ms", "ready": "2s", "exit": {"after": "5s", "code": 1}, "logs": ["hello"], "cpu": "50m",
                "serve": {"port": 80, "latency": "20ms", "cpu": "10m", "errors": "5%", "body": "v2"}, "memory": {"base": "64Mi", "growth": "1Mi/s"}}],
    "traffic": [{"name": "shoppers", "to": "http://web.default.svc", "rate": "5/s", "from": "1s", "until": "5m", "wave": {"period": "1m", "to": "20/s"}}],
    "manifests": [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}],
    "timeline": [{"at": "2s", "fault": {"kind": "node-down", "target": "node-2", "for": "5s"}}, {"at": "3s", "kubectl": "create deployment web --image=shop/web:v2"}],
}


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from spots(value[key], (*path, key))


def mangle(chance: random.Random, whole: Any) -> None:
    """Puts junk at a random spot, or what stands at another spot, or takes away or doubles what is there."""
    path = chance.choice(list(spots(whole)) or [()])
    if not path:
        return
    at = whole
    for key in path[:-1]:
        at = at[key]
    how, last = chance.random(), path[-1]
    if how < 0.5:
        at[last] = copy.deepcopy(chance.choice(JUNK))
    elif how < 0.75:
        other: Any = whole
        for key in chance.choice(list(spots(whole))):
            other = other[key]
        at[last] = copy.deepcopy(other)
    elif isinstance(at, dict):
        del at[last]
    else:
        at.append(copy.deepcopy(at[last]))


def run_on(cluster: Cluster, steps: int) -> None:
    for _ in range(steps):
        if cluster.sim.next_time() is None:
            break
        cluster.history.advance()
    assert not cluster.errors, cluster.errors[:3]


def test_scenarios_with_junk_are_refused_or_run() -> None:
    chance, taken = random.Random(f"{SEED} scenario"), 0
    for number in range(40):
        document = copy.deepcopy(SCENARIO)
        for _ in range(chance.choice([1, 1, 2, 3])):
            mangle(chance, document)
        start = time.process_time()
        try:
            scenario = load(document)
        except ScenarioError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {SEED}, {number}: {error!r} of {str(document)[:3000]}") from error
        finally:
            assert time.process_time() - start < 6, f"seed {SEED}, {number}"
        if taken < 12:
            run_on(Cluster(scenario), 120)
        taken += 1
    assert taken >= 5


def dump(cluster: Cluster) -> dict[str, Any]:
    """As `kubectl get … -o json` prints it."""
    found = [json.loads(cluster.answer("GET", path, "", {}, b"").body) for path in (
        "/api/v1/nodes", "/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments", "/apis/apps/v1/namespaces/default/replicasets")]
    items = [{"apiVersion": each["apiVersion"], "kind": each["kind"].removesuffix("List"), **item} for each in found for item in each["items"]]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def test_dumps_with_junk_are_refused_or_taken(shop: Cluster) -> None:
    chance, whole, taken = random.Random(f"{SEED} import"), dump(shop), 0
    assert {each["kind"] for each in whole["items"]} >= {"Node", "Pod", "Deployment", "ReplicaSet"}
    for number in range(150):
        document = copy.deepcopy(whole)
        for _ in range(chance.choice([1, 3, 10])):
            mangle(chance, document)
        try:
            load(import_cluster(json.dumps(document)).scenario)
            taken += 1
        except (ImportProblem, RecursionError):
            continue
        except Exception as error:
            raise AssertionError(f"seed {SEED}, {number}: {error!r} of {str(document)[:3000]}") from error
    assert taken > 20


@pytest.fixture
def shop() -> Cluster:
    """A cluster in which something runs, with a shell."""
    cluster = Cluster(load({"nodes": 2, "seed": 4}))
    labels = {"app": "web"}
    for name, image, command in (("web", "nginx:1.25", None), ("sh", "busybox", ["sleep", "1d"])):
        container = {"name": "c", "image": image, **({"command": command} if command else {})}
        cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {**labels, "n": name}}, "template": {"metadata": {"labels": {**labels, "n": name}}, "spec": {
                "containers": [container]}}}})
    while not cluster.history.settled:
        cluster.history.advance()
    return cluster


def pods_of(cluster: Cluster) -> list[str]:
    return [pod["metadata"]["name"] for pod in json.loads(cluster.answer("GET", "/api/v1/namespaces/default/pods", "", {}, b"").body)["items"]]


LINES = [
    "for i in 1 2 3; do echo $i | tee -a /tmp/log; done", "wget -qO- http://web || echo no", "grep -E 'a+b' /etc/hosts | sort -n | uniq -c", "cat <<EOF\n$x\nEOF",
    "awk 'BEGIN{FS=\":\"} {s+=$1} END{print s/2}' /etc/passwd", "sed -e 's/(a*)*b/x/g;2,3d' /etc/hosts", "while true; do sleep 1; done", "nc -l -p 99 & nslookup web",
    "x=${y:-$((3*(4+1)))}; case $x in 1*) echo a;; *) echo $x;; esac", "find / -name '*.conf' | xargs -n1 cat", "printf '%s %d\\n' a 1; test -f /x && exec sh",
    "f() { f; f; }; f", "seq 1 1000000 | head -c 999999999", "dd if=/dev/zero bs=1G count=9 | base64", "date -d @1; trap 'echo x' EXIT; set -e; read a < /dev/null",
]
WORDS = ["|", "||", "&&", ";", "&", ">", "<", "2>&1", "$(", "`", ")", "(", "{", "}", "'", '"', "\\", "\n", "$", "${x", "$((1/0))", "*", "[", "<<EOF", "!", "if",
         "then", "fi", "done", "esac", "-9999", "9" * 20, "%s", "\x00", "é", "~", "/proc/self/mem", "..", "x=", "eval", "yes", "tail -f /dev/null", "head -c 1000000000 /dev/zero"]


def test_scripts_with_junk_end_soon(shop: Cluster) -> None:
    chance = random.Random(f"{SEED} shell")
    name = next(pod for pod in pods_of(shop) if pod.startswith("sh-"))
    for number in range(200):
        line = chance.choice(LINES)
        for _ in range(chance.choice([1, 1, 2, 4])):
            at, how = chance.randrange(len(line) + 1), chance.random()
            if how < 0.6:
                line = f"{line[:at]} {chance.choice(WORDS)} {line[at:]}"
            elif how < 0.8:
                line = line[:at] + line[at + chance.randrange(1, 8):]
            else:
                line += chance.choice(["; ", " | ", " && "]) + chance.choice(LINES)
        start = time.process_time()
        answer = shop.history.execute({"kind": "exec", "namespace": "default", "pod": name, "container": "c", "argv": ["sh", "-c", line], "stdin": "", "tty": False})
        assert isinstance(answer, tuple), f"seed {SEED}, {number}: {line!r} gives {answer!r}"
        assert time.process_time() - start < 15, f"seed {SEED}, {number}: {line!r} takes long"
    assert not shop.errors, shop.errors[:3]


def test_faults_with_junk_are_refused_or_happen(shop: Cluster) -> None:
    chance, happened = random.Random(f"{SEED} fault"), 0
    pods = pods_of(shop)
    targets = ["node-1", "node-2", "control-plane", "etcd-0", "kube-scheduler", "kube-controller-manager", "web", "default/web", "nginx:1.25", "",
               *(f"default/{pod}" for pod in pods)]
    values = [*JUNK, "5s", "1ms", "100%", "30%", "1Gi/s", "1Ei/s", "90%", *targets]
    fields = ["for", "latency", "loss", "rate", "growth", "code", "from", "to", "container", "bytes", "size", "inodes", "pids", "x"]
    for number in range(250):
        fault: dict[str, Any] = {"kind": chance.choice(list(FAULT_KINDS)), "target": chance.choice(targets)}
        for field in chance.sample(fields, chance.choice([0, 0, 1, 2])):
            fault[field] = chance.choice(values)
        if chance.random() < 0.1:
            fault[chance.choice(["kind", "target"])] = chance.choice(JUNK)
        try:
            shop.fault_board.check(fault)
        except FaultError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {SEED}, {number}: {error!r} of {fault}") from error
        try:
            shop.history.execute({"kind": "fault", "fault": fault})
            happened += 1
        except FaultError:
            continue
        run_on(shop, 15)
    assert happened > 15, happened
