"""One probe of one container: http, tcp, grpc or exec, and what it finds.

Follows pkg/kubelet/prober/prober.go and pkg/probe/{http,tcp,grpc,exec}.
"""

from __future__ import annotations

from typing import Any

from clusterlab.kubelet.restart import go_duration
from clusterlab.runtime.records import Container
from clusterlab.runtime.runtime import Runtime

Object = dict[str, Any]
Outcome = tuple[bool, str, int | None]

__all__ = ["run"]


def run(runtime: Runtime, pod: Object, made: Container, spec: Object) -> Outcome:
    """(healthy, what it said, when that may change by itself: None for not before something happens)."""
    timeout_ms = max(1, int(spec.get("timeoutSeconds") or 1)) * 1000
    if "exec" in spec:
        return runtime.probe_exec(made.id, tuple(spec["exec"].get("command") or ()), timeout_ms)
    if "httpGet" in spec:
        return _http(runtime, pod, made, spec["httpGet"], timeout_ms)
    if "tcpSocket" in spec:
        return _tcp(runtime, pod, made, spec["tcpSocket"], timeout_ms)
    if "grpc" in spec:
        return _grpc(runtime, pod, made, spec["grpc"], timeout_ms)
    return True, "", None


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
        return False, f'invalid port number: "{action.get("port")}"', None
    scheme = (action.get("scheme") or "HTTP").lower()
    shown = f"{scheme}://{host}:{port}{path if path.startswith('/') else '/' + path}"
    answer = runtime.answer(made.pod_uid, port, path)
    if answer.refused:
        return False, f'Get "{shown}": dial tcp {host}:{port}: connect: connection refused', answer.until_ms
    if answer.latency_us > timeout_ms * 1000:
        message = f'Get "{shown}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        return False, message, answer.until_ms
    if 200 <= answer.status < 400:
        return True, "", answer.until_ms
    return False, f"HTTP probe failed with statuscode: {answer.status}", answer.until_ms


def _tcp(runtime: Runtime, pod: Object, made: Container, action: Object, timeout_ms: int) -> Outcome:
    port = port_number(pod, made.name, action.get("port"))
    host = action.get("host") or _ip(runtime, made)
    if port is None:
        return False, f'invalid port number: "{action.get("port")}"', None
    answer = runtime.answer(made.pod_uid, port, "/")
    if answer.refused:
        return False, f"dial tcp {host}:{port}: connect: connection refused", answer.until_ms
    return True, "", answer.until_ms


def _grpc(runtime: Runtime, pod: Object, made: Container, action: Object, timeout_ms: int) -> Outcome:
    port = int(action.get("port") or 0)
    answer = runtime.answer(made.pod_uid, port, "/")
    if answer.refused:
        address = f"{_ip(runtime, made)}:{port}"
        message = f'timeout: failed to connect service "{address}" within {go_duration(timeout_ms)}: context deadline exceeded'
        return False, message, answer.until_ms
    if answer.latency_us > timeout_ms * 1000:
        return False, f"timeout: health rpc did not complete within {go_duration(timeout_ms)}", answer.until_ms
    if not 200 <= answer.status < 400:
        return False, 'service unhealthy (responded with "NOT_SERVING")', answer.until_ms
    return True, "service healthy", answer.until_ms


