"""Which plugins there are, and how each is made from its arguments in a KubeSchedulerConfiguration.

Follows pkg/scheduler/framework/plugins/registry.go and the arguments in staging/src/k8s.io/kube-scheduler/config/v1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterlab.client.client import Client
from clusterlab.scheduler.framework import Plugin
from clusterlab.scheduler.plugins.default_binder import DefaultBinder
from clusterlab.scheduler.plugins.default_preemption import DefaultPreemption
from clusterlab.scheduler.plugins.dynamic_resources import DynamicResources
from clusterlab.scheduler.plugins.image_locality import ImageLocality
from clusterlab.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from clusterlab.scheduler.plugins.node_affinity import NodeAffinity
from clusterlab.scheduler.plugins.node_name import NodeName
from clusterlab.scheduler.plugins.node_ports import NodePorts
from clusterlab.scheduler.plugins.node_resources import (
    DEFAULT_RESOURCES,
    NodeResourcesBalancedAllocation,
    NodeResourcesFit,
    ResourceSpec,
)
from clusterlab.scheduler.plugins.node_unschedulable import NodeUnschedulable
from clusterlab.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from clusterlab.scheduler.plugins.pod_topology_spread import PodTopologySpread
from clusterlab.scheduler.plugins.queue_sort import PrioritySort
from clusterlab.scheduler.plugins.scheduling_gates import SchedulingGates
from clusterlab.scheduler.plugins.taint_toleration import TaintToleration
from clusterlab.scheduler.plugins.volume_binding import VolumeBinding
from clusterlab.scheduler.plugins.volume_restrictions import VolumeRestrictions
from clusterlab.scheduler.plugins.volume_zone import VolumeZone
from clusterlab.scheduler.snapshot import Listers
from clusterlab.scheduler.volumes import AssumedVolumes

Object = dict[str, Any]
Args = Mapping[str, Any]

__all__ = ["BUILDERS", "Handle"]


def _no_bind(pod: Object, node: str) -> None:
    raise RuntimeError("this scheduler is not connected to an API server")


@dataclass(slots=True)
class Handle:
    """What plugins are given: what they may read, how to write a Binding, and a client."""

    listers: Listers = field(default_factory=Listers)
    bind: Callable[[Object, str], None] = _no_bind
    client: Client | None = None
    volumes: AssumedVolumes = field(init=False)

    def __post_init__(self) -> None:
        self.volumes = AssumedVolumes(self.listers)


def _resources(listed: Any) -> tuple[ResourceSpec, ...]:
    return tuple(ResourceSpec(entry["name"], entry.get("weight") or 1) for entry in listed or ()) or DEFAULT_RESOURCES


def _fit(handle: Handle, args: Args) -> Plugin:
    strategy = args.get("scoringStrategy") or {}
    points = (strategy.get("requestedToCapacityRatio") or {}).get("shape") or ()
    return NodeResourcesFit(
        strategy.get("type") or "LeastAllocated", _resources(strategy.get("resources")),
        [(point.get("utilization", 0), point.get("score", 0)) for point in points],
        args.get("ignoredResources") or (), args.get("ignoredResourceGroups") or (),
    )


def _spread(handle: Handle, args: Args) -> Plugin:
    listed = args.get("defaultingType") == "List"
    return PodTopologySpread(handle.listers, (args.get("defaultConstraints") or ()) if listed else None)


def _affinity(handle: Handle, args: Args) -> Plugin:
    weight = args.get("hardPodAffinityWeight")
    ignore = bool(args.get("ignorePreferredTermsOfExistingPods"))
    return InterPodAffinity(handle.listers, 1 if weight is None else weight, ignore)


def _preemption(handle: Handle, args: Args) -> Plugin:
    percentage, absolute = args.get("minCandidateNodesPercentage"), args.get("minCandidateNodesAbsolute")
    return DefaultPreemption(handle.listers, 10 if percentage is None else percentage, 100 if absolute is None else absolute)


BUILDERS: dict[str, Callable[[Handle, Args], Plugin]] = {
    "SchedulingGates": lambda handle, args: SchedulingGates(),
    "PrioritySort": lambda handle, args: PrioritySort(),
    "NodeUnschedulable": lambda handle, args: NodeUnschedulable(),
    "NodeName": lambda handle, args: NodeName(),
    "TaintToleration": lambda handle, args: TaintToleration(),
    "NodeAffinity": lambda handle, args: NodeAffinity(args.get("addedAffinity")),
    "NodePorts": lambda handle, args: NodePorts(),
    "NodeResourcesFit": _fit,
    "VolumeRestrictions": lambda handle, args: VolumeRestrictions(handle.listers),
    "NodeVolumeLimits": lambda handle, args: NodeVolumeLimits(handle.listers),
    "VolumeBinding": lambda handle, args: VolumeBinding(handle.volumes, handle.client, args.get("bindTimeoutSeconds") or 600),
    "VolumeZone": lambda handle, args: VolumeZone(handle.listers),
    "PodTopologySpread": _spread,
    "InterPodAffinity": _affinity,
    "DynamicResources": lambda handle, args: DynamicResources(handle.volumes, handle.client),
    "DefaultPreemption": _preemption,
    "NodeResourcesBalancedAllocation": lambda handle, args: NodeResourcesBalancedAllocation(_resources(args.get("resources"))),
    "ImageLocality": lambda handle, args: ImageLocality(),
    "DefaultBinder": lambda handle, args: DefaultBinder(handle.bind),
}
