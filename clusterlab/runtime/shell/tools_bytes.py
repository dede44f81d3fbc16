"""Commands that show bytes or break text up: od, hexdump, xxd, strings, cmp, split, fold, expand, cksum."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.complaints import complaint
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tools_text import _flags, _sources

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

BYTES_MOST, PIECES_MOST = 50_000, 600
_NAMES = {0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}


def _bytes(box: Box, run: Run, names: list[str], tool: str) -> tuple[bytes, str]:
    found, errors = _sources(box, run, names, "", tool)
    return "".join(text for _, text in found).encode("utf-8", "surrogateescape")[:BYTES_MOST], errors


def _rows(data: bytes, size: int = 16) -> list[tuple[int, bytes]]:
    return [(at, data[at:at + size]) for at in range(0, len(data), size)]


def _told_once(data: bytes, every: bool) -> Iterator[tuple[int, bytes | None]]:
    """The rows of a dump, with their places; None stands for all that are the same as the one before, unless `every` one is wanted."""
    before: bytes | None = b""
    same = False
    for at, row in _rows(data):
        if row == before and len(row) == 16 and not every:
            if not same:
                yield at, None
            same = True
            continue
        before, same = row, False
        yield at, row


def _part(data: bytes, flags: dict[str, str], letters: str) -> tuple[int, bytes]:
    """How many bytes are left out at the start, and those that are shown; `letters` are the options for both."""
    skip, count = (int(flags[each]) if flags.get(each, "").isdigit() else None for each in letters)
    return skip or 0, data[skip or 0:][:count] if count is not None else data[skip or 0:]


def od(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`od [-A BASE] [-t TYPE | -c | -x | -b | -d] [-j SKIP] [-N COUNT] [FILE]`"""
    flags, names = _flags(argv[1:], "AtjNw")
    data, errors = _bytes(box, run, names, "od")
    skip, data = _part(data, flags, "jN")
    kind = flags.get("t") or ("c" if "c" in flags else "x2" if "x" in flags else "o1" if "b" in flags else "u2" if "d" in flags else "o2")
    text, kind = kind.endswith("z"), kind.rstrip("z")
    found = re.fullmatch(r"([acdoux])([1248]?)", kind)
    if found is None:
        return Result(1, "", f"od: invalid type string '{kind}'\n")
    letter, size = found[1], 1 if found[1] in "ac" else int(found[2] or (2 if "t" not in flags else 4))
    width = {"x": 2 * size, "o": {1: 3, 2: 6, 4: 11, 8: 22}[size], "u": {1: 3, 2: 5, 4: 10, 8: 20}[size],
             "d": {1: 4, 2: 6, 4: 11, 8: 20}[size], "c": 3, "a": 3}[letter]

    def cell(piece: bytes) -> str:
        value = int.from_bytes(piece, "little", signed=letter == "d")
        if letter in "ac":
            return f"{_NAMES.get(value) or (chr(value) if 32 <= value < 127 else f'{value:03o}'):>3}"
        return f"{value:0{width}{letter}}" if letter in "xo" else f"{value:>{width}}"

    address = {"n": "", "x": "06x", "d": "07d"}.get(flags.get("A", "o"), "07o")
    lines: list[str] = []
    for at, row in _told_once(data, "v" in flags):
        if row is None:
            lines.append("*")
            continue
        cells = " ".join(cell(row[each:each + size].ljust(size, b"\0")) for each in range(0, len(row), size))
        shown = f"{cells:<{(16 // size) * (width + 1) - 1}}  >{_plain(row)}<" if text else cells
        lines.append((f"{at + skip:{address}}" if address else "") + " " + shown)
    lines += [f"{len(data) + skip:{address}}"] if address else []
    return Result(1 if errors else 0, "".join(line + "\n" for line in lines), errors)


def _plain(row: bytes) -> str:
    return "".join(chr(each) if 32 <= each < 127 else "." for each in row)


