"""Pods: graceful deletion, binding, ephemeral containers, resize.

Follows pkg/registry/core/pod/{strategy.go,storage/storage.go} and plugin/pkg/admission/podtopologylabels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry import patch, update
from clusterlab.apiserver.registry.store import Hooks
from clusterlab.apiserver.registry.update import existing
from clusterlab.apiserver.storage import CompareFailed
from clusterlab.machinery.errors import bad_request, conflict, method_not_supported, not_found, status

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["PodHooks", "bind", "bind_legacy", "pod_part", "with_pod_condition"]

TOPOLOGY_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class PodHooks(Hooks):
    """Pods are deleted gracefully, unless they run nowhere or have ended."""

    def grace_period(self, call: Call, obj: Object, requested: int | None) -> int | None:
        spec = obj["spec"]
        period = requested
        if period is None:
            period = spec.get("terminationGracePeriodSeconds") or 0
        if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
            return 0
        return 1 if period < 0 else period


def bind_legacy(server: ApiServer, call: Call) -> Object:
    """Creating a Binding in the resource bindings, which names its pod."""
    call.request.body = server.subresource_body(call)
    call.request.trusted = True
    call.request.name = (call.request.body.get("metadata") or {}).get("name") or ""
    return bind(server, call)


def bind(server: ApiServer, call: Call) -> Object:
    """Creating the subresource binding of a pod: puts it on a node, once."""
    body, name = server.subresource_body(call), call.request.name
    meta, target = body.get("metadata") or {}, body.get("target") or {}
    if meta.get("name") != name:
        raise bad_request("name in URL does not match name in Binding object")
    _check_target(target)
    pod = server.stores["pods"].bucket.objects.get(f"{call.namespace}/{name}")
    if pod is None:
        raise not_found("pods", "", name)
    call.stage("mutating", "unchanged")
    call.stage("schema", "valid")
    call.stage("validating", "admitted")
    _check_free(pod, meta)
    if call.dry_run:
        return SUCCESS
    try:
        server.commit(call, f"{call.namespace}/{name}", _bound(server, pod, meta, target["name"]), pod, owned=False)
    except CompareFailed:
        raise conflict("pods/binding", "", name, update.MODIFIED) from None
    return SUCCESS


def _check_target(target: Object) -> None:
    problems = []
    if target.get("kind") not in (None, "", "Node"):
        problems.append(f'target.kind: Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"')
    if not target.get("name"):
        problems.append("target.name: Required value")
    if problems:
        text = problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
        raise status(400, "", text)  # 500 in Kubernetes; kubectl prints both alike


def _check_free(pod: Object, meta: Object) -> None:
    name, found = pod["metadata"]["name"], pod["metadata"]
    uid = meta.get("uid")
    if uid and uid != found["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found['uid']}"
        raise conflict("pods/binding", "", name, why)
    if found.get("deletionTimestamp"):
        raise conflict("pods/binding", "", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if pod["spec"].get("nodeName"):
        raise conflict("pods/binding", "", name, f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"')
    if pod["spec"].get("schedulingGates"):
        raise conflict("pods/binding", "", name, f"pod {name} has non-empty .spec.schedulingGates")


def _bound(server: ApiServer, pod: Object, meta: Object, node: str) -> Object:
    new_meta = pod["metadata"]
    labels = meta.get("labels")
    found = server.stores["nodes"].bucket.objects.get(node)
    topology = (found["metadata"].get("labels") or {}) if found is not None else {}
    for key in TOPOLOGY_LABELS:
        if key in topology:
            labels = {**(labels or {}), key: topology[key]}
    if labels:
        new_meta = {**new_meta, "labels": {**(new_meta.get("labels") or {}), **labels}}
    if meta.get("annotations"):
        new_meta = {**new_meta, "annotations": {**(new_meta.get("annotations") or {}), **meta["annotations"]}}
    old = pod.get("status") or {}
    condition = {"type": "PodScheduled", "status": "True"}
    state = {**old, "conditions": with_pod_condition(server, old.get("conditions"), condition)}
    state.pop("nominatedNodeName", None)
    return {**pod, "metadata": new_meta, "spec": {**pod["spec"], "nodeName": node}, "status": state}


def with_pod_condition(server: ApiServer, conditions: list[Object] | None, condition: Object) -> list[Object]:
    """The conditions with one set; its transition time moves only when its status does (pkg/api/v1/pod/util.go)."""
    known = conditions or []
    condition = {
        "type": condition["type"], "status": condition["status"], "lastProbeTime": None,
        "lastTransitionTime": server.sim.now_rfc3339(), **condition,
    }
    for i, old in enumerate(known):
        if old["type"] == condition["type"]:
            if old["status"] == condition["status"]:
                condition["lastTransitionTime"] = old.get("lastTransitionTime")
            return [*known[:i], condition, *known[i + 1:]]
    return [*known, condition]


def pod_part(server: ApiServer, call: Call) -> Object:
    """The subresources ephemeralcontainers and resize: the pod itself, of which only a part may change."""
    if call.verb == "get":
        return existing(call)
    if call.verb == "update":
        return update.update(server, call)
    if call.verb == "patch":
        return patch.patch(server, call)
    raise method_not_supported(call.resource.plural, call.resource.group, call.verb)
