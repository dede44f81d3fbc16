"""StorageObjectInUseProtection: claims and volumes are created with the finalizer that protects them while they are used.

Follows plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, Plugin
from clusterlab.machinery.meta import with_finalizer

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["StorageObjectInUseProtection"]

_FINALIZERS = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection", "persistentvolumes": "kubernetes.io/pv-protection",
    "volumeattributesclasses": "kubernetes.io/vac-protection",
}


class StorageObjectInUseProtection(Plugin):
    """Adds the finalizer."""

    name = "StorageObjectInUseProtection"
    mutates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label in _FINALIZERS and operation == CREATE and not subresource

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        return with_finalizer(obj, _FINALIZERS[call.store.label])
