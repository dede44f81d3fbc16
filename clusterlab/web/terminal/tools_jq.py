"""jq: the command line of it. The filtering itself is done behind the walls of kubectl (web.jail.jq_filter)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.terminal import programs
from clusterlab.web.terminal.tools import tool

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["jq"]

USAGE = "Usage:\tjq [OPTIONS] FILTER [FILES…]\n"
_LONG = {
    "raw-output": "r", "compact-output": "c", "slurp": "s", "null-input": "n", "raw-input": "R", "exit-status": "e", "join-output": "j",
    "ascii-output": "a", "sort-keys": "S", "tab": "t", "monochrome-output": "M", "color-output": "C", "unbuffered": "M",
}
#: Signals that end it when it takes more than it may: 128 and the number.
_ENDS = {152: "it took too long", 137: "it took too much", 134: "it took too much memory", 139: "it went too deep"}
MOST_INPUT = 8 << 20


class _Wrong(Exception):
    """A command line that jq refuses."""


@tool("jq")
def jq(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`jq [-rcsnRejaS] [--arg NAME VALUE] FILTER [FILE …]`: JSON from a pipe or files, filtered."""
    if argv[1:] in (["--version"], ["-V"]):
        return Result(0, "jq-1.7.1\n")
    try:
        order, files = _read(shell, run, argv[1:])
    except _Wrong as wrong:
        return Result(2, "", f"jq: error: {wrong}\n{USAGE}Use jq --help for help with command-line options\n")
    texts, missing = [], ""
    for name in files:
        text = shell.read(run.path(name))
        texts.append(text or "")
        missing += "" if text is not None else f"jq: error: Could not open file {name}: No such file or directory\n"
    text = "\n".join(texts) if files else stdin
    if len(text) > MOST_INPUT:
        return Result(2, "", f"jq: error: the input is larger than {MOST_INPUT >> 20} MB\n")
    done = shell.wait_for(programs.jq(shell.desk, json.dumps(order) + "\n" + text))
    err = missing + done.err + (f"jq: stopped: {_ENDS[done.code]}\n" if done.code in _ENDS else "")
    return Result(2 if missing and not done.code else done.code, done.out, err)


def _read(shell: Shell, run: Run, words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """What the filter shall do, and the files that it reads."""
    options: set[str] = set()
    named: dict[str, Any] = {}
    rest: list[str] = []
    positional: list[Any] = []
    order: dict[str, Any] = {}
    into, source = "", ""
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-" or into == "--":
            if rest and into in ("--args", "--jsonargs"):
                positional.append(word if into == "--args" else _parsed(word, "a positional argument"))
            else:
                rest.append(word)
        elif word in ("--args", "--jsonargs", "--"):
            into = word
        elif word in ("--arg", "--argjson", "--slurpfile", "--rawfile"):
            if len(words) < 2:
                raise _Wrong(f"{word} takes two parameters (e.g. {word} name value)")
            name, value = words.pop(0), words.pop(0)
            named[name] = _value(shell, run, word, value)
        elif word == "--indent":
            if not words or not words[0].isdigit() or int(words[0]) > 7:
                raise _Wrong("--indent takes a number from 0 to 7")
            order["indent"] = int(words.pop(0))
        elif word in ("-f", "--from-file"):
            if not words:
                raise _Wrong(f"{word} takes the name of a file")
            source = _text(shell, run, words.pop(0))
        else:
            options |= _flags(word)
    if not source:
        if not rest:
            raise _Wrong("a filter is missing")
        source = rest.pop(0)
    args = {**named, "ARGS": {"named": named, "positional": positional}}
    return {**order, "program": source, "args": args, "options": sorted(options)}, rest


def _flags(word: str) -> set[str]:
    if word.startswith("--"):
        if word[2:] not in _LONG:
            raise _Wrong(f"Unknown option: {word}")
        return {_LONG[word[2:]]}
    if unknown := set(word[1:]) - set(_LONG.values()) - {"t"}:
        raise _Wrong(f"Unknown option: -{sorted(unknown)[0]}")
    return set(word[1:])


def _value(shell: Shell, run: Run, option: str, value: str) -> Any:
    if option == "--arg":
        return value
    if option == "--argjson":
        return _parsed(value, "--argjson")
    text = _text(shell, run, value)
    return text if option == "--rawfile" else _parsed(f"[{text}]", value)


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise _Wrong(f"Invalid JSON text passed to {what}") from None


def _text(shell: Shell, run: Run, name: str) -> str:
    text = shell.read(run.path(name))
    if text is None:
        raise _Wrong(f"Could not open {Path(name).name}: No such file or directory")
    return text
