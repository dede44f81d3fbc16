"""Pods made from a template, with the events that tell of it.

Follows RealPodControl in pkg/controller/controller_utils.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.controllers.objects import Object
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.controllers.base import BaseController

__all__ = ["create_pod", "delete_pod", "namespace_terminating", "pod_from_template"]


def pod_from_template(template: Object, owner: Object, ref: Object) -> Object:
    """The pod that a template describes, managed by `owner`."""
    meta = template.get("metadata") or {}
    made: Object = {"generateName": owner["metadata"]["name"] + "-", "namespace": owner["metadata"]["namespace"]}
    for field in ("labels", "annotations", "finalizers"):
        if meta.get(field):
            made[field] = meta[field]
    made["ownerReferences"] = [ref]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": template.get("spec") or {}}


def namespace_terminating(error: StatusError) -> bool:
    """Whether a creation was refused because its namespace is being deleted."""
    causes = (error.status.get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def create_pod(by: BaseController, pod: Object, owner: Object) -> Object:
    """Creates a pod and tells of it in an event about its owner."""
    try:
        made = by.client.create("pods", pod)
    except StatusError as error:
        if not namespace_terminating(error):
            by.record(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
        raise
    by.record(owner, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
    return made


def delete_pod(by: BaseController, pod: Object, owner: Object) -> None:
    """Deletes a pod and tells of it in an event about its owner."""
    meta = pod["metadata"]
    try:
        by.client.delete("pods", meta["namespace"], meta["name"])
    except StatusError as error:
        if error.reason != "NotFound":
            by.record(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
        raise
    by.record(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {meta['name']}")
