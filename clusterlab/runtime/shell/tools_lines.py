"""Commands that turn the lines of text about: rev, tac, nl, paste, diff and the like."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.runtime.shell import kernel
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tools_text import _escapes, _flags, _sources

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

MOST_SHUFFLED = 10_000


def _by_line(change: Callable[[list[str]], list[str]]) -> Tool:
    def tool(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
        found, errors = _sources(box, run, _flags(argv[1:], "wnbsd")[1], stdin, argv[0])
        lines = "".join(text for _, text in found).splitlines()
        return Result(1 if errors else 0, "".join(line + "\n" for line in change(lines)), errors)

    return tool


def paste(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:], "d")
    found, errors = _sources(box, run, names, stdin, "paste")
    columns = [text.splitlines() for _, text in found]
    dashes = [at for at, (name, _) in enumerate(found) if name == "-"]
    if len(dashes) > 1:  # they take turns with the lines of standard input
        given = columns[dashes[0]]
        for turn, at in enumerate(dashes):
            columns[at] = given[turn::len(dashes)]
    marks = _escapes(flags["d"]) if flags.get("d") else "" if "d" in flags else "\t"

    def joined(cells: list[str]) -> str:
        """The delimiters of -d take turns as well."""
        return "".join(cell + (marks[at % len(marks)] if marks and at < len(cells) - 1 else "") for at, cell in enumerate(cells)) + "\n"

    if "s" in flags:
        return Result(0, "".join(joined(each) for each in columns), errors)
    rows = range(max((len(each) for each in columns), default=0))
    return Result(0, "".join(joined([each[row] if row < len(each) else "" for each in columns]) for row in rows), errors)


def nl(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`nl [-b a|t|n] [-w WIDTH] [-s SEPARATOR]`: empty lines are not counted unless -ba says so."""
    flags, names = _flags(argv[1:], "bws")
    found, errors = _sources(box, run, names, stdin, "nl")
    width, joint, out, number = int(flags.get("w") or 6), flags.get("s", "\t"), [], 0
    for line in "".join(text for _, text in found).splitlines():
        counted = bool(line) if flags.get("b", "t") == "t" else flags["b"] == "a"
        number += counted
        out.append(f"{number:{min(width, 50)}}{joint}{line}" if counted else " " * (min(width, 50) + len(joint)) + line)
    return Result(1 if errors else 0, "".join(line + "\n" for line in out), errors)


