"""Scripts of people's own, and what stands before a command: bash FILE, ./FILE, bash -c, timeout, nohup, chmod, complete."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.parser import compile_script
from clusterlab.web.terminal import programs
from clusterlab.web.terminal.tools import own_tool, tool, usage

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__: list[str] = []

MOST_NESTED = 6
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


@tool("bash", "sh")
def bash(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`bash FILE [WORD …]`, `bash -c LINE`, `./FILE`, or a script from a pipe: a shell of its own, whose variables end with it."""
    words = argv[1:] if argv[0] in ("bash", "sh") else argv
    options = ""
    while words and re.fullmatch(r"-[a-z]+", words[0]):
        options += words.pop(0)[1:]
    if "c" in options:
        source, params, name = (words[0] if words else ""), tuple(words[2:]), "bash"
    elif words:
        text = shell.read(run.path(words[0]))
        if text is None:
            return Result(127, "", f"bash: {words[0]}: No such file or directory\n")
        source, params, name = text, tuple(words[1:]), words[0]
    else:
        source, params, name = stdin, (), "bash"
    program = compile_script(source)
    if program.error:
        return Result(2, "", f"{name}: {program.error}\n")
    depth = getattr(run, "depth", 0) + 1
    if depth > MOST_NESTED:
        return Result(1, "", f"{name}: nested too deeply\n")
    inner = shell.prepared(source, program.code, params, run.budget)
    inner.depth, inner.cwd, inner.strict, inner.trace = depth, run.cwd, "e" in options, "x" in options
    inner.variables = {key: value for key, value in run.variables.items() if key in run.exported}
    inner.stdin = stdin if words or "c" in options else ""
    if not shell.is_direct(run):
        inner.capture = []
    try:
        shell.drive(inner)
    finally:
        run.budget = inner.budget
    return Result(inner.status, inner.output())


@tool("timeout")
def timeout(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`timeout DURATION COMMAND …`: the command is ended after so long on the wall."""
    words = [word for at, word in enumerate(argv[1:]) if not word.startswith("-") or at > 1]
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", words[0]) if words else None
    if found is None or len(words) < 2:
        return usage("timeout", "DURATION COMMAND …")
    late = threading.Event()

    def end() -> None:
        late.set()
        shell.desk.loop.call_soon_threadsafe(programs.interrupt, shell.desk)
        if (child := shell.desk.child) is not None:
            shell.desk.loop.call_soon_threadsafe(child.signal, 2)

    timer = threading.Timer(min(float(found[1]) * _SECONDS[found[2]], 3600), end)
    timer.daemon = True
    timer.start()
    from clusterlab.web.terminal.shell import Interrupted

    try:
        done = shell.tool(run, words[1:], stdin)
    except Interrupted:
        if not late.is_set():
            raise
        done = Result(124)
    finally:
        timer.cancel()
    limit_ms = int(float(found[1]) * _SECONDS[found[2]] * 1000)
    if late.is_set():
        shell.desk.interrupted = False
        done = done._replace(code=124)
    elif done.wait_ms < 0 or done.wait_ms > limit_ms:  # a wait that the shell is to do
        done = done._replace(code=124, wait_ms=limit_ms)
    return done


@tool("nohup", "exec")
def nohup(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    return shell.tool(run, argv[1:], stdin) if len(argv) > 1 else usage(argv[0], "COMMAND …")


@own_tool("chmod", "complete", "compinit", "compdef", "autoload", "shopt", "bind", "stty", "ulimit", "umask")
def nothing(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """What people set up on a machine of their own and need not here: every file may be run, and completion is there already."""
    if argv[0] == "chmod":
        missing = [name for name in argv[2:] if not name.startswith("-") and not shell.exists(run.path(name))]
        if missing:
            return Result(1, "", "".join(f"chmod: cannot access '{name}': No such file or directory\n" for name in missing))
    return Result()


@own_tool("logout", "tmux", "screen")
def elsewhere(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(1, "", f"{argv[0]}: further terminals open with + above this one\n")
