"""kubectl exec, attach and port-forward: websockets under /kube/KEY/, in Kubernetes' channel protocols.

Follows staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go and client-go/tools/remotecommand/websocket.go: the first
byte of a binary message is its channel (0 stdin, 1 stdout, 2 stderr, 3 the closing Status, 4 terminal size, 255 close of a channel).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from clusterlab.machinery.errors import StatusError
from clusterlab.runtime.talk import Talk
from clusterlab.web import portforward
from clusterlab.web.kubeapi import headers_of, lab_of
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.podsession import Gone, PodSession

__all__ = ["KubeSockets"]

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class KubeSockets:
    """ASGI application for websockets under /kube/."""

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        await receive()
        key, _, rest = scope["path"].removeprefix("/kube/").partition("/")
        try:
            lab = await lab_of(key, scope)
        except LabError:  # a plain request then tells what is wrong
            lab = None
        parts = rest.split("/")
        if lab is None or len(parts) != 7 or parts[:3] != ["api", "v1", "namespaces"] or parts[4] != "pods":
            await send({"type": "websocket.close", "code": 4404})
            return
        headers = headers_of(scope)
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if parts[6] == "portforward":
            await _forward(lab, parts[3], parts[5], headers, scope, receive, send)
            return
        session = PodSession(lab, key, parts[3], parts[5], parts[6], query, receive, send)
        protocol = next((offered for offered in scope.get("subprotocols", ()) if offered in PROTOCOLS), None)
        if protocol is None or session.kind not in ("exec", "attach"):
            await send({"type": "websocket.close", "code": 4400})  # kubectl then says that it cannot connect
            return
        try:
            lab.cluster.may_connect(headers, session.namespace, session.pod, session.kind)
            lab.cluster.node_server.attach(session.namespace, session.pod, session.container)
        except StatusError:
            await send({"type": "websocket.close", "code": 4403})  # kubectl then posts the same, and shows that answer
            return
        session.says_end = protocol == "v5.channel.k8s.io" and headers.get("user-agent", "").startswith("kubectl")
        await send({"type": "websocket.accept", "subprotocol": protocol})
        try:
            with lab.stream():
                await session.serve()
        except StatusError as error:
            await session.finish(error.status)
        except LabError as error:
            await session.finish({"metadata": {}, "status": "Failure", "message": str(error), "code": 500})
        except Gone:
            return
        await send({"type": "websocket.close", "code": 1000})


async def _forward(
    lab: Lab, namespace: str, pod: str, headers: dict[str, str], scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]],
) -> None:
    """kubectl port-forward."""
    cluster = lab.cluster
    try:
        cluster.may_connect(headers, namespace, pod, "portforward")
    except StatusError:
        await send({"type": "websocket.close", "code": 4403})
        return
    if portforward.PROTOCOL not in scope.get("subprotocols", ()):
        await send({"type": "websocket.close", "code": 4400})
        return
    await send({"type": "websocket.accept", "subprotocol": portforward.PROTOCOL})

    async def ask(port: int, path: str, method: str, sent: str, fields: dict[str, str]) -> tuple[int, str]:
        status, body = await lab.command(
            {"kind": "forward", "namespace": namespace, "pod": pod, "port": port, "path": path[:4_000], "method": method[:10],
             **({"body": sent} if sent else {}), "headers": fields})
        return int(status), str(body)

    def talk(port: int, data: bytes) -> Talk:
        lab.tick_clock()
        try:
            return cluster.node_server.port_talk(namespace, pod, port, data)
        except StatusError:
            return Talk(True)

    def speaks(port: int) -> str:
        try:
            return cluster.node_server.port_speaks(namespace, pod, port)[0]
        except StatusError:
            return ""

    async def tell(port: int, words: list[str]) -> str:
        container = cluster.node_server.port_speaks(namespace, pod, port)[1]
        found = await lab.command({
            "kind": "exec", "namespace": namespace, "pod": pod, "container": container, "argv": ["redis-cli", "--", *words], "stdin": ""})
        return "ERR the server is gone" if isinstance(found, StatusError) else str(found[1])

    async def write(data: bytes) -> None:
        await send({"type": "websocket.send", "bytes": data})

    session = portforward.PortForward(pod, ask, speaks, tell, talk, write)
    while (message := await receive())["type"] == "websocket.receive":
        if not await session.take(message.get("bytes") or b""):
            await send({"type": "websocket.close", "code": 1000})
            return
