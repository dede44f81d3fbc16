"""Built-in commands: those that change the shell itself (POSIX.1-2017, section 2.14)."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.reading import read
from clusterlab.runtime.shell.states import FOREVER, Exit, Result

if TYPE_CHECKING:
    from clusterlab.runtime.shell.machine import Run

__all__ = ["BUILTINS"]


def _exit(run: Run, args: list[str]) -> Result | None:
    run.exited = True
    raise Exit(int(args[0]) if args and args[0].lstrip("-").isdigit() else run.status)


def _return(run: Run, args: list[str]) -> Result | None:
    run.status = int(args[0]) if args and args[0].isdigit() else run.status
    run.leave_function()
    return None


def _out_of(run: Run, args: list[str], again: bool) -> Result | None:
    count = int(args[0]) if args and args[0].isdigit() else 1
    for number in range(len(run.frames) - 1, -1, -1):
        if run.frames[number][0] in {"loop", "for"}:
            count -= 1
            if count == 0:
                del run.frames[number + 1:]
                frame = run.frames[number]
                run.pc = frame[1] if again else frame[2]
                break
    return Result()


def _break(run: Run, args: list[str]) -> Result | None:
    return _out_of(run, args, False)


def _continue(run: Run, args: list[str]) -> Result | None:
    run.budget -= 1
    return _out_of(run, args, True)


def _cd(run: Run, args: list[str]) -> Result | None:
    """`cd -` is the folder before. A host that knows every folder says with `is_directory` which there are."""
    back = args[:1] == ["-"]
    name = run.variables.get("OLDPWD", run.cwd) if back else args[0] if args else run.variables.get("HOME", "/")
    path = run.path(name)
    if getattr(run.host, "KNOWS_FOLDERS", False) and not run.host.is_directory(path):
        return Result(1, "", f"{run.shell}: cd: {name}: No such file or directory\n")
    run.variables = {**run.variables, "OLDPWD": run.cwd}
    run.cwd = path
    return Result(0, f"{path}\n" if back else "")


def _pwd(run: Run, args: list[str]) -> Result | None:
    return Result(0, run.cwd + "\n")


def _export(run: Run, args: list[str]) -> Result | None:
    for each in args:
        name, equals, value = each.partition("=")
        if equals:
            run.assign(name, value)
        if name not in run.exported:
            run.exported.append(name)
    return Result()


def _unset(run: Run, args: list[str]) -> Result | None:
    names = [each for each in args if not each.startswith("-")]
    if "-f" in args:
        for name in names:
            run.functions.pop(name, None)
            run.homes.pop(name, None)
    else:
        run.variables = {name: value for name, value in run.variables.items() if name not in names}
    return Result()


def _local(run: Run, args: list[str]) -> Result | None:
    """`local` (and bash's `declare` in a function): what a variable was comes back when the function is over."""
    at = next((number for number in range(len(run.frames) - 1, -1, -1) if run.frames[number][0] == "call"), -1)
    for each in args:
        if each.startswith("-"):
            continue
        name, equals, value = each.partition("=")
        if at >= 0 and name not in run.frames[at][4]:
            frame = run.frames[at]
            run.frames[at] = (*frame[:4], {**frame[4], name: run.variables.get(name)})
        if equals or at >= 0:
            run.assign(name, value)
    return Result()


#: The names of `set -o` whose state is kept among the variables, where no script can name it.
_KEPT = {"u": "nounset", "nounset": "nounset", "pipefail": "pipefail"}


def _set(run: Run, args: list[str]) -> Result | None:
    words = list(args)
    while words and words[0][:1] in {"-", "+"} and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            run.params = tuple(words)
            return Result()
        on, names = word[0] == "-", list(word[1:])
        if "o" in names:
            names = [each for each in names if each != "o"] + ([words.pop(0)] if words else [])
        for name in names:
            run.strict = on if name in {"e", "errexit"} else run.strict
            run.trace = on if name in {"x", "xtrace"} else run.trace
            if name in _KEPT:
                run.assign(f" {_KEPT[name]}", "1" if on else "")
    if words:
        run.params = tuple(words)
    return Result()


def _getopts(run: Run, args: list[str]) -> Result | None:
    """`getopts LETTERS NAME [WORD …]`: the next option of the parameters."""
    if len(args) < 2:
        return Result(2, "", f"{run.shell}: getopts: usage: getopts optstring name [arg ...]\n")
    letters, name, words = args[0], args[1], tuple(args[2:]) or run.params
    place = run.look_up("OPTIND") or "1"
    at, within = max(1, int(place) if place.isdigit() else 1), run.variables.get(" within", "")
    within = within if run.variables.get(" optind") == str(at) else ""
    if not within:
        word = words[at - 1] if at <= len(words) else ""
        if word == "--" or not word.startswith("-") or word == "-":
            run.assign("OPTIND", str(at + (word == "--")))
            run.assign(name, "?")
            return Result(1)
        within = word[1:]
    letter, within, said, value = within[0], within[1:], "", ""
    quiet, known = letters.startswith(":"), letter != ":" and letter in letters.lstrip(":")
    shown = letter if known else "?"
    if not known:
        value, said = (letter, "") if quiet else ("", f"Illegal option -{letter}\n")
    elif letters[letters.rindex(letter) + 1:][:1] == ":":
        if within:
            value, within = within, ""
        elif at < len(words):
            value, at = words[at], at + 1
        else:
            shown, value, said = (":", letter, "") if quiet else ("?", "", f"No arg for -{letter} option\n")
    at += not within
    for each, text in (("OPTIND", str(at)), (" optind", str(at)), (" within", within), (name, shown), ("OPTARG", value)):
        run.assign(each, text)
    return Result(0, "", said)


def _shift(run: Run, args: list[str]) -> Result | None:
    count = int(args[0][:9]) if args and args[0].isdigit() else 1
    if count > len(run.params):
        return Result(1)
    run.params = run.params[count:]
    return Result()


def _trap(run: Run, args: list[str]) -> Result | None:
    if not args:
        sig = "SIG" if run.shell == "bash" else ""
        rows = [f"trap -- {shlex.quote(text)} {'' if name == 'EXIT' else sig}{name}\n" for name, text in run.traps.items()]
        return Result(0, "".join(rows))
    if args:
        for name in args[1:]:
            name = {"0": "EXIT", "15": "TERM", "2": "INT", "1": "HUP", "3": "QUIT"}.get(name, name.removeprefix("SIG"))
            if args[0] == "-":
                run.traps.pop(name, None)
            else:
                run.traps[name] = args[0]
    return Result()


def _source(run: Run, args: list[str]) -> Result | None:
    """`. FILE [WORD …]`: the commands of a file, in this very shell: variables, folder and functions stay."""
    if not args:
        return Result(2, "", f"{run.shell}: .: filename argument required\n")
    path = run.path(args[0])
    text = run.host.read(path)
    if text is None:
        return Result(1, "", f"{run.shell}: {args[0]}: No such file or directory\n")
    if "__start_kubectl" in text:  # kubectl's own completion: whoever completes here asks kubectl itself
        return Result()
    params, run.params = run.params, tuple(args[1:]) or run.params
    try:
        inner = run.nested(text)
    finally:
        run.params = params
    run.variables, run.cwd, run.exported = inner.variables, inner.cwd, inner.exported
    for name, start in inner.functions.items():
        if name not in inner.homes:
            run.functions[name] = run.adopt(inner.code[start - 1:inner.code[start - 1].target])
            run.homes.pop(name, None)
    return Result(inner.status, inner.output())


def _eval(run: Run, args: list[str]) -> Result | None:
    inner = run.nested(" ".join(args))
    run.variables, run.cwd = inner.variables, inner.cwd
    return Result(inner.status, inner.output())


def _exec(run: Run, args: list[str]) -> Result | None:
    if not args:
        return Result()
    result: Result = run.host.tool(run, args, run.stdin)
    if not result.again:
        run.pc = len(run.code)
    return result


def _colon(run: Run, args: list[str]) -> Result | None:
    return Result()


def _wait(run: Run, args: list[str]) -> Result | None:
    return Result(0, wait_ms=FOREVER) if run.serving or run.listen else Result()


#: Name -> command. A missing result stands for the last status.
BUILTINS: dict[str, Callable[[Run, list[str]], Result | None]] = {
    "exit": _exit, "return": _return, "break": _break, "continue": _continue, "cd": _cd, "pwd": _pwd, "export": _export,
    "unset": _unset, "local": _local, "set": _set, "shift": _shift, "trap": _trap, "read": read, "getopts": _getopts, "eval": _eval,
    "exec": _exec, ":": _colon, "wait": _wait, "declare": _local, ".": _source, "source": _source, "readonly": _export,
}
