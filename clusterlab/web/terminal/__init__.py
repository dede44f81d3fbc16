"""The command line of a lab's page: its own small shell, the real kubectl in a jail, files that stay. docs/terminal.md.

`run_line` answers one line as a whole; `session.TerminalConsumer` is the terminal of a page; `limits.register` is where lessons say what
may be typed.
"""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import get_language

from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.terminal.desk import Desk, Io, Plain
from clusterlab.web.terminal.files import Folder, space_of
from clusterlab.web.terminal.jailer import jailer
from clusterlab.web.terminal.shell import Shell
from clusterlab.web.terminal.tools import in_language
from clusterlab.web.terminal.tools_clock import raw_line

__all__ = ["MAX_LINE", "available", "folder_of", "new_shell", "offered", "run_in_thread", "run_line"]

#: Characters of one line, with what follows it in a here-document.
MAX_LINE = 64 * 1024
#: Lines under way on this server; most of them only wait.
THREADS = 256
_workers = ThreadPoolExecutor(THREADS, thread_name_prefix="terminal")
#: Shells of those who ask line by line, so that variables and folders last.
_shells: dict[str, Shell] = {}
_MOST_SHELLS = 500


def available() -> bool:
    """Whether this server answers to loopback names alone, so that what is not confined may run."""
    return all(name in ("127.0.0.1", "localhost", "[::1]", "::1", "testserver") for name in settings.ALLOWED_HOSTS)


async def offered() -> tuple[bool, bool]:
    """(whether this server may run kubectl for its visitors, whether it is confined)."""
    confined = (await jailer.ready()).confined
    return confined or available(), confined


def folder_of(lab: Lab, key: str) -> Path:
    """The folder of a lab's files, made where it is missing."""
    return space_of(lab, key).files


async def new_shell(lab: Lab, key: str, io: Io) -> Shell:
    """A shell for one session. Raises LabError where this server runs none."""
    allowed, confined = await offered()
    if not allowed:
        raise LabError("this server does not run kubectl for its visitors; use your own with the line under Connect", code="Forbidden")
    space = await asyncio.get_running_loop().run_in_executor(None, space_of, lab, key)
    return Shell(Desk(lab, key, space, Folder(space.files), io, asyncio.get_running_loop(), confined, get_language() or "en"))


def _one(shell: Shell, line: str) -> int:
    raw = raw_line(shell, line)
    if raw is None:
        return shell.run(line)
    raw = in_language(shell, raw)
    if raw.out:
        shell.out(0, "stdout", raw.out)
    if raw.err:
        shell.out(0, "stderr", raw.err)
    shell.status = raw.code
    return raw.code


async def run_in_thread(shell: Shell, line: str) -> int:
    """Runs a line to its end; its exit code. One at a time for each shell."""
    shell.desk.interrupted = False
    context = contextvars.Context()  # nothing of the request that it came with
    return await asyncio.get_running_loop().run_in_executor(_workers, context.run, _one, shell, line)


async def run_line(lab: Lab, key: str, line: str) -> dict[str, Any]:
    """Runs one line; {exit, stdout, stderr}. A line that begins with no command of the shell is taken for kubectl's.

    Raises LabError when this server runs none."""
    io = Plain()
    shell = await new_shell(lab, key, io)
    name = shell.desk.space.root.name
    before = _shells.get(name)
    if before is not None:
        shell.variables, shell.exported, shell.cwd, shell.status = before.variables, before.exported, before.cwd, before.status
        shell.aliases, shell.functions, shell.desk.history = before.aliases, before.functions, before.desk.history
    _shells.pop(name, None)
    _shells[name] = shell
    if len(_shells) > _MOST_SHELLS:
        del _shells[next(iter(_shells))]
    code = await run_in_thread(shell, with_kubectl(shell, line))
    return {"exit": code, "stdout": b"".join(io.stdout).decode(errors="replace"), "stderr": b"".join(io.stderr).decode(errors="replace")}


def with_kubectl(shell: Shell, line: str) -> str:
    """`get pods` is meant for kubectl."""
    first, second = (*line.split(None, 2)[:2], "", "")[:2]
    if first == "set" and (not second or second[0] in "-+"):
        return line  # the shell's own
    return f"kubectl {line.strip()}" if first in VERBS or first.startswith("-") else line


#: Commands of kubectl that are not commands of the shell.
VERBS = frozenset((
    "annotate", "api-resources", "api-versions", "apply", "attach", "auth", "autoscale", "certificate", "cluster-info", "cordon", "create",
    "debug", "delete", "describe", "drain", "edit", "events", "exec", "explain", "expose", "get", "label", "logs", "patch",
    "port-forward", "proxy", "replace", "rollout", "run", "scale", "set", "taint", "top", "uncordon", "version", "wait", "config",
    "kustomize",
))
