"""The pods of DaemonSets: which nodes suit, what a pod for a node looks like, which pods are up to date.

Follows pkg/controller/daemon/util/daemonset_util.go and nodeShouldRunDaemonPod in daemon_controller.go.
"""

from __future__ import annotations

from clusterlab.controllers.history import HASH
from clusterlab.controllers.nodes import untolerated, wanted_by
from clusterlab.controllers.objects import Object, Objects

__all__ = ["create_template", "node_should_run", "target_node", "template_generation", "updated"]

GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"
GENERATION_LABEL = "pod-template-generation"
TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"), ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"), ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"), ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


def daemon_tolerations(spec: Object) -> Objects:
    """The tolerations of a daemon pod: its own and those that keep it where nothing else may stay."""
    tolerations = list(spec.get("tolerations") or ())
    wanted = [*TOLERATED, *([("node.kubernetes.io/network-unavailable", "NoSchedule")] if spec.get("hostNetwork") else [])]
    for key, effect in wanted:
        new = {"key": key, "operator": "Exists", "effect": effect}
        for place, old in enumerate(tolerations):
            if (old.get("key", ""), old.get("effect", ""), old.get("operator", ""), old.get("value", "")) \
                    == (key, effect, "Exists", ""):
                tolerations[place] = new
                break
        else:
            tolerations.append(new)
    return tolerations


def node_should_run(ds: Object, node: Object) -> tuple[bool, bool]:
    """(whether a pod should run on a node, whether one that is there may stay)."""
    spec = ds["spec"]["template"].get("spec") or {}
    if spec.get("nodeName", node["metadata"]["name"]) != node["metadata"]["name"] or not wanted_by(spec, node):
        return False, False
    if not (node.get("spec") or {}).get("taints"):
        return True, True
    tolerations = daemon_tolerations(spec)
    if untolerated(node, tolerations, ("NoExecute", "NoSchedule")):
        return False, not untolerated(node, tolerations, ("NoExecute",))
    return True, True


def template_generation(ds: Object) -> str | None:
    """The old way of numbering templates, which kubectl still shows."""
    return (ds["metadata"].get("annotations") or {}).get(GENERATION_ANNOTATION)


def create_template(ds: Object, node: str, generation: str | None, digest: str) -> Object:
    """The pod template for one node: tolerations, revision labels, and an affinity to that node."""
    template = ds["spec"]["template"]
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    labels = {**(meta.get("labels") or {}), HASH: digest}
    if generation is not None:
        labels[GENERATION_LABEL] = generation
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = spec.get("affinity") or {}
    node_affinity = {
        **(affinity.get("nodeAffinity") or {}), "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
    }
    spec = {**spec, "affinity": {**affinity, "nodeAffinity": node_affinity}, "tolerations": daemon_tolerations(spec)}
    return {**template, "metadata": {**meta, "labels": labels}, "spec": spec}


def target_node(pod: Object) -> str:
    """The node that a daemon pod is on or meant for; "" for none."""
    spec = pod["spec"]
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In" and len(field["values"]) == 1:
                return str(field["values"][0])
    return ""


def updated(pod: Object, digest: str, generation: str | None) -> bool:
    """Whether a pod is of the present template."""
    labels = pod["metadata"].get("labels") or {}
    return labels.get(HASH) == digest or (generation is not None and labels.get(GENERATION_LABEL) == generation)
