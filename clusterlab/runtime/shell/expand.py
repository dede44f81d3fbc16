"""Expansion of words: variables, commands, arithmetic, field splitting and file names.

Follows POSIX.1-2017, section 2.6 of the Shell Command Language.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from clusterlab.runtime.shell.lexer import Part, Word, expand_quoted, tokens

__all__ = ["Expander", "ShellError", "arithmetic", "pack", "unpack"]

LONGEST = 100_000


class ShellError(Exception):
    """An error that ends the command, with the shell's message."""


class Expander:
    """Expands words. `look_up` reads a variable (None: unset), `assign` sets one, `run` runs a command for its output."""

    def __init__(
        self, look_up: Callable[[str], str | None], assign: Callable[[str, str], None], run: Callable[[str], str],
        params: tuple[str, ...], names: Callable[[str], list[str]], braces: bool = False,
        process: Callable[[str, int], str] | None = None,
    ) -> None:
        self.look_up = look_up
        self.assign = assign
        self.run = run
        self.params = params
        self.names = names
        self.process, self.pipes = process, 0  # <(command): the name of a file that holds what it wrote
        self.braces = braces  # whether {1..3} and {a,b} are expanded, as bash does

    def fields(self, words: tuple[Word, ...]) -> list[str]:
        """Words as arguments."""
        found: list[str] = []
        for word in words:
            if self.braces and len(word) == 1 and word[0].kind == "text" and not word[0].quoted and "{" in word[0].text:
                found += braced(word[0].text)
                continue
            if len(word) == 1 and word[0].kind == "text" and (word[0].quoted or not any(char in word[0].text for char in "*?[~")):
                found.append(word[0].text)
            else:
                found += self._word(word)
        return found

    def text(self, word: Word) -> str:
        """A word as one string, without splitting."""
        return "".join(self._value(part) if part.kind != "text" else self._tilde(part) for part in word)[:LONGEST]

    def _tilde(self, part: Part) -> str:
        if not part.quoted and (part.text == "~" or part.text.startswith("~/")):
            return (self.look_up("HOME") or "/root") + part.text[1:]
        return part.text

    def _word(self, word: Word) -> list[str]:
        if len(word) == 1 and word[0] == Part("var", "@", True):
            return list(self.params)
        fields: list[tuple[str, bool]] = []  # text so far, whether any of it was quoted
        current, quoted, started = "", False, False
        for part in word:
            if part.kind == "text":
                current += self._tilde(part)
                quoted = quoted or part.quoted
                started = started or part.quoted or bool(part.text)
                continue
            if part.quoted and part.kind == "var" and not part.op and (part.text == "@" or part.subscript == "@"):
                every = self.elements(part.text) if part.subscript else list(self.params)
                for number, each in enumerate(every):
                    if number:
                        fields.append((current, True))
                        current = ""
                    current += each
                started = started or bool(every)
                quoted = True
                continue
            value = self._value(part)
            if part.quoted:
                current, quoted, started = current + value, True, True
                continue
            pieces, before, behind = self._split(value)
            if before and started:
                fields.append((current, quoted))
                current, started = "", False
            for number, piece in enumerate(pieces):
                if number:
                    fields.append((current, quoted))
                    current = ""
                current, started = current + piece, True
            if behind and started and pieces:
                fields.append((current, quoted))
                current, started, quoted = "", False, False
        if started:
            fields.append((current, quoted))
        found: list[str] = []
        for text, was_quoted in fields:
            if not was_quoted and any(char in text for char in "*?["):
                found += self.names(text) or [text]
            else:
                found.append(text)
        return found

    def _split(self, value: str) -> tuple[list[str], bool, bool]:
        """The fields of what was not quoted, by IFS; whether what stands before and behind it is apart from them."""
        between = self.look_up("IFS")
        if between is None or not between.strip(" \t\n"):
            if between == "":
                return [value] if value else [], False, False
            return value.split(), value[:1].isspace(), value[-1:].isspace()
        marks = re.escape(between.strip(" \t\n")[:20])
        blanks = "".join(char for char in " \t\n" if char in between)
        text = value.strip(blanks) if blanks else value
        some = f"[{blanks}]*" if blanks else ""
        found = re.split(f"{some}[{marks}]{some}" + (f"|[{blanks}]+" if blanks else ""), text) if text else []
        ends = bool(found) and not found[-1]
        return found[:-1] if ends else found, value[:1] != text[:1], ends or value[-1:] != text[-1:]

    def _value(self, part: Part) -> str:
        if part.kind == "text":
            return part.text
        if part.kind == "command":
            return self.run(part.text).rstrip("\n")
        if part.kind == "process":
            if self.process is None:
                raise ShellError('syntax error: unexpected "("')
            self.pipes += 1
            return self.process(part.text, 64 - self.pipes)
        if part.kind == "array":
            return pack(self.fields(tuple(each.word for each in tokens(part.text) if each.kind == "word")))
        if part.kind == "arithmetic":
            return str(arithmetic(self.text(expand_quoted(part.text)), self.look_up, self.assign))
        return self._variable(part)[:LONGEST]

    def _argument(self, text: str) -> str:
        found = tokens(text) if text else []
        return " ".join(self.text(token.word) for token in found if token.kind == "word")

    def _variable(self, part: Part) -> str:
        value, op = self.look_up(part.text), part.op
        if part.subscript:
            every = self.elements(part.text)
            if part.subscript in {"@", "*"}:
                if op in {"#len", "#keys"}:
                    return str(len(every)) if op == "#len" else " ".join(map(str, range(len(every))))
                value = " ".join(every) if every else None
            else:
                at = self.index(part.subscript)
                value = every[at] if -len(every) <= at < len(every) else None
        if op == "#len":
            return str(len(value or ""))
        if op == "#indirect":
            return self.look_up(value or "") or ""
        if op in {"^^", ",,", "^", ","}:
            change = str.upper if "^" in op else str.lower
            return change(value or "") if len(op) == 2 else change((value or "")[:1]) + (value or "")[1:]
        if not op:
            if value is None and part.text not in {"@", "*"} and self.look_up(" nounset"):
                raise ShellError(f"{part.text}: {'unbound variable' if self.braces else 'parameter not set'}")
            return value or ""
        if op in {":-", "-"}:
            return value if value is not None and (value or op == "-") else self._argument(part.arg)
        if op in {":=", "="}:
            if value is None or (not value and op == ":="):
                value = self._argument(part.arg)
                self.assign(part.text, value)
            return value
        if op in {":+", "+"}:
            return self._argument(part.arg) if value or (value is not None and op == "+") else ""
        if op in {":?", "?"}:
            if value is None or (not value and op == ":?"):
                raise ShellError(f"{part.text}: {self._argument(part.arg) or 'parameter not set'}")
            return value
        return self._trimmed(value or "", op, part.arg)

    def elements(self, name: str) -> list[str]:
        """What an array holds; a plain variable is an array of one."""
        value = self.look_up(f"{name}[@]")
        return [] if value is None else unpack(value)

    def index(self, text: str) -> int:
        """The number of an element."""
        return arithmetic(self.text(expand_quoted(text)), lambda name: self.look_up(name), self.assign)

    def _trimmed(self, value: str, op: str, arg: str) -> str:
        if op == ":":
            start, _, length = arg.partition(":")
            begin = arithmetic(start, self.look_up, self.assign)
            return value[begin:begin + int(length)] if length else value[begin:]
        if op == "/":
            old, _, new = arg.lstrip("/").partition("/")
            return value.replace(old, new) if arg.startswith("/") else value.replace(old, new, 1)
        pattern = self._argument(arg)
        cuts = range(len(value) + 1)
        if op in {"%", "%%"}:
            order = reversed(cuts) if op == "%" else iter(cuts)
            return next((value[:at] for at in order if fnmatchcase(value[at:], pattern)), value)
        order = iter(cuts) if op == "#" else reversed(cuts)
        return next((value[at:] for at in order if fnmatchcase(value[:at], pattern)), value)


