"""yq: expressions over YAML. They are run as jq's, behind the same walls (web.jail.jq_filter).

Follows the command line of mikefarah's yq 4: `yq [eval] [-i] [-o json] EXPRESSION [FILE …]`. What its language shares with jq's works:
paths, select, assignments, |=, +=, del, has, keys, to_entries, sort_by, //; also names with a hyphen (.a.b-c), env(X), strenv(X). Left out:
comments and the quotes of the input (they are not kept), anchors, and its operators that jq has not (ireduce, splitDoc, style …).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.terminal import programs
from clusterlab.web.terminal.tools import tool

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["as_jq"]

VERSION = "yq (https://github.com/mikefarah/yq/) version v4.44.3"
USAGE = "Usage:\n  yq [eval] [-i] [-o json|yaml] EXPRESSION [FILE …]\n"
MOST_INPUT = 1 << 20
_ENDS = {152: "it took too long", 137: "it took too much", 134: "it took too much memory", 139: "it went too deep"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_HYPHENED = re.compile(r"\.([A-Za-z_]\w*(?:-\w+)+)")
_ENV = re.compile(r"\b(str)?env\((\w+)\)")


class _Wrong(Exception):
    """A command line that yq refuses."""


def as_jq(expression: str, variables: dict[str, str]) -> str:
    """An expression of yq's as one of jq's: names with hyphens are quoted, env(X) and strenv(X) are the variables' values."""

    def variable(found: re.Match[str]) -> str:
        value = variables.get(found[2], "")
        if not found[1]:
            try:
                return json.dumps(json.loads(value))
            except ValueError:
                pass
        return json.dumps(value)

    out, last = "", 0
    for found in [*_STRING.finditer(expression), None]:
        plain = expression[last:found.start() if found else len(expression)]
        plain = _HYPHENED.sub(lambda name: f'."{name[1]}"', plain).replace("'", "")
        out += _ENV.sub(variable, plain) + (found[0] if found else "")
        last = found.end() if found else last
    return out


@tool("yq")
def yq(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`yq [-i] [-o json] [-r] EXPRESSION [FILE …]`: YAML from a pipe or files."""
    if argv[1:] in (["--version"], ["-V"]):
        return Result(0, VERSION + "\n")
    try:
        order, words = _read(argv[1:])
        texts = [(name, _text(shell, run, name)) for name in words[1:]] or [("", stdin)]
        in_place = order.pop("in_place")
        if in_place and not words[1:]:
            raise _Wrong("write in place flag only applicable when giving an expression and at least one file")
        order["program"] = as_jq(words[0], run.variables)
    except _Wrong as wrong:
        return Result(1, "", f"Error: {wrong}\n{USAGE}")
    out = err = ""
    code = 0
    for name, text in texts:
        if len(text) > MOST_INPUT:
            return Result(1, out, f"Error: the input is larger than {MOST_INPUT >> 20} MB\n")
        done = shell.wait_for(programs.jq(shell.desk, json.dumps(order) + "\n" + text))
        err += re.sub(r"^jq: error \(at [^)]*\): |^jq: error: ", "Error: ", done.err, flags=re.M)
        err += f"Error: {_ENDS[done.code]}\n" if done.code in _ENDS else ""
        code = code or min(done.code, 1)
        if in_place and not done.code:
            problem = shell.write(run.path(name), done.out, False)
            err, code = (f"{err}Error: {name}: {problem}\n", 1) if problem else (err, code)
        elif not in_place:
            out += done.out
    return Result(code, out, err)


def _read(words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """What is to be done; the expression and the files."""
    order: dict[str, Any] = {"args": {}, "options": ["r"], "yaml": "yaml", "in_place": False}
    plain: list[str] = []
    rest = words[1:] if words[:1] and words[0] in ("eval", "e", "eval-all", "ea") else list(words)
    if words[:1] and words[0] in ("eval-all", "ea"):
        order["options"].append("s")
    while rest:
        word = rest.pop(0)
        name, mark, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            plain.append(word)
        elif name in ("-o", "--output-format", "-p", "--input-format", "-I", "--indent") or re.fullmatch(r"-[opI]\w+", word):
            if not mark:
                value = word[2:] if not word.startswith("--") and len(word) > 2 else rest.pop(0) if rest else ""
            _format(order, name[:3] if name.startswith("--") else name[:2], value)
        elif word in ("-i", "--inplace"):
            order["in_place"] = True
        elif word in ("-n", "--null-input"):
            order["options"].append("n")
        elif word in ("-j", "--tojson"):
            order["yaml"] = "json"
        elif word in ("-e", "--exit-status"):
            order["options"].append("e")
        elif name not in ("-r", "-P", "-M", "-C", "-N", "-y", "--unwrapScalar", "--prettyPrint", "--no-doc", "--no-colors", "--colors"):
            raise _Wrong(f"unknown flag: {word}")
    if not plain:
        plain = ["."]
    if len(plain) == 1 and "n" not in order["options"] and re.fullmatch(r"[\w./-]+\.(ya?ml|json)", plain[0]):
        plain.insert(0, ".")  # a file alone
    return order, plain


def _format(order: dict[str, Any], flag: str, value: str) -> None:
    if flag in ("-I", "--i") and value.isdigit():
        order["indent"] = min(int(value), 8)
        return
    if flag in ("-o", "--o"):
        if value not in ("json", "j", "yaml", "y", "a", "auto"):
            raise _Wrong(f"unknown format '{value}' please use one of [yaml|json]")
        order["yaml"] = "json" if value in ("json", "j") else "yaml"
    elif value not in ("json", "j", "yaml", "y", "a", "auto"):
        raise _Wrong(f"unknown format '{value}' please use one of [yaml|json]")


def _text(shell: Shell, run: Run, name: str) -> str:
    text = shell.read(run.path(name))
    if text is None:
        raise _Wrong(f"open {name}: no such file or directory")
    return text
