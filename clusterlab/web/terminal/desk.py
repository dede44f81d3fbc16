"""What one command line has at hand: its lab, its folder, and where its output goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from clusterlab.web.labs.lab import Lab
from clusterlab.web.terminal.files import Folder, Space
from clusterlab.web.terminal.jailer import Child

__all__ = ["Desk", "Io", "Plain"]


class Io(Protocol):
    """Where a line's output goes and its input comes from. All on the event loop."""

    #: A person sits there: programs get a pseudo-terminal.
    tty: bool
    #: Wall time that one program may take.
    limit_s: float
    #: Bytes that one program may print.
    most: int

    async def out(self, data: bytes) -> None: ...
    async def err(self, data: bytes) -> None: ...
    def size(self) -> tuple[int, int]: ...
    def waits(self, ahead: int) -> None: ...
    async def edit(self, name: str, text: str) -> str | None:
        """The text after a person has edited it; None where they would not."""
        ...

    async def page(self, action: dict[str, Any]) -> str:
        """Has the page do something; the answer is what is wrong, or ""."""
        ...


class Plain:
    """Keeps what is printed, for those who ask for a line's answer as a whole."""

    tty = False
    limit_s = 60.0
    most = 512 * 1024

    def __init__(self) -> None:
        self.stdout: list[bytes] = []
        self.stderr: list[bytes] = []
        self._left = self.most

    async def out(self, data: bytes) -> None:
        self._keep(self.stdout, data)

    async def err(self, data: bytes) -> None:
        self._keep(self.stderr, data)

    def _keep(self, where: list[bytes], data: bytes) -> None:
        if self._left > 0:
            where.append(data[: self._left])
            self._left -= len(data)
            if self._left <= 0:
                where.append("\n… the rest is not shown\n".encode())

    def size(self) -> tuple[int, int]:
        return 80, 24

    def waits(self, ahead: int) -> None:
        pass

    async def edit(self, name: str, text: str) -> str | None:
        return None

    async def page(self, action: dict[str, Any]) -> str:
        return "this is for the terminal in the lab's page"


@dataclass
class Desk:
    """One command line of a lab. `typed` takes what is typed while a program runs."""

    lab: Lab
    key: str
    space: Space
    folder: Folder
    io: Io
    loop: asyncio.AbstractEventLoop
    confined: bool = False
    #: Of whoever looks: what clusterlab's own commands say.
    language: str = "en"
    #: Is set once and for all by Ctrl-C while a line runs; the line ends at the next thing that it does.
    interrupted: bool = False
    child: Child | None = None
    #: The pseudo-terminal of the program that runs, or -1.
    master: int = -1
    #: What was typed for it and not taken yet.
    unread: bytes = b""
    history: list[str] = field(default_factory=list)
