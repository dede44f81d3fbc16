"""Making the kubelet of a scenario's node, with the runtime beneath it and what all nodes share."""

from __future__ import annotations

from typing import Any

from clusterlab.client.api import Api
from clusterlab.kubelet.config import NodeConfig
from clusterlab.kubelet.kubelet import Kubelet
from clusterlab.kubelet.world import World
from clusterlab.network import addresses
from clusterlab.network.fabric import Fabric
from clusterlab.runtime.amounts import units
from clusterlab.runtime.images import Registry
from clusterlab.runtime.runtime import Runtime
from clusterlab.sim import Simulation

__all__ = ["kubelet"]

BYTES_AN_INODE = 16_384  # as mkfs.ext4 makes them
CAPACITY = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi"}


def kubelet(sim: Simulation, api: Api, node: Any, scenario: Any) -> Kubelet:
    """The process "kubelet/<node>" for a node of a scenario, and the component "runtime/<node>" with it. Both act once started.

    The registry that all nodes pull from is the component "registry", the network between them the component "network"."""
    registry = sim.components.get("registry")
    if not isinstance(registry, Registry):
        registry = Registry(sim, tuple(scenario.images))
    taken = {other.config.number for other in sim.components.values() if isinstance(other, Kubelet)}
    number = node.number if getattr(node, "number", -1) >= 0 else next(each for each in range(len(taken) + 1) if each not in taken)
    pod_cidr = addresses.pod_cidr(number, len(scenario.all_nodes()))
    second = (addresses.node_address_6(number), addresses.pod_cidr_6(number)) if scenario.dual_stack else ("", "")
    config = NodeConfig.of(node, number, addresses.node_address(number), pod_cidr, second=second)
    if f"runtime/{node.name}" in sim.components:
        sim.remove(f"runtime/{node.name}")
    if "network" not in sim.components:
        Fabric(sim)
    runtime = Runtime(sim, node.name, node.runtime, registry, pod_cidr)
    has = {**CAPACITY, **node.capacity}
    runtime.cpus, runtime.memory_bytes = max(1, units(has["cpu"])), units(has["memory"])
    runtime.disk_bytes = units(has["ephemeral-storage"])
    runtime.inodes, runtime.pids = config.inodes or runtime.disk_bytes // BYTES_AN_INODE, config.pids
    runtime.pod_pids, runtime.parallel_pulls = config.settings.pod_pids, config.settings.parallel_pulls
    return Kubelet(sim, api, config, runtime, World(sim))
