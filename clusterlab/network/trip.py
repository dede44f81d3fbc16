"""One request on its way through the cluster: each hop, what it decided, and the answer at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.network import calls, dns, gateways, ingresses, nameserver, outside, policy, routing
from clusterlab.network.exchange import BODY_MOST, OUTSIDE_IP, Asked, Backend, Exchange, Hop, Source, in_ranges, is_ip
from clusterlab.network.services import Endpoint, Port

if TYPE_CHECKING:
    from clusterlab.network.fabric import Fabric

Object = dict[str, Any]

__all__ = ["Backend", "Exchange", "Hop", "Source", "Trip", "is_ip"]

HOPS_MOST = 150
_NGINX_ERROR = ("<html>\n<head><title>{0}</title></head>\n<body>\n<center><h1>{0}</h1></center>\n<hr><center>nginx</center>\n</body>\n"
                "</html>\n")
BAD_GATEWAY, GATEWAY_TIMEOUT = _NGINX_ERROR.format("502 Bad Gateway"), _NGINX_ERROR.format("504 Gateway Time-out")
#: Where API servers listen, and what an answer takes.
API_PORT, API_US = 6443, 2_000


class Answer(NamedTuple):
    """What some bytes met at a port, as the answer to a request."""

    refused: bool
    status: int
    body: str
    latency_us: int
    serve: Any
    container_id: str


class Trip:
    """One request on its way."""

    def __init__(
        self, fabric: Fabric, source: Source, method: str, path: str, headers: dict[str, str], host: str, body: str = "",
    ) -> None:
        self.fabric = fabric
        self.source = source
        self.method, self.path, self.headers, self.host = method, path, headers, host
        self.body = body[:BODY_MOST]
        self.hops: list[Hop] = []
        self.latency_us = 0
        self.address = ""
        self.depth = 0
        self.protocol = "TCP"
        self.payload: bytes | None = None  # bytes instead of an HTTP request
        self.seen_ip = source.ip  # as what address the server sees the client

    def tell(self, where: str, what: str, decision: str, why: str = "") -> None:
        if len(self.hops) < HOPS_MOST:
            self.hops.append(Hop(where, what, decision, why, self.depth))

    def fail(self, error: str) -> Exchange:
        return Exchange(error, self.address, latency_us=self.latency_us, hops=tuple(self.hops))

    def resolve(self, host: str) -> str:
        """The address of a host name."""
        if is_ip(host):
            return host
        fabric = self.fabric
        if not self.source.node:  # outside, only what the world knows: nodes, and hosts that an Ingress answers for
            known = fabric.node_addresses().get(host)
            if known:
                return known
            gateway = gateways.serving(self._gateways(), self._routes(), host)
            if gateway:
                self.tell("DNS outside", host, f"{gateway}, the address of the gateway")
                return gateway
            if ingresses.known_host(self._ingresses(), host, self.path):
                self.tell("DNS outside", host, "the address of the ingress controller")
                return "ingress"
            found = fabric.zone().ask(host, "A", dns.Resolver((), (f"default.svc.{dns.DOMAIN}", dns.DOMAIN), 5))
            if any(outside.is_outside(value) for _, _, value in found.records):
                found = dns.Answer((), "NXDOMAIN", found.tried)  # what is not about the cluster is not for us to answer
        else:
            resolver = fabric.resolver_of(self.source)
            why = nameserver.obstacle(fabric, self.source, resolver)
            if why:
                self.tell("CoreDNS", host, "no answer", why)
                return ""
            found = fabric.zone().ask(host, "A", resolver)
        for number, name in enumerate(found.tried):
            last = number == len(found.tried) - 1
            answer = ", ".join(f"{what} {value}" for _, what, value in found.records) if last and found.records else "no such name"
            self.tell("CoreDNS", name, answer, "the search list of the pod" if number or not last else "")
        return next((value for _, what, value in found.records if what == "A"), "")

    def _ingresses(self) -> list[Object]:
        services = self.fabric.component("kube-proxy")
        return list(services.ingresses.store.values()) if services is not None else []

    def _routes(self) -> list[Object]:
        services = self.fabric.component("kube-proxy")
        return services.routes() if services is not None else []

    def _gateways(self) -> list[Object]:
        services = self.fabric.component("kube-proxy")
        return services.gateways() if services is not None else []

    # By address.

    def to(self, ip: str, port: int, protocol: str) -> Exchange:
        """To whatever has an address."""
        self.address, self.protocol = "" if ip == "ingress" else ip, protocol
        fabric = self.fabric
        if ":" in ip:
            self.seen_ip = fabric.client_ip(self.source, ip)
        found = self.route_at(ip, port, fabric.pick) if self.payload is None else None
        if found is not None:
            return self.through_route(*found)
        target = fabric.pod_at(ip)
        if target is not None:
            return self.to_pod(target[0], target[1], ip, port)
        node = fabric.node_at(ip)
        if node:
            return self.to_node(node, ip, port, protocol)
        entry_node = self.source.node or self.any_node()
        proxy = fabric.component(f"kube-proxy/{entry_node}")
        services = None if proxy is None else proxy.map_6 if ":" in ip else proxy.map
        entry = services.at(ip, port, protocol) if services is not None else None
        if entry is None and outside.is_outside(ip) and not (services is not None and services.is_service_ip(ip)):
            return self.to_outside(ip, port)
        if entry is None:
            why = "no rule of kube-proxy is about this port" if services is not None and services.is_service_ip(ip) else "nobody has it"
            self.tell(f"node {entry_node}", f"{ip}:{port}", "lost", why)
            return self.fail("timeout")
        external = ip not in entry[0].cluster_ips
        if ip in entry[0].load_balancer_ips and not in_ranges(fabric.client_ip(self.source, ip), entry[0].source_ranges):
            self.tell(f"kube-proxy on {entry_node}", f"{ip}:{port}", "dropped", "loadBalancerSourceRanges do not hold the client's address")
            return self.fail("timeout")
        return self.through_service(proxy, entry_node, entry, external and not self.source.node)

    def to_outside(self, ip: str, port: int) -> Exchange:
        """Out of the cluster, if policies let the packet go."""
        fabric, client = self.fabric, self.source
        services = fabric.component("kube-proxy")
        policies = services.policies.store.values() if services is not None else ()
        if policies and client.uid:
            verdict = policy.allowed(policies, fabric.client(client, ip), policy.Peer(ip), port, self.protocol)
            if not verdict.allowed:
                self.tell("network policy", f"{client.name} to {ip}:{port}", "dropped", verdict.why)
                return self.fail("timeout")
        if port not in {80, 443} or self.protocol != "TCP":
            self.tell("the world outside", f"{ip}:{port}", "lost", "nothing is known to answer there")
            return self.fail("timeout")
        node_ip = fabric.node_addresses().get(client.node, client.ip)
        self.tell(f"node {client.node}" if client.node else "outside", f"from {client.ip or 'the node'}", f"source becomes {node_ip}",
                  "the node masquerades what leaves the cluster")
        self.latency_us += outside.LATENCY_US
        self.tell("the world outside", f"{self.method} {self.host}{self.path}", "200", f"after {self.latency_us / 1000:g} ms")
        return Exchange("", ip, 200, outside.page(self.host, node_ip), self.latency_us, tuple(self.hops))

    def any_node(self) -> str:
        """The node that a load balancer picks, in turn, among those that can serve."""
        nodes = [name for name in self.fabric.node_addresses() if self._up(name)]
        if not nodes:
            return ""
        self.fabric.turn += 1
        return nodes[self.fabric.turn % len(nodes)]

    def _up(self, node: str) -> bool:
        runtime = self.fabric.component(f"runtime/{node}")
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
        if external and not port.external_local:
            self.seen_ip = self.fabric.node_ip(node, chosen.ip) or self.seen_ip  # masqueraded, so that the answer comes back this way
        target = self.fabric.pod_at(chosen.ip)
        if target is not None:
            return self.to_pod(target[0], target[1], chosen.ip, chosen.port, node)
        there = self.fabric.node_at(chosen.ip)
        is_api = chosen.port == API_PORT and port.label.startswith("default/kubernetes")
        if is_api and (not there or (self._up(there) and self.cross(there))):
            return self.to_api_server(there, chosen.ip, chosen.port)
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
        proxy = self.fabric.component(f"kube-proxy/{node}")
        entry = (proxy.map_6 if ":" in ip else proxy.map).at_node_port(port, protocol) if proxy is not None else None
        if entry is not None:
            self.tell(f"node {node}", f"{ip}:{port}", f"node port of service {entry[0].label}")
            return self.through_service(proxy, node, entry, True)
        runtime = self.fabric.component(f"runtime/{node}")
        if port == API_PORT and protocol == "TCP" and any(each.name.startswith("kube-apiserver-") for each in runtime.sandboxes.values()):
            return self.to_api_server(node, ip, port)
        for uid, sandbox in runtime.sandboxes.items():
            if sandbox.ready and sandbox.host_network:
                answer = self.meet(runtime, uid, port)
                if not answer.refused:
                    return self.answered(runtime, uid, answer, f"{sandbox.namespace}/{sandbox.name}")
        own = runtime.on_node(port, self.path, local=False) if protocol == "TCP" and self.payload is None else None
        if own is not None:
            self.tell(f"node {node}", f"{ip}:{port}", str(own[0]), "a program of the node answers")
            return Exchange("", self.address or ip, own[0], own[1], self.latency_us, tuple(self.hops))
        mapped = self._host_port(node, runtime, port)
        if mapped is not None:
            return self.to_pod(node, mapped[0], mapped[1], mapped[2], node)
        self.tell(f"node {node}", f"{ip}:{port}", "refused", "nothing listens there")
        return self.fail("refused")

    def to_api_server(self, node: str, ip: str, port: int) -> Exchange:
        """To the API server, which asks who it is: without a token that is system:anonymous. What would change something without a
        body that could be sent is refused as such."""
        api, where = self.fabric.api_server, f"node {node}" if node else "control plane"
        path, _, query = self.path.partition("?")
        method = self.method if self.method in {"GET", "HEAD", "DELETE"} else "POST" if self.payload is None else "GET"
        headers = {name.lower(): value.strip() for name, value in self.headers.items()}
        answer = api(method, path, query, headers) if api is not None else None
        if answer is None:
            self.tell(where, f"{ip}:{port}", "refused", "the API server is stopped")
            return self.fail("refused")
        self.latency_us += API_US
        if self.payload is not None:  # what is no TLS gets no answer
            self.tell(where, f"{ip}:{port}", "connected")
            return Exchange("", self.address or ip, 200, "", self.latency_us, tuple(self.hops))
        self.tell(where, f"{self.method} {path}", str(answer[0]), "the API server asks who it is, and what they may")
        return Exchange("", self.address or ip, answer[0], answer[1], self.latency_us, tuple(self.hops), by="api")

    def _host_port(self, node: str, runtime: Any, port: int) -> tuple[str, str, int] | None:
        for uid, sandbox in runtime.sandboxes.items():
            pod = self.fabric.pod(node, uid)
            if pod is None or not sandbox.ready:
                continue
            for container in pod["spec"]["containers"]:
                for each in container.get("ports") or ():
                    if each.get("hostPort") == port and each.get("protocol", "TCP") == self.protocol:
                        return uid, sandbox.ip, each["containerPort"]
        return None

    def cross(self, node: str, via: str = "") -> bool:
        """Over the link to a node; False where the packet is lost."""
        latency, loss = self.fabric.link(via or self.source.node, node)
        self.latency_us += 2 * latency
        if loss and self.fabric.chance.randint(1, 1_000_000) <= loss:
            self.tell("network", f"from {via or self.source.node or 'outside'} to {node}", "lost", f"the link loses {loss / 10_000:g}%")
            return False
        return True

    def to_pod(self, node: str, uid: str, ip: str, port: int, via: str = "") -> Exchange:
        """To a port of a pod."""
        fabric = self.fabric
        services = fabric.component("kube-proxy")
        policies = services.policies.store.values() if services is not None else ()
        if policies and self.source.uid != uid:
            verdict = policy.allowed(policies, fabric.client(self.source, ip), fabric.peer(node, uid, ip), port, self.protocol)
            if not verdict.allowed:
                self.tell("network policy", f"{self.source.name} to {ip}:{port}", "dropped", verdict.why)
                return self.fail("timeout")
            self.tell("network policy", f"{self.source.name} to {ip}:{port}", "allowed", verdict.why)
        if not self._up(node):
            self.tell(f"node {node}", f"{ip}:{port}", "no answer", "the node is down")
            return self.fail("timeout")
        if not self.cross(node, via or self.source.node):
            return self.fail("timeout")
        runtime = fabric.component(f"runtime/{node}")
        sandbox = runtime.sandboxes[uid]
        answer = self.meet(runtime, uid, port)
        name = f"{sandbox.namespace}/{sandbox.name}"
        if answer.refused:
            what = "this port" if self.protocol == "TCP" else f"this port of {self.protocol}"
            self.tell(f"pod {name}", f"{ip}:{port}", "refused", f"nothing in the pod listens at {what}")
            return self.fail("refused")
        return self.answered(runtime, uid, answer, name)

    def asked(self) -> Asked:
        """The request as the program sees it that it comes to."""
        host = next((value for name, value in self.headers.items() if name.lower() == "host"), self.host)
        headers = (("Host", host), *((name, value) for name, value in self.headers.items() if name.lower() != "host"))
        return Asked(self.method, self.path, headers, self.body, self.seen_ip or OUTSIDE_IP, True, depth=self.depth)

    def meet(self, runtime: Any, uid: str, port: int) -> Any:
        """What a request, or bytes, meet at a port of a pod."""
        if self.payload is None:
            return runtime.answer(uid, port, self.path, self.asked())
        found = runtime.talk(uid, port, self.protocol, self.payload, f"{self.seen_ip or OUTSIDE_IP}:40000")
        text = found.data.decode("utf-8", "replace")
        return Answer(found.refused, 200, text, found.serve.latency_us if found.serve else 500, found.serve, found.container_id)

    def answered(self, runtime: Any, uid: str, answer: Any, name: str) -> Exchange:
        self.latency_us += answer.latency_us
        cpu_us = answer.serve.cpu_us if answer.serve is not None else 0
        passes = self.payload is None and answer.proxy
        status, body = self._passed_on(runtime, uid, answer, name) if passes else (answer.status, answer.body)
        if "{client}" in body:
            body = body.replace("{client}", self.seen_ip or OUTSIDE_IP).replace("{method}", self.method).replace("{path}", self.path)
            sent = {"accept": "*/*", "host": self.host, **{name.lower(): value for name, value in self.headers.items()}}
            body = body.replace("{host}", sent["host"]).replace("{headers}", "".join(f"\t{name}={sent[name]}\n" for name in sorted(sent)))
        asks = self.payload is None and answer.serve is not None and answer.serve.calls and status < 400
        failed = self._calls(runtime, uid, answer, name) if asks else ""
        if failed:
            status, body = 500, f"the call of {failed} failed\n"
        asked, said = (f"{self.method} {self.path}", f"{status}") if self.payload is None else (
            f"{len(self.payload)} bytes over {self.protocol}", f"answers {len(body)} bytes")
        self.tell(f"pod {name}", asked, said, f"after {self.latency_us / 1000:g} ms"
                  + (f", because its call of {failed} failed" if failed else ""))
        headers = getattr(answer, "headers", ())
        return Exchange("", self.address, status, body, self.latency_us, tuple(self.hops), name, answer.container_id, cpu_us, headers)

    def _passed_on(self, runtime: Any, uid: str, answer: Any, name: str) -> tuple[int, str]:
        """What the server behind a proxy answers."""
        if self.depth >= calls.DEPTH_MOST or len(self.hops) >= HOPS_MOST:
            return 502, BAD_GATEWAY
        self.tell(f"pod {name}", f"{self.method} {self.path}", f"passes it on to {answer.proxy.split('?')[0]}")
        source = self.fabric.source_of(uid, runtime.node)
        found = self.fabric.request(source, answer.proxy, self.method, dict(self.headers), self.depth + 1, self.body)
        self.hops += found.hops[:HOPS_MOST - len(self.hops)]
        self.latency_us += found.latency_us if found.error != "timeout" else calls.TIMEOUT_MS * 1000
        if found.error:
            return (504, GATEWAY_TIMEOUT) if found.error == "timeout" else (502, BAD_GATEWAY)
        traffic = self.fabric.component("traffic")
        if traffic is not None and found.container:
            traffic.count(found.container, found.cpu_us, found.pod)
        return found.status, found.body

    def _calls(self, runtime: Any, uid: str, answer: Any, name: str) -> str:
        """What the program asks of others before it answers; the answer says which call that it needs failed."""
        if self.depth >= calls.DEPTH_MOST:
            return ""
        container = runtime.containers[answer.container_id]
        traffic = self.fabric.component("traffic")
        if any(calls.applies(each, self.path.partition("?")[0]) for each in answer.serve.calls):
            self.tell(f"pod {name}", f"{self.method} {self.path}", "asks others first")
        for each in answer.serve.calls:
            to = calls.address(each, container.config.env)
            for _ in range(min(each.times_milli // 1000, 5) if to and calls.applies(each, self.path.partition("?")[0]) else 0):
                if len(self.hops) >= HOPS_MOST:
                    return ""
                found = self.fabric.request(self.fabric.source_of(uid, runtime.node), to, "GET", None, self.depth + 1)
                self.hops += found.hops[:HOPS_MOST - len(self.hops)]
                self.latency_us += found.latency_us if found.error != "timeout" else calls.TIMEOUT_MS * 1000
                if traffic is not None and found.container:
                    traffic.count(found.container, found.cpu_us, found.pod)
                if each.required and (found.error or found.status >= 500):
                    return to
        return ""

    # By host name and path.

    def route_at(self, ip: str, port: int, pick: routing.Pick) -> tuple[str, routing.Route | None] | None:
        """What a request meets at the address of a gateway or of the ingress controller; None at any other address."""
        host = next((value for name, value in self.headers.items() if name.lower() == "host"), self.host).partition(":")[0]
        if ip == "ingress" or (ip == ingresses.ADDRESS and ingresses.answers(self._ingresses())):
            return "ingress controller", ingresses.route(self._ingresses(), host, self.path, self.headers, pick, self.has_endpoints)
        for gateway in self._gateways():
            if gateways.address_of(gateway) == ip:
                routes = gateways.routes_at(gateway, self._routes(), port, host)
                if routes is not None:
                    where = f"gateway {gateway['metadata']['namespace']}/{gateway['metadata']['name']}"
                    return where, routing.http_route(routes, self.method, host, self.path, self.headers, pick)
        return None

    def through_route(self, where: str, route: routing.Route | None) -> Exchange:
        """Through a gateway or an ingress controller, which send straight to the pods of the service."""
        if route is None:
            self.tell(where, f"{self.host}{self.path}", "404", "no rule for this host and path")
            body = "default backend - 404\n" if where.startswith("ingress") else ""
            return Exchange("", self.address, 404, body, self.latency_us, tuple(self.hops))
        for number, (mirror, percent) in enumerate(zip(route.mirrors, route.mirror_percents, strict=True)):
            if percent < 100 and (not percent or self.fabric.pick(f"{route.key}/mirror/{number}", (percent, 100 - percent))):
                continue
            self.tell(where, f"a copy to service {mirror.namespace}/{mirror.service}", "mirrored", "its answer is thrown away")
            copy = Trip(self.fabric, self.source, self.method, self.path, self.headers, self.host, self.body)
            seen = copy.by_route(where, routing.Route(mirror, "a copy", path=route.path))
            traffic = self.fabric.component("traffic")
            if seen.container and traffic is not None:
                traffic.count(seen.container, seen.cpu_us, seen.pod)
        known = {name.lower(): name for name in self.headers}
        for name in route.removed:
            self.headers.pop(known.get(name.lower(), name), None)
            self.tell(where, f"header {name}", "removed", "the route removes it")
        for name, value in route.headers:
            self.headers[known.get(name.lower(), name)] = value
            self.tell(where, f"header {name}", value, "the route sets it")
        if route.host:
            self.headers["Host"] = route.host
            self.tell(where, "host", route.host, "the route sets it")
        answer = self.by_route(where, route)
        return answer._replace(headers=(*answer.headers, *route.answers)) if route.answers and not answer.error else answer

    def entry_of(self, node: str, backend: routing.Backend) -> Any:
        """The port of a service that a route means, with its endpoints, as a node knows them."""
        proxy = self.fabric.component(f"kube-proxy/{node}")
        entries = proxy.map.of(backend.namespace, backend.service) if proxy is not None else []
        return next((each for each in entries if backend.port in {each[0].port, each[0].name}), None)

    def has_endpoints(self, backend: routing.Backend) -> bool:
        """Whether a request to a backend would meet an endpoint now."""
        node = self.fabric.any_node()
        entry = self.entry_of(node, backend)
        return entry is not None and bool(self.fabric.component(f"kube-proxy/{node}").choices(entry[0], entry[1], False))

    def by_route(self, where: str, route: routing.Route) -> Exchange:
        """To the backend of a route."""
        if route.backend is None:
            self.tell(where, f"{self.host}{self.path}", str(route.status), route.why)
            headers = (("Location", route.location),) if route.location else ()
            return Exchange("", self.address, route.status, "", self.latency_us, tuple(self.hops), headers=headers)
        backend = route.backend
        self.tell(where, f"{self.host}{self.path}", f"to service {backend.namespace}/{backend.service}", route.why)
        self.path = route.path or self.path
        node = self.any_node()
        proxy = self.fabric.component(f"kube-proxy/{node}")
        entry = self.entry_of(node, backend)
        if entry is None:
            self.tell(where, f"service {backend.namespace}/{backend.service}", "503", "there is no such service or port")
            return Exchange("", "", 503, "503 Service Temporarily Unavailable\n", self.latency_us, tuple(self.hops))
        answer = self.through_service(proxy, node, entry, False)
        if answer.error:
            status = 504 if answer.error == "timeout" else 503
            return answer._replace(error="", status=status, body=f"{status}\n")
        return answer
