"""Changes to pods: what may change in a running pod, its status, its ephemeral containers, its resources.

Follows pkg/apis/core/validation/validation.go (ValidatePodUpdate, ValidatePodStatusUpdate, ValidatePodEphemeralContainersUpdate,
ValidatePodResize, ValidatePodBinding).
"""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.affinity import tolerations
from clusterlab.apiserver.validation.common import EMPTY, Errors, Obj, equal, immutable, invalids, struct, structs, text
from clusterlab.apiserver.validation.formats import label_key, legacy_ip, name_is_subdomain, parse_ip
from clusterlab.apiserver.validation.meta import object_meta_update
from clusterlab.apiserver.validation.pod import pod_metadata_and_spec
from clusterlab.apiserver.validation.pod_annotations import annotation_updates
from clusterlab.machinery.field import forbidden, invalid, not_supported, required

__all__ = ["binding", "update", "update_ephemeral_containers", "update_status"]

_MIRROR = "kubernetes.io/config.mirror"
_MOST_SECONDS = 2147483647
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)


def _container_updates(path: str, new: list[Obj], old: list[Obj]) -> tuple[Errors, bool]:
    """What is wrong, and whether nothing more can be compared."""
    if len(new) != len(old):
        return [forbidden(path, "pod updates may not add or remove containers")], True
    out: Errors = []
    for i, container in enumerate(new):
        image = text(container, "image")
        if not image:
            out.append(required(f"{path}[{i}].image"))
        if image.strip() != image:
            out.append(invalid(f"{path}[{i}].image", image, "must not have leading or trailing whitespace"))
    return out, False


def _added_tolerations(new: list[Obj], old: list[Obj]) -> Errors:
    path = "spec.tolerations"
    bare = [{key: value for key, value in item.items() if key != "tolerationSeconds" and value} for item in new]
    for item in old:
        if {key: value for key, value in item.items() if key != "tolerationSeconds" and value} not in bare:
            return [forbidden(path, "existing toleration can not be modified except its tolerationSeconds")]
    return tolerations(path, new)


def _deadline(new: Obj, old: Obj) -> tuple[Errors, bool]:
    path, value, before = "spec.activeDeadlineSeconds", new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if value is None:
        return ([invalid(path, None, "must not update from a positive integer to nil value")] if before is not None else []), False
    if not 0 <= value <= _MOST_SECONDS:
        return [invalid(path, value, f"must be between 0 and {_MOST_SECONDS}, inclusive")], True
    if before is not None and before < value:
        return [invalid(path, value, "must be less than or equal to previous value")], True
    return [], False


def _with_images(new: list[Obj], old: list[Obj]) -> list[Obj]:
    return [{**container, "image": old[i].get("image")} for i, container in enumerate(new)]


def _gated(spec: Obj, old: Obj) -> Errors:
    """A pod that waits for gates may narrow down where it will run; `spec` is changed back where that is so."""
    out: Errors = []
    selector, before = struct(spec, "nodeSelector"), struct(old, "nodeSelector")
    if not equal(selector, before):
        if any(selector.get(key) != value for key, value in before.items()):
            why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            out.append(invalid("spec.nodeSelector", selector or None, why))
        spec["nodeSelector"] = old.get("nodeSelector")
    now, then = struct(spec, "affinity"), struct(old, "affinity")
    if not equal(now.get("nodeAffinity"), then.get("nodeAffinity")):
        out += _narrower(struct(now, "nodeAffinity"), struct(then, "nodeAffinity"))
        merged = {**now, "nodeAffinity": then.get("nodeAffinity")}
        spec["affinity"] = merged if any(value is not None for value in merged.values()) else old.get("affinity")
    return out


def _narrower(new: Obj, old: Obj) -> Errors:
    needed = "requiredDuringSchedulingIgnoredDuringExecution"
    before, now = structs(struct(old, needed), "nodeSelectorTerms"), structs(struct(new, needed), "nodeSelectorTerms")
    path = f"spec.affinity.nodeAffinity.{needed}.nodeSelectorTerms"
    if before and len(before) != len(now):
        why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(path, gotypes.go_struct("[]:NodeSelectorTerm", now or None), why)]
    out: Errors = []
    for i, term in enumerate(before):
        parts = [(structs(term, name), structs(now[i], name)) for name in ("matchExpressions", "matchFields")]
        fresh = not parts[0][0] and not parts[1][0] and (parts[0][1] or parts[1][1])
        if fresh or any(not equal(after[: len(was)], was) for was, after in parts if was):
            why = "only additions are allowed (no mutations or deletions)"
            out.append(invalid(f"{path}[{i}]", gotypes.go_struct("NodeSelectorTerm", now[i]), why))
    return out


