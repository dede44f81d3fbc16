"""kubectl cp: it runs tar in the container, which here packs and unpacks what the container's own tools read and write.

Follows staging/src/k8s.io/kubectl/pkg/cmd/cp/cp.go: `tar -xmf - -C FOLDER` with an archive on stdin, `tar cf - PATH` with one on stdout.
"""

from __future__ import annotations

import io
import posixpath
import shlex
import tarfile
from collections.abc import Awaitable, Callable
from typing import NamedTuple

__all__ = ["Outcome", "pack", "unpack"]

MAX_FILES = 500

#: (argv, stdin) -> (exit code, stdout, stderr)
Run = Callable[[list[str], str], Awaitable[tuple[int, str, str]]]


class Outcome(NamedTuple):
    """How tar ended."""

    code: int
    out: bytes
    err: str


async def unpack(argv: list[str], archive: bytes, run: Run) -> Outcome:
    """`tar x`: writes the files of an archive into a folder."""
    folder = argv[argv.index("-C") + 1] if "-C" in argv[:-1] else "."
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = tar.getmembers()[:MAX_FILES]
            files = [(each, tar.extractfile(each)) for each in members if each.isfile()]
            found = [(each.name, data.read().decode(errors="replace")) for each, data in files if data is not None]
            folders = [each.name for each in members if each.isdir()]
    except (tarfile.TarError, EOFError, ValueError):
        return Outcome(2, b"", "tar: This does not look like a tar archive\n")
    for name in folders:
        code, _, err = await run(["mkdir", "-p", posixpath.join(folder, name)], "")
        if code:
            return Outcome(2, b"", err)
    for name, text in found:
        path = posixpath.join(folder, name)
        where = shlex.quote(path)
        code, _, err = await run(["sh", "-c", f"mkdir -p {shlex.quote(posixpath.dirname(path) or '.')} && cat > {where}"], text)
        if code:
            return Outcome(2, b"", err)
    return Outcome(0, b"", "")


async def pack(argv: list[str], run: Run) -> Outcome:
    """`tar c`: an archive of a file, or of all files in a folder."""
    path = argv[-1]
    code, out, err = await run(["test", "-e", path], "")
    if code:
        return Outcome(code if code > 2 else 2, b"", err if code > 2 else f"tar: {path}: Cannot stat: No such file or directory\n")
    _, out, _ = await run(["find", path, "-type", "f"], "")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in out.split("\n")[:MAX_FILES]:
            if not name:
                continue
            code, text, err = await run(["cat", name], "")
            if code:
                return Outcome(2, b"", err)
            data, entry = text.encode(), tarfile.TarInfo(name.lstrip("/"))
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    said = "tar: Removing leading `/' from member names\n" if path.startswith("/") else ""
    return Outcome(0, buffer.getvalue(), said)
