"""A real server for tests: Daphne in a process of its own, on a free loopback port, with a database of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from typing import Any

from tests import forkserver
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent
#: A machine may be busy.
START_S = 180
KUBECTL = Path(sys.executable).parent / "kubectl"


def _ports() -> Iterator[int]:
    """The ports of this process of the tests, over and over.

    The system gives those from 32768 up to any connection, and so to another one while a server restarts; two workers that ask for a free
    one at the same time may be told the same. So each worker has 2,000 below to itself."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw10").removeprefix("gw")) % 11
    first = 10_100 + 2_000 * number  # browsers refuse 10080
    return cycle([first + (os.getpid() * 37 + step) % 2_000 for step in range(2_000)])


_PORTS = _ports()


def free_port() -> int:
    """A port that nobody listens at, and nobody else is given meanwhile."""
    for port, _ in zip(_PORTS, range(2_000), strict=False):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port of this worker is free")


def migrate(env: dict[str, str]) -> None:
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=env, check=True, timeout=START_S)


@cache
def migrated() -> Path:
    """An empty database with all migrations done, made once for each state of the migrations and copied from then on."""
    state = sha256()
    for path in sorted(ROOT.glob("clusterlab/**/migrations/*.py")):
        state.update(path.read_bytes())
    for path in (ROOT / "requirements.txt", ROOT / "clusterlab" / "web" / "settings.py"):
        state.update(path.read_bytes())
    made = Path(tempfile.gettempdir()) / f"clusterlab-{os.getuid()}-{state.hexdigest()[:16]}.sqlite3"
    if not made.exists():
        with tempfile.TemporaryDirectory() as folder:
            migrate({**os.environ, "CLUSTERLAB_VAR": folder})
            shutil.copyfile(Path(folder) / "clusterlab.sqlite3", f"{made}.{os.getpid()}")
        Path(f"{made}.{os.getpid()}").replace(made)
    return made


class Server:
    """Starts on `start`, ends on `stop` (SIGTERM) or `kill` (SIGKILL); `folder` holds the database.

    It is a fork of a process that has everything imported (tests/forkserver.py), or with `whole` what `make run` starts."""

    def __init__(self, folder: Path, whole: bool = False, **env: str) -> None:
        self.folder, self.whole = folder, whole
        #: What a whole one runs: a module and its first arguments.
        self.module = ["clusterlab.web.serve"]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Only tests that are about it have TLS.
        self.env = {**os.environ, "CLUSTERLAB_VAR": str(folder), "CLUSTERLAB_PORT": str(self.port), "CLUSTERLAB_TLS_PORT": "0", **env}
        self.process: subprocess.Popen[bytes] | forkserver.Forked | None = None
        database = folder / "clusterlab.sqlite3"
        if not database.exists() and "DATABASE_URL" not in self.env and "CLUSTERLAB_DB" not in self.env:
            shutil.copyfile(migrated(), database)
            if "CLUSTERLAB_OIDC_URL" in self.env:  # which brings apps with tables of their own
                migrate(self.env)
        else:
            migrate(self.env)

    def start(self, headers: dict[str, str] | None = None) -> Server:
        log = self.folder / "server.log"
        if self.whole:
            command = [sys.executable, "-m", *self.module, "--port", str(self.port)]
            with log.open("ab") as out:
                self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=out, stderr=out)
        else:
            self.process = forkserver.start(self.port, self.env, log)
        ends = time.monotonic() + START_S
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                raise RuntimeError("the server ended:\n" + log.read_text()[-3000:])
            try:
                urllib.request.urlopen(urllib.request.Request(self.url + "/healthz", headers=headers or {}), timeout=5)
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the server did not come up in {START_S} s")

    def stop(self, how: int = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def call(self, method: str, path: str, body: Any = None, key: str = "", raw: bytes | None = None) -> tuple[int, Any]:
        """(status, JSON answer) of a call to the REST API."""
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text.decode(errors="replace")

    def lab(self, **body: Any) -> ServerLab:
        status, made = self.call("POST", "/api/labs", body)
        assert status == 201, made
        return ServerLab(self, made)

    def lab_from(self, file: dict[str, Any]) -> ServerLab:
        """The lab of a file, opened here."""
        status, made = self.call("POST", "/api/labs/import", file)
        assert status == 201, made
        return ServerLab(self, made)


class Followed:
    """A program under way and the lines that it has written. (`communicate` knows nothing of what was read before.)"""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines = process, list[str]()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until(self, holds: Callable[[list[str]], Any], what: str) -> None:
        """Waits until something can be said of the lines."""
        until(lambda: holds(self.lines) or self.process.poll() is not None, what)
        self._reader.join(0 if self.process.poll() is None else 30)
        assert holds(self.lines), f"it has ended: {what}: {self.lines[-5:]}"

    def ended(self, timeout_s: float = 60) -> int:
        """Its exit code, once it has ended by itself and everything is read."""
        code = self.process.wait(timeout_s)
        self._reader.join(30)
        return code

    def terminate(self) -> list[str]:
        """Ends it; its lines."""
        self.process.terminate()
        self.ended()
        return self.lines


class ServerLab:
    """A lab on a test server."""

    def __init__(self, server: Server, made: dict[str, Any]) -> None:
        self.server, self.id, self.key, self.kube = server, made["id"], made["key"], made["server"]
        self.kubeconfig = server.folder / f"{self.id}.kubeconfig"
        with urllib.request.urlopen(self.kube + "/kubeconfig", timeout=20) as answer:
            self.kubeconfig.write_bytes(answer.read())

    def call(self, method: str, path: str = "", body: Any = None) -> Any:
        status, answer = self.server.call(method, f"/api/labs/{self.id}{path}", body, self.key)
        assert status < 400, answer
        return answer

    def settle(self) -> dict[str, Any]:
        return self.call("POST", "/run", {"until": "settled"})

    def follow(self, *words: str) -> Followed:
        """kubectl in the background, whose lines are read as they come."""
        return Followed(self.start(*words))

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """kubectl in the background."""
        command = [str(KUBECTL), "--kubeconfig", str(self.kubeconfig), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def kubectl(self, line: str | list[str], stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs kubectl to its end."""
        words = line.split() if isinstance(line, str) else line
        command = [str(KUBECTL), "--kubeconfig", str(self.kubeconfig), *words]
        return subprocess.run(command, input=stdin, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)

    def get(self, line: str) -> Any:
        """The JSON of `kubectl get LINE -o json`."""
        done = self.kubectl(f"get {line} -o json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
