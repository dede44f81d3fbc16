"""sed: performs the commands of a script (sed_script.py) on lines, as GNU's does.

What sed could do for ever ends with an error: an interpreter of one's own is no place to wait in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from clusterlab.runtime.shell.sed_script import ESCAPES, LABEL, Command, SedError, Substitute

__all__ = ["Editor", "Options", "options"]

MAX_WORK, MAX_OUT, MAX_SPACE = 200_000, 1_000_000, 100_000


USAGE = "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]..."
_LONG = {
    "--quiet": "n", "--silent": "n", "--regexp-extended": "E", "--separate": "s", "--in-place": "i", "--expression": "e", "--file": "f",
}


class Options(NamedTuple):
    """What a command line says. `suffix`: None where files stay as they are, else what the names of their old versions end with."""

    script: str
    names: list[str]
    quiet: bool
    extended: bool
    suffix: str | None
    apart: bool


def options(args: list[str], read: Callable[[str], str | None]) -> Options:
    """Reads the words after `sed`. Raises SedError."""
    scripts, names, plain, suffix = list[str](), list[str](), "", None
    waiting = list(args)
    while waiting:
        arg = waiting.pop(0)
        if not arg.startswith("-") or arg == "-":
            names.append(arg)
            continue
        name, _, value = arg.partition("=")
        letters = _LONG[name] + value if name in _LONG else arg[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "ef":
                given = letters or (waiting.pop(0) if waiting else "")
                text = given if letter == "e" else read(given)
                if text is None:
                    raise SedError(f"couldn't open file {given}: No such file or directory")
                scripts.append(text.removesuffix("\n"))
                break
            if letter == "i":
                suffix = letters
                break
            if letter not in "nErsu":
                raise SedError(f"invalid option -- '{letter}'\n{USAGE}")
            plain += letter
    if not scripts:
        if not names:
            raise SedError(USAGE, usage=True)
        scripts.append(names.pop(0))
    extended = bool(set(plain) & {"E", "r"})
    return Options("\n".join(scripts), names, "n" in plain, extended, suffix, suffix is not None or "s" in plain)


class Editor:
    """Performs commands on lines. `read` gives what is in a file, None where there is none."""

    def __init__(self, commands: list[Command], quiet: bool, read: Callable[[str], str | None]) -> None:
        self.commands, self.quiet, self.read = commands, quiet, read
        self.hold, self.work, self.code, self.over = "", 0, 0, False
        self.out: list[str] = []
        self._size, self._cut, self._hold_cut = 0, False, False

    def edit(self, text: str) -> str:
        """What comes out for a text. Raises SedError."""
        self.out, self._size, self.over = [], 0, False
        for command in self.commands:
            command.until = None
        self._lines, self._next = text.removesuffix("\n").split("\n") if text else [], 0
        self._unended = bool(text) and not text.endswith("\n")
        space: str | None = None
        while not self.over and (space is not None or self._next < len(self._lines)):
            space = self._cycle(self._take() if space is None else space)
        return "".join(self.out)

    def _take(self) -> str:
        self._next += 1
        self._cut = self._unended and self._next == len(self._lines)
        return self._lines[self._next - 1]

    def _say(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_OUT:
            raise SedError("output is too long")
        if self.out and not self.out[-1].endswith("\n"):
            self.out.append("\n")
        self.out.append(text)

    def _show(self, space: str) -> None:
        """A last line that no newline ends is shown as it is."""
        self._say(space if self._cut else space + "\n")

    def _cycle(self, space: str) -> str | None:
        """One line through all commands; what a `D` leaves begins the next cycle without a new line."""
        at, after, changed = 0, list[str](), False
        again: str | None = None
        while at < len(self.commands):
            command = self.commands[at]
            at += 1
            self.work += 1
            if self.work > MAX_WORK or len(space) > MAX_SPACE:
                raise SedError("the script works too long")
            if self._meant(command, space) == command.negated:
                at = command.target if command.name == "{" else at
                continue
            name = command.name
            if name == "s":
                space, hit = _substituted(command.argument, space)
                changed |= hit
                if hit and command.argument.prints:
                    self._show(space)
            elif name in LABEL:
                if name == "b" or changed == (name == "t"):
                    at = command.target
                changed = changed and name == "b"
            elif name in "aicr":
                self._insert(command, after)
                if name == "c":
                    self._flush(after)
                    return None
            elif name in "dD":
                again = space.partition("\n")[2] if name == "D" and "\n" in space else None
                self._flush(after)
                return again
            elif name in "nN":
                if self._next >= len(self._lines):
                    break
                if name == "n":
                    self._end(space, after)
                    space = self._take()
                else:
                    space += "\n" + self._take()
            elif name == "y":
                space = space.translate(command.argument)
            elif name in "qQ":
                self.over, self.code = True, command.argument
                if name == "Q":
                    return None
                break
            else:
                space = self._simple(name, space)
        self._end(space, after)
        return None

    def _insert(self, command: Command, after: list[str]) -> None:
        if command.name == "a":
            after.append(command.argument)
        elif command.name == "r":
            after += [text for text in [self.read(command.argument)] if text]
        elif command.name == "i" or command.last is None or command.until is None or command.negated:
            self._say(command.argument)

    def _simple(self, name: str, space: str) -> str:
        if name == "p":
            self._show(space)
        elif name == "P":
            first, newline, _ = space.partition("\n")
            self._say(first + "\n") if newline else self._show(space)
        elif name == "=":
            self._say(f"{self._next}\n")
        elif name == "l":
            self._say(space.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") + "$\n")
        elif name == "F":
            self._say("-\n")
        elif name in "hH":
            self._hold_cut = self._cut
            self.hold = space if name == "h" else f"{self.hold}\n{space}"
        elif name in "gG":
            self._cut = self._hold_cut
            return self.hold if name == "g" else f"{space}\n{self.hold}"
        elif name == "x":
            self._cut, self._hold_cut = self._hold_cut, self._cut
            self.hold, space = space, self.hold
        return "" if name == "z" else space

    def _end(self, space: str, after: list[str]) -> None:
        if not self.quiet:
            self._show(space)
        self._flush(after)

    def _flush(self, after: list[str]) -> None:
        for text in after:
            self._say(text)
        after.clear()

    def _meant(self, command: Command, space: str) -> bool:
        if command.first is None:
            return True
        if command.last is None:
            return self._at(command.first, space)
        if command.until is not None:
            return self._within(command, space)
        if not self._at(command.first, space):
            return command.first == ("line", 0) and self._next == 1 and self._within(command, space)
        kind, value = command.last
        ends = {"line": value, "end": len(self._lines), "match": -1}.get(kind)
        if kind == "more":
            ends = self._next + value
        elif kind == "multiple":
            ends = -(-self._next // value) * value if value else self._next
        command.until = None if ends is not None and 0 <= ends <= self._next else ends
        return True

    def _within(self, command: Command, space: str) -> bool:
        """Whether a range that has begun goes on, and whether this line is its last."""
        assert command.last is not None
        if command.last[0] == "match":
            command.until = None if self._at(command.last, space) else -1
        elif command.until is not None and self._next >= command.until:
            inside, command.until = self._next == command.until, None
            return inside
        return True

    def _at(self, address: tuple[str, Any], space: str) -> bool:
        kind, value = address
        if kind == "line":
            return bool(self._next == value)
        if kind == "end":
            return self._next == len(self._lines)
        if kind == "step":
            first, step = value
            return bool(self._next == first if not step else self._next >= first and (self._next - first) % step == 0)
        return bool(value.search(space))


def _substituted(how: Substitute, space: str) -> tuple[str, bool]:
    out, at, count, hit = "", 0, 0, False
    for found in _matches(how.pattern, space):
        count += 1
        if count < how.number:
            continue
        out += space[at:found.start()] + _new(how.new, found)
        at, hit = found.end(), True
        if not how.every or len(out) > MAX_SPACE:
            break
    return out + space[at:], hit


def _matches(pattern: Any, space: str) -> Iterable[Any]:
    """Nothing is found anew where something has just been found."""
    end = -1
    for found in pattern.finditer(space):
        if found.end() > found.start() or found.start() != end:
            yield found
        end = found.end()


def _new(text: str, found: Any) -> str:
    """What stands for a match: & and \\1 are parts of it, \\U, \\L, \\u, \\l and \\E change the case of what follows."""
    out, case, once = "", "", ""
    for part in re.finditer(r"\\([\s\S])|&|[^\\&]+", text):
        letter = part[1]
        if letter is not None and letter in "ULE":
            case = letter
            continue
        if letter is not None and letter in "ul":
            once = letter
            continue
        piece = part[0]
        if piece == "&":
            piece = found[0]
        elif letter is not None:
            piece = (found[int(letter)] or "") if letter.isdigit() else ESCAPES.get(letter, letter)
        piece = piece.upper() if case == "U" else piece.lower() if case == "L" else piece
        if once and piece:
            piece, once = (piece[0].upper() if once == "u" else piece[0].lower()) + piece[1:], ""
        out += piece
    return out
