"""The small languages that people write in, with mistakes in them: each answers with its own error, never with another, and soon."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from clusterlab.cluster import Cluster
from clusterlab.machinery import cron, labels, quantity
from clusterlab.machinery.errors import StatusError
from clusterlab.rollouts import promql
from clusterlab.scenario import kubectl
from clusterlab.scenario.load import load
from clusterlab.stream.conditions import parse_condition

SEED, ROUNDS = 20, 400
SEEDS = {
    "condition": ["kind = Pod and name = db and .spec.nodeName != none", '.status.phase = "Running" or not (verb = delete)', "count(pods) > 3",
                  "time > 30s", "kind in (Pod, Node) and .metadata.labels['a/b'] ~ x.*"],
    "cron": ["*/5 * * * *", "@hourly", "0 0 1-15/2 JAN,FEB MON-FRI", "TZ=UTC @every 1h30m", "59 23 31 12 7"],
    "labels": ["a=b,c!=d", "env in (a,b),!x", "tier notin (x),y", "a==b", "a>3,b<4"],
    "quantity": ["100m", "1.5Gi", "1e3", "2E", "-5", "0.0001n", "123456789012345678901234567890", "1Ki"],
    "promql": ['sum(rate(http_requests_total{app="x",code=~"5.."}[1m])) / sum(rate(http_requests_total{app="x"}[1m]))',
               "histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket[5m])) by (le))", "scalar(1) > bool 2 * (3 - -4)"],
    "kubectl": ["scale deployment web --replicas=3", "set image deployment/web web=nginx:2", "delete pod -l app=x --grace-period=0 --force",
                "label node node-1 a=b --overwrite", "taint nodes node-1 k=v:NoSchedule-", "run x --image=busybox -- sh -c 'a b'",
                'patch deployment web -p \'{"spec":{"replicas":3}}\'', "expose deployment web --port=80 --type=NodePort"],
    "etcdctl": ["get / --prefix --keys-only", "put a b", "member list -w json", "del --prefix /x", "watch a --rev=1", "lease grant 10",
                "get a b --limit=3 --rev=5 --sort-by=KEY --order=DESCEND"],
}
MARKS = [*"()[]{}<>=!~,.:;'\"\\|&*/+-0123456789abc \t\n\x00é%$#@^_", "9" * 20, "9" * 5000, " and ", "not ", "--", "-1", "(" * 200]
OWN = ("ConditionError", "CronError", "SelectorError", "QuantityError", "PromqlError", "KubectlError", "StatusError")


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster(load({"nodes": 2, "seed": 1}))


def mangled(chance: random.Random, seeds: list[str]) -> str:
    text = chance.choice(seeds)
    for _ in range(chance.choice([0, 1, 1, 2, 3, 6])):
        at, how = chance.randrange(len(text) + 1), chance.random()
        if how < 0.5:
            text = text[:at] + chance.choice(MARKS) + text[at:]
        elif how < 0.8:
            text = text[:at] + text[at + chance.randrange(1, 4):]
        else:
            text = text[:at] + chance.choice(seeds)[chance.randrange(5):]
    return text


@pytest.mark.parametrize("language", SEEDS)
def test_mistakes_are_answered_in_the_languages_own_words(cluster: Cluster, language: str) -> None:
    does: dict[str, Callable[[str], Any]] = {
        "condition": parse_condition, "cron": cron.parse, "labels": labels.parse, "quantity": lambda text: (quantity.parse(text), quantity.canonical(text)),
        "promql": lambda text: promql.query(text, cluster.traffic.series, 60_000),
        "kubectl": lambda text: kubectl.requests_of(text, cluster.find, "2026-01-01T00:00:00Z"),
        "etcdctl": lambda text: cluster.etcd_shell.run(text.split()),
    }
    chance = random.Random(f"{SEED} {language}")
    print(f"seed {SEED} {language}")
    for _ in range(ROUNDS):
        text = mangled(chance, SEEDS[language])
        start = time.process_time()
        try:
            does[language](text)
        except StatusError:
            pass
        except Exception as error:
            assert type(error).__name__ in OWN, f"{language}: {text!r} raises {error!r}"
        assert time.process_time() - start < 6, f"{language}: {text!r} takes long"
