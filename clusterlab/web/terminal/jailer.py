"""The server's side of `web.jail.spawner`: starts it when it is needed first, orders programs from it, hears when they end.

`walls()` says how well programs are confined. Without files and network closed off they are run for a server on loopback only.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from clusterlab.web import bounded
from clusterlab.web.jail.spawner import MESSAGE

__all__ = ["Child", "Jailer", "Walls", "jailer", "plain_port"]

ROOT = Path(__file__).resolve().parents[3]
_START = "import sys; sys.path[:0] = {!r}; from clusterlab.web.jail.spawner import main; main()"
#: Long enough for a machine that has much else to do: who waits for less gets a terminal that cannot be opened.
START_S = 60
#: The spawner reads no faster: what could not be said is said again so much later.
AGAIN_S = 0.02
#: Where TLS is in a network of the programs' own: where every kube-apiserver is.
TLS_PORT = 6443

_log = logging.getLogger(__name__)


def plain_port() -> int:
    """Where programs reach the server without TLS."""
    return int(os.environ.get("CLUSTERLAB_PORT", "8000"))


def _places() -> list[str]:
    """Where the spawner finds what it imports: this code, PyYAML, and jq, where that is installed."""
    found = [(importlib.util.find_spec(name), up) for name, up in (("yaml", 1), ("jq", 0))]
    return [str(ROOT), *dict.fromkeys(str(Path(each.origin).parents[up]) for each, up in found if each is not None and each.origin)]


@dataclass(frozen=True)
class Walls:
    """What stands around programs. `network`: they live where only the server's API is; `port`: they may connect to its port alone."""

    files: bool = False
    network: bool = False
    port: bool = False
    calls: bool = False

    @property
    def confined(self) -> bool:
        return self.files and self.calls and (self.network or self.port)


@dataclass
class Child:
    """A program under way."""

    pid: int
    ended: asyncio.Future[int]
    jailer: Jailer

    def signal(self, number: int) -> None:
        """To the program and whatever it started."""
        if self.ended.done():
            return
        try:
            self.jailer.say({"kill": self.pid, "signal": number})
        except BlockingIOError:
            self.ended.get_loop().call_later(AGAIN_S, self.signal, number)


class Jailer:
    """Orders programs. One for each server; made anew when its process has ended or another event loop runs."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.walls = Walls()
        #: Where programs reach the Kubernetes endpoint over TLS on their 127.0.0.1; 0 where they do not.
        self.tls_port = 0
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._orders: dict[int, asyncio.Future[Child]] = {}
        self._children: dict[int, Child] = {}
        self._last = 0

    @property
    def up(self) -> bool:
        """Whether the spawner runs, so that what is said here holds."""
        return self._control is not None

    async def ready(self) -> Walls:
        """Starts the spawner unless it runs; how programs are confined."""
        loop = asyncio.get_running_loop()
        if self.loop is not loop:
            self._drop()
            self.loop, self._starting = loop, None
        if self._control is None:
            if self._starting is None or self._starting.done():
                self._starting = asyncio.create_task(self._start(), context=Context())
            await asyncio.shield(self._starting)
        return self.walls

    async def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET if sys.platform.startswith("linux") else socket.SOCK_DGRAM)
        jail = settings.CLUSTERLAB["TERMINAL_JAIL"]
        ports = [plain_port(), TLS_PORT + (plain_port() == TLS_PORT)] if jail in ("auto", "network") and bounded.can_adopt() else []
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START.format(_places()), str(theirs.fileno()), *map(str, ports)],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd="/", env={"PATH": "/usr/bin:/bin"},
            )
        ours.settimeout(START_S)
        loop = asyncio.get_running_loop()
        data, descriptors, _, _ = await loop.run_in_executor(None, socket.recv_fds, ours, MESSAGE, 2)
        if not data:
            raise OSError("the process that starts programs did not come up")
        hello = json.loads(data)["hello"]
        self.tls_port = 0
        for descriptor, tls in zip(descriptors, (False, True), strict=False):
            self._adopt(descriptor, tls)
        if not descriptors and bounded.can_adopt():  # on the machine's loopback, then
            with socket.create_server(("127.0.0.1", 0)) as door:
                self._adopt(os.dup(door.fileno()), True)
        ours.setblocking(False)
        self._control = ours
        files = hello["landlock"] >= 1 and jail != "off"
        self.walls = Walls(files, hello["network"], files and hello["landlock"] >= 4, files and hello["seccomp"])
        loop.add_reader(ours, self._hear)

    def _adopt(self, descriptor: int, tls: bool) -> None:
        """Has the server serve a listening socket. Where it can have no certificates, there is no TLS."""
        try:
            bounded.adopt(descriptor, tls)
            if tls:
                with socket.socket(fileno=os.dup(descriptor)) as door:
                    self.tls_port = door.getsockname()[1]
        except OSError:
            _log.exception("the terminals have no TLS")
        finally:
            os.close(descriptor)

    def say(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Raises BlockingIOError where more was said than the spawner has read."""
        assert self._control is not None
        socket.send_fds(self._control, [json.dumps(message).encode()], list(descriptors))

    def _hear(self) -> None:
        while self._control is not None:
            try:
                data = self._control.recv(MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._drop()
                return
            self._heard(json.loads(data))

    def _heard(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            child = self._children.pop(message["ended"], None)
            if child is not None and not child.ended.done():
                child.ended.set_result(message["code"])
            return
        order = self._orders.pop(message["id"], None)
        if "error" in message:
            if order is not None and not order.done():
                order.set_exception(OSError(message["error"]))
            return
        child = Child(message["pid"], asyncio.get_running_loop().create_future(), self)
        self._children[child.pid] = child
        if order is None or order.done():
            child.signal(signal.SIGKILL)  # whoever ordered it has left
        else:
            order.set_result(child)

    def _drop(self) -> None:
        """The spawner has gone; so has everything it started."""
        control, self._control = self._control, None
        if control is not None:
            if self.loop is not None and not self.loop.is_closed():
                self.loop.remove_reader(control)
            control.close()
        if self._process is not None:
            self._process.poll()
        for order in self._orders.values():
            if not order.done() and not order.get_loop().is_closed():
                order.set_exception(OSError("the process that starts programs has ended"))
        for child in self._children.values():
            if not child.ended.done() and not child.ended.get_loop().is_closed():
                child.ended.set_result(-9)
        self._orders, self._children = {}, {}

    async def spawn(
        self, argv: Sequence[str], env: dict[str, str], cwd: Path, read: Sequence[Path], write: Sequence[Path], descriptors: Sequence[int],
        tty: bool = False, forks: bool = False, keep: Path | None = None, filters: str = "",
    ) -> Child:
        """Starts a program on three descriptors. Raises OSError. `forks`: it has to start another kubectl.
        `keep`: a folder in which it may make files but remove none. `filters`: it is "jq" or "openssl", for which no program is started."""
        walls = await self.ready()
        self._last += 1
        order: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._orders[self._last] = order
        message = {
            "id": self._last, "argv": list(argv), "env": env, "cwd": str(cwd), "read": [str(path) for path in read],
            "write": [str(path) for path in write], "keep": [str(keep)] if keep else [],
            "ports": [plain_port(), *([self.tls_port] if self.tls_port else [])],
            "jail": walls.files and walls.calls, "forks": forks, "tty": tty, "filter": filters,
        }
        while not order.done():
            try:
                self.say(message, descriptors)
                break
            except BlockingIOError:
                await asyncio.sleep(AGAIN_S)
        return await order


#: The one of this process.
jailer = Jailer()
