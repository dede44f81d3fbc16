"""The Gateway API's controller: accepts classes, gives Gateways an address, and tells routes where they are attached.

Follows the conditions and reasons of gateway.networking.k8s.io/v1 (gatewayclass_types.go, gateway_types.go, shared_types.go). It
stands for whatever implementation a GatewayClass names. Routes of other kinds than HTTPRoute, grants between namespaces and TLS
certificates are left out.
"""

from __future__ import annotations

from functools import partial
from ipaddress import ip_network
from typing import Any

from clusterlab.client.api import Api, User
from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, deleting, key_of
from clusterlab.machinery import labels
from clusterlab.sim import Simulation

__all__ = ["GatewayController", "gateway_controller"]

GROUP = "gateway.networking.k8s.io"
CLASSES, GATEWAYS, ROUTES = f"gatewayclasses.{GROUP}", f"gateways.{GROUP}", f"httproutes.{GROUP}"
USER = User("system:serviceaccount:gateway-system:gateway-controller", ("system:masters", "system:authenticated"))
#: Benchmarking addresses (RFC 2544), apart from those of the cloud's load balancers.
POOL = "198.18.0.0/24"
#: A condition without its times: type, status, reason, message.
Condition = tuple[str, str, str, str]


def gateway_controller(sim: Simulation, api: Api, name: str = "gateway-controller") -> Process:
    """Builds the process that serves the Gateway API; it waits for the definitions to be installed."""
    process = Process(sim, name, api, USER)
    GatewayController(process)
    return process


