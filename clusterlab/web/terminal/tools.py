"""The commands of the page's shell, by name. Those that work on text and files are the ones that containers have too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell import (
    tools_awk,
    tools_bytes,
    tools_date,
    tools_fields,
    tools_files,
    tools_find,
    tools_grep,
    tools_lines,
    tools_printf,
    tools_system,
    tools_text,
)
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.labs.lab import LabError
from clusterlab.web.said import lines_said

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

Tool = Callable[["Shell", Run, list[str], str], Result]

__all__ = ["NAMES", "Tool", "find_tool", "in_language", "own_tool", "tool"]

_TEXT = (
    "echo", "cat", "sed", "head", "tail", "expr", "tee", "xargs", "md5sum", "sha1sum", "sha256sum", "base64", "basename", "dirname",
    "more", "less",
)
_LINES = ("rev", "tac", "nl", "column", "comm", "paste", "shuf", "realpath")
_FILES = ("mkdir", "touch", "rm", "rmdir", "cp", "mv", "test", "[", "[[", "stat")
_SYSTEM = ("sleep", "true", "false", "env", "printenv")
NAMES: dict[str, Tool] = {}
for _names, _tools in ((_TEXT, tools_text.TOOLS), (_LINES, tools_lines.TOOLS), (_FILES, tools_files.TOOLS), (_SYSTEM, tools_system.TOOLS)):
    NAMES.update({_name: _tools[_name] for _name in _names})  # type: ignore[misc]
for _every in (
    tools_awk.TOOLS, tools_bytes.TOOLS, tools_date.TOOLS, tools_fields.TOOLS,
    tools_find.TOOLS, tools_grep.TOOLS, tools_printf.TOOLS,
):
    NAMES.update(_every)  # type: ignore[arg-type]


def tool(*names: str) -> Callable[[Tool], Tool]:
    """Registers a command."""

    def wrap(function: Tool) -> Tool:
        for name in names:
            NAMES[name] = function
        return function

    return wrap


def in_language(shell: Shell, result: Result) -> Result:
    """What a command of clusterlab's own says, in the language of whoever looks."""
    language = shell.desk.language
    return result._replace(out=lines_said(result.out, language), err=lines_said(result.err, language))


def own_tool(*names: str) -> Callable[[Tool], Tool]:
    """Registers a command that is clusterlab's own: it speaks the reader's language."""

    def wrap(function: Tool) -> Tool:
        def speaking(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
            return in_language(shell, function(shell, run, argv, stdin))

        return tool(*names)(functools.wraps(function)(speaking))

    return wrap


def _missing(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    return in_language(shell, Result(127, "", f"{argv[0]}: command not found (help lists what there is)\n"))


def find_tool(name: str, missing: Any = _missing) -> Any:
    """The command of a name, or what says that there is none."""
    found = NAMES.get(name)
    if found is None:
        from clusterlab.web.terminal import (  # noqa: F401 - they register their commands
            tools_clock,
            tools_cluster,
            tools_diff,
            tools_help,
            tools_jq,
            tools_kubectl,
            tools_openssl,
            tools_scripts,
            tools_services,
            tools_shell,
            tools_yq,
        )

        found = NAMES.get(name)
        if found is None and "/" in name:
            found = NAMES["bash"]
    return missing if found is None else found


def refused(name: str, error: LabError) -> Result:
    """A lab's refusal as a command says it."""
    return Result(1, "", f"{name}: {error}\n")


@tool("ls")
def ls(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    flags = {letter for word in argv[1:] if word.startswith("-") for letter in word[1:]}
    names = [word for word in argv[1:] if not word.startswith("-")] or ["."]
    out, err = "", ""
    for name in names:
        path = run.path(name)
        if not shell.exists(path):
            err += f"ls: cannot access '{name}': No such file or directory\n"
            continue
        folder = shell.is_directory(path) and "d" not in flags
        shown = [each for each in shell.entries(path) if flags & {"a", "A"} or not each.startswith(".")] if folder else [name]
        out += f"{name}:\n" if folder and len(names) > 1 else ""
        for each in shown:
            place = f"{path.rstrip('/')}/{each}" if folder else path
            out += _row(shell, place, each) if "l" in flags else each + ("/" if "F" in flags and shell.is_directory(place) else "") + "\n"
    return Result(2 if err else 0, out, err)


def _row(shell: Shell, path: str, name: str) -> str:
    real = shell.desk.folder.real(path)
    size, moment = (real.stat().st_size, datetime.fromtimestamp(real.stat().st_mtime, UTC)) if real else (4096, datetime.now(UTC))
    mode = "drwx------ 2" if shell.is_directory(path) else "-rw------- 1"
    return f"{mode} learner learner {size:>8} {moment:%b %e %H:%M} {name}\n"


@tool("clear", "reset")
def clear(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, "\x1b[H\x1b[2J\x1b[3J")


@tool("history")
def history(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, "".join(f"{number:5}  {line}\n" for number, line in enumerate(shell.desk.history, 1)))


@tool("which", "type", "command")
def which(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    name = argv[-1]
    return Result(0, f"/bin/{name}\n") if shell.has_tool(name) else Result(1)


@tool("whoami", "id")
def whoami(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, "learner\n")


@tool("watch")
def watch(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`watch [-n SECONDS] COMMAND`: again and again, until Ctrl-C."""
    words, wait_s = argv[1:], 2.0
    while words and words[0].startswith("-"):
        flag = words.pop(0)
        if flag in ("-n", "--interval") and words:
            try:
                wait_s = max(0.5, float(words.pop(0)))
            except ValueError:
                return Result(1, "", "watch: -n takes seconds\n")
    if not words:
        return Result(1, "", "watch: what? For example: watch kubectl get pods\n")
    if not shell.desk.io.tty or not shell.is_direct(run):
        return shell.tool(run, words, "")
    import shlex

    line = " ".join(words) if len(words) > 1 and not any(char in word for word in words for char in " '\"$") else shlex.join(words)
    while True:
        inner = run.nested(words[0] if len(words) == 1 else line)
        run.budget = max(run.budget, 500)
        head = f"Every {wait_s:.1f}s: {line}   {shell.date('%H:%M:%S')}\n\n"
        shell.out(0, "stdout", "\x1b[H\x1b[2J" + head + inner.output())
        shell.sleep(wait_s)


def usage(name: str, text: str) -> Result:
    return Result(2, "", f"usage: {name} {text}\n")


