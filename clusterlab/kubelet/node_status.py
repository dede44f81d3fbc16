"""A node as its kubelet registers it and keeps it up to date: labels, capacity, conditions, images, lease.

Follows pkg/kubelet/kubelet_node_status.go (initialNode, tryRegisterWithAPIServer), nodestatus/setters.go and
staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go. A node registers ready: the seconds in which a real one waits
for its network plugin are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.config import VERSION
from clusterlab.kubelet.resources import amount, quantities
from clusterlab.kubelet.restart import go_duration
from clusterlab.kubelet.settings import kept_free
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["HEARTBEAT_MS", "allocatable", "heartbeat", "register"]

HEARTBEAT_MS = 10_000
REPORT_MS = 300_000
#: How long a runtime may be silent before its node is no longer ready, and before the generator of pod events counts as dead.
RUNTIME_WAIT_MS, PLEG_WAIT_MS = 30_000, 180_000
LEASE_S = 40
IMAGES_MOST = 50

_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available", "KubeletHasInsufficientMemory",
     "kubelet has insufficient memory available", "NodeHasSufficientMemory", "NodeHasInsufficientMemory"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure", "KubeletHasDiskPressure",
     "kubelet has disk pressure", "NodeHasNoDiskPressure", "NodeHasDiskPressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available", "KubeletHasInsufficientPID",
     "kubelet has insufficient PID available", "NodeHasSufficientPID", "NodeHasInsufficientPID"),
)


def capacity(kl: Kubelet) -> Object:
    """What the node has. Huge pages are there, none of them reserved."""
    has = {"hugepages-1Gi": "0", "hugepages-2Mi": "0", **kl.config.capacity}
    return {**has, "pods": str(kl.config.settings.max_pods)} if kl.config.settings.max_pods >= 0 else has


def allocatable(kl: Kubelet) -> Object:
    """What pods may use: nothing is reserved unless the scenario says so."""
    has = capacity(kl)
    given = {name: amount(name, value) for name, value in has.items()}
    for name, taken in kept_free(kl.config.settings, given).items():
        if name in given:
            has |= quantities({name: max(0, given[name] - taken)})
    return {**has, **kl.config.allocatable}


def labels(kl: Kubelet) -> Object:
    name = kl.config.name
    return {
        "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **kl.config.labels,
    }


def _conditions(kl: Kubelet, before: list[Object]) -> list[Object]:
    now = kl.clock()
    known = {each["type"]: each for each in before}
    found = []
    for kind, calm, calm_message, pressed, pressed_message, _calm_event, _pressed_event in _PRESSURES:
        under = kind in kl.pressure
        found.append((kind, "True" if under else "False", pressed if under else calm, pressed_message if under else calm_message))
    broken = runtime_errors(kl)
    if broken:
        found.append(("Ready", "False", "KubeletNotReady", broken))
    else:
        found.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    conditions = []
    for kind, status, reason, message in found:
        old = known.get(kind)
        since = old["lastTransitionTime"] if old is not None and old["status"] == status else now
        conditions.append({
            "lastHeartbeatTime": now, "lastTransitionTime": since, "message": message, "reason": reason, "status": status,
            "type": kind,
        })
    return conditions


def runtime_errors(kl: Kubelet) -> str:
    """What the kubelet has against its runtime (pkg/kubelet/runtime.go, pleg/generic.go); "" where it answers, or has not been silent
    for long."""
    down_ms = kl.runtime.cri_down_ms
    silent_ms = kl.sim.time_ms - down_ms if down_ms >= 0 else 0
    if silent_ms < RUNTIME_WAIT_MS:
        return ""
    if silent_ms < PLEG_WAIT_MS:
        return "container runtime is down"
    seen = go_duration(silent_ms)
    return f"[container runtime is down, PLEG is not healthy: pleg was last seen active {seen} ago; threshold is 3m0s]"


def images(kl: Kubelet) -> list[Object]:
    """The largest images of the node, each once."""
    once = {image.id: image for image in kl.runtime.images.values()}
    largest = sorted(once.values(), key=lambda image: (-image.size_bytes, image.names))[:IMAGES_MOST]
    return [{"names": list(image.names), "sizeBytes": image.size_bytes} for image in largest]


def status(kl: Kubelet, before: Object) -> Object:
    """The whole status of the node. What others have put into its capacity, extended resources, is allocatable as well
    (pkg/kubelet/nodestatus/setters.go, MachineInfo)."""
    extended, there = _extended(kl, before), images(kl)
    return {
        "addresses": [*({"address": each, "type": "InternalIP"} for each in (kl.config.address, kl.config.address_6) if each),
                      {"address": kl.config.name, "type": "Hostname"}],
        "allocatable": {**allocatable(kl), **extended}, "capacity": {**capacity(kl), **extended},
        "conditions": _conditions(kl, before.get("conditions") or []),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}, **({"images": there} if there else {}), "nodeInfo": _info(kl),
        "runtimeHandlers": [{"features": {"recursiveReadOnlyMounts": True, "userNamespaces": True}, "name": ""}],
    }


def _extended(kl: Kubelet, status: Object) -> Object:
    own = capacity(kl)
    return {name: value for name, value in (status.get("capacity") or {}).items() if name not in own and "/" in name}


def _info(kl: Kubelet) -> Object:
    number = kl.config.number
    return {
        "architecture": "amd64", "bootID": f"{number:08x}-b007-4000-8000-{number:012x}",
        "containerRuntimeVersion": kl.runtime.flavour.version, "kernelVersion": "6.12.0", "kubeProxyVersion": "",
        "kubeletVersion": VERSION, "machineID": f"{number:032x}", "operatingSystem": "linux",
        "osImage": "Debian GNU/Linux 13 (trixie)", "systemUUID": f"{number:08x}-5757-4000-8000-{number:012x}",
    }


def register(kl: Kubelet) -> None:
    """Makes the Node object, or takes over the one that is there."""
    config = kl.config
    annotations = {"volumes.kubernetes.io/controller-managed-attach-detach": "true", **config.annotations}
    spec: Object = {"podCIDR": config.pod_cidr, "podCIDRs": [config.pod_cidr, *filter(None, [config.pod_cidr_6])]}
    if config.taints:
        spec["taints"] = list(config.taints)
    if config.unschedulable:
        spec["unschedulable"] = True
    node = {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": config.name, "labels": labels(kl), "annotations": annotations},
        "spec": spec, "status": status(kl, {}),
    }
    try:
        kl.node = kl.client.create("nodes", node)
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise
        known = kl.client.get("nodes", "", config.name)
        kl.node = known
        merged = {**(known["metadata"].get("labels") or {}), **labels(kl)}
        if merged != known["metadata"].get("labels"):
            kl.node = kl.client.patch("nodes", "", config.name, {"metadata": {"labels": merged}})
        _send(kl, kl.node)
    kl.reported_ms = kl.sim.time_ms
    kl.images_reported = _image_key(kl)
    _lease(kl)


def announce(kl: Kubelet) -> None:
    """The events of a kubelet that starts."""
    kl.node_event("Normal", "Starting", "Starting kubelet.")
    for pressure in _PRESSURES:
        kl.node_event("Normal", pressure[5], f"Node {kl.config.name} status is now: {pressure[5]}")
    kl.node_event("Normal", "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
    kl.node_event("Normal", "NodeReady", f"Node {kl.config.name} status is now: NodeReady")


def _image_key(kl: Kubelet) -> tuple[str, ...]:
    return tuple(sorted(kl.runtime.images))


def _send(kl: Kubelet, node: Object) -> None:
    now = status(kl, node.get("status") or {})
    before = node.get("status") or {}
    patch = {name: value for name, value in now.items() if before.get(name) != value and name != "conditions"}
    patch["conditions"] = now["conditions"]
    kl.node = kl.client.patch("nodes", "", kl.config.name, {"status": patch}, "strategic", "status")
    _pressure_events(kl, before, now)


def _pressure_events(kl: Kubelet, before: Object, now: Object) -> None:
    old = {each["type"]: each["status"] for each in before.get("conditions") or ()}
    new = {each["type"]: each["status"] for each in now["conditions"]}
    for pressure in _PRESSURES:
        if old.get(pressure[0]) != new[pressure[0]] and pressure[0] in old:
            reason = pressure[6] if new[pressure[0]] == "True" else pressure[5]
            kl.node_event("Normal", reason, f"Node {kl.config.name} status is now: {reason}")
    if old.get("Ready") not in {new["Ready"], None}:
        reason = "NodeReady" if new["Ready"] == "True" else "NodeNotReady"
        kl.node_event("Normal", reason, f"Node {kl.config.name} status is now: {reason}")


def heartbeat(kl: Kubelet) -> str:
    """Every ten seconds: the lease; the status as well where it has changed or is five minutes old. Says what it did."""
    _lease(kl)
    now = kl.sim.time_ms
    pictures = _image_key(kl)
    if now - kl.reported_ms < REPORT_MS and pictures == kl.images_reported and not _differs(kl):
        return f"The kubelet on {kl.config.name} renews its lease: the node is alive."
    kl.images_reported, kl.reported_ms = pictures, now
    if kl.node is not None:
        _send(kl, kl.node)
    return f"The kubelet on {kl.config.name} renews its lease and reports the node's status."


def _differs(kl: Kubelet) -> bool:
    """Whether the conditions that the API shows are not what this kubelet finds."""
    if kl.node is None:
        return False
    status = kl.node.get("status") or {}
    given = status.get("allocatable") or {}
    if any(given.get(name) != value for name, value in _extended(kl, status).items()):
        return True
    conditions = status.get("conditions") or ()
    shown = {each["type"]: each["status"] for each in conditions}
    broken = runtime_errors(kl)
    said = next((each.get("message", "") for each in conditions if each["type"] == "Ready"), "")
    if shown.get("Ready") != ("False" if broken else "True") or (broken and said != broken):
        return True
    return any((shown.get(each[0]) == "True") != (each[0] in kl.pressure) for each in _PRESSURES)


def _lease(kl: Kubelet) -> None:
    name, now = kl.config.name, kl.clock_micro()
    lease = kl.lease
    if lease is not None:
        try:
            kl.lease = kl.client.update("leases", {**lease, "spec": {**lease["spec"], "renewTime": now}})
            return
        except StatusError as error:
            if error.reason not in {"NotFound", "Conflict"}:
                raise
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": (kl.node or {"metadata": {"uid": ""}})["metadata"]["uid"]}
    fresh = {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_S, "renewTime": now},
    }
    try:
        kl.lease = kl.client.create("leases", fresh)
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise
        known = kl.client.get("leases", "kube-node-lease", name)
        kl.lease = kl.client.update("leases", {**known, "spec": {**known["spec"], "renewTime": now}})


def amounts(of: Object) -> dict[str, int]:
    """A resource list in whole numbers."""
    return {name: amount(name, value) for name, value in of.items()}


def shown(of: dict[str, int]) -> Object:
    """Whole numbers as a resource list."""
    return quantities(of)
