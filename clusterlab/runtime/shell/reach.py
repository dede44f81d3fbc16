"""What a container can reach: its own pod at localhost, others over the network, names by DNS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from clusterlab.network.exchange import BODY_MOST, Asked, Exchange

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container, Sandbox
    from clusterlab.runtime.runtime import Runtime
    from clusterlab.runtime.shell.machine import Run

__all__ = ["Lookup", "Reach", "Reply"]


class Reply(NamedTuple):
    """What came of a connection: `error` is "", name, refused, timeout, or the words of another one."""

    error: str = ""
    address: str = ""
    status: int = 0
    body: str = ""
    latency_us: int = 0
    container: str = ""  # that answered
    headers: tuple[tuple[str, str], ...] = ()
    server: str = ""  # "api" where it is the API server


class Lookup(NamedTuple):
    """What came of a question to DNS: records as (owner, type, value)."""

    records: tuple[tuple[str, str, str], ...] = ()
    error: str = ""
    asked: str = ""


class Reach:
    """The part of a Box that is about others; it has the container's place and its name."""

    runtime: Runtime
    container: Container
    sandbox: Sandbox

    @property
    def ip(self) -> str:
        """The pod's address, or its node's."""
        return self.sandbox.ip

    @property
    def hostname(self) -> str:
        """What the container calls itself."""
        return self.sandbox.hostname or self.sandbox.name

    def _local(self, host: str) -> bool:
        return host in {"localhost", "127.0.0.1", "0.0.0.0", "::1", self.ip, self.hostname} or (host != "" and host == self.sandbox.ip_6)

    def alias(self, name: str) -> str:
        """The address that hostAliases give a name."""
        for line in self.runtime.hosts.get(self.container.pod_uid, "").splitlines():
            if name in line.split()[1:] and not line.startswith("#"):
                return line.split()[0]
        return ""

    def _network(self) -> Any:
        return self.runtime.sim.components.get("network")

    def request(self, run: Run, url: str, method: str = "GET", headers: dict[str, str] | None = None, body: str = "") -> Reply:
        """One HTTP request."""
        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return Reply("name")
        host = parts.hostname or ""
        alias = self.alias(host)
        if alias and not self._local(host):
            headers = {"Host": parts.netloc, **(headers or {})}
            url, host = url.replace(host, alias, 1), alias
        if self._local(host):
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            shown = (("Host", parts.netloc), *(headers or {}).items())
            answer = self.runtime.answer(
                self.container.pod_uid, port, target, Asked(method, target, shown, body[:BODY_MOST], self._own_ip(host), True))
            if answer.refused and self.sandbox.host_network:  # the loopback address of the whole node
                return self._at_node(url, host, port, target, method, headers or {}, body)
            if answer.refused:
                return Reply("refused", "127.0.0.1")
            if answer.proxy and self._network() is not None:
                found = self._network().request_from(self.container.pod_uid, self.runtime.node, answer.proxy, method, headers or {}, body)
                return Reply("", "127.0.0.1", 502 if found.error else found.status, "" if found.error else found.body, found.latency_us)
            return Reply("", "127.0.0.1", answer.status, answer.body, answer.latency_us, answer.container_id, answer.headers)
        return self._asked(url, method, headers or {}, body)

    def _own_ip(self, host: str) -> str:
        """From which address a container talks to its own pod."""
        return self.ip if host not in {"localhost", "127.0.0.1", "::1", "0.0.0.0"} else "127.0.0.1"

    def ask(self, url: str, method: str, headers: dict[str, str], body: str, depth: int) -> Any:
        """A request of the container's program to another one (network.exchange.Exchange)."""
        network = self._network()
        if network is None:
            return Exchange("name")
        found = network.request_from(self.container.pod_uid, self.runtime.node, url, method, headers, body, depth)
        traffic: Any = self.runtime.sim.components.get("traffic")
        if traffic is not None and found.container:
            traffic.count(found.container, found.cpu_us, found.pod)
        return found

    def _at_node(self, url: str, host: str, port: int, path: str, method: str, headers: dict[str, str], body: str) -> Reply:
        """A request to the node that the container shares the network with: to its own programs, a node port, another pod there."""
        own = self.runtime.on_node(port, path, local=host != self.ip)
        if own is not None:
            return Reply("", "127.0.0.1", own[0], own[1], 200)
        found = self._asked(url.replace(host, self.ip, 1), method, headers, body)
        return found._replace(address=found.address or "127.0.0.1")

    def _asked(self, url: str, method: str, headers: dict[str, str], body: str) -> Reply:
        found = self.ask(url, method, headers, body, 0)
        return Reply(found.error, found.address, found.status, found.body, found.latency_us, found.container, found.headers, found.by)

    def connect(self, run: Run, host: str, port: int, data: bytes = b"", protocol: str = "TCP") -> Reply:
        """A connection to a port, with what is sent through it."""
        if self._local(host):
            talk = self.runtime.talk(self.container.pod_uid, port, protocol, data, "127.0.0.1:40000")
            return Reply("refused" if talk.refused else "", "127.0.0.1", 200, talk.data.decode("utf-8", "replace"), 500, talk.container_id)
        network = self._network()
        if network is None:
            return Reply("name")
        source = network.source_of(self.container.pod_uid, self.runtime.node)
        found = network.exchange(source, self.alias(host) or host, port, protocol, data)
        return Reply(found.error, found.address, found.status, found.body, found.latency_us, found.container)

    def ping(self, run: Run, host: str) -> Reply:
        if self._local(host):
            return Reply("", "127.0.0.1", 0, "", 50)
        network = self._network()
        if network is None:
            return Reply("name")
        error, address, latency_us = network.ping_from(self.container.pod_uid, self.runtime.node, host)
        return Reply(error, address, 0, "", latency_us)

    def resolve(self, run: Run, name: str, kind: str = "A", search: bool = True) -> Lookup:
        alias = self.alias(name)
        if alias and kind == "A":
            return Lookup(((name, "A", alias),), "", name)
        if name in {"localhost", self.hostname}:
            return Lookup(((name, "A", "127.0.0.1" if name == "localhost" else self.ip),), "", name)
        network = self._network()
        if network is None:
            return Lookup((), "NXDOMAIN", name)
        records, error, asked = network.resolve_from(self.container.pod_uid, self.runtime.node, name, kind)
        return Lookup(tuple(records), error, asked)
