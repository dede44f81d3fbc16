"""seccomp: system calls that a kubectl has no use for fail with EPERM, above all those that make processes and sockets.

Sockets are left for TCP over IPv4 alone (no names are looked up: no UDP; no unix sockets, so no daemon of the machine can be asked).
New threads are allowed, new processes only where the program must start another one (kubectl edit starts kubectl).
Follows include/uapi/linux/seccomp.h and filter.h; numbers from the kernel's tables of x86_64 and aarch64.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

__all__ = ["available", "confine"]

_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
#: Calls that fail, by (x86_64, aarch64); -1 where there is none of that name.
_DENIED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280),
    "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282), "socketpair": (53, 199), "bind": (49, 200), "listen": (50, 201), "kill": (62, 129), "tkill": (200, 130),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "fsopen": (430, 430), "fsmount": (432, 432), "open_tree": (428, 428),
    "move_mount": (429, 429), "mount_setattr": (442, 442), "syslog": (103, 116), "personality": (135, 92), "acct": (163, 89),
    "ioperm": (173, -1), "iopl": (172, -1), "pidfd_getfd": (438, 438), "symlink": (88, -1), "symlinkat": (266, 36),
    "mknod": (133, -1), "mknodat": (259, 33), "setrlimit": (160, 164),
}
#: Calls that make processes without looking at flags, and the one that is looked at.
_FORKS, _CLONE, _CLONE3 = {"fork": (57, -1), "vfork": (58, -1)}, (56, 220), (435, 435)
_SOCKET = (41, 198)
_CLONE_THREAD, _AF_INET, _SOCK_STREAM = 0x10000, 2, 1
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_LD, _JEQ, _JGE, _JSET, _AND, _RET = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NR, _ARCH_AT, _ARG0, _ARG1 = 0, 4, 16, 24


def _errno(code: int) -> int:
    return 0x00050000 | code


def available() -> bool:
    """Whether the machine is one whose call numbers stand here."""
    return platform.system() == "Linux" and platform.machine() in _ARCH


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def program(machine: str, forks: bool) -> bytes:
    """The filter as instructions of the kernel's packet filter."""
    column = list(_ARCH).index(machine)
    fail = _op(_RET, _errno(errno.EPERM))
    code = [_op(_LD, _ARCH_AT), _op(_JEQ, _ARCH[machine], 1, 0), _op(_RET, _KILL), _op(_LD, _NR), _op(_JGE, 0x40000000, 0, 1), fail]
    denied = dict(_DENIED) if forks else {**_DENIED, **_FORKS}
    for numbers in denied.values():
        if numbers[column] >= 0:
            code += [_op(_JEQ, numbers[column], 0, 1), fail]
    # The C library and Go fall back to clone, whose flags can be looked at.
    code += [_op(_JEQ, _CLONE3[column], 0, 1), _op(_RET, _errno(errno.ENOSYS))]
    if not forks:
        code += [_op(_JEQ, _CLONE[column], 0, 4), _op(_LD, _ARG0), _op(_JSET, _CLONE_THREAD, 1, 0), fail, _op(_RET, _ALLOW)]
    code += [
        _op(_JEQ, _SOCKET[column], 0, 7), _op(_LD, _ARG0), _op(_JEQ, _AF_INET, 0, 3), _op(_LD, _ARG1), _op(_AND, 0xF),
        _op(_JEQ, _SOCK_STREAM, 1, 0), fail, _op(_RET, _ALLOW), _op(_RET, _ALLOW),
    ]
    return b"".join(code)


def confine(forks: bool = False) -> None:
    """Puts the filter on this process for good. Raises OSError; the caller must have set PR_SET_NO_NEW_PRIVS."""
    code = program(platform.machine(), forks)
    buffer = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, 2, ctypes.create_string_buffer(head, len(head)), 0, 0) != 0:
        code_number = ctypes.get_errno()
        raise OSError(code_number, os.strerror(code_number))
