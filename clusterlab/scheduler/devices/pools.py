"""Pools of devices: what ResourceSlices offer a node.

Follows staging/src/k8s.io/dynamic-resource-allocation/structured/internal/incubating/pools_incubating.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from clusterlab.scheduler.resources import nano
from clusterlab.scheduler.selectors import NodeSelector

Object = dict[str, Any]
Counters = dict[str, dict[str, int]]

__all__ = ["Counters", "Device", "DeviceId", "Pool", "consumption", "gather", "reaches"]


class DeviceId(NamedTuple):
    """Names a device in the whole cluster."""

    driver: str
    pool: str
    device: str


class Device(NamedTuple):
    """A device and the slice that offers it."""

    id: DeviceId
    body: Object
    slice: Object


class Pool(NamedTuple):
    """The devices of a pool that a node can reach, in order; `elsewhere` are its others. `counters`: what they share, in billionths.

    From a pool that is incomplete (some of its slices are not there yet) or `invalid` (with the reason) nothing is taken."""

    driver: str
    name: str
    devices: tuple[Device, ...] = ()
    elsewhere: tuple[Device, ...] = ()
    counters: Counters = {}
    incomplete: bool = False
    invalid: str = ""


def reaches(where: Object, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a slice or a device, which says so by nodeName, allNodes or nodeSelector, can be reached from a node."""
    if where.get("nodeName"):
        return bool(where["nodeName"] == name)
    if where.get("allNodes"):
        return True
    return where.get("nodeSelector") is not None and NodeSelector(where["nodeSelector"]).matches(labels, name)


def gather(slices: Iterable[Object], name: str, labels: Mapping[str, str]) -> list[Pool]:
    """The pools with devices for a node, by driver and name."""
    listed = sorted(slices, key=lambda one: one["metadata"]["name"])
    found: dict[tuple[str, str], list[Object]] = {}
    for one in listed:
        if _concerns(one["spec"], name, labels):
            _add(found, one)
    pools = []
    for (driver, pool), relevant in sorted(found.items()):
        about = relevant[0]["spec"]["pool"]
        every = [one for one in listed if (one["spec"]["driver"], one["spec"]["pool"]["name"]) == (driver, pool)]
        if any(one["spec"]["pool"]["generation"] > about["generation"] for one in every):
            continue  # its driver is replacing it by something that this node does not see
        every = [one for one in every if one["spec"]["pool"]["generation"] == about["generation"]]
        if len(every) != about["resourceSliceCount"]:
            pools.append(Pool(driver, pool, incomplete=True))
        else:
            pools.append(_build(driver, pool, relevant, every))
    return pools


def _concerns(spec: Object, name: str, labels: Mapping[str, str]) -> bool:
    if spec.get("sharedCounters"):
        return True
    if spec.get("perDeviceNodeSelection"):
        return any(reaches(device, name, labels) for device in spec.get("devices") or ())
    return reaches(spec, name, labels)


def _add(found: dict[tuple[str, str], list[Object]], one: Object) -> None:
    key = (one["spec"]["driver"], one["spec"]["pool"]["name"])
    known, generation = found.setdefault(key, []), one["spec"]["pool"]["generation"]
    if known and generation < known[0]["spec"]["pool"]["generation"]:
        return
    if known and generation > known[0]["spec"]["pool"]["generation"]:
        known.clear()
    known.append(one)


def _build(driver: str, pool: str, relevant: list[Object], every: list[Object]) -> Pool:
    here = [device for one in relevant for device in _devices(one)]
    names = [device.id.device for device in here]
    for device_name in names:
        if names.count(device_name) > 1:
            return Pool(driver, pool, invalid=f"duplicate device name {device_name}")
    counters: Counters = {}
    for one in relevant:
        for entry in one["spec"].get("sharedCounters") or ():
            if entry["name"] in counters:
                return Pool(driver, pool, invalid=f"duplicate counter set name {entry['name']}")
            counters[entry["name"]] = {key: nano(counter["value"]) for key, counter in (entry.get("counters") or {}).items()}
    elsewhere = [device for one in every if one not in relevant for device in _devices(one)]
    for device in (*here, *elsewhere):
        for counter_set, name, _ in consumption(device.body):
            if name not in counters.get(counter_set, {}):
                return Pool(driver, pool, invalid=f"device {device.id.device} consumes a counter that is not there: {counter_set}/{name}")
    return Pool(driver, pool, tuple(here), tuple(elsewhere), counters)


def _devices(one: Object) -> list[Device]:
    spec = one["spec"]
    return [Device(DeviceId(spec["driver"], spec["pool"]["name"], body["name"]), body, one) for body in spec.get("devices") or ()]


def consumption(device: Object) -> list[tuple[str, str, int]]:
    """What a device takes of shared counters: (counter set, counter, billionths)."""
    return [
        (entry["counterSet"], name, nano(counter["value"]))
        for entry in device.get("consumesCounters") or () for name, counter in (entry.get("counters") or {}).items()
    ]
