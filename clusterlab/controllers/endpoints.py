"""The Endpoints controller: the addresses of a Service's pods in one object, the way before EndpointSlices.

Follows pkg/controller/endpoint/endpoints_controller.go and pkg/api/v1/endpoints/util.go (RepackSubsets).
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.endpointslice import by_label, endpoint_state, selected_pods, services_of, trigger_time
from clusterlab.controllers.endpointslice_reconciler import HEADLESS, TRIGGER_TIME, Ports, endpoint_ports, in_endpoints, ports_as_objects
from clusterlab.controllers.objects import Object, Objects, deleting, key_of, pod_ready, split_key
from clusterlab.controllers.podcontrol import namespace_terminating
from clusterlab.controllers.port_order import CORE, ports_by_hash
from clusterlab.machinery.errors import StatusError

__all__ = ["EndpointsController"]

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_ADDRESSES = 1000
BURST_MS = 20
BURST_MS_PER_100_PODS = 60


class EndpointsController(BaseController):
    """Reconciles Endpoints."""

    STATE = ("busy_until", "trigger_times")
    resource = "services"
    controller_name = "endpoints-controller"
    component = "endpoint-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.services = self.informer("services")
        self.pods = self.informer("pods")
        self.endpoints = self.informer("endpoints")
        self.services.add_index("namespace", lambda service: (service["metadata"]["namespace"],))
        self.pods.add_index("label", by_label)
        self.services.on_change(self.enqueue_object)
        self.pods.on_change(self.pod_changed)
        self.endpoints.on_change(self.endpoints_changed)

    def clear(self) -> None:
        super().clear()
        self.trigger_times: dict[str, tuple[int, dict[str, int]]] = {}

    def started(self) -> None:
        for key, each in self.endpoints.store.items():  # left over from Services that are gone
            if key not in self.services.store and (each["metadata"].get("labels") or {}).get(MANAGED_BY):
                self.enqueue(key)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if not any(pod is not None and in_endpoints(pod) for pod in (old, new)):
            return
        if old is not None and new is not None and endpoint_state(old) == endpoint_state(new):
            return
        for pod in (old, new):
            for key in services_of(self.services, pod) if pod is not None else ():
                self.enqueue(key)

    def endpoints_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None and key_of(old) in self.services.store:
            self.enqueue(key_of(old))

    def reconcile(self, key: str) -> None:
        service = self.services.get(key)
        if service is None:
            self._delete(key)
            return
        if service["spec"].get("type") == "ExternalName" or service["spec"].get("selector") is None:
            return
        pods = selected_pods(self.pods, service)
        self.busy(key, BURST_MS + BURST_MS_PER_100_PODS * len(pods) // 100)
        stamp = trigger_time(self.trigger_times, key, service, pods)
        subsets = truncate(self._subsets(service, pods))
        known = self.endpoints.get(key)
        labels = dict(service["metadata"].get("labels") or {})
        if service["spec"].get("clusterIP", "None") in ("None", ""):
            labels[HEADLESS] = ""
        labels[MANAGED_BY] = self.component
        if known is not None and (known.get("subsets") or []) == subsets[0] and (known["metadata"].get("labels") or {}) == labels:
            return
        self._write(key, service, known, labels, subsets, stamp)

    def _delete(self, key: str) -> None:
        self.trigger_times.pop(key, None)
        self.busy_until.pop(key, None)
        if self.endpoints.get(key) is None:
            return
        namespace, name = split_key(key)
        try:
            self.client.delete("endpoints", namespace, name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        self.tell(f"The Service {name} is gone, so its Endpoints are deleted.")

    def _subsets(self, service: Object, pods: Objects) -> Objects:
        """Addresses grouped by their ports, in order of the addresses."""
        spec, publish = service["spec"], bool(service["spec"].get("publishNotReadyAddresses"))
        headless_without_ports = not spec.get("ports") and spec.get("clusterIP") == "None"
        groups: dict[Ports, tuple[Objects, Objects]] = {}
        for pod in pods:
            status = pod.get("status") or {}
            if not in_endpoints(pod) or (deleting(pod) and not publish):
                continue
            ports = endpoint_ports(service, pod)
            if not ports and not headless_without_ports:
                continue
            meta, pod_spec = pod["metadata"], pod["spec"]
            address: Object = {"ip": status.get("podIP") or status["podIPs"][0]["ip"]}
            if pod_spec.get("hostname") and pod_spec.get("subdomain") == service["metadata"]["name"]:
                address["hostname"] = pod_spec["hostname"]
            if pod_spec.get("nodeName"):
                address["nodeName"] = pod_spec["nodeName"]
            address["targetRef"] = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
            ready, unready = groups.setdefault(ports, ([], []))
            (ready if publish or pod_ready(pod) else unready).append(address)
        subsets = []
        for ports, (ready, unready) in _repacked(groups).items():
            subset: Object = {}
            for field, addresses in (("addresses", ready), ("notReadyAddresses", unready)):
                if addresses:
                    subset[field] = sorted(addresses, key=lambda each: (each["ip"], each["targetRef"]["uid"]))
            if ports:
                told = [{k: v for k, v in port.items() if v != ""} for port in ports_as_objects(ports)]
                subset["ports"] = ports_by_hash(told, CORE)
            subsets.append(subset)
        return subsets

    def _write(
        self, key: str, service: Object, known: Object | None, labels: dict[str, str], subsets: tuple[Objects, bool], stamp: str | None
    ) -> None:
        namespace, name = split_key(key)
        meta: Object = {**known["metadata"]} if known is not None else {"name": name, "namespace": namespace}
        annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in (TRIGGER_TIME, OVER_CAPACITY)}
        if stamp:
            annotations[TRIGGER_TIME] = stamp
        if subsets[1]:
            annotations[OVER_CAPACITY] = "truncated"
        meta["labels"] = labels
        meta.pop("annotations", None)
        if annotations:
            meta["annotations"] = annotations
        body: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta}
        if subsets[0]:
            body["subsets"] = subsets[0]
        try:
            if known is None:
                self.client.create("endpoints", body)
            else:
                self.client.update("endpoints", body)
        except StatusError as error:
            if known is None and namespace_terminating(error):
                return
            reason = "FailedToCreateEndpoint" if known is None else "FailedToUpdateEndpoint"
            what = f"create endpoint for service {key}" if known is None else f"update endpoint {key}"
            self.record(body, "Warning", reason, f"Failed to {what}: {error.message}")
            raise
        count = sum(len(subset.get("addresses") or ()) for subset in subsets[0])
        self.tell(f"The Endpoints of the Service {name} now list {count} ready addresses.")


def _repacked(groups: dict[Ports, tuple[Objects, Objects]]) -> dict[Ports, tuple[Objects, Objects]]:
    """Each port once, with all who serve it; ports of the very same addresses stand together (endpoints/util.go, RepackSubsets)."""
    if len(groups) < 2:
        return groups
    serving: dict[Ports, tuple[Objects, Objects]] = {}
    for ports, (ready, unready) in groups.items():
        for port in ports:
            mine = serving.setdefault((port,), ([], []))
            mine[0].extend(ready)
            mine[1].extend(unready)
    alike: dict[tuple[frozenset[str], ...], list[Ports]] = {}
    for one, served in serving.items():
        key = tuple(frozenset(each["targetRef"]["uid"] for each in addresses) for addresses in served)
        alike.setdefault(key, []).append(one)
    return {tuple(port for one in same for port in one): serving[same[0]] for same in alike.values()}


def truncate(subsets: Objects) -> tuple[Objects, bool]:
    """(subsets with at most a thousand addresses, ready ones first, whether any were left out)."""
    total = sum(len(s.get("addresses") or ()) + len(s.get("notReadyAddresses") or ()) for s in subsets)
    if total <= MAX_ADDRESSES:
        return subsets, False
    room, out = MAX_ADDRESSES, [dict(subset) for subset in subsets]
    for field in ("addresses", "notReadyAddresses"):
        for subset in out:
            kept = (subset.get(field) or [])[:room]
            room -= len(kept)
            subset.pop(field, None)
            if kept:
                subset[field] = kept
    return out, True
