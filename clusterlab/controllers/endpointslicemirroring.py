"""The mirroring controller: Endpoints that users write themselves, mirrored into EndpointSlices.

Follows pkg/controller/endpointslicemirroring (endpointslicemirroring_controller.go, reconciler.go).
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.endpointslice import by_service
from clusterlab.controllers.endpointslice_reconciler import MANAGED_BY, MAX_ENDPOINTS, SERVICE_NAME, TRIGGER_TIME, ip_family
from clusterlab.controllers.objects import Object, Objects, controller_ref, key_of
from clusterlab.controllers.podcontrol import namespace_terminating
from clusterlab.controllers.port_order import DISCOVERY, ports_by_hash
from clusterlab.machinery.errors import StatusError

__all__ = ["EndpointSliceMirroringController"]

CONTROLLER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class EndpointSliceMirroringController(BaseController):
    """Reconciles the mirrored slices of Endpoints."""

    resource = "endpoints"
    controller_name = "endpointslice-mirroring-controller"
    component = "endpoint-slice-mirroring-controller"
    backoff_ms = (1_000, 100_000)

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.endpoints = self.informer("endpoints")
        self.services = self.informer("services")
        self.slices = self.informer("endpointslices")
        self.slices.add_index("service", by_service)
        self.endpoints.on_change(self.endpoints_changed)
        self.services.on_change(self.service_changed)
        self.slices.on_change(self.slice_changed)

    def endpoints_changed(self, old: Object | None, new: Object | None) -> None:
        found = new if new is not None else old
        assert found is not None
        service = self.services.get(key_of(found))
        if service is not None and service["spec"].get("selector") is not None:
            return  # these follow their Service's pods, and so do its slices
        self.enqueue(key_of(found))

    def service_changed(self, old: Object | None, new: Object | None) -> None:
        before = old["spec"].get("selector") if old is not None else None
        after = new["spec"].get("selector") if new is not None else None
        if old is None or new is None or (before is None) != (after is None):
            key = key_of(new or old)  # type: ignore[arg-type]
            if key in self.endpoints.store or self._mine(key):
                self.enqueue(key)

    def slice_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None and (old["metadata"].get("labels") or {}).get(MANAGED_BY) == CONTROLLER:
            self.enqueue(f"{old['metadata']['namespace']}/{old['metadata']['labels'].get(SERVICE_NAME, '')}")

    def _mine(self, key: str) -> Objects:
        return [each for each in self.slices.indexed("service", key) if each["metadata"]["labels"].get(MANAGED_BY) == CONTROLLER]

    def reconcile(self, key: str) -> None:
        endpoints, service = self.endpoints.get(key), self.services.get(key)
        existing = self._mine(key)
        wanted: Objects = []
        if endpoints is not None and service is not None and service["spec"].get("selector") is None and self._mirrored(endpoints):
            wanted = desired_slices(endpoints)
        for each in wanted:
            same = next((old for old in existing if _shape(old) == _shape(each)), None)
            if same is None:
                self._create(each)
                continue
            existing.remove(same)
            if (same.get("endpoints") or []) != each["endpoints"] or same["metadata"].get("labels") != each["metadata"]["labels"]:
                meta = {**same["metadata"], "labels": each["metadata"]["labels"]}
                self.client.update("endpointslices", {**same, "metadata": meta, "endpoints": each["endpoints"]})
        for old in existing:
            try:
                self.client.delete("endpointslices", old["metadata"]["namespace"], old["metadata"]["name"])
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
        step = self.sim.current
        if step is not None and step.requests:
            self.explain(f"The Endpoints {key.partition('/')[2]} are mirrored into {len(wanted)} EndpointSlices.")

    def _create(self, each: Object) -> None:
        try:
            self.client.create("endpointslices", each)
        except StatusError as error:
            if not namespace_terminating(error):
                raise

    @staticmethod
    def _mirrored(endpoints: Object) -> bool:
        meta = endpoints["metadata"]
        return (meta.get("labels") or {}).get(SKIP) != "true" and LEADER not in (meta.get("annotations") or {})


def _shape(each: Object) -> tuple[Any, ...]:
    ports = each.get("ports") or ()
    return each["addressType"], tuple((p.get("name", ""), p.get("port"), p.get("protocol", "TCP"), p.get("appProtocol")) for p in ports)


def desired_slices(endpoints: Object) -> Objects:
    """The slices that mirror Endpoints: one for each set of ports and address family."""
    meta = endpoints["metadata"]
    labels = {**(meta.get("labels") or {}), SERVICE_NAME: meta["name"], MANAGED_BY: CONTROLLER}
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in (LAST_APPLIED, TRIGGER_TIME)}
    out: Objects = []
    for subset in endpoints.get("subsets") or ():
        by_family: dict[str, Objects] = {}
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or ():
                endpoint: Object = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
                endpoint.update({name: address[name] for name in ("hostname", "nodeName", "targetRef") if name in address})
                by_family.setdefault(ip_family(address["ip"]), []).append(endpoint)
        ports = [{"name": p.get("name", ""), "port": p["port"], "protocol": p.get("protocol", "TCP"),
                  **({"appProtocol": p["appProtocol"]} if "appProtocol" in p else {})} for p in subset.get("ports") or ()]
        for family, found in by_family.items():
            made: Object = {
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "generateName": meta["name"] + "-", "namespace": meta["namespace"], "labels": labels,
                    "ownerReferences": [controller_ref(endpoints, "v1", "Endpoints")],
                },
                "addressType": family, "endpoints": found[:MAX_ENDPOINTS * 10], "ports": ports_by_hash(ports, DISCOVERY),
            }
            if annotations:
                made["metadata"]["annotations"] = annotations
            out.append(made)
    return out
