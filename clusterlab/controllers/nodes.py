"""What controllers do to nodes: taints, zones.

Follows pkg/controller/util/node/controller_utils.go, AddOrUpdateTaintOnNode in pkg/controller/controller_utils.go and
staging/src/k8s.io/component-helpers/node/topology/helpers.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.controllers.objects import Object, Objects
from clusterlab.machinery.labels import Requirement

if TYPE_CHECKING:
    from clusterlab.controllers.base import BaseController

__all__ = [
    "NOT_READY", "UNREACHABLE", "has_taint", "node_reference", "same_taint", "swap_taints", "taints_of", "tolerates",
    "tolerations_used", "untolerated", "wanted_by", "zone_of",
]

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}
UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}


def same_taint(a: Object, b: Object) -> bool:
    """Taints are the same if key and effect are."""
    return bool(a["key"] == b["key"] and a["effect"] == b["effect"])


def taints_of(node: Object) -> Objects:
    """The taints of a node."""
    return (node.get("spec") or {}).get("taints") or []


def has_taint(node: Object, taint: Object) -> bool:
    """Whether the node has a taint of that key and effect."""
    return any(same_taint(taint, each) for each in taints_of(node))


def swap_taints(by: BaseController, node: Object, add: Objects, remove: Objects) -> Object:
    """Writes other taints; the node as it is then (the same object when there was nothing to do)."""
    before = taints_of(node)
    now = by.sim.now_rfc3339()
    after = [each for each in before if not any(same_taint(each, gone) for gone in remove)]
    for taint in add:
        if not any(same_taint(each, taint) for each in after):
            after.append({**taint, "timeAdded": now})
    if after == before:
        return node
    meta = node["metadata"]
    body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "spec": {"taints": after or None}}
    return by.client.patch("nodes", "", meta["name"], body, "strategic")


def zone_of(node: Object) -> str:
    """The node's zone with its region; "" for none."""
    labels = node["metadata"].get("labels") or {}
    region = labels.get("topology.kubernetes.io/region") or labels.get("failure-domain.beta.kubernetes.io/region") or ""
    zone = labels.get("topology.kubernetes.io/zone") or labels.get("failure-domain.beta.kubernetes.io/zone") or ""
    return f"{region}:{zone}" if region or zone else ""


def node_reference(name: str, uid: str) -> Object:
    """A node as events of the node controller refer to it."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": uid}}


def tolerates(toleration: Object, taint: Object) -> bool:
    """Whether a toleration tolerates a taint."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    return operator == "Exists" or (operator == "Equal" and toleration.get("value", "") == taint.get("value", ""))


def tolerations_used(taints: Objects, tolerations: Objects) -> Objects | None:
    """The toleration that tolerates each of the taints; None when one is not tolerated."""
    used = []
    for taint in taints:
        found = next((toleration for toleration in tolerations if tolerates(toleration, taint)), None)
        if found is None:
            return None
        used.append(found)
    return used


def untolerated(node: Object, tolerations: Objects, effects: tuple[str, ...]) -> bool:
    """Whether the node has a taint of one of the effects that is not tolerated."""
    taints = [taint for taint in taints_of(node) if taint["effect"] in effects]
    return tolerations_used(taints, tolerations) is None


OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def _matches(expressions: Objects, values: dict[str, str]) -> bool:
    return all(
        Requirement(each["key"], OPERATORS.get(each["operator"], "!"), tuple(each.get("values") or ())).matches(values)
        for each in expressions
    )


def wanted_by(pod_spec: Object, node: Object) -> bool:
    """Whether a pod's nodeSelector and required node affinity accept a node
    (component-helpers/scheduling/corev1/nodeaffinity)."""
    labels, name = node["metadata"].get("labels") or {}, {"metadata.name": node["metadata"]["name"]}
    if not (pod_spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    for term in required.get("nodeSelectorTerms") or ():
        expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
        if (expressions or fields) and _matches(expressions, labels) and _matches(fields, name):
            return True
    return False
