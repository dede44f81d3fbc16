"""Runs the same bad release by every strategy, and measures what it cost.

The new version fails one request in five and takes 600 ms for each; its probe does not tell. Where no operator decides, a person
does: who looks at the shoppers' errors of the last `LOOK_S` seconds, and once more than `TOLERATED` percent of the requests failed,
undoes the release `REACTION_S` seconds later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from clusterlab.cluster import Cluster
from clusterlab.network.series import BUCKETS_US, Counts, add
from clusterlab.scenario import load
from clusterlab.scenario import shop as made
from clusterlab.scenario.kubectl import requests_of
from clusterlab.stream.over_time import Past

Object = dict[str, Any]

__all__ = ["RELEASE_S", "STRATEGIES", "Outcome", "Strategy", "compare", "outcome"]

RELEASE_S, END_S = 60, 360
LOOK_S, TOLERATED, REACTION_S = 30, 1, 45
#: Slower than this is slow.
SLOW_US = 500_000
REPLICAS = 6


class Strategy(NamedTuple):
    """A way to release. `release` and `undo` are kubectl lines; without `undo`, something in the cluster decides."""

    title: str
    manifests: Callable[[], list[Object]]
    release: tuple[str, ...]
    undo: tuple[str, ...] = ()
    inside: bool = True
    options: tuple[tuple[str, Any], ...] = ()


class Outcome(NamedTuple):
    """What a strategy cost. Times count from the release; `recovered_s` is -1 where it never recovered."""

    name: str
    title: str
    sent: int
    failed: int
    slow: int
    double_minutes: float  # of the capacity that is asked for in peace, so much more was asked for
    recovered_s: float
    decided_by: str
    failed_each_5s: tuple[int, ...]
    steps: int


def _deployment(strategy: Object | None) -> Callable[[], list[Object]]:
    return lambda: [made.deployment("shop", "v1", REPLICAS, strategy=strategy), made.service("shop")]


def _slots() -> list[Object]:
    return [made.deployment("blue", "v1", REPLICAS, made.BLUE), made.deployment("green", "bad", 0, made.GREEN),
            made.service("shop", {"app": "shop", **made.BLUE}), made.service("preview", {"app": "shop", **made.GREEN})]


def _tracks(canary: int) -> Callable[[], list[Object]]:
    return lambda: [made.deployment("stable", "v1", REPLICAS, made.TRACKS[0]), made.deployment("canary", "bad", canary, made.TRACKS[1]),
                    made.service("shop")]


def _routed(*rules: Object) -> Callable[[], list[Object]]:
    return lambda: [
        made.deployment("stable", "v1", REPLICAS, made.TRACKS[0]), made.deployment("canary", "bad", 1, made.TRACKS[1]),
        made.service("shop-stable", {"app": "shop", **made.TRACKS[0]}), made.service("shop-canary", {"app": "shop", **made.TRACKS[1]}),
        *made.gateway(*rules)]


def _selector(slot: Object) -> str:
    return made.patch("service shop", {"spec": {"selector": {"app": "shop", **slot}}})


def _route(*rules: Object) -> str:
    return made.patch("httproute shop", {"spec": {"rules": list(rules)}})


SET = "set image deployment/shop web=shop/web:bad"
BACK = "set image deployment/shop web=shop/web:v1"
BAD = made.image("bad", body="bad", errors="20%", latency="600ms")
FLAGGED = made.image("v1", body="old checkout", when=[{"file": "/flags/checkout", "is": "new", "errors": "20%", "latency": "600ms"}])
TESTERS = (("traffic", [{"name": "testers", "to": "http://preview.default.svc", "rate": "10/s", "from": "15s"}]),)

#: name -> how it is done.
STRATEGIES: dict[str, Strategy] = {
    "recreate": Strategy("Recreate", _deployment({"type": "Recreate"}), (SET,), (BACK,)),
    "rolling": Strategy("Rolling update", _deployment(None), (SET,), (BACK,)),
    "blue-green": Strategy(
        "Blue-green by a Service", _slots, (f"scale deployment green --replicas={REPLICAS}", f"+20 {_selector(made.GREEN)}"),
        (_selector(made.BLUE), "scale deployment green --replicas=0")),
    "canary-replicas": Strategy(
        "Canary by replicas", _tracks(0), ("scale deployment canary --replicas=1",), ("scale deployment canary --replicas=0",)),
    "canary-weights": Strategy(
        "Canary by weights", _routed(made.weighed(100, 0)), (_route(made.weighed(90, 10)),), (_route(made.weighed(100, 0)),), inside=False),
    "rollout-canary": Strategy(
        "Rollout: canary with analysis", lambda: made.canary_rollout(made.STEPS), (made.rollout_image("bad"),), inside=False,
        options=(("rollouts", True),)),
    "rollout-blue-green": Strategy(
        "Rollout: blue-green with analysis", lambda: made.blue_green_rollout(), (made.rollout_image("bad"),),
        options=(("rollouts", True), *TESTERS)),
    "shadow": Strategy(
        "Shadow traffic first", _routed(made.weighed(100, 0)), (_route(made.mirrored(50)),), (_route(made.weighed(100, 0)),), inside=False),
    "feature-flag": Strategy(
        "Feature flag", lambda: [made.FLAG, made.deployment("shop", "v1", REPLICAS, **made.FLAG_VOLUME), made.service("shop")],
        (made.patch("configmap flags", {"data": {"checkout": "new"}}),), (made.patch("configmap flags", {"data": {"checkout": "old"}}),),
        options=(("images", [FLAGGED]),)),
}


def compare(names: list[str], seed: int) -> Iterator[tuple[str, float, Outcome | None]]:
    """Runs strategies one after the other: (name, share done, outcome at its end)."""
    for name in names:
        last = -1.0
        for share, found in outcome(name, seed):
            if found is not None or share - last >= 0.1:
                last = share
                yield name, share, found


def outcome(name: str, seed: int) -> Iterator[tuple[float, Outcome | None]]:
    """Runs one strategy, second by second."""
    plan = STRATEGIES[name]
    options = {"images": [BAD], **dict(plan.options)}
    scenario = made.shop(f"compare-{name}", plan.manifests(), [], inside=plan.inside, **options)
    cluster = Cluster(load({**scenario, "seed": seed}))
    todo: list[tuple[int, str]] = []
    for line in plan.release:
        wait, _, rest = line.partition(" ") if line.startswith("+") else ("+0", "", line)
        todo.append((RELEASE_S + int(wait[1:]), rest))
    noticed = -1
    for second in range(5, END_S + 1):
        _run_to(cluster, second * 1000)
        for due, line in [each for each in todo if each[0] == second]:
            _kubectl(cluster, line)
            todo.remove((due, line))
        if plan.undo and noticed < 0 and second > RELEASE_S and _bad(cluster, second):
            noticed = second
            todo += [(second + REACTION_S, line) for line in plan.undo]
        yield (second - 4) / (END_S - 3), None
    yield 1.0, _measured(name, plan, cluster, noticed)


def _run_to(cluster: Cluster, time_ms: int) -> None:
    history = cluster.history
    while (due := history.next_time()) is not None and due <= time_ms:
        history.advance()
    cluster.sim.time_ms = max(cluster.sim.time_ms, time_ms)


def _kubectl(cluster: Cluster, line: str) -> None:
    for command in requests_of(line, cluster.find, cluster.sim.now_rfc3339()):
        answer = cluster.history.execute(command)
        if answer.code >= 400:
            raise RuntimeError(f"kubectl {line}: {answer.body[:300]!r}")


def _shoppers(cluster: Cluster, since_ms: int, until_ms: int | None = None, copies: bool = False) -> Counts:
    total = Counts()
    for window in cluster.traffic.series.windows(since_ms, until_ms):
        for key, counts in window.counts:
            if key.source == "shoppers" and (copies or not key.mirrored):
                total = add(total, counts)
    return total


def _bad(cluster: Cluster, second: int) -> bool:
    """What a person sees on the dashboard, the copies of shadow traffic included."""
    seen = _shoppers(cluster, (second - LOOK_S) * 1000, copies=True)
    return seen.failed * 100 > TOLERATED * max(1, seen.sent) and second - RELEASE_S >= 5


def _measured(name: str, plan: Strategy, cluster: Cluster, noticed: int) -> Outcome:
    since = RELEASE_S * 1000
    every = _shoppers(cluster, since)
    slots = [_shoppers(cluster, at * 1000, (at + 5) * 1000).failed for at in range(RELEASE_S, END_S, 5)]
    last = max((number for number, failed in enumerate(slots) if failed), default=None)
    recovered = 0.0 if last is None else -1.0 if last == len(slots) - 1 else (last + 1) * 5.0
    slow = sum(count for count, low in zip(every.latency, (0, *BUCKETS_US), strict=True) if low >= SLOW_US)
    by = "a person" if noticed >= 0 else "nobody" if plan.undo else "the analysis"
    return Outcome(
        name, plan.title, every.sent, every.failed, slow, round(_double_minutes(cluster), 2), recovered, by, tuple(slots),
        cluster.sim.last_seq)


def _double_minutes(cluster: Cluster) -> float:
    """The CPU that was asked for beyond what the old version asks for in peace, as minutes of twice that."""
    past = Past()
    past.advance(cluster)
    changes: list[tuple[int, tuple[str, str], int]] = sorted(
        (at, group, size.cpu_milli) for group, points in past.sizes.items() for at, size in points)
    peace = REPLICAS * 200
    now: dict[tuple[str, str], int] = {}
    extra, before = 0.0, RELEASE_S * 1000
    for at, group, cpu in [*changes, (END_S * 1000, ("", ""), 0)]:
        if at > before:
            extra += max(0, sum(now.values()) - peace) * (at - before)
            before = at
        now[group] = cpu
    return extra / peace / 60_000
