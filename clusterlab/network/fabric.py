"""The network of the cluster as it is now: one exchange at a time, hop by hop, each with what it decided.

What it needs to know it asks the components that know it: each node's kube-proxy for its rules, each runtime for the pods at its
addresses, and the shared watch of kube-proxy for names. Its own state are the faults of its links.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from clusterlab.network import addresses, dns, policy, routing
from clusterlab.network.services import Endpoint, Port
from clusterlab.sim import Component, Simulation

Object = dict[str, Any]

__all__ = ["Backend", "Exchange", "Fabric", "Hop", "Source"]

SAME_NODE_US = 100
OTHER_NODE_US = 300
OUTSIDE_US = 1_000
HOPS_MOST = 40


class Hop(NamedTuple):
    """One stop of a request: where, what came there, what was decided, and why."""

    where: str
    what: str
    decision: str
    why: str = ""


class Exchange(NamedTuple):
    """A request and its answer. `error`: "", name, refused, timeout or other words."""

    error: str
    address: str = ""
    status: int = 0
    body: str = ""
    latency_us: int = 0
    hops: tuple[Hop, ...] = ()
    pod: str = ""  # that answered, namespace/name
    container: str = ""  # its id
    cpu_us: int = 0


class Backend(NamedTuple):
    """One place that requests to an address may go to now, with its share of them."""

    weight: int
    error: str
    runtime: Any = None
    container_id: str = ""
    serve: Any = None
    pod: str = ""
    latency_us: int = 0  # on the way, there and back


class Source(NamedTuple):
    """Where a request comes from: a pod, a node, or outside the cluster. With a namespace, names are resolved as in its pods."""

    node: str = ""
    uid: str = ""
    ip: str = ""
    name: str = "outside"
    namespace: str = ""


class Fabric(Component):
    """The component "network"."""

    STATE = ("links", "turn")

    def __init__(self, sim: Simulation, nodes: dict[str, str] | None = None) -> None:
        super().__init__(sim, "network")
        self.links: dict[str, tuple[int, int]] = {}  # "a|b" -> (latency in ms, loss in millionths); "*" for every node
        self.turn = 0
        self.nodes = nodes or {}  # node -> address; those of the kubelets where none are given
        self._ips: dict[str, tuple[str, str]] = {}
        self._rng = sim.rng("network")

    # Faults.

    def set_link(self, one: str, other: str, latency_ms: int = 0, loss_ppm: int = 0) -> None:
        """The link between two nodes (or "*") is slow or loses packets; all zero: it is well."""
        key = "|".join(sorted((one or "*", other or "*")))
        if latency_ms or loss_ppm:
            self.links[key] = (latency_ms, loss_ppm)
        else:
            self.links.pop(key, None)

    def _link(self, one: str, other: str) -> tuple[int, int]:
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

    def _component(self, name: str) -> Any:
        return self.sim.components.get(name)

    def node_addresses(self) -> dict[str, str]:
        """Node -> address."""
        if self.nodes:
            return self.nodes
        kubelets: list[Any] = [each for name, each in self.sim.components.items() if name.startswith("kubelet/")]
        return {each.config.name: each.config.address for each in kubelets}

    def pod_at(self, ip: str) -> tuple[str, str] | None:
        """(node, uid) of the pod with an address."""
        known = self._ips.get(ip)
        if known is not None:
            runtime = self._component(f"runtime/{known[0]}")
            sandbox = runtime.sandboxes.get(known[1]) if runtime is not None else None
            if sandbox is not None and sandbox.ready and sandbox.ip == ip:
                return known
        runtimes: list[Any] = [each for name, each in self.sim.components.items() if name.startswith("runtime/")]
        self._ips = {
            sandbox.ip: (runtime.node, uid) for runtime in runtimes
            for uid, sandbox in runtime.sandboxes.items() if sandbox.ready and not sandbox.host_network
        }
        return self._ips.get(ip)

    def _pod(self, node: str, uid: str) -> Object | None:
        kubelet = self._component(f"kubelet/{node}")
        rec = kubelet.pods.get(uid) if kubelet is not None else None
        return rec.pod if rec is not None else None

    def source_of(self, uid: str, node: str) -> Source:
        """A pod as the source of requests."""
        sandbox = self._component(f"runtime/{node}").sandboxes.get(uid)
        if sandbox is None:
            return Source(node)
        return Source(node, uid, sandbox.ip, f"pod {sandbox.namespace}/{sandbox.name}", sandbox.namespace)

    def _peer(self, node: str, uid: str, ip: str) -> policy.Peer:
        pod = self._pod(node, uid) if uid else None
        if pod is None or pod["spec"].get("hostNetwork"):
            return policy.Peer(ip)
        meta = pod["metadata"]
        services = self._component("kube-proxy")
        namespace = services.namespaces.store.get(meta["namespace"]) if services is not None else None
        labels = ((namespace or {}).get("metadata") or {}).get("labels") or {"kubernetes.io/metadata.name": meta["namespace"]}
        ports = tuple(
            (port["name"], port["containerPort"]) for container in pod["spec"]["containers"] for port in container.get("ports") or ()
            if port.get("name")
        )
        return policy.Peer(ip, meta["namespace"], tuple((meta.get("labels") or {}).items()), tuple(labels.items()), True, ports)

    # Names.

    def zone(self) -> dns.Zone:
        services = self._component("kube-proxy")
        store = services.services.store if services is not None else {}
        return dns.Zone(
            lambda namespace, name: store.get(f"{namespace}/{name}"),
            lambda namespace, name: services.slices_of(namespace, name) if services is not None else [],
            lambda name: self.node_addresses().get(name),
        )

    def resolver_of(self, source: Source) -> dns.Resolver:
        pod = self._pod(source.node, source.uid) if source.uid else None
        if pod is None and source.namespace:
            return dns.resolv_conf({}, source.namespace, addresses.DNS_ADDRESS)
        if pod is None:
            return dns.Resolver((addresses.DNS_ADDRESS,), (), 1)
        return dns.resolv_conf(pod["spec"], pod["metadata"]["namespace"], addresses.DNS_ADDRESS)

    def resolve_from(self, uid: str, node: str, name: str, kind: str = "A") -> tuple[tuple[tuple[str, str, str], ...], str, str]:
        """A question to DNS from a pod: (records, rcode, the name asked last)."""
        source = self.source_of(uid, node)
        found = self.zone().ask(name, kind, self.resolver_of(source))
        return found.records, found.error, found.tried[0] if found.tried else name

    def ping_from(self, uid: str, node: str, host: str) -> tuple[str, str, int]:
        """(error, address, latency in microseconds). Service addresses do not answer to ping, as with iptables."""
        source = self.source_of(uid, node)
        ip = host if _is_ip(host) else next(
            (value for _, what, value in self.zone().ask(host, "A", self.resolver_of(source)).records if what == "A"), "")
        if not ip:
            return "name", "", 0
        target = self.pod_at(ip)
        there = target[0] if target is not None else next((name for name, each in self.node_addresses().items() if each == ip), "")
        if not there:
            return "timeout", ip, 0
        latency, loss = self._link(node, there)
        return ("timeout" if loss >= 1_000_000 else ""), ip, latency * 2

    # One request.

    def request_from(self, uid: str, node: str, url: str, method: str = "GET", headers: dict[str, str] | None = None) -> Exchange:
        """A request from a pod."""
        return self.request(self.source_of(uid, node), url, method, headers)

    def request(self, source: Source, url: str, method: str = "GET", headers: dict[str, str] | None = None) -> Exchange:
        """One request, followed from its source to its answer."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 80)
        except ValueError:
            return Exchange("name")
        host, path = (parts.hostname or "").lower(), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        trip = _Trip(self, source, method, path, dict(headers or {}), host)
        trip.tell(source.name, f"{method} {url}", "asks")
        ip = trip.resolve(host)
        if not ip:
            return trip.fail("name")
        return trip.to(ip, port, "TCP")


    def any_node(self) -> str:
        """The first node that is up."""
        return next((name for name in self.node_addresses() if self._component(f"runtime/{name}").up), "")

    # Many requests.

    def backends(
        self, source: Source, url: str, method: str = "GET", headers: dict[str, str] | None = None,
    ) -> tuple[str, list[Backend]]:
        """Where requests to an address go now: (error, backends), without choosing between them."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
        trip = _Trip(self, source, method, parts.path or "/", dict(headers or {}), (parts.hostname or "").lower())
        ip = trip.resolve(trip.host)
        if not ip:
            return "name", []
        target = self.pod_at(ip)
        if target is not None:
            return "", [self._backend(trip, target[0], target[1], ip, port, source.node)]
        node = source.node
        proxy = self._component(f"kube-proxy/{node}")
        if proxy is None:
            return "timeout", []
        entry = proxy.map.at(ip, port)
        external = False
        if entry is None and ip in self.node_addresses().values():
            entry, external = proxy.map.at_node_port(port), True
        if entry is None:
            return "timeout", []
        chosen = proxy.choices(entry[0], entry[1], external)
        if not chosen:
            return "refused", []
        found = []
        for each in chosen:
            there = self.pod_at(each.ip)
            found.append(self._backend(trip, there[0], there[1], each.ip, each.port, node) if there else Backend(1, "timeout"))
        return "", found

    def _backend(self, trip: _Trip, node: str, uid: str, ip: str, port: int, via: str) -> Backend:
        services = self._component("kube-proxy")
        policies = services.policies.store.values() if services is not None else ()
        if policies:
            client = trip.source
            verdict = policy.allowed(
                policies, self._peer(client.node, client.uid, client.ip or "192.0.2.1"), self._peer(node, uid, ip), port)
            if not verdict.allowed:
                return Backend(1, "timeout")
        runtime = self._component(f"runtime/{node}")
        latency, loss = self._link(via, node)
        if not runtime.up or loss >= 1_000_000:
            return Backend(1, "timeout")
        serve, container_id = runtime.server_at(uid, port)
        if serve is None:
            return Backend(1, "refused")
        sandbox = runtime.sandboxes[uid]
        return Backend(1, "", runtime, container_id, serve, f"{sandbox.namespace}/{sandbox.name}", 2 * latency)


class _Trip:
    """One request on its way."""

    def __init__(self, fabric: Fabric, source: Source, method: str, path: str, headers: dict[str, str], host: str) -> None:
        self.fabric = fabric
        self.source = source
        self.method, self.path, self.headers, self.host = method, path, headers, host
        self.hops: list[Hop] = []
        self.latency_us = 0
        self.address = ""

    def tell(self, where: str, what: str, decision: str, why: str = "") -> None:
        if len(self.hops) < HOPS_MOST:
            self.hops.append(Hop(where, what, decision, why))

    def fail(self, error: str) -> Exchange:
        return Exchange(error, self.address, latency_us=self.latency_us, hops=tuple(self.hops))

    def resolve(self, host: str) -> str:
        """The address of a host name."""
        if _is_ip(host):
            return host
        fabric = self.fabric
        if not self.source.node:  # outside, only what the world knows: nodes, and hosts that an Ingress answers for
            known = fabric.node_addresses().get(host)
            if known:
                return known
            if routing.ingress(self._ingresses(), host, self.path) is not None or self._by_gateway(host) is not None:
                self.tell("DNS outside", host, "the address of the ingress controller or gateway")
                return "ingress"
            found = fabric.zone().ask(host, "A", dns.Resolver((), (f"default.svc.{dns.DOMAIN}", dns.DOMAIN), 5))
        else:
            found = fabric.zone().ask(host, "A", fabric.resolver_of(self.source))
        for number, name in enumerate(found.tried):
            last = number == len(found.tried) - 1
            answer = ", ".join(f"{what} {value}" for _, what, value in found.records) if last and found.records else "no such name"
            self.tell("CoreDNS", name, answer, "the search list of the pod" if number or not last else "")
        return next((value for _, what, value in found.records if what == "A"), "")

    def _ingresses(self) -> list[Object]:
        services = self.fabric._component("kube-proxy")
        return list(services.ingresses.store.values()) if services is not None else []

    def _by_gateway(self, host: str) -> routing.Route | None:
        services = self.fabric._component("kube-proxy")
        routes = services.routes() if services is not None else []
        if not routes:
            return None
        draw = self.fabric._rng
        return routing.http_route(routes, self.method, host, self.path, self.headers, lambda count: draw.randint(0, count - 1))

    # By address.

    def to(self, ip: str, port: int, protocol: str) -> Exchange:
        """To whatever has an address."""
        self.address = "" if ip == "ingress" else ip
        fabric = self.fabric
        if ip == "ingress":
            return self.through_ingress()
        target = fabric.pod_at(ip)
        if target is not None:
            return self.to_pod(target[0], target[1], ip, port)
        node = next((name for name, address in fabric.node_addresses().items() if address == ip), "")
        if node:
            return self.to_node(node, ip, port, protocol)
        entry_node = self.source.node or self.any_node()
        proxy = fabric._component(f"kube-proxy/{entry_node}")
        entry = proxy.map.at(ip, port, protocol) if proxy is not None else None
        if entry is None:
            why = "no rule of kube-proxy is about this port" if proxy is not None and proxy.map.is_service_ip(ip) else "nobody has it"
            self.tell(f"node {entry_node}", f"{ip}:{port}", "lost", why)
            return self.fail("timeout")
        external = ip not in entry[0].cluster_ips
        return self.through_service(proxy, entry_node, entry, external and not self.source.node)

    def any_node(self) -> str:
        """The node that a load balancer picks, in turn, among those that can serve."""
        nodes = [name for name in self.fabric.node_addresses() if self._up(name)]
        if not nodes:
            return ""
        self.fabric.turn += 1
        return nodes[self.fabric.turn % len(nodes)]

    def _up(self, node: str) -> bool:
        runtime = self.fabric._component(f"runtime/{node}")
        return runtime is not None and bool(runtime.up)

    def through_service(self, proxy: Any, node: str, entry: tuple[Port, tuple[Endpoint, ...]], external: bool) -> Exchange:
        """By the rules of kube-proxy on a node."""
        port, every = entry
        where = f"kube-proxy on {node}"
        chosen = proxy.choose(port, every, self.source.ip or self.source.name, external)
        what = f"service {port.label}, {self.address}:{port.port}"
        if chosen is None:
            local = port.external_local if external else port.internal_local
            why = "no endpoint on this node, and the traffic policy is Local" if local and every else "no ready endpoints"
            self.tell(where, what, "dropped" if local and external else "refused", why)
            return self.fail("timeout" if local and external else "refused")
        candidates = proxy.choices(port, every, external)
        why = f"one of {len(candidates)} ready endpoints" + (", session affinity" if port.affinity_s else "")
        self.tell(where, what, f"to {chosen.ip}:{chosen.port}", why)
        target = self.fabric.pod_at(chosen.ip)
        if target is not None:
            return self.to_pod(target[0], target[1], chosen.ip, chosen.port, node)
        there = next((name for name, address in self.fabric.node_addresses().items() if address == chosen.ip), "")
        if there:
            return self.to_node(there, chosen.ip, chosen.port, port.protocol)
        self.tell("network", f"{chosen.ip}:{chosen.port}", "lost", "no pod has this address (any more)")
        return self.fail("timeout")

    def to_node(self, node: str, ip: str, port: int, protocol: str) -> Exchange:
        """To a node's own address: a node port, or a program on the node."""
        if not self._up(node) or not self.cross(node):
            if not self._up(node):
                self.tell(f"node {node}", f"{ip}:{port}", "no answer", "the node is down")
            return self.fail("timeout")
        proxy = self.fabric._component(f"kube-proxy/{node}")
        entry = proxy.map.at_node_port(port, protocol) if proxy is not None else None
        if entry is not None:
            self.tell(f"node {node}", f"{ip}:{port}", f"node port of service {entry[0].label}")
            return self.through_service(proxy, node, entry, True)
        runtime = self.fabric._component(f"runtime/{node}")
        for uid, sandbox in runtime.sandboxes.items():
            if sandbox.ready and sandbox.host_network:
                answer = runtime.answer(uid, port, self.path)
                if not answer.refused:
                    return self.answered(runtime, uid, answer, f"{sandbox.namespace}/{sandbox.name}")
        mapped = self._host_port(node, runtime, port)
        if mapped is not None:
            return self.to_pod(node, mapped[0], mapped[1], mapped[2], node)
        if port in {6443, 443}:
            self.tell(f"node {node}", f"{ip}:{port}", "the API server", "it wants to know who asks")
            body = '{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}'
            return Exchange("", ip, 401, body, self.latency_us, tuple(self.hops))
        self.tell(f"node {node}", f"{ip}:{port}", "refused", "nothing listens there")
        return self.fail("refused")

    def _host_port(self, node: str, runtime: Any, port: int) -> tuple[str, str, int] | None:
        for uid, sandbox in runtime.sandboxes.items():
            pod = self.fabric._pod(node, uid)
            if pod is None or not sandbox.ready:
                continue
            for container in pod["spec"]["containers"]:
                for each in container.get("ports") or ():
                    if each.get("hostPort") == port:
                        return uid, sandbox.ip, each["containerPort"]
        return None

    def cross(self, node: str, via: str = "") -> bool:
        """Over the link to a node; False where the packet is lost."""
        latency, loss = self.fabric._link(via or self.source.node, node)
        self.latency_us += 2 * latency
        if loss and self.fabric._rng.randint(1, 1_000_000) <= loss:
            self.tell("network", f"from {via or self.source.node or 'outside'} to {node}", "lost", f"the link loses {loss / 10_000:g}%")
            return False
        return True

    def to_pod(self, node: str, uid: str, ip: str, port: int, via: str = "") -> Exchange:
        """To a port of a pod."""
        fabric = self.fabric
        services = fabric._component("kube-proxy")
        policies = services.policies.store.values() if services is not None else ()
        if policies and self.source.uid != uid:
            client = self.source
            verdict = policy.allowed(
                policies, fabric._peer(client.node, client.uid, client.ip or addresses.host("192.0.2.0/24", 1)),
                fabric._peer(node, uid, ip), port)
            if not verdict.allowed:
                self.tell("network policy", f"{self.source.name} to {ip}:{port}", "dropped", verdict.why)
                return self.fail("timeout")
            self.tell("network policy", f"{self.source.name} to {ip}:{port}", "allowed", verdict.why)
        if not self._up(node):
            self.tell(f"node {node}", f"{ip}:{port}", "no answer", "the node is down")
            return self.fail("timeout")
        if not self.cross(node, via or self.source.node):
            return self.fail("timeout")
        runtime = fabric._component(f"runtime/{node}")
        sandbox = runtime.sandboxes[uid]
        answer = runtime.answer(uid, port, self.path)
        name = f"{sandbox.namespace}/{sandbox.name}"
        if answer.refused:
            self.tell(f"pod {name}", f"{ip}:{port}", "refused", "nothing in the pod listens at this port")
            return self.fail("refused")
        return self.answered(runtime, uid, answer, name)

    def answered(self, runtime: Any, uid: str, answer: Any, name: str) -> Exchange:
        self.latency_us += answer.latency_us
        cpu_us = answer.serve.cpu_us if answer.serve is not None else 0
        self.tell(f"pod {name}", f"{self.method} {self.path}", f"{answer.status}", f"after {self.latency_us / 1000:g} ms")
        return Exchange("", self.address, answer.status, answer.body, self.latency_us, tuple(self.hops), name, answer.container_id, cpu_us)

    # By host name and path.

    def through_ingress(self) -> Exchange:
        """Through a gateway or an ingress controller, which send straight to the pods of the service."""
        by_gateway = self._by_gateway(self.headers.get("Host", self.host))
        if by_gateway is not None:
            for mirror in by_gateway.mirrors:
                self.tell("gateway", f"a copy to service {mirror.namespace}/{mirror.service}", "mirrored", "its answer is thrown away")
            return self.by_route("gateway", by_gateway)
        route = routing.ingress(self._ingresses(), self.headers.get("Host", self.host), self.path.partition("?")[0])
        if route is None:
            self.tell("ingress controller", f"{self.host}{self.path}", "404", "no rule for this host and path")
            return Exchange("", "", 404, "default backend - 404\n", self.latency_us, tuple(self.hops))
        return self.by_route("ingress controller", route)

    def by_route(self, where: str, route: routing.Route) -> Exchange:
        """To the backend of a route."""
        if route.backend is None:
            self.tell(where, f"{self.host}{self.path}", str(route.status), route.why)
            return Exchange("", "", route.status, route.location, self.latency_us, tuple(self.hops))
        backend = route.backend
        self.tell(where, f"{self.host}{self.path}", f"to service {backend.namespace}/{backend.service}", route.why)
        self.path = route.path or self.path
        node = self.any_node()
        proxy = self.fabric._component(f"kube-proxy/{node}")
        entries = proxy.map.of(backend.namespace, backend.service) if proxy is not None else []
        entry = next((each for each in entries if backend.port in {each[0].port, each[0].name}), None)
        if entry is None:
            self.tell(where, f"service {backend.namespace}/{backend.service}", "503", "there is no such service or port")
            return Exchange("", "", 503, "503 Service Temporarily Unavailable\n", self.latency_us, tuple(self.hops))
        answer = self.through_service(proxy, node, entry, False)
        if answer.error:
            status = 504 if answer.error == "timeout" else 503
            return answer._replace(error="", status=status, body=f"{status}\n")
        return answer


def _is_ip(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() and len(part) <= 3 and int(part) < 256 for part in parts)
