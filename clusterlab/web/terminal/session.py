"""The websocket of one terminal: /ws/labs/ID/terminal/. Lines and keys in, output out; docs/terminal.md says what goes over it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import orjson
from django.conf import settings

from clusterlab.web import access, terminal
from clusterlab.web.consumers import LabConsumer
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.messages import MAX_EDITED, MAX_MESSAGE
from clusterlab.web.said import said
from clusterlab.web.scale.seen import Here
from clusterlab.web.terminal import programs
from clusterlab.web.terminal.complete import complete
from clusterlab.web.terminal.desk import Desk
from clusterlab.web.terminal.kubeconfig import write_kubeconfig
from clusterlab.web.terminal.recall import NotFound, recalled
from clusterlab.web.terminal.shell import Shell, unfinished
from clusterlab.web.terminal.tools_clock import RAW
from clusterlab.web.terminal.tools_forward import close_all

__all__ = ["TerminalConsumer"]

_log = logging.getLogger(__name__)
HISTORY = 500
#: An edit that nobody saves is given up after so long.
EDIT_S = 3600.0
_open: dict[str, int] = {}


class TerminalConsumer(LabConsumer):
    """One terminal of one browser; the Io of its shell."""

    tty = True
    limit_s = 3600.0
    most = 8 << 20
    max_message = MAX_MESSAGE

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.shell: Shell | None = None
        self.line: asyncio.Task[None] | None = None
        self.columns, self.rows = 80, 24
        self.edits: dict[str, asyncio.Future[str | None]] = {}
        self.counted = ""
        self.buffer: list[bytes] = []
        self.numbers = 0

    async def connect(self) -> None:
        await super().connect()
        if self.lab is None:
            return
        lab = self.real
        key = await access.session_key(self.scope["session"], self.lab.id)
        try:
            if lab is None:
                raise LabError("this lab is in another process; load the page again", code="Gone", status=410)
            if not self.can_edit or key is None:
                raise LabError("you may watch this lab, not change it", code="Forbidden")
            if _open.get(self.lab.id, 0) >= settings.CLUSTERLAB["MAX_TERMINALS_PER_LAB"]:
                raise LabError("this lab has as many terminals open as it may; close one", code="TooManyTerminals")
            self.counted = self.lab.id
            _open[self.counted] = _open.get(self.counted, 0) + 1
            self.lab.listen(self.news.set)  # a lab does not go to sleep under a terminal
            self.shell = await terminal.new_shell(lab, key, self)
        except LabError as error:
            await self._error(error.code, str(error))
            await self.close(4403)
            return
        except OSError:  # the process that starts programs did not come up: the page tries again in a moment
            _log.exception("no program can be started")
            await self._error("Unavailable", "no program can be started just now; it is tried again")
            await self.close(4013)
            return
        desk = self.shell.desk
        await self._send({"type": "ready", "confined": desk.confined, "cwd": self.shell.cwd, "files": desk.folder.entries("/lab")[:100]})

    @property
    def real(self) -> Lab | None:
        """The lab itself, where it lives in this process: a shell works on it directly."""
        return self.lab.lab if isinstance(self.lab, Here) else None

    def let_go(self) -> None:
        super().let_go()
        if self.counted:
            _open[self.counted] -= 1
            if not _open[self.counted]:
                del _open[self.counted]
            self.counted = ""
        for edit in self.edits.values():
            if not edit.done():
                edit.set_result(None)
        if self.shell is not None:
            self.shell.desk.interrupted = True
            close_all(self.shell)
            if self.shell.desk.child is not None:
                self.shell.desk.child.signal(9)

    async def _handle(self, message: dict[str, Any]) -> None:
        kind, shell, lab = message["type"], self.shell, self.real
        if shell is None or lab is None:
            return
        if kind == "run":
            await self._line(lab, shell, self._text(message, "line", terminal.MAX_LINE))
        elif kind == "input":
            programs.typed(shell.desk, self._text(message, "data", 32_768).encode())
        elif kind == "resize":
            self._resize(message)
        elif kind == "complete":
            if len(self.running) >= 2:
                return  # the next one is on its way
            task = asyncio.create_task(self._complete(shell, self._text(message, "line", 8000), message.get("id")))
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        elif kind == "edited":
            edit = self.edits.get(str(message.get("id")))
            if edit is not None and not edit.done():
                text = message.get("text")
                if isinstance(text, str) and len(text.encode()) > MAX_EDITED:
                    raise LabError(f"text must be of at most {MAX_EDITED} bytes", "text")
                edit.set_result(text if isinstance(text, str) else None)
        elif kind == "reset-config":
            await asyncio.get_running_loop().run_in_executor(None, write_kubeconfig, shell.desk.space, shell.desk.key)
        else:
            raise LabError(f"unknown message type {kind!r}")

    @staticmethod
    def _text(message: dict[str, Any], field: str, most: int) -> str:
        text = message.get(field)
        if not isinstance(text, str) or len(text) > most:
            raise LabError(f"{field} must be a text of at most {most} characters", field)
        return text

    def _resize(self, message: dict[str, Any]) -> None:
        columns, rows = message.get("columns"), message.get("rows")
        if not (isinstance(columns, int) and isinstance(rows, int) and 1 <= columns <= 1000 and 1 <= rows <= 500):
            raise LabError("columns and rows must be whole numbers", "columns")
        self.columns, self.rows = columns, rows
        if self.shell is not None:
            programs.resize(self.shell.desk, columns, rows)

    # Lines.

    async def _line(self, lab: Lab, shell: Shell, line: str) -> None:
        if self.line is not None and not self.line.done():
            raise LabError("a line is under way; Ctrl-C ends it", code="Busy")
        if line.strip().split(" ")[0] not in ("", *RAW) and unfinished(line):
            await self._send({"type": "more"})
            return
        self.line = asyncio.create_task(self._run(lab, shell, line))

    async def _run(self, lab: Lab, shell: Shell, line: str) -> None:
        lab.used_s = asyncio.get_running_loop().time()
        history = shell.desk.history
        before = line
        try:
            line = recalled(line, history)[: terminal.MAX_LINE]
        except NotFound as error:
            await self.err(f"{error}\n".encode())
            await self._send({"type": "done", "exit": 1, "cwd": shell.cwd})
            return
        if line != before:
            await self.out(f"{line}\n".encode())
        if line.strip() and history[-1:] != [line]:
            history.append(line)
            del history[:-HISTORY]
        code = 1
        try:
            if not await access.key_fits(lab.id, shell.desk.key):  # a guest's may have been taken back
                await self.err(f"clusterlab: {said('you may watch this lab, not change it')}\n".encode())
            elif line.strip():
                code = await terminal.run_in_thread(shell, terminal.with_kubectl(shell, line))
                await access.tell(shell.desk.key, lab.id, line.strip()[:200], bool(code))
            else:
                code = shell.status
        except Exception:  # a fault of ours must not leave the terminal waiting
            await self.err(f"clusterlab: {said('this line met an internal error')}\n".encode())
            code = 70
            raise
        finally:
            self.line = None
            await self._send({"type": "done", "exit": code, "cwd": shell.cwd})

    async def _complete(self, shell: Shell, line: str, number: Any) -> None:
        other = Desk(**{**vars(shell.desk), "child": None, "master": -1})  # beside the line that may run
        part, found = await complete(other, line, shell.cwd)
        await self._send({"type": "completed", "id": number, "part": part, "candidates": [list(each) for each in found]})

    # What the shell needs of a terminal.

    async def out(self, data: bytes) -> None:
        if self.shell is not None and self.shell.desk.master < 0:
            data = data.replace(b"\n", b"\r\n")  # a pseudo-terminal does that itself
        await self.send(bytes_data=data)

    err = out

    def size(self) -> tuple[int, int]:
        return self.columns, self.rows

    def waits(self, ahead: int) -> None:
        task = asyncio.create_task(self._send({"type": "waiting", "ahead": ahead}))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def edit(self, name: str, text: str) -> str | None:
        self.numbers += 1
        number = str(self.numbers)
        edit = self.edits[number] = asyncio.get_running_loop().create_future()
        await self._send({"type": "edit", "id": number, "name": name, "text": text})
        try:
            return await asyncio.wait_for(edit, EDIT_S)
        except TimeoutError:
            return None
        finally:
            self.edits.pop(number, None)

    async def page(self, action: dict[str, Any]) -> str:
        await self._send({"type": "page", **action})
        return ""

    async def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the browser has left
            await self.send(text_data=orjson.dumps(message).decode())
