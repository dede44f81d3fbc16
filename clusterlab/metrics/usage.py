"""How much CPU and memory containers use: what their programs use when idle, what requests cost them, and no more than their limits.

The part of cAdvisor (and of pkg/kubelet/server/stats) that metrics-server reads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from clusterlab.runtime.records import RUNNING, Container
from clusterlab.runtime.runtime import Runtime, memory_of

__all__ = ["Usage", "container_usage", "node_usage", "pod_usage"]

#: What the system and the kubelet of a node use beside its pods.
SYSTEM_CPU_MICRO = 60_000
SYSTEM_MEMORY = 350 << 20


class Usage(NamedTuple):
    """CPU in millionths of a core, memory in bytes; `throttled` where the limit of CPU was reached."""

    cpu_micro: int = 0
    memory: int = 0
    throttled: bool = False


def container_usage(runtime: Runtime, container: Container) -> Usage:
    """What one container uses now."""
    if container.state != RUNNING:
        return Usage()
    traffic: Any = runtime.sim.components.get("traffic")
    busy = int(traffic.cpu_micro(container.id)) if traffic is not None else 0
    script = container.vm.cpu_milli * 1000 if container.vm is not None else 0
    wanted = container.program.cpu_milli * 1000 + script + busy
    most = container.config.cpu_limit_milli * 1000 or runtime.cpus * 1_000_000
    memory = memory_of(container, runtime.sim.time_ms)
    if container.config.memory_limit:
        memory = min(memory, container.config.memory_limit)
    return Usage(min(wanted, most), memory, wanted > most)


def pod_usage(runtime: Runtime, uid: str) -> dict[str, Usage]:
    """What each running container of a pod uses."""
    return {each.name: container_usage(runtime, each) for each in runtime.of_pod(uid) if each.state == RUNNING}


def node_usage(runtime: Runtime) -> Usage:
    """What a node uses in all."""
    cpu, memory = SYSTEM_CPU_MICRO, SYSTEM_MEMORY
    for each in runtime.containers.values():
        if each.state == RUNNING:
            used = container_usage(runtime, each)
            cpu, memory = cpu + used.cpu_micro, memory + used.memory
    return Usage(min(cpu, runtime.cpus * 1_000_000), min(memory, runtime.memory_bytes))
