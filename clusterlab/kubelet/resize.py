"""Resizing pods in place: what a pod was allocated, what it wants now, and whether the node can give it.

Follows pkg/kubelet/allocation/allocation_manager.go (handlePodResourcesResize), handlers.go, kuberuntime/kuberuntime_manager.go
(computePodResizeAction, doPodResizeAction) and events/resize.go. A resize that does not fit now is deferred and tried again when another
pod goes; one that never can is infeasible.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clusterlab.kubelet import termination
from clusterlab.kubelet.allocation import WHOLE, allocated, containers
from clusterlab.kubelet.records import Pod
from clusterlab.kubelet.resources import container_limits, pod_requests
from clusterlab.runtime.amounts import milli, units
from clusterlab.runtime.records import RUNNING

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["PENDING", "PROGRESS", "advance", "retry"]

PENDING, PROGRESS = "PodResizePending", "PodResizeInProgress"


def advance(kl: Kubelet, rec: Pod) -> Pod:
    """Follows a resize of the pod's spec as far as it goes now."""
    if allocated(rec) is rec.pod:
        return _without(rec, PENDING) if any(each["type"] == PENDING for each in rec.conditions) else rec
    refused = _refusal(kl, rec)
    generation = rec.pod["metadata"].get("generation", 0)
    if refused is not None:
        reason, message = refused
        known = next((each for each in rec.conditions if each["type"] == PENDING), None)
        if known is not None and (known["reason"], known["message"]) == refused:
            return rec
        kl.event(rec, "Warning", f"Resize{reason}", f"Pod resize {reason}: {_summary(rec.pod, generation, message)}")
        kl.say(f"it cannot be resized now ({reason}): {message}")
        return _with(kl, rec, PENDING, reason, message)
    before = pod_requests(allocated(rec))
    rec = rec._replace(allocation=_wanted(rec.pod))
    for name, value in pod_requests(rec.pod).items():
        kl.used[name] = kl.used.get(name, 0) + value - before.get(name, 0)
    rec = _without(rec, PENDING)
    kl.event(rec, "Normal", "ResizeStarted", f"Pod resize started: {_summary(rec.pod, generation)}")
    return _actuate(kl, rec, generation)


def _wanted(pod: Object) -> dict[str, Object]:
    whole = {WHOLE: pod["spec"]["resources"]} if pod["spec"].get("resources") else {}
    return {**{each["name"]: each.get("resources") or {} for each in containers(pod)}, **whole}


def _refusal(kl: Kubelet, rec: Pod) -> tuple[str, str] | None:
    """Why the pod cannot have what it wants: (Deferred or Infeasible, message)."""
    if rec.static:
        return "Infeasible", "In-place resize of static-pods is not supported"
    wants, has = pod_requests(rec.pod), pod_requests(allocated(rec))
    for name in ("cpu", "memory"):
        capacity = kl.allocatable_amounts.get(name, 0)
        if wants.get(name, 0) > capacity:
            return "Infeasible", f"Node didn't have enough capacity: {name}, requested: {wants[name]}, capacity: {capacity}"
    for name in ("cpu", "memory"):
        capacity, others = kl.allocatable_amounts.get(name, 0), kl.used.get(name, 0) - has.get(name, 0)
        if wants.get(name, 0) > has.get(name, 0) and wants.get(name, 0) + others > capacity:
            text = f"Node didn't have enough resource: {name}, requested: {wants[name]}, used: {others}, capacity: {capacity}"
            return "Deferred", text
    return None


def _actuate(kl: Kubelet, rec: Pod, generation: int) -> Pod:
    """Gives the containers their new limits, or restarts those whose policy wants that."""
    sidecars = [each for each in rec.pod["spec"].get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in (*sidecars, *rec.pod["spec"]["containers"]):
        made = kl.runtime.latest(rec.uid, container["name"])
        if made is None or made.state != RUNNING:
            continue
        resources = container.get("resources") or {}
        requests, own = resources.get("requests") or {}, resources.get("limits") or {}
        limits = container_limits(rec.pod["spec"], container)
        cpu, memory = milli(limits.get("cpu", 0)), units(limits.get("memory", 0))
        weight, wanted = milli(requests.get("cpu", own.get("cpu", 0))), units(requests.get("memory", own.get("memory", 0)))
        changed = {"cpu"} if (cpu, weight) != (made.config.cpu_limit_milli, made.config.cpu_request_milli) else set()
        changed |= {"memory"} if (memory, wanted) != (made.config.memory_limit, made.config.memory_request) else set()
        if not changed:
            continue
        policy = {each["resourceName"]: each["restartPolicy"] for each in container.get("resizePolicy") or ()}
        if any(policy.get(name) == "RestartContainer" for name in changed):
            rec = termination.kill(kl, rec, container, made, kl.spec_grace_ms(rec), f"Container {made.name} resize requires restart")
            continue
        used = kl.runtime.memory_now(made)
        if memory and memory < used and memory < (made.config.memory_limit or memory + 1):
            error = f'attempting to set container "{made.name}" memory limit ({memory}) below current usage ({used})'
            kl.event(rec, "Warning", "ResizeError", f"Pod resize error: {_summary(rec.pod, generation, error)}")
            return _with(kl, rec, PROGRESS, "Error", error)
        kl.runtime.update_container(made.id, weight, cpu, wanted, memory)
    kl.acted += 1
    kl.say("its containers have new resources")
    kl.event(rec, "Normal", "ResizeCompleted", f"Pod resize completed: {_summary(rec.pod, generation)}")
    return _without(rec, PROGRESS)


def retry(kl: Kubelet) -> None:
    """Room has become free: pods whose resize was deferred have another look."""
    for rec in kl.pods.values():
        if any(each["type"] == PENDING and each.get("reason") == "Deferred" for each in rec.conditions):
            kl.pods[rec.uid] = _without(rec, PENDING)
            kl.wake(rec.uid)


def _summary(pod: Object, generation: int, error: str = "") -> str:
    """The resources of a pod as its events tell them."""
    def listed(every: list[Object]) -> list[Object]:
        return [{"name": each["name"], "resources": _ordered(each.get("resources") or {})} for each in every]

    spec = pod["spec"]
    text: Object = {**({"initContainers": listed(spec["initContainers"])} if spec.get("initContainers") else {}),
                    "containers": listed(spec["containers"]), "generation": generation, **({"error": error} if error else {})}
    return json.dumps(text, separators=(",", ":"))


def _ordered(resources: Object) -> Object:
    return {part: dict(sorted(resources[part].items())) for part in ("limits", "requests") if resources.get(part)}


def _without(rec: Pod, kind: str) -> Pod:
    return rec._replace(conditions=tuple(each for each in rec.conditions if each["type"] != kind))


def _with(kl: Kubelet, rec: Pod, kind: str, reason: str, message: str) -> Pod:
    condition = {
        "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": kl.sim.now_rfc3339(),
        "lastProbeTime": None, "observedGeneration": rec.pod["metadata"].get("generation", 0),
    }
    rec = _without(rec, kind)
    return rec._replace(conditions=(*rec.conditions, condition))
