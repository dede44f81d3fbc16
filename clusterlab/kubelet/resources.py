"""What pods ask for, in whole numbers, and their quality of service.

Follows staging/src/k8s.io/component-helpers/resource/helpers.go and pkg/apis/core/v1/helper/qos/qos.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusterlab.runtime.amounts import milli, units

Object = dict[str, Any]
Amounts = dict[str, int]

__all__ = ["amount", "container_limits", "is_sidecar", "limits", "pod_requests", "qos_class", "quantities", "tolerates"]


def amount(name: str, value: Any) -> int:
    """CPU in millicores, everything else in units."""
    return milli(value) if name == "cpu" else units(value)


def is_sidecar(container: Object) -> bool:
    """Whether an init container keeps running beside the others."""
    return container.get("restartPolicy") == "Always"


def _asked(container: Object, part: str) -> Object:
    asked: Object = (container.get("resources") or {}).get(part) or {}
    return asked


def _add(total: Amounts, more: Amounts) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _most(total: Amounts, other: Amounts) -> None:
    for name, value in other.items():
        if value > total.get(name, 0):
            total[name] = value


def _sum(pod_spec: Object, part: str) -> Amounts:
    total: Amounts = {}
    for container in pod_spec["containers"]:
        asked = _asked(container, part)
        if asked:
            _add(total, {name: amount(name, value) for name, value in asked.items()})
    inits = pod_spec.get("initContainers")
    if inits:
        sidecars: Amounts = {}
        peak: Amounts = {}
        for container in inits:
            asked_now = {name: amount(name, value) for name, value in _asked(container, part).items()}
            if is_sidecar(container):
                _add(total, asked_now)
                _add(sidecars, asked_now)
                asked_now = dict(sidecars)
            else:
                _add(asked_now, sidecars)
            _most(peak, asked_now)
        _most(total, peak)
    for name, value in _asked(pod_spec, part).items():
        total[name] = amount(name, value)
    return total


def pod_requests(pod: Object) -> Amounts:
    """What a pod asks for in all, overhead included."""
    total = _sum(pod["spec"], "requests")
    for name, value in (pod["spec"].get("overhead") or {}).items():
        total[name] = total.get(name, 0) + amount(name, value)
    return total


def container_limits(pod_spec: Object, container: Object) -> Object:
    """The limits of a container: where it has none of its own, those of the whole pod (kuberuntime_container_linux.go, getCPULimit)."""
    own, whole = _asked(container, "limits"), _asked(pod_spec, "limits")
    return {**{name: value for name, value in whole.items() if name in ("cpu", "memory")}, **own} if whole else own


def limits(pod: Object) -> Amounts:
    """What a pod may use in all."""
    return _sum(pod["spec"], "limits")


def quantities(amounts: Amounts) -> dict[str, str]:
    """Amounts as canonical quantities."""
    return {name: _text(name, value) for name, value in sorted(amounts.items())}


def _text(name: str, value: int) -> str:
    if name == "cpu":
        return str(value // 1000) if value % 1000 == 0 else f"{value}m"
    if name in {"memory", "ephemeral-storage"} or name.startswith("hugepages-"):
        for suffix, shift in (("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)):
            if value and value % (1 << shift) == 0:
                return f"{value >> shift}{suffix}"
    return str(value)


def qos_class(pod: Object) -> str:
    """Guaranteed, Burstable or BestEffort."""
    known = (pod.get("status") or {}).get("qosClass")
    if known:
        return str(known)
    spec = pod["spec"]
    if spec.get("resources"):
        return _class_of([spec])
    return _class_of([*spec["containers"], *(spec.get("initContainers") or ())])


def _class_of(containers: Iterable[Object]) -> str:
    anything, guaranteed = False, True
    for container in containers:
        asked, most = _asked(container, "requests"), _asked(container, "limits")
        if any(amount(name, (asked.get(name) or most.get(name) or 0)) for name in ("cpu", "memory")):
            anything = True
        for name in ("cpu", "memory"):
            if name not in most or amount(name, asked.get(name, most[name])) != amount(name, most[name]):
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def tolerates(toleration: Object, taint: Object) -> bool:
    """Whether a toleration tolerates a taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")
