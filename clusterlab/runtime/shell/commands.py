"""One simple command of a script: its words, what stands before it, its redirections, and where its output goes. `Run` of the machine is
built on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from clusterlab.runtime.shell.builtins import BUILTINS
from clusterlab.runtime.shell.complaints import no_target
from clusterlab.runtime.shell.functions import Functions
from clusterlab.runtime.shell.known import Known
from clusterlab.runtime.shell.parser import Command, Instruction, Redirect
from clusterlab.runtime.shell.states import FOREVER, Exit, Result

if TYPE_CHECKING:
    from clusterlab.runtime.shell.expand import Expander
    from clusterlab.runtime.shell.machine import Run

__all__ = ["Commands"]

OUTPUT_LIMIT = 200_000


class Commands(Functions, Known):
    """Runs simple commands and sends on what they say."""

    pc: int
    frames: list[tuple[Any, ...]]
    trace: bool
    strict: bool
    redirected: bool
    watching: bool
    running: str
    asking: bool
    tries: int
    wake_ms: int
    pending: tuple[int, str]
    listen: tuple[Any, ...]
    memory: int
    cpu_milli: int
    exported: list[str]
    capture: list[str] | None

    def _command(self, command: Command) -> bool:
        expander = self.expander()
        if not command.words:
            self.status = 0
            for name, word in command.assignments:
                self.assign(name, expander.text(word))
            return self._redirected(command.redirects, Result(self.status))
        argv = expander.fields(command.words)
        if not argv:
            self.status = 0
            return False
        if self.trace:
            self.emit(2, "+ " + " ".join(argv) + "\n")
        saved = dict(self.variables) if command.assignments else None
        for name, word in command.assignments:
            self.assign(name, expander.text(word))
        exported = self.exported
        self.exported = [*exported, *(name for name, _ in command.assignments if name not in exported)] if saved is not None else exported
        name = argv[0]
        if name in self.functions and len(self.frames) < 100:
            if command.redirects:
                self._op_redirect(Instruction("redirect", command.redirects))
            self.frames.append(("call", self.pc, self.params, bool(command.redirects), {}))
            self.params, self.pc = tuple(argv[1:]), self.entry(name)
            return False
        before = (self.stdin, self.stdin_open)
        elsewhere = self._input(command.redirects, expander)
        if elsewhere is not None:
            self.stdin, self.stdin_open = elsewhere, False
        self.redirected = any(each.op not in {"<", "<<"} and each.fd != 2 for each in command.redirects)
        builtin = BUILTINS.get(name)
        if builtin is not None:
            result = builtin(cast("Run", self), argv[1:]) or Result(self.status)
        else:
            result = self.host.tool(self, argv, self.stdin)
        if elsewhere is not None:
            self.stdin, self.stdin_open = before  # only this command read from elsewhere
        if saved is not None:  # what stands before a command is for this command only
            self.exported = exported
            back = {name: saved[name] for name, _ in command.assignments if name in saved}
            mine = {name for name, _ in command.assignments}
            self.variables = {**{name: value for name, value in self.variables.items() if name not in mine}, **back}
        self.watching, self.running = result.watching, " ".join(argv)[:200] if result.wait_ms else ""
        if result.again:
            self._redirected(command.redirects, result._replace(wait_ms=0, code=0))
            self.pc -= 1
            self.tries += 1
            self.asking = result.wait_ms == FOREVER  # for more input
            self.wake_ms = FOREVER if self.asking else self.time_ms + result.wait_ms
            return True
        self.tries = 0
        return self._redirected(command.redirects, result)

    def _op_redirect(self, instruction: Instruction) -> None:
        targets = tuple((each.op, each.fd, self.expander().text(each.word)) for each in instruction.arg)
        before = (self.stdin, self.stdin_open)
        for op, _fd, path in targets:
            if op in {">", ">|", "&>"}:
                self.host.write(self.path(path), "", False)
            elif op == "<":
                self.stdin, self.stdin_open = self.host.read(self.path(path)) or "", False
            elif op == "<<":
                self.stdin, self.stdin_open = path, False
        self.frames.append(("redirect", targets, before if any(each[0] in {"<", "<<"} for each in targets) else None))

    def _op_unredirect(self, instruction: Instruction | None = None) -> None:
        frame = self.frames.pop()
        if frame[2] is not None:
            self.stdin, self.stdin_open = frame[2]

    def _input(self, redirects: tuple[Redirect, ...], expander: Expander) -> str | None:
        """What a command reads where that is not the script's own input."""
        for each in redirects:
            if each.op == "<<":
                return expander.text(each.word)
            if each.op == "<":
                return self.host.read(self.path(expander.text(each.word))) or ""
        return None

    def _redirected(self, redirects: tuple[Redirect, ...], result: Result) -> bool:
        out, err = result.out, result.err
        sinks: dict[int, str] = {}
        expander = self.expander()
        for each in redirects:
            if each.op == ">&":
                target = expander.text(each.word)
                if each.fd == 2 and target == "1":
                    sinks[2] = sinks.get(1, "&1")
                elif target == "2":
                    sinks[1] = "&2"
            elif each.op in {">", ">>", ">|", "&>", "&>>"}:
                path = self.path(expander.text(each.word))
                if each.op not in {">>", "&>>"}:
                    problem = self.host.write(path, "", False)
                    if problem:
                        self.emit(2, no_target(self, path, problem))
                        self.status = 1
                        return False
                for fd in ((1, 2) if each.op.startswith("&") else (each.fd,)):
                    sinks[fd] = path
        self._send(1, out, sinks)
        self._send(2, err, sinks)
        self.status = result.code
        if result.listen:
            self.listen = (*self.listen, *result.listen)
        if result.memory or result.cpu_milli:
            self.memory, self.cpu_milli = result.memory, result.cpu_milli
        if result.wait_ms:
            self.wake_ms = FOREVER if result.wait_ms == FOREVER else self.time_ms + result.wait_ms
            self.pending = (result.code, "") if result.code else (0, "")
            return True
        if self.strict and self.status and not self._tested():
            raise Exit(self.status)
        return False

    def _tested(self) -> bool:
        """Whether the status of the command just run is looked at by what follows (set -e does not apply then)."""
        return self.pc < len(self.code) and self.code[self.pc].op in {"iffail", "ifok", "not"}

    def _send(self, fd: int, text: str, sinks: dict[int, str]) -> None:
        if not text:
            return
        sink = sinks.get(fd)
        if sink is None:
            self.emit(fd, text)
        elif sink in {"&1", "&2"}:
            self.emit(int(sink[1]), text)
        else:
            self.host.write(sink, text, True)

    def emit(self, fd: int, text: str) -> None:
        """Output of the script, where its redirections lead it."""
        if not text:
            return
        for frame in reversed(self.frames):
            if frame[0] == "redirect":
                for op, target, path in frame[1]:
                    if (op in {">", ">>", ">|"} and target == fd) or op.startswith("&>"):
                        self.host.write(self.path(path), text, True)
                        return
        if self.capture is not None and fd == 1:
            if sum(map(len, self.capture)) < OUTPUT_LIMIT:
                self.capture.append(text)
            return
        self.host.out(self.time_ms, "stdout" if fd == 1 else "stderr", text)

    def output(self) -> str:
        return "".join(self.capture or ())
