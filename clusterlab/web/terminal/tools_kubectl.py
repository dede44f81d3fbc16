"""kubectl as a command of the page's shell."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.labs.lab import LabError
from clusterlab.web.said import said
from clusterlab.web.terminal import limits, programs
from clusterlab.web.terminal.tools import in_language, refused, tool
from clusterlab.web.terminal.tools_diff import kubectl_diff
from clusterlab.web.terminal.tools_forward import port_forward, proxy
from clusterlab.web.terminal.tools_rollouts import argo_rollouts
from clusterlab.web.words import Refused, check, command_of

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["stream_kubectl"]

_INTERRUPTED = (130, 128 + signal.SIGINT)
NOT_HERE = "this server does not run kubectl for its visitors; use your own with the line under Connect"


def _refusal(shell: Shell, words: list[str]) -> str:
    """Why kubectl is not started."""
    desk = shell.desk
    try:
        check(words, desk.confined, forwards=True)
    except Refused as error:
        return str(error)
    return limits.refusal(desk.lab, ["kubectl", *words])


def _command(words: list[str]) -> str:
    try:
        return command_of(words)
    except Refused:
        return ""


def _elsewhere(words: list[str]) -> str:
    """The address of a file on another server that kubectl is to read, as documentation has it (`-f https://…`)."""
    for at, word in enumerate(words):
        value = word.partition("=")[2] if word.startswith(("--filename=", "-f=", "-k=", "--kustomize=")) else word.removeprefix("-f")
        before = words[at - 1] if at else ""
        if value.startswith(("http://", "https://")) and (value != word or before in ("-f", "--filename", "-k", "--kustomize")):
            return value
    return ""


def _with_pipes(shell: Shell, argv: list[str], cwd: str) -> list[str]:
    """The words with what `<(…)` wrote as files that kubectl can read: in its folder for such, named from where it runs."""
    desk = shell.desk
    place = desk.folder.real(cwd) or desk.space.files

    def named(found: re.Match[str]) -> str:
        text = shell.pipes.get(found[0])
        if text is None:
            return found[0]
        path = desk.space.tmp / found[0].rpartition("/")[2]
        path.unlink(missing_ok=True)
        path.write_text(text)
        return os.path.relpath(path.resolve(), place.resolve())

    return [re.sub(r"/dev/fd/\d+$", named, word) for word in argv] if shell.pipes else argv


@tool("kubectl-argo-rollouts")
def plugin(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    return argo_rollouts(shell, run, argv[1:])


@tool("kubectl", "k")
def kubectl(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    desk = shell.desk
    if argv[1:3] == ["argo", "rollouts"]:
        return argo_rollouts(shell, run, argv[3:])
    if _command(argv[1:]) == "proxy" and not {"-h", "--help"} & set(argv):
        return proxy(shell, run, argv[1:])
    argv = _with_pipes(shell, argv, run.cwd)
    problem = _refusal(shell, argv[1:])
    if problem:
        return in_language(shell, Result(1, "", f"{problem}\n"))
    if desk.confined and (url := _elsewhere(argv[1:])):
        problem = f"kubectl here reaches this lab alone, not {url[:200]}: open that in your browser, paste its text into a file (vi FILE)"
        return in_language(shell, Result(1, "", f"{problem}\n"))
    if _command(argv[1:]) == "port-forward":
        if not {"-h", "--help"} & set(argv):
            return port_forward(shell, run, argv[1:])
        argv = ["kubectl", "port-forward", "--help"]  # these words alone: kubectl itself is never to listen
    direct = shell.is_direct(run)
    try:
        if _command(argv[1:]) == "diff" and desk.confined:
            done = kubectl_diff(shell, argv[1:], run.cwd, stdin or None)
        else:
            done = shell.wait_for(programs.kubectl(desk, argv[1:], run.cwd, stdin or None, direct))
    except LabError as error:
        return in_language(shell, refused("kubectl", error))
    except OSError as error:
        return Result(126, "", f"kubectl: {error}\n")
    if done.code in _INTERRUPTED and direct:
        desk.interrupted = True
    shell.check()
    return Result(done.code, done.out, done.err)


class _Lines:
    """Takes the place of the terminal: whole lines go through a function."""

    tty = False

    def __init__(self, shell: Shell, through: Callable[[str], None]) -> None:
        self.io, self.shell, self.through, self.rest = shell.desk.io, shell, through, ""
        self.limit_s, self.most = self.io.limit_s, self.io.most
        self.size, self.waits, self.edit, self.page, self.err = self.io.size, self.io.waits, self.io.edit, self.io.page, self.io.err

    async def out(self, data: bytes) -> None:
        import asyncio

        whole, mark, self.rest = (self.rest + data.decode(errors="replace")).rpartition("\n")
        if mark:
            await asyncio.get_running_loop().run_in_executor(None, self._pass, whole + mark)

    def _pass(self, text: str) -> None:
        # What goes through comes back to the terminal from this thread.
        with contextlib.suppress(Exception):
            self.through(text)


def stream_kubectl(shell: Shell, run: Run, argv: list[str], through: Callable[[str], None]) -> None:
    """kubectl with each line passed on as it comes."""
    desk = shell.desk
    problem = _refusal(shell, argv[1:])
    if problem:
        run.emit(2, f"{said(problem, desk.language)}\n")
        run.status = 1
        return
    lines, real = _Lines(shell, through), desk.io
    desk.io = lines  # type: ignore[assignment]
    try:
        # Meanwhile this thread only waits, so the machine is used by one thread at a time.
        done = shell.wait_for(programs.kubectl(desk, argv[1:], run.cwd, None, True))
        desk.io = real
        if lines.rest:
            through(lines.rest)
        shell.check()
        if done.code:
            run.status = done.code
    except (LabError, OSError) as error:
        desk.io = real
        run.emit(2, f"kubectl: {said(str(error), desk.language)}\n")
        run.status = 1
    finally:
        desk.io = real
