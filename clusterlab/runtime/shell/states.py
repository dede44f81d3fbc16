"""What a script is on its way: its state between two waits, and what a command came to."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["FOREVER", "Exit", "NeedsInput", "Result", "State"]

FOREVER = -1


class Result(NamedTuple):
    """What a command came to. `wait_ms`: it takes so long first (FOREVER: it never ends); `listen`: ports that it answers."""

    code: int = 0
    out: str = ""
    err: str = ""
    wait_ms: int = 0
    listen: tuple[Any, ...] = ()
    memory: int = 0
    cpu_milli: int = 0
    again: bool = False  # after `wait_ms` the same command is run once more: a connection that is tried again; FOREVER: with more input
    watching: bool = False  # it waits for what others may do, so that nobody need wait for it


class State(NamedTuple):
    """A script somewhere on its way. `wake_ms`: when it goes on; FOREVER: not by itself."""

    source: str
    params: tuple[str, ...] = ()
    pc: int = 0
    time_ms: int = 0
    wake_ms: int = 0
    variables: dict[str, str] = {}
    exported: tuple[str, ...] = ()
    functions: dict[str, int] = {}
    frames: tuple[tuple[Any, ...], ...] = ()
    status: int = 0
    cwd: str = "/"
    traps: dict[str, str] = {}
    strict: bool = False  # set -e
    trace: bool = False  # set -x
    ended: bool = False
    pending: tuple[int, str] = (0, "")  # exit code and output of what it waits for
    listen: tuple[Any, ...] = ()
    memory: int = 0
    cpu_milli: int = 0
    serving: bool = False  # the image's own program has been started by the script
    loops: int = 0
    shell: str = "sh"
    tries: int = 0  # how often the command under way has been run again
    watching: bool = False
    running: str = ""  # the command that it waits for
    stdin: str = ""  # what has come on standard input and was not read yet
    stdin_open: bool = False  # more may come
    asking: bool = False  # it waits for that


class Exit(Exception):
    """The shell, or a subshell, ends."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class NeedsInput(Exception):
    """A command wants input that has not come yet: the script waits, and the command is run anew."""