class GatewayController(BaseController):
    """Keys are whole: "gateways.gateway.networking.k8s.io/default/web"."""

    resource = GATEWAYS
    controller_name = component = "gateway"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.stores = {}
        for resource in (CLASSES, GATEWAYS, ROUTES):
            informer = self.informer(resource)
            informer.optional = True
            informer.on_change(partial(self.changed, resource))
            self.stores[resource] = informer
        self.services = self.informer("services")
        self.services.on_change(self.service_changed)
        self.namespaces = self.informer("namespaces")
        self.informer("customresourcedefinitions").on_change(self.defined)

    def object_key(self, key: str) -> str:
        return key

    def defined(self, old: Object | None, new: Object | None) -> None:
        """A definition has come: watch what it defines."""
        name = (new or old or {})["metadata"]["name"]
        if name in self.stores and new is not None:
            self.process.watch_also(name)

    def changed(self, resource: str, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and old["metadata"].get("generation") == new["metadata"].get("generation"):
            if resource != GATEWAYS or old.get("status") == new.get("status"):
                return
        self.enqueue(f"{resource}/{key_of(new or old)}")  # type: ignore[arg-type]
        if resource != ROUTES:
            self._all(GATEWAYS)
        if resource != CLASSES:
            self._all(ROUTES)
            self._all(GATEWAYS)

    def service_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or old["spec"].get("ports") != new["spec"].get("ports"):
            self._all(ROUTES)

    def _all(self, resource: str) -> None:
        for key in self.stores[resource].store:
            self.enqueue(f"{resource}/{key}")

    def reconcile(self, key: str) -> None:
        resource, _, name = key.partition("/")
        obj = self.stores[resource].get(name)
        if obj is None or deleting(obj):
            return
        status = {CLASSES: self._class, GATEWAYS: self._gateway, ROUTES: self._route}[resource](obj)
        if status == obj.get("status"):
            return
        meta = obj["metadata"]
        self.client.patch(resource, meta.get("namespace", ""), meta["name"], {"status": status}, "merge", "status")
        self.tell(f"The gateway controller tells how {obj['kind']} {meta['name']} stands.")

    def _conditions(self, obj: Object, old: list[Object], wanted: list[Condition]) -> list[Object]:
        """Conditions, with the time of the last change kept where nothing changed."""
        known = {each["type"]: each for each in old}
        made = []
        for kind, status, reason, message in wanted:
            before = known.get(kind, {})
            since = before["lastTransitionTime"] if before.get("status") == status else self.sim.now_rfc3339()
            made.append({
                "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
                "observedGeneration": obj["metadata"].get("generation", 1)})
        return made

    # Classes and gateways.

    def _class(self, obj: Object) -> Object:
        old = (obj.get("status") or {}).get("conditions") or []
        return {**(obj.get("status") or {}), "conditions": self._conditions(obj, old, [
            ("Accepted", "True", "Accepted", "Valid GatewayClass")])}

    def _gateway(self, obj: Object) -> Object | None:
        status: Object = obj.get("status") or {}
        if obj["spec"]["gatewayClassName"] not in self.stores[CLASSES].store:
            return obj.get("status")  # nobody's, so far
        old = {each["name"]: each for each in status.get("listeners") or ()}
        listeners = []
        for listener in obj["spec"]["listeners"]:
            fits = listener["protocol"] in {"HTTP", "HTTPS"}
            reason = "Accepted" if fits else "UnsupportedProtocol"
            word = "True" if fits else "False"
            before = (old.get(listener["name"]) or {}).get("conditions") or []
            listeners.append({
                "name": listener["name"], "supportedKinds": [{"group": GROUP, "kind": "HTTPRoute"}] if fits else [],
                "attachedRoutes": sum(self._attached(route, obj, listener) for route in self.stores[ROUTES].store.values()),
                "conditions": self._conditions(obj, before, [
                    ("Accepted", word, reason, ""), ("Programmed", word, "Programmed" if fits else "Invalid", ""),
                    ("ResolvedRefs", "True", "ResolvedRefs", "")]),
            })
        good = any(each["supportedKinds"] for each in listeners)
        conditions = self._conditions(obj, status.get("conditions") or [], [
            ("Accepted", "True" if good else "False", "Accepted" if good else "ListenersNotValid", ""),
            ("Programmed", "True" if good else "False", "Programmed" if good else "Invalid", "")])
        found = {"conditions": conditions, "listeners": listeners}
        return {**found, "addresses": [{"type": "IPAddress", "value": self._address(obj)}]}

    def _address(self, obj: Object) -> str:
        asked = next((each.get("value") for each in obj["spec"].get("addresses") or () if each.get("type") == "IPAddress"), None)
        known = (obj.get("status") or {}).get("addresses") or []
        if asked or known:
            return str(asked or known[0]["value"])
        # Read from the server, because the cache may not show yet what another Gateway was just given.
        taken = {each["value"] for other in self.client.list(GATEWAYS) for each in (other.get("status") or {}).get("addresses") or ()}
        return next(str(address) for address in ip_network(POOL).hosts() if str(address) not in taken)

    # Routes.

    def _route(self, obj: Object) -> Object:
        parents: list[Object] = []
        old = (obj.get("status") or {}).get("parents") or []
        for ref in obj["spec"].get("parentRefs") or ():
            namespace = ref.get("namespace") or obj["metadata"]["namespace"]
            gateway = self.stores[GATEWAYS].get(f"{namespace}/{ref['name']}") if ref.get("kind", "Gateway") == "Gateway" else None
            owner = self.stores[CLASSES].get(gateway["spec"]["gatewayClassName"]) if gateway is not None else None
            if gateway is None or owner is None:
                continue
            reason, message = self._accepted(obj, gateway, ref)
            before = next((each.get("conditions") or [] for each in old if each["parentRef"] == ref), [])
            accepted = "True" if reason == "Accepted" else "False"
            parents.append({"parentRef": ref, "controllerName": owner["spec"]["controllerName"], "conditions": self._conditions(
                obj, before, [("Accepted", accepted, reason, message), self._resolved(obj)])})
        return {"parents": parents}

    def _accepted(self, route: Object, gateway: Object, ref: Object) -> tuple[str, str]:
        """Why a route may be attached to a Gateway, or why not."""
        listeners = [each for each in gateway["spec"]["listeners"] if _meant(ref, each)]
        if not listeners:
            return "NoMatchingParent", "no listener of the Gateway has this section name and port"
        allowed = [each for each in listeners if self._allows(gateway, each, route)]
        if not allowed:
            return "NotAllowedByListeners", "the listeners allow no routes of this kind from this namespace"
        if not any(_overlap(each.get("hostname"), route) for each in allowed):
            return "NoMatchingListenerHostname", "no hostname of the route fits a listener"
        return "Accepted", "Route is accepted"

    def _attached(self, route: Object, gateway: Object, listener: Object) -> bool:
        meta = gateway["metadata"]
        for ref in route["spec"].get("parentRefs") or ():
            where = ref.get("namespace") or route["metadata"]["namespace"]
            if (where, ref["name"]) == (meta["namespace"], meta["name"]) and _meant(ref, listener):
                if self._allows(gateway, listener, route) and _overlap(listener.get("hostname"), route):
                    return True
        return False

    def _allows(self, gateway: Object, listener: Object, route: Object) -> bool:
        allowed: Object = listener.get("allowedRoutes") or {}
        kinds = allowed.get("kinds")
        if listener["protocol"] not in {"HTTP", "HTTPS"} or (kinds and all(each["kind"] != "HTTPRoute" for each in kinds)):
            return False
        spaces: Object = allowed.get("namespaces") or {}
        namespace = route["metadata"]["namespace"]
        if spaces.get("from", "Same") == "All":
            return True
        if spaces.get("from", "Same") == "Same":
            return bool(namespace == gateway["metadata"]["namespace"])
        found = (self.namespaces.get(namespace) or {}).get("metadata", {}).get("labels") or {}
        return labels.matches(spaces.get("selector") or {}, found)

    def _resolved(self, route: Object) -> Condition:
        """Whether all backends of a route are there."""
        namespace = route["metadata"]["namespace"]
        for rule in route["spec"].get("rules") or ():
            mirrors = [each["requestMirror"]["backendRef"] for each in rule.get("filters") or () if "requestMirror" in each]
            for ref in (*(rule.get("backendRefs") or ()), *mirrors):
                if ref.get("kind", "Service") != "Service" or ref.get("group"):
                    return "ResolvedRefs", "False", "InvalidKind", f"{ref.get('kind')} is no kind of backend"
                if (ref.get("namespace") or namespace) != namespace:
                    return "ResolvedRefs", "False", "RefNotPermitted", f"no grant for Service {ref['namespace']}/{ref['name']}"
                service: Any = self.services.get(f"{namespace}/{ref['name']}")
                if service is None or all(each["port"] != ref.get("port") for each in service["spec"].get("ports") or ()):
                    return "ResolvedRefs", "False", "BackendNotFound", f"there is no Service {ref['name']} with port {ref.get('port')}"
        return "ResolvedRefs", "True", "ResolvedRefs", "All references are resolved"


def _meant(ref: Object, listener: Object) -> bool:
    section: bool = ref.get("sectionName", listener["name"]) == listener["name"]
    return section and bool(ref.get("port", listener["port"]) == listener["port"])


def _overlap(listener: str | None, route: Object) -> bool:
    """Whether some hostname of a route fits a listener's."""
    names: list[str] = route["spec"].get("hostnames") or []
    if not listener or not names:
        return True
    pairs = [pair for name in names for pair in ((listener, name), (name, listener))]
    return any(one == other or (one.startswith("*.") and other.endswith(one[1:])) for one, other in pairs)
