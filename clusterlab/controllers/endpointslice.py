"""The EndpointSlice controller: for each Service with a selector, the addresses of its pods in slices of at most a hundred.

Follows pkg/controller/endpointslice/endpointslice_controller.go; `endpointslice_reconciler` follows
staging/src/k8s.io/endpointslice/reconciler.go, `topology` its topologycache and trafficdist.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.endpointslice_reconciler import MANAGED_BY, SERVICE_NAME, SliceReconciler, in_endpoints
from clusterlab.controllers.objects import Object, Objects, deleting, key_of, unix_ms
from clusterlab.controllers.topology import Topology
from clusterlab.machinery.errors import StatusError
from clusterlab.sim.words import counted

__all__ = ["EndpointSliceController", "by_label", "by_service", "endpoint_state", "selected_pods", "services_of", "trigger_time"]

#: Endpoints of pods that come up in a burst are written at most this often, and a bit less often the more there are.
BURST_MS = 20
BURST_MS_PER_100_PODS = 35


def by_label(obj: Object) -> list[str]:
    """Index function: each label of an object with its namespace, as `namespace/key=value`."""
    meta = obj["metadata"]
    labels = meta.get("labels")
    return [f"{meta.get('namespace', '')}/{key}={value}" for key, value in labels.items()] if labels else []


def endpoint_state(pod: Object) -> tuple[Any, ...]:
    """What a Service sees of a pod: nothing else of it changes its endpoints."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    phase, ready = status.get("phase"), None
    for condition in status.get("conditions") or ():
        if condition["type"] == "Ready":
            ready = condition["status"]
            break
    return (
        ready == "True", status.get("podIP"), status.get("podIPs"), phase in ("Succeeded", "Failed"), meta.get("labels"),
        meta.get("deletionTimestamp"), spec.get("nodeName"), spec.get("hostname"), spec.get("subdomain"),
    )


def services_of(services: Any, pod: Object) -> list[str]:
    """The keys of the Services that select a pod."""
    meta = pod["metadata"]
    labels = meta.get("labels")
    if not labels:
        return []
    items = labels.items()
    found = []
    for service in services.indexed("namespace", meta["namespace"]):
        selector = service["spec"].get("selector")
        if selector and selector.items() <= items:
            found.append(key_of(service))
    return found


def selected_pods(pods: Any, service: Object) -> Objects:
    """The pods that a Service selects."""
    namespace, selector = service["metadata"]["namespace"], service["spec"]["selector"]
    if not selector:
        found: Objects = pods.list(namespace)
        return found
    (key, value), *rest = selector.items()
    found = pods.indexed("label", f"{namespace}/{key}={value}")
    return [pod for pod in found if selector.items() <= pod["metadata"]["labels"].items()] if rest else found


