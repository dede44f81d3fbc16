"""The built-in command read: a line of standard input in fields. Follows POSIX.1-2017, read, with bash's -a, -d and -n."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.expand import pack
from clusterlab.runtime.shell.states import NeedsInput, Result

if TYPE_CHECKING:
    from clusterlab.runtime.shell.machine import Run

__all__ = ["read"]


def _options(args: list[str]) -> tuple[dict[str, str], list[str]]:
    words, found = list(args), {}
    while words and words[0].startswith("-") and len(words[0]) > 1:
        word = words.pop(0)
        for at, letter in enumerate(word[1:], 1):
            if letter in "adnNpti":
                found[letter] = word[at + 1:] or (words.pop(0) if words else "")
                break
            found[letter] = ""
    return found, words


def _line(run: Run, options: dict[str, str]) -> tuple[str, bool] | None:
    """What is read, and whether its end has come; None where nothing is left."""
    end = (options["d"][:1] or "\0") if "d" in options else "\n"
    most = next((int(options[each]) for each in "nN" if options.get(each, "").isdigit()), 0)
    if most and (len(run.stdin) >= most or not run.stdin_open):
        text = run.stdin[:most].split(end, 1)[0]
        full = len(text) == most
        run.stdin = run.stdin[len(text) + (not full):]
        return (text, True) if text or full else None
    if run.stdin_open and end not in run.stdin:
        raise NeedsInput
    if not run.stdin:
        return None
    text, mark, run.stdin = run.stdin.partition(end)
    while "r" not in options and mark and len(text) - len(text.rstrip("\\")) & 1:  # the line goes on behind a backslash
        more, mark, run.stdin = run.stdin.partition(end)
        text = text[:-1] + more
    return text, bool(mark)


def read(run: Run, args: list[str]) -> Result | None:
    """`read [-r] [-d END] [-n COUNT] [-a ARRAY] [-p PROMPT] [NAME …]`; 1 where the input ends before the line does."""
    options, names = _options(args)
    names = names or ["REPLY"]
    found = _line(run, options)
    text, ended = found if found is not None else ("", False)
    if "r" not in options:
        text = re.sub(r"\\(.)", r"\1", text)
    between, most = run.look_up("IFS"), 0 if "a" in options else len(names) - 1
    if names == ["REPLY"]:
        fields = [text]
    elif between is None or not between.strip(" \t\n"):
        fields = [text] if between == "" else text.strip().split(None, most or (-1 if "a" in options else 0))
    else:
        fields = re.split("[" + re.escape(between[:20]) + "]", text.strip() if " " in between else text, maxsplit=most)
        fields = [text] if not most and "a" not in options else fields
    if "a" in options:
        run.assign(options["a"] or "REPLY", pack((fields if between and between.strip() else text.split())[:1_000]))
        return Result(int(not ended))
    for number, name in enumerate(names):
        run.assign(name, fields[number] if number < len(fields) else "")
    return Result(int(not ended))
