"""Kinds of faults that the kubelets', the API server's and etcd's own rules answer: a runtime that is down, a certificate that has
expired, a clock that is wrong, an API server that is flooded, a slow disk.

Each is a pair of functions on the cluster, as in `faults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.flowcontrol import FLOODED
from clusterlab.scenario.model import Fault

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["DISK_SLOW_MS", "SKEW_MS", "cuts_off", "expire", "flood", "flood_over", "runtime_start", "runtime_stop", "skew",
           "skew_over", "still", "unexpire"]

#: How wrong a clock is, and how slow a disk, where the fault does not say.
SKEW_MS, DISK_SLOW_MS = 600_000, 500
#: From when to when kubeadm's certificates hold, around the birth of the cluster.
VALID_FROM_MS, VALID_UNTIL_MS = -300_000, 365 * 86_400_000


def still(fault: Fault) -> str:
    return f"This fault is over, but another one still holds {fault.target or fault.kind} down."


# The container runtime.


def runtime_stop(cluster: Cluster, fault: Fault) -> str:
    runtime = cluster.runtimes[fault.target]
    if runtime.cri_down_ms < 0:
        runtime.cri_down_ms = cluster.sim.time_ms
    return f"The container runtime on {fault.target} stops: containers go on, but the kubelet can neither see, start nor end any."


def runtime_start(cluster: Cluster, fault: Fault) -> str:
    if cluster.fault_board.others(fault.kind, fault.target):
        return still(fault)
    cluster.runtimes[fault.target].cri_down_ms = -1
    kubelet: Any = cluster.processes[f"kubelet/{fault.target}"]
    if kubelet.up:
        for uid in kubelet.pods:
            kubelet.wake(uid)
    return f"The container runtime on {fault.target} answers again, and the kubelet sees what has become of its pods."


# Certificates.


def expire(cluster: Cluster, fault: Fault) -> str:
    kubelet = f"kubelet/{fault.target}"
    cluster.api.distrust(kubelet, cluster.processes[kubelet].client.user.name)
    return (f"The client certificate of the kubelet on {fault.target} has expired: the API server answers it 401 Unauthorized. "
            "The containers there go on.")


def unexpire(cluster: Cluster, fault: Fault) -> str:
    if cluster.fault_board.others(fault.kind, fault.target):
        return still(fault)
    cluster.api.trust(f"kubelet/{fault.target}")
    return f"The kubelet on {fault.target} has a new client certificate, and the API server knows it again."


# Clocks.


def cuts_off(by_ms: int, since_ms: int) -> bool:
    """Whether a clock that is wrong by so much, at that time, takes the API server's certificate for one that does not hold."""
    return not VALID_FROM_MS <= since_ms + by_ms <= VALID_UNTIL_MS


def _by(fault: Fault) -> int:
    return int(fault.options.get("by", SKEW_MS))


def skew(cluster: Cluster, fault: Fault) -> str:
    by_ms = _by(fault)
    kubelet: Any = cluster.processes[f"kubelet/{fault.target}"]
    kubelet.skew_ms = by_ms
    said = f"The clock of {fault.target} is {abs(by_ms) // 1000} s {'ahead' if by_ms >= 0 else 'behind'}"
    if cuts_off(by_ms, cluster.sim.time_ms):
        cluster.api.cut_off(kubelet.name, kubelet.client.user.name)
        return f"{said}: to its kubelet the API server's certificate has expired or is not yet valid, so it cannot connect."
    return f"{said}: its lease and its pods carry wrong times, which the node controller does not mind, as it goes by its own clock."


def skew_over(cluster: Cluster, fault: Fault) -> str:
    kubelet: Any = cluster.processes[f"kubelet/{fault.target}"]
    left = [entry for entry in cluster.fault_board.active.values() if entry["kind"] == fault.kind and entry["target"] == fault.target]
    kubelet.skew_ms = int(left[-1]["options"].get("by", SKEW_MS)) if left else 0
    cluster.fault_board.reconnect(fault.target)
    if left:
        return still(fault)
    said = f"The clock of {fault.target} is right again."
    if _by(fault) > 0:
        said += " Leases with earlier times than those seen before do not count, so the node seems silent until time has caught up."
    return said


# The API server's queues.


def _levels(fault: Fault) -> tuple[str, ...]:
    return (fault.target,) if fault.target else FLOODED


def flood(cluster: Cluster, fault: Fault) -> str:
    levels = _levels(fault)
    cluster.api.flooded = tuple(dict.fromkeys((*cluster.api.flooded, *levels)))
    return (f"Somebody floods the API server: the queues of {', '.join(levels)} are full, and who belongs there is told to come back "
            "later (429).")


def flood_over(cluster: Cluster, fault: Fault) -> str:
    others = [entry for entry in cluster.fault_board.active.values() if entry["kind"] == fault.kind]
    cluster.api.flooded = tuple(dict.fromkeys(
        level for entry in others for level in ((entry["target"],) if entry["target"] else FLOODED)))
    return still(fault) if others else "The flood is over: the API server serves requests of every priority level again."
