"""Commands that pick, order and count: cut, sort, uniq, tr, wc, seq, join. Follows POSIX.1-2017, with what GNU and busybox add."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import cmp_to_key
from typing import TYPE_CHECKING, NamedTuple

from clusterlab.runtime.shell.complaints import complaint
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tools_text import _escapes, _flags, _sources

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

COLUMNS_MOST, NUMBERS_MOST = 10_000, 20_000


def _ranges(spec: str) -> list[tuple[int, int]] | None:
    """"1,3-5,7-" as pairs; None where it is no such list."""
    found = []
    for part in spec.split(",")[:100]:
        first, dash, last = part.partition("-")
        if not (first + last).isdigit() or len(part) > 12:
            return None
        low, high = int(first or 1), int(last or COLUMNS_MOST) if dash else int(first)
        if low < 1 or high < low:
            return None
        found.append((low, high))
    return found


def cut(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`cut -f LIST [-d CHARACTER] [-s] | -c LIST | -b LIST`: a line without the delimiter is shown as it is."""
    flags, names = _flags(argv[1:], "dfcb")
    for name, letter in (("fields", "f"), ("delimiter", "d"), ("characters", "c"), ("bytes", "b"), ("only-delimited", "s")):
        flags = {**flags, letter: flags[name]} if name in flags else flags
    by_char = "f" not in flags
    spec = flags.get("f") if not by_char else flags.get("c", flags.get("b"))
    if spec is None:
        return Result(1, "", "cut: you must specify a list of bytes, characters, or fields\n")
    ranges, mark = _ranges(spec), flags.get("d") or "\t"
    if ranges is None:
        return Result(1, "", "cut: invalid list\n" if box.distribution == "debian" else f"cut: invalid range {spec}\n")
    if len(mark) > 1:
        return Result(1, "", "cut: the delimiter must be a single character\n")
    found, errors = _sources(box, run, names, stdin, "cut")
    joint = flags.get("output-delimiter", "" if by_char else mark)
    out = []
    for line in _lines(found):
        if not by_char and mark not in line:
            out += [] if "s" in flags else [line]
            continue
        pieces = list(line) if by_char else line.split(mark)
        wanted = [any(low <= at <= high for low, high in ranges) != ("complement" in flags) for at in range(1, len(pieces) + 1)]
        out.append(joint.join(piece for piece, taken in zip(pieces, wanted, strict=True) if taken))
    return Result(1 if errors else 0, "".join(line + "\n" for line in out), errors)


def _lines(found: list[tuple[str, str]]) -> list[str]:
    """All lines; a file's last one ends where the file does."""
    lines: list[str] = []
    for _, text in found:
        lines += text.removesuffix("\n").split("\n") if text else []
    return lines


_CLASSES = {
    "lower": "abcdefghijklmnopqrstuvwxyz", "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "digit": "0123456789", "space": " \t\n\v\f\r",
    "blank": " \t",
    "punct": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "xdigit": "0123456789ABCDEFabcdef", "cntrl": "".join(map(chr, range(32))) + "\x7f",
}
_CLASSES |= {"alpha": _CLASSES["upper"] + _CLASSES["lower"]}
_CLASSES |= {"alnum": _CLASSES["digit"] + _CLASSES["alpha"]}
_CLASSES |= {"graph": _CLASSES["alnum"] + _CLASSES["punct"]}
_CLASSES |= {"print": " " + _CLASSES["graph"]}
_SET = re.compile(r"\[:(\w+):\]|\\([0-7]{1,3})|(\\.|[^\\])-(\\.|[^\\])|(\\.|.)", re.DOTALL)


def _char_set(text: str) -> str:
    """The characters that a word of tr stands for."""
    def one(found: re.Match[str]) -> str:
        if found[1]:
            return _CLASSES.get(found[1], "")
        if found[2]:
            return chr(int(found[2], 8))
        if found[3]:
            low, high = (ord(_escapes(each)[:1] or "\0") for each in (found[3], found[4]))
            return "".join(map(chr, range(low, min(high + 1, low + 0x3000))))
        return _escapes(found[5])

    return _SET.sub(one, text[:500])


