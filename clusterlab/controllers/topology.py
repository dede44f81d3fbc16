"""Hints in EndpointSlices: which zone or node should use which endpoint.

Follows staging/src/k8s.io/endpointslice/topologycache (service.kubernetes.io/topology-mode: Auto, shares by CPU) and trafficdist
(spec.trafficDistribution).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clusterlab.controllers.objects import Object, Objects, condition_of
from clusterlab.machinery.quantity import milli_value as milli

__all__ = ["Hinted", "Topology", "add_hints", "hints_close", "traffic_distribution", "without_hints"]

OVERLOAD = 0.2
CLOSE = ("PreferClose", "PreferSameZone", "PreferSameNode")
EXCLUDED = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


def traffic_distribution(service: Object) -> str | None:
    """The Service's trafficDistribution, where it is a known one."""
    value = service["spec"].get("trafficDistribution")
    return value if value in CLOSE else None


def _ready(endpoint: Object) -> bool:
    return bool(endpoint["conditions"].get("ready"))


def without_hints(create: Objects, update: Objects, unchanged: Objects) -> tuple[Objects, Objects]:
    """Slices to create and update once every hint is gone."""
    stale = [each for each in unchanged if any("hints" in endpoint for endpoint in each.get("endpoints") or ())]
    return [_bare(each) for each in create], [_bare(each) for each in [*update, *stale]]


def _bare(each: Object) -> Object:
    endpoints = each.get("endpoints") or []
    if not any("hints" in endpoint for endpoint in endpoints):
        return each
    return {**each, "endpoints": [{k: v for k, v in endpoint.items() if k != "hints"} for endpoint in endpoints]}


def hints_close(distribution: str, create: Objects, update: Objects, unchanged: Objects) -> tuple[Objects, Objects]:
    """Slices to create and update once every ready endpoint is hinted for its own zone (and node)."""

    def hinted(each: Object) -> Object:
        return {**each, "endpoints": [close(endpoint) for endpoint in each.get("endpoints") or ()]}

    def close(endpoint: Object) -> Object:
        if not _ready(endpoint):
            return endpoint
        hints: Object = {}
        if endpoint.get("zone"):
            hints["forZones"] = [{"name": endpoint["zone"]}]
        if endpoint.get("nodeName") and distribution == "PreferSameNode":
            hints["forNodes"] = [{"name": endpoint["nodeName"]}]
        rest = {key: value for key, value in endpoint.items() if key != "hints"}
        return {**rest, "hints": hints} if hints else rest

    stale = [each for each in unchanged if hinted(each)["endpoints"] != (each.get("endpoints") or [])]
    return [hinted(each) for each in create], [hinted(each) for each in [*update, *stale]]


class Topology:
    """The share of CPU that each zone has; `ratios` is empty where nodes say too little for hints."""

    MODE = "service.kubernetes.io/topology-mode"

    def __init__(self, nodes: Iterable[Object]) -> None:
        cpu: dict[str, int] = {}
        self.ratios: dict[str, float] = {}
        for node in nodes:
            labels = node["metadata"].get("labels") or {}
            ready = condition_of(node, "Ready")
            if any(label in labels for label in EXCLUDED) or ready is None or ready["status"] != "True":
                continue
            zone = labels.get("topology.kubernetes.io/zone")
            amount = milli(((node.get("status") or {}).get("allocatable") or {}).get("cpu", "0"))
            if not zone or not amount:
                return
            cpu[zone] = cpu.get(zone, 0) + amount
        total = sum(cpu.values())
        if len(cpu) >= 2:
            self.ratios = {zone: cpu[zone] / total for zone in sorted(cpu)}

    @staticmethod
    def enabled(annotations: Mapping[str, str]) -> bool:
        """Whether a Service asks for hints by zone."""
        value = annotations.get("service.kubernetes.io/topology-aware-hints", annotations.get(Topology.MODE, ""))
        return value in ("Auto", "auto")

    def overloaded(self, hints: Mapping[str, int]) -> bool:
        """Whether zones with hints like these would get too much of the traffic."""
        if not hints:
            return False
        if not self.ratios:
            return True
        total = sum(hints.values())
        return any(
            zone not in hints or hints[zone] < math.ceil(total * ratio / (1 + OVERLOAD)) for zone, ratio in self.ratios.items()
        )

    def allocations(self, endpoints: int) -> tuple[dict[str, tuple[int, float, int]], str]:
        """({zone: (least, desired, most) endpoints}, "" or why there are none)."""
        if not self.ratios:
            return {}, "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
        count = f"({endpoints} endpoints, {len(self.ratios)} zones)"
        if len(self.ratios) > endpoints:
            return {}, f"Insufficient number of endpoints {count}"
        least = {zone: math.ceil(ratio * endpoints / (1 + OVERLOAD)) for zone, ratio in self.ratios.items()}
        spare = endpoints - sum(least.values())
        if spare < 0:
            return {}, f"Unable to allocate minimum required endpoints to each zone without exceeding overload threshold {count}"
        return {
            zone: (least[zone], max(ratio * endpoints, float(least[zone])), least[zone] + spare)
            for zone, ratio in self.ratios.items()
        }, ""


