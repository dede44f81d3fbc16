"""The scripts of sed, as POSIX has them, with what GNU's adds that people type: `s///I`, `0~2`, `,+3`, one-line `a`, `i` and `c`, `\\U`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from clusterlab.network.patterns import safe

__all__ = ["ESCAPES", "LABEL", "Command", "SedError", "Substitute", "parsed"]

_BARE, _TEXT, LABEL, _FILE = set("dDgGhHnNpPx=lzF"), set("aic"), set("btT"), set("r")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


class SedError(Exception):
    """A script that cannot be understood, or that works too long. `code` is what sed ends with; `usage`: it is said without its name."""

    def __init__(self, why: str, code: int = 1, usage: bool = False) -> None:
        super().__init__(why)
        self.code, self.usage = code, usage


@dataclass
class Command:
    """One command. `first` and `last` are addresses: (kind, number or pattern)."""

    name: str
    first: tuple[str, Any] | None = None
    last: tuple[str, Any] | None = None
    negated: bool = False
    argument: Any = None
    target: int = 0  # where a block or a branch leads
    until: int | None = field(default=None)  # the line that ends the range that has begun; -1: not known yet


@dataclass
class Substitute:
    pattern: Any
    new: str
    every: bool
    number: int
    prints: bool


class _Parser:
    def __init__(self, script: str, extended: bool) -> None:
        self.script, self.extended, self.at, self.last_pattern = script, extended, 0, ""

    def fail(self, why: str) -> SedError:
        return SedError(f"-e expression #1, char {self.at}: {why}")

    def peek(self) -> str:
        return self.script[self.at:self.at + 1]

    def skip(self, what: str) -> None:
        while self.peek() and self.peek() in what:
            self.at += 1

    def commands(self) -> list[Command]:
        made: list[Command] = []
        blocks: list[int] = []
        labels: dict[str, int] = {}
        while True:
            self.skip(" \t\n;")
            if not self.peek():
                break
            if self.peek() == "#":
                self.at = self._line_end()
                continue
            command = self._command()
            if command.name == "{":
                blocks.append(len(made))
            elif command.name == "}":
                if not blocks:
                    raise self.fail("unexpected `}'")
                made[blocks.pop()].target = len(made)
                continue
            elif command.name == ":":
                labels[command.argument] = len(made)
                continue
            made.append(command)
        if blocks:
            raise SedError("-e expression #1, char 0: unmatched `{'")
        for command in made:
            if command.name in LABEL:
                if command.argument and command.argument not in labels:
                    raise SedError(f"can't find label for jump to `{command.argument}'", 4)
                command.target = labels.get(command.argument, len(made))
        return made

    def _line_end(self) -> int:
        end = self.script.find("\n", self.at)
        return len(self.script) if end < 0 else end

    def _command(self) -> Command:
        first, last = self._address(), None
        self.skip(" \t")
        if first is not None and self.peek() == ",":
            self.at += 1
            self.skip(" \t")
            last = self._address(second=True)
            if last is None:
                raise self.fail("unexpected `,'")
        self.skip(" \t")
        negated = self.peek() == "!"
        self.skip("! \t")
        name = self.peek()
        self.at += 1
        if not name or name in "\n;":
            raise self.fail("missing command")
        command = Command(name, first, last, negated)
        if name == "s":
            command.argument = self._substitute()
        elif name == "y":
            command.argument = self._transliterate()
        elif name in _TEXT:
            command.argument = self._text()
        elif name in LABEL or name == ":":
            self.skip(" \t")
            command.argument = self._word("\n;" if name == ":" else "\n;}").strip()
        elif name in _FILE:
            self.skip(" \t")
            command.argument = self._word("\n").strip()
        elif name in "qQ":
            self.skip(" \t")
            command.argument = int(self._word("\n;} ") or 0)
        elif name not in _BARE and name not in "{}":
            raise self.fail(f"unknown command: `{name}'")
        if name not in "{" and name not in _TEXT:
            self.skip(" \t")
            if self.peek() not in ("", "\n", ";", "}", "#"):
                raise self.fail("extra characters after command")
        return command

    def _word(self, ends: str) -> str:
        start = self.at
        while self.peek() and self.peek() not in ends:
            self.at += 1
        return self.script[start:self.at]

    def _number(self) -> int:
        found = re.compile(r"\d{1,9}").match(self.script, self.at)
        if found is None:
            raise self.fail("expected a number")
        self.at = found.end()
        return int(found[0])

    def _address(self, second: bool = False) -> tuple[str, Any] | None:
        char = self.peek()
        if char.isdigit():
            number = self._number()
            if self.peek() == "~":
                self.at += 1
                return "step", (number, self._number())
            return "line", number
        if char == "$":
            self.at += 1
            return "end", None
        if second and char and char in "+~":
            self.at += 1
            return ("more" if char == "+" else "multiple"), self._number()
        if char and char in "/\\":
            if char == "\\":
                self.at += 1
            text = self._until(self._delimiter("address regex"), "unterminated address regex")
            flag = self.peek() == "I"
            self.at += flag
            return "match", self._pattern(text, flag)
        return None

    def _delimiter(self, of: str) -> str:
        char = self.peek()
        if not char or char in "\n\\":
            raise self.fail(f"unterminated {of}")
        self.at += 1
        return char

    def _until(self, end: str, why: str, pattern: bool = True) -> str:
        """What stands before a delimiter, which may be meant literally after a backslash, and in a pattern between brackets."""
        out, bracket = "", False
        while self.at < len(self.script):
            char = self.script[self.at]
            self.at += 1
            if char == "\\" and self.at < len(self.script):
                following = self.script[self.at]
                self.at += 1
                literal = following in ".*[]^$" or (self.extended and following in "|(){}+?")
                out += following if following == end and not (pattern and literal) else char + following
                continue
            if pattern and char == "[" and not bracket:
                bracket = True
                take = re.compile(r"\^?\]?").match(self.script, self.at)
                out += char + (take[0] if take else "")
                self.at = take.end() if take else self.at
                continue
            if pattern and bracket and char == "[" and self.peek() in (":", ".", "="):
                closing = self.script.find(self.peek() + "]", self.at + 1)
                if closing > 0:
                    out += char + self.script[self.at:closing + 2]
                    self.at = closing + 2
                    continue
            if char == "]":
                bracket = False
            if char == end and not bracket:
                return out
            out += char
        self.at = len(self.script)
        raise self.fail(why)

    def _pattern(self, text: str, ignore_case: bool) -> Any:
        if not text:
            text = self.last_pattern
            if not text:
                raise self.fail("no previous regular expression")
        self.last_pattern = text
        try:
            return safe(re.sub(r"\\[<>]", r"\\b", text if self.extended else _basic(text)), ignore_case)
        except ValueError:
            open_ = text.count("(") > text.count(")")
            raise self.fail("Unmatched ( or \\(" if open_ else "Invalid regular expression") from None

    def _substitute(self) -> Substitute:
        end = self._delimiter("`s' command")
        text = self._until(end, "unterminated `s' command")
        new = self._until(end, "unterminated `s' command", pattern=False)
        flags = re.compile(r"[gpiImM\d]*").match(self.script, self.at)
        given = flags[0] if flags else ""
        self.at += len(given)
        if self.peek() not in ("", "\n", ";", "}", " ", "\t", "#"):
            self.at += 1
            raise self.fail("unknown option to `s'")
        pattern = self._pattern(text, "i" in given.lower())
        references = [int(each) for each in re.findall(r"\\(.)", new, re.DOTALL) if each.isdigit()]
        if references and max(references) > pattern.groups:
            raise self.fail(f"invalid reference \\{max(references)} on `s' command's RHS")
        number = int(re.sub(r"\D", "", given) or 1)
        return Substitute(pattern, new, "g" in given, number, "p" in given)

    def _transliterate(self) -> dict[int, str]:
        end = self._delimiter("`y' command")
        old, new = (_plain(self._until(end, "unterminated `y' command", pattern=False)) for _ in range(2))
        if len(old) != len(new):
            raise self.fail("strings for `y' command are different lengths")
        return {ord(one): other for one, other in zip(old, new, strict=True)}

    def _text(self) -> str:
        self.skip(" \t")
        if self.peek() == "\\":
            self.at += 1
            self.skip(" \t")
            if self.peek() == "\n":
                self.at += 1
        out = ""
        while self.at < len(self.script) and self.peek() != "\n":
            if self.peek() == "\\":
                self.at += 1
                out += ESCAPES.get(self.peek(), self.peek()) if out else self.peek()
            else:
                out += self.peek()
            self.at += 1
        if not out:
            raise self.fail("expected \\ after `a', `c' or `i'")
        return out + "\n"


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL)


def _basic(text: str) -> str:
    """A basic regular expression as an extended one: there, a backslash makes an operator what here takes one to be a plain character."""
    out, at, bracket = "", 0, False
    while at < len(text):
        char = text[at]
        at += 1
        if bracket:
            bracket = char != "]" or out.endswith(("[", "[^"))
            out += "\\" + char if char == "\\" and text[at:at + 1] != "n" else char
        elif char == "[":
            bracket = True
            out += char
        elif char == "\\" and at < len(text):
            out += text[at] if text[at] in "(){}|+?" else "\\" + text[at]
            at += 1
        elif char == "*" and (not out or out.endswith(("^", "(", "|"))):
            out += "\\*"
        else:
            out += "\\" + char if char in "(){}|+?" else char
    return out


def parsed(script: str, extended: bool) -> list[Command]:
    """The commands of a script. Raises SedError."""
    return _Parser(script, extended).commands()
