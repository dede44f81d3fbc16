"""PodSecurity: a namespace's labels say which of the Pod Security Standards its pods must keep to.

Follows staging/src/k8s.io/pod-security-admission/admission/admission.go. Every version of a standard is taken as the latest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.apiserver.admission.plugin import CREATE, UPDATE, Plugin, forbidden
from clusterlab.apiserver.admission.pod_security_checks import violations
from clusterlab.machinery.errors import invalid
from clusterlab.machinery.field import FieldError

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["PodSecurity"]

PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"latest|v1\.(0|[1-9][0-9]{0,2})")
_TEMPLATES = {
    "deployments": ("spec", "template"), "replicasets": ("spec", "template"), "statefulsets": ("spec", "template"),
    "daemonsets": ("spec", "template"), "jobs": ("spec", "template"), "replicationcontrollers": ("spec", "template"),
    "cronjobs": ("spec", "jobTemplate", "spec", "template"), "podtemplates": ("template",),
}
_IGNORED = ("exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status")


class Standard(NamedTuple):
    """A level of one version, e.g. restricted:latest."""

    level: str
    version: str

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


def _standard(labels: dict[str, str], mode: str) -> Standard:
    level, version = labels.get(PREFIX + mode, "privileged"), labels.get(f"{PREFIX}{mode}-version", "latest")
    if level not in LEVELS:
        level = "restricted" if mode == "enforce" else "privileged"
    return Standard(level, version if _VERSION.fullmatch(version) else "latest")


def _label_errors(labels: dict[str, str]) -> list[FieldError]:
    errors = []
    for mode in ("enforce", "audit", "warn"):
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        if level is not None and level not in LEVELS:
            field = f"metadata.labels[{PREFIX}{mode}]"
            errors.append(FieldError("FieldValueInvalid", field, level, f"must be one of {', '.join(LEVELS)}"))
        if version is not None and not _VERSION.fullmatch(version):
            field = f"metadata.labels[{PREFIX}{mode}-version]"
            errors.append(FieldError("FieldValueInvalid", field, version, 'must be "latest" or "v1.x"'))
    return errors


class PodSecurity(Plugin):
    """Refuses pods that violate the enforced standard; warns of what violates the other one."""

    name = "PodSecurity"
    validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        if operation not in (CREATE, UPDATE):
            return False
        if label == "pods":
            return subresource not in _IGNORED
        return not subresource and (label == "namespaces" or label in _TEMPLATES)

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        assert obj is not None
        label = call.store.label
        if label == "namespaces":
            self._namespace(call, obj, old)
            return
        found = self.server.stores["namespaces"].bucket.objects.get(call.namespace)
        labels = (found["metadata"].get("labels") or {}) if found is not None else {}
        if not any(key.startswith(PREFIX) for key in labels):
            return
        if label == "pods":
            if old is None or _significant(obj, old):
                self._pod(call, labels, obj)
            return
        if call.field_subresource:  # a new scale is no new template
            return
        template: Any = obj
        for part in _TEMPLATES[label]:
            template = (template or {}).get(part)
        if template:
            self._warn(call, labels, template)

    def _pod(self, call: Call, labels: dict[str, str], pod: Object) -> None:
        enforced = _standard(labels, "enforce")
        detail = _detail(violations(enforced.level, pod))
        if detail:
            raise forbidden(call, pod, f'violates PodSecurity "{enforced}": {detail}')
        self._warn(call, labels, pod)

    def _warn(self, call: Call, labels: dict[str, str], pod: Object) -> None:
        standard, enforced = _standard(labels, "warn"), _standard(labels, "enforce")
        if PREFIX + "warn" not in labels and labels.get(PREFIX + "enforce") in LEVELS and (
            LEVELS.index(enforced.level) > LEVELS.index(standard.level)
        ):  # what is enforced is warned of too, where nothing is said about warnings
            standard = Standard(enforced.level, standard.version if f"{PREFIX}warn-version" in labels else enforced.version)
        detail = _detail(violations(standard.level, pod))
        if detail:
            call.warn(f'would violate PodSecurity "{standard}": {detail}')

    def _namespace(self, call: Call, obj: Object, old: Object | None) -> None:
        labels = obj["metadata"].get("labels") or {}
        before = (old["metadata"].get("labels") or {}) if old is not None else {}
        errors = _label_errors(labels)
        if errors and (old is None or labels != before):
            raise invalid("Namespace", "", obj["metadata"].get("name", ""), errors)
        if old is None:
            return
        standard, was = _standard(labels, "enforce"), _standard(before, "enforce")
        if standard == was or standard.level == "privileged":
            return
        if standard.version == was.version and LEVELS.index(standard.level) <= LEVELS.index(was.level):
            return
        self._warn_of_pods(call, obj["metadata"]["name"], standard)

    def _warn_of_pods(self, call: Call, namespace: str, standard: Standard) -> None:
        bucket = self.server.stores["pods"].bucket
        by_reasons: dict[str, list[str]] = {}
        for key in bucket.ordered():
            if key.startswith(namespace + "/"):
                found = violations(standard.level, bucket.objects[key])
                if found:
                    by_reasons.setdefault(", ".join(reason for reason, _ in found), []).append(key.partition("/")[2])
        if not by_reasons:
            return
        call.warn(f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"')
        for reasons, names in sorted(by_reasons.items(), key=lambda item: item[1][0]):
            more = len(names) - 1
            others = "" if not more else " (and 1 other pod)" if more == 1 else f" (and {more} other pods)"
            call.warn(f"{names[0]}{others}: {reasons}")


def _detail(found: list[tuple[str, str]]) -> str:
    return ", ".join(f"{reason} ({detail})" if detail else reason for reason, detail in found)


def _significant(new: Object, old: Object) -> bool:
    """Whether an update changes anything that a standard looks at."""
    if new["spec"] is old["spec"]:
        return False
    for field in ("containers", "initContainers"):
        before, after = old["spec"].get(field) or [], new["spec"].get(field) or []
        if len(before) != len(after):
            return True
        for a, b in zip(after, before, strict=True):
            if a.get("securityContext") != b.get("securityContext") or a.get("image") != b.get("image"):
                return True
    return bool(new["spec"].get("ephemeralContainers") != old["spec"].get("ephemeralContainers"))
