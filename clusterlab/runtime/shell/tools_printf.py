"""printf: POSIX.1-2017, with what bash adds (-v, %q)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.machine import Result, Run

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS", "escaped"]

OUTPUT_MOST = 100_000
_NAMES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", '"': '"', "'": "'"}
_ESCAPE = re.compile(r"\\(0?[0-7]{1,3}|x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_FORMAT = re.compile(r"%%|%([-+ 0#]*)(\d{1,3}|\*)?(?:\.(\d{0,3}|\*))?([a-zA-Z])?")


def escaped(text: str) -> str:
    """What the escapes of a format stand for; \\c and what follows it is left out."""
    text = text.split("\\c", 1)[0] if "\\\\c" not in text else text

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "01234567":
            return chr(int(code, 8) & 255)
        if code[0] in "xu" and len(code) > 1:
            return chr(int(code[1:], 16)) if not 0xD800 <= int(code[1:], 16) < 0xE000 else ""
        return _NAMES.get(code, found[0])

    return _ESCAPE.sub(one, text)


def _whole(text: str) -> int:
    """A number as C writes it, or the code of the character behind a quote; raises ValueError."""
    text = text.strip()
    if text[:1] in {"'", '"'}:
        return ord(text[1:2] or "\0")
    found = re.fullmatch(r"([-+]?)(0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9]\d{0,19})", text)
    if found is None:
        raise ValueError(text)
    digits = found[2]
    base = 16 if digits[:2] in {"0x", "0X"} else 8 if digits[0] == "0" and len(digits) > 1 else 10
    return int(digits, base) * (-1 if found[1] == "-" else 1)


class _Printer:
    """One call: what is left of the arguments, and what it complains of."""

    def __init__(self, run: Run, args: list[str]) -> None:
        self.run, self.args, self.errors, self.ended = run, args, "", False

    def _take(self) -> str:
        return self.args.pop(0) if self.args else ""

    def _number(self, text: str) -> int:
        if not text:
            return 0
        try:
            return _whole(text)
        except ValueError:
            told = f"printf: {text}: invalid number" if self.run.shell == "bash" else f"invalid number '{text}'"
            self.errors += f"{self.run.shell}: {told}\n"
            found = re.match(r"-?\d{1,18}", text)
            return int(found[0]) if found is not None else 0

    def one(self, found: re.Match[str]) -> str:
        """What stands in place of one %…"""
        if found[0] == "%%":
            return "%"
        flags, width, precision, kind = found[1], found[2] or "", found[3], found[4] or ""
        if width == "*":
            width = str(max(-500, min(500, self._number(self._take()))))
        if precision == "*":
            precision = str(max(0, min(500, self._number(self._take()))))
        spec = f"%{flags}{width}{'.' + precision if precision is not None else ''}"
        if self.ended or not kind:
            return ""
        value = self._take()
        if kind in "diuxXo":
            number = self._number(value)
            number += 1 << 64 if kind in "uxXo" and number < 0 else 0
            return str((spec + {"u": "d", "i": "d"}.get(kind, kind)) % number)
        if kind in "fFeEgG":
            try:
                return str((spec + kind) % (float(value[:40]) if value else 0.0))
            except ValueError:
                return str((spec + kind) % self._number(value))
        if kind == "b":
            self.ended = "\\c" in value
            value = escaped(value)
        elif kind == "q" and self.run.shell == "bash":
            value = re.sub(r"([^\w@%+=:,./-])", r"\\\1", value) if value and "\n" not in value else shlex.quote(value)
        elif kind not in "sc":
            self.errors, self.ended = f"{self.run.shell}: printf: %{kind}: invalid directive\n", True
            return ""
        return str((spec.replace("0", "", 1) if "0" in flags else spec) + "s") % (value[:1] if kind == "c" else value)


def printf(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`printf [-v NAME] FORMAT [ARGUMENT …]`: the format is used again for what is left."""
    args, name = list(argv[1:]), ""
    if args[:1] == ["-v"] and run.shell == "bash" and len(args) > 2:
        name, args = args[1], args[2:]
    args = args[1:] if args[:1] == ["--"] else args
    if not args:
        return Result(2, "", f"{run.shell}: printf: usage: printf format [arg ...]\n")
    template, out = escaped(args[0]), ""
    printer = _Printer(run, args[1:])
    while True:
        before = len(printer.args)
        out += _FORMAT.sub(printer.one, template)
        if not printer.args or len(printer.args) == before or len(out) > OUTPUT_MOST or printer.ended:
            break
    if name:
        run.assign(name, out[:OUTPUT_MOST])
        return Result(int(bool(printer.errors)), "", printer.errors)
    return Result(int(bool(printer.errors)), out, printer.errors)


TOOLS: dict[str, Tool] = {"printf": printf}
