"""Commands that work on text: echo, grep, sed and the like, as far as scripts in teaching material use them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

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
    letters = set("".join(flags)) if all(len(each) == 1 for each in flags) else set()
    if letters & set("nbsAEeTtv"):
        text = _decorated(text, letters)
    return Result(1 if errors else 0, text, errors)


def _decorated(text: str, letters: set[str]) -> str:
    """What cat makes of lines: numbers (-n, -b), marks at their ends (-E, -A, -e), tabs (-T, -A, -t), no empty line twice (-s)."""
    out, number, before = "", 0, "x"
    for line in text.splitlines(keepends=True):
        body, end = line.removesuffix("\n"), line[-1:] if line.endswith("\n") else ""
        if "s" in letters and not body and not before:
            continue
        before = body
        if letters & set("vAet"):
            body = "".join(char if char == "\t" or char >= " " else f"^{chr(ord(char) + 64)}" for char in body)
        if letters & set("TAt"):
            body = body.replace("\t", "^I")
        if letters & set("EAe") and end:
            body += "$"
        if letters & set("nb") and (body or "b" not in letters):
            number += 1
            body = f"{number:6}\t{body}"
        out += body + end
    return out


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


def head_tail(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    args = [f"-n{each[1:]}" if re.fullmatch(r"-\d+", each) and argv[at] not in {"-n", "-c"} else each for at, each in enumerate(argv[1:])]
    flags, names = _flags(args, "nc")
    found, errors = _sources(box, run, names, stdin, argv[0])
    by_byte = "c" in flags or "bytes" in flags
    given = flags.get("c") or flags.get("bytes") or flags.get("n") or flags.get("lines") or "10"
    size = re.fullmatch(r"([-+]?)(\d{1,9})([kKmM]?)", given)
    if size is None:
        what = "bytes" if by_byte else "lines"
        told = f"invalid number of {what}: '{given}'" if box.distribution == "debian" else f"invalid number '{given}'"
        return Result(1, "", f"{argv[0]}: {told}\n")
    count = int(size[2]) * {"": 1, "k": 1024, "m": 1 << 20}[size[3].lower()]
    out = ""
    for name, text in found:
        parts = text if by_byte else text.splitlines(keepends=True)
        if ("v" in flags or len(names) > 1) and not flags.keys() & {"q", "quiet", "silent"}:
            out += ("\n" if out else "") + f"==> {name} <==\n"
        if argv[0] == "head":
            taken = parts[:max(0, len(parts) - count) if size[1] == "-" else count]
        else:
            taken = parts[max(0, count - 1) if size[1] == "+" else max(0, len(parts) - count):]
        out += "".join(taken)
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
    "echo": echo, "cat": cat, "sed": sed,
    "head": head_tail, "tail": head_tail, "expr": expr,
    "tee": tee, "xargs": xargs, "md5sum": digest, "sha1sum": digest, "sha256sum": digest, "base64": base, "basename": names_of,
    "dirname": names_of, "yes": yes, "more": cat, "less": cat,
}
