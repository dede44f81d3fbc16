"""Landlock: a process gives up every file and every TCP port but those it names, for itself and all that it starts.

Follows Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h of Linux. Needs no privilege. Rights that the running
kernel does not know yet are left out; `abi` says which it knows (1: files, 4: TCP, 6: signals and abstract sockets).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable

__all__ = ["abi", "restrict"]

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH, _NET_PORT = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, REFER, TRUNCATE, IOCTL_DEV = 1 << 7, 1 << 8, 1 << 13, 1 << 14, 1 << 15
#: What a file, as opposed to a folder, can be given.
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
#: All rights on files that each version of the interface can take away.
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
BIND_TCP, CONNECT_TCP = 1, 2
_SCOPES = 3  # abstract unix sockets, signals

READ = READ_FILE | READ_DIR
#: No links and no devices: whoever reads the folder later follows nothing out of it.
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE

KEEP = READ | WRITE_FILE | MAKE_DIR | MAKE_REG | TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class _Port(ctypes.Structure):
    _fields_ = [("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64)]


def _syscall(number: int, *args: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    done: int = libc.syscall(ctypes.c_long(number), *args)
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return done


def abi() -> int:
    """The version of Landlock that the kernel offers; 0 where it offers none."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return _syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def restrict(read: Iterable[str], write: Iterable[str], execute: Iterable[str], ports: Iterable[int], keep: Iterable[str] = ()) -> None:
    """Confines this process for good. `ports`: the TCP ports that it may connect to. `keep`: folders in
    which it may make files but remove none. Raises OSError where Landlock fails.

    The caller must have set PR_SET_NO_NEW_PRIVS. Paths that do not exist are passed over."""
    version = abi()
    if version < 1:
        raise OSError("this kernel has no Landlock")
    handled = _HANDLED.get(version, (1 << 16) - 1)
    attributes = _Ruleset(handled, BIND_TCP | CONNECT_TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for paths, rights in ((read, READ), (write, WRITE), (keep, KEEP), (execute, EXECUTE | READ_FILE)):
            for path in paths:
                _allow_path(ruleset, path, rights & handled)
        for port in ports if version >= 4 else ():
            rule = _Port(CONNECT_TCP, port)
            _syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_NET_PORT), ctypes.byref(rule), ctypes.c_uint32(0))
        _syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _OF_FILES
        rule = _PathBeneath(rights, parent)
        _syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(parent)
