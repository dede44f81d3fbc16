"""What an application is given and what it may do: answer requests, keep what it knows, write its log, ask others, and work by itself.

A container of an image whose behaviour names an application (`Behaviour.application`) is answered for by that application's functions.
They follow the program's own source, as far as its users can tell. What an application knows lies beside its container's files, under
names that no path can have; so it is lost with the container, and comes back with a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from clusterlab.network.exchange import Asked, Exchange
from clusterlab.runtime import scripts
from clusterlab.runtime.shell.box import Box

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["Application", "Asked", "Said", "ask", "env_of", "held", "hold", "hostname", "json_text", "log", "option"]

#: Characters of what a program keeps under one name.
HELD_MOST = 200_000


class Said(NamedTuple):
    """The answer of a program."""

    status: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    steady: bool = False  # it answers so for as long as it runs


class Application(NamedTuple):
    """A program that requests or its own work change. `answer` gives None for what its behaviour says anyhow; `work` is called again after
    as many ms as it returns, or no more; `lines` is what it writes at its start."""

    answer: Callable[[Runtime, Container, Asked], Said | None] | None = None
    work: Callable[[Runtime, Container], int | None] | None = None
    lines: Callable[[Runtime, Container], tuple[str, ...]] | None = None
    own_log: bool = False  # it writes down requests by itself
    read: Callable[[Runtime, Container, str], None] | None = None  # a line comes on its standard input


def _volume(container: Container) -> str:
    return f"{container.pod_uid}/#{container.id}"


def held(runtime: Runtime, container: Container, name: str, default: Any = None) -> Any:
    """What a program keeps under a name: JSON; not to be changed."""
    text = (runtime.volumes.get(_volume(container)) or {}).get(f"\0app/{name}")
    return default if text is None else orjson.loads(text)


def hold(runtime: Runtime, container: Container, name: str, value: Any) -> bool:
    """Keeps something; False where there is no room for it."""
    text = orjson.dumps(value).decode()
    if len(text) > HELD_MOST:
        return False
    files = runtime.volumes.get(_volume(container)) or {}
    runtime.volumes[_volume(container)] = {**files, f"\0app/{name}": text}
    return True


def log(runtime: Runtime, container: Container, text: str, stream: str = "stdout") -> None:
    """Writes a line to the container's log."""
    scripts.keep(runtime, container, [(runtime.sim.time_ms, stream, text + "\n")])


def hostname(runtime: Runtime, container: Container) -> str:
    sandbox = runtime.sandboxes[container.pod_uid]
    return sandbox.hostname or sandbox.name


def env_of(container: Container, name: str, default: str = "") -> str:
    """A variable of the container; what is empty counts as missing."""
    return dict(container.config.env).get(name) or default


def option(container: Container, name: str, default: str = "") -> str:
    """The value of --NAME=VALUE or --NAME VALUE; "true" where it stands alone."""
    argv = container.program.argv
    for at, word in enumerate(argv):
        key, equals, value = word.partition("=")
        if key.startswith("-") and key.lstrip("-") == name:
            if equals:
                return value
            after = argv[at + 1] if at + 1 < len(argv) else ""
            return "true" if not after or after.startswith("-") else after
    return default


def json_text(value: Any) -> str:
    """JSON as Go's encoder and JSON.stringify write it: on one line, no blanks."""
    return orjson.dumps(value).decode()


def ask(runtime: Runtime, container: Container, url: str, method: str = "GET", body: str = "", headers: dict[str, str] | None = None,
        depth: int = 1) -> Exchange:
    """A request of the program to another one, which counts as traffic."""
    found: Exchange = Box(runtime, container).ask(url, method, headers or {}, body, depth)
    return found
