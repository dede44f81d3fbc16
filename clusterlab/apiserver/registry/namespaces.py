"""Namespaces: they end in two steps, when their contents are gone and their finalizers with them.

Follows pkg/registry/core/namespace/storage/storage.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.store import Hooks
from clusterlab.apiserver.registry.update import check_uid, existing, write

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["NamespaceHooks", "finalize"]


class NamespaceHooks(Hooks):
    """spec.finalizers hold a namespace, beside metadata.finalizers."""

    def keep_deleting(self, old: Object) -> bool:
        return bool((old.get("spec") or {}).get("finalizers"))

    def before_delete(self, call: Call, obj: Object) -> Object:
        meta = {key: value for key, value in obj["metadata"].items() if key != "deletionGracePeriodSeconds"}
        return {**obj, "metadata": meta, "status": {**(obj.get("status") or {}), "phase": "Terminating"}}


def finalize(server: ApiServer, call: Call) -> Object:
    """Updates the subresource finalize: only spec.finalizers change; the last one to go ends the namespace."""
    old = existing(call)
    body = server.subresource_body(call)
    check_uid(call, body, old)
    spec = {**(old.get("spec") or {})}
    finalizers = (body.get("spec") or {}).get("finalizers")
    if finalizers:
        spec["finalizers"] = finalizers
    else:
        spec.pop("finalizers", None)
    return write(server, call, {**old, "spec": spec}, old)
