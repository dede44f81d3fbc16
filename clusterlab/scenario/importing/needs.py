"""What pods name and a text leaves out: `kubectl get all` has no accounts, settings, secrets or claims, and no pod would start without.

Each is made with what can be known of it: the keys that are asked for, the class that a claim is of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["missing_needs"]

Object = dict[str, Any]

MOST = 500
_BUILT_IN_CLASSES = {"system-cluster-critical", "system-node-critical"}
#: The provisioner of the model's own class, which makes volumes.
_PROVISIONER = "rancher.io/local-path"
_OWN_CLASS = "standard"


def _dict(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _pod_spec(obj: Object) -> Object:
    spec = _dict(obj.get("spec"))
    if obj["kind"] == "Pod":
        return spec
    if obj["kind"] == "CronJob":
        spec = _dict(_dict(spec.get("jobTemplate")).get("spec"))
    return _dict(_dict(spec.get("template")).get("spec"))


def _sources(pod: Object) -> Iterator[tuple[str, Object, list[str]]]:
    """(ConfigMap or Secret, what names it, the keys that are wanted)."""
    for container in _list(pod.get("containers")) + _list(pod.get("initContainers")):
        for each in _list(container.get("envFrom")):
            yield "ConfigMap", _dict(each.get("configMapRef")), []
            yield "Secret", _dict(each.get("secretRef")), []
        for each in _list(container.get("env")):
            of = _dict(each.get("valueFrom"))
            for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                ref = _dict(of.get(field))
                yield kind, ref, [str(ref["key"])] if ref.get("key") else []
    for volume in _list(pod.get("volumes")):
        parts = [volume, *_list(_dict(volume.get("projected")).get("sources"))]
        for part in parts:
            config, secret = _dict(part.get("configMap")), _dict(part.get("secret"))
            yield "ConfigMap", config, [str(each["key"]) for each in _list(config.get("items")) if each.get("key")]
            named = {**secret, "name": secret.get("secretName") or secret.get("name")}
            yield "Secret", named, [str(each["key"]) for each in _list(secret.get("items")) if each.get("key")]


def missing_needs(manifests: list[Object]) -> list[Object]:
    """The objects to be made, in no particular order."""
    there = {(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) for obj in manifests}
    made: dict[tuple[str, str, str], Object] = {}

    def need(kind: str, namespace: str, name: Any, api_version: str = "v1", **body: Any) -> Object | None:
        key = (kind, namespace, name)
        if not isinstance(name, str) or not name or key in there or len(made) >= MOST:
            return None
        meta = {"name": name, "namespace": namespace} if namespace else {"name": name}
        return made.setdefault(key, {"apiVersion": api_version, "kind": kind, "metadata": meta, **body})

    for obj in manifests:
        namespace, pod = obj["metadata"].get("namespace", ""), _pod_spec(obj)
        if pod:
            need("ServiceAccount", namespace, pod.get("serviceAccountName") if pod.get("serviceAccountName") != "default" else None)
            if pod.get("priorityClassName") not in _BUILT_IN_CLASSES:
                priority = pod.get("priority")
                value = priority if isinstance(priority, int) else 0
                need("PriorityClass", "", pod.get("priorityClassName"), "scheduling.k8s.io/v1", value=value)
        for kind, ref, keys in _sources(pod):
            if ref.get("optional") is True or ref.get("name") == "kube-root-ca.crt":
                continue
            found = need(kind, namespace, ref.get("name"))
            if found is not None:
                found.setdefault("stringData" if kind == "Secret" else "data", {}).update(dict.fromkeys(keys, "unknown"))
        for volume in _list(pod.get("volumes")):
            claim = _dict(volume.get("persistentVolumeClaim"))
            _claim(need, namespace, claim.get("claimName"))
        claims = _list(_dict(obj.get("spec")).get("volumeClaimTemplates")) if obj["kind"] == "StatefulSet" else []
        for each in [obj] if obj["kind"] == "PersistentVolumeClaim" else claims:
            _storage_class(need, _dict(each.get("spec")))
    return list(made.values())


def _claim(need: Any, namespace: str, name: Any) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    need("PersistentVolumeClaim", namespace, name, spec=spec)


def _storage_class(need: Any, spec: Object) -> None:
    if spec.get("storageClassName") != _OWN_CLASS and not spec.get("volumeName"):
        binding = {"volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"}
        need("StorageClass", "", spec.get("storageClassName"), "storage.k8s.io/v1", provisioner=_PROVISIONER, **binding)
