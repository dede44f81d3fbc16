"""diff of two files, and kubectl diff.

kubectl writes what is there and what would be there into two folders and has the program `diff` compare them (kubectl/pkg/cmd/diff). In
its jail no other program can be started, and what it writes for this one it cannot remove: so kubectl does everything but the last, and
the comparison is made here.
"""

from __future__ import annotations

import difflib
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.terminal import programs
from clusterlab.web.terminal.tools import tool, usage

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["compared", "kubectl_diff"]

#: Lines and bytes that are compared; difflib takes long for more.
MOST_LINES, MOST_BYTES, MOST_PLAIN = 20_000, 1 << 20, 100_000
_NO_PROGRAM = 'failed to run "diff"'


def compared(before: str, after: str, old: str, new: str, context: int = 3) -> str:
    """`diff -u` of two texts; "" where they are the same."""
    one, other = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if len(one) + len(other) > MOST_LINES:
        return "" if one == other else f"Files {old} and {new} differ (too long to compare)\n"
    lines = difflib.unified_diff(one, other, old, new, n=context)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _plainly(before: str, after: str) -> str:
    """`diff` of two texts as it is without -u."""
    one, other = before.splitlines(), after.splitlines()
    out = ""
    for what, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        old, new = (f"{first + 1},{last}" if last - first > 1 else str(last) for first, last in ((a, b), (c, d)))
        out += f"{old}{what[0] if what != 'replace' else 'c'}{new}\n" + "".join(f"< {line}\n" for line in one[a:b])
        out += ("---\n" if what == "replace" else "") + "".join(f"> {line}\n" for line in other[c:d])
    return out


@tool("diff")
def diff(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`diff [-u] FILE FILE`; with kubectl's flags it is kubectl diff that is meant."""
    names = [word for word in argv[1:] if not word.startswith("-") or word == "-"]
    if any(word.startswith(("-f", "-k", "--filename", "--kustomize", "-R", "--server", "-l")) for word in argv[1:]):
        return shell.tool(run, ["kubectl", *argv], stdin)
    if len(names) != 2:
        return usage("diff", "FILE FILE, or kubectl diff -f FILE")
    texts = []
    for name in names:
        text = stdin if name == "-" else shell.read(run.path(name))
        if text is None:
            return Result(2, "", f"diff: {name}: No such file or directory\n")
        texts.append(text)
    if any(word in ("-q", "--brief") for word in argv[1:]):
        return Result(1, f"Files {names[0]} and {names[1]} differ\n") if texts[0] != texts[1] else Result(0)
    short = sum(map(str.__len__, texts)) < MOST_PLAIN and not any(word.startswith(("-u", "-U", "--unified")) for word in argv[1:])
    found = _plainly(*texts) if short else compared(texts[0], texts[1], names[0], names[1])
    return Result(1 if found else 0, found)


def kubectl_diff(shell: Shell, words: list[str], cwd: str, stdin: str | None) -> programs.Done:
    """kubectl diff, run to its end. Raises LabError and OSError."""
    place = shell.desk.space.root / f"diff-{secrets.token_hex(8)}"
    place.mkdir(mode=0o700)
    try:
        done = shell.wait_for(programs.kubectl(shell.desk, words, cwd, stdin, False, keep=place))
        if _NO_PROGRAM not in done.err:
            return done
        err = "".join(line for line in done.err.splitlines(keepends=True) if _NO_PROGRAM not in line)
        out = _folders(place)
        return programs.Done(1 if out else 0, out, err)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _folders(place: Path) -> str:
    """What `diff -u -N LIVE MERGED` prints of the two folders that kubectl has left."""
    sides = {path.name.split("-")[0]: path for path in place.iterdir() if path.is_dir() and not path.is_symlink()}
    live, merged = sides.get("LIVE"), sides.get("MERGED")
    if live is None or merged is None:
        return ""
    out = ""
    for name in sorted({path.name for side in (live, merged) for path in side.iterdir()}):
        before, after = (_text(side / name) for side in (live, merged))
        if found := compared(before, after, f"/tmp/{live.name}/{name}", f"/tmp/{merged.name}/{name}"):
            out += f"diff -u -N /tmp/{live.name}/{name} /tmp/{merged.name}/{name}\n{found}"
    return out


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(MOST_BYTES).decode(errors="replace")
