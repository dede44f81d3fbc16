"""The conditions of a pod that its kubelet owns. Follows pkg/kubelet/status/generate.go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.records import Pod
from clusterlab.kubelet.resources import is_sidecar

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["KUBELET_CONDITIONS", "add_conditions"]

KUBELET_CONDITIONS = (
    "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", "PodResizePending", "PodResizeInProgress",
)


def _unready(status: Object, containers: list[Object], inits: list[Object]) -> str:
    statuses = {each["name"]: each for each in (*(status.get("initContainerStatuses") or ()), *status["containerStatuses"])}
    names = [each["name"] for each in inits if is_sidecar(each)] + [each["name"] for each in containers]
    unready = [name for name in names if not statuses[name]["ready"]]
    return f"containers with unready status: [{' '.join(unready)}]" if unready else ""


def _initialized(spec: Object, status: Object) -> tuple[str, str, str]:
    inits = spec.get("initContainers") or []
    if status["phase"] == "Succeeded":
        return "True", "PodCompleted", ""
    if not inits or any(_has_started(each) for each in status["containerStatuses"]):
        return "True", "", ""
    incomplete = [
        each["name"] for container, each in zip(inits, status["initContainerStatuses"], strict=True)
        if not (each["started"] if is_sidecar(container) else each["ready"])
    ]
    if incomplete:
        return "False", "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]"
    return "True", "", ""


def _has_started(status: Object) -> bool:
    return bool("running" in status["state"] or "terminated" in status["state"] or status.get("lastState"))


def add_conditions(kl: Kubelet, rec: Pod, spec: Object, status: Object, sandbox: bool, old: Object) -> None:
    """Adds a pod's conditions to its status: those of others as they are, then the kubelet's own."""
    inits = spec.get("initContainers") or []
    if status["phase"] == "Succeeded":
        containers_ready = ("False", "PodCompleted", "")
    elif status["phase"] == "Failed":
        containers_ready = ("False", "PodFailed", "")
    else:
        unready = _unready(status, spec["containers"], inits)
        containers_ready = ("False", "ContainersNotReady", unready) if unready else ("True", "", "")
    foreign = [each for each in (rec.pod.get("status") or {}).get("conditions") or () if each["type"] not in KUBELET_CONDITIONS]
    for added in rec.conditions:
        foreign = [each for each in foreign if each["type"] != added["type"]] + [added]
    ready = containers_ready
    if ready[0] == "True" and spec.get("readinessGates"):
        ready = _gates(spec["readinessGates"], foreign)
    now, generation = kl.clock(), rec.pod["metadata"].get("generation", 0)
    before = {each["type"]: each for each in (rec.pod.get("status") or {}).get("conditions") or ()}
    mine = (
        ("PodReadyToStartContainers", ("True" if sandbox else "False", "", "")), ("Initialized", _initialized(spec, status)),
        ("Ready", ready), ("ContainersReady", containers_ready), ("PodScheduled", ("True", "", "")),
    )
    status["conditions"] = foreign + [_condition(name, what, before.get(name), now, generation) for name, what in mine]


def _gates(gates: list[Object], conditions: list[Object]) -> tuple[str, str, str]:
    have = {each["type"]: each["status"] for each in conditions}
    missing = []
    for gate in gates:
        name = gate["conditionType"]
        if name not in have:
            missing.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif have[name] != "True":
            missing.append(f'the status of pod readiness gate "{name}" is not "True", but {have[name]}')
    return ("False", "ReadinessGatesNotReady", ", ".join(missing)) if missing else ("True", "", "")


def _condition(name: str, what: tuple[str, str, str], before: Object | None, now: str, generation: int) -> Object:
    same = before is not None and before["status"] == what[0]
    condition: Object = {
        "lastProbeTime": None, "lastTransitionTime": before["lastTransitionTime"] if same and before is not None else now,
        "status": what[0], "type": name,
    }
    if generation:
        condition["observedGeneration"] = generation
    if what[1]:
        condition["reason"] = what[1]
    if what[2]:
        condition["message"] = what[2]
    return condition
