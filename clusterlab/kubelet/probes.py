"""One probe of one container: http, tcp, grpc or exec, and what it finds.

Follows pkg/kubelet/prober/prober.go and pkg/probe/{http,tcp,grpc,exec}.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from clusterlab.kubelet.environment import expand
from clusterlab.kubelet.restart import go_duration
from clusterlab.network import addresses
from clusterlab.network.exchange import Asked
from clusterlab.runtime.records import Container
from clusterlab.runtime.runtime import Runtime

Object = dict[str, Any]

__all__ = ["ANSWERED", "Outcome", "run"]

#: How an HTTP probe that was answered, but not well, begins to say so.
ANSWERED = "HTTP probe failed with statuscode: "


class Outcome(NamedTuple):
    """What a probe finds. `until_ms`: when that may change by itself, None for not before something happens. `errored`: it could not be
    made, so that it says nothing about the container; `warning`: it counts as healthy, but is told."""

    healthy: bool
    output: str
    until_ms: int | None = None
    errored: bool = False
    warning: bool = False


def run(runtime: Runtime, pod: Object, made: Container, spec: Object) -> Outcome:
    """Makes one probe of a container."""
    timeout_ms = max(1, int(spec.get("timeoutSeconds") or 1)) * 1000
    if "exec" in spec:
        return Outcome(*runtime.probe_exec(made.id, _command(pod, made, spec["exec"]), timeout_ms))
    if "httpGet" in spec:
        return _http(runtime, pod, made, spec["httpGet"], timeout_ms)
    if "tcpSocket" in spec:
        return _tcp(runtime, pod, made, spec["tcpSocket"], timeout_ms)
    if "grpc" in spec:
        return _grpc(runtime, pod, made, spec["grpc"], timeout_ms)
    return Outcome(False, f"missing probe handler for {pod['metadata']['name']}:{made.name}", None, errored=True)


def _command(pod: Object, made: Container, action: Object) -> tuple[str, ...]:
    """The command of an exec probe, with the variables filled in that the container gives as plain values."""
    env = {
        each["name"]: str(each.get("value") or "") for part in ("containers", "initContainers") for container in pod["spec"].get(part) or ()
        if container["name"] == made.name for each in container.get("env") or () if "valueFrom" not in each
    }
    return tuple(expand(each, env) for each in action.get("command") or ())


def port_number(pod: Object, name: str, port: Any) -> int | None:
    """A port of a container by number or name."""
    if isinstance(port, int):
        return port
    for container in (*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())):
        if container["name"] == name:
            for each in container.get("ports") or ():
                if each.get("name") == port:
                    return int(each["containerPort"])
    return int(port) if str(port).isdigit() else None


def _ip(runtime: Runtime, made: Container) -> str:
    sandbox = runtime.sandboxes.get(made.pod_uid)
    return sandbox.ip if sandbox is not None else ""


def _http(runtime: Runtime, pod: Object, made: Container, action: Object, timeout_ms: int) -> Outcome:
    port = port_number(pod, made.name, action.get("port"))
    host, path = action.get("host") or _ip(runtime, made), action.get("path") or "/"
    if port is None:
        return _no_port(pod, made, action)
    scheme = (action.get("scheme") or "HTTP").lower()
    shown = f"{scheme}://{host}:{port}{path if path.startswith('/') else '/' + path}"
    sent = (("Host", f"{host}:{port}"), ("User-Agent", "kube-probe/1.36"), ("Accept", "*/*"),
            *((each["name"], each.get("value", "")) for each in action.get("httpHeaders") or ()))
    bridge = addresses.host(runtime.pod_cidr, 1) if runtime.pod_cidr else ""
    answer = runtime.answer(made.pod_uid, port, path, Asked("GET", path, sent, "", bridge, True, True))
    if answer.refused:
        return Outcome(False, f'Get "{shown}": dial tcp {host}:{port}: connect: connection refused', answer.until_ms)
    if answer.latency_us > timeout_ms * 1000:
        message = f'Get "{shown}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        return Outcome(False, message, answer.until_ms)
    if answer.serve is not None and answer.serve.protocol != "http":
        why = "EOF" if answer.serve.protocol == "tcp" else "net/http: HTTP/1.x transport connection broken: malformed HTTP response"
        return Outcome(False, f'Get "{shown}": {why}', answer.until_ms)
    if 300 <= answer.status < 400:
        return Outcome(True, f"Probe terminated redirects, Response body: {answer.body}", answer.until_ms, warning=True)
    if 200 <= answer.status < 300:
        return Outcome(True, "", answer.until_ms)
    return Outcome(False, f"{ANSWERED}{answer.status}", answer.until_ms)


def _no_port(pod: Object, made: Container, action: Object) -> Outcome:
    """A port that has no such name: the probe cannot even be made (pkg/probe/util.go)."""
    port = action.get("port")
    if isinstance(port, str):
        return Outcome(False, f'strconv.Atoi: parsing "{port}": invalid syntax', None, errored=True)
    return Outcome(False, f"invalid port number: {port}", None, errored=True)


def _tcp(runtime: Runtime, pod: Object, made: Container, action: Object, timeout_ms: int) -> Outcome:
    port = port_number(pod, made.name, action.get("port"))
    host = action.get("host") or _ip(runtime, made)
    if port is None:
        return _no_port(pod, made, action)
    answer = runtime.answer(made.pod_uid, port, "/")
    if answer.refused:
        return Outcome(False, f"dial tcp {host}:{port}: connect: connection refused", answer.until_ms)
    return Outcome(True, "", answer.until_ms)


def _grpc(runtime: Runtime, pod: Object, made: Container, action: Object, timeout_ms: int) -> Outcome:
    port = int(action.get("port") or 0)
    answer = runtime.answer(made.pod_uid, port, "/")
    if answer.refused or (answer.serve is not None and answer.serve.protocol != "grpc" and answer.serve.port):
        # An HTTP server never says what a gRPC client waits for.
        address = f"{_ip(runtime, made)}:{port}"
        message = f'timeout: failed to connect service "{address}" within {go_duration(timeout_ms)}: context deadline exceeded'
        return Outcome(False, message, answer.until_ms)
    if answer.latency_us > timeout_ms * 1000:
        return Outcome(False, f"timeout: health rpc did not complete within {go_duration(timeout_ms)}", answer.until_ms)
    if not 200 <= answer.status < 400:
        return Outcome(False, 'service unhealthy (responded with "NOT_SERVING")', answer.until_ms)
    return Outcome(True, "service healthy", answer.until_ms)