@dataclass
class Hinted:
    """What came of hinting: slices to create and update, hints by zone (None when disabled), what to tell."""

    create: Objects
    update: Objects
    hints: dict[str, int] | None
    message: str


def add_hints(topology: Topology, family: str, create: Objects, update: Objects, unchanged: Objects) -> Hinted:
    """Shares ready endpoints between zones by their CPU; an endpoint serves its own zone if it can."""
    slices = [*create, *update, *unchanged]
    total = sum(_ready(endpoint) for each in slices for endpoint in each.get("endpoints") or ())
    allocations, why = topology.allocations(total)

    def disabled(reason: str) -> Hinted:
        return Hinted(*without_hints(create, update, unchanged), None, f"{reason}, addressType: {family}")

    if why:
        return disabled(why)
    hints: dict[str, int] = {}
    update = list(update)
    for each in unchanged:
        found = _hints_by_zone(each, hints, allocations)
        if found is None:
            update.append(each)
        else:
            for zone, count in found.items():
                hints[zone] = hints.get(zone, 0) + count
    endpoints = [dict(endpoint) for each in [*create, *update] for endpoint in each.get("endpoints") or ()]
    for endpoint in endpoints:
        endpoint.pop("hints", None)
        if _ready(endpoint):
            zone = endpoint.get("zone") or ""
            if not zone:
                return disabled("One or more endpoints do not have a zone specified")
            hints[zone] = hints.get(zone, 0) + 1
            endpoint["hints"] = {"forZones": [{"name": zone}]}
    _redistribute(endpoints, hints, allocations)
    if not hints:
        return disabled("No hints allocated for zones")
    left = iter(endpoints)
    rebuilt = [{**each, "endpoints": [next(left) for _ in each.get("endpoints") or ()]} for each in [*create, *update]]
    message = f"Topology Aware Hints has been enabled, addressType: {family}"
    return Hinted(rebuilt[:len(create)], rebuilt[len(create):], hints, message)


def _hints_by_zone(
    each: Object, known: Mapping[str, int], allocations: Mapping[str, tuple[int, float, int]]
) -> dict[str, int] | None:
    """The hints that a slice has; None when it has to be hinted anew."""
    found: dict[str, int] = {}
    for endpoint in each.get("endpoints") or ():
        if _ready(endpoint):
            zones = [zone["name"] for zone in (endpoint.get("hints") or {}).get("forZones") or ()]
            if not zones or any(zone not in allocations for zone in zones):
                return None
            for zone in zones:
                found[zone] = found.get(zone, 0) + 1
    if any(count + known.get(zone, 0) > allocations[zone][2] for zone, count in found.items()):
        return None
    return found


def _redistribute(endpoints: Objects, hints: dict[str, int], allocations: Mapping[str, tuple[int, float, int]]) -> None:
    """Moves hints from zones with more than their share to zones with less."""
    giving = {zone: hints.get(zone, 0) - desired for zone, (_, desired, _) in allocations.items() if hints.get(zone, 0) > desired}
    taking = {zone: desired - hints.get(zone, 0) for zone, (_, desired, _) in allocations.items() if hints.get(zone, 0) < desired}
    gives: dict[str, int] = {}
    takes: dict[str, int] = {}
    while giving and taking:
        giver, taker = max(giving, key=lambda z: giving[z]), max(taking, key=lambda z: taking[z])
        most, need = giving[giver], taking[taker]
        if (most < 1 and need < 1) or most < 0.5 or need < 0.5:
            break
        gives[giver], takes[taker] = gives.get(giver, 0) + 1, takes.get(taker, 0) + 1
        giving[giver] -= 1
        taking[taker] -= 1
    for endpoint in endpoints:
        zone = endpoint.get("zone", "")
        if not _ready(endpoint) or gives.get(zone, 0) <= 0:
            continue
        taker = next((each for each, count in takes.items() if count > 0), "")
        if not taker:
            return
        endpoint["hints"] = {"forZones": [{"name": taker}]}
        gives[zone] -= 1
        takes[taker] -= 1
        hints[zone] -= 1
        hints[taker] = hints.get(taker, 0) + 1
