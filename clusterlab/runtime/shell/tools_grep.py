"""grep: basic, extended, fixed and (within what RE2 can do) Perl's patterns. Follows POSIX.1-2017, grep, with GNU's options."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.network.patterns import safe
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tools_text import _flags, _sources

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

LINE_MOST, FILES_MOST = 10_000, 500
_LONG = {"ignore-case": "i", "invert-match": "v", "count": "c", "line-number": "n", "quiet": "q", "silent": "q", "only-matching": "o",
         "word-regexp": "w", "line-regexp": "x", "recursive": "r", "files-with-matches": "l", "files-without-match": "L",
         "no-filename": "h",
         "with-filename": "H", "extended-regexp": "E", "fixed-strings": "F", "perl-regexp": "P", "no-messages": "s", "max-count": "m",
         "after-context": "A", "before-context": "B", "context": "C", "byte-offset": "b", "null-data": "z"}


class _Search(NamedTuple):
    """`group`: the part of a match that counts: what stands around it is only looked at (Perl's look-behind, \\K and look-ahead)."""

    pattern: Any
    group: int
    flags: dict[str, str]

    def hits(self, line: str) -> bool:
        return (self.pattern.search(line[:LINE_MOST]) is not None) != ("v" in self.flags)


def _basic(pattern: str) -> str:
    r"""A basic regular expression as an extended one: + ? | ( ) { } are plain there, and mean something behind a \."""
    made = re.sub(r"(\[\^?\]?[^\]]*\])|\\([|(){}+?])|([|(){}+?])",
                  lambda found: found[1] or (found[2] if found[2] else "\\" + found[3]), pattern)
    return "\\*" + made[1:] if made.startswith("*") else made


def _perl(pattern: str) -> tuple[str, int]:
    """A pattern of Perl's as RE2 can search it, and the group that counts."""
    before, rest, after = "", pattern, ""
    kept = pattern.rfind("\\K")
    behind = re.match(r"\(\?<=((?:[^()\\]|\\.)*)\)", pattern)
    if kept >= 0:
        before, rest = pattern[:kept], pattern[kept + 2:]
    elif behind is not None:
        before, rest = behind[1], pattern[behind.end():]
    ahead = re.search(r"\(\?=((?:[^()\\]|\\.)*)\)$", rest)
    if ahead is not None:
        rest, after = rest[:ahead.start()], ahead[1]
    if not before and not after:
        return pattern, 0
    return f"(?:{before})(?P<kept>{rest})(?:{after})", 1


def _search(kind: str, patterns: list[str], flags: dict[str, str]) -> _Search:
    """Raises ValueError where a pattern is wrong."""
    group = 0
    if kind == "F":
        made = [re.escape(each) for each in patterns]
    elif kind == "P":
        made = [_perl(each)[0] for each in patterns]
        group = int(len(patterns) == 1 and _perl(patterns[0])[1])
    else:
        made = [re.sub(r"\\[<>]", r"\\b", each if kind == "E" else _basic(each)) for each in patterns]
    whole = made[0] if len(made) == 1 else "|".join(f"(?:{each})" for each in made)
    whole = rf"^(?:{whole})$" if "x" in flags else rf"\b(?:{whole})\b" if "w" in flags else whole
    return _Search(safe(whole, bool(flags.keys() & {"i", "y"})), group, flags)


def _options(argv: list[str]) -> tuple[dict[str, str], list[str], list[str], list[str]]:
    """(flags, patterns of -e, files of -f, what is left); `include` and `exclude` are among the flags."""
    words = list(argv[1:])
    args: list[str] = []
    given: list[str] = []
    files: list[str] = []
    while words:
        word = words.pop(0)
        found = re.fullmatch(r"-([a-zA-Z]*?)([ef])(.*)", word)
        if word == "--":
            args += [word, *words]
            break
        if found is not None and not set(found[1]) & set("ABCm"):
            (given if found[2] == "e" else files).append(found[3] or (words.pop(0) if words else ""))
            args += [f"-{found[1]}"] if found[1] else []
        elif word.startswith(("--regexp=", "--file=")):
            (given if word.startswith("--regexp") else files).append(word.partition("=")[2])
        elif re.fullmatch(r"-\d{1,4}", word):
            args.append(f"-C{word[1:]}")
        else:
            args.append(word)
    flags, rest = _flags(args, "mABC")
    return {_LONG.get(name, name): value for name, value in flags.items()}, given, files, rest


def _everything(box: Box, run: Run, names: list[str], flags: dict[str, str]) -> list[str]:
    """The files below what -r names."""
    found = []
    for name in names or ["."]:
        path = run.path(name)
        for each in box.tree(path)[:FILES_MOST]:
            last = each.rsplit("/", 1)[-1]
            if fnmatchcase(last, flags.get("include", "*")) and not ("exclude" in flags and fnmatchcase(last, flags["exclude"])):
                shown = name.rstrip("/") + each[len(path.rstrip("/")):]
                found.append(shown if names else shown.removeprefix("./"))
    return found[:FILES_MOST]


def grep(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`grep [-EFPivcnqowxrlLhHsbz] [-m N] [-A N] [-B N] [-C N] [-e PATTERN]… [-f FILE] [PATTERN] [FILE …]`"""
    flags, given, files, rest = _options(argv)
    for name in files:
        text = box.read(run.path(name)) if name != "-" else run.take()
        if text is None:
            return Result(2, "", f"grep: {name}: No such file or directory\n")
        given += text.removesuffix("\n").split("\n")[:100] if text else []
    if not given and not files:
        if not rest:
            return Result(2, "", "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n")
        given = rest.pop(0).split("\n")
    kind = "F" if argv[0] == "fgrep" or "F" in flags else "P" if "P" in flags else "E" if argv[0] == "egrep" or "E" in flags else "G"
    if not given:
        return Result(1)
    try:
        search = _search(kind, given, flags)
    except ValueError:
        return Result(2, "", f"grep: bad regex '{given[0]}'\n")
    recursive = bool(flags.keys() & {"r", "R"})
    names = _everything(box, run, rest, flags) if recursive else rest
    found, errors = _sources(box, run, names, stdin, "grep") if names or not recursive else ([], "")
    below = recursive and (not rest or any(box.is_directory(run.path(each)) for each in rest))
    named = (len(names) > 1 or below or "H" in flags) and "h" not in flags
    out: list[str] = []
    hit_any = False
    for name, text in found:
        lines, hits = _matches(text, search)
        hit_any = hit_any or bool(hits)
        name = name or "(standard input)"
        if flags.keys() & {"l", "L"}:
            out += [name] if bool(hits) == ("l" in flags) else []
        elif "c" in flags:
            out.append((f"{name}:" if named else "") + str(len(hits)))
        elif "q" not in flags:
            out += _shown(lines, hits, search, name if named else "", bool(out))
    code = 0 if (bool(out) if flags.keys() & {"l", "L"} else hit_any) else 1
    code = 2 if errors and not ("q" in flags and not code) else code
    return Result(code, "".join(line + "\n" for line in out), "" if "s" in flags else errors)


def _matches(text: str, search: _Search) -> tuple[list[str], list[int]]:
    """The lines of a file, and the numbers of those that match."""
    mark = "\0" if "z" in search.flags else "\n"
    lines = text.removesuffix(mark).split(mark) if text else []
    most = int(search.flags["m"]) if search.flags.get("m", "").isdigit() else len(lines)
    return lines, [at for at, line in enumerate(lines) if search.hits(line)][:most]


def _shown(lines: list[str], hits: list[int], search: _Search, name: str, later: bool) -> list[str]:
    """Matching lines with what goes before them, those around them (-A, -B, -C), or with -o the matches alone."""
    flags, out = search.flags, []
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()) + 1)

    def headed(at: int, mark: str, offset: int) -> str:
        return (f"{name}{mark}" if name else "") + (f"{at + 1}{mark}" if "n" in flags else "") + (f"{offset}{mark}" if "b" in flags else "")

    if "o" in flags:
        for at in hits if "v" not in flags else ():
            for found in search.pattern.finditer(lines[at][:LINE_MOST]):
                if found[search.group]:
                    out.append(headed(at, ":", starts[at] + found.start(search.group)) + found[search.group])
        return out
    given = (flags.get(each) or flags.get("C") or "" for each in "BA")
    before, after = (int(each) if each.isdigit() else 0 for each in given)
    if not before and not after:
        return [headed(at, ":", starts[at]) + lines[at] for at in hits]
    wanted, last = set(hits), -1
    taken: list[int] = []
    for at in hits:
        taken += range(max(taken[-1] + 1 if taken else 0, at - before), min(len(lines), at + after + 1))
    for at in taken:
        if (last >= 0 and at > last + 1) or (last < 0 and later):
            out.append("--")
        out.append(headed(at, ":" if at in wanted else "-", starts[at]) + lines[at])
        last = at
    return out


TOOLS: dict[str, Tool] = {"grep": grep, "egrep": grep, "fgrep": grep}
