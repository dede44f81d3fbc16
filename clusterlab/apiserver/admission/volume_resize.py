"""PersistentVolumeClaimResize: a claim may grow only if it is bound and its class allows it.

Follows plugin/pkg/admission/storage/persistentvolume/resize/admission.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import UPDATE, Plugin, forbidden
from clusterlab.machinery.quantity import ZERO, Quantity, parse

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["PersistentVolumeClaimResize"]

_CLASS = "volume.beta.kubernetes.io/storage-class"


class PersistentVolumeClaimResize(Plugin):
    """Refuses to expand what cannot be expanded."""

    name = "PersistentVolumeClaimResize"
    validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == "persistentvolumeclaims" and operation == UPDATE and not subresource

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        assert obj is not None
        assert old is not None
        if obj.get("spec") is old.get("spec") or _size(obj) <= _size(old):
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            raise forbidden(call, obj, "Only bound persistent volume claims can be expanded")
        name = _class(obj)
        found = self.server.stores["storageclasses"].bucket.objects.get(name) if name and name == _class(old) else None
        if found is None or not found.get("allowVolumeExpansion"):
            raise forbidden(call, obj, "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
                                       "must support resize")


def _size(claim: Object) -> Quantity:
    text = (((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}).get("storage")
    return parse(text) if text else ZERO


def _class(claim: Object) -> str:
    annotations = claim["metadata"].get("annotations") or {}
    return str(annotations.get(_CLASS) or claim["spec"].get("storageClassName") or "")