#: An array among the variables, which are texts: its elements, each behind a mark.
_MARK = "\x1f"


def pack(elements: list[str]) -> str:
    """An array as the value of a variable."""
    return _MARK + _MARK.join(elements) if elements else _MARK + _MARK


def unpack(value: str) -> list[str]:
    """The elements of a variable's value."""
    if not value.startswith(_MARK):
        return [value]
    return [] if value == _MARK + _MARK else value[1:].split(_MARK)


_RANGE = re.compile(r"(-?\d{1,6})\.\.(-?\d{1,6})(?:\.\.(\d{1,4}))?")
BRACED_MOST = 1_000


def braced(text: str) -> list[str]:
    """Brace expansion of bash: {1..3} and {a,b}."""
    start = text.find("{")
    end = text.find("}", start)
    if start < 0 or end < 0:
        return [text]
    inner, before, after = text[start + 1:end], text[:start], text[end + 1:]
    ranged = _RANGE.fullmatch(inner)
    if ranged is not None:
        first, last, step = int(ranged[1]), int(ranged[2]), max(1, int(ranged[3] or 1))
        numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
        choices = [str(each) for each in numbers[:BRACED_MOST]]
    elif "," in inner:
        choices = inner.split(",")
    else:
        return [before + "{" + inner + "}" + each for each in braced(after)]
    return [before + each + rest for rest in braced(after) for each in choices][:BRACED_MOST]


_TOKEN = re.compile(
    r"\s*(0[xX][0-9a-fA-F]+|\d+#\w+|\d+|[A-Za-z_]\w*|\*\*|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&|^]=|[-+*/%()<>!~&|^=?:,])")
_ASSIGNMENTS = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))
_LEVELS = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="), ("<<", ">>"), ("+", "-"), ("*", "/", "%"),
    ("**",),
)


