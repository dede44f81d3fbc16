"""kubectl as a process: jailed, on a pseudo-terminal or on pipes, within limits of time and output."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import secrets
import shutil
import signal
import struct
import termios
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from clusterlab.lessons.kubectl import SHORT_LIVED, kubectl_path
from clusterlab.web.terminal import editing
from clusterlab.web.terminal.desk import Desk
from clusterlab.web.terminal.files import HOME
from clusterlab.web.terminal.jailer import jailer
from clusterlab.web.terminal.kubeconfig import for_edit
from clusterlab.web.terminal.pool import pool
from clusterlab.web.words import command_of

__all__ = ["Done", "interrupt", "jq", "kubectl", "openssl", "resize"]

#: Bytes of a program that go through a pipe to another one.
MOST_CAPTURED = 4 << 20
#: Bytes that may have been typed for a program that does not read.
MOST_UNREAD = 256 << 10
#: How often the lab's folder is looked at while a program runs.
LOOK_S = 1.0
#: After a polite signal a program has so long to end.
GRACE_S = 1.0
_HOME_IN_WORD = re.compile(rf"(^|=|,|-f|-k|-R){HOME}(?=/|$)")


class Done(NamedTuple):
    """How a program ended. What it printed directly is not in here."""

    code: int
    out: str = ""
    err: str = ""


def _real_words(words: list[str], desk: Desk) -> list[str]:
    """/lab/web.yaml as kubectl knows it."""
    end = words.index("--") if "--" in words else len(words)
    return [_HOME_IN_WORD.sub(lambda found: found[1] + str(desk.folder.root), word) for word in words[:end]] + words[end:]


async def kubectl(desk: Desk, words: list[str], cwd: str, stdin: str | None, direct: bool, keep: Path | None = None) -> Done:
    """Runs kubectl. `direct`: its output goes to where the person looks, else into the answer. `keep`: a folder for temporary files from
    which it cannot remove any. Raises LabError and OSError."""
    walls = await jailer.ready()
    edits = "edit" in words and command_of(words) == "edit"
    space, token, tmp = desk.space, "", desk.space.tmp
    place = desk.folder.real(cwd)
    env = {
        "HOME": str(space.home), "KUBECONFIG": str(space.kubeconfig), "KUBECTL_KUBERC": "false", "PATH": "/nonexistent", "GOMAXPROCS": "2",
        "TMPDIR": str(keep or tmp), "TERM": "xterm-256color" if direct and desk.io.tty else "dumb", "LANG": "C.UTF-8",
        **SHORT_LIVED,
    }
    path, read = str(Path(kubectl_path()).resolve()), [Path("/dev/null")]
    async with pool.turn(desk.lab.id, desk.io.waits):
        if edits:
            token = secrets.token_urlsafe(24)
            tmp = space.tmp / token
            tmp.mkdir(mode=0o700)
            config = space.root / f"{token}.kubeconfig"
            # It may start programs: its configuration is one that names none.
            config.write_text(for_edit(space, desk.key))
            env |= {"TMPDIR": str(tmp), "KUBE_EDITOR": editing.command(path, token), "KUBECONFIG": str(config)}
            read.append(config)
            editing.open_desk(token, desk.io, tmp)
        try:
            run = _Run(desk, direct)
            return await run.run(
                [path, *_real_words(words, desk)], env, place if place is not None and place.is_dir() else space.files,
                stdin, edits and walls.confined, read, keep,
            )
        finally:
            if token:
                editing.close_desk(token)
                shutil.rmtree(tmp, ignore_errors=True)
                config.unlink(missing_ok=True)


async def jq(desk: Desk, text: str) -> Done:
    """Runs jq over what `jq_filter` reads. Raises LabError and OSError."""
    await jailer.ready()
    async with pool.turn(desk.lab.id, desk.io.waits):
        return await _Run(desk, False, filters="jq").run(["jq"], {}, Path("/"), text, False, [])


async def openssl(desk: Desk, order: str) -> Done:
    """Has `openssl_filter` carry out an order. Raises LabError and OSError."""
    await jailer.ready()
    async with pool.turn(desk.lab.id, desk.io.waits):
        return await _Run(desk, False, filters="openssl").run(["openssl"], {}, Path("/"), order, False, [])


class _Run:
    """One process from its start to its end."""

    def __init__(self, desk: Desk, direct: bool, filters: str = "") -> None:
        self.desk, self.direct, self.filters = desk, direct, filters
        self.tty = direct and desk.io.tty
        self.out: list[bytes] = []
        self.err: list[bytes] = []
        self.note = ""
        self._printed = 0
        self._fds: list[int] = []

    async def run(
        self, argv: list[str], env: dict[str, str], cwd: Path, stdin: str | None, forks: bool, read: list[Path],
        keep: Path | None = None,
    ) -> Done:
        desk, space = self.desk, self.desk.space
        try:
            theirs, ours, feed = self._descriptors(stdin)
            try:
                writable = [] if self.filters else [space.files, space.home, space.tmp]
                child = await jailer.spawn(
                    argv, env, cwd, read, writable, theirs, tty=self.tty and stdin is None, forks=forks, keep=keep, filters=self.filters,
                )
            finally:
                for fd in set(theirs):
                    os.close(fd)
            desk.child = child
            tasks = [asyncio.create_task(self._take(fd, sink)) for fd, sink in ours]
            if feed >= 0:
                tasks.append(asyncio.create_task(self._feed(feed, (stdin or "").encode())))
            watcher = asyncio.create_task(self._watch())
            try:
                code = await asyncio.shield(child.ended)
                # What it printed last may still be on its way; a program of its own that holds the pipe has been killed with it.
                await asyncio.wait(tasks, timeout=5)
            finally:
                watcher.cancel()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(watcher, *tasks, return_exceptions=True)
                child.signal(signal.SIGKILL)
        finally:
            if desk.master >= 0:
                desk.loop.remove_writer(desk.master)
            desk.child, desk.master, desk.unread = None, -1, b""
            for fd in self._fds:
                os.close(fd)
        if self.note and self.direct:
            await desk.io.err(self.note.encode())
        out, err = b"".join(self.out).decode(errors="replace"), b"".join(self.err).decode(errors="replace")
        return Done(128 - code if code < 0 else code, out, err + ("" if self.direct else self.note))

    def _descriptors(self, stdin: str | None) -> tuple[list[int], list[tuple[int, str]], int]:
        """(the program's three, ours to read with what they are, ours to write to or -1)."""
        feed = -1
        if self.tty:
            master, slave = os.openpty()
            self._fds.append(master)
            columns, rows = self.desk.io.size()
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.set_blocking(master, False)
            self.desk.master = master
            if stdin is None:
                return [slave, slave, slave], [(master, "out")], -1
            read, feed = os.pipe()
            self._fds.append(feed)
            os.set_blocking(feed, False)
            return [read, slave, slave], [(master, "out")], feed
        out, their_out = os.pipe()
        err, their_err = os.pipe()
        self._fds += [out, err]
        os.set_blocking(out, False)
        os.set_blocking(err, False)
        if stdin:
            read, feed = os.pipe()
            self._fds.append(feed)
            os.set_blocking(feed, False)
        else:
            read = os.open("/dev/null", os.O_RDONLY)
        return [read, their_out, their_err], [(out, "out"), (err, "err")], feed

    async def _take(self, fd: int, sink: str) -> None:
        async for data in _chunks(fd):
            self._printed += len(data)
            if self._printed > (self.desk.io.most if self.direct else MOST_CAPTURED):
                self._stop("printed more than it may")
                return
            if self.direct:
                await (self.desk.io.out if sink == "out" else self.desk.io.err)(data)
            else:
                (self.out if sink == "out" else self.err).append(data)

    async def _feed(self, fd: int, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        while data:
            ready: asyncio.Future[None] = loop.create_future()
            loop.add_writer(fd, _done, ready)
            try:
                await ready
            finally:
                loop.remove_writer(fd)
            try:
                data = data[os.write(fd, data):]
            except BlockingIOError:
                continue
            except OSError:
                break  # it does not read on
        self._fds.remove(fd)
        os.close(fd)

    async def _watch(self) -> None:
        """Ends a program that takes too long or fills the folder."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.desk.io.limit_s
        while True:
            await asyncio.sleep(min(LOOK_S, max(0.01, ends - loop.time())))
            if loop.time() >= ends:
                self._stop(f"stopped after {self.desk.io.limit_s:.0f} seconds")
            elif problem := await loop.run_in_executor(None, self.desk.space.overfull):
                self._stop(problem)

    def _stop(self, why: str) -> None:
        child = self.desk.child
        if child is not None and not self.note:
            self.note = f"\nclusterlab: {why}\n"
            child.signal(signal.SIGTERM)
            asyncio.get_running_loop().call_later(GRACE_S, child.signal, signal.SIGKILL)


def _done(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _chunks(fd: int) -> AsyncIterator[bytes]:
    """What comes out of a descriptor, no faster than it is taken."""
    loop = asyncio.get_running_loop()
    while True:
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(fd, _done, ready)
        try:
            await ready
        finally:
            loop.remove_reader(fd)
        try:
            data = os.read(fd, 32768)
        except BlockingIOError:
            continue
        except OSError:
            return  # the other side of a pseudo-terminal is closed
        if not data:
            return
        yield data


def interrupt(desk: Desk) -> None:
    """Ctrl-C: to the program on the terminal as a key, to one in a pipe as a signal."""
    if desk.child is None or desk.master < 0:
        desk.interrupted = True
    if desk.child is not None and desk.master < 0:
        desk.child.signal(signal.SIGINT)


def typed(desk: Desk, data: bytes) -> None:
    """Keys for the program that runs."""
    if desk.master >= 0:
        with contextlib.suppress(OSError, termios.error):
            if b"\x03" in data and termios.tcgetattr(desk.master)[3] & termios.ISIG:
                desk.interrupted = True  # the line ends with its program; a shell in a container takes the key for itself
        desk.unread = (desk.unread + data)[:MOST_UNREAD]
        _write_typed(desk)
    elif b"\x03" in data:
        interrupt(desk)


def _write_typed(desk: Desk) -> None:
    """Hands on what the pseudo-terminal takes of what was typed; the rest when it takes more (it holds 4 kB, a paste may be longer)."""
    try:
        desk.unread = desk.unread[os.write(desk.master, desk.unread):]
    except BlockingIOError:
        pass  # later
    except OSError:
        desk.unread = b""  # nobody reads any more
    if desk.unread:
        desk.loop.add_writer(desk.master, _write_typed, desk)
    else:
        desk.loop.remove_writer(desk.master)


def resize(desk: Desk, columns: int, rows: int) -> None:
    """Tells the program that the window has another size."""
    if desk.master >= 0:
        with contextlib.suppress(OSError):
            fcntl.ioctl(desk.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
