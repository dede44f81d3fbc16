"""What an administrator sees on a node: crictl, the rules of kube-proxy, and requests from there or from a client in the cluster.

Output has the columns of cri-tools' `crictl` (cmd/crictl/container.go, sandbox.go, image.go), `iptables-save` and `ipvsadm -Ln`.
Left out: everything that would change the runtime behind the kubelet's back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from clusterlab.network.trip import Source
from clusterlab.runtime import logs, view_images
from clusterlab.runtime.records import EXITED, RUNNING, Container
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
_USAGE = "crictl ps [-a] [--name N] | pods [--name N] | images | inspecti IMAGE | logs [--tail N] CONTAINER | inspect CONTAINER | version"


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

    def request(self, run: Run, url: str, method: str = "GET", headers: dict[str, str] | None = None) -> Reply:
        found = self.network.request(self.source, url, method, headers or {})
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
        return _crictl(runtime, argv[1:])
    if proxy is None:
        return 1, "", f"{argv[0]}: kube-proxy does not run on {node}\n"
    if argv[0] == "iptables-save":
        return 0, proxy.iptables_save(), ""
    if proxy.mode != "ipvs":
        return 1, "", f"ipvsadm: kube-proxy on {node} works in {proxy.mode} mode\n"
    return 0, proxy.ipvsadm(), ""


def _crictl(runtime: Any, words: list[str]) -> Answer:
    flags = {word.split("=")[0].lstrip("-"): word.partition("=")[2] for word in words if word.startswith("-")}
    plain = [word for word in words if not word.startswith("-")]
    what = plain[0] if plain else ""
    name = flags.get("name") or (words[words.index("--name") + 1] if "--name" in words[:-1] else "")
    if what == "ps":
        return 0, _containers(runtime, "a" in flags or "all" in flags, name), ""
    if what == "pods":
        return 0, _pods(runtime, name), ""
    if what in ("images", "image", "img"):
        return 0, view_images.images(runtime), ""
    if what == "inspecti" and len(plain) > 1:
        found_image = view_images.inspect(runtime, plain[-1])
        return (0, found_image, "") if found_image is not None else (1, "", f'E: no such image "{plain[-1]}" present\n')
    if what == "version":
        flavour = runtime.flavour
        return 0, f"Version:  0.1.0\nRuntimeName:  {flavour.name}\nRuntimeApiVersion:  v1\n", ""
    if what in ("logs", "inspect") and len(plain) > 1:
        found = [each for each in runtime.containers.values() if each.id.startswith(plain[-1])]
        if len(found) != 1:
            return 1, "", f'E: container "{plain[-1]}": not found\n'
        if what == "inspect":
            return 0, _inspect(found[0]), ""
        lines = [line[2] + "\n" for line in logs.lines(runtime, found[0])]
        tail = flags.get("tail") or (words[words.index("--tail") + 1] if "--tail" in words[:-1] else "")
        return 0, "".join(lines[-int(tail):] if tail.isdigit() and int(tail) else lines), ""
    return 1, "", f"usage: {_USAGE}\n"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[at]) for row in [head, *rows]) + 3 for at in range(len(head))]
    return "".join("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in [head, *rows])


def _ago(runtime: Any, at_ms: int) -> str:
    seconds = max(0, runtime.sim.time_ms - at_ms) // 1000
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}s ago" if count > 1 else f"About a{'n' if word == 'hour' else ''} {word} ago"
    return f"{seconds} seconds ago"


def _containers(runtime: Any, everything: bool, name: str) -> str:
    rows = []
    for each in reversed(list(runtime.containers.values())):
        if (each.state == RUNNING or everything) and name in each.name:
            sandbox = runtime.sandboxes.get(each.pod_uid)
            attempt = sum(1 for other in runtime.of_pod(each.pod_uid) if other.name == each.name and other.created_ms < each.created_ms)
            state = {RUNNING: "Running", EXITED: "Exited"}.get(each.state, "Created")
            pod = (sandbox.id[:13], sandbox.name, sandbox.namespace) if sandbox is not None else ("", "", "")
            rows.append((each.id[:13], each.image_id.removeprefix("sha256:")[:13], _ago(runtime, each.created_ms), state, each.name,
                         str(attempt), *pod))
    return _table(("CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"), rows)


def _pods(runtime: Any, name: str) -> str:
    rows = [
        (each.id[:13], _ago(runtime, each.created_ms), "Ready" if each.ready else "NotReady", each.name, each.namespace, str(each.attempt),
         "(default)")
        for each in reversed(list(runtime.sandboxes.values())) if name in each.name
    ]
    return _table(("POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"), rows)


def _inspect(container: Container) -> str:
    import json

    return json.dumps({"status": {
        "id": container.id, "metadata": {"name": container.name},
        "image": {"image": container.config.image}, "imageRef": container.image_id,
        "state": f"CONTAINER_{container.state.upper()}", "startedAt": container.started, "finishedAt": container.finished,
        "exitCode": container.exit_code, "reason": container.reason, "message": container.message,
    }}, indent=2) + "\n"
