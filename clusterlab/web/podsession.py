"""One exec or attach: what goes over its websocket, in Kubernetes' channel protocol.

Follows client-go/tools/remotecommand/websocket.go and, for standard input that stays open until somebody attaches (stdinOnce),
pkg/kubelet/server and the CRI's Attach. A terminal's line is edited and echoed here, as the tty of a container does it; whole lines
go to the program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import orjson

from clusterlab.machinery.errors import StatusError
from clusterlab.runtime.sessions import Said, prompt
from clusterlab.web import access, copying
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["Gone", "PodSession"]

MAX_STDIN = 1 << 20
#: Characters of one line that is typed into a shell.
MAX_LINE = 4096
SUCCESS = orjson.dumps({"metadata": {}, "status": "Success"})
#: From clients that do not say so, stdin is taken to have ended when nothing came for so long.
PAUSE_S = 1.5
#: Characters of what is typed (or pasted) that are edited before others have their turn.
BREATH = 2048
#: Programs that, with a terminal, wait for lines to be typed.
SHELLS = {"sh", "bash", "ash", "/bin/sh", "/bin/bash", "/bin/ash"}


class Gone(Exception):
    """The client has left."""


class PodSession:
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
        """The next message: (channel, data). Raises Gone."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            raise Gone
        data = message.get("bytes") or (message.get("text") or "").encode()
        return (data[0], data[1:]) if data else (0, b"")

    async def run(self, argv: list[str], stdin: str = "") -> tuple[int, str, str]:
        """Runs a command to its end."""
        answer = await self.tell("exec", argv=argv, stdin=stdin, tty=self.tty)
        return answer[0], answer[1], answer[2]

    async def tell(self, kind: str, **more: Any) -> Any:
        """Gives the lab a command about the container. Raises StatusError, LabError."""
        if not await access.key_fits(self.lab.id, self.key):  # a guest's may have been taken back since the shell began
            raise LabError("you may watch this lab just now, not change it")
        answer = await self.lab.command({
            "kind": kind, "namespace": self.namespace, "pod": self.pod, "container": self.container, **more,
            **await access.signed(self.key),
        })
        if isinstance(answer, StatusError):
            raise answer
        return answer

    async def open(self) -> Said:
        said: Said = await self.tell("exec", argv=self.command, stdin="", tty=self.tty, open=True,
                                     **({"attached": True} if self.kind == "attach" else {}))
        return said

    async def say(self, said: Said, text: str, close: bool = False, interrupt: bool = False) -> Said:
        """Types into the program that was opened."""
        more: Said = await self.tell("input", session=said.session, stdin=text, close=close, interrupt=interrupt)
        return more

    async def shown(self, said: Said) -> None:
        await self.write(1, said.out)
        await self.write(1 if self.tty else 2, said.err)

    async def serve(self) -> None:
        alone = len(self.command) == 1 and self.command[0] in SHELLS
        if self.kind == "attach":
            await self.attached()
        elif self.stdin and self.tty and self.command:
            await self.typed(await self.open())
        elif self.stdin and alone:
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
        """Attaches to a container: its own program takes what is typed, as long as its standard input is open."""
        cluster = self.lab.cluster
        container = cluster.node_server.attach(self.namespace, self.pod, self.container)
        argv = container.program.argv
        self.container = container.name
        if not container.config.stdin or not self.stdin:
            await self.follow()
            return
        pod = cluster.find(f"pods/{self.namespace}/{self.pod}") or {"spec": {}}
        every = [each for part in ("containers", "ephemeralContainers") for each in pod["spec"].get(part) or ()]
        self.stdin_once = any(each["name"] == container.name and each.get("stdinOnce") for each in every)
        if (len(argv) == 1 and argv[0] in SHELLS) or (len(argv) == 2 and argv[0] == "chroot"):
            self.command = [argv[0] if len(argv) == 1 else "sh"]
            await (self.typed(await self.open()) if self.tty else self.piped())
            return
        await self.follow(self.feed())

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
        parts: list[bytes] = []
        size = 0
        while size < MAX_STDIN:
            try:
                async with asyncio.timeout(None if self.says_end else PAUSE_S):
                    channel, data = await self.read()
            except TimeoutError:
                break
            except Gone:
                if self.says_end or not parts:
                    raise
                break
            if channel == 255:
                break
            if channel == 0 and data:
                parts.append(data)
                size += len(data)
        return b"".join(parts)

    async def piped(self) -> None:
        """A shell whose lines come through a pipe: commands run as soon as they are whole."""
        said, text, size, ended = await self.open(), "", 0, False
        await self.shown(said)
        while said.code < 0 and not ended:
            channel, data = await self.read()
            size += len(data)
            ended = channel == 255 or size > MAX_STDIN
            text += data.decode(errors="replace") if channel == 0 else ""
            if text.endswith("\n") or (ended and text):
                said, text = await self.say(said, text), ""
                await self.shown(said)
        left = said.code >= 0
        for _ in range(3):  # a command under way has its end first, then the shell
            if said.code < 0:
                said = await self.say(said, "", close=True)
                await self.shown(said)
        await self.ended(max(said.code, 0), left)

    async def typed(self, said: Said) -> None:
        """A program at a terminal: lines are edited and echoed here, and given to it one by one."""
        await self.shown(said)
        await self.write(1, self.prompt(said))
        line = ""
        while said.code < 0:
            channel, data = await self.read()
            if channel == 255:
                await self.ended(0, left=False)
                return
            echo = ""
            for number, char in enumerate(data.decode(errors="replace") if channel == 0 else ""):
                if said.code >= 0:
                    break
                if number % BREATH == BREATH - 1:
                    await asyncio.sleep(0)
                if char in "\r\n\x03" or (char == "\x04" and not line):
                    end = {"\x03": "^C\n", "\x04": ""}.get(char, "\n")
                    await self.write(1, echo + end)
                    echo = ""
                    if char == "\x03":
                        said = await self.say(said, "", interrupt=True)
                    else:
                        said = await self.say(said, "" if char == "\x04" else line + "\n", close=char == "\x04")
                    line = ""
                    await self.shown(said)
                    echo = self.prompt(said)
                elif char in "\x7f\b":
                    if line:
                        line = line[:-1]
                        echo += "\b \b"
                elif char.isprintable() and len(line) < MAX_LINE:
                    line += char
                    echo += "" if said.out.endswith("assword: ") else char
            await self.write(1, echo)
        await self.ended(said.code)

    def prompt(self, said: Said) -> str:
        """What busybox' shell and bash show before a line."""
        return prompt(self.command[0], self.pod, said.prompt)

    async def feed(self) -> None:
        """Gives the container's own program what comes on stdin. With stdinOnce that ends with the input of who is attached first."""
        line = ""
        while True:
            channel, data = await self.read()
            text = data.decode(errors="replace") if channel == 0 else ""
            if not self.tty:
                if channel == 255 or text:
                    await self.tell("input", session="", stdin=text, close=channel == 255 and self.stdin_once)
                continue
            line = await self.edited(line, text)
            if channel == 255 and self.stdin_once:
                await self.tell("input", session="", stdin="", close=True)

    async def edited(self, line: str, text: str) -> str:
        """Characters that are typed at the terminal of a container's own program; what of the line is not entered yet."""
        echo = ""
        for number, char in enumerate(text):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            if char in "\r\n":
                await self.write(1, echo + "\n")
                echo = ""
                await self.tell("input", session="", stdin=line + "\n", close=False)
                line = ""
            elif char == "\x04" and not line:
                await self.tell("input", session="", stdin="", close=True)
            elif char == "\x03":
                await self.write(1, echo + "^C")
                echo = ""
                await self.tell("leave", code=130)
            elif char in "\x7f\b" and line:
                line = line[:-1]
                echo += "\b \b"
            elif char.isprintable() and len(line) < MAX_LINE:
                line += char
                echo += char
        await self.write(1, echo)
        return line

    async def follow(self, beside: Coroutine[Any, Any, None] | None = None) -> None:
        """Attach: the output from now on, until the container ends. `beside`: what gives it input meanwhile."""
        server = self.lab.cluster.node_server
        container = server.attach(self.namespace, self.pod, self.container)
        _, seen, more = server.output(self.namespace, self.pod, container.id, (self.lab.cluster.sim.time_ms, 0))
        aside = asyncio.create_task(beside if beside is not None else self.left())
        try:
            while True:
                self.lab.tick_clock()
                pieces, seen, more = server.output(self.namespace, self.pod, container.id, seen)
                for stream, text in pieces:
                    await self.write(2 if stream == "stderr" and not self.tty else 1, text)
                if not more:
                    await self._send({"type": "websocket.send", "bytes": b"\x03" + SUCCESS})
                    return
                if aside.done():
                    aside.result()
                    return
                await asyncio.wait([aside], timeout=0.1)
        finally:
            aside.cancel()

    async def left(self) -> None:
        while True:
            await self.read()
