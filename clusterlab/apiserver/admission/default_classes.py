"""DefaultStorageClass and DefaultIngressClass: the class of a claim or ingress that names none.

Follows plugin/pkg/admission/storage/storageclass/setdefault and plugin/pkg/admission/network/defaultingressclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, Plugin

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["DefaultIngressClass", "DefaultStorageClass"]

_STORAGE = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_INGRESS = ("ingressclass.kubernetes.io/is-default-class",)


def _default_of(classes: Any, annotations: tuple[str, ...]) -> Object | None:
    """The newest class that is marked as the default; by name where several are as old."""
    found: list[Object] = [
        obj for obj in classes
        if any((obj["metadata"].get("annotations") or {}).get(name) == "true" for name in annotations)
    ]
    if not found:
        return None
    found.sort(key=lambda obj: str(obj["metadata"]["name"]))
    newest = max(obj["metadata"]["creationTimestamp"] for obj in found)
    return next(obj for obj in found if obj["metadata"]["creationTimestamp"] == newest)


class DefaultStorageClass(Plugin):
    """Gives claims the default storage class."""

    name = "DefaultStorageClass"
    mutates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == "persistentvolumeclaims" and operation == CREATE and not subresource

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        spec, annotations = obj["spec"], obj["metadata"].get("annotations") or {}
        if spec.get("storageClassName") is not None or "volume.beta.kubernetes.io/storage-class" in annotations:
            return obj
        found = _default_of(self.server.stores["storageclasses"].bucket.objects.values(), _STORAGE)
        return {**obj, "spec": {**spec, "storageClassName": found["metadata"]["name"]}} if found is not None else obj


class DefaultIngressClass(Plugin):
    """Gives ingresses the default ingress class."""

    name = "DefaultIngressClass"
    mutates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == "ingresses" and operation == CREATE and not subresource

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        spec, annotations = obj.get("spec") or {}, obj["metadata"].get("annotations") or {}
        if spec.get("ingressClassName") is not None or "kubernetes.io/ingress.class" in annotations:
            return obj
        found = _default_of(self.server.stores["ingressclasses"].bucket.objects.values(), _INGRESS)
        return {**obj, "spec": {**spec, "ingressClassName": found["metadata"]["name"]}} if found is not None else obj
