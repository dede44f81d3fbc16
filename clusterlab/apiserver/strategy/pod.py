"""Pods: their first status, and what each of their subresources may change.

Follows pkg/registry/core/pod/strategy.go.
"""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.defaults.common import each, in_list, inside, present
from clusterlab.apiserver.strategy.disabled import drop_disabled
from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import EMPTY, Obj, strings, struct, structs, text
from clusterlab.apiserver.validation.qos import pod_qos

__all__ = ["app_armor_warnings", "create", "update", "update_ephemeral_containers", "update_resize", "update_status"]

_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_GATED = {
    "type": "PodScheduled", "status": "False", "lastProbeTime": None, "lastTransitionTime": None, "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def _with_label_keys(term: Obj, labels: Obj) -> Obj:
    """The selector of a term narrowed down to the values that the pod has."""
    selector = term.get("labelSelector")
    if selector is None:
        return term
    added = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in strings(term, field)
        if key in labels
    ]
    if not added:
        return term
    return {**term, "labelSelector": {**selector, "matchExpressions": [*structs(selector, "matchExpressions"), *added]}}


def _merge_label_keys(spec: Obj, labels: Obj) -> Obj:
    def term(one: Obj) -> Obj:
        return _with_label_keys(one, labels)

    def kind(one: Obj) -> Obj:
        one = each(one, "requiredDuringSchedulingIgnoredDuringExecution", term)
        return each(
            one, "preferredDuringSchedulingIgnoredDuringExecution", lambda weighted: present(weighted, "podAffinityTerm", term)
        )

    if spec.get("affinity"):
        spec = present(spec, "affinity", lambda one: present(present(one, "podAffinity", kind), "podAntiAffinity", kind))
    return each(spec, "topologySpreadConstraints", term) if spec.get("topologySpreadConstraints") else spec


def _app_armor_profile(annotation: str) -> Obj | None:
    if annotation == "unconfined":
        return {"type": "Unconfined"}
    if annotation == "runtime/default":
        return {"type": "RuntimeDefault"}
    if annotation.startswith("localhost/") and annotation[10:].strip():
        return {"type": "Localhost", "localhostProfile": annotation[10:]}
    return None


def _app_armor(spec: Obj, annotations: Obj) -> Obj:
    """Profiles from annotations, where no field says it."""
    if not any(key.startswith(_APP_ARMOR) for key in annotations) or text(struct(spec, "os"), "name") == "windows":
        return spec
    whole = struct(spec, "securityContext").get("appArmorProfile")

    def container(one: Obj) -> Obj:
        profile = _app_armor_profile(annotations.get(_APP_ARMOR + text(one, "name")) or "")
        if profile is None or profile == whole or struct(one, "securityContext").get("appArmorProfile") is not None:
            return one
        return inside(one, "securityContext", lambda context: {**context, "appArmorProfile": profile})

    for field in ("initContainers", "containers"):
        spec = each(spec, field, container)
    return spec


def app_armor_warnings(obj: Obj) -> list[str]:
    """Annotations that become fields, or that make no field, are of the past."""
    annotations, spec = struct(struct(obj, "metadata"), "annotations"), struct(obj, "spec")
    if not any(key.startswith(_APP_ARMOR) for key in annotations) or text(struct(spec, "os"), "name") == "windows":
        return []
    whole = struct(spec, "securityContext").get("appArmorProfile")
    out = []
    for container in (*structs(spec, "initContainers"), *structs(spec, "containers")):
        key = _APP_ARMOR + text(container, "name")
        if key not in annotations or struct(container, "securityContext").get("appArmorProfile") is not None:
            continue
        profile = _app_armor_profile(annotations[key])
        if profile is None or profile != whole:
            out.append(f'metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead')
    return out


def create(obj: Obj) -> Obj:
    """A new pod: pending, with its quality of service."""
    meta, spec = struct(obj, "metadata"), struct(obj, "spec")
    spec = drop_disabled(spec)
    status: dict[str, Any] = {"phase": "Pending", "qosClass": pod_qos(spec)}
    if spec.get("schedulingGates"):
        condition = {**_GATED, "lastTransitionTime": meta.get("creationTimestamp")}
        status = {"phase": "Pending", "conditions": [condition], "qosClass": status["qosClass"]}
    if spec.get("affinity") or spec.get("topologySpreadConstraints"):
        spec = _merge_label_keys(spec, meta.get("labels") or EMPTY)
    if meta.get("annotations"):
        spec = _app_armor(spec, meta["annotations"])
    return {**obj, "metadata": {**meta, "generation": 1}, "spec": spec, "status": status}


