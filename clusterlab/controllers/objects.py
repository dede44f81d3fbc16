"""What all controllers ask of objects: owners, times, conditions, and the state of pods.

Follows pkg/controller/controller_utils.go, pkg/api/v1/pod/util.go and staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/controller_ref.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from clusterlab.client.informer import key_of
from clusterlab.machinery.meta import controller_of, find_condition, with_meta
from clusterlab.machinery.meta import is_deleting as deleting

if TYPE_CHECKING:
    from clusterlab.client.informer import Informer
    from clusterlab.sim import Simulation

__all__ = [
    "EPOCH", "MAX_INT32", "Object", "Objects", "active", "available_in_ms", "by_controller", "condition_of", "controlled_by",
    "controller_of", "controller_ref", "created_ms", "deleting", "drop_zero", "find_condition", "finished", "key_of", "manager_key",
    "now_ms", "phase", "pod_ready", "ready_condition", "relevant", "replicas", "scaled_value", "split_key", "status_count", "unix_ms",
    "with_meta", "with_status", "without_condition",
]

Object = dict[str, Any]
Objects = list[Object]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: maxint32: how Kubernetes writes "no limit" in deadlines and history limits.
MAX_INT32 = 2147483647


# Times.


@lru_cache(maxsize=8192)
def unix_ms(stamp: str) -> int:
    """An RFC 3339 time as milliseconds since 1970."""
    return round((datetime.fromisoformat(stamp) - EPOCH).total_seconds() * 1000)


@lru_cache(maxsize=64)
def _epoch_ms(epoch: datetime) -> int:
    return round((epoch - EPOCH).total_seconds() * 1000)


def now_ms(sim: Simulation) -> int:
    """Now as milliseconds since 1970, to be compared with `unix_ms`."""
    return _epoch_ms(sim.epoch) + sim.time_ms


def created_ms(obj: Object) -> int:
    """When an object was created, as milliseconds since 1970; 0 when it does not say."""
    stamp = obj["metadata"].get("creationTimestamp")
    return unix_ms(stamp) if stamp else 0


# Keys and owners.


def split_key(key: str) -> tuple[str, str]:
    """(namespace, name); the namespace of a cluster-scoped object is ""."""
    namespace, slash, name = key.partition("/")
    return (namespace, name) if slash else ("", key)


def controlled_by(obj: Object, owner: Object) -> bool:
    """Whether `owner` manages `obj`."""
    ref = controller_of(obj)
    return ref is not None and ref["uid"] == owner["metadata"]["uid"]


def controller_ref(owner: Object, api_version: str, kind: str) -> Object:
    """A managing owner reference to `owner`."""
    meta = owner["metadata"]
    return {
        "apiVersion": api_version, "kind": kind, "name": meta["name"], "uid": meta["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }


def by_controller(obj: Object) -> Iterable[str]:
    """Index function: the uid of the managing owner, or `orphan/NAMESPACE`."""
    meta = obj["metadata"]
    for ref in meta.get("ownerReferences") or ():
        if ref.get("controller"):
            return (ref["uid"],)
    return ("orphan/" + meta.get("namespace", ""),)


def manager_key(obj: Object, kind: str, owners: Informer) -> str | None:
    """The key of the owner of this kind that manages an object, if the informer still knows that very owner."""
    ref = controller_of(obj)
    if ref is None or ref["kind"] != kind:
        return None
    key = f"{obj['metadata']['namespace']}/{ref['name']}"
    owner = owners.store.get(key)
    return key if owner is not None and owner["metadata"]["uid"] == ref["uid"] else None


def with_status(obj: Object, status: Object) -> Object:
    """The object with another status."""
    return {**obj, "status": status}


def drop_zero(status: Object) -> Object:
    """Without what Go leaves out (omitempty): zeros, empty strings and lists, None."""
    return {key: value for key, value in status.items() if value not in (0, "", None, [], {}) or value is False}


# Conditions.


def condition_of(obj: Object, kind: str) -> Object | None:
    """The condition of that type in an object's status."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition["type"] == kind:
            found: Object = condition
            return found
    return None


def without_condition(conditions: Iterable[Object], kind: str) -> Objects:
    """A list of conditions without those of a type."""
    return [condition for condition in conditions if condition["type"] != kind]


# Pods.


def ready_condition(pod: Object) -> Object | None:
    """The Ready condition of a pod."""
    status = pod.get("status")
    if status:
        for condition in status.get("conditions") or ():
            if condition["type"] == "Ready":
                found: Object = condition
                return found
    return None


def pod_ready(pod: Object) -> bool:
    """Whether a pod is ready."""
    condition = ready_condition(pod)
    return condition is not None and condition["status"] == "True"


def available_in_ms(pod: Object, min_ready_s: int, now: int) -> int | None:
    """In how many ms a pod will have been ready for `min_ready_s`: 0 when it has, None when it is not ready."""
    condition = ready_condition(pod)
    if condition is None or condition["status"] != "True":
        return None
    if not min_ready_s:
        return 0
    since = condition.get("lastTransitionTime")
    if not since:
        return None
    return max(0, unix_ms(since) + min_ready_s * 1000 - now)


def phase(pod: Object) -> str:
    """The phase of a pod, "" before it has one."""
    return str((pod.get("status") or {}).get("phase", ""))


def finished(pod: Object) -> bool:
    """Whether a pod has run to its end."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def active(pod: Object) -> bool:
    """Whether a pod counts as a replica: not at its end and not being deleted."""
    return not finished(pod) and not pod["metadata"].get("deletionTimestamp")


def replicas(obj: Object) -> int:
    """spec.replicas of a workload, 1 when unset."""
    value = obj["spec"].get("replicas")
    return 1 if value is None else int(value)


def status_count(obj: Object, field: str) -> int:
    """A count in an object's status, 0 when left out."""
    return int((obj.get("status") or {}).get(field) or 0)


def scaled_value(value: Any, total: int, round_up: bool) -> int:
    """An int-or-percent of a total (intstr.GetScaledValueFromIntOrPercent)."""
    if isinstance(value, str):
        percent = int(value.removesuffix("%"))
        return -(-percent * total // 100) if round_up else percent * total // 100
    return int(value or 0)


def relevant(old: Object, new: Object, *fields: Callable[[Object], Any]) -> bool:
    """Whether an update changed any of the given aspects."""
    return any(field(old) != field(new) for field in fields)