def column(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`column -t [-s SEPARATORS] [-o SEPARATOR] [-N NAMES]`: words in columns; without -t the lines side by side, within 80 characters."""
    flags, names = _flags(argv[1:], "socN")
    for name, letter in (("table", "t"), ("separator", "s"), ("output-separator", "o"), ("table-columns", "N")):
        flags = {**flags, letter: flags[name]} if name in flags else flags
    found, errors = _sources(box, run, names, stdin, "column")
    lines = [line for _, text in found for line in text.splitlines() if line.strip()][:MOST_SHUFFLED]
    if "t" in flags:
        split = flags.get("s")
        rows = [re.split(f"[{re.escape(split)}]", line) if split else line.split() for line in lines]
        rows = [flags["N"].split(","), *rows] if flags.get("N") else rows
        joint = flags.get("o") or "  "
    else:
        each = max((len(line) for line in lines), default=0) // 8 * 8 + 8
        high = -(-len(lines) // max(1, 80 // each))
        rows, joint = [lines[at::high] for at in range(high)], ""
        rows = [[cell.ljust(each) for cell in row[:-1]] + row[-1:] for row in rows]
    widths = [max(len(row[at]) for row in rows if at < len(row)) for at in range(max(map(len, rows), default=0))]
    shown = (joint.join(cell.ljust(widths[at]) if at < len(row) - 1 else cell for at, cell in enumerate(row)) for row in rows)
    return Result(1 if errors else 0, "".join(line + "\n" for line in shown), errors)


def comm(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`comm [-123] FILE FILE`: what two sorted files have alone and in common, in three columns."""
    flags, names = _flags(argv[1:])
    found, errors = _sources(box, run, names, stdin, "comm")
    if errors or len(found) != 2:
        return Result(1, "", errors or "comm: missing operand\n")
    one, other = (text.splitlines() for _, text in found)
    out, i, j = "", 0, 0
    while i < len(one) or j < len(other):
        where = 1 if j >= len(other) or (i < len(one) and one[i] < other[j]) else 2 if i >= len(one) or other[j] < one[i] else 3
        if str(where) not in flags:
            out += "\t" * sum(str(each) not in flags for each in range(1, where)) + (other[j] if where == 2 else one[i]) + "\n"
        i, j = i + (where != 2), j + (where != 1)
    return Result(0, out)


def diff(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    names = _flags(argv[1:])[1]
    found, errors = _sources(box, run, names, stdin, "diff")
    if errors or len(found) != 2:
        return Result(2, "", errors or "diff: missing operand\n")
    one, other = (text.splitlines(keepends=True)[:2_000] for _, text in found)
    out = "".join(difflib.unified_diff(one, other, names[0], names[1]))
    return Result(1 if out else 0, out)


def mktemp(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, _ = _flags(argv[1:], "p")
    path = f"/tmp/tmp.{box.container.id[:6]}{run.budget:04}"
    problem = box.make_directory(path) if "d" in flags else box.write(path, "", False)
    return Result(1, "", f"mktemp: {problem}\n") if problem else Result(0, path + "\n")


def realpath(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    names = [each for each in argv[1:] if not each.startswith("-")]
    return Result(0, "".join(run.path(each) + "\n" for each in names))


def readlink(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """Where a link leads: namespaces under /proc; a file that is none gives nothing."""
    flags, names = _flags(argv[1:])
    found = [re.fullmatch(r"/proc/(self|\d+)/ns/(\w+)", run.path(each)) for each in names]
    if found and all(found):
        return Result(0, "".join(kernel.namespace(box, each[2]) + "\n" for each in found if each))
    return realpath(box, run, argv, stdin) if flags.keys() & {"f", "e", "m"} else Result(1)


def shuf(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """Lines, or with -i the numbers of a range, in some order; with -n only so many of them."""
    flags, names = _flags(argv[1:], "inr")
    errors = ""
    if "i" in flags:
        low, high = (int(each) for each in flags["i"].split("-"))
        lines = [str(number) for number in range(low, min(high, low + MOST_SHUFFLED) + 1)]
    else:
        found, errors = _sources(box, run, names, stdin, argv[0])
        lines = "".join(text for _, text in found).splitlines()[:MOST_SHUFFLED]
    chance = int(run.look_up("RANDOM") or 0)
    for i in range(len(lines) - 1, 0, -1):
        chance = (chance * 1_103_515_245 + 12_345) % 2**31
        at = (chance >> 8) % (i + 1)
        lines[i], lines[at] = lines[at], lines[i]
    if "n" in flags:
        lines = lines[: int(flags["n"])]
    return Result(1 if errors else 0, "".join(line + "\n" for line in lines), errors)


_SAYINGS = (
    "A stitch in time saves nine.", "Measure twice and cut once.", "Many hands make light work.", "Haste makes waste.",
    "Well begun is half done.", "Where there is a will there is a way.", "You cannot step into the same river twice.\n\t\t-- Heraclitus",
    "What is not good for the hive is not good for the bee.\n\t\t-- Marcus Aurelius", "Look before you leap.",
)


def fortune(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """A saying, of a file with % between them where one is named and there. Which one follows from the moment."""
    names = [each for each in argv[1:] if not each.startswith("-")]
    text = box.read(run.path(names[0])) if names else None
    sayings = [each.strip() for each in (text or "").split("\n%") if each.strip()] or list(_SAYINGS)
    return Result(0, sayings[(run.time_ms // 1000 * 7) % len(sayings)] + "\n")


TOOLS: dict[str, Tool] = {
    "fortune": fortune,
    "rev": _by_line(lambda lines: [line[::-1] for line in lines]), "tac": _by_line(lambda lines: lines[::-1]),
    "nl": nl,
    "column": column, "comm": comm, "shuf": shuf,
    "paste": paste, "diff": diff, "mktemp": mktemp, "realpath": realpath, "readlink": readlink,
}
