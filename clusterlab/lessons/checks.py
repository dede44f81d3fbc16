"""Checks: is what a task asks for true of the cluster now?

A check is one of
    {object: pods/default/web, field: .status.phase, equals: Running}     also: exists, atLeast, atMost, contains, absent
    {count: pods, namespace: default, labels: {app: web}, field: …, equals: …, atLeast: 3}   how many objects are like that
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clusterlab.lessons.loader import Check, Task

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["check_task", "holds", "problem_with"]

_OPERATORS = ("equals", "atLeast", "atMost", "contains", "exists")


def check_task(task: Task, cluster: Cluster) -> dict[str, Any]:
    """How far a task is."""
    results = []
    for check in task.checks:
        done = holds(check, cluster)
        results.append({"text": check.text, "done": done, "message": "" if done else check.message})
    return {"id": task.id, "text": task.text, "done": all(result["done"] for result in results), "checks": results}


def problem_with(check: Check) -> str:
    """What is wrong with the way a check is written; "" when nothing is."""
    data = check.data
    if ("object" in data) == ("count" in data):
        return "a check names either an object or what to count"
    known = {"object", "count", "namespace", "labels", "field", "where", *_OPERATORS}
    unknown = sorted(set(data) - known)
    if unknown:
        return f"unknown part {unknown[0]!r}; known are {', '.join(sorted(known))}"
    if not any(operator in data for operator in _OPERATORS):
        return f"a check needs one of {', '.join(_OPERATORS)}"
    return ""


def holds(check: Check, cluster: Cluster) -> bool:
    """Whether a check is true now."""
    data = check.data
    if "count" in data:
        return _compare(data, sum(_counts(data, key, obj) for key, obj in cluster.objects(data["count"])))
    found = cluster.find(data["object"])
    if data.get("exists") is False:
        return found is None
    if found is None:
        return False
    if "field" not in data:
        return bool(data.get("exists", True))
    return _compare(data, walk(found, data["field"]))


def _counts(data: dict[str, Any], key: str, obj: dict[str, Any]) -> bool:
    meta = obj["metadata"]
    if "namespace" in data and meta.get("namespace") != data["namespace"]:
        return False
    labels = meta.get("labels") or {}
    if any(labels.get(name) != value for name, value in (data.get("labels") or {}).items()):
        return False
    return all(walk(obj, field) == value for field, value in (data.get("where") or {}).items())


def walk(value: Any, path: str) -> Any:
    """The value at a path such as .spec.containers[0].image; None when there is none. `[type=Ready]` finds in a list."""
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        elif isinstance(value, list) and "=" in part:
            name, _, wanted = part.partition("=")
            value = next((item for item in value if isinstance(item, dict) and str(item.get(name)) == wanted), None)
        else:
            return None
    return value


def _compare(data: dict[str, Any], value: Any) -> bool:
    if "equals" in data and value != data["equals"]:
        return False
    if "contains" in data and (value is None or data["contains"] not in value):
        return False
    if "exists" in data and (value is not None) != data["exists"]:
        return False
    for operator, fits in (("atLeast", lambda v, w: v >= w), ("atMost", lambda v, w: v <= w)):
        if operator in data and not (isinstance(value, int | float) and fits(value, data[operator])):
            return False
    return True