def update(new: Obj, old: Obj) -> Errors:
    """A changed pod."""
    out = object_meta_update(new, old)
    spec, before = struct(new, "spec"), struct(old, "spec")
    notes = struct(struct(new, "metadata"), "annotations")
    if spec is before:
        return out + annotation_updates("metadata.annotations", notes, struct(struct(old, "metadata"), "annotations"), spec)
    out += pod_metadata_and_spec(new)
    out += annotation_updates("metadata.annotations", notes, struct(struct(old, "metadata"), "annotations"), spec)
    for field in ("containers", "initContainers"):
        wrong, stop = _container_updates(f"spec.{field}", structs(spec, field), structs(before, field))
        out += wrong
        if stop:
            return out
    wrong, stop = _deadline(spec, before)
    out += wrong
    if stop:
        return out
    out += _added_tolerations(structs(spec, "tolerations"), structs(before, "tolerations"))
    old_gates = {text(gate, "name") for gate in structs(before, "schedulingGates")}
    for i, gate in enumerate(structs(spec, "schedulingGates")):
        if (name := text(gate, "name")) not in old_gates:
            why = f"only deletion is allowed, but found new scheduling gate '{name}'"
            out.append(forbidden(f"spec.schedulingGates[{i}].name", why))
    return out + _frozen_fields(spec, before)


def _frozen_fields(spec: Obj, before: Obj) -> Errors:
    if spec == before:
        return []
    munged = dict(spec)
    munged["containers"] = _with_images(structs(spec, "containers"), structs(before, "containers"))
    if spec.get("initContainers"):
        munged["initContainers"] = _with_images(structs(spec, "initContainers"), structs(before, "initContainers"))
    for field in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        munged[field] = before.get(field)
    grace = before.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = grace
    out = _gated(munged, before) if before.get("schedulingGates") else []
    if not gotypes.go_equal("PodSpec", munged, before):
        out.append(forbidden("spec", _UPDATABLE + gotypes.diff("PodSpec", before, munged)))
    return out


# Status.

def _could_restart(container: Obj, spec: Obj, code: int) -> bool:
    """Whether a container that exited may run again (pkg/api/v1/pod/util.go, ContainerShouldRestart)."""
    for rule in structs(container, "restartPolicyRules"):
        codes = rule.get("exitCodes") or EMPTY
        listed = code in (codes.get("values") or ())
        if listed if codes.get("operator") == "In" else codes.get("operator") == "NotIn" and not listed:
            return True
    policy = container.get("restartPolicy") or spec.get("restartPolicy")
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def _state_transitions(path: str, new: list[Obj], old: list[Obj], containers: list[Obj], spec: Obj) -> Errors:
    if new is old:
        return []
    out: Errors = []
    for i, before in enumerate(old):
        ended = (before.get("state") or EMPTY).get("terminated")
        if ended is None:
            continue
        name = before.get("name")
        for status in new:
            if status.get("name") == name and (status.get("state") or EMPTY).get("terminated") is None:
                container = next((c for c in containers if c.get("name") == name), None)
                if container is None or not _could_restart(container, spec, ended.get("exitCode") or 0):
                    out.append(forbidden(f"{path}[{i}].state", "may not be transitioned to non-terminated state"))
                break
    return out


def _ips(path: str, items: list[Obj], old: list[Obj], kind: str) -> Errors:
    if items == old:
        return []
    out: Errors = []
    known = [text(item, "ip") for item in old]
    addresses = [text(item, "ip") for item in items]
    for i, address in enumerate(addresses):
        out += legacy_ip(f"{path}[{i}]", address, known)
    if len(addresses) > 1:
        families = {found.version for found in map(parse_ip, addresses) if found is not None}
        if len(families) < 2 or len(addresses) > 2:
            why = "may specify no more than one IP for each IP family"
            out.append(invalid(path, gotypes.go_struct(f"[]:{kind}", items), why))
    return out


_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")


