"""Resizing pods: only cpu and memory change. Follows pkg/apis/core/validation/validation.go (ValidatePodResize)."""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import Errors, Obj, struct, structs, text
from clusterlab.apiserver.validation.meta import object_meta_update
from clusterlab.apiserver.validation.pod import pod_metadata_and_spec
from clusterlab.apiserver.validation.qos import pod_qos
from clusterlab.machinery.field import forbidden, invalid

__all__ = ["update_resize"]

_MIRROR = "kubernetes.io/config.mirror"
_RESIZABLE = ("cpu", "memory")


def _ordering(spec: Obj, before: Obj) -> Errors:
    out: Errors = []
    for field in ("containers", "initContainers"):
        now, then = structs(spec, field), structs(before, field)
        if len(now) != len(then):
            out.append(forbidden(f"spec.{field}", f"{field} may not be added or removed on resize"))
            continue
        for i, container in enumerate(then):
            if text(now[i], "name") != text(container, "name"):
                out.append(forbidden(f"spec.{field}[{i}].name", f"{field} may not be renamed or reordered on resize"))
    return out


def _removed(now: Obj, then: Obj) -> bool:
    return any(name not in now for name in then)


def _kept(path: str, now: Obj, then: Obj, what: str = "resource") -> Errors:
    out: Errors = []
    for field, word in (("requests", "requests"), ("limits", "limits")):
        if _removed(struct(now, field), struct(then, field)):
            out.append(forbidden(f"{path}.{field}", f"{what} {word} cannot be removed"))
    return out


def _frozen(now: Obj, then: Obj) -> Obj:
    """`now` with the cpu and memory of `then`: the rest must be as it was."""
    out: dict[str, Any] = {}
    for field in ("limits", "requests"):
        amounts = {name: value for name, value in struct(now, field).items() if name not in _RESIZABLE}
        amounts |= {name: value for name, value in struct(then, field).items() if name in _RESIZABLE}
        if amounts:
            out[field] = amounts
    return out


def _containers(spec: Obj, before: Obj, field: str) -> tuple[list[Obj], Errors]:
    out: Errors = []
    made = []
    for i, (container, was) in enumerate(zip(structs(spec, field), structs(before, field), strict=True)):
        frozen = {**container, "resources": _frozen(struct(container, "resources"), struct(was, "resources"))}
        if not gotypes.go_equal("Container", frozen, was):
            if field == "containers":
                out.append(forbidden("spec", "only cpu and memory resources are mutable"))
            else:
                why = "only cpu and memory resources for init or sidecar containers are mutable"
                out.append(forbidden(f"spec.initContainers[{i}]", why))
        if field == "initContainers" and container.get("restartPolicy") != "Always" and not gotypes.go_equal("Container", container, was):
            for policy in structs(container, "resizePolicy"):
                if policy.get("restartPolicy") == "RestartContainer":
                    why = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
                    out.append(forbidden(f"spec.initContainers[{i}]", why))
        made.append(frozen)
    return made, out


def _pod_level(spec: Obj, before: Obj) -> tuple[Any, Errors]:
    now, then = spec.get("resources"), before.get("resources")
    if then is not None and now is None:
        return now, [forbidden("spec.resources", "pod-level resources cannot be removed")]
    out = _kept("spec.resources", now or {}, then or {}, "pod-level resource")
    frozen: Any = {**(now or {}), **{"limits": None, "requests": None}, **_frozen(now or {}, then or {})}
    frozen = {key: value for key, value in frozen.items() if value is not None}
    if then is None and not frozen:
        frozen = None
    if not gotypes.go_equal("PodSpec", {"resources": frozen}, {"resources": then}):
        out.append(forbidden("spec", "only cpu and memory resources are mutable at pod-level"))
    return frozen, out


def _supported(status: Obj) -> bool:
    for container in structs(status, "containerStatuses"):
        if struct(container, "state").get("running") is not None:
            return container.get("resources") is not None
    return True


def update_resize(new: Obj, old: Obj) -> Errors:
    """A resized pod."""
    out = object_meta_update(new, old) + pod_metadata_and_spec(new)
    spec, before = struct(new, "spec"), struct(old, "spec")
    if _MIRROR in struct(struct(old, "metadata"), "annotations"):
        return [forbidden("", "static pods cannot be resized")]
    if text(struct(before, "os"), "name") == "windows":
        return [forbidden("", "windows pods cannot be resized")]
    if pod_qos(spec) != pod_qos(before):
        shown = text(struct(new, "status"), "qosClass")
        out.append(invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    if not _supported(struct(old, "status")):
        out.append(forbidden("spec", "Pod running on node without support for resize"))
    munged = dict(spec)
    if any(struct(resources, field) for resources in (spec.get("resources") or {}, before.get("resources") or {})
           for field in ("requests", "limits")):
        munged["resources"], wrong = _pod_level(spec, before)
        out += wrong
    if wrong := _ordering(spec, before):
        return out + wrong
    for field in ("initContainers", "containers"):
        for i, container in enumerate(structs(before, field)):
            now = struct(structs(spec, field)[i], "resources")
            out += _kept(f"spec.{field}[{i}].resources", now, struct(container, "resources"))
    for field in ("containers", "initContainers"):
        if spec.get(field):
            munged[field], wrong = _containers(spec, before, field)
            out += wrong
    if not out and not gotypes.go_equal("PodSpec", munged, before):
        out.append(forbidden("spec", "only cpu and memory resources are mutable"))
    return out
