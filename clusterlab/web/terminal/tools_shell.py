"""What belongs to a shell that a person sits at: aliases, sudo, time, and an editor that is the page's own."""

from __future__ import annotations

import re
import shlex
import time as wall
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.builtins import BUILTINS
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.terminal.tools import own_tool, tool, usage

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["aliased", "run_alias"]

MOST_ALIASES, MOST_ALIAS = 100, 1000
_NAME = re.compile(r"[\w.:+-]{1,60}")
#: What makes an alias more than words.
_SHELL = re.compile(r"[|&;<>()$`\\]")


@tool("alias")
def alias(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`alias [NAME[='VALUE'] …]`: other words for the beginning of a command; they last as long as the terminal."""
    out, err = "", ""
    for word in argv[1:] or sorted(shell.aliases):
        name, mark, value = word.partition("=")
        if not mark:
            found = shell.aliases.get(name)
            out += f"alias {name}={shlex.quote(found)}\n" if found is not None else ""
            err += f"alias: {name}: not found\n" if found is None else ""
        elif not _NAME.fullmatch(name) or len(value) > MOST_ALIAS or len(shell.aliases) >= MOST_ALIASES:
            err += f"alias: {name}: this cannot be an alias\n"
        else:
            shell.aliases[name] = value
    return Result(1 if err else 0, out, err)


@tool("unalias")
def unalias(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    if argv[1:] == ["-a"]:
        shell.aliases.clear()
    missing = [name for name in argv[1:] if name != "-a" and shell.aliases.pop(name, None) is None]
    return Result(1 if missing else 0, "", "".join(f"unalias: {name}: not found\n" for name in missing))


def aliased(shell: Shell, argv: list[str]) -> list[str]:
    """The words that an alias of plain words stands for; `argv` itself where there is none."""
    value = shell.aliases.get(argv[0]) if argv else None
    if value is None or _SHELL.search(value):
        return argv
    try:
        return [*shlex.split(value), *argv[1:]] or argv
    except ValueError:
        return argv


def run_alias(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result | None:
    """What an alias does; None where the command is none. An alias is not looked up in its own words."""
    value = shell.aliases.get(argv[0])
    if value is None or argv[0] in shell.expanding:
        return None
    shell.expanding.append(argv[0])
    try:
        words = aliased(shell, argv)
        if words is not argv:
            builtin = BUILTINS.get(words[0])
            return (builtin(run, words[1:]) or Result(run.status)) if builtin else shell.tool(run, words, stdin)
        inner = run.nested(f"{value} {shlex.join(argv[1:])}")
        return Result(inner.status, inner.output())
    finally:
        shell.expanding.remove(argv[0])


@tool("sudo")
def sudo(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """Everybody may do here what there is to do."""
    words = argv[1:]
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in ("-u", "-g") else words[1:]
    return shell.tool(run, words, stdin) if words else usage("sudo", "COMMAND …")


@tool("time")
def time(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """How long a command takes on the wall; what it takes of the processor is not known here."""
    if len(argv) < 2:
        return usage("time", "COMMAND …")
    begin = wall.monotonic()
    done = shell.tool(run, argv[1:], stdin)
    minutes, seconds = divmod(wall.monotonic() - begin, 60)
    return done._replace(err=f"{done.err}\nreal\t{minutes:.0f}m{seconds:.3f}s\n")


@own_tool("vi", "vim", "nano", "emacs", "code")
def edit_file(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """Opens a file in the page's editor; what is saved there is written."""
    names = [word for word in argv[1:] if not word.startswith("-")]
    if len(names) != 1:
        return usage(argv[0], "FILE, which opens in the page's editor")
    path = run.path(names[0])
    if shell.is_directory(path):
        return Result(1, "", f"{argv[0]}: {names[0]}: Is a directory\n")
    if not shell.desk.io.tty:
        return Result(1, "", f"{argv[0]}: this is for the terminal in the lab's page\n")
    before = shell.read(path) or ""
    text = shell.wait_for(shell.desk.io.edit(names[0], before))
    shell.check()
    if text is None or text == before:
        return Result(0, "", f"{argv[0]}: {names[0]} was left as it was\n")
    if problem := shell.write(path, text, False):
        return Result(1, "", f"{argv[0]}: {names[0]}: {problem}\n")
    return Result(0, "", f'"{names[0]}" {len(text.splitlines())}L written\n')
