"""The command awk: a program over files or what is piped in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.awk import AwkError, Outside, run_program
from clusterlab.runtime.shell.complaints import complaint
from clusterlab.runtime.shell.machine import Result, Run

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]


def _options(args: list[str]) -> tuple[str, dict[str, str], list[str], list[str]]:
    """(separator, variables, files with the program, what is left) of the words behind `awk`."""
    separator, variables, scripts = " ", {}, []
    while args and args[0].startswith("-") and args[0] != "-":
        word = args.pop(0)
        if word == "--":
            break
        letter, value = word[1:2], word[2:]
        if letter in "Fvf" and not value:
            value = args.pop(0) if args else ""
        if letter == "F":
            separator = {"t": "\t", "\\t": "\t"}.get(value, value.replace("\\\\", "\\"))
        elif letter == "v":
            name, _, text = value.partition("=")
            variables[name] = text
        elif letter == "f":
            scripts.append(value)
    return separator, variables, scripts, args


def awk(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`awk [-F SEPARATOR] [-v NAME=VALUE] [-f FILE | PROGRAM] [FILE …]`"""
    separator, variables, scripts, rest = _options(list(argv[1:]))
    if not scripts and not rest:
        return Result(1, "", "Usage: awk [OPTIONS] [AWK_PROGRAM] [FILE]...\n")
    programs = [box.read(run.path(each)) for each in scripts] or [rest.pop(0)]
    if None in programs:
        return Result(2, "", complaint(box, "awk", scripts[programs.index(None)], "No such file or directory"))
    source = "\n".join(each or "" for each in programs)
    inputs, errors = _inputs(box, run, rest) if "{" not in source or _reads(source) else ([], "")

    def command(script: str, given: str) -> tuple[str, int]:
        before, opened = run.stdin, run.stdin_open
        run.stdin, run.stdin_open = given, False
        try:
            inner = run.nested(script)
            return inner.output(), inner.status
        finally:
            run.stdin, run.stdin_open = before, opened

    outside = Outside(
        lambda name: box.read(run.path(name)), lambda name, text, append: box.write(run.path(name), text, append), command,
        lambda form: box.date(form, run.time_ms), {name: run.variables[name] for name in run.exported if name in run.variables})
    try:
        out, said, code = run_program(source, inputs, variables, separator, outside)
    except AwkError as error:
        return Result(2, "", f"awk: {error}\n")
    return Result(code or (2 if errors else 0), out, errors + said)


def _reads(source: str) -> bool:
    """Whether a program reads anything: one that has only BEGIN does not touch its input."""
    from clusterlab.runtime.shell.awk_parser import parsed

    try:
        rules = parsed(source).rules
    except AwkError:
        return False
    return "getline" in source or any(kind != "BEGIN" for kind, _, _ in rules)


def _inputs(box: Box, run: Run, names: list[str]) -> tuple[list[tuple[str, str]], str]:
    found: list[tuple[str, str]] = []
    errors, files = "", 0
    for name in names:
        head, equals, _ = name.partition("=")
        if equals and head.isidentifier():
            found.append((name, ""))
            continue
        files += 1
        text = run.take() if name == "-" else box.read(run.path(name))
        if text is None:
            errors += complaint(box, "awk", name, "Is a directory" if box.is_directory(run.path(name)) else "No such file or directory")
        else:
            found.append((name, text))
    return ([*found, ("", run.take())] if not files else found), errors


TOOLS: dict[str, Tool] = {"awk": awk, "gawk": awk, "mawk": awk, "nawk": awk}
