"""The rolling update of DaemonSets, with pods deleted first (maxUnavailable) or new ones started first (maxSurge).

Follows rollingUpdate in pkg/controller/daemon/update.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.controllers.daemonset_pods import node_should_run, template_generation, updated
from clusterlab.controllers.history import HASH
from clusterlab.controllers.objects import Object, Objects, available_in_ms, deleting, pod_ready, scaled_value

if TYPE_CHECKING:
    from clusterlab.controllers.daemonset import DaemonSetController

__all__ = ["allows_surge", "rolling_update", "unwanted_with_surge"]


def _rolling(ds: Object) -> Object:
    strategy = ds["spec"].get("updateStrategy") or {}
    return (strategy.get("rollingUpdate") or {}) if strategy.get("type", "RollingUpdate") == "RollingUpdate" else {}


def surge_count(ds: Object, nodes: int) -> int:
    """How many nodes may have a second pod."""
    return scaled_value(_rolling(ds).get("maxSurge", 0), nodes, True)


def allows_surge(ds: Object) -> bool:
    """Whether new pods are started before old ones go."""
    return surge_count(ds, 1) > 0


def _available(by: DaemonSetController, ds: Object, pod: Object) -> bool:
    return available_in_ms(pod, ds["spec"].get("minReadySeconds", 0), by.now_ms) == 0


def unwanted_with_surge(by: DaemonSetController, ds: Object, running: Objects, digest: str) -> Objects:
    """Of several pods on one node, oldest first, those to delete: all but one new and one old, and the old one when its time
    has come."""
    new = old = None
    surplus: Objects = []
    for pod in running:
        if pod["metadata"]["labels"].get(HASH) == digest and new is None:
            new = pod
        elif pod["metadata"]["labels"].get(HASH) != digest and old is None:
            old = pod
        else:
            surplus.append(pod)
    if new is not None and old is not None and (not pod_ready(old) or _available(by, ds, new)):
        surplus.append(old)
    return surplus


def _new_and_old(ds: Object, pods: Objects, digest: str) -> tuple[Object | None, Object | None] | None:
    """(the new pod, the old pod) of a node; None when there is more than one of either."""
    generation = template_generation(ds)
    alive = [pod for pod in pods if not deleting(pod)]
    new = [pod for pod in alive if updated(pod, digest, generation)]
    old = [pod for pod in alive if pod not in new]
    if len(new) > 1 or len(old) > 1:
        return None
    return (new[0] if new else None), (old[0] if old else None)


def rolling_update(by: DaemonSetController, key: str, ds: Object, digest: str) -> None:
    """Moves the rollout on, if the strategy is RollingUpdate."""
    if (ds["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") != "RollingUpdate":
        return
    pods = by.pods_by_node(ds)
    wanted = [name for name, node in by.nodes.store.items() if node_should_run(ds, node)[0]]
    for name in wanted:
        pods.setdefault(name, [])
    surge = surge_count(ds, len(wanted))
    unavailable = scaled_value(_rolling(ds).get("maxUnavailable", 1), len(wanted), True)
    if wanted and not surge and not unavailable:
        unavailable = 1
    if surge:
        _surge(by, key, ds, digest, pods, surge, len(wanted))
    else:
        _replace(by, key, ds, digest, pods, unavailable)


def _replace(by: DaemonSetController, key: str, ds: Object, digest: str, pods: dict[str, Objects], limit: int) -> None:
    """Deletes old pods: all that are not available anyway, and others while few enough are missing."""
    missing = 0
    at_once: Objects = []
    candidates: Objects = []
    for on_node in pods.values():
        pair = _new_and_old(ds, on_node, digest)
        if pair is None:
            missing += 1
            continue
        new, old = pair
        if (new is None) == (old is None):
            missing += 1
        elif new is not None:
            missing += not _available(by, ds, new)
        elif old is not None and not _available(by, ds, old):
            at_once.append(old)
            missing += 1
        elif old is not None and missing < limit:
            candidates.append(old)
    by.sync_nodes(key, ds, at_once + candidates[:max(0, limit - missing)], [], digest)


def _surge(
    by: DaemonSetController, key: str, ds: Object, digest: str, pods: dict[str, Objects], limit: int, wanted: int
) -> None:
    """Starts new pods beside old ones, and deletes old ones whose successor is available."""
    old_to_delete: Objects = []
    homeless: Objects = []
    candidates: list[str] = []
    at_once: list[str] = []
    surging = available = 0
    for name, on_node in pods.items():
        pair = _new_and_old(ds, on_node, digest)
        if pair is None:
            surging += 1
            continue
        new, old = pair
        counted = old if old is not None else new
        available += counted is not None and _available(by, ds, counted)
        if old is None:
            continue
        if new is not None:
            if _available(by, ds, new):
                old_to_delete.append(old)
            else:
                surging += 1
            continue
        node = by.nodes.get(name)
        should = node is not None and node_should_run(ds, node)[0]
        if not _available(by, ds, old):
            if should:
                at_once.append(name)
            else:
                old_to_delete.append(old)
        elif not should:
            homeless.append(old)
        elif surging < limit:
            candidates.append(name)
    old_to_delete += homeless[:max(0, available - wanted)]
    by.sync_nodes(key, ds, old_to_delete, at_once + candidates[:max(0, limit - surging)], digest)
