"""What an administrator sees on a node: crictl, the rules of kube-proxy, and requests from there or from a client in the cluster.

Output has the columns of cri-tools' `crictl` (runtime/crictl.py), `iptables-save` and `ipvsadm -Ln`.
Left out: everything that would change the runtime behind the kubelet's back.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from clusterlab.network.trip import Source
from clusterlab.runtime.crictl import crictl
from clusterlab.runtime.shell import tools_net
from clusterlab.runtime.shell.box import Lookup, Reply
from clusterlab.runtime.shell.machine import Run, begin
from clusterlab.sim import Simulation

__all__ = ["CLIENTS", "VIEWS", "ask", "command", "view"]

Answer = tuple[int, str, str]
#: Commands that send something; they count as traffic and pick endpoints, so they are commands of the cluster.
CLIENTS = ("curl", "wget", "nslookup", "dig", "ping", "nc", "getent", "telnet")
#: Commands that only look.
VIEWS = ("crictl", "iptables-save", "ipvsadm")
_TRIES = 20


class _Node:
    """Where requests start: a client in the cluster's network that asks its DNS as a pod of `namespace` does, or a node."""

    dns_server = "10.96.0.10"
    gateway = broadcast = ""
    distribution = "debian"
    #: The tools of a usual distribution, not those of an image.
    container = SimpleNamespace(
        config=SimpleNamespace(image="debian:13"),
        program=SimpleNamespace(behaviour=SimpleNamespace(match="*", entrypoint=(), arguments=(), distribution="debian")),
    )

    def __init__(self, sim: Simulation, source: Source) -> None:
        self.sim, self.source = sim, source
        self.network: Any = sim.components["network"]
        self.ip = source.ip

    def request(self, run: Run, url: str, method: str = "GET", headers: dict[str, str] | None = None, body: str = "") -> Reply:
        found = self.network.request(self.source, url, method, headers or {}, 0, body)
        traffic: Any = self.sim.components.get("traffic")
        if traffic is not None and found.container:
            traffic.count(found.container, found.cpu_us, found.pod)
        return Reply(found.error, found.address, found.status, found.body, found.latency_us, headers=found.headers)

    def connect(self, run: Run, host: str, port: int, data: bytes = b"", protocol: str = "TCP") -> Reply:
        found = self.network.exchange(self.source, host, port, protocol, data)
        return Reply(found.error, found.address, found.status, found.body, found.latency_us)

    def ping(self, run: Run, host: str) -> Reply:
        error, address, latency_us = self.network.ping_from("", self.source.node, host)
        return Reply(error, address, 0, "", latency_us)

    def resolve(self, run: Run, name: str, kind: str = "A", search: bool = True) -> Lookup:
        found = self.network.zone().ask(name, kind, self.network.resolver_of(self.source))
        return Lookup(tuple(found.records), found.error, found.tried[0] if found.tried else name)

    def write(self, path: str, text: str, append: bool) -> str:
        return "Read-only file system"

    def read(self, path: str) -> str | None:
        return None


def ask(sim: Simulation, node: str, argv: list[str], stdin: str = "") -> Answer:
    """Runs one of CLIENTS on a node, or, where none is named, from a client in the cluster. (exit code, stdout, stderr)."""
    network: Any = sim.components["network"]
    addresses = network.node_addresses()
    where = node or network.any_node()
    if where not in addresses:
        return 255, "", f"ssh: Could not resolve hostname {where}: Name or service not known\n" if node else "no node is up\n"
    ip = addresses[where]
    box = _Node(sim, Source(where, "", ip, f"node {where}" if node else "terminal", "default"))
    run = Run(begin("", sim.time_ms, {}), _Nowhere())
    tool: Callable[..., Any] = tools_net.TOOLS[argv[0]]
    for _ in range(_TRIES):
        try:
            result = tool(box, run, argv, stdin)
        except (ValueError, LookupError, TypeError, AttributeError) as error:  # an address that is none
            return 2, "", f"{argv[0]}: {str(error)[:200]}\n"
        if not result.again:
            break
        run.tries += 1
    return result.code, result.out, result.err


def command(sim: Simulation, data: dict[str, Any]) -> Answer:
    """A request that an administrator makes, as a step: {argv, node?, stdin?}."""
    argv, node = data["argv"], data.get("node", "")
    step = sim.perform("terminal", argv[0], f"nodes/{node}" if node else "")
    try:
        code, out, err = ask(sim, node, argv, data.get("stdin", ""))
        outcome = "answered." if code == 0 else err.strip().split("\n")[-1][:160] or f"exit {code}."
        step.explain = f"{' '.join(argv)[:80]} {f'on {node}' if node else 'from a client in the cluster'}: {outcome}"
    finally:
        sim.finish()
    return code, out, err


class _Nowhere:
    """The tools ask their machine for paths and time only."""

    def read(self, path: str) -> str | None:
        return None

    def write(self, path: str, text: str, append: bool) -> str:
        return "Read-only file system"

    def names(self, pattern: str, cwd: str) -> list[str]:
        return []

    def tool(self, run: Run, argv: list[str], stdin: str) -> Any:
        raise NotImplementedError

    def out(self, time_ms: int, stream: str, text: str) -> None:
        pass


def view(sim: Simulation, node: str, argv: list[str]) -> Answer:
    """Answers one of VIEWS on a node; nothing changes."""
    runtime: Any = sim.components.get(f"runtime/{node}")
    proxy: Any = sim.components.get(f"kube-proxy/{node}")
    if runtime is None:
        return 255, "", f"ssh: Could not resolve hostname {node}: Name or service not known\n"
    if not runtime.up:
        return 255, "", f"ssh: connect to host {node} port 22: No route to host\n"
    if argv[0] == "crictl":
        if "exec" in argv:  # which may change something, and this is a look
            return 1, "", "crictl exec: run commands in containers with kubectl exec from here\n"
        return crictl(runtime, argv[1:])
    if proxy is None:
        return 1, "", f"{argv[0]}: kube-proxy does not run on {node}\n"
    if argv[0] == "iptables-save":
        return 0, proxy.iptables_save(), ""
    if proxy.mode != "ipvs":
        return 1, "", f"ipvsadm: kube-proxy on {node} works in {proxy.mode} mode\n"
    return 0, proxy.ipvsadm(), ""
