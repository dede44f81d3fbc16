"""A small picture of a lab, for its tile."""

from __future__ import annotations

from typing import Any

from clusterlab.web.labs.lab import Lab

__all__ = ["thumbnail"]

MAX_NODES, MAX_PODS = 12, 24
_TROUBLE = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError")


def _pod_letter(pod: dict[str, Any]) -> str:
    """How a pod is, in one letter: t(erminating), r(eady), s(tarting), x (in trouble), c(ompleted), p(ending)."""
    status = pod.get("status") or {}
    phase = status.get("phase", "Pending")
    if pod["metadata"].get("deletionTimestamp"):
        return "t"
    if phase == "Succeeded":
        return "c"
    waiting = [((c.get("state") or {}).get("waiting") or {}).get("reason", "") for c in status.get("containerStatuses") or ()]
    if phase == "Failed" or any(reason in _TROUBLE for reason in waiting):
        return "x"
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return "r" if ready else "p" if phase == "Pending" and not (pod.get("spec") or {}).get("nodeName") else "s"


def thumbnail(lab: Lab) -> list[Any]:
    """The lab in a few characters: [[node, ready, letters of its pods], …], those without a node last under ""."""
    rows: dict[str, list[Any]] = {}
    for _, node in sorted(lab.cluster.objects("nodes")):
        name = node["metadata"]["name"]
        conditions = (node.get("status") or {}).get("conditions") or ()
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
        if len(rows) < MAX_NODES:
            rows[name] = [name, ready, ""]
    rows[""] = ["", True, ""]
    for _, pod in sorted(lab.cluster.objects("pods")):
        if pod["metadata"].get("namespace") == "kube-system":
            continue
        row = rows.get((pod.get("spec") or {}).get("nodeName") or "")
        if row is not None and len(row[2]) < MAX_PODS:
            row[2] += _pod_letter(pod)
    return list(rows.values())
