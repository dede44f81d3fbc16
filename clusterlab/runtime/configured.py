"""Programs that read a configuration when they start: what of it the model knows becomes part of the container's program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.runtime.programs import nginx
from clusterlab.runtime.records import Container
from clusterlab.runtime.shell.box import Box

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["configured"]


def configured(runtime: Runtime, container: Container) -> Container:
    """A container that is about to run, with the ports that its configuration names; one that cannot be read ends it at once."""
    program = container.program
    mounted = any(mount.path.startswith("/etc/nginx") for mount in container.config.mounts)
    if not program.acts or not mounted or "nginx" not in program.behaviour.match or program.serves is not None:
        return container
    box = Box(runtime, container)
    network: Any = runtime.sim.components.get("network")

    def resolves(host: str) -> bool:
        if network is None or host.replace(".", "").isdigit() or host == "localhost":
            return True
        return bool(network.resolve_from(container.pod_uid, runtime.node, host, "A")[0])

    try:
        serves = nginx.servers(box.read, lambda pattern: box.names(pattern, "/"), resolves)
    except nginx.ConfigError as error:
        moment = box.date("%Y/%m/%d %H:%M:%S")
        said = f"{moment} [emerg] 1#1: {error}\nnginx: [emerg] {error}"
        runtime.logs[container.id] = ((runtime.sim.time_ms, "stderr", said + "\n"),)
        return container._replace(program=program._replace(exit_after_ms=0, exit_code=1))
    return container._replace(program=program._replace(serves=serves))
