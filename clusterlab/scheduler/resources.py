"""What pods ask for and what nodes have, as integers.

Follows staging/src/k8s.io/component-helpers/resource/helpers.go (requests of a pod: the sum of its containers, or the largest
init container, with sidecars, pod-level resources and overhead) and pkg/scheduler/framework/types.go (Resource). CPU is counted
in millicores, everything else in units; fractions are rounded up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from clusterlab.machinery.quantity import parse

Object = dict[str, Any]

__all__ = [
    "DEFAULT_CPU_MILLI", "DEFAULT_MEMORY", "Allocatable", "PodResources", "allocatable", "is_extended", "is_scalar", "nano",
    "pod_requests", "pod_resources", "rounded",
]

#: What a container is taken to ask for, in scoring only, where it asks for nothing.
DEFAULT_CPU_MILLI = 100
DEFAULT_MEMORY = 200 * 1024 * 1024

NANO = 1_000_000_000
_CACHE_LIMIT = 20_000
_NON_MISSING = {"cpu": DEFAULT_CPU_MILLI * 1_000_000, "memory": DEFAULT_MEMORY * NANO}

Amounts = dict[str, int]  # resource name -> billionths


def nano(quantity: Any) -> int:
    """A quantity ("250m", "64Mi", 2) in billionths, rounded up: resource.Quantity keeps no more than that."""
    return parse(quantity if type(quantity) is str else str(quantity)).nano


def rounded(name: str, amount: int) -> int:
    """Billionths as the scheduler counts that resource."""
    return -(-amount // 1_000_000) if name == "cpu" else -(-amount // NANO)


def is_extended(name: str) -> bool:
    """Whether a resource is extended (pkg/apis/core/v1/helper/helpers.go)."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def is_scalar(name: str) -> bool:
    """Whether the scheduler counts a resource beside CPU, memory, ephemeral storage and pods."""
    return ("/" in name and not name.startswith("requests.")) or name.startswith(("hugepages-", "attachable-volumes-"))


class Allocatable(NamedTuple):
    """What a node has for pods."""

    cpu: int
    memory: int
    ephemeral: int
    pods: int
    scalars: dict[str, int]


class PodResources(NamedTuple):
    """What a pod asks for; `non0_*` with the defaults for containers that ask for nothing."""

    cpu: int
    memory: int
    ephemeral: int
    scalars: dict[str, int]
    non0_cpu: int
    non0_memory: int


def allocatable(node: Object) -> Allocatable:
    """What a node reports in its status."""
    amounts = {name: nano(quantity) for name, quantity in (node.get("status", {}).get("allocatable") or {}).items()}
    return Allocatable(
        rounded("cpu", amounts.get("cpu", 0)), rounded("memory", amounts.get("memory", 0)),
        rounded("ephemeral-storage", amounts.get("ephemeral-storage", 0)), rounded("pods", amounts.get("pods", 0)),
        {name: rounded(name, amount) for name, amount in amounts.items() if is_scalar(name)},
    )


def pod_requests(pod: Object, non_missing: bool = False, use_status: bool = False, pod_level: bool = True) -> Amounts:
    """The requests of a pod in billionths. `non_missing`: containers that ask for no CPU or memory count with the defaults.
    `use_status`: what its kubelet has allocated counts where that is more, as during a resize. `pod_level`: spec.resources count."""
    return _requests(pod, _NON_MISSING if non_missing else {}, use_status, pod_level)


def _requests(pod: Object, non_missing: Mapping[str, int], use_status: bool, pod_level: bool = True) -> Amounts:
    spec = pod["spec"]
    statuses = _container_statuses(pod) if use_status else {}
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _container_requests(pod, container, non_missing, statuses))
    sidecars: Amounts = {}
    largest: Amounts = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            amounts = _container_requests(pod, container, non_missing, statuses)
            _add(total, amounts)
            _add(sidecars, amounts)
            _max(largest, sidecars)
        else:
            amounts = _container_requests(pod, container, non_missing, {})
            _max(largest, {**amounts, **{k: v + amounts.get(k, 0) for k, v in sidecars.items()}})
    _max(total, largest)
    wanted = (spec.get("resources") or {}).get("requests") if pod_level else None
    if wanted:
        asked = _nanos_of(wanted)
        status = (pod.get("status") or {}) if use_status else {}
        if status.get("resources") is not None:
            asked = _effective(pod, asked, status["resources"], status.get("allocatedResources"))
        total.update({name: asked.get(name, 0) for name in wanted if _pod_level(name)})
    _add(total, {name: nano(quantity) for name, quantity in (spec.get("overhead") or {}).items()})
    return total


