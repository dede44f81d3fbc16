"""NamespaceLifecycle: nothing is created in a namespace that is missing or ending, and some namespaces stay.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin, forbidden
from clusterlab.machinery.errors import forbidden as forbidden_error
from clusterlab.machinery.errors import not_found

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["NamespaceLifecycle"]

IMMORTAL = ("default", "kube-system", "kube-public")


class NamespaceLifecycle(Plugin):
    """Guards the life of namespaces."""

    name = "NamespaceLifecycle"
    mutates = validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        if label == "namespaces":
            return operation == DELETE
        return self.server.stores[label].namespaced and operation in (CREATE, UPDATE) and label != "localsubjectaccessreviews"

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        if old is not None:
            return obj
        name = call.namespace
        found = self.server.stores["namespaces"].bucket.objects.get(name)
        if found is None:
            raise not_found("namespaces", "", name)
        if (found.get("status") or {}).get("phase") == "Terminating":
            error = forbidden(call, obj, f"unable to create new content in namespace {name} because it is being terminated")
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {name} is being terminated", "field": "metadata.namespace"}
            error.status["details"] = {**error.status.get("details", {}), "causes": [cause]}
            raise error
        return obj

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        if obj is None and call.store.label == "namespaces" and call.request.name in IMMORTAL:
            raise forbidden_error("namespaces", "", call.request.name, "this namespace may not be deleted")
