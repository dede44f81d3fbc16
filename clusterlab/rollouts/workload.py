"""A Rollout that takes its template from another object (workloadRef), and what becomes of that object's own pods.

Follows rollout/templateref.go, scale_utils.go and the scaleDown parts of replicaset.go and sync.go of Argo Rollouts. What is referenced is
read from informers; the template stands in the Rollout only while it is looked at, as upstream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.controllers.objects import Object
from clusterlab.rollouts import spec

if TYPE_CHECKING:
    from clusterlab.rollouts.context import Context
    from clusterlab.rollouts.controller import RolloutController

__all__ = ["KINDS", "WorkloadError", "generation", "refers_to", "resolved", "scale_down"]

#: (group, kind) -> the resource that is read.
KINDS = {("apps", "Deployment"): "deployments", ("apps", "ReplicaSet"): "replicasets", ("", "PodTemplate"): "podtemplates"}
NEVER, ON_SUCCESS, PROGRESSIVELY = "never", "onsuccess", "progressively"


class WorkloadError(ValueError):
    """A reference that cannot be followed; the message says why."""


def _reference(ro: Object) -> Object:
    found: Object = ro["spec"].get("workloadRef") or {}
    return found


def _resource(ref: Object) -> str:
    group = str(ref.get("apiVersion", "")).rpartition("/")[0]
    resource = KINDS.get((group, ref.get("kind", "")))
    if resource is None:
        raise WorkloadError(f"workload of type {group}/{ref.get('kind', '')} is not supported")
    return resource


def _found(by: RolloutController, ro: Object) -> Object:
    ref = _reference(ro)
    resource, name = _resource(ref), ref.get("name", "")
    found = by.workloads[resource].get(f"{ro['metadata']['namespace']}/{name}")
    if found is None:
        group = "apps" if "/" in ref.get("apiVersion", "") else "core"
        raise WorkloadError(f'{resource}.{group} "{name}" not found')
    return found


def resolved(by: RolloutController, ro: Object) -> Object:
    """The Rollout with the template and the selector of what it refers to. Raises WorkloadError."""
    if not _reference(ro):
        return ro
    if ro["spec"].get("template"):
        raise WorkloadError("template must be empty for workload reference rollout")
    found = _found(by, ro)
    body = found if found.get("kind") == "PodTemplate" or "template" in found else found["spec"]
    template = body["template"]
    meta = {key: value for key, value in (template.get("metadata") or {}).items() if key != "creationTimestamp"}
    filled: Object = {**ro["spec"], "template": {**template, "metadata": meta}}
    if not filled.get("selector") and (found.get("spec") or {}).get("selector"):
        filled["selector"] = found["spec"]["selector"]
    return {**ro, "spec": filled}


def generation(by: RolloutController, ro: Object) -> str:
    """The generation of what a Rollout refers to; "" where it refers to nothing."""
    return str(_found(by, ro)["metadata"].get("generation", 0)) if _reference(ro) else ""


def refers_to(ro: Object, resource: str, name: str) -> bool:
    """Whether a Rollout takes its template from an object."""
    ref = _reference(ro)
    try:
        return bool(ref) and ref.get("name") == name and _resource(ref) == resource
    except WorkloadError:
        return False


def scale_down(context: Context) -> None:
    """Takes the pods of a Deployment away as the Rollout's first revision comes up: at once when it is healthy, or step by step."""
    ref = _reference(context.ro)
    mode = ref.get("scaleDown", NEVER)
    if mode not in (ON_SUCCESS, PROGRESSIVELY) or ref.get("kind") != "Deployment" or spec.revision_of(context.new) != 1:
        return
    ready = int(spec.status_of(context.ro).get("readyReplicas") or 0)
    if spec.status_of(context.ro).get("phase") == "Healthy":
        wanted = 0
    elif mode == PROGRESSIVELY and ready:
        wanted = max(0, spec.replicas_of(context.ro) - ready)
    else:
        return
    deployment = _found(context.by, context.ro)
    before = int(deployment["spec"].get("replicas", 1))
    if before == wanted:
        return
    meta = deployment["metadata"]
    context.by.client.patch("deployments", meta["namespace"], meta["name"], {"spec": {"replicas": wanted}})
    context.by.tell(f"Deployment {meta['name']}, whose template the Rollout uses, is scaled from {before} to {wanted}.")
