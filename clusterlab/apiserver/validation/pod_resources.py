"""Resources of a pod as a whole, and what its containers ask for together.

Follows pkg/apis/core/validation/validation.go (validatePodResources) and
staging/src/k8s.io/component-helpers/resource/helpers.go (AggregateContainerRequests, AggregateContainerLimits).
"""

from __future__ import annotations

from clusterlab.apiserver.validation.amounts import canonical, nano
from clusterlab.apiserver.validation.common import Errors, Obj, struct, structs, text
from clusterlab.apiserver.validation.resources import is_huge_page, pod_requirements
from clusterlab.machinery.field import forbidden, invalid

__all__ = ["aggregate", "pod_resources", "text_of_nano"]


def aggregate(spec: Obj, kind: str) -> dict[str, int]:
    """What the containers of a pod ask for together, in billionths by resource. `kind`: requests or limits."""
    total: dict[str, int] = {}
    for container in structs(spec, "containers"):
        for name, value in struct(struct(container, "resources"), kind).items():
            total[name] = total.get(name, 0) + nano(value)
    sidecars: dict[str, int] = {}
    first: dict[str, int] = {}
    for container in structs(spec, "initContainers"):
        asked = {name: nano(value) for name, value in struct(struct(container, "resources"), kind).items()}
        if container.get("restartPolicy") == "Always":
            for name, value in asked.items():
                total[name] = total.get(name, 0) + value
                sidecars[name] = sidecars.get(name, 0) + value
            asked = dict(sidecars)
        else:
            for name, value in sidecars.items():
                asked[name] = asked.get(name, 0) + value
        for name, value in asked.items():
            first[name] = max(first.get(name, 0), value)
    for name, value in first.items():
        total[name] = max(total.get(name, 0), value)
    return total


def text_of_nano(value: int, like: object) -> str:
    """An amount in billionths as a quantity; binary if `like` is."""
    if isinstance(like, str) and like.endswith("i") and value % 1_000_000_000 == 0:
        whole = value // 1_000_000_000
        return canonical(f"{whole // 1024}Ki") if whole % 1024 == 0 else str(whole)
    return canonical(f"{value}n")


def _like(spec: Obj, kind: str, name: str) -> object:
    for container in [*structs(spec, "containers"), *structs(spec, "initContainers")]:
        value = struct(struct(container, "resources"), kind).get(name)
        if value is not None:
            return value
    return None


def pod_resources(path: str, spec: Obj, claims: tuple[str, ...]) -> Errors:
    """spec.resources, and that the containers fit into it."""
    at = f"{path}.resources"
    if text(struct(spec, "os"), "name") == "windows":
        return [forbidden(at, "may not be set for a windows pod")]
    resources = struct(spec, "resources")
    out: Errors = []
    if resources.get("claims") is not None:
        out.append(forbidden(f"{at}.claims", "claims may not be set for Resources at pod-level"))
    out += pod_requirements(at, resources, claims)
    requests, limits = struct(resources, "requests"), struct(resources, "limits")
    for name, value in aggregate(spec, "requests").items():
        if name in requests and value > nano(requests[name]):
            asked = text_of_nano(value, _like(spec, "requests", name))
            why = f"must be greater than or equal to aggregate container requests of {asked}"
            out.append(invalid(f"{at}.requests[{name}]", canonical(requests[name]), why))
    for name, value in aggregate(spec, "limits").items():
        if is_huge_page(name) and name in limits and value > nano(limits[name]):
            asked = text_of_nano(value, _like(spec, "limits", name))
            why = f"must be greater than or equal to aggregate container limits of {asked}"
            out.append(invalid(f"{at}.limits[{name}]", canonical(limits[name]), why))
    for i, container in enumerate(structs(spec, "containers")):
        for name, value in struct(struct(container, "resources"), "limits").items():
            if name in limits and nano(value) > nano(limits[name]):
                why = f"must be less than or equal to pod limits of {canonical(limits[name])}"
                out.append(invalid(f"{at}.containers[{i}][{name}].limits", canonical(value), why))
    return out
