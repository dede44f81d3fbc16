"""What a pod was allocated, which is what it has until a resize has been accepted.

Follows pkg/kubelet/allocation/allocation_manager.go (UpdatePodFromAllocation).
"""

from __future__ import annotations

from typing import Any

from clusterlab.kubelet.records import Pod

Object = dict[str, Any]

__all__ = ["WHOLE", "allocated", "allocation_of", "containers"]

#: In an allocation, the resources of the pod as a whole; no container is called so.
WHOLE = ""


def containers(pod: Object) -> list[Object]:
    """All containers of a pod that ask for resources."""
    spec = pod["spec"]
    return [*(spec.get("initContainers") or ()), *spec["containers"]]


def allocation_of(pod: Object) -> dict[str, Object]:
    """What the containers of a pod that is admitted are given: what they ask for, or what they have after a kubelet's restart."""
    status = pod.get("status") or {}
    known = {each["name"]: each for part in ("containerStatuses", "initContainerStatuses") for each in status.get(part) or ()}
    found = {}
    for container in containers(pod):
        has = known.get(container["name"]) or {}
        found[container["name"]] = has["resources"] if has.get("containerID") and "resources" in has else container.get("resources") or {}
    if pod["spec"].get("resources"):
        found[WHOLE] = status.get("resources") or pod["spec"]["resources"]
    return found


def allocated(rec: Pod) -> Object:
    """The pod with the resources that it was allocated."""
    given, spec = rec.allocation, rec.pod["spec"]
    whole = given.get(WHOLE, spec.get("resources"))
    if (spec.get("resources") or {}) == (whole or {}) and all(
            (each.get("resources") or {}) == given.get(each["name"], each.get("resources") or {}) for each in containers(rec.pod)):
        return rec.pod
    changed = {
        part: [{**each, "resources": given.get(each["name"], each.get("resources") or {})} for each in spec[part]]
        for part in ("containers", "initContainers") if spec.get(part)
    }
    return {**rec.pod, "spec": {**spec, **changed, **({"resources": whole} if whole else {})}}
