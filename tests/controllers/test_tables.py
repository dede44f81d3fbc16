"""Outcomes that tables of Kubernetes' own tests state: deletion ranking, the arithmetic of rollouts, proportional scaling."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from clusterlab.controllers import deployment_math as math
from clusterlab.controllers.deployment import scale_down_old
from clusterlab.controllers.deployment_sync import Rollout, scale
from clusterlab.controllers.ranking import deletion_order, pods_to_delete

Object = dict[str, Any]
NOW = 1_800_000_000_000
HOUR = 3_600_000
MONTH = 31 * 24 * HOUR


def stamp(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(node: str, phase: str, ready: bool, restarts: int = 0, side: int = 0, since: int | None = None, created: int | None = None,
        cost: str = "", name: str = "p") -> Object:
    status: Object = {"phase": phase}
    if ready:
        condition = {"type": "Ready", "status": "True", **({"lastTransitionTime": stamp(since)} if since else {})}
        status |= {"conditions": [condition], "containerStatuses": [{"restartCount": restarts}],
                   "initContainerStatuses": [{"name": "sidecar", "restartCount": side}]}
    meta: Object = {"name": name, "uid": "", **({"creationTimestamp": stamp(created)} if created else {})}
    if cost:
        meta["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    return {"metadata": meta, "spec": {"nodeName": node, "initContainers": [{"name": "sidecar", "restartPolicy": "Always"}]}, "status": status}


PODS = {
    "unscheduled": pod("", "Pending", False), "pending": pod("node", "Pending", False), "unknown": pod("node", "Unknown", False),
    "not-ready": pod("node", "Running", False), "ready-no-time": pod("node", "Running", True),
    "ready-now": pod("node", "Running", True, since=NOW, created=NOW),
    "ready-then": pod("node", "Running", True, since=NOW - MONTH, created=NOW - MONTH),
    "restarts": pod("node", "Running", True, 9001, since=NOW, created=NOW),
    "side-restarts": pod("node", "Running", True, 9001, 9001, since=NOW, created=NOW),
    "created-then": pod("node", "Running", True, since=NOW, created=NOW - MONTH),
    "low-cost": pod("node", "Running", True, since=NOW, created=NOW - MONTH, cost="10"),
    "high-cost": pod("node", "Running", True, since=NOW, created=NOW - MONTH, cost="100"),
    "ready-2h": pod("", "Running", True, since=NOW - 2 * HOUR, created=NOW - MONTH),
    "ready-5h": pod("", "Running", True, since=NOW - 5 * HOUR, created=NOW - MONTH),
}


@pytest.mark.parametrize(("lesser", "rank", "greater", "other_rank"), [
    ("unscheduled", 1, "pending", 2), ("unscheduled", 2, "pending", 1), ("pending", 1, "unknown", 2), ("unknown", 1, "not-ready", 2),
    ("not-ready", 1, "ready-no-time", 1), ("ready-no-time", 1, "ready-now", 1), ("ready-now", 2, "ready-no-time", 1),
    ("ready-now", 1, "ready-then", 1), ("ready-now", 2, "ready-then", 1), ("restarts", 1, "ready-now", 1),
    ("side-restarts", 1, "restarts", 1), ("ready-now", 2, "restarts", 1), ("ready-now", 1, "created-then", 1),
    ("created-then", 2, "ready-now", 1), ("low-cost", 2, "high-cost", 1), ("ready-2h", 1, "ready-5h", 1),
])
def test_deletion_ranking(lesser: str, rank: int, greater: str, other_rank: int) -> None:
    """pkg/controller/controller_utils_test.go, TestSortingActivePodsWithRanks."""
    a, b = PODS[lesser], PODS[greater]
    assert deletion_order([b, a], [other_rank, rank], NOW) == [a, b]
    assert deletion_order([a, b], [rank, other_rank], NOW) == [a, b]


def test_crowded_node_loses_pods_first() -> None:
    """pkg/controller/replicaset/replica_set_test.go, TestGetPodsToDelete: related pods spread over nodes."""
    crowded = [pod("a", "Running", True, since=NOW - MONTH, created=NOW - MONTH, name=f"a{n}") for n in range(3)]
    lone = pod("b", "Running", True, since=NOW, created=NOW, name="b")
    assert {p["metadata"]["name"] for p in pods_to_delete([lone, *crowded], [lone, *crowded], 2, NOW)} < {"a0", "a1", "a2"}


def deployment(replicas: int, surge: Any = 0, unavailable: Any = 0) -> Object:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"metadata": {"name": "foo", "namespace": "default", "generation": 1},
            "spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}, "template": {}}}


def replica_set(name: str, replicas: int, age: int, old: Object | None = None, available: int = 0) -> Object:
    meta: Object = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": stamp(NOW - age * HOUR)}
    if old is not None:
        size = old["spec"]["replicas"]
        meta["annotations"] = {math.DESIRED: str(size), math.MAX: str(size + math.max_surge(old))}
    return {"metadata": meta, "spec": {"replicas": replicas, "template": {}}, "status": {"availableReplicas": available}}


def rollout(d: Object, new: Object | None, olds: list[Object]) -> Rollout:
    client = SimpleNamespace(update=lambda resource, obj: obj)
    by: Any = SimpleNamespace(client=client, record=lambda *args: None, tell=lambda *args: None)
    made = Rollout(by, d, [*olds, *([new] if new else [])])
    made.new_set, made.old_sets = new, olds
    return made


@pytest.mark.parametrize(("before", "after", "surges", "new", "olds", "expected_new", "expected_olds"), [
    (10, 12, (0, 0), 10, [], 12, []), (10, 5, (0, 0), 10, [], 5, []), (5, 10, (0, 0), 2, [3], 4, [6]), (5, 3, (0, 0), 2, [3], 1, [2]),
    (9, 4, (0, 0), 8, [1], 4, [0]), (7, 10, (0, 0), 2, [3, 2], 3, [4, 3]), (13, 8, (0, 0), 2, [8, 3], 1, [5, 2]),
    (3, 4, (0, 0), 1, [1, 1], 2, [1, 1]), (3, 2, (0, 0), 1, [1, 1], 1, [1, 0]), (4, 5, (0, 0), None, [2, 2], None, [3, 2]),
    (6, 0, (0, 0), 3, [2, 1], 0, [0, 0]), (0, 6, (0, 0), 0, [0, 0], 6, [0, 0]), (10, 20, (2, 2), 6, [6], 11, [11]),
    (10, 50, (3, 6), 5, [8], 22, [34]), (10, 14, (0, 0), None, [7, 3], None, [10, 4]),
])
def test_proportional_scaling(
    before: int, after: int, surges: tuple[int, int], new: int | None, olds: list[int], expected_new: int | None, expected_olds: list[int],
) -> None:
    """pkg/controller/deployment/sync_test.go, TestScale."""
    old_d, d = deployment(before, surges[0]), deployment(after, surges[1])
    new_set = replica_set("foo-new", new, 0, old_d) if new is not None else None
    old_sets = [replica_set(f"foo-{age}", size, age, old_d) for age, size in enumerate(olds, 1)]
    state = rollout(d, new_set, old_sets)
    scale(state)
    sizes = {rs["metadata"]["name"]: rs["spec"]["replicas"] for rs in state.all_sets}
    assert sizes.get("foo-new") == expected_new
    assert [sizes[f"foo-{age}"] for age in range(1, len(olds) + 1)] == expected_olds


@pytest.mark.parametrize(("replicas", "surge", "old", "new", "expected"), [
    (10, 0, 10, 0, 0), (10, 2, 10, 0, 2), (10, 2, 5, 0, 7), (10, 2, 10, 2, 2),
])
def test_new_set_grows(replicas: int, surge: int, old: int, new: int, expected: int) -> None:
    """pkg/controller/deployment/rolling_test.go, TestDeploymentController_reconcileNewReplicaSet."""
    sets = [replica_set("old", old, 1), replica_set("new", new, 0)]
    assert math.new_replicas(deployment(replicas, surge), sets, sets[1]) == expected


@pytest.mark.parametrize(("replicas", "unavailable", "old", "new", "old_ready", "new_ready", "scaled", "expected_old"), [
    (10, 0, 10, 0, 10, 0, True, 9), (10, 2, 10, 0, 10, 0, True, 8), (10, 2, 10, 0, 8, 0, True, 8), (10, 2, 10, 0, 9, 0, True, 8),
    (10, 2, 8, 2, 8, 0, False, 8),
])
def test_old_sets_shrink(
    replicas: int, unavailable: int, old: int, new: int, old_ready: int, new_ready: int, scaled: bool, expected_old: int
) -> None:
    """pkg/controller/deployment/rolling_test.go, TestDeploymentController_reconcileOldReplicaSets."""
    state = rollout(deployment(replicas, 0, unavailable), replica_set("new", new, 0, available=new_ready),
                    [replica_set("old", old, 1, available=old_ready)])
    assert scale_down_old(state) is scaled
    assert state.old_sets[0]["spec"]["replicas"] == expected_old


@pytest.mark.parametrize(("surge", "unavailable", "desired", "expected"), [
    ("0%", "0%", 0, (0, 1)), ("39%", "39%", 10, (4, 3)), (0, "1%", 2, (0, 1)), ("25%", "1%", 1, (1, 0)), ("1%", "25%", 2, (1, 0)),
    ("25%", "25%", 10, (3, 2)), (0, 0, 5, (0, 1)),
])
def test_fenceposts(surge: Any, unavailable: Any, desired: int, expected: tuple[int, int]) -> None:
    """pkg/controller/deployment/util/deployment_util_test.go, TestResolveFenceposts."""
    assert math.resolve_fenceposts(surge, unavailable, desired) == expected
