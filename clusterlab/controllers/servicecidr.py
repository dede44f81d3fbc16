"""The ServiceCIDR controller: says which ranges of Service addresses are ready, and keeps a range for as long as Services need it.

Follows pkg/controller/servicecidrs/servicecidrs_controller.go. Addresses in use are read off the Services, as no IPAddress is stored
for them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, condition_of, deleting, unix_ms, without_condition
from clusterlab.machinery.errors import StatusError

__all__ = ["ServiceCIDRController"]

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
#: How long a range that is going stays, so that no API server allocates from it any more.
GRACE_MS = 10_000
_READY = "Kubernetes Service CIDR is ready"
_HELD = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"

Network = IPv4Network | IPv6Network


class ServiceCIDRController(BaseController):
    """Writes the condition Ready and the finalizer of ServiceCIDRs."""

    resource = "servicecidrs"
    controller_name = component = "service-cidr-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.cidrs = self.informer("servicecidrs")
        self.cidrs.on_change(self.cidr_changed)
        self.services = self.informer("services")
        self.services.on_change(self.service_changed)

    def cidr_changed(self, old: Object | None, new: Object | None) -> None:
        self.enqueue_object(old, new)
        if old is None or new is None:  # what comes or goes may hold the others, or free them
            self._leaving()

    def service_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or old["spec"].get("clusterIPs") != new["spec"].get("clusterIPs")):
            self._leaving()

    def _leaving(self) -> None:
        for name, cidr in self.cidrs.store.items():
            if deleting(cidr):
                self.enqueue(name)

    def reconcile(self, key: str) -> None:
        cidr = self.cidrs.get(key)
        if cidr is None:
            return
        if not deleting(cidr):
            if FINALIZER not in (cidr["metadata"].get("finalizers") or ()):
                self._patch(key, {"metadata": {"finalizers": [FINALIZER]}})
            self._condition(cidr, "True", "", _READY)
            self.tell(f"Services may have addresses of {', '.join(cidr['spec']['cidrs'])}.")
            return
        if self._needed(cidr):
            self._condition(cidr, "False", "Terminating", _HELD)
            self.tell(f"Services still have addresses of ServiceCIDR {key}, so it stays.")
            return
        wait_ms = GRACE_MS - (self.now_ms - unix_ms(cidr["metadata"]["deletionTimestamp"]))
        if wait_ms > 0:
            self.queue.add_after(key, wait_ms)
        elif FINALIZER in (cidr["metadata"].get("finalizers") or ()):
            self._patch(key, {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}})
            self.tell(f"No Service has an address of ServiceCIDR {key} any more, so it may go.")

    def _needed(self, cidr: Object) -> bool:
        """Whether addresses in use would be in no range without this one."""
        name = cidr["metadata"]["name"]
        others = [ip_network(each) for key, other in self.cidrs.store.items() if key != name for each in other["spec"]["cidrs"]]
        mine = [ip_network(each) for each in cidr["spec"]["cidrs"]]
        if all(any(_within(each, other) for other in others) for each in mine):
            return False
        used = [address for service in self.services.store.values() for address in _addresses(service)]
        return any(
            any(address in each for each in mine) and not any(address in other for other in others) for address in used
        )

    def _condition(self, cidr: Object, status: str, reason: str, message: str) -> None:
        before = condition_of(cidr, "Ready")
        if before is not None and (before["status"], before.get("reason", ""), before.get("message", "")) == (status, reason, message):
            return
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": self.sim.now_rfc3339()}
        others = without_condition((cidr.get("status") or {}).get("conditions") or (), "Ready")
        self._patch(cidr["metadata"]["name"], {"status": {"conditions": [*others, ready]}}, "status")

    def _patch(self, name: str, body: Object, subresource: str = "") -> None:
        try:
            self.client.patch("servicecidrs", "", name, body, "merge" if subresource else "strategic", subresource)
        except StatusError as error:
            if error.reason != "NotFound":
                raise


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _addresses(service: Object) -> tuple[IPv4Address | IPv6Address, ...]:
    return tuple(ip_address(each) for each in service["spec"].get("clusterIPs") or () if each not in ("", "None"))
