"""What kubectl does inside of pods: the commands `exec`, `input`, `forward` and `leave`, each a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["execute", "forward", "leave", "type_in"]


def execute(cluster: Cluster, data: dict[str, Any]) -> Any:
    """Runs a command in a container; (code, stdout, stderr). `open`: somebody types into it, and what comes back is what it says first
    (runtime.sessions.Said). Whoever asks was authorized before (`may_connect`)."""
    step = cluster.sim.perform("kubectl", "exec", f"pods/{data['namespace']}/{data['pod']}")
    try:
        step.explain = f"kubectl runs {' '.join(data['argv'])[:80]!r} in a container of pod {data['pod']}."
        if data.get("open"):
            return cluster.node_server.open_session(
                data["namespace"], data["pod"], data["container"], data["argv"], bool(data.get("tty")), bool(data.get("attached")))
        return cluster.node_server.exec(
            data["namespace"], data["pod"], data["container"], data["argv"], data.get("stdin", ""), bool(data.get("tty"))
        )
    except StatusError as error:
        step.explain = f"{step.explain} It cannot: {error.message}"
        return error
    finally:
        cluster.sim.finish()


def type_in(cluster: Cluster, data: dict[str, Any]) -> Any:
    """Input for a program: of the session that `exec` has begun, or of the container itself where `session` is empty."""
    attached = not data["session"]
    step = cluster.sim.perform("kubectl", "attach" if attached else "exec", f"pods/{data['namespace']}/{data['pod']}")
    try:
        what = "Ctrl-C" if data.get("interrupt") else repr(data["stdin"][:80]) if data["stdin"] else "the end of its input"
        step.explain = f"A program in a container of pod {data['pod']} is given {what}."
        if attached:
            return cluster.node_server.give(
                data["namespace"], data["pod"], data["container"], data["stdin"], bool(data.get("close")))
        return cluster.node_server.say(
            data["namespace"], data["pod"], data["session"], data["stdin"], bool(data.get("close")), bool(data.get("interrupt")))
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
        status, body = cluster.node_server.forward(
            data["namespace"], data["pod"], data["port"], data["path"], data["method"], data.get("body", ""), data.get("headers"))
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