def tr(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`tr [-cdst] SET [SET]`"""
    flags, rest = _flags(argv[1:])
    sets = [_char_set(each) for each in rest]
    if not sets or (len(sets) < 2 and not flags.keys() & {"d", "s"}):
        return Result(1, "", "tr: missing operand\n")
    text, other = run.take(), flags.keys() & {"c", "C"}
    first = set(sets[0])
    if "d" in flags:
        text = "".join(char for char in text if (char in first) == bool(other))
    elif len(sets) > 1 and sets[1]:
        last = sets[1][-1]
        table = {old: sets[1][min(at, len(sets[1]) - 1)] for at, old in enumerate(sets[0]) if at < len(sets[1]) or "t" not in flags}
        text = "".join(char if char in first else last for char in text) if other else "".join(table.get(char, char) for char in text)
    if "s" in flags:
        squeezed = set(sets[-1])
        inverted = bool(other) and len(sets) == 1
        text = "".join(char for at, char in enumerate(text)
                       if not at or char != text[at - 1] or (char in squeezed) == inverted)
    return Result(0, text)


class _Key(NamedTuple):
    """What a sort looks at: from field (and character) to field, and how."""

    start: int
    start_char: int
    end: int  # 0: to the line's end
    end_char: int
    how: str


_KEY = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?([bdfghinrMV]*)(?:,(\d{1,4})(?:\.(\d{1,4}))?([bdfghinrMV]*))?")
_SIZES = {"": 0, "K": 1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _part(line: str, key: _Key, mark: str) -> str:
    """The part of a line that a key names."""
    if mark:
        fields = line.split(mark)
        starts = [0]
        for each in fields:
            starts.append(starts[-1] + len(each) + 1)
    else:  # a field begins with the blanks before it
        fields = re.findall(r"[ \t]*[^ \t]+|[ \t]+$", line)
        starts = [0]
        for each in fields:
            starts.append(starts[-1] + len(each))
    if key.start > len(fields):
        return ""
    begin = starts[key.start - 1]
    if "b" in key.how:
        begin += len(line[begin:]) - len(line[begin:].lstrip(" \t"))
    begin += max(0, key.start_char - 1)
    if not key.end or key.end > len(fields):
        return line[begin:]
    end = starts[key.end - 1] + (key.end_char or len(fields[key.end - 1]))
    return line[begin:end]


_NUMERIC = re.compile(r"\s*(-?(?:\d{1,200}(?:\.\d*)?|\.\d+))")
_GENERAL = re.compile(r"\s*([-+]?(?:\d{1,200}(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?)")


def _rank(text: str, how: str) -> tuple[object, ...]:
    """What a text is ordered by."""
    if "n" in how or "g" in how:
        found = (_GENERAL if "g" in how else _NUMERIC).match(text)
        return (float(found[1]) if found is not None else 0.0,)
    if "h" in how:
        found = re.match(r"\s*(-?\d{1,200}(?:\.\d*)?)([KkMGTPE]?)", text)
        if found is None:
            return (0, 0.0)
        value = float(found[1])
        return ((_SIZES[found[2]] if value > 0 else -_SIZES[found[2]] if value < 0 else 0), value)
    if "M" in how:
        return (_MONTHS.index(text.strip()[:3].lower()) if text.strip()[:3].lower() in _MONTHS else -1,)
    if "V" in how:
        pieces: list[object] = [(0, int(each)) if each.isdigit() else (1, each) for each in re.findall(r"\d{1,200}|\D+", text)]
        return tuple(pieces)
    if "d" in how:
        text = re.sub(r"[^\w\s]|_", "", text)
    return (text.upper() if "f" in how else text,)


def sort(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`sort [-bdfghnrsuMV] [-t CHARACTER] [-k KEY]… [-c] [-o FILE] [FILE …]`, in the C locale."""
    specs, args = [], []
    words = list(argv[1:])
    while words:  # keys may be given more than once
        word = words.pop(0)
        found = re.fullmatch(r"-([bcdfghinrsuzCmMV]*)k(.*)", word)
        if found is not None:
            specs.append(found[2] or (words.pop(0) if words else ""))
            args += [f"-{found[1]}"] if found[1] else []
        elif word.startswith("--key="):
            specs.append(word[6:])
        else:
            args.append(word)
            if word[:1] == "-" and word[-1:] in {"t", "o", "S", "T"} and not word.startswith("--") and words:
                args.append(words.pop(0))
    flags, names = _flags(args, "tokST")
    for name, letter in (("numeric-sort", "n"), ("reverse", "r"), ("unique", "u"), ("version-sort", "V"), ("human-numeric-sort", "h"),
                         ("field-separator", "t"), ("output", "o"), ("check", "c"), ("stable", "s"), ("ignore-case", "f")):
        flags = {**flags, letter: flags[name]} if name in flags else flags
    every = "".join(each for each in flags if len(each) == 1 and each in "bdfghinrMV")
    keys = []
    for spec in specs[:20]:
        known = _KEY.fullmatch(spec)
        if known is None or known[1] == "0":
            told = f"invalid field specification '{spec}'" if box.distribution == "debian" else "bad field specification"
            return Result(2, "", f"sort: {told}\n")
        how = known[3] + (known[6] or "")
        keys.append(_Key(int(known[1]), int(known[2] or 0), int(known[4] or 0), int(known[5] or 0), how or every))
    mark = _escapes(flags.get("t") or "")
    keys = keys or [_Key(1, 0, 0, 0, every)]
    sources, errors = _sources(box, run, names, stdin, "sort")
    lines = _lines(sources)

    def ranks(line: str) -> list[tuple[object, ...]]:
        return [_rank(_part(line, key, mark) if specs else line.lstrip(" \t") if "b" in every else line, key.how) for key in keys]

    ranked = [(ranks(line), line) for line in lines]
    last_resort = not flags.keys() & {"s", "u"}

    def compared(one: tuple[list[tuple[object, ...]], str], other: tuple[list[tuple[object, ...]], str]) -> int:
        for key, a, b in zip(keys, one[0], other[0], strict=True):
            if a != b:
                return (-1 if a < b else 1) * (-1 if "r" in key.how else 1)
        if last_resort and one[1] != other[1]:
            return (-1 if one[1] < other[1] else 1) * (-1 if "r" in flags else 1)
        return 0

    if flags.keys() & {"c", "C"}:
        for at in range(1, len(ranked)):
            step = compared(ranked[at - 1], ranked[at])
            if step > 0 or (step == 0 and "u" in flags):
                gnu = f"sort: {names[0] if names else '-'}:{at + 1}: disorder: {ranked[at][1]}\n"
                return Result(1, "", "" if "c" not in flags else gnu if box.distribution == "debian" else f"Check line {at}\n")
        return Result()
    ranked.sort(key=cmp_to_key(compared))
    if "u" in flags:
        ranked = [each for at, each in enumerate(ranked) if not at or compared(ranked[at - 1], each)]
    text = "".join(line + "\n" for _, line in ranked)
    if flags.get("o"):
        problem = box.write(run.path(flags["o"]), text, False)
        return Result(2, "", complaint(box, "sort", flags["o"], problem)) if problem else Result(0, "", errors)
    return Result(2 if errors else 0, text, errors)


def uniq(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`uniq [-cdui] [-f FIELDS] [-s CHARACTERS] [-w CHARACTERS] [INPUT [OUTPUT]]`"""
    flags, names = _flags(argv[1:], "fsw")
    found, errors = _sources(box, run, names[:1], stdin, "uniq")
    fields, chars, width = (int(flags[each]) if flags.get(each, "").isdigit() else 0 for each in "fsw")

    def seen(line: str) -> str:
        for _ in range(min(fields, 100)):
            line = re.sub(r"^[ \t]*[^ \t]*", "", line)
        line = line[chars:][: width or None]
        return line.lower() if "i" in flags else line

    groups: list[tuple[str, str, int]] = []
    for line in _lines(found):
        key = seen(line)
        if groups and groups[-1][0] == key:
            groups[-1] = (*groups[-1][:2], groups[-1][2] + 1)
        else:
            groups.append((key, line, 1))
    kept = [each for each in groups if not ("d" in flags and each[2] < 2) and not ("u" in flags and each[2] > 1)]
    text = "".join((f"{count:7} " if "c" in flags else "") + line + "\n" for _, line, count in kept)
    if len(names) > 1:
        problem = box.write(run.path(names[1]), text, False)
        return Result(1, "", complaint(box, "uniq", names[1], problem)) if problem else Result(0, "", errors)
    return Result(1 if errors else 0, text, errors)


def wc(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`wc [-lwcmL] [FILE …]`, in columns as wide as GNU's or busybox' own."""
    flags, names = _flags(argv[1:])
    long = {"lines": "l", "words": "w", "bytes": "c", "chars": "m", "max-line-length": "L"}
    letters = {long.get(each, each) for each in flags} & set("lwcmL") or set("lwc")
    found, errors = _sources(box, run, names, stdin, "wc")
    rows = []
    for name, text in found:
        size = len(text.encode())
        longest = max((len(line.expandtabs(8)) for line in text.split("\n")), default=0)
        rows.append((name, {"l": text.count("\n"), "w": len(text.split()), "m": len(text), "c": size, "L": longest}))
    total = {each: max((row[1][each] for row in rows), default=0) if each == "L" else sum(row[1][each] for row in rows) for each in "lwmcL"}
    rows += [("total", total)] if len(names) > 1 else []
    one = len(letters) == 1 and len(rows) <= 1
    width = 1 if one else 9 if box.distribution != "debian" else max(len(str(total["c"])), 1 if names else 7)
    out = ""
    for name, counts in rows:
        shown = [f"{counts[each]:>{width}}" for each in "lwmcL" if each in letters]
        out += " ".join([*shown, *([name] if name else [])]) + "\n"
    return Result(1 if errors else 0, out, errors)


def seq(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`seq [-w] [-s SEPARATOR] [-f FORMAT] [FIRST [STEP]] LAST`"""
    args, given = list(argv[1:]), {"s": "\n", "f": "", "w": ""}
    while args and re.match(r"-[sfw]", args[0]):
        word = args.pop(0)
        if word[1] == "w":
            given["w"] = "w"
        else:
            given[word[1]] = word[2:] or (args.pop(0) if args else "")
    if not 1 <= len(args) <= 3:
        return Result(1, "", "seq: missing operand\n")
    try:
        numbers = [Decimal(each[:30]) for each in args]
    except InvalidOperation:
        told = f"invalid floating point argument: '{args[0]}'" if box.distribution == "debian" else f"invalid number '{args[0]}'"
        return Result(1, "", f"seq: {told}\n")
    if not all(each.is_finite() and abs(each) < 10**15 for each in numbers):
        return Result(1, "", "seq: number out of range\n")
    first, step, last = (Decimal(1), Decimal(1), numbers[0]) if len(numbers) == 1 else (
        (numbers[0], Decimal(1), numbers[1]) if len(numbers) == 2 else (numbers[0], numbers[1], numbers[2]))
    if not step:
        return Result(1, "", f"seq: invalid Zero increment value: '{args[1]}'\n")
    places = max(max(0, -int(each.as_tuple().exponent)) for each in (first, step))
    count = min(NUMBERS_MOST, max(0, int((last - first) // step) + 1 if (last - first) * step >= 0 else 0))
    shown = [f"{first + step * at:.{places}f}" for at in range(count)]
    if given["w"]:
        width = max((len(each) for each in (*shown[:1], *shown[-1:])), default=0)
        shown = [each.zfill(width) for each in shown]
    form = re.fullmatch(r"([^%]*)%(0?\d{0,2})(?:\.(\d))?([gf])([^%]*)", given["f"]) if given["f"] else None
    if form is not None:
        spec = f"%{form[2]}{'.' + form[3] if form[3] else ''}{form[4]}"
        shown = [form[1] + spec % float(each) + form[5] for each in shown]
    return Result(0, _escapes(given["s"]).join(shown) + "\n" if shown else "")


def join(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`join [-t CHARACTER] [-1 FIELD] [-2 FIELD] [-a FILE] [-v FILE] [-e TEXT] [-o LIST] FILE FILE`: both are sorted."""
    words, wanted = list(argv[1:]), {"a": set[str](), "v": set[str]()}
    options, names = {"t": "", "1": "1", "2": "1", "e": "", "o": ""}, []
    while words:
        word = words.pop(0)
        if len(word) > 1 and word[0] == "-" and word[1] in "t12eoavj":
            value = word[2:] or (words.pop(0) if words else "")
            if word[1] in "av":
                wanted[word[1]].add(value)
            elif word[1] == "j":
                options.update({"1": value, "2": value})
            else:
                options[word[1]] = value
        elif not word.startswith("--"):
            names.append(word)
    found, errors = _sources(box, run, names, stdin, "join")
    if errors or len(found) != 2:
        return Result(1, "", errors or "join: missing operand\n")
    mark = _escapes(options["t"])
    tables = [[line.split(mark) if mark else line.split() for line in _lines([each])] for each in found]
    at = [int(options[each]) - 1 for each in "12"]
    keyed: list[dict[str, list[list[str]]]] = [{}, {}]
    for side in (0, 1):
        for row in tables[side]:
            keyed[side].setdefault(row[at[side]] if at[side] < len(row) else "", []).append(row)

    def shown(key: str, one: list[str] | None, other: list[str] | None) -> str:
        if options["o"]:
            cells = []
            for each in re.split(r"[, ]", options["o"])[:100]:
                side, _, number = each.partition(".")
                row = {"1": one, "2": other}.get(side)
                cells.append(key if each == "0" else row[int(number) - 1] if row is not None and int(number) <= len(row) else "")
        else:
            cells = [key]
            for side, row in enumerate((one, other)):
                cells += [each for number, each in enumerate(row or []) if number != at[side]]
        return (mark or " ").join(each or options["e"] for each in cells)

    out: list[str] = []
    for key in sorted({**keyed[0], **keyed[1]}):
        left, right = keyed[0].get(key, []), keyed[1].get(key, [])
        if left and right and not wanted["v"]:
            out += [shown(key, one, other) for one in left for other in right][:NUMBERS_MOST]
        for file, rows in (("1", left if not right else []), ("2", right if not left else [])):
            if file in wanted["a"] | wanted["v"]:
                out += [shown(key, row if file == "1" else None, row if file == "2" else None) for row in rows]
        if len(out) > NUMBERS_MOST:
            break
    return Result(0, "".join(line + "\n" for line in out))


TOOLS: dict[str, Tool] = {"cut": cut, "tr": tr, "sort": sort, "uniq": uniq, "wc": wc, "seq": seq, "join": join}
