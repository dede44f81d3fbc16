"""jq and yq for the page's terminal: run in a fork of the spawner, behind its walls, since a program of jq's can loop and read files.

What they shall do comes over standard input: one line of JSON {"program", "args", "options", "yaml"?}, then the text that is filtered. The
language itself is libjq's (package jq); here is what the command does around it: inputs, outputs and exit codes, as in its manual for 1.7.
yq is the same language over YAML, which is read and written here.
"""

from __future__ import annotations

import json
import os
import re
import resource
from collections.abc import Iterator
from typing import Any

import yaml

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
    shape = order.get("yaml", "")
    try:
        inputs = _documents(text, options) if shape else _inputs(text, options)
    except (ValueError, yaml.YAMLError) as error:
        return _say(f"jq: error (at <stdin>:{text.count(chr(10))}): Cannot parse the input: {error}\n", _INPUT)
    program, args = order["program"], dict(order["args"])
    if "n" in options:
        program, args["__inputs"], inputs = _INPUTS + program, inputs, [None]
    try:
        compiled = jq.compile(program, args=args)
    except ValueError as error:
        return _say(f"{str(error).replace(_INPUTS, '')}\n", _COMPILE)
    code, last = 0, ...
    indent = order.get("indent", 2)
    for number, value in enumerate(inputs):
        if shape == "yaml" and number:
            _write(1, "---\n")
        try:
            for last in iter(compiled.input_value(value)):
                _write(1, _as_yaml(last, indent) if shape == "yaml" else _shown(last, options - {"r"} if shape else options, indent))
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


class _Reader(yaml.CSafeLoader):
    """YAML 1.2's own scalars alone: `on` and `2026-01-01` are texts."""


class _Writer(yaml.SafeDumper):
    """As yq writes: lists are indented, and what must be quoted has double quotes."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def choose_scalar_style(self) -> Any:
        style = super().choose_scalar_style()
        return '"' if style == "'" else style

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(writer: Any, text: str) -> Any:
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Writer.add_representer(str, _text)
_Reader.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"), ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Reader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_form})$"), list(_first))


def _documents(text: str, options: set[str]) -> list[Any]:
    """The documents of a text, each as JSON knows it. Raises ValueError and YAMLError."""
    values = [json.loads(json.dumps(each, default=str)) for each in yaml.load_all(text, _Reader)] or [None]
    return [values] if "s" in options else values


def _as_yaml(value: Any, indent: int) -> str:
    if isinstance(value, str):
        return value + "\n"
    text = yaml.dump(_whole(value), Dumper=_Writer, sort_keys=False, allow_unicode=True, width=1 << 20, indent=max(2, indent))
    return text.removesuffix("...\n")


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
