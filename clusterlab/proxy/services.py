"""What all kube-proxies watch, watched once: services and endpoint slices.

Every node's proxy would hold the same copy. Here one process holds it, and a node's proxy takes the state of the moment when it
syncs; with a thousand nodes that costs no more than with one. Follows pkg/proxy/servicechangetracker.go and
pkg/util/async/bounded_frequency_runner.go (at most one sync a second).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from clusterlab.client.api import Api, User
from clusterlab.client.client import Client
from clusterlab.client.process import Process
from clusterlab.machinery.errors import StatusError
from clusterlab.network.services import ServiceMap, build
from clusterlab.sim import Simulation

Object = dict[str, Any]
Variables = tuple[tuple[str, str], ...]

__all__ = ["NAME", "Services", "Snapshot", "services_of"]

NAME = "kube-proxy"
GATEWAYS = "gateways.gateway.networking.k8s.io"
ROUTES = "httproutes.gateway.networking.k8s.io"
GATEWAY = User("system:serviceaccount:gateway-system:gateway", ("system:masters", "system:authenticated"))
MIN_SYNC_MS = 1_000
#: Between the news of a change and the moment at which a sync looks at what has changed: long enough for a new Service's endpoints.
GATHER_MS = 20
#: With more nodes than this, their proxies' syncs are told in one step.
TELL_MOST = 8


class Snapshot(NamedTuple):
    """Services and endpoint slices at one moment; never changed."""

    revision: int
    services: dict[str, Object]
    slices: dict[str, Object]


def services_of(sim: Simulation, api: Api) -> Services:
    """The process of this simulation; made on the first call."""
    found = sim.components.get(NAME)
    return found if isinstance(found, Services) else Services(sim, api)


class Services(Process):
    """Watches services and endpoint slices for every kube-proxy of the cluster."""

    STATE: tuple[str, ...] = (*Process.STATE, "snapshot", "synced_ms", "waiting")

    def __init__(self, sim: Simulation, api: Api) -> None:
        super().__init__(sim, NAME, api, User("system:kube-proxy", ("system:authenticated",)), "kube-proxy")
        self.services = self.informer("services")
        self.slices = self.informer("endpointslices")
        self.slices.add_index("service", _service_of)
        self.services.on_change(self._changed)
        self.slices.on_change(self._changed)
        # What else decides on the way of a packet: the network asks here, so that it is watched once as well.
        self.policies = self.informer("networkpolicies")
        self.ingresses = self.informer("ingresses")
        self.namespaces = self.informer("namespaces")
        self._gateway = Client(api, GATEWAY, "gateway")  # the data plane of gateways reads on its own behalf
        self.snapshot = Snapshot(0, {}, {})
        self.synced_ms = -MIN_SYNC_MS
        self.waiting = False
        self.nodes: list[str] = []
        self._maps: dict[int, ServiceMap] = {}
        self._variables: dict[tuple[str, bool], tuple[int, Variables]] = {}
        self._stamp = 0

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._stamp += 1
        if not self.waiting:
            self.waiting = True
            self.after(max(GATHER_MS, self.synced_ms + MIN_SYNC_MS - self.sim.time_ms), "rules")

    def on_rules(self) -> None:
        """Writes the rules of every node's proxy anew."""
        self.waiting = False
        self.synced_ms = self.sim.time_ms
        before = self.snapshot
        self.snapshot = Snapshot(before.revision + 1, self.services.store.copy(), self.slices.store.copy())
        synced = [name for name in self.nodes if self._take(name)]
        if not synced:
            return
        step = self.begin("sync", "", actor=synced[0] if len(synced) == 1 else NAME)
        where = f"the kube-proxy on {synced[0].partition('/')[2]}" if len(synced) == 1 else f"the kube-proxies on {len(synced)} nodes"
        step.explain = f"{where[0].upper()}{where[1:]} write new rules: {_difference(before, self.snapshot)}."
        step.explain = step.explain.replace(" write ", " writes ", 1) if len(synced) == 1 else step.explain
        figures = {"services": len(self.snapshot.services), "rules": self.snapshot.revision}
        for name in synced[:TELL_MOST]:
            self.sim.note(name, figures)

    def _take(self, name: str) -> bool:
        proxy: Any = self.sim.components.get(name)
        return proxy is not None and bool(proxy.take(self.snapshot))

    def routes(self) -> list[Object]:
        """The HTTPRoutes of the cluster, where the Gateway API is installed."""
        return self._custom(ROUTES)

    def gateways(self) -> list[Object]:
        """The Gateways of the cluster, where the Gateway API is installed."""
        return self._custom(GATEWAYS)

    def _custom(self, resource: str) -> list[Object]:
        api: Any = self.api
        if not hasattr(api, "stores") or resource not in api.stores:
            return []
        try:
            return self._gateway.list(resource)
        except StatusError:
            return []

    def slices_of(self, namespace: str, name: str) -> list[Object]:
        """The endpoint slices of a service."""
        return self.slices.indexed("service", f"{namespace}/{name}")

    def map_of(self, snapshot: Snapshot, family: str = "IPv4") -> ServiceMap:
        """The map of a snapshot for one family of addresses; built when somebody looks."""
        key = snapshot.revision if family == "IPv4" else -1 - snapshot.revision
        found = self._maps.get(key)
        if found is None:
            if len(self._maps) > 8:
                self._maps.clear()
            found = self._maps[key] = build(snapshot.services.values(), snapshot.slices.values(), family)
        return found

    def variables(self, namespace: str, links: bool) -> Variables:
        """The variables that tell containers of a namespace where services are (pkg/kubelet/envvars/envvars.go)."""
        known = self._variables.get((namespace, links))
        if known is not None and known[0] == self._stamp:
            return known[1]
        found: dict[str, str] = {}
        for service in self.services.store.values():
            meta, spec = service["metadata"], service["spec"]
            if spec.get("clusterIP") in {None, "", "None"} or not spec.get("ports"):
                continue
            master = meta["namespace"] == "default" and meta["name"] == "kubernetes"
            if master or (links and meta["namespace"] == namespace):
                found.update(_variables_of(meta["name"], spec))
        made = tuple(found.items())
        self._variables[(namespace, links)] = (self._stamp, made)
        return made

    def restored(self) -> None:
        self._maps.clear()
        self._variables.clear()
        self._stamp += 1