def arithmetic(text: str, look_up: Callable[[str], str | None], assign: Callable[[str, str], None]) -> int:
    """The value of $((text)): integers of 64 bits, as in busybox."""
    found: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or len(found) > 500:
            raise ShellError("arithmetic syntax error")
        found.append(token[1].replace("$", ""))
        at = token.end()
    if not found:
        return 0
    value, rest = _assignment(found, 0, look_up, assign)
    while rest < len(found) and found[rest] == ",":
        value, rest = _assignment(found, rest + 1, look_up, assign)
    if rest != len(found):
        raise ShellError("arithmetic syntax error")
    return value


def _read(name: str, look_up: Callable[[str], str | None]) -> int:
    text = (look_up(name) or "0").strip()
    sign = -1 if text[:1] == "-" else 1
    return sign * _number(text.removeprefix("-")) if _NUMBER.fullmatch(text) else 0


_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]{1,16}|\d{1,18})")


def _number(token: str) -> int:
    """Decimal, 0x…, 0… (octal) and bash's BASE#DIGITS."""
    base, mark, digits = token.partition("#")
    try:
        if mark:
            if not 2 <= int(base[:3]) <= 36:
                raise ShellError("arithmetic syntax error")
            return _wrapped(int(digits[:64], int(base)))
        if token[:2] in {"0x", "0X"}:
            return _wrapped(int(token[2:18], 16))
        return _wrapped(int(token[:23], 8)) if token[0] == "0" and len(token) > 1 else int(token[:18])
    except ValueError:
        raise ShellError("arithmetic syntax error") from None


def _assignment(t: list[str], at: int, look_up: Callable[[str], str | None], assign: Callable[[str, str], None]) -> tuple[int, int]:
    if at + 1 < len(t) and (t[at][0].isalpha() or t[at][0] == "_") and t[at + 1] in _ASSIGNMENTS:
        value, rest = _assignment(t, at + 2, look_up, assign)
        if t[at + 1] != "=":
            value = _apply(t[at + 1][:-1], _read(t[at], look_up), value)
        assign(t[at], str(value))
        return value, rest
    value, rest = _binary(t, at, 0, look_up, assign)
    if rest < len(t) and t[rest] == "?":
        yes, middle = _assignment(t, rest + 1, look_up, assign)
        if middle >= len(t) or t[middle] != ":":
            raise ShellError("arithmetic syntax error")
        no, rest = _assignment(t, middle + 1, look_up, assign)
        value = yes if value else no
    return value, rest


def _binary(
    t: list[str], at: int, level: int, look_up: Callable[[str], str | None], assign: Callable[[str, str], None],
) -> tuple[int, int]:
    if level == len(_LEVELS):
        return _unary(t, at, look_up, assign)
    value, at = _binary(t, at, level + 1, look_up, assign)
    while at < len(t) and t[at] in _LEVELS[level]:
        other, rest = _binary(t, at + 1, level + (t[at] != "**"), look_up, assign)  # ** goes from right to left
        value, at = _apply(t[at], value, other), rest
    return value, at


def _unary(t: list[str], at: int, look_up: Callable[[str], str | None], assign: Callable[[str, str], None]) -> tuple[int, int]:
    if at >= len(t):
        raise ShellError("arithmetic syntax error")
    token = t[at]
    if token in {"-", "+", "!", "~"}:
        value, rest = _unary(t, at + 1, look_up, assign)
        return {"-": -value, "+": value, "!": int(not value), "~": ~value}[token], rest
    if token in {"++", "--"} and at + 1 < len(t):
        value = _read(t[at + 1], look_up) + (1 if token == "++" else -1)
        assign(t[at + 1], str(value))
        return value, at + 2
    if token == "(":
        value, rest = _assignment(t, at + 1, look_up, assign)
        if rest >= len(t) or t[rest] != ")":
            raise ShellError("arithmetic syntax error")
        return value, rest + 1
    if token[0].isdigit():
        return _number(token), at + 1
    if token[0].isalpha() or token[0] == "_":
        value = _read(token, look_up)
        if at + 1 < len(t) and t[at + 1] in {"++", "--"}:
            assign(token, str(value + (1 if t[at + 1] == "++" else -1)))
            return value, at + 2
        return value, at + 1
    raise ShellError("arithmetic syntax error")


def _apply(op: str, a: int, b: int) -> int:
    if op == "**":
        if b < 0 or (abs(a) > 1 and b > 63):
            raise ShellError("exponent out of range")
        return _wrapped(a ** b if abs(a) > 1 or b == 0 else a if b % 2 else a * a)
    if op in {"/", "%"}:
        if b == 0:
            raise ShellError("divide by zero")
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return quotient if op == "/" else a - b * quotient
    results = {
        "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "==": lambda: int(a == b), "!=": lambda: int(a != b),
        "<": lambda: int(a < b), ">": lambda: int(a > b), "<=": lambda: int(a <= b), ">=": lambda: int(a >= b),
        "&&": lambda: int(bool(a) and bool(b)), "||": lambda: int(bool(a) or bool(b)), "&": lambda: a & b, "|": lambda: a | b,
        "^": lambda: a ^ b, "<<": lambda: a << (b & 63), ">>": lambda: a >> (b & 63),
    }
    return _wrapped(results[op]())


def _wrapped(value: int) -> int:
    """Integers of 64 bits go round."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