def _pod_conditions(path: str, items: list[Obj]) -> Errors:
    out: Errors = []
    for i, condition in enumerate(items):
        if (condition.get("observedGeneration") or 0) < 0:
            why = "must be a non-negative integer"
            out.append(invalid(f"{path}[{i}].observedGeneration", condition["observedGeneration"], why))
        kind = condition.get("type") or ""
        if kind not in _SYSTEM_CONDITIONS and (messages := label_key(kind)):
            out += invalids(f"{path}[{i}].Type", kind, messages)
    return out


def update_status(new: Obj, old: Obj) -> Errors:
    """A pod's new status."""
    out = object_meta_update(new, old)
    meta, before = struct(new, "metadata"), struct(old, "metadata")
    spec, old_spec = struct(new, "spec"), struct(old, "spec")
    status, was = struct(new, "status"), struct(old, "status")
    out += annotation_updates("metadata.annotations", struct(meta, "annotations"), struct(before, "annotations"), spec)
    out += _pod_conditions("status.conditions", structs(status, "conditions"))
    if spec is not old_spec and text(spec, "nodeName") != text(old_spec, "nodeName"):
        out.append(forbidden("status.nodeName", "may not be changed directly"))
    nominated = text(status, "nominatedNodeName")
    if nominated and nominated != text(was, "nominatedNodeName"):
        out += invalids("status.nominatedNodeName", nominated, name_is_subdomain(nominated))
        if old_spec.get("nodeName"):
            why = "may not be set on pods that are already bound to a node"
            out.append(forbidden("status.nominatedNodeName", why))
    if (status.get("observedGeneration") or 0) < 0:
        out.append(invalid("status.observedGeneration", status["observedGeneration"], "must be a non-negative integer"))
    out += immutable("status.qosClass", text(status, "qosClass"), text(was, "qosClass"))
    if was.get("containerStatuses") or was.get("initContainerStatuses") or was.get("ephemeralContainerStatuses"):
        out += _transitions(status, was, old_spec)
    if status.get("podIPs") is not was.get("podIPs"):
        out += _ips("status.podIPs", structs(status, "podIPs"), structs(was, "podIPs"), "PodIP")
    hosts = status.get("hostIPs")
    if hosts and hosts is not was.get("hostIPs"):
        if text(status, "hostIP") != text(hosts[0] or EMPTY, "ip"):
            out.append(invalid("status.hostIPs[0].ip", text(hosts[0] or EMPTY, "ip"), "must be equal to `hostIP`"))
        out += _ips("status.hostIPs", structs(status, "hostIPs"), structs(was, "hostIPs"), "HostIP")
    return out


def _transitions(status: Obj, was: Obj, spec: Obj) -> Errors:
    out: Errors = []
    for field, containers in (
        ("containerStatuses", "containers"), ("initContainerStatuses", "initContainers"), ("ephemeralContainerStatuses", ""),
    ):
        if old := structs(was, field):
            known = structs(spec, containers) if containers else []
            out += _state_transitions(f"status.{field}", structs(status, field), old, known, spec)
    return out


def update_ephemeral_containers(new: Obj, old: Obj) -> Errors:
    """Debugging containers, which only come."""
    out = object_meta_update(new, old) + pod_metadata_and_spec(new)
    notes, before = struct(struct(new, "metadata"), "annotations"), struct(struct(old, "metadata"), "annotations")
    out += annotation_updates("metadata.annotations", notes, before, struct(new, "spec"))
    if _MIRROR in before:
        return [forbidden("", "static pods do not support ephemeral containers")]
    by_name = {text(container, "name"): container for container in structs(struct(new, "spec"), "ephemeralContainers")}
    path = "spec.ephemeralContainers"
    for container in structs(struct(old, "spec"), "ephemeralContainers"):
        name = text(container, "name")
        now: Any = by_name.get(name)
        if now is None:
            out.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif not gotypes.go_equal("EphemeralContainer", container, now):
            change = gotypes.diff("EphemeralContainer", container, now)
            out.append(forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n{change}'))
    return out


def binding(obj: Obj) -> Errors:
    """The assignment of a pod to a node."""
    target = struct(obj, "target")
    out: Errors = []
    if (kind := text(target, "kind")) not in ("", "Node"):
        out.append(not_supported("target.kind", kind, ("Node", "<empty>")))
    if not target.get("name"):
        out.append(required("target.name"))
    return out
