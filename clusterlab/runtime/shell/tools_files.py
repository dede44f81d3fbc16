"""Commands that work on files: ls, mkdir, rm, test and the like."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from clusterlab.network.patterns import safe
from clusterlab.runtime import disk
from clusterlab.runtime.shell import listing
from clusterlab.runtime.shell.complaints import complaint
from clusterlab.runtime.shell.expand import pack
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tools_text import _flags

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

_SIZE = safe(r"(\d{1,6})([kKMG]?)B?")


def mkdir(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:], "m")
    for name in names:
        path = run.path(name)
        if box.exists(path) and "p" not in flags:
            return Result(1, "", complaint(box, "mkdir", name, "File exists"))
        problem = box.make_directory(path)
        if problem:
            return Result(1, "", complaint(box, "mkdir", name, problem))
    return Result()


def touch(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    for name in _flags(argv[1:], "dt")[1]:
        path = run.path(name)
        if not box.exists(path):
            problem = box.write(path, "", False)
            if problem:
                return Result(1, "", complaint(box, "touch", name, problem))
    return Result()


def rm(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:])
    code, errors = 0, ""
    for name in names:
        path = run.path(name)
        if not box.exists(path):
            if "f" not in flags:
                code, errors = 1, errors + complaint(box, argv[0], name, "No such file or directory")
            continue
        if box.is_directory(path) and not ({"r", "R"} & flags.keys()) and argv[0] != "rmdir":
            code, errors = 1, errors + f"rm: '{name}' is a directory\n"
            continue
        problem = box.remove(path)
        if problem:
            code, errors = 1, errors + complaint(box, argv[0], name, problem)
    return Result(code, "", errors)


def copy(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    names = _flags(argv[1:])[1]
    if len(names) < 2:
        return Result(1, "", f"{argv[0]}: missing file operand\n")
    target = run.path(names[-1])
    for name in names[:-1]:
        path = run.path(name)
        into = f"{target.rstrip('/')}/{name.rstrip('/').rsplit('/', 1)[-1]}" if box.is_directory(target) else target
        if box.is_directory(path):
            for each in box.tree(path):
                box.write(into + each[len(path.rstrip("/")):], box.read(each) or "", False)
        else:
            text = box.read(path)
            if text is None and box.may_be_there(path):
                text = ""
            if text is None:
                return Result(1, "", complaint(box, argv[0], name, "No such file or directory"))
            problem = box.write(into, text, False)
            if problem:
                return Result(1, "", (
                    f"{argv[0]}: cannot create regular file '{names[-1]}': {problem}\n" if box.distribution == "debian" else
                    f"{argv[0]}: can't create '{names[-1]}': {problem}\n"))
        if argv[0] == "mv":
            box.remove(path)
    return Result()


def test(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    args = argv[1:]
    if argv[0] in {"[", "[["}:
        closing = "]" if argv[0] == "[" else "]]"
        if not args or args[-1] != closing:
            return Result(2, "", f"sh: missing {closing}\n")
        args = args[:-1]
    try:
        return Result(0 if _or(box, run, args, argv[0] == "[[") else 1)
    except (ValueError, IndexError):
        return Result(2, "", "sh: bad number\n" if len(args) == 3 else "sh: unknown operand\n")


_CLASSES = (("[:space:]", r"\s"), ("[:digit:]", "0-9"), ("[:alnum:]", "A-Za-z0-9"), ("[:alpha:]", "A-Za-z"), ("[:upper:]", "A-Z"),
            ("[:lower:]", "a-z"), ("[:blank:]", r" \t"))


def _or(box: Box, run: Run, args: list[str], globs: bool) -> bool:
    for joint, every in (("-o", False), ("||", False), ("-a", True), ("&&", True)):
        if joint in args:
            at = args.index(joint)
            left, right = _or(box, run, args[:at], globs), _or(box, run, args[at + 1:], globs)
            return left and right if every else left or right
    return _primary(box, run, args, globs)


def _primary(box: Box, run: Run, args: list[str], globs: bool) -> bool:
    if not args:
        return False
    if args[0] == "!":
        return not _primary(box, run, args[1:], globs)
    if len(args) == 1:
        return bool(args[0])
    if len(args) == 2:
        return _unary(box, run, args[0], args[1])
    left, op, right = args[0], args[1], args[2]
    if op in {"=", "==", "!="}:
        return (fnmatchcase(left, right) if globs else left == right) == (op != "!=")
    if op == "=~":
        for name, chars in _CLASSES:
            right = right.replace(name, chars)
        found = safe(right).search(left[:10_000])
        if found is not None:
            run.assign("BASH_REMATCH", pack([found[0], *(each or "" for each in found.groups())]))
        return found is not None
    if op in {"<", ">"}:
        return left < right if op == "<" else left > right
    one, other = int(left), int(right)
    return {"-eq": one == other, "-ne": one != other, "-lt": one < other, "-le": one <= other, "-gt": one > other,
            "-ge": one >= other}[op]


def _unary(box: Box, run: Run, op: str, value: str) -> bool:
    if op in {"-z", "-n"}:
        return (not value) == (op == "-z")
    path = run.path(value)
    if op in {"-e", "-r", "-w", "-x"}:
        return box.exists(path)
    if op == "-f":
        return box.exists(path) and not box.is_directory(path)
    if op == "-d":
        return box.is_directory(path)
    if op == "-s":
        return bool(box.read(path))
    if op in {"-L", "-h", "-p", "-S", "-b", "-c"}:
        return False
    raise ValueError(op)


def nothing(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    missing = [each for each in _flags(argv[1:])[1][1:] if not box.exists(run.path(each))]
    if missing and argv[0] in {"chmod", "chown"}:
        return Result(1, "", complaint(box, argv[0], missing[0], "No such file or directory"))
    return Result()


def stat(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    name = argv[-1]
    path = run.path(name)
    if not box.exists(path):
        return Result(1, "", complaint(box, "stat", name, "No such file or directory"))
    kind = "directory" if box.is_directory(path) else "regular file"
    form = next((argv[at + 1] for at, each in enumerate(argv[:-1]) if each == "-c"), "")
    if form:
        size, owner = disk.size_of(box.read(path) or ""), listing.owner(box, path)
        known = {"%s": str(size), "%n": name, "%F": kind, "%U": owner[0], "%G": owner[1], "%a": "755" if kind == "directory" else "644"}
        for letter, text in known.items():
            form = form.replace(letter, text)
        return Result(0, form + "\n")
    return Result(0, f"  File: {name}\n  Size: {len(box.read(path) or '')}\t{kind}\n")


def dd(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    given = dict(each.partition("=")[::2] for each in argv[1:])
    scale = {"": 1, "k": 1024, "K": 1024, "M": 1 << 20, "G": 1 << 30}
    found = _SIZE.fullmatch(given.get("bs", "512"))
    size = (int(found[1]) * scale[found[2]] if found else 512) * int(given.get("count", "1")[:6] or 1)
    if "of" in given and given["of"] != "/dev/null":
        problem = box.write(run.path(given["of"]), disk.note_of(size), False)
        if problem:
            return Result(1, "", f"dd: can't open '{given['of']}': {problem}\n")
    if "count" not in given and given.get("if", "").startswith("/dev/"):
        return Result(0, "", "", -1, cpu_milli=1000)
    count = given.get("count", "1")
    return Result(0, "", f"{count}+0 records in\n{count}+0 records out\n{size} bytes copied, 0.1 seconds\n")


def allocate(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """fallocate and truncate: a file of a size."""
    flags, names = _flags(argv[1:], "lso")
    given = flags.get("l") or flags.get("s") or flags.get("length") or flags.get("size") or "0"
    found = _SIZE.fullmatch(given.replace("iB", ""))
    if found is None or not names:
        return Result(1, "", f"{argv[0]}: invalid length value\n")
    size = int(found[1]) * {"": 1, "k": 1024, "K": 1024, "M": 1 << 20, "G": 1 << 30}[found[2]]
    problem = box.write(run.path(names[-1]), disk.note_of(size), False)
    return Result(1, "", f"{argv[0]}: cannot open '{names[-1]}': {problem}\n") if problem else Result()


def which(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    names = [each for each in argv[1:] if not each.startswith("-")]
    found = [name for name in names if box.has_tool(name)]
    return Result(0 if len(found) == len(names) else 1, "".join(f"/bin/{name}\n" for name in found))


def tar(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """What `kubectl cp` needs is done on bytes, in `runtime.tar`; in scripts tar only says that it is there."""
    return Result(0, "tar (busybox) 1.37.0\n" if "--version" in argv else "")


TOOLS: dict[str, Tool] = {
    "ls": listing.ls, "mkdir": mkdir, "touch": touch, "rm": rm, "rmdir": rm, "cp": copy, "mv": copy, "test": test, "[": test,
    "[[": test, "chmod": nothing, "chown": nothing, "ln": nothing, "sync": nothing, "stat": stat, "dd": dd,
    "fallocate": allocate, "truncate": allocate,
    "which": which, "command": which, "type": which, "tar": tar,
}
