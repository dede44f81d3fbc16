"""How much memory a container uses, and when it reaches its limit."""

from __future__ import annotations

from clusterlab.runtime.records import Container

__all__ = ["leaked", "memory_of", "out_of_memory_ms"]


def leaked(container: Container, what: str, now_ms: int) -> int:
    """How much a fault has made a container take of something: "disk" in bytes, "inodes", "pids"."""
    return sum(per_s * (now_ms - since) // 1000 for kind, since, per_s in container.leaks if kind == what)


def memory_of(container: Container, now_ms: int) -> int:
    """How many bytes a running container uses."""
    program = container.program
    used = program.memory_base + (container.vm.memory if container.vm is not None else 0)
    used += program.memory_growth_per_s * (now_ms - container.started_ms) // 1000
    if container.growth_ms >= 0:
        used += container.growth_per_s * (now_ms - container.growth_ms) // 1000
    return used


def out_of_memory_ms(container: Container) -> int:
    """When a running container reaches its memory limit; -1: never."""
    limit, program = container.config.memory_limit, container.program
    if not limit:
        return -1
    base = program.memory_base + (container.vm.memory if container.vm is not None else 0)
    if base > limit:
        return container.started_ms
    growth = program.memory_growth_per_s + container.growth_per_s
    if growth <= 0:
        return -1
    # used(t) = base + g1 (t - started) + g2 (t - leak start), in bytes and ms
    leak_ms = container.growth_ms if container.growth_ms >= 0 else 0
    reached = (limit - base) * 1000 + program.memory_growth_per_s * container.started_ms
    reached += container.growth_per_s * leak_ms
    return int(-(-reached // growth))
