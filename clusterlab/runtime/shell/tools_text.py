"""Commands that work on text: echo, grep, sed and the like, as far as scripts in teaching material use them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.network.patterns import safe
from clusterlab.runtime.shell.awk import AwkError, run_program
from clusterlab.runtime.shell.complaints import complaint
from clusterlab.runtime.shell.machine import FOREVER, Result, Run
from clusterlab.runtime.shell.sed import Editor, options
from clusterlab.runtime.shell.sed_script import SedError, parsed

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]


def _flags(args: list[str], valued: str = "") -> tuple[dict[str, str], list[str]]:
    """Short options and what is left. Letters in `valued` take a value."""
    found: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        if arg == "--":
            rest += args[at:]
            break
        if not arg.startswith("-") or arg == "-":
            rest.append(arg)
            continue
        if arg.startswith("--"):
            name, _, value = arg[2:].partition("=")
            found[name] = value
            continue
        for number, letter in enumerate(arg[1:], 1):
            if letter in valued:
                value = arg[number + 1:]
                if not value and at < len(args):
                    value = args[at]
                    at += 1
                found[letter] = value
                break
            found[letter] = ""
    return found, rest


def _escapes(text: str) -> str:
    table = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "a": "\a", "b": "\b", "e": "\x1b", "0": ""}
    return re.sub(r"\\(.)", lambda found: table.get(found[1], found[0]), text)


def echo(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    args, newline, escapes = argv[1:], True, False
    while args and re.fullmatch(r"-[neE]+", args[0]):
        newline, escapes = newline and "n" not in args[0], escapes or "e" in args[0]
        args = args[1:]
    text = " ".join(args)
    return Result(0, (_escapes(text) if escapes else text) + ("\n" if newline else ""))


def printf(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    if len(argv) < 2:
        return Result(1, "", "printf: missing operand\n")
    template, args, out = _escapes(argv[1]), list(argv[2:]), ""
    pattern = re.compile(r"%%|%([-+ 0#]*)(\d*)(\.\d+)?([sdiuxXofgc])")
    while True:
        before = len(args)

        def one(found: re.Match[str]) -> str:
            if found[0] == "%%":
                return "%"
            value = args.pop(0) if args else ""
            spec = f"%{found[1]}{found[2][:3]}{found[3] or ''}"
            try:
                if found[4] in "diuxXo":
                    return (spec + found[4].replace("u", "d").replace("i", "d")) % int(value or "0", 0)
                if found[4] in "fg":
                    return (spec + found[4]) % float(value or "0")
            except ValueError:
                return "0"
            return (spec + "s") % (value[:1] if found[4] == "c" else value)

        out += pattern.sub(one, template)
        if not args or len(args) == before or len(out) > 100_000:
            return Result(0, out)


def _sources(box: Box, run: Run, names: list[str], stdin: str, tool: str) -> tuple[list[tuple[str, str]], str]:
    if not names:
        return [("", run.take())], ""
    found, errors = [], ""
    for name in names:
        text = run.take() if name == "-" else box.read(run.path(name))
        if text is None:
            why = "Is a directory" if box.is_directory(run.path(name)) else "No such file or directory"
            errors += complaint(box, tool, name, why)
        else:
            found.append((name, text))
    return found, errors


def cat(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:])
    if run.stdin_open and run.capture is None and not run.redirected and not names and not flags:
        return Result(0, run.take_some(), "", FOREVER, again=True)
    found, errors = _sources(box, run, names, stdin, "cat")
    text = "".join(content for _, content in found)
    if "n" in flags:
        text = "".join(f"{number:6}\t{line}\n" for number, line in enumerate(text.splitlines(), 1))
    return Result(1 if errors else 0, text, errors)


def grep(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, rest = _flags(argv[1:], "emABC")
    several = [argv[at + 1] for at, each in enumerate(argv[:-1]) if each == "-e"]
    pattern = "|".join(several) if len(several) > 1 else flags.get("e") or (rest.pop(0) if rest else "")
    if len(several) > 1:
        flags["E"] = ""
    if argv[0] == "fgrep" or "F" in flags:
        pattern = re.escape(pattern)
    elif argv[0] != "egrep" and "E" not in flags:
        pattern = re.sub(r"\\([|(){}+?])|([|(){}+?])", lambda found: found[1] if found[1] else "\\" + found[2], pattern)
    if "w" in flags:
        pattern = rf"\b(?:{pattern})\b"
    try:
        wanted = safe(pattern, "i" in flags)
    except ValueError:
        return Result(2, "", f"grep: bad regex '{pattern}'\n")
    found, errors = _sources(box, run, rest, stdin, "grep")
    lines: list[str] = []
    hits: list[str] = []
    for name, text in found:
        before = len(lines)
        named = (len(found) > 1 or "H" in flags) and "h" not in flags
        for number, line in enumerate(text.splitlines(), 1):
            if bool(wanted.search(line[:10_000])) != ("v" in flags):
                prefix = f"{name}:" if named else ""
                only = wanted.search(line[:10_000])
                lines.append(prefix + (f"{number}:" if "n" in flags else "") + (only[0] if "o" in flags and only else line))
        hits += [name or "(standard input)"] if len(lines) > before else []
    if flags.keys() & {"l", "L"}:
        shown = hits if "l" in flags else [name for name, _ in found if name not in hits]
        return Result(2 if errors else int(not shown), "".join(name + "\n" for name in shown), errors)
    if lines and flags.keys() & {"A", "B", "C"} and not flags.keys() & {"o", "c", "q"}:
        around = tuple(int(flags.get(each) or flags.get("C") or 0) for each in "BA")
        shown = [line for name, text in found for line in _around(text, wanted, flags, around, f"{name}" if len(found) > 1 else "")]
        return Result(2 if errors else 0, "".join(line + "\n" for line in shown), errors)
    if "m" in flags and flags["m"].isdigit():
        lines = lines[:int(flags["m"])]
    code = 0 if lines else 1
    if "q" in flags:
        return Result(code)
    if "c" in flags:
        return Result(code, f"{len(lines)}\n", errors)
    return Result(2 if errors else code, "".join(line + "\n" for line in lines), errors)


def _around(text: str, wanted: re.Pattern[str], flags: dict[str, str], around: tuple[int, ...], name: str) -> list[str]:
    """The lines that match with those before and after them; -- stands where some are left out."""
    lines = text.splitlines()
    most = int(flags["m"]) if flags.get("m", "").isdigit() else len(lines)
    hits = {at for at, line in enumerate(lines) if bool(wanted.search(line[:10_000])) != ("v" in flags)}
    hits = set(sorted(hits)[:most])
    kept = [at for at in range(len(lines)) if any(each in hits for each in range(at - around[1], at + around[0] + 1))]
    shown, last = [], -1
    for at in kept:
        shown += ["--"] if last >= 0 and at > last + 1 else []
        mark = ":" if at in hits else "-"
        shown.append((f"{name}{mark}" if name else "") + (f"{at + 1}{mark}" if "n" in flags else "") + lines[at])
        last = at
    return shown


def sed(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    def read(name: str) -> str | None:
        return box.read(run.path(name))

    out = ""
    try:
        how = options(argv[1:], read)
        editor = Editor(parsed(how.script, how.extended), how.quiet, read)
        found, errors = _sources(box, run, how.names, stdin, "sed")
        if not how.apart:
            found = [("", "".join(text for _, text in found))]
        for name, text in found:
            changed = editor.edit(text)
            if how.suffix is None or not name:
                out += changed
                continue
            if how.suffix:
                box.write(run.path(name + how.suffix), text, False)
            box.write(run.path(name), changed, False)
    except SedError as error:
        return Result(error.code, out, f"{error}\n" if error.usage else f"sed: {error}\n")
    return Result(editor.code or (2 if errors else 0), out, errors)


def awk(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """A program of awk over files or what is piped in."""
    flags, rest = _flags(argv[1:], "Fvf")
    script = box.read(run.path(flags["f"])) if "f" in flags else rest.pop(0) if rest else ""
    given = [argv[at + 1] for at, each in enumerate(argv[:-1]) if each == "-v"] or ([flags["v"]] if flags.get("v") else [])
    variables = dict(each.partition("=")[::2] for each in given)
    found, errors = _sources(box, run, rest, stdin, "awk")
    lines = "".join(text for _, text in found).splitlines()
    try:
        out = run_program(script or "", lines, variables, flags["F"].replace("\\t", "\t") if flags.get("F") else " ")
    except AwkError as error:
        return Result(2, "", f"awk: {error}\n")
    return Result(1 if errors else 0, out, errors)


def head_tail(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    args = [f"-n{each[1:]}" if re.fullmatch(r"-\d+", each) else each for each in argv[1:]]
    flags, names = _flags(args, "nc")
    found, errors = _sources(box, run, names, stdin, argv[0])
    given = flags.get("n") or flags.get("lines") or "10"
    count = abs(int(re.sub(r"\D", "", given)[:9] or 10))
    out = ""
    for name, text in found:
        lines = text.splitlines(keepends=True)
        if len(found) > 1:
            out += f"==> {name} <==\n"
        if "c" in flags:
            size = int(flags["c"] or 0)
            out += text[:size] if argv[0] == "head" else text[-size:]
        else:
            out += "".join(lines[:count] if argv[0] == "head" else
                           lines[count - 1 if count else 0:] if given.startswith("+") else lines[max(0, len(lines) - count):])
    if argv[0] == "tail" and ("f" in flags or "F" in flags or "follow" in flags):
        return _follow(box, run, names, dict(found), out, "F" in flags or flags.get("follow") == "name")
    return Result(1 if errors else 0, out, errors)


FOLLOW_MS = 1_000


def _follow(box: Box, run: Run, names: list[str], texts: dict[str, str], out: str, by_name: bool) -> Result:
    """tail -f: looks once a second at what the files have more; -F waits for those that are not there yet."""
    if not names or (run.capture is not None and not run.flowing):
        return Result(0, out, "", FOREVER)
    if run.tries:
        out = "".join(texts.get(name, "")[int(run.variables.get(f" {name}", "0")):] for name in names)
    missing = [name for name in names if name not in texts]
    errors = "".join(complaint(box, "tail", name, "No such file or directory") for name in missing) if not run.tries else ""
    if len(missing) == len(names) and not by_name:
        return Result(1, "", errors + "tail: no files\n")
    for name in names:
        run.assign(f" {name}", str(len(texts.get(name, ""))))
    return Result(0, out, errors, FOLLOW_MS, again=True, watching=True)


def wc(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:])
    found, errors = _sources(box, run, names, stdin, "wc")
    out = ""
    for name, text in found:
        counts = {"l": text.count("\n"), "w": len(text.split()), "c": len(text.encode())}
        shown = [str(counts[each]) for each in "lwc" if each in flags or not any(flag in "lwc" for flag in flags)]
        if len(shown) > 1:
            shown = [f"{each:>{7 if box.distribution == 'debian' else 9}}" for each in shown]
        out += " ".join([*shown, *([name] if name else [])]) + "\n"
    return Result(1 if errors else 0, out, errors)


def cut(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:], "dfc")
    found, errors = _sources(box, run, names, stdin, "cut")
    spec, by_char = flags.get("f") or flags.get("c") or "1", "c" in flags
    wanted: list[int] = []
    for part in spec.split(",")[:50]:
        first, dash, last = part.partition("-")
        wanted += range(int(first or 1), int(last or 200) + 1) if dash else [int(first or 1)]
    out = ""
    for line in "".join(text for _, text in found).splitlines():
        pieces = list(line) if by_char else line.split(flags.get("d") or "\t")
        picked = [pieces[at - 1] for at in wanted if 0 < at <= len(pieces)]
        out += ("" if by_char else flags.get("d") or "\t").join(picked) + "\n"
    return Result(1 if errors else 0, out, errors)


def tr(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, rest = _flags(argv[1:])
    sets = [_char_set(each) for each in rest] or [""]
    if "d" in flags:
        return Result(0, "".join(char for char in run.take() if (char in sets[0]) == ("c" in flags)))
    if len(sets) < 2:
        return Result(0, run.take())
    table = {old: sets[1][min(at, len(sets[1]) - 1)] for at, old in enumerate(sets[0])} if sets[1] else {}
    return Result(0, "".join(table.get(char, char) for char in run.take()))


def _char_set(text: str) -> str:
    names = {"[:lower:]": "a-z", "[:upper:]": "A-Z", "[:digit:]": "0-9", "[:alnum:]": "A-Za-z0-9", "[:space:]": " \n\t"}
    for name, chars in names.items():
        text = text.replace(name, chars)
    text = _escapes(text)
    return re.sub(r"(.)-(.)", lambda found: "".join(map(chr, range(ord(found[1]), min(ord(found[2]) + 1, 0x3000)))), text)


def sort(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:], "k")
    found, errors = _sources(box, run, names, stdin, "sort")
    lines = "".join(text for _, text in found).splitlines()

    def number(line: str) -> tuple[float, str]:
        first = re.match(r"\s*-?\d+(?:\.\d+)?", line)
        return (float(first[0]) if first else 0.0, line)

    lines = sorted(lines, key=number) if "n" in flags else sorted(lines)
    lines = list(dict.fromkeys(lines)) if "u" in flags else lines
    return Result(1 if errors else 0, "".join(line + "\n" for line in (reversed(lines) if "r" in flags else lines)), errors)


def uniq(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:])
    found, errors = _sources(box, run, names, stdin, "uniq")
    groups: list[tuple[str, int]] = []
    for line in "".join(text for _, text in found).splitlines():
        if groups and groups[-1][0] == line:
            groups[-1] = (line, groups[-1][1] + 1)
        else:
            groups.append((line, 1))
    return Result(0, "".join((f"{count:7} " if "c" in flags else "") + line + "\n" for line, count in groups), errors)


def seq(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    joint = next((argv[at + 1] for at, each in enumerate(argv[:-1]) if each == "-s"), "")
    joint = joint or next((each[2:] for each in argv[1:] if each.startswith("-s") and len(each) > 2), "")
    numbers = [int(each) for each in argv[1:] if re.fullmatch(r"-?\d{1,9}", each)]
    if not numbers:
        return Result(1, "", "seq: missing operand\n")
    first, step, last = (1, 1, numbers[0]) if len(numbers) == 1 else (
        (numbers[0], 1, numbers[1]) if len(numbers) == 2 else (numbers[0], numbers[1] or 1, numbers[2]))
    found = range(first, last + (1 if step > 0 else -1), step)[:20_000]
    if joint:
        return Result(0, joint.join(map(str, found)) + "\n")
    return Result(0, "".join(f"{each}\n" for each in found))


def expr(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    from clusterlab.runtime.shell.expand import ShellError, arithmetic

    if argv[1:2] == ["length"]:
        return Result(0, f"{len(' '.join(argv[2:]))}\n")
    if len(argv) == 4 and argv[2] in {"=", "!="}:
        same = (argv[1] == argv[3]) == (argv[2] == "=")
        return Result(int(not same), f"{int(same)}\n")
    try:
        value = arithmetic(" ".join(argv[1:]), run.look_up, run.assign)
    except ShellError as error:
        return Result(2, "", f"expr: {error}\n")
    return Result(0 if value else 1, f"{value}\n")


def tee(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:])
    more = run.stdin_open and run.capture is None and not run.redirected
    text = run.take_some() if more else run.take()
    for name in names:
        box.write(run.path(name), text, "a" in flags or run.tries > 0)
    return Result(0, text, "", FOREVER if more else 0, again=more)


def xargs(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    rest, each, place = list(argv[1:]), 0, ""
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word[:2] in ("-n", "-L", "-I", "-P", "-d"):
            value = word[2:] or (rest.pop(0) if rest else "")
            if word[1] == "I":
                place = value
            elif word[1] in "nL" and value.isdecimal():
                each = int(value)
    text = run.take()
    words = [line.strip() for line in text.splitlines() if line.strip()] if place else text.split()
    words = words[:500]
    command = rest or ["echo"]
    if place:
        calls = [[part.replace(place, word) for part in command] for word in words]
    else:
        calls = [[*command, *words[at:at + each]] for at in range(0, len(words), each)] if each else [[*command, *words]]
    done = Result()
    for call in calls:
        run.budget -= 1
        if run.budget <= 0:
            break
        found = box.tool(run, call, "")
        done = found._replace(code=123 if found.code or done.code else 0, out=done.out + found.out, err=done.err + found.err)
    return done if len(calls) != 1 else done._replace(code=found.code)


def digest(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    found, errors = _sources(box, run, _flags(argv[1:])[1], stdin, argv[0])
    kind = argv[0].removesuffix("sum")
    out = "".join(f"{hashlib.new(kind, text.encode()).hexdigest()}  {name or '-'}\n" for name, text in found)
    return Result(1 if errors else 0, out, errors)


def base(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:], "w")
    found, errors = _sources(box, run, names, stdin, "base64")
    text = "".join(content for _, content in found)
    if "d" in flags or "decode" in flags:
        digits = "".join(text.split())
        good = _BASE64.match(digits)
        whole = good[0] if good is not None else ""
        missing = -len(whole) % 4  # what a token lacks at its end is told, after what can be read
        out = base64.b64decode((whole if missing < 3 else whole[:-1]) + "=" * (missing % 3)).decode("utf-8", "replace")
        wrong = missing or len(whole) < len(digits)
        return Result(1, out, "base64: invalid input\n") if wrong else Result(0, out, errors)
    width = int(flags["w"]) if flags.get("w", "").isdigit() else 76
    line = base64.b64encode(text.encode()).decode()
    lines = [line[at:at + width] for at in range(0, len(line), width)] if width else [line]
    return Result(0, "\n".join(lines) + ("\n" if width else ""), errors)


_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def names_of(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    path = argv[1].rstrip("/") if len(argv) > 1 else ""
    if argv[0] == "basename":
        last = path.rsplit("/", 1)[-1]
        return Result(0, (last.removesuffix(argv[2]) if len(argv) > 2 else last) + "\n")
    return Result(0, (path.rsplit("/", 1)[0] if "/" in path else ".") + "\n")


def yes(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    line = " ".join(argv[1:]) or "y"
    busy = run.capture is None
    return Result(0, "" if busy else f"{line}\n" * 1000, "", FOREVER if busy else 0, cpu_milli=1000 if busy else 0)


TOOLS: dict[str, Tool] = {
    "echo": echo, "printf": printf, "cat": cat, "grep": grep, "egrep": grep, "fgrep": grep, "sed": sed, "awk": awk, "gawk": awk,
    "head": head_tail, "tail": head_tail, "wc": wc, "cut": cut, "tr": tr, "sort": sort, "uniq": uniq, "seq": seq, "expr": expr,
    "tee": tee, "xargs": xargs, "md5sum": digest, "sha1sum": digest, "sha256sum": digest, "base64": base, "basename": names_of,
    "dirname": names_of, "yes": yes, "more": cat, "less": cat,
}