def _service_of(endpoint_slice: Object) -> tuple[str, ...]:
    meta = endpoint_slice["metadata"]
    return (f"{meta['namespace']}/{(meta.get('labels') or {}).get('kubernetes.io/service-name', '')}",)


def _variables_of(name: str, spec: Object) -> dict[str, str]:
    prefix, ip, ports = name.upper().replace("-", "_"), spec["clusterIP"], spec["ports"]
    found = {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            found[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    for number, port in enumerate(ports):
        protocol = port.get("protocol", "TCP")
        url = f"{protocol.lower()}://{ip}:{port['port']}"
        if number == 0:
            found[f"{prefix}_PORT"] = url
        base = f"{prefix}_PORT_{port['port']}_{protocol}"
        found[base], found[f"{base}_PROTO"] = url, protocol.lower()
        found[f"{base}_PORT"], found[f"{base}_ADDR"] = str(port["port"]), ip
    return found


def _difference(before: Snapshot, after: Snapshot) -> str:
    """Which services' rules changed, in a few words."""
    names: dict[str, bool] = {}
    for old, new in ((before.services, after.services), (before.slices, after.slices)):
        for key in (*(key for key in new if old.get(key) is not new[key]), *(key for key in old if key not in new)):
            obj = new.get(key) or old[key]
            labels = obj["metadata"].get("labels") or {}
            names[labels.get("kubernetes.io/service-name") or obj["metadata"]["name"]] = True
    shown = ", ".join(list(names)[:4])
    return f"{shown} and {len(names) - 4} more have changed" if len(names) > 4 else f"{shown or 'nothing'} changed"
