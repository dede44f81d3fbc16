"""Servers that start quickly: the model is imported and booted once, and each server is a fork of that.

`python -m tests.forkserver` obeys a line of JSON at a time: `{"start": {"env", "log", "port"}}` forks one and answers with its process id,
`{"poll": PID}` answers with its exit code (null while it lives), `{"signal": [PID, NUMBER]}` sends it a signal. Its servers end with it.
`start` has one such process for each process of the tests.

Only the parent may signal them: it knows which of its children have ended, and the system gives the number of one that has to a stranger.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Forked", "start"]

ROOT = Path(__file__).resolve().parent.parent
#: The first answer comes when it has imported everything.
ANSWER_S = 180
#: What takes long to import, makes no threads, no sockets and no event loop, and reads no settings.
READY = (
    "aiohttp", "plotly.graph_objects", "prometheus_client", "redis.asyncio", "django.db.models", "channels.layers", "requests", "markdown_it",
    "nh3", "jsonschema_rs", "jwt", "cryptography.hazmat.primitives.serialization", "jwcrypto.jwk", "psycopg", "twisted.web.http",
    "autobahn.websocket.protocol", "pylti1p3.contrib.django", "clusterlab.lessons.loader", "channels.generic.websocket",
    "django.contrib.sessions.middleware", "django.middleware.csrf",
)


class Forked:
    """A server under way, as a `subprocess.Popen` is, but the child of another process, which is asked about it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _ask(poll=self.pid)
        return self.returncode

    def send_signal(self, number: int) -> None:
        _ask(signal=[self.pid, number])

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        until = time.monotonic() + (timeout or float("inf"))
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("serve", timeout or 0)
            time.sleep(0.01)
        return code


@cache
def _mother() -> tuple[subprocess.Popen[str], threading.Lock]:
    command = [sys.executable, "-m", "tests.forkserver"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True), threading.Lock()


def _ask(**order: Any) -> Any:
    mother, one = _mother()
    assert mother.stdin is not None and mother.stdout is not None
    with one:
        mother.stdin.write(json.dumps(order) + "\n")
        mother.stdin.flush()
        if not select.select([mother.stdout], [], [], ANSWER_S)[0]:  # it writes a line for a line, so none waits in our buffer
            raise RuntimeError(f"the process that servers are forks of did not answer in {ANSWER_S} s")
        return json.loads(mother.stdout.readline())


def start(port: int, env: dict[str, str], log: Path) -> Forked:
    """A server on a port."""
    return Forked(_ask(start={"env": env, "log": str(log), "port": port}))


class _Children:
    """The servers that were forked, until they are known to have ended."""

    def __init__(self) -> None:
        self.codes: dict[int, int | None] = {}

    def start(self, order: dict[str, Any]) -> int:
        child = os.fork()
        if child == 0:
            serve(**order)
        self.codes[child] = None
        return child

    def poll(self, pid: int) -> int | None:
        if self.codes[pid] is None:
            ended, status = os.waitpid(pid, os.WNOHANG)
            self.codes[pid] = os.waitstatus_to_exitcode(status) if ended else None
        return self.codes[pid]

    def signal(self, order: list[int]) -> None:
        pid, number = order
        if self.poll(pid) is None:
            os.kill(pid, number)

    def end(self) -> None:
        for pid in self.codes:
            self.signal([pid, signal.SIGKILL])


def main() -> None:
    for name in READY:
        importlib.import_module(name)
    from clusterlab.cluster import Cluster
    from clusterlab.scenario.load import load

    Cluster(load({"apiVersion": "clusterlab/v1", "kind": "Scenario"}))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the tests does not mean this: it ends with its standard input
    children = _Children()
    for line in sys.stdin:
        ((order, value),) = json.loads(line).items()
        print(json.dumps(getattr(children, order)(value)), flush=True)
    children.end()


def serve(env: dict[str, str], log: str, port: int) -> None:
    os.environ.clear()
    os.environ.update(env)
    null, out = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor, place in ((null, 0), (out, 1), (out, 2)):
        os.dup2(descriptor, place)
    code = 1
    try:
        from clusterlab.web import serve

        sys.argv = ["serve", "--port", str(port)]
        serve.main()
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
