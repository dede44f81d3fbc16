"""What kubectl does inside of pods: the commands `exec`, `forward` and `leave`, each a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["execute", "forward", "leave"]


def execute(cluster: Cluster, data: dict[str, Any]) -> Any:
    """Runs a command in a container; (code, stdout, stderr). Whoever asks was authorized before (`may_connect`)."""
    step = cluster.sim.perform("kubectl", "exec", f"pods/{data['namespace']}/{data['pod']}")
    try:
        step.explain = f"kubectl runs {' '.join(data['argv'])[:80]!r} in a container of pod {data['pod']}."
        return cluster.node_server.exec(
            data["namespace"], data["pod"], data["container"], data["argv"], data.get("stdin", ""), bool(data.get("tty"))
        )
    except StatusError as error:
        step.explain = f"{step.explain} It cannot: {error.message}"
        return error
    finally:
        cluster.sim.finish()


def forward(cluster: Cluster, data: dict[str, Any]) -> tuple[int, str]:
    """A request through kubectl port-forward; (status, body), status 0 where nothing listens."""
    step = cluster.sim.perform("kubectl", "port-forward", f"pods/{data['namespace']}/{data['pod']}")
    asked = f"{data['method']} {data['path'][:80]} through kubectl port-forward to port {data['port']} of pod {data['pod']}"
    try:
        status, body = cluster.node_server.forward(data["namespace"], data["pod"], data["port"], data["path"], data["method"])
        step.explain = f"{asked}: {status if status else 'connection refused'}."
        return status, body
    except StatusError as error:
        step.explain = f"{asked}: {error.message}"
        return 0, ""
    finally:
        cluster.sim.finish()


def leave(cluster: Cluster, data: dict[str, Any]) -> None:
    """Somebody ends the shell that they were attached to, and with it its container."""
    step = cluster.sim.perform("kubectl", "attach", f"pods/{data['namespace']}/{data['pod']}")
    step.explain = f"The shell in a container of pod {data['pod']} is left with exit code {data['code']}."
    try:
        cluster.node_server.leave(data["namespace"], data["pod"], data["container"], data["code"])
    except StatusError as error:
        step.explain = f"{step.explain} It is gone already: {error.message}"
    finally:
        cluster.sim.finish()
