"""Servers that start quickly: the model is imported and booted once, and each server is a fork of that.

`python -m tests.forkserver` forks one for each line on its standard input, `{"env", "log", "port"}` in JSON, and prints its process id;
they end with it. `start` has one such process for each process of the tests.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

__all__ = ["Forked", "start"]

ROOT = Path(__file__).resolve().parent.parent
#: What takes long to import, makes no threads, no sockets and no event loop, and reads no settings.
READY = (
    "aiohttp", "plotly.graph_objects", "prometheus_client", "redis.asyncio", "django.db.models", "channels.layers", "requests", "markdown_it",
    "nh3", "jsonschema_rs", "jwt", "cryptography.hazmat.primitives.serialization", "jwcrypto.jwk", "psycopg", "twisted.web.http",
    "autobahn.websocket.protocol", "pylti1p3.contrib.django", "clusterlab.lessons.loader", "channels.generic.websocket",
    "django.contrib.sessions.middleware", "django.middleware.csrf",
)


class Forked:
    """A server under way, as a `subprocess.Popen` is: it is the child of another process, so its exit code is not known."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                self.returncode = 0
        return self.returncode

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

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


def start(port: int, env: dict[str, str], log: Path) -> Forked:
    """A server on a port."""
    mother, one = _mother()
    assert mother.stdin is not None and mother.stdout is not None
    with one:
        mother.stdin.write(json.dumps({"env": env, "log": str(log), "port": port}) + "\n")
        mother.stdin.flush()
        return Forked(int(mother.stdout.readline()))


def main() -> None:
    for name in READY:
        importlib.import_module(name)
    from clusterlab.cluster import Cluster
    from clusterlab.scenario.load import load

    Cluster(load({"apiVersion": "clusterlab/v1", "kind": "Scenario"}))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the tests does not mean this: it ends with its standard input
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    children = []
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            serve(**json.loads(line))
        children.append(child)
        print(child, flush=True)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


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
