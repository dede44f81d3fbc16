"""Node-pressure eviction: when a node runs short of memory, disk, inodes or process numbers, which pod goes.

Follows pkg/kubelet/eviction/eviction_manager.go (synchronize, reclaimNodeLevelResources, evictPod, Admit) and helpers.go (evictionMessage).
The signals are looked at with each heartbeat, every ten seconds; hard thresholds act at once, soft ones when their grace period is over;
a condition stays for the transition period after its cause. One pod goes at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet import image_gc, thresholds
from clusterlab.kubelet.local_storage import over_limits
from clusterlab.kubelet.node_stats import PodStats, observe, pod_stats
from clusterlab.kubelet.ranking import Candidate, ranked
from clusterlab.kubelet.records import SYNC, Pod
from clusterlab.kubelet.resources import pod_requests, qos_class, tolerates
from clusterlab.kubelet.thresholds import DISK, MEMORY, Observation, Threshold
from clusterlab.runtime.amounts import units
from clusterlab.runtime.disk import quantity

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["CRITICAL_PRIORITY", "evict", "is_critical", "manage", "refusal"]

CRITICAL_PRIORITY = 2_000_000_000
HARD_GRACE_S = 1  # immediateEvictionGracePeriodSeconds
_MEMORY_TAINT = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}


def is_critical(rec: Pod) -> bool:
    """Whether the system needs a pod (pkg/kubelet/types/pod_update.go, IsCriticalPod)."""
    return rec.static or int(rec.pod["spec"].get("priority") or 0) >= CRITICAL_PRIORITY


def refusal(kl: Kubelet, rec: Pod) -> tuple[str, str] | None:
    """Why a node under pressure does not take a pod in (reason, message); None where it does."""
    if not kl.pressure or is_critical(rec):
        return None
    if kl.pressure == ("MemoryPressure",):
        if qos_class(rec.pod) != "BestEffort" or any(tolerates(each, _MEMORY_TAINT) for each in rec.pod["spec"].get("tolerations") or ()):
            return None
    return "Evicted", f"The node had condition: [{' '.join(kl.pressure)}]. "


def manage(kl: Kubelet) -> None:
    """Looks at the node, and evicts one pod where something is short (synchronize)."""
    image_gc.collect(kl)
    now, has = kl.sim.time_ms, kl.config.settings
    seen = observe(kl)
    met = thresholds.met(has.thresholds, seen)
    met = tuple(dict.fromkeys((*met, *thresholds.met(kl.starved, seen, with_reclaim=True))))
    kl.starved_ms = thresholds.first_seen(met, kl.starved_ms, now)
    kl.pressure_ms = {**kl.pressure_ms, **dict.fromkeys(thresholds.conditions_of(met), now)}
    kl.pressure = thresholds.still_pressed(kl.pressure_ms, has.transition_ms, now)
    kl.pressure_ms = {kind: at for kind, at in kl.pressure_ms.items() if kind in kl.pressure}
    kl.starved = thresholds.enough(kl.starved_ms, now)
    over = over_limits(kl)
    for rec, message in over:
        evict(kl, rec, message, HARD_GRACE_S, None)
    if kl.starved and not over:
        _reclaim(kl, thresholds.in_order(kl.starved), seen)


def _reclaim(kl: Kubelet, starved: tuple[Threshold, ...], seen: dict[str, Observation]) -> None:
    """Frees what the node itself can free, else evicts a pod."""
    first = starved[0]
    resource = first.resource
    kl.node_event("Warning", "EvictionThresholdMet", f"Attempting to reclaim {resource}")
    if first.condition == "DiskPressure":
        kl.runtime.remove_dead()
        image_gc.free(kl, 1 << 62, kl.config.settings.gc_age_ms)  # DeleteUnusedImages: every one that no container uses
        if not thresholds.met(kl.config.settings.thresholds, observe(kl), with_reclaim=True):
            return
    stats = {rec.uid: pod_stats(kl, rec) for rec in kl.pods.values() if rec.stage == SYNC and not rec.failed[0]}
    candidates = [_candidate(kl.pods[uid], each, resource) for uid, each in stats.items() if each.memory]
    for each in ranked(candidates, resource):
        if is_critical(each.rec):
            continue
        own_s = int(each.rec.pod["spec"].get("terminationGracePeriodSeconds", 30))
        grace_s = min(kl.config.settings.max_grace_s, own_s) if first.grace_ms else HARD_GRACE_S
        message, annotations = _message(each.rec, resource, stats[each.rec.uid], starved, seen)
        evict(kl, each.rec, message, grace_s, annotations)
        return


def _candidate(rec: Pod, stats: PodStats, resource: str) -> Candidate:
    asked = pod_requests(rec.pod)
    return Candidate(rec, stats.of(resource), asked.get(resource, 0), int(rec.pod["spec"].get("priority") or 0), asked.get(DISK, 0))


def _message(
    rec: Pod, resource: str, stats: PodStats, starved: tuple[Threshold, ...], seen: dict[str, Observation],
) -> tuple[str, dict[str, str]]:
    """What is said of an eviction, and the annotations of its event: what was short, and which containers use more than they asked for."""
    text = f"The node was low on resource: {resource}. "
    found = thresholds.info(resource, starved, seen)
    if found is not None:
        text += f"Threshold quantity: {found[0]}, available: {found[1]}. "
    spec, blamed = rec.pod["spec"], []
    whole = (spec.get("resources") or {}).get("requests") or {}
    if resource == MEMORY and MEMORY in whole:
        name, has = rec.pod["metadata"]["name"], quantity(stats.of(MEMORY))
        text += f"Pod {name} was using {has}, request is {whole[MEMORY]}, has larger consumption of memory. "
    used = {MEMORY: stats.memory, DISK: stats.disk.containers}.get(resource, {})
    for each in (*spec["containers"], *(spec.get("initContainers") or ())):
        request = ((each.get("resources") or {}).get("requests") or {}).get(resource, "0")
        taken = used.get(each["name"])
        if taken is not None and taken > units(request):
            text += f"Container {each['name']} was using {quantity(taken)}, request is {request}, has larger consumption of {resource}. "
            blamed.append((each["name"], quantity(taken)))
    return text, {
        "offending_containers": ",".join(name for name, _ in blamed), "offending_containers_usage": ",".join(has for _, has in blamed),
        "starved_resource": resource,
    }


def evict(kl: Kubelet, rec: Pod, message: str, grace_s: int, annotations: dict[str, str] | None) -> None:
    """Ends a pod for good. Annotations come with those that had to go for the node's sake, as does the condition DisruptionTarget."""
    kl.event(rec, "Warning", "Evicted", message, annotations=annotations)
    fail(kl, rec, "Evicted", message, grace_s * 1000, message if annotations is not None else "")


def fail(kl: Kubelet, rec: Pod, reason: str, message: str, grace_ms: int, why: str) -> None:
    """The kubelet ends a pod itself; `why` is the message of its condition DisruptionTarget, "" for none."""
    conditions: tuple[Object, ...] = () if not why else ({
        "lastTransitionTime": kl.sim.now_rfc3339(), "message": why, "reason": "TerminationByKubelet", "status": "True",
        "type": "DisruptionTarget", "observedGeneration": rec.pod["metadata"].get("generation", 0),
    },)
    kl.pods[rec.uid] = rec._replace(failed=(reason, message), conditions=conditions, grace_ms=grace_ms)
    kl.wake(rec.uid)
