"""What runs in kube-system of a real cluster without being part of Kubernetes: agents of clouds, drivers, autoscalers. They take room on
nodes, so they are taken, with what they need; what the model has of its own (kube-proxy, CoreDNS, the control plane) is not."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["agents"]

Object = dict[str, Any]

_SYSTEM = "kube-system"
_WORKLOADS = {"Deployment", "DaemonSet", "StatefulSet", "CronJob"}
_NEEDED = {"ServiceAccount", "ConfigMap", "Secret"}
#: Beginnings of names of what the model has by itself, by what distributions call it.
_OWN = (
    "kube-proxy", "coredns", "kube-dns", "metrics-server", "kube-apiserver", "kube-scheduler", "kube-controller-manager", "etcd",
    "kube-root-ca", "default",
)


def agents(objects: list[Object]) -> frozenset[tuple[str, str, str]]:
    """(kind, namespace, name) of those workloads, and of the accounts, settings and secrets that their pods name."""
    found, texts = set(), []
    for obj in objects:
        meta = obj["metadata"]
        if obj["kind"] in _WORKLOADS and meta.get("namespace") == _SYSTEM and not str(meta["name"]).startswith(_OWN):
            found.add((obj["kind"], _SYSTEM, meta["name"]))
            texts.append(json.dumps(obj.get("spec"), default=str))
    named = "".join(texts)
    for obj in objects:
        meta, name = obj["metadata"], str(obj["metadata"]["name"])
        if obj["kind"] in _NEEDED and meta.get("namespace") == _SYSTEM and not name.startswith(_OWN) and f'"{name}"' in named:
            found.add((obj["kind"], _SYSTEM, name))
    return frozenset(found)
