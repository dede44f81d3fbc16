"""What may wait for a lab, and how much of it; what waits while requests are held, and which of it goes on."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from django.conf import settings

from clusterlab.apiserver import routes
from clusterlab.apiserver.bodies import Raw
from clusterlab.machinery.errors import StatusError
from clusterlab.web.labs.errors import LabError

if TYPE_CHECKING:
    from clusterlab.web.labs.lab import Lab

__all__ = ["MAX_BATCH", "MAX_JOBS", "MAX_WAITING", "MAX_WAITING_BYTES", "Inbox", "Job", "Waiting", "weight_of"]

#: Commands and runs that may wait at the same time in one lab, and the bytes of the commands.
MAX_WAITING = 1000
MAX_WAITING_BYTES = 32 << 20
MAX_JOBS = 50
#: Commands stored together at most; those after them wait for the next turn.
MAX_BATCH = 200
#: Held requests that a page is told of one by one, and the bytes of a body that is shown.
MAX_TOLD, MAX_SHOWN = 24, 64 << 10
#: What breaks the cluster is no request to it: it is never held.
_NEVER_HELD = ("fault", "heal")


def weight_of(data: dict[str, Any]) -> int:
    """About how many bytes a command takes in the log."""
    return 300 + len(data.get("body", "")) + len(data.get("body64", "")) + len(data.get("query", "")) + len(data.get("stdin", ""))


@dataclass
class Job:
    """Something to run towards. `reached(lab)` is asked after each thing done; `limit` bounds the steps."""

    reached: Callable[[Lab], bool]
    done: asyncio.Future[None]
    limit: int
    start_seq: int


@dataclass
class Waiting:
    """A command that waits. `released`: it goes on although requests are held."""

    number: int
    data: dict[str, Any]
    done: asyncio.Future[Any]
    released: bool = False

    @property
    def free(self) -> bool:
        return self.released or self.data["kind"] in _NEVER_HELD

    def told(self) -> dict[str, Any]:
        """{id, actor, verb, object}: who asks what, without what is in it; as in a span."""
        data = self.data
        if data["kind"] != "request":
            namespace, name = data.get("namespace", ""), data.get("pod") or data.get("node") or ""
            what = "/".join(part for part in ("nodes" if data.get("node") else "pods", namespace, name) if part) if name else data["kind"]
            return {"id": self.number, "actor": data.get("by") or "kubectl", "verb": data["kind"], "object": what}
        route = routes.parse(data["method"].upper(), data["path"])
        parts = (route.resource, route.namespace if route.resource != "namespaces" else "", route.name)
        headers = data["headers"]
        agent = headers.get("user-agent", "").partition("/")[0][:40] or "client"
        verb = f"{route.verb or data['method'].lower()} {route.subresource}".strip()
        what = "/".join(filter(None, parts)) or data["path"][:200]
        return {"id": self.number, "actor": headers.get("impersonate-user", agent)[:60], "verb": verb, "object": what}

    def shown(self) -> dict[str, Any]:
        """`told`, and {method, path, query, body}: the whole of it, its body as YAML where that can be read."""
        data = self.data
        if data["kind"] != "request":
            return {**self.told(), "method": data["kind"], "path": " ".join(data.get("argv", [])), "query": "", "body": ""}
        return {**self.told(), "method": data["method"], "path": data["path"], "query": data["query"][:2000], "body": _body(data)}


def _body(data: dict[str, Any]) -> str:
    raw = base64.b64decode(data["body64"]) if "body64" in data else data["body"].encode()
    if not raw or len(raw) > MAX_SHOWN:
        return f"({len(raw)} bytes)" if raw else ""
    content = data["headers"].get("content-type", "")
    try:
        value = Raw(raw, content, "apply" if "apply-patch" in content else "merge" if "patch" in content else "").parsed()
        return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
    except (StatusError, yaml.YAMLError, RecursionError, ValueError):
        return raw.decode("utf-8", "replace")


class Inbox:
    """The commands that wait for a lab, in the order in which they came. While requests are held, one goes on with each step that
    somebody takes; one that is released goes on by itself, before those that came first."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._number = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def check_room(self, weight: int, commands: int, log_bytes: int) -> None:
        """Raises LabError where one more command would take the lab over a limit: it has taken so many already, of so many bytes."""
        limits = settings.CLUSTERLAB
        if len(self) >= MAX_WAITING or self.bytes + weight > MAX_WAITING_BYTES:
            raise LabError("too many requests wait for this lab already; slow down", code="TooManyRequests", status=429)
        if commands + len(self) >= limits["MAX_COMMANDS_PER_LAB"]:
            message = f"this lab has taken {limits['MAX_COMMANDS_PER_LAB']} commands, as many as it may: start a new one, or reset it"
            raise LabError(message, code="TooManyCommands", status=429)
        if log_bytes + self.bytes + weight > limits["MAX_LOG_BYTES_PER_LAB"]:
            most = limits["MAX_LOG_BYTES_PER_LAB"] >> 20
            message = f"this lab's commands hold {most} MB, as much as they may: start a new one, or reset it"
            raise LabError(message, code="TooManyBytes", status=429)

    def put(self, data: dict[str, Any], done: asyncio.Future[Any]) -> None:
        self._number += 1
        self._waiting.append(Waiting(self._number, data, done))
        self.bytes += weight_of(data)

    def due(self, hold: bool, stepping: bool) -> bool:
        """Whether one of them may go on; `stepping`: somebody waits for the next step."""
        return bool(self._waiting) and (not hold or stepping or any(one.free for one in self._waiting))

    def take(self, hold: bool) -> list[Waiting]:
        """Takes out those whose turn it is: of held ones a single one."""
        if not hold:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
        else:
            taken = [next((one for one in self._waiting if one.free), self._waiting[0])]
            self._waiting.remove(taken[0])
        self.bytes -= sum(weight_of(one.data) for one in taken)
        return taken

    def give_back(self, taken: list[Waiting]) -> None:
        """Those that were taken and not done stand where they stood."""
        self._waiting.extendleft(reversed(taken))
        self.bytes += sum(weight_of(one.data) for one in taken)

    def clear(self) -> list[Waiting]:
        """Empties it; returns what was in it."""
        left, self.bytes = list(self._waiting), 0
        self._waiting.clear()
        return left

    def find(self, number: int) -> Waiting:
        """The command of a number. Raises LabError."""
        found = next((one for one in self._waiting if one.number == number), None)
        if found is None:
            raise LabError(f"no request {number} is held; it may have gone on", "id", "NotFound", 404)
        return found

    def told(self) -> dict[str, Any]:
        """{count, requests}: what waits at the door, as the stream tells it; the first two dozen one by one."""
        held = [one for one in self._waiting if not one.free]
        return {"count": len(held), "requests": [one.told() for one in held[:MAX_TOLD]]}
