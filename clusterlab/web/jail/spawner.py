"""A small process that starts programs for the server, each behind walls, and tells when they end.

The server is large and has threads; a fork of it would be slow and unsafe. This process is started once. Orders come over a socket as
JSON with three descriptors (stdin, stdout, stderr); answers go back as JSON. When the server goes, so do all programs.

Where it may, it lives in a network namespace of its own: nothing is there but a loopback device, and on it listening sockets (without
and with TLS) that are handed to the server. So programs reach the server's API and nothing else, whatever address they are given.

    order  {"id", "argv", "env", "cwd", "read", "write", "execute"?, "ports", "jail", "forks", "tty", "filter"?} or {"kill": pid, "signal"}
    answer {"hello": {"landlock", "seccomp", "network"}}, {"id", "pid"}, {"ended": pid, "code"}
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import termios
from typing import Any

from clusterlab.web.jail import jq_filter, landlock, seccomp

__all__ = ["main"]

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_NO_NEW_PRIVS, _PDEATHSIG = 38, 1
MESSAGE = 256 * 1024
LIMITS = {
    resource.RLIMIT_CPU: 30, resource.RLIMIT_FSIZE: 4 << 20, resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_DATA: 1 << 30,
}


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def own_network(ports: list[int]) -> list[socket.socket]:
    """Moves this process into a network of its own; the sockets that listen there, none where that is not allowed."""
    if not sys.platform.startswith("linux") or not ports:
        return []
    uid, gid = os.getuid(), os.getgid()
    if _libc().unshare(_NEWNET) != 0:
        if _libc().unshare(_NEWUSER | _NEWNET) != 0:
            return []
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
        listeners = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in ports]
        for listener, port in zip(listeners, ports, strict=True):
            listener.bind(("127.0.0.1", port))
            listener.listen(256)
    except OSError:
        return []
    return listeners


def _drop_capabilities() -> None:
    """A server that runs as root starts programs that can do no more than anybody."""
    head = struct.pack("Ii", 0x20080522, 0)
    if os.geteuid() == 0 and _libc().capset(ctypes.create_string_buffer(head, len(head)), ctypes.create_string_buffer(24)) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")


def _filter(name: str) -> Any:
    """The program of a filter. openssl's is loaded when it is needed first, here, where its files can still be read."""
    if name != "openssl":
        return jq_filter
    from clusterlab.web.jail import openssl_filter

    openssl_filter.warm()
    return openssl_filter


def _become(order: dict[str, Any], descriptors: list[int]) -> None:
    """In the new process: walls, then the program. Never returns."""
    try:
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.closerange(3, 256)
        if order.get("tty"):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for what, most in (LIMITS | jq_filter.LIMITS if order.get("filter") else LIMITS).items():
            hard = resource.getrlimit(what)[1]
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (least, least))
        os.nice(5)  # the server, which all wait for, goes first
        os.chdir(order["cwd"])
        if sys.platform.startswith("linux"):
            _libc().prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if order.get("jail"):
            _libc().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
            execute = [] if order.get("filter") else [order["argv"][0], *order.get("execute", ())]
            landlock.restrict(order["read"], order["write"], execute, order.get("ports", ()), order.get("keep", ()))
            _drop_capabilities()
            if seccomp.available():
                seccomp.confine(bool(order.get("forks")))
        if order.get("filter"):  # no program of its own: it is here already
            os._exit(_filter(order["filter"]).main())
        os.execve(order["argv"][0], order["argv"], order["env"])
    except BaseException as error:
        os.write(2, f"clusterlab: this cannot be run confined: {error}\n".encode())
    finally:
        os._exit(126)


class _Spawner:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children: dict[int, int] = {}  # pid -> id of the order
        self.wake, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def say(self, **message: Any) -> None:
        self.control.send(json.dumps(message).encode())

    def serve(self) -> None:
        while True:
            waited: list[Any] = [self.control, self.wake]
            ready, _, _ = select.select(waited, [], [])
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 512)
                self.reap()
            if self.control in ready:
                data, descriptors, _, _ = socket.recv_fds(self.control, MESSAGE, 3)
                if not data:
                    return
                self.obey(json.loads(data), list(descriptors))

    def obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        try:
            if "kill" in order:
                if order["kill"] in self.children:
                    os.killpg(order["kill"], order["signal"])
                return
            if order.get("filter"):
                _filter(order["filter"])
            pid = os.fork()
            if pid == 0:
                _become(order, descriptors)
            self.children[pid] = order["id"]
            self.say(id=order["id"], pid=pid)
        except (OSError, ImportError) as error:
            if "id" in order:
                self.say(id=order["id"], error=str(error))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def reap(self) -> None:
        while self.children:
            try:
                pid, status = self.ended()
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.children.pop(pid, None) is not None:
                self.say(ended=pid, code=os.waitstatus_to_exitcode(status))

    def ended(self) -> tuple[int, int]:
        """(process id, wait status) of a child that has ended, with what it may have started; (0, 0) if none has.

        Its group is killed before it is waited for: afterwards the system may give its number to a stranger."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13: what the program started is left
            return os.waitpid(-1, os.WNOHANG)
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return 0, 0
        with contextlib.suppress(OSError):
            os.killpg(found.si_pid, signal.SIGKILL)
        return os.waitpid(found.si_pid, 0)

    def end(self) -> None:
        for pid in self.children:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """`spawner.main()` of a process with the arguments CONTROL-DESCRIPTOR PORT… (no port: no network of its own)."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the server's terminal is the server's affair
    listeners = own_network([int(port) for port in sys.argv[2:]])
    hello = {"landlock": landlock.abi(), "seccomp": seccomp.available(), "network": bool(listeners)}
    socket.send_fds(control, [json.dumps({"hello": hello}).encode()], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()
    spawner = _Spawner(control)
    try:
        spawner.serve()
    except (OSError, BrokenPipeError):
        pass  # the server has gone
    finally:
        spawner.end()
