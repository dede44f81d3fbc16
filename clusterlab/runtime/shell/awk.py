"""awk, as far as pipelines in teaching material use it: patterns, print and printf, fields, variables, arrays, if, for and while.

Follows POSIX.1-2017, awk. A program runs within a budget of steps; regular expressions are those of `network/patterns.py`.
"""

from __future__ import annotations

import re
from typing import Any

from clusterlab.network.patterns import safe
from clusterlab.runtime.shell.awk_values import FUNCTIONS, TEXT_MOST, AwkError, apply, formatted, is_true, to_number, to_text

__all__ = ["AwkError", "run_program"]

STEPS_MOST, OUTPUT_MOST = 50_000, 200_000
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.?\d*|\.\d+)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<op>\+\+|--|\+=|-=|\*=|/=|%=|==|!=|<=|>=|&&|\|\||!~|[-+*/%^!~<>=?:(){}\[\];,$\n]))""")
_SPACE = re.compile(r"(?:[ \t\r]|#[^\n]*|\\\n)*")


class _Next(Exception):
    pass


class _Exit(Exception):
    pass


def _tokens(source: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while True:
        at = _SPACE.match(source, at).end()  # type: ignore[union-attr]
        if at >= len(source):
            return [*found, ("end", "")]
        if source[at] == "/" and (not found or found[-1][1] in {"(", "{", "}", ";", "\n", ",", "~", "!~", "&&", "||", "!"}):
            end = at + 1
            while end < len(source) and source[end] != "/":
                end += 2 if source[end] == "\\" else 1
            found.append(("regex", source[at + 1:end]))
            at = end + 1
            continue
        token = _TOKEN.match(source, at)
        if token is None or len(found) > 5_000:
            raise AwkError("syntax error")
        kind = str(token.lastgroup)
        found.append((kind, token[kind]))
        at = token.end()


class _Program:
    """Reads and runs at once: a statement is run by walking its tokens, those that are skipped are only read."""

    def __init__(self, source: str, variables: dict[str, str], separator: str) -> None:
        self.tokens, self.at = _tokens(source[:TEXT_MOST]), 0
        self.vars: dict[str, Any] = {"FS": separator, "OFS": " ", "ORS": "\n", "NR": 0, **variables}
        self.arrays: dict[str, dict[str, Any]] = {}
        self.fields: list[str] = []
        self.line = ""
        self.out: list[str] = []
        self.left, self.size, self.live = STEPS_MOST, 0, True
        self.rules = self._rules()

    # Reading.

    def peek(self) -> str:
        kind, text = self.tokens[self.at]
        return text if kind in {"op", "name"} else ""

    def take(self, *texts: str) -> bool:
        if self.peek() in texts and self.tokens[self.at][0] != "end":
            self.at += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.take(text):
            raise AwkError("syntax error")

    def breaks(self) -> None:
        while self.take(";", "\n"):
            pass

    def _rules(self) -> list[tuple[str, int, int]]:
        """(kind, where the pattern begins, where the block begins; -1 for none)."""
        found = []
        self.live = False
        self.breaks()
        while self.tokens[self.at][0] != "end":
            kind, pattern, block = "line", -1, -1
            if self.peek() in {"BEGIN", "END"}:
                kind = self.peek()
                self.at += 1
            elif self.peek() != "{":
                pattern = self.at
                self.expression()
            if self.peek() == "{":
                block = self.at
                self.block()
            found.append((kind, pattern, block))
            self.breaks()
        self.live = True
        return found

    # Running.

    def run(self, lines: list[str]) -> str:
        try:
            self._all("BEGIN")
            if any(kind != "BEGIN" for kind, _, _ in self.rules):
                for number, line in enumerate(lines, 1):
                    self.vars["NR"] = number
                    self.set_line(line)
                    try:
                        self._all("line")
                    except _Next:
                        continue
                self._all("END")
        except _Exit:
            pass
        return "".join(self.out)

    def _all(self, wanted: str) -> None:
        for kind, pattern, block in self.rules:
            if kind != wanted:
                continue
            if pattern >= 0:
                self.at = pattern
                if not is_true(self.expression()):
                    continue
            if block < 0:
                self.emit(self.line + str(self.vars["ORS"]))
            else:
                self.at = block
                self.block()

    def set_line(self, line: str) -> None:
        self.line = line
        separator = str(self.vars["FS"])
        self.fields = line.split() if separator == " " else (
            line.split(separator) if len(separator) == 1 else safe(separator).split(line)) if line else []

    def emit(self, text: str) -> None:
        self.size += len(text)
        if self.size > OUTPUT_MOST:
            raise _Exit
        self.out.append(text)

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _Exit

    # Statements.

    def block(self) -> None:
        self.need("{")
        self.breaks()
        while not self.take("}"):
            if self.tokens[self.at][0] == "end":
                raise AwkError("syntax error")
            self.statement()
            self.breaks()

    def skipping(self, act: Any) -> Any:
        """Reads on without doing anything."""
        live, self.live = self.live, False
        try:
            return act()
        finally:
            self.live = live

    def statement(self) -> None:
        self.step()
        if self.peek() == "{":
            self.block()
        elif self.take("if"):
            self._if()
        elif self.take("while"):
            self._while()
        elif self.take("for"):
            self._for()
        elif self.take("next", "exit"):
            if self.live:
                raise _Next if self.tokens[self.at - 1][1] == "next" else _Exit
        elif self.take("print", "printf"):
            self._print(self.tokens[self.at - 1][1])
        elif self.take("delete"):
            name = self.tokens[self.at][1]
            self.at += 1
            key = self._subscript() if self.take("[") else None
            if self.live:
                self.arrays.get(name, {}).pop(key, None) if key is not None else self.arrays.pop(name, None)
        else:
            self.expression()

    def _body(self, run: bool) -> None:
        self.breaks()
        if run:
            self.statement()
        else:
            self.skipping(self.statement)

    def _if(self) -> None:
        self.need("(")
        yes = is_true(self.expression())
        self.need(")")
        self._body(self.live and yes)
        back = self.at
        self.breaks()
        if self.take("else"):
            self._body(self.live and not yes)
        else:
            self.at = back

    def _while(self) -> None:
        start = self.at
        while True:
            self.step()
            self.at = start
            self.need("(")
            value = self.expression()
            go = self.live and is_true(value)
            self.need(")")
            self._body(go)
            if not go:
                return

    def _for(self) -> None:
        self.need("(")
        if self.tokens[self.at][0] == "name" and self.tokens[self.at + 1][1] == "in":
            name, array = self.tokens[self.at][1], self.tokens[self.at + 2][1]
            self.at += 3
            self.need(")")
            body = self.at
            for key in list(self.arrays.get(array, {})) if self.live else ():
                self.step()
                self.vars[name], self.at = key, body
                self._body(True)
            self.at = body
            self._body(False)
            return
        if self.peek() != ";":
            self.expression()
        self.need(";")
        test = self.at
        while True:
            self.step()
            self.at = test
            go = self.live and (self.peek() == ";" or is_true(self.expression()))
            if not go:
                self.at = test
                if self.peek() != ";":
                    self.skipping(self.expression)
            self.need(";")
            change = self.at
            if self.peek() != ")":
                self.skipping(self.expression)
            self.need(")")
            self._body(go)
            if not go:
                return
            end, self.at = self.at, change
            if self.peek() != ")":
                self.expression()
            self.at = end

    def _print(self, word: str) -> None:
        values: list[Any] = []
        wrapped = self.peek() == "(" and self._wraps()
        if wrapped:
            self.at += 1
        if self.peek() not in {";", "\n", "}", ")"} and self.tokens[self.at][0] != "end":
            values.append(self.expression())
            while self.take(","):
                values.append(self.expression())
        if wrapped:
            self.need(")")
        if not self.live:
            return
        if word == "printf":
            self.emit(formatted(values))
        else:
            text = str(self.vars["OFS"]).join(map(to_text, values)) if values else self.line
            self.emit(text + str(self.vars["ORS"]))

    def _wraps(self) -> bool:
        """Whether brackets go round all that is printed."""
        depth, at = 0, self.at
        while self.tokens[at][0] != "end":
            depth += {"(": 1, ")": -1}.get(self.tokens[at][1], 0) if self.tokens[at][0] == "op" else 0
            at += 1
            if not depth:
                return self.tokens[at][1] in {";", "\n", "}", ""}
        return False

    # Expressions.

    def expression(self) -> Any:
        self.step()
        start = self.at
        target = self._target()
        if target is not None and self.peek() in {"=", "+=", "-=", "*=", "/=", "%="}:
            op = self.peek()
            self.at += 1
            value = self.expression()
            if op != "=":
                value = apply(op[0], self._get(target), value)
            self._set(target, value)
            return value
        self.at = start
        value = self._binary(0)
        if self.take("?"):
            chosen = self.live and is_true(value)
            yes = self.expression() if chosen else self.skipping(self.expression)
            self.need(":")
            no = self.skipping(self.expression) if chosen else self.expression()
            return yes if chosen else no
        return value

    _LEVELS = (("||",), ("&&",), ("~", "!~"), ("<", "<=", "==", "!=", ">", ">="), ("",), ("+", "-"), ("*", "/", "%"), ("^",))

    def _binary(self, level: int) -> Any:
        if level == len(self._LEVELS):
            return self._unary()
        value = self._binary(level + 1)
        ops = self._LEVELS[level]
        if ops == ("",):  # one after the other: concatenation
            while self._begins():
                value = (to_text(value) + to_text(self._binary(level + 1)))[:TEXT_MOST]
            return value
        while self.peek() in ops:
            op = self.peek()
            self.at += 1
            if op in {"&&", "||"} and self.live and is_true(value) == (op == "||"):
                self.skipping(lambda: self._binary(level + 1))  # decided already
                value = int(op == "||")
                continue
            other = self._binary(level + 1)
            value = apply(op, value, other) if self.live else 0
        return value

    def _begins(self) -> bool:
        kind, text = self.tokens[self.at]
        return kind in {"number", "string"} or (kind == "name" and text not in {"in", "else"}) or (kind == "op" and text in {"$", "("})

    def _unary(self) -> Any:
        if self.take("!"):
            return int(not is_true(self._unary()))
        if self.take("-"):
            return -to_number(self._unary())
        if self.take("++", "--"):
            change = 1 if self.tokens[self.at - 1][1] == "++" else -1
            target = self._target()
            if target is None:
                raise AwkError("syntax error")
            self._set(target, to_number(self._get(target)) + change)
            return self._get(target)
        return self._primary()

    def _primary(self) -> Any:
        kind, text = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            return float(text)
        if kind == "string":
            self.at += 1
            return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text[1:-1])
        if kind == "regex":
            self.at += 1
            return int(safe(text).search(self.line[:TEXT_MOST]) is not None) if self.tokens[self.at - 2][1] not in {"~", "!~"} else text
        if self.take("("):
            value = self.expression()
            self.need(")")
            return value
        if kind == "name" and self.tokens[self.at + 1][1] == "(" and text in FUNCTIONS:
            return self._call(text)
        target = self._target()
        if target is None:
            raise AwkError("syntax error")
        value = self._get(target)
        if self.take("++", "--"):
            self._set(target, to_number(value) + (1 if self.tokens[self.at - 1][1] == "++" else -1))
            return to_number(value)
        return value

    def _call(self, name: str) -> Any:
        self.at += 2
        args = []
        while not self.take(")"):
            args.append(self.expression())
            self.take(",")
        return FUNCTIONS[name](args or [self.line])

    def _subscript(self) -> str:
        key = to_text(self.expression())
        self.need("]")
        return key

    def _target(self) -> tuple[str, str] | None:
        """What can be assigned to: a field, an element or a variable."""
        kind, text = self.tokens[self.at]
        if self.take("$"):
            return "$", to_text(self._primary())
        if kind == "name" and text not in {"print", "printf", "in"}:
            self.at += 1
            return (text, self._subscript()) if self.take("[") else (text, "\0")
        return None

    def _get(self, target: tuple[str, str]) -> Any:
        name, key = target
        if name == "$":
            number = int(to_number(key))
            return self.line if number == 0 else self.fields[number - 1] if 0 < number <= len(self.fields) else ""
        if name == "NF":
            return len(self.fields)
        if key != "\0":
            return self.arrays.get(name, {}).get(key, "")
        return self.vars.get(name, "")

    def _set(self, target: tuple[str, str], value: Any) -> None:
        if not self.live:
            return
        name, key = target
        if name == "$":
            number = int(to_number(key))
            if number == 0:
                self.set_line(to_text(value))
            elif 0 < number <= 1_000:
                self.fields += [""] * (number - len(self.fields))
                self.fields[number - 1] = to_text(value)
                self.line = str(self.vars["OFS"]).join(self.fields)
        elif key != "\0":
            array = self.arrays.setdefault(name, {})
            if len(array) < 10_000:
                array[key] = value
        else:
            self.vars[name] = value


def run_program(source: str, lines: list[str], variables: dict[str, str], separator: str = " ") -> str:
    """What a program prints for these lines; raises AwkError."""
    try:
        return _Program(source, variables, separator).run(lines[:20_000])
    except (_Next, RecursionError, OverflowError, ValueError, IndexError) as error:
        raise AwkError(str(error) or "syntax error") from None
