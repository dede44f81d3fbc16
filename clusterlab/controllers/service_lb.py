"""The cloud's service controller: hands out addresses to Services of type LoadBalancer.

Follows staging/src/k8s.io/cloud-provider/controllers/service/controller.go. The cloud is a pool of addresses for documentation
(RFC 5737); balancers there are up at once.
"""

from __future__ import annotations

from ipaddress import ip_network

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, condition_of, deleting, key_of, with_meta
from clusterlab.machinery import errors
from clusterlab.machinery.errors import StatusError

__all__ = ["ServiceLBController"]

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
POOLS = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24")
EXCLUDED = ("node.kubernetes.io/exclude-from-external-load-balancers",)


def wants(service: Object) -> bool:
    """Whether a Service wants a load balancer of this cloud."""
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")


def has_finalizer(service: Object) -> bool:
    """Whether a Service has, or had, a load balancer."""
    return FINALIZER in (service["metadata"].get("finalizers") or ())


class ServiceLBController(BaseController):
    """Gives Services of type LoadBalancer an address."""

    STATE = ("busy_until", "balancers")
    resource = "services"
    controller_name = component = "service-controller"
    backoff_ms = (5_000, 300_000)

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.services = self.informer("services")
        self.nodes = self.informer("nodes")
        self.services.on_change(self.service_changed)
        self.nodes.on_change(self.node_changed)

    def clear(self) -> None:
        super().clear()
        self.balancers: dict[str, tuple[str, tuple[str, ...]]] = {}  # service -> (address, its nodes)

    def started(self) -> None:
        for key, service in self.services.store.items():  # what the cloud has handed out is read off the Services
            found = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
            if wants(service) and found and found[0].get("ip"):
                self.balancers[key] = (found[0]["ip"], self.hosts())

    def service_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self.balancers.pop(key_of(old), None)  # type: ignore[arg-type]
            return
        if old is None or old["spec"] != new["spec"] or deleting(old) != deleting(new) or has_finalizer(old) != has_finalizer(new):
            if wants(new) or has_finalizer(new):
                self.enqueue(key_of(new))

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        if not self.balancers or (old is not None and new is not None and self._eligible(old) == self._eligible(new)):
            return
        hosts = self.hosts()
        for key, (_, known) in self.balancers.items():
            if known != hosts:
                self.enqueue(key)

    def hosts(self) -> tuple[str, ...]:
        """The nodes that balancers send to."""
        return tuple(sorted(name for name, node in self.nodes.store.items() if self._eligible(node)))

    @staticmethod
    def _eligible(node: Object) -> bool:
        ready = condition_of(node, "Ready")
        excluded = any(label in (node["metadata"].get("labels") or {}) for label in EXCLUDED)
        return not excluded and not deleting(node) and ready is not None and ready["status"] == "True"

    def reconcile(self, key: str) -> None:
        service = self.services.get(key)
        if service is None:
            return
        if not wants(service) or deleting(service):
            if has_finalizer(service):
                self._delete(key, service)
            return
        known = self.balancers.get(key)
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress")
        if known is not None and ingress and known[1] != self.hosts():
            self.balancers[key] = (known[0], self.hosts())
            self._tell_hosts(service)
            return
        if known is not None and ingress and has_finalizer(service):
            return
        self._ensure(key, service)

    def _tell_hosts(self, service: Object) -> None:
        if self.hosts():
            self.record(service, "Normal", "UpdatedLoadBalancer", "Updated load balancer with new hosts")
        else:
            self.record(service, "Warning", "UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer")

    def _ensure(self, key: str, service: Object) -> None:
        meta = service["metadata"]
        self.record(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        if not has_finalizer(service):
            service = self._patch(service, {"metadata": {"finalizers": [*(meta.get("finalizers") or ()), FINALIZER]}})
        if not self.hosts():
            self.record(service, "Warning", "UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer")
        try:
            address = self.balancers[key][0] if key in self.balancers else self._free_address(service)
        except StatusError as error:
            message = f"Error syncing load balancer: failed to ensure load balancer: {error.message}"
            self.record(service, "Warning", "SyncLoadBalancerFailed", message)
            raise
        self.balancers[key] = (address, self.hosts())
        self.record(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")
        status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
        self._patch(service, {"status": status}, "status")
        self.tell(f"The cloud gives the Service {meta['name']} a load balancer at {address}.")

    def _free_address(self, service: Object) -> str:
        taken = {address for address, _ in self.balancers.values()}
        wanted = service["spec"].get("loadBalancerIP")
        if wanted:
            if wanted in taken:
                raise errors.internal_error(f"requested address {wanted} is in use")
            return str(wanted)
        for pool in POOLS:
            for address in ip_network(pool).hosts():
                if str(address) not in taken:
                    return str(address)
        raise errors.internal_error("the cloud has no addresses left")

    def _delete(self, key: str, service: Object) -> None:
        meta = service["metadata"]
        self.record(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
        self.balancers.pop(key, None)
        kept = [each for each in meta.get("finalizers") or () if each != FINALIZER]
        try:
            if not deleting(service):
                service = self._patch(service, {"status": {"loadBalancer": {"ingress": None}}}, "status")
            self._patch(with_meta(service), {"metadata": {"finalizers": kept or None}})
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        self.record(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")
        self.tell(f"The load balancer of the Service {meta['name']} is given back to the cloud.")

    def _patch(self, service: Object, body: Object, subresource: str = "") -> Object:
        meta = service["metadata"]
        return self.client.patch("services", meta["namespace"], meta["name"], body, "merge", subresource)
