"""`python -m clusterlab.web.scale.stack`: a whole deployment on one machine, to try out and to test.

PostgreSQL and Redis from the system's packages, on sockets in a folder of their own; web processes and lab hosts, each on a loopback port.
For real use each of them is a service of its own (docs/deploy.md).
"""

from __future__ import annotations

import argparse
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

__all__ = ["Missing", "Node", "Stack"]

ROOT = Path(__file__).resolve().parent.parent.parent.parent
START_S = 180


class Missing(RuntimeError):
    """A program that is not installed."""


def _program(name: str) -> str:
    """A program on the path, or among PostgreSQL's own, which Debian keeps beside it. Raises Missing."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = [shutil.which(name), *map(str, beside)] if name == "redis-server" else [*map(str, beside), shutil.which(name)]
    for path in found:
        if path:
            return path
    raise Missing(f"{name} is not installed: apt-get install postgresql redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launched(port: int, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """A server on a port."""
    with log.open("ab") as out:
        command = [sys.executable, "-m", "clusterlab.web.serve", "--port", str(port)]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)


class Node:
    """One process of the deployment."""

    def __init__(self, stack: Stack, role: str, number: int, port: int) -> None:
        self.stack, self.role, self.name, self.port = stack, role, f"{role}-{number}", port
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {**self.stack.env, "CLUSTERLAB_ROLE": self.role, "CLUSTERLAB_PORT": str(self.port), "CLUSTERLAB_ADDRESS": self.url}
        self.process = self.stack.launch(self.port, env, self.stack.folder / f"{self.name}.log")

    def await_ready(self) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(self.url + "/readyz", timeout=5)
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{self.name} is not ready:\n" + (self.stack.folder / f"{self.name}.log").read_text()[-3000:])

    def end(self, how: int = signal.SIGTERM) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Stack:
    """PostgreSQL, Redis, web processes and lab hosts, which `launch` starts."""

    def __init__(
        self, folder: Path, webs: int = 2, hosts: int = 2, ports: list[int] | None = None,
        launch: Callable[[int, dict[str, str], Path], subprocess.Popen[bytes]] = launched,
        free_port: Callable[[], int] = free_port, **env: str,
    ) -> None:
        self.folder, self.launch = folder, launch
        numbers = ports or [free_port() for _ in range(webs)]
        self.webs = [Node(self, "web", number + 1, port) for number, port in enumerate(numbers)]
        self.hosts = [Node(self, "host", number + 1, free_port()) for number in range(hosts)]
        self._servers: list[subprocess.Popen[bytes]] = []
        self._as: list[str] = []  # what starts a program as PostgreSQL's user
        self._base = Path(tempfile.mkdtemp(prefix="clusterlab-"))  # paths of sockets must be short
        self.env = {
            **os.environ, "CLUSTERLAB_VAR": str(folder), "CLUSTERLAB_SECRET_KEY": secrets.token_urlsafe(40),
            "DATABASE_URL": f"postgresql://postgres@{quote(str(self._base / 'pg'), safe='')}/postgres",
            "REDIS_URL": f"unix://{self._base / 'redis'}", **env,
        }

    def start(self) -> Stack:
        """Starts everything; returns once it is ready. Raises Missing."""
        initdb, postgres, redis = _program("initdb"), _program("postgres"), _program("redis-server")
        self._start_postgres(initdb, postgres)
        options = ["--port", "0", "--unixsocket", str(self._base / "redis"), "--save", "", "--appendonly", "no", "--dir", str(self._base)]
        self._run([redis, *options], "redis")
        self._await("redis", self._redis_answers)
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=self.env, check=True, timeout=START_S)
        for node in [*self.hosts, *self.webs]:
            node.start()
        for node in [*self.hosts, *self.webs]:
            node.await_ready()
        return self

    def _start_postgres(self, initdb: str, postgres: str) -> None:
        """PostgreSQL refuses to run as root; then it runs as the user that its package made."""
        data, sockets = self._base / "data", self._base / "pg"
        sockets.mkdir(mode=0o700)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chmod(self._base, 0o711)
            data.mkdir(mode=0o700)
            for path in (data, sockets):
                os.chown(path, user.pw_uid, user.pw_gid)
            self._as = [shutil.which("runuser") or "/usr/sbin/runuser", "-u", "postgres", "--"]
        done = subprocess.run(
            [*self._as, initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], cwd="/", capture_output=True,
            check=False, timeout=START_S,
        )
        if done.returncode:
            raise RuntimeError("initdb failed:\n" + done.stderr.decode(errors="replace"))
        self._run([*self._as, postgres, "-D", str(data), "-k", str(sockets), "-c", "listen_addresses="], "postgres")
        self._await("postgres", self._postgres_answers)

    def _run(self, command: list[str], name: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self._servers.append(subprocess.Popen(command, cwd="/", stdout=log, stderr=log))

    def _await(self, name: str, answers: Callable[[], bool]) -> None:
        until = time.monotonic() + START_S
        while not answers():
            if time.monotonic() > until or self._servers[-1].poll() is not None:
                raise RuntimeError(f"{name} did not come up; see the logs in {self.folder}")
            time.sleep(0.1)

    def _redis_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.settimeout(5)
            client.connect(str(self._base / "redis"))
            client.sendall(b"PING\r\n")
            return client.recv(100).startswith(b"+PONG")
        return False

    def _postgres_answers(self) -> bool:
        """Its socket is there some time before it takes anybody."""
        import psycopg

        with suppress(psycopg.OperationalError):
            psycopg.connect(self.env["DATABASE_URL"], connect_timeout=5).close()
            return True
        return False

    def restart_database(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Has PostgreSQL die on the spot, and start again when `meanwhile` is over."""
        self._control("stop", "-m", "immediate")
        try:
            meanwhile()
        finally:
            self._control("start", "-l", os.devnull, "-o", f"-k {self._base / 'pg'} -c listen_addresses=")

    def _control(self, *words: str) -> None:
        command = [*self._as, _program("pg_ctl"), "-D", str(self._base / "data"), "-w", "-t", "110", "-s", *words]
        subprocess.run(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=120)

    def stop(self) -> None:
        """Ends everything, the databases last; their data goes."""
        for node in [*self.webs, *self.hosts]:
            if node.process is not None and node.process.poll() is None:
                node.process.send_signal(signal.SIGTERM)
        for node in [*self.webs, *self.hosts]:
            node.end()
        if (data := self._base / "data").exists():  # what was started may be the program that changes the user
            command = [*self._as, _program("pg_ctl"), "-D", str(data), "-m", "fast", "-W", "-s", "stop"]
            subprocess.run(command, cwd="/", capture_output=True, check=False, timeout=60)
        for server in reversed(self._servers):
            if server is not self._servers[0]:
                server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
        shutil.rmtree(self._base, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run clusterlab as several processes on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="of the first web process; the others follow")
    parser.add_argument("--webs", type=int, default=2)
    parser.add_argument("--hosts", type=int, default=2)
    options = parser.parse_args()
    folder = ROOT / "var" / "scaled"
    folder.mkdir(parents=True, exist_ok=True)
    stack = Stack(folder, hosts=options.hosts, ports=[options.port + i for i in range(options.webs)])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        stack.start()
        print("clusterlab is at " + " and ".join(f"{node.url}/" for node in stack.webs) + "   (Ctrl-C stops it; its labs go with it)")
        print(f"lab hosts: {', '.join(node.url for node in stack.hosts)}   logs: {folder}", flush=True)
        while all(node.process is not None and node.process.poll() is None for node in stack.webs):
            time.sleep(1)
    except Missing as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