def _next_generation(new: Obj, old: Obj) -> Obj:
    spec, before = struct(new, "spec"), struct(old, "spec")
    if spec is before or spec == before or gotypes.go_equal("PodSpec", spec, before):
        return new
    meta = new["metadata"]
    return {**new, "metadata": {**meta, "generation": (struct(old, "metadata").get("generation") or 0) + 1}}


def update(new: Obj, old: Obj) -> Obj:
    """A changed pod keeps its status."""
    spec = drop_disabled(struct(new, "spec"), struct(old, "spec"))
    return _next_generation({**new, "spec": spec, "status": old.get("status") or {}}, old)


def _observed(conditions: list[Obj], before: list[Obj]) -> list[Obj]:
    """Conditions keep the generation that they were observed at, where the new ones do not say."""
    known: dict[str, list[int]] = {}
    for condition in before:
        known.setdefault(text(condition, "type"), []).append(condition.get("observedGeneration") or 0)

    def step(condition: Obj) -> Obj:
        generations = known.get(text(condition, "type"))
        generation = generations.pop(0) if generations else 0
        return condition if condition.get("observedGeneration") or not generation else {**condition, "observedGeneration": generation}

    return in_list(conditions, step)


def update_status(new: Obj, old: Obj) -> Obj:
    """A pod's new status: nothing else changes but what metadata clients may set."""
    meta, before = new["metadata"], struct(old, "metadata")
    status, was = struct(new, "status"), struct(old, "status")
    changes = {}
    for key in ("deletionTimestamp", "ownerReferences"):
        if meta.get(key) is not before.get(key) and meta.get(key) != before.get(key):
            changes[key] = before.get(key)
    if changes:
        meta = {key: value for key, value in {**meta, **changes}.items() if key not in changes or value is not None}
    filled: dict[str, Any] = {}
    if not status.get("qosClass") and was.get("qosClass"):
        filled["qosClass"] = was["qosClass"]
    if not status.get("observedGeneration") and was.get("observedGeneration"):
        filled["observedGeneration"] = was["observedGeneration"]
    if status.get("conditions") and was.get("conditions") and status["conditions"] is not was["conditions"]:
        conditions = _observed(status["conditions"], structs(was, "conditions"))
        if conditions is not status["conditions"]:
            filled["conditions"] = conditions
    told = filled.get("conditions") or status.get("conditions")
    if told and told is not was.get("conditions") and any("lastProbeTime" not in one for one in told):
        filled["conditions"] = [one if "lastProbeTime" in one else {**one, "lastProbeTime": None} for one in told]
    if filled:
        status = {**status, **filled}
    return {**new, "metadata": meta, "spec": old.get("spec") or {}, "status": status}


_RESET = ("deletionTimestamp", "generation", "selfLink", "labels", "annotations", "finalizers", "ownerReferences")


def reset_meta(new: Obj, old: Obj) -> Obj:
    """The metadata of the old object, but for what identifies a write (metav1.ResetObjectMetaForStatus)."""
    meta, before = new["metadata"], struct(old, "metadata")
    kept = {key: value for key, value in meta.items() if key not in _RESET}
    return {**kept, **{key: before[key] for key in _RESET if before.get(key) is not None}}


def update_ephemeral_containers(new: Obj, old: Obj) -> Obj:
    """Only the ephemeral containers change."""
    spec = {key: value for key, value in struct(old, "spec").items() if key != "ephemeralContainers"}
    debug = struct(new, "spec").get("ephemeralContainers")
    if debug:
        spec["ephemeralContainers"] = debug
    made = {**new, "metadata": reset_meta(new, old), "spec": spec, "status": old.get("status") or {}}
    return _next_generation(made, old)


def _resized(new: list[Obj], old: list[Obj]) -> list[Obj]:
    if not new or any(text(a, "name") != text(b, "name") for a, b in zip(new, old, strict=True)):
        return new
    out = []
    for container, before in zip(new, old, strict=True):
        made = {key: value for key, value in before.items() if key not in ("resources", "resizePolicy")}
        out.append({**made, **{key: container[key] for key in ("resources", "resizePolicy") if container.get(key) is not None}})
    return out


def update_resize(new: Obj, old: Obj) -> Obj:
    """Only resources change."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    fields = ("containers", "initContainers")
    if any(len(structs(spec, field)) != len(structs(before, field)) for field in fields):
        return _next_generation(new, old)
    made = {key: value for key, value in before.items() if key != "resources"}
    if spec.get("resources") is not None:
        made["resources"] = spec["resources"]
    for field in fields:
        if spec.get(field):
            made[field] = _resized(structs(spec, field), structs(before, field))
    return _next_generation({**new, "metadata": reset_meta(new, old), "spec": made, "status": old.get("status") or {}}, old)
