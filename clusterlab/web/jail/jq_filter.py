"""jq for the page's terminal: runs in a fork of the spawner, behind its walls, since a program of jq's can loop, eat memory and read files.

What it shall do comes over standard input: one line of JSON {"program", "args", "options"}, then the text that is filtered. The language
itself is libjq's (package jq); here is what the command does around it: inputs, outputs and exit codes, as in its manual for 1.7.
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from typing import Any

try:
    import jq
except ImportError:  # the terminal says that there is none
    jq = None

__all__ = ["LIMITS", "main"]

#: Less than kubectl has: seconds of processor, and bytes.
LIMITS = {resource.RLIMIT_CPU: 5, resource.RLIMIT_DATA: 384 << 20}
_COMPILE, _RUN, _INPUT = 3, 5, 2
_INPUTS = "def inputs: $__inputs[]; "


def main() -> int:
    """Reads, filters, prints; the exit code."""
    parts = []
    while part := os.read(0, 1 << 16):
        parts.append(part)
    head, _, text = b"".join(parts).decode("utf-8", "replace").partition("\n")
    return _filter(json.loads(head), text)


def _filter(order: dict[str, Any], text: str) -> int:
    options = set(order["options"])
    try:
        inputs = _inputs(text, options)
    except ValueError as error:
        return _say(f"jq: error (at <stdin>:{text.count(chr(10))}): Cannot parse the input: {error}\n", _INPUT)
    program, args = order["program"], dict(order["args"])
    if "n" in options:
        program, args["__inputs"], inputs = _INPUTS + program, inputs, [None]
    try:
        compiled = jq.compile(program, args=args)
    except ValueError as error:
        return _say(f"{str(error).replace(_INPUTS, '')}\n", _COMPILE)
    code, last = 0, ...
    for value in inputs:
        try:
            for last in iter(compiled.input_value(value)):
                _write(1, _shown(last, options, order.get("indent", 2)))
        except ValueError as error:
            code = _say(f"jq: error (at <stdin>:{text.count(chr(10))}): {error}\n", _RUN)
    if code or "e" not in options:
        return code
    return 4 if last is ... else int(last is None or last is False)


def _inputs(text: str, options: set[str]) -> list[Any]:
    """What the text holds: JSON values one after the other, or its lines (-R), or all of that as one (-s). Raises ValueError."""
    if "R" in options:
        return [text] if "s" in options else text.splitlines()
    values = list(_values(text))
    return [values] if "s" in options else values


def _values(text: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    while True:
        while at < len(text) and text[at] in " \t\r\n\x1e":
            at += 1
        if at >= len(text):
            return
        value, at = decoder.raw_decode(text, at)
        yield value


def _shown(value: Any, options: set[str], indent: int) -> str:
    if isinstance(value, str) and options & {"r", "j"}:
        shown = value
    else:
        compact = "c" in options or not indent
        shown = json.dumps(
            _whole(value), indent=None if compact else "\t" if "t" in options else indent, separators=(",", ":") if compact else None,
            ensure_ascii="a" in options, sort_keys="S" in options,
        )
    return shown if "j" in options else shown + "\n"


def _whole(value: Any) -> Any:
    """Numbers as jq writes them: 3.0 is 3."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e17:
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return {key: _whole(each) for key, each in value.items()} if isinstance(value, dict) else value


def _say(text: str, code: int) -> int:
    _write(2, text)
    return code


def _write(descriptor: int, text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    while data:
        data = data[os.write(descriptor, data):]
