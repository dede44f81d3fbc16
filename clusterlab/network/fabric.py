"""The network of the cluster as it is now: one exchange at a time, hop by hop, each with what it decided.

What it needs to know it asks the components that know it: each node's kube-proxy for its rules, each runtime for the pods at its
addresses, and the shared watch of kube-proxy for names. Its own state are the faults of its links.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlab.network import addresses, dns, gateways, nameserver, outside, policy, routing, urls
from clusterlab.network.exchange import OUTSIDE_IP, OUTSIDE_IP_6, in_ranges
from clusterlab.network.runtimes import runtimes
from clusterlab.network.series import Group, group_of
from clusterlab.network.services import usable
from clusterlab.network.trip import Backend, Exchange, Hop, Source, Trip, is_ip
from clusterlab.sim import Component, Simulation

Object = dict[str, Any]

__all__ = ["Backend", "Exchange", "Fabric", "Hop", "Source"]

SAME_NODE_US = 100
OTHER_NODE_US = 300
OUTSIDE_US = 1_000
ApiServer = Callable[[str, str, str, dict[str, str]], tuple[int, str] | None]


class Fabric(Component):
    """The component "network"."""

    STATE = ("links", "turn", "splits")

    def __init__(self, sim: Simulation, nodes: dict[str, str] | None = None) -> None:
        super().__init__(sim, "network")
        self.links: dict[str, tuple[int, int]] = {}  # "a|b" -> (latency in ms, loss in millionths); "*" for every node
        self.turn = 0
        self.splits: dict[str, gateways.Split] = {}  # what rules with weights have sent where
        self.cluster_dns = False  # names are answered by the pods of CoreDNS, and by nobody where those cannot be reached
        self.nodes = nodes or {}  # node -> address; those of the kubelets where none are given
        #: (method, path, query, headers) -> status and body: the API server, for requests from pods; None where it is stopped.
        self.api_server: ApiServer | None = None
        self._ips: dict[str, tuple[str, str]] = {}
        self.chance = sim.rng("network")

    # Faults.

    def set_link(self, one: str, other: str, latency_ms: int = 0, loss_ppm: int = 0) -> None:
        """The link between two nodes (or "*") is slow or loses packets; all zero: it is well."""
        key = "|".join(sorted((one or "*", other or "*")))
        if latency_ms or loss_ppm:
            self.links[key] = (latency_ms, loss_ppm)
        else:
            self.links.pop(key, None)

    def link(self, one: str, other: str) -> tuple[int, int]:
        """Latency in microseconds and loss in millionths between two places."""
        base = OUTSIDE_US if not one or not other else SAME_NODE_US if one == other else OTHER_NODE_US
        latency_ms = loss = 0
        if self.links:
            for key in ("|".join(sorted((one or "*", other or "*"))), "|".join(sorted((one, "*"))), "|".join(sorted((other, "*"))), "*|*"):
                found = self.links.get(key)
                if found is not None and (one != other or key == "*|*"):
                    latency_ms, loss = max(latency_ms, found[0]), max(loss, found[1])
        return base + latency_ms * 1000, loss

    # Who is where.

    def component(self, name: str) -> Any:
        return self.sim.components.get(name)

    def node_addresses(self) -> dict[str, str]:
        """Node -> address."""
        if self.nodes:
            return self.nodes
        kubelets: list[Any] = [each for name, each in self.sim.components.items() if name.startswith("kubelet/")]
        return {each.config.name: each.config.address for each in kubelets}

    def node_at(self, ip: str) -> str:
        """The node with an address, of either family; "" where there is none."""
        found = next((name for name, address in self.node_addresses().items() if address == ip), "")
        if found or ":" not in ip or self.nodes:
            return found
        kubelets: list[Any] = [each for name, each in self.sim.components.items() if name.startswith("kubelet/")]
        return next((each.config.name for each in kubelets if each.config.address_6 == ip), "")

    def node_ip(self, node: str, target: str) -> str:
        """A node's address of the family of another address; "" where it has none."""
        if ":" not in target:
            return self.node_addresses().get(node, "")
        kubelet = self.component(f"kubelet/{node}")
        return str(kubelet.config.address_6) if kubelet is not None else ""

    def client_ip(self, source: Source, target: str) -> str:
        """From which address a client talks to another one: one of the same family; "" where it has none."""
        if not source.node:
            return source.ip if source.ip and (":" in source.ip) == (":" in target) else OUTSIDE_IP_6 if ":" in target else OUTSIDE_IP
        if ":" not in target:
            return source.ip or self.node_ip(source.node, target)
        if not source.uid:
            return self.node_ip(source.node, target)
        runtime = self.component(f"runtime/{source.node}")
        sandbox = runtime.sandboxes.get(source.uid) if runtime is not None else None
        return str(sandbox.ip_6) if sandbox is not None else ""

    def pod_at(self, ip: str) -> tuple[str, str] | None:
        """(node, uid) of the pod with an address."""
        known = self._ips.get(ip)
        if known is not None:
            runtime = self.component(f"runtime/{known[0]}")
            sandbox = runtime.sandboxes.get(known[1]) if runtime is not None else None
            if sandbox is not None and sandbox.ready and ip in (sandbox.ip, sandbox.ip_6):
                return known
        self._ips = {
            ip: (runtime.node, uid) for runtime in runtimes(self.sim)
            for uid, sandbox in runtime.sandboxes.items() if sandbox.ready and not sandbox.host_network
            for ip in (sandbox.ip, sandbox.ip_6) if ip
        }
        return self._ips.get(ip)

    def pod(self, node: str, uid: str) -> Object | None:
        kubelet = self.component(f"kubelet/{node}")
        rec = kubelet.pods.get(uid) if kubelet is not None else None
        return rec.pod if rec is not None else None

    def source_of(self, uid: str, node: str) -> Source:
        """A pod as the source of requests."""
        sandbox = self.component(f"runtime/{node}").sandboxes.get(uid)
        if sandbox is None:
            return Source(node)
        return Source(node, uid, sandbox.ip, f"pod {sandbox.namespace}/{sandbox.name}", sandbox.namespace)

    def client(self, source: Source, target: str) -> policy.Peer:
        """A client as policies see it that talks to an address."""
        return self.peer(source.node, source.uid, self.client_ip(source, target))

    def peer(self, node: str, uid: str, ip: str) -> policy.Peer:
        pod = self.pod(node, uid) if uid else None
        if pod is None or pod["spec"].get("hostNetwork"):
            return policy.Peer(ip)
        meta = pod["metadata"]
        services = self.component("kube-proxy")
        namespace = services.namespaces.store.get(meta["namespace"]) if services is not None else None
        labels = ((namespace or {}).get("metadata") or {}).get("labels") or {"kubernetes.io/metadata.name": meta["namespace"]}
        ports = tuple(
            (port["name"], port["containerPort"]) for container in pod["spec"]["containers"] for port in container.get("ports") or ()
            if port.get("name")
        )
        return policy.Peer(ip, meta["namespace"], tuple((meta.get("labels") or {}).items()), tuple(labels.items()), True, ports)

    # Names.

    def zone(self, kind: str = "A") -> dns.Zone:
        """What CoreDNS knows now; `kind` PTR is dearer, as it needs every address."""
        services = self.component("kube-proxy")
        store = services.services.store if services is not None else {}
        return dns.Zone(
            lambda namespace, name: store.get(f"{namespace}/{name}"),
            lambda namespace, name: services.slices_of(namespace, name) if services is not None else [],
            lambda name: self.node_addresses().get(name), None,
            dns.names_by_address(store.values(), services.slices_of) if kind == "PTR" and services is not None else None,
        )

    def resolver_of(self, source: Source) -> dns.Resolver:
        pod = self.pod(source.node, source.uid) if source.uid else None
        if pod is None and source.namespace:
            return dns.resolv_conf({}, source.namespace, addresses.DNS_ADDRESS)
        if pod is None:
            return dns.Resolver((addresses.DNS_ADDRESS,), (), 1)
        return dns.resolv_conf(pod["spec"], pod["metadata"]["namespace"], addresses.DNS_ADDRESS)

    def ask(self, source: Source, name: str, kind: str) -> dns.Answer:
        """A question to the nameserver of a pod or node; the error "unreachable" where it cannot be reached."""
        resolver = self.resolver_of(source)
        if nameserver.obstacle(self, source, resolver):
            return dns.Answer((), "unreachable", tuple(dns.candidates(name.lower(), resolver)[:1]))
        return self.zone(kind).ask(name, kind, resolver)

    def resolve_from(self, uid: str, node: str, name: str, kind: str = "A") -> tuple[tuple[tuple[str, str, str], ...], str, str]:
        """A question to DNS from a pod: (records, rcode, the name asked last)."""
        found = self.ask(self.source_of(uid, node), name, kind)
        return found.records, found.error, found.tried[0] if found.tried else name

    def ping_from(self, uid: str, node: str, host: str) -> tuple[str, str, int]:
        """(error, address, latency in microseconds). Service addresses do not answer to ping, as with iptables."""
        source = self.source_of(uid, node)
        ip = host if is_ip(host) else next(
            (value for _, what, value in self.ask(source, host, "A").records if what == "A"), "")
        if not ip:
            return "name", "", 0
        target = self.pod_at(ip)
        services = self.component("kube-proxy")
        policies = services.policies.store.values() if services is not None else ()
        if policies and uid and (target is None or target[1] != uid):  # rules that name ports are about TCP, UDP and SCTP alone
            server = self.peer(target[0], target[1], ip) if target is not None else policy.Peer(ip)
            if not policy.allowed(policies, self.client(source, ip), server, 0, "ICMP").allowed:
                return "timeout", ip, 0
        if target is None and outside.is_outside(ip) and not self._is_service(source, ip):
            return "", ip, outside.LATENCY_US
        there = target[0] if target is not None else next((name for name, each in self.node_addresses().items() if each == ip), "")
        if not there:
            return "timeout", ip, 0
        latency, loss = self.link(node, there)
        return ("timeout" if loss >= 1_000_000 else ""), ip, latency * 2

    # One request.

    def request_from(
        self, uid: str, node: str, url: str, method: str = "GET", headers: dict[str, str] | None = None, body: str = "", depth: int = 0,
    ) -> Exchange:
        """A request from a pod."""
        return self.request(self.source_of(uid, node), url, method, headers, depth, body)

    def request(
        self, source: Source, url: str, method: str = "GET", headers: dict[str, str] | None = None, depth: int = 0, body: str = "",
    ) -> Exchange:
        """One request, followed from its source to its answer; `depth` is that of a call that another request caused."""
        found = urls.parse(url)
        if found is None:
            return Exchange("name")
        trip = Trip(self, source, method, found.target, dict(headers or {}), found.host, body)
        trip.depth = depth
        trip.tell(source.name, f"{method} {url}", "asks")
        if source.uid and found.host in {"localhost", "127.0.0.1"}:
            trip.seen_ip = "127.0.0.1"
            return trip.to_pod(source.node, source.uid, source.ip, found.port)
        ip = trip.resolve(found.host)
        if not ip:
            return trip.fail("name")
        return trip.to(ip, found.port, "TCP")

    def exchange(self, source: Source, host: str, port: int, protocol: str = "TCP", data: bytes = b"") -> Exchange:
        """Some bytes to a port, over TCP or UDP, and what comes back."""
        trip = Trip(self, source, "", "/", {}, host)
        trip.payload = data
        trip.tell(source.name, f"{host}:{port}", f"sends {len(data)} bytes over {protocol}")
        ip = trip.resolve(host)
        return trip.to(ip, port, protocol) if ip else trip.fail("name")

    def split(self, key: str, weights: tuple[int, ...], count: int) -> list[int]:
        """How many of so many requests go to each of some weights."""
        parts, self.splits[key] = gateways.divide(self.splits.get(key), weights, count)
        return parts

    def pick(self, key: str, weights: tuple[int, ...]) -> int:
        """Where the next single request goes."""
        return self.split(key, weights, 1).index(1)

    def any_node(self) -> str:
        """The first node that is up."""
        return next((name for name in self.node_addresses() if self.component(f"runtime/{name}").up), "")

    # Many requests.

    def backends(
        self, source: Source, url: str, method: str = "GET", headers: dict[str, str] | None = None,
    ) -> tuple[str, list[Backend]]:
        """Where requests to an address go now: (error, backends), without choosing between them."""
        asked = urls.parse(url)
        if asked is None:
            return "name", []
        port = asked.port
        trip = Trip(self, source, method, asked.path, dict(headers or {}), asked.host)
        ip = trip.resolve(trip.host)
        if not ip:
            return "name", []
        if outside.is_outside(ip) and not self._is_service(source, ip):
            return "", [Backend(1, "" if port in {80, 443} else "timeout", status=200, latency_us=outside.LATENCY_US)]
        target = self.pod_at(ip)
        if target is not None:
            return "", [self._backend(trip, target[0], target[1], ip, port, source.node)]
        there_node = self.node_at(ip)
        node = source.node or there_node or self.any_node()
        proxy = self.component(f"kube-proxy/{there_node or node}")
        if proxy is None:
            return "timeout", []
        services = proxy.map_6 if ":" in ip else proxy.map
        entry = services.at(ip, port)
        external = False
        if entry is None and there_node:
            entry, external = services.at_node_port(port), True
        if entry is None or (ip in entry[0].load_balancer_ips and not in_ranges(self.client_ip(source, ip), entry[0].source_ranges)):
            return "timeout", []
        chosen = proxy.choices(entry[0], entry[1], external)
        if not source.node and ip in entry[0].load_balancer_ips:  # a load balancer sends to all nodes that can serve
            chosen = usable(entry[1], "", False)
        if chosen and entry[0].affinity_s and source.node:  # one client has one address, and keeps its endpoint
            kept = proxy.choose(entry[0], entry[1], source.ip or source.name, external)
            chosen = (kept,) if kept is not None else ()
        group = Group(entry[0].namespace, entry[0].service)
        if not chosen:
            return "refused", [Backend(1, "refused", group=group)]
        found = []
        for each in chosen:
            there = self.pod_at(each.ip)
            found.append(
                self._backend(trip, there[0], there[1], each.ip, each.port, node, group.service) if there
                else Backend(1, "timeout", group=group))
        return "", found

    def _is_service(self, source: Source, ip: str) -> bool:
        proxy = self.component(f"kube-proxy/{source.node or self.any_node()}")
        return proxy is not None and bool(proxy.map.is_service_ip(ip))

    def again(self, source: Source, at: tuple[str, str, int, str], service: str) -> Backend:
        """The pod at the other end of an open connection, as it is now: (node, uid, port, address)."""
        node, uid, port, address = at
        runtime = self.component(f"runtime/{node}")
        sandbox = runtime.sandboxes.get(uid) if runtime is not None else None
        if sandbox is None:
            return Backend(1, "refused")
        ip = sandbox.ip_6 if ":" in address else sandbox.ip
        return self._backend(Trip(self, source, "GET", "/", {}, ""), node, uid, ip, port, source.node, service)

    def ending(self, at: tuple[str, str, int, str]) -> bool:
        """Whether the pod at the other end of a connection has been told to stop."""
        pod = self.pod(at[0], at[1])
        return pod is None or pod["metadata"].get("deletionTimestamp") is not None

    def through_routes(
        self, source: Source, url: str, method: str, headers: dict[str, str], count: int,
    ) -> list[tuple[Backend, int, bool]] | None:
        """Many requests through a gateway or an ingress: (backend, how many, whether they are copies). None: no such way."""
        asked = urls.parse(url)
        if asked is None:
            return None
        trip = Trip(self, source, method, asked.target, dict(headers), asked.host)
        found = trip.route_at(trip.resolve(trip.host), asked.port, lambda key, weights: 0)
        if found is None:
            return None
        _, route = found
        if route is None or route.backend is None:
            return [(Backend(1, "", status=route.status if route is not None else 404), count, False)]
        shares = route.shares or ((route.backend, 1),)
        weights = tuple(weight for _, weight in shares)
        flows = [(each, part, False) for (each, _), part in zip(shares, self.split(route.key, weights, count), strict=True)]
        for number, (each, percent) in enumerate(zip(route.mirrors, route.mirror_percents, strict=True)):
            copies = count if percent >= 100 else 0
            if 0 < percent < 100:
                copies = self.split(f"{route.key}/mirror/{number}", (percent, 100 - percent), count)[0]
            flows.append((each, copies, True))
        return [one for backend, part, copy in flows if part
                for one in self._counted(route, backend, self._spread(trip, backend, part, copy))]

    @staticmethod
    def _counted(
        route: routing.Route, to: routing.Backend, flows: list[tuple[Backend, int, bool]],
    ) -> list[tuple[Backend, int, bool]]:
        """Requests through an Ingress are counted as such, those to its canary as its canary's, and those that their headers led as led."""
        if route.led:
            flows = [(each._replace(led=True), part, copy) for each, part, copy in flows]
        if not route.ingress:
            return flows
        canary = f"{to.namespace}-{to.service}-{to.port}" if to == route.beside else ""
        return [(each._replace(group=each.group._replace(ingress=route.ingress, canary=canary)), part, copy) for each, part, copy in flows]

    def answers_outside(self, url: str) -> bool:
        """Whether the host of an address is one that an Ingress or a Gateway answers for."""
        asked = urls.parse(url)
        if asked is None or is_ip(asked.host):
            return False
        trip = Trip(self, Source(), "GET", asked.target, {}, asked.host)
        return trip.route_at(trip.resolve(asked.host), asked.port, lambda key, weights: 0) is not None

    def sticky(self, source: Source, url: str, method: str, headers: dict[str, str]) -> tuple[str, ...]:
        """The Services that sessions stay with once they have met them (sessionPersistence of an HTTPRoute); () where none do."""
        asked = urls.parse(url)
        if asked is None:
            return ()
        trip = Trip(self, source, method, asked.target, dict(headers), asked.host)
        found = trip.route_at(trip.resolve(trip.host), asked.port, lambda key, weights: 0)
        return found[1].sticky if found is not None and found[1] is not None else ()

    def _spread(self, trip: Trip, backend: routing.Backend, count: int, copy: bool) -> list[tuple[Backend, int, bool]]:
        """Requests to a service, spread evenly over its endpoints."""
        node = trip.any_node()
        entry = trip.entry_of(node, backend)
        chosen = self.component(f"kube-proxy/{node}").choices(entry[0], entry[1], False) if entry is not None else ()
        ends = [(each, self.pod_at(each.ip)) for each in chosen]
        group = Group(backend.namespace, backend.service)
        if not ends:
            return [(Backend(1, "", status=503, group=group), count, copy)]
        parts = self.split(f"{backend.namespace}/{backend.service}:{backend.port}", (1,) * len(ends), count)
        return [
            (self._backend(trip, at[0], at[1], each.ip, each.port, node, backend.service) if at
             else Backend(1, "timeout", group=group), part, copy)
            for (each, at), part in zip(ends, parts, strict=True) if part
        ]

    def _group(self, node: str, uid: str, service: str) -> Group:
        """As whose requests those to a pod are counted."""
        pod = self.pod(node, uid)
        return group_of(pod, service) if pod is not None else Group(service=service)

    def _backend(self, trip: Trip, node: str, uid: str, ip: str, port: int, via: str, service: str = "") -> Backend:
        group = self._group(node, uid, service)
        services = self.component("kube-proxy")
        policies = services.policies.store.values() if services is not None else ()
        if policies:
            verdict = policy.allowed(policies, self.client(trip.source, ip), self.peer(node, uid, ip), port)
            if not verdict.allowed:
                return Backend(1, "timeout", group=group)
        runtime = self.component(f"runtime/{node}")
        latency, loss = self.link(via, node)
        if not runtime.up or loss >= 1_000_000:
            return Backend(1, "timeout", group=group)
        serve, container_id = runtime.server_at(uid, port)
        if serve is None:
            return Backend(1, "refused", group=group)
        sandbox = runtime.sandboxes[uid]
        name = f"{sandbox.namespace}/{sandbox.name}"
        return Backend(1, "", runtime, container_id, serve, name, 2 * latency, group=group, at=(node, uid, port, ip))
