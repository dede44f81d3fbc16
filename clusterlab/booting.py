"""How a cluster comes up: its programs start, then what the scenario wants is applied. A cluster of the same kind that was booted before is
copied instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clusterlab.controllers.ingress import CLASS
from clusterlab.machinery.errors import StatusError
from clusterlab.scenario import crds
from clusterlab.scenario.addons import addons

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster
    from clusterlab.sim import Object

__all__ = ["BOOT_MS", "boot"]

#: Booted clusters as checkpoints, by scenario: a new blank lab is a copy of one.
_booted: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {}
MAX_BOOTED = 8
BOOT_LIMIT = 200_000
#: When the boot is over. By then the node controller has looked at every node for the first time (at 4 s), and heartbeats stand so that
#: a node that dies soon after is missed 49 s later, as in the recording.
BOOT_MS = 4_100


def boot(cluster: Cluster) -> Iterator[None]:
    """Brings everything up until it has settled, or takes a copy of a cluster of this kind that was booted before."""
    key = repr(cluster.scenario)
    known = _booted.get(key)
    if known is not None:
        state, cluster.refused = known
        cluster.restore(state)
        return
    cluster.etcd.start()
    cluster.api.start()
    yield from _start_processes(cluster)
    while (due := cluster.sim.next_time()) is not None and due <= BOOT_MS:
        cluster.sim.dispatch()
        yield
    cluster.sim.advance_to(BOOT_MS)
    yield from _start_scenario(cluster)
    cluster.sim.forget_past()
    if len(_booted) >= MAX_BOOTED:
        del _booted[next(iter(_booted))]
    _booted[key] = cluster.checkpoint(), cluster.refused


def _start_processes(cluster: Cluster) -> Iterator[None]:
    """Starts all programs. With addons the control plane comes first and gets them before any worker joins, as with kubeadm."""
    workers = {node.name for node in cluster.nodes.values() if not node.control_plane} if cluster.scenario.has_addons else set()
    later = [process for process in cluster.processes.values() if process.name.partition("/")[2] in workers]
    for process in cluster.processes.values():
        if process not in later:
            process.start()
            yield
    if cluster.scenario.has_addons:
        yield from _settle(cluster)
        for each in addons(cluster.scenario.proxy_mode):
            cluster.apply(each)
            yield
        if any(node.control_plane for node in cluster.nodes.values()):
            yield from _settle(cluster)
    for process in later:
        process.start()
        yield
    yield from _settle(cluster)


def _settle(cluster: Cluster) -> Iterator[None]:
    for _ in range(BOOT_LIMIT):
        if cluster.sim.settled:
            return
        cluster.sim.dispatch()
        yield
    raise RuntimeError("the cluster did not settle while booting")


def _start_scenario(cluster: Cluster) -> Iterator[None]:
    """Applies the scenario's manifests and plans its timeline."""
    for definition in crds.gateway_api() if cluster.scenario.gateway_api else ():
        cluster.apply(definition)
        yield
    if cluster.scenario.ingress_controller:
        cluster.apply(CLASS)
        yield
    for definition in crds.rollouts() if cluster.scenario.rollouts else ():
        cluster.apply(definition)
        yield
    for definition in crds.flagger() if cluster.scenario.flagger else ():
        cluster.apply(definition)
        yield
    for manifest in cluster.scenario.manifests:
        if why := _refusal(cluster, manifest):
            cluster.refused += (f"{manifest['kind']} {manifest['metadata']['name']}: {why}",)
        yield
    cluster.timeline.start()
    cluster.traffic.begin_traffic()


def _refusal(cluster: Cluster, manifest: Object) -> str:
    """Applies one of the scenario's manifests; why it was refused, if it was."""
    try:
        answer = cluster.apply(manifest)
    except StatusError as error:
        return error.message
    return "" if answer.code < 400 else str(json.loads(answer.body)["message"])
