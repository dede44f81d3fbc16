"""Programs that read a configuration when they start: what of it the model knows becomes part of the container's program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.runtime.programs import nginx
from clusterlab.runtime.programs.behaviour import Serve
from clusterlab.runtime.records import Container
from clusterlab.runtime.shell.box import Box

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["configured", "signal_nginx"]


def configured(runtime: Runtime, container: Container) -> Container:
    """A container that is about to run, with the ports that its configuration names; one that cannot be read ends it at once."""
    program = container.program
    mounted = any(mount.path.startswith("/etc/nginx") for mount in container.config.mounts)
    if not program.acts or not mounted or "nginx" not in program.behaviour.match or program.serves is not None:
        return container
    box = Box(runtime, container)
    try:
        return container._replace(program=program._replace(serves=_servers(box)))
    except nginx.ConfigError as error:
        moment = box.date("%Y/%m/%d %H:%M:%S")
        said = f"{moment} [emerg] 1#1: {error}\nnginx: [emerg] {error}"
        runtime.logs[container.id] = ((runtime.sim.time_ms, "stderr", said + "\n"),)
        return container._replace(program=program._replace(exit_after_ms=0, exit_code=1))


def _servers(box: Box) -> tuple[Serve, ...]:
    runtime = box.runtime
    network: Any = runtime.sim.components.get("network")

    def resolves(host: str) -> bool:
        if network is None or host.replace(".", "").isdigit() or host == "localhost":
            return True
        return bool(network.resolve_from(box.container.pod_uid, runtime.node, host, "A")[0])

    return nginx.servers(box.read, lambda pattern: box.names(pattern, "/"), resolves)


def signal_nginx(box: Box, signal: str) -> tuple[int, str, str]:
    """nginx -t and -s: (exit code, stdout, stderr). A reload takes the configuration as it is now."""
    try:
        serves = _servers(box)
    except nginx.ConfigError as error:
        failed = "" if signal else f"nginx: configuration file {nginx.MAIN} test failed\n"
        return 1, "", f"nginx: [emerg] {error}\n{failed}"
    if not signal:
        return 0, "", (f"nginx: the configuration file {nginx.MAIN} syntax is ok\n"
                       f"nginx: configuration file {nginx.MAIN} test is successful\n")
    container = box.runtime.containers[box.container.id]
    if signal == "reload" and container.program.acts:
        box.runtime.containers[container.id] = container._replace(program=container.program._replace(serves=serves))
    elif signal in {"quit", "stop"} and container.program.acts:
        box.signal_main("QUIT")
    return 0, "", f"{box.date('%Y/%m/%d %H:%M:%S')} [notice] {box.next_pid}#{box.next_pid}: signal process started\n"