class EndpointSliceController(BaseController):
    """Reconciles the EndpointSlices of Services."""

    STATE = ("busy_until", "written", "trigger_times", "hinted")
    resource = "services"
    controller_name = "endpointslice-controller"
    component = "endpoint-slice-controller"
    backoff_ms = (1_000, 1_000_000)
    managed_by = "endpointslice-controller.k8s.io"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.services = self.informer("services")
        self.pods = self.informer("pods")
        self.nodes = self.informer("nodes")
        self.slices = self.informer("endpointslices")
        self.services.add_index("namespace", lambda service: (service["metadata"]["namespace"],))
        self.pods.add_index("label", by_label)
        self.slices.add_index("service", by_service)
        self.services.on_change(self.enqueue_object)
        self.pods.on_change(self.pod_changed)
        self.slices.on_change(self.slice_changed)
        self.nodes.on_change(self.node_changed)

    def clear(self) -> None:
        super().clear()
        self.written: dict[str, str] = {}  # slice -> its resource version as written here
        self.trigger_times: dict[str, tuple[int, dict[str, int]]] = {}
        self.hinted: dict[str, dict[str, int]] = {}  # service -> hints by zone, where topology hints are populated

    # Handlers.

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if not any(pod is not None and in_endpoints(pod) for pod in (old, new)):
            return  # without an address a pod is in nobody's endpoints
        if old is not None and new is not None:
            before, after = endpoint_state(old), endpoint_state(new)
            if before == after:
                return
            keys = services_of(self.services, new)
            if before[4] != after[4]:
                keys = list(dict.fromkeys(keys + services_of(self.services, old)))
        else:
            keys = services_of(self.services, new or old)  # type: ignore[arg-type]
        for key in keys:
            self.enqueue(key)

    def slice_changed(self, old: Object | None, new: Object | None) -> None:
        """Somebody else changed a slice of ours: put it right."""
        changed = new or old
        assert changed is not None
        labels = changed["metadata"].get("labels") or {}
        if labels.get(MANAGED_BY) != self.managed_by:
            before = (old["metadata"].get("labels") or {}) if old is not None else {}
            if before.get(MANAGED_BY) != self.managed_by:
                return
            labels = before
        key = key_of(changed)
        if new is None:
            ours = self.written.pop(key, None) is None
        else:
            ours = self.written.get(key) == new["metadata"].get("resourceVersion")
        if not ours:
            self.enqueue(f"{changed['metadata']['namespace']}/{labels.get(SERVICE_NAME, '')}")

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        """Zones and CPU decide on topology hints."""
        if not self.hinted and not any((s["metadata"].get("annotations") or {}).get(Topology.MODE) for s in self.services.store.values()):
            return
        topology = Topology(self.nodes.store.values())
        for key, hints in self.hinted.items():
            if topology.overloaded(hints):
                self.enqueue(key)

    # Reconciling.

    def reconcile(self, key: str) -> None:
        service = self.services.get(key)
        if service is None:
            for state in (self.trigger_times, self.hinted, self.busy_until):
                state.pop(key, None)
            return
        spec = service["spec"]
        if spec.get("type") == "ExternalName" or spec.get("selector") is None:
            return
        pods = selected_pods(self.pods, service)
        meta = service["metadata"]
        mine = [
            each for each in self.slices.indexed("service", key)
            if each["metadata"]["labels"].get(MANAGED_BY) == self.managed_by and not deleting(each)
        ]
        reconciler = SliceReconciler(self, service, trigger_time(self.trigger_times, key, service, pods))
        try:
            reconciler.reconcile(pods, mine)
        except StatusError as error:
            message = f"Error updating Endpoint Slices for Service {meta['namespace']}/{meta['name']}: {error.message}"
            self.record(service, "Warning", "FailedToUpdateEndpointSlices", message)
            raise
        self.note(desired=reconciler.ready, observed=len(pods))
        self.busy(key, BURST_MS + BURST_MS_PER_100_PODS * len(pods) // 100)
        if reconciler.wrote:
            self.explain(
                f"The Service {meta['name']} has {reconciler.ready} ready of {counted(reconciler.total, 'endpoint')}, "
                f"and its EndpointSlices now say so."
            )


def trigger_time(known: dict[str, tuple[int, dict[str, int]]], key: str, service: Object, pods: Objects) -> str | None:
    """The soonest of the changes that a reconcile answers to; `known` remembers the changes of earlier ones."""
    service_before, pods_before = known.get(key, (0, {}))
    soonest: tuple[int, str] | None = None
    pods_now: dict[str, int] = {}
    for pod in pods:
        stamp = next((c.get("lastTransitionTime") for c in (pod.get("status") or {}).get("conditions") or ()
                      if c["type"] == "Ready"), None)
        if stamp:
            name = pod["metadata"]["name"]
            at = pods_now[name] = unix_ms(stamp)
            if at > pods_before.get(name, 0) and (soonest is None or at < soonest[0]):
                soonest = (at, stamp)
    created = service["metadata"].get("creationTimestamp")
    service_now = unix_ms(created) if created else 0
    if created and service_now > service_before and (soonest is None or service_now < soonest[0]):
        soonest = (service_now, created)
    known[key] = (service_now, pods_now)
    return soonest[1] if soonest else None


def by_service(obj: Object) -> tuple[str, ...]:
    """Index function: the Service that a slice belongs to."""
    meta = obj["metadata"]
    name = (meta.get("labels") or {}).get(SERVICE_NAME)
    return (f"{meta['namespace']}/{name}",) if name else ()