def hexdump(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`hexdump [-C] [-n COUNT] [-s SKIP] [FILE]`"""
    flags, names = _flags(argv[1:], "ns")
    data, errors = _bytes(box, run, names, argv[0])
    skip, data = _part(data, flags, "sn")
    canonical = "C" in flags or argv[0] == "hd"
    lines: list[str] = []
    for at, row in _told_once(data, "v" in flags):
        if row is None:
            lines.append("*")
            continue
        if canonical:
            halves = (" ".join(f"{each:02x}" for each in half) for half in (row[:8], row[8:]))
            lines.append(f"{at + skip:08x}  {'  '.join(halves):<48}  |{_plain(row)}|")
        else:
            cells = " ".join(f"{int.from_bytes(row[each:each + 2], 'little'):04x}" for each in range(0, len(row), 2))
            lines.append(f"{at + skip:07x} {cells:<39}")
    if data:
        lines.append(f"{len(data) + skip:0{8 if canonical else 7}x}")
    return Result(1 if errors else 0, "".join(line + "\n" for line in lines), errors)


def xxd(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`xxd [-p] [-r] [-l COUNT] [FILE]`"""
    flags, names = _flags(argv[1:], "lscg")
    data, errors = _bytes(box, run, names, "xxd")
    if "r" in flags:
        text = data.decode("latin-1")
        rows = text.split() if "p" in flags else [re.sub(r"^[0-9a-fA-F]+: |  .*$", "", line).replace(" ", "") for line in text.splitlines()]
        digits = re.sub(r"[^0-9a-fA-F]", "", "".join(rows))
        return Result(0, bytes.fromhex(digits[:len(digits) // 2 * 2]).decode("utf-8", "replace"))
    data = data[:int(flags["l"])] if flags.get("l", "").isdigit() else data
    if "p" in flags:
        return Result(1 if errors else 0, "".join(row.hex() + "\n" for _, row in _rows(data, 30)), errors)
    lines = []
    for at, row in _rows(data):
        cells = " ".join(row[each:each + 2].hex() for each in range(0, len(row), 2))
        lines.append(f"{at:08x}: {cells:<39}  {_plain(row)}")
    return Result(1 if errors else 0, "".join(line + "\n" for line in lines), errors)


def strings(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`strings [-n LENGTH] [FILE]`: what can be read, of four characters and more."""
    args = [f"-n{each[1:]}" if re.fullmatch(r"-\d+", each) else each for each in argv[1:]]
    flags, names = _flags(args, "n")
    least = min(1_000, int(flags["n"])) if flags.get("n", "").isdigit() else 4
    found, errors = _sources(box, run, names, stdin, "strings")
    hits = [each for _, text in found for each in re.findall(r"[\t -~]+", text) if len(each) >= least]
    return Result(1 if errors else 0, "".join(each + "\n" for each in hits), errors)


def cmp(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`cmp [-s] FILE FILE`"""
    flags, names = _flags(argv[1:])
    found, errors = _sources(box, run, names if len(names) != 1 else [*names, "-"], stdin, "cmp")
    if errors or len(found) != 2:
        return Result(2, "", errors or "cmp: missing operand\n")
    (one, a), (other, b) = found
    if a == b:
        return Result()
    if "s" in flags or "silent" in flags or "quiet" in flags:
        return Result(1)
    at = next((number for number, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), -1)
    gnu = box.distribution == "debian"
    if at < 0:
        shorter = one if len(a) < len(b) else other
        size = min(len(a), len(b))
        whole = (a if len(a) < len(b) else b)[:size]
        lines, full = whole.count("\n"), whole.endswith("\n")
        where = f" after byte {size}, {'' if full else 'in '}line {lines if full else lines + 1}" if gnu else ""
        return Result(1, "", f"cmp: EOF on {shorter}{where}\n")
    line = a[:at].count("\n") + 1
    return Result(1, f"{one} {other} differ: {'byte' if gnu else 'char'} {at + 1}, line {line}\n")


def split(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`split [-l LINES | -b BYTES] [-a LENGTH] [-d] [FILE [PREFIX]]`"""
    args = [f"-l{each[1:]}" if re.fullmatch(r"-\d+", each) else each for each in argv[1:]]
    flags, names = _flags(args, "lban")
    found, errors = _sources(box, run, names[:1], stdin, "split")
    if errors:
        return Result(1, "", errors)
    text, prefix = found[0][1], names[1] if len(names) > 1 else "x"
    size = re.fullmatch(r"(\d{1,9})([kKmM]?)", flags.get("b") or flags.get("l") or "1000")
    if size is None or not int(size[1]):
        return Result(1, "", "split: invalid number\n")
    step = int(size[1]) * {"": 1, "k": 1024, "m": 1 << 20}[size[2].lower()]
    if flags.get("n", "").isdigit() and int(flags["n"]):
        count = min(PIECES_MOST, int(flags["n"]))
        each = len(text) // count
        pieces = [text[at * each:(at + 1) * each if at < count - 1 else None] for at in range(count)]
    elif "b" in flags:
        pieces = [text[at:at + step] for at in range(0, len(text), step)]
    else:
        lines = text.splitlines(keepends=True)
        pieces = ["".join(lines[at:at + step]) for at in range(0, len(lines), step)]
    width = min(5, int(flags["a"])) if flags.get("a", "").isdigit() else 2
    base = 10 if "d" in flags else 26
    if len(pieces) > min(PIECES_MOST, base ** width):
        return Result(1, "", "split: output file suffixes exhausted\n")
    for number, piece in enumerate(pieces):
        digits = [number // base ** at % base for at in range(width - 1, -1, -1)]
        suffix = "".join(chr(97 + each) if base == 26 else str(each) for each in digits)
        problem = box.write(run.path(prefix + suffix), piece, False)
        if problem:
            return Result(1, "", complaint(box, "split", prefix + suffix, problem))
    return Result()


def fold(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`fold [-s] [-w WIDTH] [FILE]`"""
    args = [f"-w{each[1:]}" if re.fullmatch(r"-\d+", each) else each for each in argv[1:]]
    flags, names = _flags(args, "w")
    width = max(1, int(flags["w"])) if flags.get("w", "").isdigit() else 80
    found, errors = _sources(box, run, names, stdin, "fold")
    out: list[str] = []
    text = "".join(text for _, text in found)
    for line in text.removesuffix("\n").split("\n") if text else ():
        while len(line) > width:
            at = line.rfind(" ", 0, width) + 1 if "s" in flags else 0
            at = at or width
            out.append(line[:at])
            line = line[at:]
        out.append(line)
    return Result(1 if errors else 0, "".join(line + "\n" for line in out), errors)


def expand(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """expand and unexpand: tabs as blanks, and the blanks at the beginning of a line as tabs."""
    flags, names = _flags(argv[1:], "t")
    width = max(1, min(100, int(flags["t"]))) if flags.get("t", "").isdigit() else 8
    found, errors = _sources(box, run, names, stdin, argv[0])
    text = "".join(text for _, text in found)
    if argv[0] == "expand":
        return Result(1 if errors else 0, "\n".join(line.expandtabs(width) for line in text.split("\n")), errors)

    def packed(blank: re.Match[str]) -> str:
        wide = len(blank[0].expandtabs(width))
        return "\t" * (wide // width) + " " * (wide % width)

    return Result(1 if errors else 0, "\n".join(re.sub(r"^[ \t]+", packed, line) for line in text.split("\n")), errors)


TOOLS: dict[str, Tool] = {
    "od": od, "hexdump": hexdump, "hd": hexdump, "xxd": xxd, "strings": strings, "cmp": cmp, "split": split, "fold": fold, "expand": expand,
    "unexpand": expand,
}
