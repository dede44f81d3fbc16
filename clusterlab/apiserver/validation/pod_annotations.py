"""Annotations of pods that mean something.

Follows pkg/apis/core/validation/validation.go (ValidatePodSpecificAnnotations, ValidatePodSpecificAnnotationUpdates,
validateSeccompAnnotationsAndFields, validateAppArmorAnnotationsAndFieldsMatchOnCreate).
"""

from __future__ import annotations

import re

from clusterlab.apiserver.validation.common import Errors, Obj, struct, structs, text
from clusterlab.apiserver.validation.projected import relative_path
from clusterlab.machinery.field import forbidden, go_quote, invalid

__all__ = ["annotation_updates", "annotations_match_fields", "pod_annotations"]

_MIRROR = "kubernetes.io/config.mirror"
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_cost = re.compile("0|-?[1-9][0-9]*").fullmatch
_SET = "type in annotation and field must match"


def _container_names(spec: Obj) -> set[str]:
    fields = ("initContainers", "containers", "ephemeralContainers")
    return {text(container, "name") for field in fields for container in structs(spec, field)}


def _seccomp(path: str, profile: str) -> Errors:
    if profile in ("runtime/default", "docker/default", "unconfined"):
        return []
    if profile.startswith("localhost/"):
        return relative_path(path, profile.removeprefix("localhost/"))
    return [invalid(path, profile, "must be a valid seccomp profile")]


def pod_annotations(path: str, notes: Obj, spec: Obj) -> Errors:
    """The values of annotations that Kubernetes reads."""
    out: Errors = []
    for key, value in notes.items():
        value = value or ""
        if key == _MIRROR and not spec.get("nodeName"):
            out.append(invalid(f"{path}[{key}]", value, "must set spec.nodeName if mirror pod annotation is set"))
        elif key == _DELETION_COST:
            if not (_cost(value) and len(value) < 12 and -(1 << 31) <= int(value) < 1 << 31):
                out.append(invalid(f"{path}[{key}]", value, "must be a 32bit integer"))
        elif key == _SECCOMP_POD or key.startswith(_SECCOMP_CONTAINER):
            out += _seccomp(f"{path}.{key}", value)
        elif key.startswith(_APP_ARMOR):
            name = key.removeprefix(_APP_ARMOR)
            if name not in _container_names(spec):
                out.append(invalid(f"{path}[{key}]", name, "container not found"))
            if value not in ("", "runtime/default", "unconfined") and not value.startswith("localhost/"):
                out.append(invalid(f"{path}[{key}]", value, f"invalid AppArmor profile name: {go_quote(value)}"))
    return out


def annotation_updates(path: str, new: Obj, old: Obj, spec: Obj) -> Errors:
    """Annotations that may not come, go or change."""
    if new is old:
        return []
    out: Errors = []
    for key, value in old.items():
        if new.get(key) != value:
            if key.startswith(_APP_ARMOR):
                out.append(forbidden(f"{path}[{key}]", "may not remove or update AppArmor annotations"))
            if key == _MIRROR:
                out.append(forbidden(f"{path}[{key}]", "may not remove or update mirror pod annotation"))
    for key in new:
        if key not in old:
            if key.startswith(_APP_ARMOR):
                out.append(forbidden(f"{path}[{key}]", "may not add AppArmor annotations"))
            if key == _MIRROR:
                out.append(forbidden(f"{path}[{key}]", "may not add mirror pod annotation"))
    return out + pod_annotations(path, new, spec)


def _mismatch(path: str, what: str, annotation: str, profile: Obj, docker: bool) -> Errors:
    kind = text(profile, "type")
    expected = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default", "docker/default")[: 1 + docker]}
    if kind in expected:
        return [] if annotation in expected[kind] else [forbidden(f"{path}.type", f"{what} {_SET}")]
    if kind == "Localhost":
        if not annotation.startswith("localhost/"):
            return [forbidden(f"{path}.type", f"{what} {_SET}")]
        if annotation.removeprefix("localhost/") != profile.get("localhostProfile"):
            return [forbidden(f"{path}.localhostProfile", f"{what} profile in annotation and field must match")]
    return []


def annotations_match_fields(path: str, meta: Obj, spec: Obj) -> Errors:
    """Where an annotation and a field say the same thing, they must agree."""
    notes = meta.get("annotations")
    if not notes or not any("seccomp" in key or "apparmor" in key for key in notes):
        return []
    out: Errors = []
    pod = struct(spec, "securityContext")
    if pod.get("seccompProfile") is not None and _SECCOMP_POD in notes:
        at = f"{path}.securityContext.seccompProfile"
        out += _mismatch(at, "seccomp", notes[_SECCOMP_POD] or "", pod["seccompProfile"], True)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for i, container in enumerate(structs(spec, field)):
            at, context = f"{path}.{field}[{i}].securityContext", struct(container, "securityContext")
            name = text(container, "name")
            if context.get("seccompProfile") is not None and (note := notes.get(_SECCOMP_CONTAINER + name)) is not None:
                out += _mismatch(f"{at}.seccompProfile", "seccomp", note, context["seccompProfile"], True)
            profile = context.get("appArmorProfile") or pod.get("appArmorProfile")
            if profile and text(struct(spec, "os"), "name") != "windows":
                if (note := notes.get(_APP_ARMOR + name)) is not None:
                    out += _mismatch(f"{at}.appArmorProfile", "apparmor", note, profile, False)
    return out