def _pod_level(name: str) -> bool:
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def _container_statuses(pod: Object) -> dict[str, Object]:
    status = pod.get("status") or {}
    both = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
    return {entry["name"]: entry for entry in both if entry.get("resources") is not None}


def _container_requests(
    pod: Object, container: Object, non_missing: Mapping[str, int], statuses: Mapping[str, Object]
) -> Amounts:
    wanted = _nanos_of((container.get("resources") or {}).get("requests"))
    known = statuses.get(container["name"]) if statuses else None
    if known is not None:
        wanted = _effective(pod, wanted, known["resources"], known.get("allocatedResources"))
    for name, amount in non_missing.items():
        wanted.setdefault(name, amount)
    return wanted


def _effective(pod: Object, wanted: Amounts, actual: Object | None, allocated: Object | None) -> Amounts:
    """The most of what is asked for (unless the node can never give it), used and allocated (determineEffectiveRequests)."""
    most = _nanos_of((actual or {}).get("requests"))
    _max(most, _nanos_of(allocated))
    if not _resize_infeasible(pod):
        _max(most, wanted)
    return most


def _resize_infeasible(pod: Object) -> bool:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodResizePending":
            return bool(condition.get("reason") == "Infeasible")
    return False


def _nanos_of(quantities: Mapping[str, Any] | None) -> Amounts:
    return {name: nano(quantity) for name, quantity in quantities.items()} if quantities else {}


def _add(total: Amounts, amounts: Mapping[str, int]) -> None:
    for name, amount in amounts.items():
        total[name] = total.get(name, 0) + amount


def _max(total: Amounts, amounts: Mapping[str, int]) -> None:
    for name, amount in amounts.items():
        if amount > total.get(name, -1):
            total[name] = amount


_templates: dict[str, PodResources] = {}


def pod_resources(pod: Object, use_status: bool = False) -> PodResources:
    """What a pod takes of a node. Pods of one template share the answer."""
    if use_status:
        return _pod_resources(pod, True)
    spec = pod["spec"]
    key = repr((
        [container.get("resources") for container in spec.get("containers") or ()],
        _init_key(spec.get("initContainers") or ()), spec.get("overhead"), spec.get("resources"),
    ))
    found = _templates.get(key)
    if found is None:
        if len(_templates) > _CACHE_LIMIT:
            _templates.clear()
        found = _templates[key] = _pod_resources(pod, False)
    return found


def _init_key(containers: Iterable[Object]) -> list[tuple[Any, Any]]:
    return [(container.get("resources"), container.get("restartPolicy")) for container in containers]


def _pod_resources(pod: Object, use_status: bool) -> PodResources:
    asked = pod_requests(pod, use_status=use_status)
    # With pod-level requests only what neither the pod nor its containers ask for is filled in.
    pod_level = any(_pod_level(name) for name in (pod["spec"].get("resources") or {}).get("requests") or ())
    missing = {name: amount for name, amount in _NON_MISSING.items() if not pod_level or name not in asked}
    non_zero = _requests(pod, missing, use_status) if missing else asked
    return PodResources(
        rounded("cpu", asked.get("cpu", 0)), rounded("memory", asked.get("memory", 0)),
        rounded("ephemeral-storage", asked.get("ephemeral-storage", 0)),
        {name: rounded(name, amount) for name, amount in asked.items() if is_scalar(name)},
        rounded("cpu", non_zero.get("cpu", 0)), rounded("memory", non_zero.get("memory", 0)),
    )
