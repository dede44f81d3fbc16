"""RabbitMQ's management API, as far as it tells of queues (deps/rabbitmq_management). Messages themselves come and go by AMQP
(runtime.shell.broker)."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from clusterlab.network.exchange import Asked
from clusterlab.runtime.applications.base import Application, Said, hostname, json_text
from clusterlab.runtime.shell.box import Box
from clusterlab.runtime.shell.broker import Broker

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["RABBITMQ"]

_PAGE = "<!DOCTYPE html>\n<html>\n<head><title>RabbitMQ Management</title></head>\n<body></body>\n</html>\n"


def _answer(runtime: Runtime, container: Container, asked: Asked) -> Said | None:
    path = asked.path.partition("?")[0].rstrip("/")
    if not path.startswith("/api"):
        return Said(200, _PAGE) if path in {"", "/index.html"} else Said(404, '{"error":"Object Not Found","reason":"Not Found"}')
    broker = Broker(Box(runtime, container), container.id)
    try:
        user, _, password = b64decode(asked.header("Authorization").removeprefix("Basic ")).decode().partition(":")
    except ValueError:
        user = password = ""
    if not broker.lets_in(user, password):
        return Said(401, '{"error":"not_authorized","reason":"Login failed"}')
    queues = [{"name": name, "vhost": "/", "type": "classic", "durable": True, "messages": len(found), "messages_ready": len(found),
               "state": "running"} for name, found in broker.queues.items()]
    if path in {"/api/queues", "/api/queues/%2F", "/api/queues/%2f"}:
        return Said(200, json_text(queues))
    if path == "/api/overview":
        total = sum(len(found) for found in broker.queues.values())
        return Said(200, json_text({"node": f"rabbit@{hostname(runtime, container)}", "queue_totals": {"messages": total},
                                    "object_totals": {"queues": len(queues)}}))
    one = next((each for each in queues if path.rsplit("/", 1)[-1] == each["name"]), None)
    return Said(404, '{"error":"Object Not Found","reason":"Not Found"}') if one is None else Said(200, json_text(one))


RABBITMQ = {"rabbitmq": Application(_answer)}
