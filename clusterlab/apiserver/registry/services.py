"""Services: addresses and node ports, given out and checked.

Follows pkg/registry/core/service/storage/{storage.go,alloc.go} and the allocators beside it. What is in use is read off the stored
Services, so there is no state of its own to keep or repair; free addresses and ports are drawn from the upper part of the range
first, as Kubernetes does to leave the lower one to those who choose for themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.service_addresses import FULL, ServiceAddresses
from clusterlab.apiserver.registry.store import Hooks
from clusterlab.apiserver.validation.service import cluster_addresses
from clusterlab.machinery.errors import internal_error, invalid
from clusterlab.machinery.field import FieldError

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["ServiceHooks"]

PORT_FIRST, PORT_LAST = 30000, 32767
_PORT_BAND = 86
_NODE_PORT_TYPES = ("NodePort", "LoadBalancer")


class ServiceHooks(Hooks):
    """Allocates what a Service needs before it is validated."""

    def begin_create(self, call: Call, obj: Object) -> Object:
        spec = {**(obj.get("spec") or {})}
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        _Allocation(self, call, obj, None).run(spec)
        return {**obj, "spec": spec}

    def begin_update(self, call: Call, new: Object, old: Object) -> Object:
        if call.subresource or new.get("spec") is old.get("spec") or new.get("spec") == old.get("spec"):
            return new
        spec, before = {**(new.get("spec") or {})}, old["spec"]
        _keep_allocated(spec, before)
        _normalize(spec, before)
        _Allocation(self, call, new, old).run(spec)
        return {**new, "spec": spec}


def _needs_address(spec: Object) -> bool:
    return spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None"


def _needs_health_port(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _ports_of(spec: Object) -> list[int]:
    return [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]


def _keep_allocated(spec: Object, before: Object) -> None:
    """Fills in what a client left out and the Service has already (patchAllocatedValues)."""
    if spec.get("type") != "ExternalName" and before.get("type") != "ExternalName":
        if not spec.get("clusterIP") and before.get("clusterIP") and before["clusterIP"] != "None":
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP") and before.get("clusterIPs"):
            spec["clusterIPs"] = before["clusterIPs"]
    if spec.get("type") in _NODE_PORT_TYPES and before.get("type") in _NODE_PORT_TYPES:
        used = {*_ports_of(before)} & {*_ports_of(spec)}
        known = {port.get("name", ""): port.get("nodePort") for port in before.get("ports") or ()}
        ports = []
        for port in spec.get("ports") or ():
            had = known.get(port.get("name", ""))
            if not port.get("nodePort") and had and had not in used:
                used.add(had)
                port = {**port, "nodePort": had}
            ports.append(port)
        spec["ports"] = ports
    if _needs_health_port(spec) and _needs_health_port(before) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort")


def _normalize(spec: Object, before: Object) -> None:
    """Keeps clusterIP and clusterIPs in step where a client changed only one of them."""
    same = (spec.get("clusterIPs") or []) == (before.get("clusterIPs") or [])
    if before.get("clusterIPs") and not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
        spec["clusterIPs"] = before["clusterIPs"]
    if (spec.get("clusterIP") or "") != (before.get("clusterIP") or "") and same:
        if spec.get("clusterIP"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        else:
            spec.pop("clusterIPs", None)


class _Allocation:
    """The allocations of one write."""

    def __init__(self, hooks: ServiceHooks, call: Call, obj: Object, old: Object | None) -> None:
        self.server, self.call = hooks.server, call
        self.name: str = obj["metadata"].get("name", "")
        self.before: Object = (old or {}).get("spec") or {}
        others = [
            found["spec"] for found in self.server.stores["services"].bucket.objects.values()
            if old is None or found["metadata"]["uid"] != old["metadata"]["uid"]
        ]
        taken = {address for spec in others for address in spec.get("clusterIPs") or ()}
        self.addresses = ServiceAddresses(self.server, taken, call.dry_run)
        self.ports = {port for spec in others for port in (*_ports_of(spec), spec.get("healthCheckNodePort") or 0)}

    def run(self, spec: Object) -> None:
        """Fills in the spec; raises Invalid where something asked for cannot be had."""
        if not isinstance(spec.get("ports") or [], list):
            return
        self._families(spec)
        if _needs_address(spec):
            self._address(spec)
        if spec.get("type") in _NODE_PORT_TYPES:
            self._node_ports(spec)
        if _needs_health_port(spec):
            self._health_port(spec)
        elif "healthCheckNodePort" in spec and spec.get("healthCheckNodePort") == self.before.get("healthCheckNodePort"):
            spec.pop("healthCheckNodePort")

    def _refuse(self, field: str, value: Any, detail: str) -> Exception:
        return invalid("Service", "", self.name, [FieldError("FieldValueInvalid", field, value, detail)])

    def _families(self, spec: Object) -> None:
        """ipFamilies and ipFamilyPolicy (alloc.go, initIPFamilyFields)."""
        if spec.get("type") == "ExternalName" or self._stays_preferred(spec):
            return
        configured = ("IPv4", "IPv6") if self.server.dual_stack else ("IPv4",)
        lone = spec.get("clusterIP") == "None" and not spec.get("selector")
        policy = spec.get("ipFamilyPolicy") or self.before.get("ipFamilyPolicy") or ("RequireDualStack" if lone else "SingleStack")
        spec["ipFamilyPolicy"] = policy
        errors = cluster_addresses(spec)  # before anything else, as what follows relies on it
        if errors:
            raise invalid("Service", "", self.name, errors)
        families, problems = list(spec.get("ipFamilies") or ()), self._reduced(spec, policy)
        families = list(spec.get("ipFamilies") or families)
        ips = list(spec.get("clusterIPs") or ())
        if policy == "SingleStack":
            both = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
            pairs = (("cluster IPs", ips), ("IP families", families))
            problems += [("spec.ipFamilyPolicy", policy, both.format(what)) for what, have in pairs if len(have) == 2]
        for i, ip in enumerate(ips if ips != ["None"] else ()):
            family = "IPv6" if ":" in ip else "IPv4"
            if i >= len(families):
                if family in configured:
                    families.append(family)
                else:
                    problems.append((f"spec.clusterIPs[{i}]", ips, f"{family} is not configured on this cluster"))
        self._raise(problems)
        if lone:
            families = families or ["IPv4"]
            if len(families) < 2 and policy != "SingleStack":
                families.append("IPv6" if families[0] == "IPv4" else "IPv4")
            spec["ipFamilies"] = families
            return
        if policy == "RequireDualStack" and len(configured) < 2:
            problems.append(("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services"))
        problems += [(f"spec.ipFamilies[{i}]", family, "not configured on this cluster")
                     for i, family in enumerate(families) if family not in configured]
        self._raise(problems)
        families = families or ["IPv4"]
        if policy != "SingleStack" and len(families) == 1 and len(configured) == 2:
            families.append("IPv6" if families[0] == "IPv4" else "IPv4")
        spec["ipFamilies"] = families

    def _raise(self, problems: list[tuple[str, Any, str]]) -> None:
        if problems:
            raise invalid("Service", "", self.name, [FieldError("FieldValueInvalid", *each) for each in problems])

    def _stays_preferred(self, spec: Object) -> bool:
        """Whether an update leaves a PreferDualStack Service as it is, which a cluster that has become dual-stack does not change."""
        fields = ("clusterIPs", "ipFamilies")
        return spec.get("ipFamilyPolicy") == self.before.get("ipFamilyPolicy") == "PreferDualStack" and all(
            (spec.get(name) or []) == (self.before.get(name) or []) for name in fields)

    def _reduced(self, spec: Object, policy: str) -> list[tuple[str, Any, str]]:
        """What becomes of a second address and family in an update: they go with SingleStack, and only so."""
        if not self.before:
            return []
        problems: list[tuple[str, Any, str]] = []
        for name, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
            now, was = spec.get(name) or [], self.before.get(name) or []
            if policy == "SingleStack":
                if now == was and len(now) > 1:
                    spec[name] = now[:1]
            elif now and len(now) == 1 and len(was) == 2 and now[0] == was[0]:
                problems.append(("spec.ipFamilyPolicy", policy, f"must be 'SingleStack' to release the secondary {what}"))
        return problems

    def _address(self, spec: Object) -> None:
        """An address of each family that is wanted."""
        families = spec.get("ipFamilies") or ["IPv4"]
        given = list(spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else []))
        found = []
        for i, family in enumerate(families):
            ip = given[i] if i < len(given) else ""
            if ip and ip not in (self.before.get("clusterIPs") or ()):
                self._check_address(ip, given)
            found.append(ip or self._free_address(4 if family == "IPv4" else 6))
        if not self.name:  # the IPAddress that records it wants a Service's name, before the Service itself does
            detail = f'failed to allocate IP: IPAddress.networking.k8s.io "{found[0]}" is invalid: spec.parentRef.name: Required value'
            raise self._refuse("spec.clusterIPs", given or [""], detail)
        spec["clusterIP"], spec["clusterIPs"] = found[0], [*found, *given[len(found):]]

    def _free_address(self, version: int) -> str:
        found = self.addresses.free(version)
        if not found:
            raise internal_error(f'failed to allocate a serviceIP for Service "{self.name}": {FULL}')
        return found

    def _check_address(self, given: str, shown: list[str]) -> None:
        try:
            why = self.addresses.refusal(given)
        except ValueError:
            return  # validation has better words for it
        if why:
            raise self._refuse("spec.clusterIPs", shown, f"failed to allocate IP {given}: {why}")

    # Node ports.

    def _node_ports(self, spec: Object) -> None:
        wanted = spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False
        mine = {*_ports_of(self.before)}
        taken = set(self.ports)
        by_port: dict[int, int] = {}
        given = {port["port"]: port["nodePort"] for port in reversed(spec.get("ports") or ()) if port.get("nodePort") and "port" in port}
        ports = []
        for i, port in enumerate(spec.get("ports") or ()):
            number, key = port.get("nodePort") or 0, port.get("port", 0)
            if not number and not wanted:
                ports.append(port)
                continue
            if not number:
                number = by_port.get(key) or given.get(key) or self._free_port(taken | mine)
            if number not in mine and number != by_port.get(key):
                self._check_port(f"spec.ports[{i}].nodePort", number, taken)
            taken.add(number)
            by_port.setdefault(key, number)
            ports.append({**port, "nodePort": number})
        spec["ports"] = ports

    def _check_port(self, field: str, number: int, taken: set[int]) -> None:
        if not PORT_FIRST <= number <= PORT_LAST and not self.call.dry_run:
            valid = f"{PORT_FIRST}-{PORT_LAST}"
            raise self._refuse(field, number, f"provided port is not in the valid range. The range of valid ports is {valid}")
        if number in taken:
            raise self._refuse(field, number, "provided port is already allocated")

    def _free_port(self, taken: set[int]) -> int:
        stream = self.server.sim.rng("dry-run" if self.call.dry_run else "node-ports")
        for first, last in ((PORT_FIRST + _PORT_BAND, PORT_LAST), (PORT_FIRST, PORT_FIRST + _PORT_BAND - 1)):
            size = last - first + 1
            start = stream.randint(0, size - 1)
            for step in range(size):
                number = first + (start + step) % size
                if number not in taken:
                    return number
        raise internal_error("failed to allocate a nodePort: range is full")

    def _health_port(self, spec: Object) -> None:
        number = spec.get("healthCheckNodePort") or 0
        taken = self.ports | {*_ports_of(spec)}
        if number and number != self.before.get("healthCheckNodePort"):
            if number in taken:
                raise internal_error(f"failed to allocate requested HealthCheck NodePort {number}: provided port is already allocated")
        elif not number:
            spec["healthCheckNodePort"] = self._free_port(taken)
