"""kubectl exec, attach and port-forward: websockets under /kube/KEY/, in Kubernetes' channel protocols.

Follows staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go and client-go/tools/remotecommand/websocket.go: the first
byte of a binary message is its channel (0 stdin, 1 stdout, 2 stderr, 3 the closing Status, 4 terminal size, 255 close of a channel).
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import orjson

from clusterlab.machinery.errors import StatusError
from clusterlab.runtime.shell.parser import compile_script
from clusterlab.runtime.talk import Talk
from clusterlab.web import access, copying, lent, portforward
from clusterlab.web.kubeapi import headers_of, lab_of
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["KubeSockets"]

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
MAX_STDIN = 1 << 20
#: Characters of one line that is typed into a shell.
MAX_LINE = 4096
SUCCESS = orjson.dumps({"metadata": {}, "status": "Success"})
#: Comes before the folder that a piped shell is in after a command.
MARK = "\x1e"
#: From clients that do not say so, stdin is taken to have ended when nothing came for so long.
PAUSE_S = 1.5
#: A line that does nothing but set variables.
ASSIGNMENT = re.compile(r"\s*((export\s+)?[A-Za-z_]\w*=('[^']*'|\"[^\"`]*\"|[^\s;&|<>()`'\"]*)\s*)+")
#: Programs that, with a terminal, wait for lines to be typed.
SHELLS = {"sh", "bash", "ash", "/bin/sh", "/bin/bash", "/bin/ash"}


class KubeSockets:
    """ASGI application for websockets under /kube/."""

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        await receive()
        key, _, rest = scope["path"].removeprefix("/kube/").partition("/")
        try:
            lab = await lab_of(key, scope)
        except LabError:  # a plain request then tells what is wrong
            lab = None
        rest, token = lent.taken(rest)
        parts = rest.split("/")
        if lab is None or len(parts) != 7 or parts[:3] != ["api", "v1", "namespaces"] or parts[4] != "pods":
            await send({"type": "websocket.close", "code": 4404})
            return
        headers = headers_of(scope)
        if token:
            headers["authorization"] = f"Bearer {token}"
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if parts[6] == "portforward":
            await _forward(lab, parts[3], parts[5], headers, scope, receive, send)
            return
        session = _Session(lab, key, parts[3], parts[5], parts[6], query, receive, send)
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
        except _Gone:
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

    async def ask(port: int, path: str, method: str) -> tuple[int, str]:
        status, body = await lab.command(
            {"kind": "forward", "namespace": namespace, "pod": pod, "port": port, "path": path[:4_000], "method": method[:10]})
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


def _whole(text: str) -> bool:
    """Whether lines that came through a pipe are whole commands."""
    error = compile_script(text).error
    return text.endswith("\n") and not any(word in error for word in ("end of file", "unterminated", "EOF", "(expecting"))


class _Gone(Exception):
    """The client has left."""


class _Session:
    """One exec or attach."""

    def __init__(
        self, lab: Lab, key: str, namespace: str, pod: str, kind: str, query: dict[str, list[str]],
        receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]],
    ) -> None:
        self.lab, self.key, self.namespace, self.pod, self.kind = lab, key, namespace, pod, kind
        self.container = query.get("container", [""])[0]
        self.command = query.get("command", [])
        self.tty = query.get("tty", [""])[0] in ("true", "1")
        self.stdin = query.get("stdin", [""])[0] in ("true", "1")
        self.says_end = True
        self.stdin_once = False  # of an attached shell: it ends with the input of who is attached
        self._receive, self._send = receive, send

    async def write(self, channel: int, text: str) -> None:
        data = text.encode()
        if self.tty:
            data = data.replace(b"\n", b"\r\n")
        for start in range(0, len(data), 32_000):
            await self._send({"type": "websocket.send", "bytes": bytes([channel]) + data[start : start + 32_000]})

    async def finish(self, status: dict[str, Any]) -> None:
        await self._send({"type": "websocket.send", "bytes": b"\x03" + orjson.dumps(status)})

    async def read(self) -> tuple[int, bytes]:
        """The next message: (channel, data). Raises _Gone."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            raise _Gone
        data = message.get("bytes") or (message.get("text") or "").encode()
        return (data[0], data[1:]) if data else (0, b"")

    async def run(self, argv: list[str], stdin: str = "") -> tuple[int, str, str]:
        if not await access.key_fits(self.lab.id, self.key):  # a guest's may have been taken back since the shell began
            raise LabError("you may watch this lab just now, not change it")
        answer = await self.lab.command({
            "kind": "exec", "namespace": self.namespace, "pod": self.pod, "container": self.container, "argv": argv, "stdin": stdin,
            "tty": self.tty, **await access.signed(self.key),
        })
        if isinstance(answer, StatusError):
            raise answer
        return answer[0], answer[1], answer[2]

    async def serve(self) -> None:
        if self.kind == "attach":
            await self.attached()
        elif self.tty and self.stdin and self.command and self.command[0] in SHELLS and len(self.command) == 1:
            await self.shell()
        elif self.stdin and not self.tty and len(self.command) == 1 and self.command[0] in SHELLS:
            await self.piped()
        else:
            await self.once()

    async def once(self) -> None:
        """Runs the command with all that comes on stdin, and says how it ended."""
        if self.command[:1] == ["tar"] and len(self.command) > 2 and not self.tty:
            await self.tar()
            return
        stdin = (await self.all_input()).decode(errors="replace") if self.stdin and not self.tty else ""
        code, out, err = await self.run(self.command, stdin)
        await self.write(1, out)
        await self.write(1 if self.tty else 2, err)
        await self.ended(code)

    async def attached(self) -> None:
        """An attached shell that waits for lines takes them; of anything else there is only the output to see."""
        cluster = self.lab.cluster
        container = cluster.node_server.attach(self.namespace, self.pod, self.container)
        argv = container.program.argv
        waits = container.config.stdin and (
            (len(argv) == 1 and argv[0] in SHELLS) or (len(argv) == 2 and argv[0] == "chroot"))
        if not waits or not self.stdin:
            await self.follow()
            return
        pod = cluster.find(f"pods/{self.namespace}/{self.pod}") or {"spec": {}}
        every = [each for part in ("containers", "ephemeralContainers") for each in pod["spec"].get(part) or ()]
        self.stdin_once = any(each["name"] == container.name and each.get("stdinOnce") for each in every)
        self.container, self.command = container.name, [argv[0] if len(argv) == 1 else "sh"]
        await (self.shell() if self.tty else self.piped())

    async def ended(self, code: int, left: bool = True) -> None:
        """The command is over. `left`: an attached shell ends with it, and its container."""
        if self.kind == "attach":
            if left or self.stdin_once:
                await self.lab.command({
                    "kind": "leave", "namespace": self.namespace, "pod": self.pod, "container": self.container, "code": code})
            await self._send({"type": "websocket.send", "bytes": b"\x03" + SUCCESS})
            return
        if code == 0:
            await self._send({"type": "websocket.send", "bytes": b"\x03" + SUCCESS})
            return
        causes = [{"reason": "ExitCode", "message": str(code)}]
        await self.finish({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes},
            "message": f"command terminated with non-zero exit code: exit status {code}",
        })

    async def tar(self) -> None:
        """What kubectl cp runs."""
        if self.stdin:
            done = await copying.unpack(self.command, await self.all_input(), self.run)
        else:
            done = await copying.pack(self.command, self.run)
        for start in range(0, len(done.out), 32_000):
            await self._send({"type": "websocket.send", "bytes": b"\x01" + done.out[start : start + 32_000]})
        await self.write(2, done.err)
        await self.ended(done.code)

    async def all_input(self) -> bytes:
        """All of stdin. Other clients than kubectl cannot or do not say where it ends: a pause, or leaving, stands for that."""
        parts, size = [], 0
        while size < MAX_STDIN:
            try:
                async with asyncio.timeout(None if self.says_end else PAUSE_S):
                    channel, data = await self.read()
            except TimeoutError:
                break
            except _Gone:
                if self.says_end or not parts:
                    raise
                break
            if channel == 255:
                break
            if channel == 0:
                parts.append(data)
                size += len(data)
        return b"".join(parts)

    async def piped(self) -> None:
        """A shell whose lines come through a pipe: commands run as soon as they are whole."""
        text, folder, kept, code, ended, left = "", "/", "", 0, False, False
        while not ended and len(text) < MAX_STDIN:
            channel, data = await self.read()
            ended = channel == 255
            text += data.decode(errors="replace") if channel == 0 else ""
            if not text.strip() or not (ended or _whole(text)):
                continue
            script = f"cd {shlex.quote(folder)}\n{kept}{{ {text}\n}}; code=$?; echo \"{MARK}$(pwd)\"; (exit $code)"
            code, out, err = await self.run([self.command[0], "-c", script])
            body, mark, last = out.rpartition(MARK)
            if mark:
                folder = last.removesuffix("\n")
            else:  # the shell was told to exit
                body, ended, left = out, True, True
            await self.write(1, body)
            await self.write(2, err)
            if ASSIGNMENT.fullmatch(text):
                kept += text
            text = ""
        await self.ended(code, left)

    async def shell(self) -> None:
        """An interactive shell: lines are edited and echoed here, and run one by one in the container."""
        prompt, line, folder, code = self.prompt("/"), "", "/", 0
        await self.write(1, prompt)
        while True:
            channel, data = await self.read()
            if channel == 255:
                await self.ended(code, left=False)
                return
            if channel != 0:
                continue
            echo = ""
            for char in data.decode(errors="replace"):
                if char in "\r\n":
                    await self.write(1, echo + "\n")
                    text, line, echo = line.strip(), "", ""
                    if text == "exit" or text.startswith("exit "):
                        await self.ended(int(text[5:]) & 255 if text[5:].strip().isdecimal() else code)
                        return
                    if text:
                        folder, code = await self.typed(text, folder)
                    echo = prompt = self.prompt(folder)
                elif char == "\x04" and not line:
                    await self.write(1, echo)
                    await self.ended(code)
                    return
                elif char == "\x03":
                    line = ""
                    echo += f"^C\n{prompt}"
                elif char in "\x7f\b":
                    if line:
                        line = line[:-1]
                        echo += "\b \b"
                elif char.isprintable() and len(line) < MAX_LINE:
                    line += char
                    echo += char
            await self.write(1, echo)

    def prompt(self, folder: str) -> str:
        """What busybox' shell and bash show before a line."""
        return f"root@{self.pod[:63]}:{folder}# " if self.command[0].endswith("bash") else f"{folder} # "

    async def typed(self, text: str, folder: str) -> tuple[str, int]:
        """Runs a typed line in a folder; returns the folder after it and the exit code."""
        shell = self.command[0]
        code, out, err = await self.run([shell, "-c", f"cd {shlex.quote(folder)} && {{ {text}\n}}; code=$?; echo; pwd; exit $code"])
        body, _, last = out.rstrip("\n").rpartition("\n")
        if last.startswith("/"):
            folder = last
            body = body.removesuffix("\n")
        else:
            body = out
        if body:
            await self.write(1, body if body.endswith("\n") else body + "\n")
        if err:
            await self.write(1, err if err.endswith("\n") else err + "\n")
        return folder, code

    async def follow(self) -> None:
        """Attach: the output from now on, until the container ends."""
        cluster = self.lab.cluster
        cluster.node_server.attach(self.namespace, self.pod, self.container)
        seen = cluster.sim.time_ms
        gone = asyncio.create_task(self.left())
        try:
            while not gone.done():
                self.lab.tick_clock()
                lines, more = cluster.node_server.log_lines(self.namespace, self.pod, self.container, after_ms=seen)
                for at, stream, text in lines:
                    seen = max(seen, at)
                    await self.write(2 if stream == "stderr" and not self.tty else 1, text + "\n")
                if not more:
                    await self._send({"type": "websocket.send", "bytes": b"\x03" + SUCCESS})
                    return
                await asyncio.sleep(0.2)
        finally:
            gone.cancel()

    async def left(self) -> None:
        try:
            while True:
                await self.read()
        except _Gone:
            return
