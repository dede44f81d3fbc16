"""Nodes of a real cluster as those of a scenario: labels, taints, capacity, images; and what has happened to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from clusterlab.scenario import values
from clusterlab.scenario.importing.read import listed

__all__ = ["is_control_plane", "node_changes", "node_of"]

Object = dict[str, Any]

IMAGES_MOST = 60
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
#: Taints that controllers set by what they see; they will see it here.
_OWN_TAINTS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
#: Labels that the model's kubelet sets by itself.
_OWN_LABELS = {"kubernetes.io/hostname", "beta.kubernetes.io/os", "beta.kubernetes.io/arch"}
_GIVEN_LABELS = {"kubernetes.io/os", "kubernetes.io/arch"}
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_RUNTIMES = {"containerd": "containerd", "cri-o": "cri-o", "docker": "docker"}


def _map(value: Any) -> dict[str, str]:
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, dict) else {}


def _fits(check: Callable[[Any], Any], value: Any) -> bool:
    try:
        check(value)
    except ValueError:
        return False
    return True


def _labels(value: Any, but: Collection[str]) -> dict[str, str]:
    """Labels as the API server takes them, without some."""
    return {key: each for key, each in _map(value).items() if key not in but and _fits(values.label_map, {key: each})}


def is_control_plane(node: Object) -> bool:
    """Whether a node is one of the control plane's."""
    labels = _map(node["metadata"].get("labels"))
    return any(label in labels for label in _CONTROL_PLANE)


def _amounts(value: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, amount in _map(value).items():
        if name.startswith("hugepages-") and amount == "0":
            continue
        if _fits(values.size, amount) and _fits(values.label_key, name):
            found[name] = amount
    return dict(list(found.items())[:50])


def _taints(value: Any) -> list[dict[str, str]]:
    found = []
    for each in value if isinstance(value, list) else ():
        taint = {name: str(each[name]) for name in ("key", "value", "effect") if isinstance(each, dict) and each.get(name)}
        if taint.get("effect") not in _EFFECTS or taint.get("key", "").startswith(_OWN_TAINTS):
            continue
        if _fits(values.label_key, taint.get("key")) and _fits(values.label_value, taint.get("value", "")):
            found.append(taint)
    return found[:50]


def _images(value: Any) -> list[Object]:
    found = []
    for each in value if isinstance(value, list) else ():
        if not isinstance(each, dict):
            continue
        names = [name for name in listed(each.get("names")) if isinstance(name, str) and 0 < len(name) <= 512]
        size = each.get("sizeBytes", 0)
        if names and isinstance(size, int) and not isinstance(size, bool) and size >= 0:
            found.append({"names": names[:20], "sizeBytes": size})
    return found[:IMAGES_MOST]


def node_of(node: Object) -> tuple[Object, bool]:
    """(the node of a scenario, whether it was ready)."""
    meta, spec, status = node["metadata"], _dict(node.get("spec")), _dict(node.get("status"))
    labels = _labels(meta.get("labels"), _OWN_LABELS)
    version = str(_dict(status.get("nodeInfo")).get("containerRuntimeVersion", ""))
    made: Object = {"name": meta["name"], "labels": labels}
    taints, capacity, images = _taints(spec.get("taints")), _amounts(status.get("capacity")), _images(status.get("images"))
    for name, value in (
        ("taints", taints),
        ("capacity", capacity),
        ("allocatable", _amounts(status.get("allocatable"))),
        ("images", images),
    ):
        if value:
            made[name] = value
    runtime = _RUNTIMES.get(re.split("[:/]", version)[0])
    if runtime:
        made["runtime"] = runtime
    if spec.get("unschedulable") is True:
        made["unschedulable"] = True
    conditions = [each for each in listed(status.get("conditions")) if isinstance(each, dict) and each.get("type") == "Ready"]
    return made, not conditions or conditions[0].get("status") == "True"


def node_changes(entry: Object, node: Object) -> Object:
    """A scenario's node with the labels, taints and cordon that the node has got since."""
    labels = _labels(node["metadata"].get("labels"), _OWN_LABELS | _GIVEN_LABELS)
    now = {"labels": labels, "taints": _taints(node["spec"].get("taints")), "unschedulable": node["spec"].get("unschedulable") is True}
    rest = {name: value for name, value in entry.items() if name not in now}
    return {**rest, **{name: value for name, value in now.items() if value}}


def _dict(value: Any) -> Object:
    return value if isinstance(value, dict) else {}
