"""Objects in versions that Kubernetes no longer serves, in the version that took their place.

Follows docs of Kubernetes: reference/using-api/deprecation-guide. Most versions differ by name alone; Ingress, and the selectors of
workloads, differ in shape."""

from __future__ import annotations

from typing import Any

from clusterlab.machinery.scheme import split_api_version
from clusterlab.scenario.importing.read import listed

__all__ = ["modern", "removed"]

Object = dict[str, Any]

_WORKLOADS = {"Deployment", "DaemonSet", "ReplicaSet", "StatefulSet"}
#: (group, versions, kinds or none for all) → the version that is served.
_SUCCESSORS: tuple[tuple[str, tuple[str, ...], frozenset[str], str], ...] = (
    ("batch", ("v1beta1", "v2alpha1"), frozenset({"CronJob"}), "batch/v1"),
    ("policy", ("v1beta1",), frozenset({"PodDisruptionBudget"}), "policy/v1"),
    ("autoscaling", ("v2beta2",), frozenset(), "autoscaling/v2"),
    ("extensions", ("v1beta1",), frozenset(_WORKLOADS), "apps/v1"),
    ("apps", ("v1beta1", "v1beta2"), frozenset(_WORKLOADS), "apps/v1"),
    ("extensions", ("v1beta1",), frozenset({"Ingress", "NetworkPolicy"}), "networking.k8s.io/v1"),
    ("networking.k8s.io", ("v1beta1",), frozenset({"Ingress", "IngressClass"}), "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io", ("v1alpha1", "v1beta1"), frozenset(), "rbac.authorization.k8s.io/v1"),
    ("storage.k8s.io", ("v1beta1",), frozenset({"StorageClass", "CSIDriver", "CSINode", "VolumeAttachment"}), "storage.k8s.io/v1"),
    ("scheduling.k8s.io", ("v1alpha1", "v1beta1"), frozenset({"PriorityClass"}), "scheduling.k8s.io/v1"),
    ("coordination.k8s.io", ("v1beta1",), frozenset({"Lease"}), "coordination.k8s.io/v1"),
    ("discovery.k8s.io", ("v1beta1",), frozenset({"EndpointSlice"}), "discovery.k8s.io/v1"),
)
#: Groups of Kubernetes itself: what is not served there any more was removed; it is not that a definition is missing.
_GROUPS = {"", "extensions", "apps", "batch", "policy", "autoscaling"}


def modern(obj: Object) -> Object:
    """The object in the version that is served now; itself where it is in one, or where there is none."""
    group, version = split_api_version(obj["apiVersion"])
    for old, versions, kinds, new in _SUCCESSORS:
        if group == old and version in versions and (not kinds or obj["kind"] in kinds):
            spec = obj.get("spec")
            if isinstance(spec, dict) and obj["kind"] in _WORKLOADS:
                obj = {**obj, "spec": _with_selector(spec)}
            elif isinstance(spec, dict) and obj["kind"] == "Ingress":
                obj = {**obj, "spec": _ingress(spec)}
            return {**obj, "apiVersion": new}
    return obj


def removed(obj: Object) -> bool:
    """Whether a kind that the model does not know was one of Kubernetes' own once."""
    group, _ = split_api_version(obj["apiVersion"])
    return group in _GROUPS or group.endswith(".k8s.io")


def _with_selector(spec: Object) -> Object:
    """Once the selector was the template's labels where it was not given."""
    template = spec.get("template")
    meta = template.get("metadata") if isinstance(template, dict) else None
    labels = meta.get("labels") if isinstance(meta, dict) else None
    spec = {name: value for name, value in spec.items() if name != "rollbackTo"}
    return spec if spec.get("selector") or not labels else {**spec, "selector": {"matchLabels": labels}}


def _ingress(spec: Object) -> Object:
    made = {name: value for name, value in spec.items() if name not in ("backend", "rules")}
    if isinstance(spec.get("backend"), dict):
        made["defaultBackend"] = _backend(spec["backend"])
    rules = []
    for rule in listed(spec.get("rules")):
        http = rule.get("http") if isinstance(rule, dict) else None
        if isinstance(http, dict) and isinstance(http.get("paths"), list):
            paths = [
                {"pathType": "ImplementationSpecific", **path, "backend": _backend(path.get("backend"))} for path in http["paths"]
                if isinstance(path, dict)
            ]
            rule = {**rule, "http": {**http, "paths": paths}}
        rules.append(rule)
    return {**made, "rules": rules} if rules else made


def _backend(value: Any) -> Any:
    if not isinstance(value, dict) or "serviceName" not in value:
        return value
    port = value.get("servicePort")
    return {"service": {"name": value["serviceName"], "port": {"number" if isinstance(port, int) else "name": port}}}
