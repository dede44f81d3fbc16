"""A bench for lessons: one cluster at a time behind the real kubectl, on a loopback port, without the web application.

`Bench.kubectl` runs a line exactly as a learner types it. While kubectl waits (rollout status, wait, delete), the cluster is run on; while
kubectl merely has no turn on a busy machine, it is not, so that the same lesson takes the same simulated time everywhere.
"""

from __future__ import annotations

import argparse
import base64
import os
import shlex
import subprocess
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from clusterlab.cluster import Cluster
from clusterlab.lessons.kubectl import SHORT_LIVED, kubectl_path

__all__ = ["Bench"]

#: kubectl is looked at this often, waits for the cluster when it was found asleep so many times in a row, and may take so long altogether.
LOOK_S, ASLEEP, TIMEOUT_S = 0.05, 4, 40.0
#: Simulated time that a waiting kubectl lets pass at most, in one slice.
SLICE_MS = 2_000
#: A waiting kubectl is given up when so much simulated time has passed.
GIVE_UP_MS = 600_000
HEADERS = {"accept", "content-type", "authorization", "user-agent"}


#: What kubectl rollout restart says when it is given twice within a second of the wall clock, which no learner does.
TOO_SOON = "restart has already been triggered within the past second"


class Bench:
    """Serves `cluster`, which may be changed at any time, to kubectl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster: Cluster | None = None
        self.lock = threading.RLock()
        self.serving: set[int] = set()  # threads that work on what kubectl waits for, watches aside
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="bench", daemon=True).start()
        (folder / "home").mkdir(parents=True, exist_ok=True)
        config = folder / "home" / "kubeconfig"
        config.write_text(
            f"apiVersion: v1\nkind: Config\nclusters:\n- name: lab\n  cluster: {{server: http://127.0.0.1:{self._server.server_port}}}\n"
            "contexts:\n- name: lab\n  context: {cluster: lab, user: lab, namespace: default}\n"
            "current-context: lab\nusers:\n- name: lab\n  user: {}\n"
        )
        self._env = {
            "HOME": str(folder / "home"), "KUBECONFIG": str(config), "PATH": os.environ.get("PATH", ""), "TERM": "dumb",
            **SHORT_LIVED,
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def line(self, line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Runs a kubectl or etcdctl line. etcdctl, and kubectl exec, for which no websocket is opened, are answered by the model itself."""
        words = shlex.split(line, comments=True)
        if words[:1] == ["etcdctl"]:
            assert self.cluster is not None
            with self.lock:
                code, out, err = self.cluster.history.execute({"kind": "etcdctl", "argv": words[1:]})
            return subprocess.CompletedProcess(words, code, out, err)
        if words[1:2] == ["exec"]:
            return self._exec(words)
        return self.kubectl(line, cwd)

    def _exec(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
        parser.add_argument("-n", "--namespace", default="default")
        parser.add_argument("-c", "--container", default="")
        parser.add_argument("pod")
        at = words.index("--") if "--" in words else len(words)
        try:
            given = parser.parse_args(words[2:at])
        except (argparse.ArgumentError, SystemExit) as error:
            return subprocess.CompletedProcess(words, 1, "", f"write kubectl exec POD [-n …] [-c …] -- COMMAND: {error}")
        assert self.cluster is not None
        pod = given.pod.removeprefix("pod/")
        found = self.cluster.find(f"pods/{given.namespace}/{pod}")
        if found is None:
            return subprocess.CompletedProcess(words, 1, "", f'Error from server (NotFound): pods "{pod}" not found')
        with self.lock:
            answer = self.cluster.history.execute({
                "kind": "exec", "namespace": given.namespace, "pod": pod, "argv": words[at + 1 :],
                "container": given.container or found["spec"]["containers"][0]["name"],
            })
        if hasattr(answer, "stdout"):
            return subprocess.CompletedProcess(words, answer.code, answer.stdout, answer.stderr)
        return subprocess.CompletedProcess(words, 1, "", str(answer))

    def kubectl(self, line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Runs a line to its end in a folder; one that came too soon for kubectl's own clock runs again a second later."""
        done = self._kubectl(line, cwd)
        if done.returncode and TOO_SOON in done.stderr:
            time.sleep(1.1)
            done = self._kubectl(line, cwd)
        return done

    def _kubectl(self, line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line, comments=True)
        command = [kubectl_path(), *(words[1:] if words[:1] == ["kubectl"] else words)]
        process = subprocess.Popen(
            command, cwd=cwd, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started_ms = self.cluster.sim.time_ms if self.cluster else 0
        waited_s, asleep = 0.0, 0
        while True:
            try:
                out, err = process.communicate(timeout=LOOK_S)
                return subprocess.CompletedProcess(command, process.returncode, out, err)
            except subprocess.TimeoutExpired:
                waited_s += LOOK_S
            asleep = 0 if self.serving or _at_work(process.pid) else asleep + 1
            with self.lock:
                if asleep >= ASLEEP:
                    self._run_on()
                passed_ms = self.cluster.sim.time_ms - started_ms if self.cluster else 0
            if waited_s > TIMEOUT_S or passed_ms > GIVE_UP_MS:
                process.kill()
                out, err = process.communicate()
                return subprocess.CompletedProcess(command, -1, out, err + "\nkubectl was still waiting and was stopped")

    def _run_on(self) -> None:
        assert self.cluster is not None
        history = self.cluster.history
        until_ms = self.cluster.sim.time_ms + SLICE_MS
        while (due := history.next_time()) is not None and due <= until_ms:
            history.advance()
        self.cluster.sim.time_ms = max(self.cluster.sim.time_ms, until_ms)


def _at_work(pid: int) -> bool:
    """Whether a program is busy, or would be if the machine were not: then it does not wait for the cluster, however long it takes."""
    states = set()
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            states.add(path.read_text().rpartition(")")[2].split()[0])
    return not states.isdisjoint("RD")


def _handler(bench: Bench) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            cluster = bench.cluster
            assert cluster is not None
            path, _, query = self.path.partition("?")
            headers = {
                name.lower(): value for name, value in self.headers.items()
                if name.lower() in HEADERS or name.lower().startswith("impersonate-")
            }
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            bench.serving.add(threading.get_ident())
            try:
                with bench.lock:
                    if cluster.is_read(self.command, path, query):
                        answer = cluster.answer(self.command, path, query, headers, body)
                    else:
                        answer = cluster.history.execute({
                            "kind": "request", "method": self.command, "path": path, "query": query, "headers": headers,
                            "body64": base64.b64encode(body).decode(),
                        })
            finally:
                bench.serving.discard(threading.get_ident())
            if not hasattr(answer, "body"):
                self._stream(answer)
                return
            self.send_response_only(answer.code)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _stream(self, watch: Any) -> None:
            self.send_response_only(200)
            self.send_header("Content-Type", watch.content_type)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            news = threading.Event()
            watch.on_event = news.set
            try:
                while True:
                    news.clear()
                    with bench.lock:
                        chunk = watch.take(256 * 1024)
                    if chunk:
                        self.wfile.write(chunk)
                        self.wfile.flush()
                    elif watch.closed:
                        return
                    else:
                        news.wait(0.2)
            except OSError:
                return
            finally:
                with bench.lock:
                    watch.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the bench is quiet."""

    return Handler
