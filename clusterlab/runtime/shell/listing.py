"""`ls`: names, owners, sizes; the volumes that a kubelet fills show how it changes them all at once.

Follows pkg/volume/util/atomic_writer.go: the files of a configMap, a secret or a projected volume are links into `..data`, itself a
link to a folder named after the time of its making.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.runtime import disk
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tools_text import _flags

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

__all__ = ["ls", "owner"]

_ATOMIC = frozenset(("configMap", "secret", "projected", "downwardAPI"))
_LETTERS = "rwxrwxrwx"


def ls(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:])
    out, errors, code = "", "", 0
    for number, name in enumerate(names or ["."]):
        path = run.path(name)
        if box.is_directory(path) and "d" not in flags:
            if len(names) > 1 or "R" in flags:
                out += ("\n" if number else "") + f"{name}:\n"
            out += _directory(box, path, name, flags, 0)
        elif box.exists(path):
            out += _long(box, path, name) if "l" in flags else name + "\n"
        else:
            quoted = f"'{name}'" if box.distribution == "debian" else name
            errors += f"ls: {'cannot access ' if quoted != name else ''}{quoted}: No such file or directory\n"
            code = 2 if quoted != name else 1
    return Result(code, out, errors)


def _directory(box: Box, path: str, name: str, flags: dict[str, str], depth: int) -> str:
    base, atomic = path.rstrip("/"), _is_atomic(box, path)
    entries = box.entries(path)
    stamp = f"..{box.date('%Y_%m_%d_%H_%M_%S')}.{int(box.container.id[:8], 16) % 10**9:09}" if atomic else ""
    shown = entries if "a" in flags or "A" in flags else [each for each in entries if not each.startswith(".")]
    if "l" not in flags:
        dots = [".", "..", *(["..data", stamp] if atomic else [])] if "a" in flags else ["..data", stamp] if atomic and "A" in flags else []
        out = "".join(each + "\n" for each in (*sorted(dots), *shown))
    else:
        lines = []
        if "a" in flags:
            lines += [_row("drwxrwxrwt" if atomic else _mode(box, path), *owner(box, path), 4096, box.date("%b %e %H:%M"), "."),
                      _row("drwxr-xr-x", "root", "root", 4096, box.date("%b %e %H:%M"), "..")]
        if atomic and ("a" in flags or "A" in flags):
            lines += [_row("drwxr-xr-x", *owner(box, path), 4096, box.date("%b %e %H:%M"), stamp),
                      _row("lrwxrwxrwx", *owner(box, path), len(stamp), box.date("%b %e %H:%M"), f"..data -> {stamp}")]
        for each in shown:
            if atomic:
                lines.append(_row("lrwxrwxrwx", *owner(box, path), 7 + len(each), box.date("%b %e %H:%M"), f"{each} -> ..data/{each}"))
            else:
                lines.append(_long(box, f"{base}/{each}", each))
        out = f"total {0 if atomic else len(shown) * 4}\n" + "".join(lines)
    if "R" in flags and depth < 5 and not atomic:
        for each in shown:
            if box.is_directory(f"{base}/{each}") and len(out) < 50_000:
                inner = f"{name.rstrip('/')}/{each}"
                out += f"\n{inner}:\n" + _directory(box, f"{base}/{each}", inner, flags, depth + 1)
    return out


def _is_atomic(box: Box, path: str) -> bool:
    return any(mount.path.rstrip("/") == path.rstrip("/") and mount.kind in _ATOMIC and not mount.sub_path
               for mount in box.container.config.mounts)


def owner(box: Box, path: str) -> tuple[str, str]:
    """Who owns a file: outside of volumes root, inside whoever runs here; a volume's group is the pod's fsGroup."""
    _, inner, mount = box._locate(path)
    if mount is None:
        own = path.startswith("/tmp/")
        return (box.user_name if own else "root"), (box.gid if own and box.gid != "0" else "root")
    fs_group = box.container.config.fs_group
    group = "root" if fs_group < 0 and box.gid == "0" else str(fs_group) if fs_group >= 0 else box.gid
    if mount.kind in _ATOMIC or not inner:
        return "root", group if fs_group >= 0 else "root"
    return box.user_name, group


def _mode(box: Box, path: str) -> str:
    _, inner, mount = box._locate(path)
    if box.is_directory(path):
        if mount is not None and not inner and mount.kind in {"emptyDir", "persistentVolumeClaim"}:
            return "drwxrwsrwx" if box.container.config.fs_group >= 0 else "drwxrwxrwx"
        return "drwxrwxrwt" if path in {"/tmp", "/var/tmp"} else "drwxr-xr-x"
    mode = mount.mode if mount is not None and mount.kind in _ATOMIC else 0o644
    if mount is not None and mount.kind in _ATOMIC and box.container.config.fs_group >= 0:
        mode |= 0o040
    return "-" + "".join(letter if mode >> (8 - at) & 1 else "-" for at, letter in enumerate(_LETTERS))


def _row(mode: str, owner: str, group: str, size: int, when: str, name: str) -> str:
    return f"{mode}    {2 if mode.startswith('d') else 1} {owner:<8} {group:<8} {size:9} {when} {name}\n"


def _long(box: Box, path: str, name: str) -> str:
    size = 4096 if box.is_directory(path) else disk.size_of(box.read(path) or "")
    return _row(_mode(box, path), *owner(box, path), size, box.date("%b %e %H:%M"), name)
