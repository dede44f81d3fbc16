"""Quality of service of pods. Follows pkg/apis/core/helper/qos/qos.go."""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.validation.amounts import nano
from clusterlab.apiserver.validation.common import EMPTY, Obj, structs

__all__ = ["pod_qos"]

_COUNTED = ("cpu", "memory")


def _add(total: dict[str, int], amounts: Obj) -> set[str]:
    found = set()
    for name in _COUNTED:
        value = nano(amounts[name]) if amounts.get(name) is not None else 0
        if value > 0:
            total[name] = total.get(name, 0) + value
            found.add(name)
    return found


def pod_qos(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort."""
    requests: dict[str, int] = {}
    limits: dict[str, int] = {}
    whole: Any = spec.get("resources")
    parts = [whole] if whole is not None else [
        container.get("resources") or EMPTY for container in [*structs(spec, "containers"), *structs(spec, "initContainers")]
    ]
    guaranteed = True
    for resources in parts:
        if not resources:
            guaranteed = False
            continue
        _add(requests, resources.get("requests") or EMPTY)
        limited = _add(limits, resources.get("limits") or EMPTY)
        if len(limited) < 2 and (whole is None or resources.get("limits")):
            guaranteed = False
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"
