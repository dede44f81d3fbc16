"""What a RabbitMQ server keeps: its queues and the messages in them, with its container's files or in its volume."""

from __future__ import annotations

import json
from typing import Any

from clusterlab.network.runtimes import holder_of

__all__ = ["Broker"]

_KEPT = "\0amqp"
#: Queues of a server, messages of a queue, characters of a message, and of all messages together: beyond these they are dropped.
QUEUES_MOST, MESSAGES_MOST, BODY_MOST, ALL_MOST = 100, 2_000, 20_000, 200_000


class Broker:
    """One server, found by its container's id. `queues`: name -> its messages, the oldest first."""

    def __init__(self, box: Any, container_id: str) -> None:
        runtime: Any = holder_of(box.runtime.sim, container_id) or box.runtime
        self.runtime, self.container = runtime, runtime.containers[container_id]
        folder = "/var/lib/rabbitmq"
        mounts = self.container.config.mounts
        volume = next((mount.volume for mount in mounts if mount.path.rstrip("/") and folder.startswith(mount.path.rstrip("/"))), "")
        self._volume = volume or f"{self.container.pod_uid}/#{container_id}"
        self.queues: dict[str, list[str]] = json.loads((runtime.volumes.get(self._volume) or {}).get(_KEPT, "{}"))

    def _keep(self) -> None:
        self.runtime.volumes[self._volume] = {**(self.runtime.volumes.get(self._volume) or {}), _KEPT: json.dumps(self.queues)}

    @property
    def image(self) -> str:
        return str(self.container.config.image)

    def lets_in(self, user: str, password: str) -> bool:
        """Whether a user may connect: the default one, which the container's variables may name."""
        env = dict(self.container.config.env)
        return (user, password) == (env.get("RABBITMQ_DEFAULT_USER") or "guest", env.get("RABBITMQ_DEFAULT_PASS") or "guest")

    def declare(self, name: str) -> bool:
        """Makes a queue unless it is there; False where there are too many."""
        if name not in self.queues:
            if len(self.queues) >= QUEUES_MOST or len(name) > 255:
                return False
            self.queues[name] = []
            self._keep()
        return True

    def delete(self, name: str) -> int | None:
        """How many messages went with a queue; None where there was none."""
        gone = self.queues.pop(name, None)
        self._keep()
        return None if gone is None else len(gone)

    def publish(self, name: str, body: str) -> bool:
        """Adds a message; False where there is no such queue or no room, so that the message goes nowhere."""
        if name not in self.queues or len(self.queues[name]) >= MESSAGES_MOST:
            return False
        if sum(len(each) for waiting in self.queues.values() for each in waiting) + len(body[:BODY_MOST]) > ALL_MOST:
            return False
        self.queues[name].append(body[:BODY_MOST])
        self._keep()
        return True

    def take(self, name: str) -> str | None:
        """The oldest message; None where the queue is empty."""
        if not self.queues.get(name):
            return None
        found = self.queues[name].pop(0)
        self._keep()
        return found
