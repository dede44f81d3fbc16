"""Reads a program of awk: its tokens, its rules and functions, as nested tuples that `awk` walks.

Follows POSIX.1-2017, awk, "Grammar". A statement or an expression is a tuple whose first word says what it is.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from clusterlab.runtime.shell.awk_values import FUNCTIONS, TEXT_MOST, AwkError

__all__ = ["Program", "parsed"]

TOKENS_MOST = 5_000
_TOKEN = re.compile(
    r"""(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<op>\+\+|--|\+=|-=|\*\*=|\*=|/=|%=|\^=|==|!=|<=|>=|>>|&&|\|\||!~|\*\*|[-+*/%^!~<>=?:(){}\[\];,$|\n])""", re.DOTALL)
_SPACE = re.compile(r"(?:[ \t\r]|#[^\n]*|\\\r?\n)*")
_WORDS = frozenset((
    "BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue", "next", "nextfile", "exit", "return",
    "delete", "in", "getline", "print", "printf"))
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"', "/": "/"}
_ESCAPE = re.compile(r"\\([0-7]{1,3}|\n|.)", re.DOTALL)
_ASSIGNMENTS = ("=", "+=", "-=", "*=", "/=", "%=", "^=", "**=")
_COMPARISONS = ("<", "<=", "==", "!=", ">", ">=")


class Program(NamedTuple):
    """`rules`: (BEGIN, END, line or range; its pattern or two of them; its statement, None for `print`)."""

    rules: list[tuple[str, Any, Any]]
    functions: dict[str, tuple[list[str], Any]]


def unescaped(text: str) -> str:
    """What the escapes of a string stand for."""
    def one(found: re.Match[str]) -> str:
        if found[1][0] in "01234567":
            return chr(int(found[1], 8))
        return "" if found[1] == "\n" else _ESCAPES.get(found[1], found[0])

    return _ESCAPE.sub(one, text)


def _tokens(source: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while True:
        at = _SPACE.match(source, at).end()  # type: ignore[union-attr]
        if at >= len(source):
            return [*found, ("end", "")]
        if source[at] == "/" and _regex_next(found):
            end, in_class = at + 1, False
            while end < len(source) and (source[end] != "/" or in_class) and source[end] != "\n":
                in_class = source[end] == "[" or (in_class and source[end] != "]")
                end += 2 if source[end] == "\\" else 1
            if end >= len(source):
                raise AwkError("unterminated regexp")
            found.append(("regex", source[at + 1:end].replace("\\/", "/")))
            at = end + 1
            continue
        token = _TOKEN.match(source, at)
        if token is None or len(found) > TOKENS_MOST:
            raise AwkError("unterminated string" if source[at] == '"' else "syntax error")
        kind = str(token.lastgroup)
        text = token[kind]
        found.append(("word" if text in _WORDS else kind, {"**": "^", "**=": "^="}.get(text, text)))
        at = token.end()


def _regex_next(found: list[tuple[str, str]]) -> bool:
    """Whether a slash begins a regular expression: no value stands before it that could be divided."""
    if not found:
        return True
    kind, text = found[-1]
    return kind == "word" or (kind == "op" and text not in {")", "]", "$", "++", "--"})


class _Parser:
    def __init__(self, source: str) -> None:
        self.tokens, self.at = _tokens(source[:TEXT_MOST]), 0
        self.depth = 0

    # Tokens.

    def peek(self) -> str:
        kind, text = self.tokens[self.at]
        return text if kind in {"op", "word"} else ""

    def take(self, *texts: str) -> bool:
        if self.peek() in texts and self.tokens[self.at][0] != "end":
            self.at += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.take(text):
            raise AwkError("syntax error" + ("" if self.tokens[self.at][0] != "end" else " at end of program"))

    def name(self) -> str:
        kind, text = self.tokens[self.at]
        if kind != "name":
            raise AwkError("syntax error")
        self.at += 1
        return text

    def lines(self) -> None:
        while self.take("\n"):
            pass

    def breaks(self) -> None:
        while self.take("\n", ";"):
            pass

    # Rules and statements.

    def program(self) -> Program:
        rules: list[tuple[str, Any, Any]] = []
        functions: dict[str, tuple[list[str], Any]] = {}
        self.breaks()
        while self.tokens[self.at][0] != "end":
            if self.take("function", "func"):
                self._function(functions)
            else:
                rules.append(self._rule())
            self.breaks()
        return Program(rules, functions)

    def _function(self, functions: dict[str, tuple[list[str], Any]]) -> None:
        name = self.name()
        self.need("(")
        params: list[str] = []
        while not self.take(")"):
            params.append(self.name())
            self.take(",")
            self.lines()
        self.lines()
        functions[name] = (params, self.block())

    def _rule(self) -> tuple[str, Any, Any]:
        kind, pattern = "line", None
        if self.peek() in {"BEGIN", "END"}:
            kind = self.peek()
            self.at += 1
        elif self.peek() != "{":
            pattern = self.expression()
            if self.take(","):
                self.lines()
                kind, pattern = "range", (pattern, self.expression())
        return kind, pattern, self.block() if self.peek() == "{" else None

    def block(self) -> Any:
        self.need("{")
        found = []
        self.breaks()
        while not self.take("}"):
            found.append(self.statement())
            self.breaks()
        return "block", found

    def _ends(self) -> None:
        """A simple statement is over."""
        if self.peek() != "}" and self.tokens[self.at][0] != "end" and not self.take(";", "\n"):
            raise AwkError("syntax error")

    def statement(self) -> Any:
        self.depth += 1
        if self.depth > 50:
            raise AwkError("nested too deeply")
        try:
            return self._statement()
        finally:
            self.depth -= 1

    def _statement(self) -> Any:
        if self.peek() == "{":
            return self.block()
        if self.take(";"):
            return "block", []
        if self.take("if"):
            return self._if()
        if self.take("while"):
            test = self._bracketed()
            return "while", test, ("block", []) if self.take(";") else self._body()
        if self.take("do"):
            body = self._body()
            self.breaks()
            self.need("while")
            return "do", body, self._bracketed()
        if self.take("for"):
            return self._for()
        made = self._simple()
        self._ends()
        return made

    def _body(self) -> Any:
        self.lines()
        return self.statement()

    def _bracketed(self) -> Any:
        self.need("(")
        made = self.expression()
        self.need(")")
        return made

    def _if(self) -> Any:
        test = self._bracketed()
        yes, back = self._body(), self.at
        self.breaks()
        if self.take("else"):
            return "if", test, yes, self._body()
        self.at = back
        return "if", test, yes, None

    def _for(self) -> Any:
        self.need("(")
        ahead = self.tokens[self.at:self.at + 4]
        if [each[1] for each in ahead[1::2]] == ["in", ")"] and ahead[0][0] == ahead[2][0] == "name":
            self.at += 4
            return "forin", ahead[0][1], ahead[2][1], self._body()
        first = None if self.peek() == ";" else self._simple()
        self.need(";")
        self.lines()
        test = None if self.peek() == ";" else self.expression()
        self.need(";")
        self.lines()
        change = None if self.peek() == ")" else self._simple()
        self.need(")")
        return "for", first, test, change, ("block", []) if self.take(";") else self._body()

    def _simple(self) -> Any:
        for word in ("break", "continue", "next", "nextfile"):
            if self.take(word):
                return (word,)
        for word in ("exit", "return"):
            if self.take(word):
                return word, None if self.peek() in {";", "\n", "}"} or self.tokens[self.at][0] == "end" else self.expression()
        if self.take("print", "printf"):
            return self._print(self.tokens[self.at - 1][1])
        if self.take("delete"):
            name = self.name()
            return "delete", name, self._subscripts() if self.take("[") else None
        return "expression", self.expression()

    def _print(self, word: str) -> Any:
        values: list[Any] = []
        if self.peek() not in {";", "\n", "}", ">", ">>", "|"} and self.tokens[self.at][0] != "end":
            values.append(self.expression(True))
            while self.take(","):
                self.lines()
                values.append(self.expression(True))
        if len(values) == 1 and values[0][0] == "list":
            values = values[0][1]
        if self.take(">", ">>", "|"):
            return word, values, self.tokens[self.at - 1][1], self._joined(True)
        return word, values, "", None

    # Expressions. `plain`: > is no comparison there, as in what is printed.

    def expression(self, plain: bool = False) -> Any:
        self.depth += 1
        if self.depth > 50:
            raise AwkError("nested too deeply")
        made = self._choice(plain)
        if made[0] in {"var", "element", "field"} and self.take(*_ASSIGNMENTS):
            op = self.tokens[self.at - 1][1]
            self.lines()
            made = "assign", op[:-1], made, self.expression(plain)
        self.depth -= 1
        return made

    def _choice(self, plain: bool) -> Any:
        made = self._either(plain)
        if self.take("?"):
            self.lines()
            yes = self.expression(plain)
            self.lines()
            self.need(":")
            self.lines()
            return "choice", made, yes, self.expression(plain)
        return made

    def _either(self, plain: bool) -> Any:
        made = self._both(plain)
        while self.take("||"):
            self.lines()
            made = "or", made, self._assigned(self._both(plain), plain)
        return made

    def _both(self, plain: bool) -> Any:
        made = self._member(plain)
        while self.take("&&"):
            self.lines()
            made = "and", made, self._assigned(self._member(plain), plain)
        return made

    def _assigned(self, made: Any, plain: bool) -> Any:
        """`a && b = c`: what stands on the right may be set."""
        if made[0] in {"var", "element", "field"} and self.take(*_ASSIGNMENTS):
            return "assign", self.tokens[self.at - 1][1][:-1], made, self.expression(plain)
        return made

    def _member(self, plain: bool) -> Any:
        made = self._matched(plain)
        while self.take("in"):
            made = "in", [made], self.name()
        return made

    def _matched(self, plain: bool) -> Any:
        made = self._compared(plain)
        while self.take("~", "!~"):
            op = self.tokens[self.at - 1][1]
            made = "match", op == "!~", made, self._compared(plain)
        return made

    def _compared(self, plain: bool) -> Any:
        made = self._joined(plain)
        while self.peek() == "|" and self.tokens[self.at + 1] == ("word", "getline"):
            self.at += 2
            made = "getline", "|", made, self._place()
        if self.peek() in _COMPARISONS and not (plain and self.peek() == ">"):
            op = self.peek()
            self.at += 1
            made = "compare", op, made, self._joined(plain)
        return made

    def _joined(self, plain: bool) -> Any:
        made = self._sum(plain)
        while self._begins():
            made = "join", made, self._sum(plain)
        return made

    def _begins(self) -> bool:
        kind, text = self.tokens[self.at]
        return kind in {"number", "string", "name", "regex"} or (kind == "op" and text in {"$", "(", "++", "--", "!"})

    def _sum(self, plain: bool) -> Any:
        made = self._product(plain)
        while self.take("+", "-"):
            made = "binary", self.tokens[self.at - 1][1], made, self._product(plain)
        return made

    def _product(self, plain: bool) -> Any:
        made = self._signed(plain)
        while self.take("*", "/", "%"):
            made = "binary", self.tokens[self.at - 1][1], made, self._signed(plain)
        return made

    def _signed(self, plain: bool) -> Any:
        if self.peek() in {"!", "-", "+"}:
            op, depth = self.peek(), self.at
            self.at += 1
            self.depth += 1
            if self.depth > 50 or depth > TOKENS_MOST:
                raise AwkError("nested too deeply")
            made = {"!": "not", "-": "minus", "+": "plus"}[op], self._signed(plain)
            self.depth -= 1
            return made
        return self._power(plain)

    def _power(self, plain: bool) -> Any:
        made = self._stepped()
        if self.take("^"):
            made = "binary", "^", made, self._signed(plain)
        return made

    def _stepped(self) -> Any:
        if self.take("++", "--"):
            change = 1 if self.tokens[self.at - 1][1] == "++" else -1
            return "before", change, self._place(True)
        made = self._primary()
        if made[0] in {"var", "element", "field"} and self.take("++", "--"):
            return "after", 1 if self.tokens[self.at - 1][1] == "++" else -1, made
        return made

    def _place(self, needed: bool = False) -> Any:
        """A variable, an element or a field that is to be set."""
        if self.tokens[self.at][0] == "name" or self.peek() == "$":
            return self._primary()
        if needed:
            raise AwkError("syntax error")
        return None

    def _primary(self) -> Any:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return "value", float(int(text, 16)) if text[:2] in {"0x", "0X"} else float(text)
        if kind == "string":
            return "value", unescaped(text[1:-1])
        if kind == "regex":
            return "regex", text
        if kind == "op" and text == "$":
            return "field", self._stepped() if self.peek() in {"++", "--"} else self._primary()
        if kind == "op" and text in {"-", "+"}:  # $-1 and the like are told when they are run
            return "minus" if text == "-" else "plus", self._primary()
        if kind == "op" and text == "(":
            return self._group()
        if kind == "word" and text == "getline":
            place = self._place()
            return ("getline", "<", self._primary(), place) if self.take("<") else ("getline", "", None, place)
        if kind != "name":
            raise AwkError("syntax error" + (" at end of program" if kind == "end" else ""))
        if text in FUNCTIONS:
            return "call", text, self._arguments() if self.take("(") else []
        if self.take("("):
            return "user", text, self._arguments()
        return ("element", text, self._subscripts()) if self.take("[") else ("var", text)

    def _group(self) -> Any:
        values = [self.expression()]
        while self.take(","):
            self.lines()
            values.append(self.expression())
        self.need(")")
        if len(values) == 1:
            return "group", values[0]
        return ("in", values, self.name()) if self.take("in") else ("list", values)

    def _arguments(self) -> list[Any]:
        found: list[Any] = []
        self.lines()
        while not self.take(")"):
            found.append(self.expression())
            self.lines()
            if self.peek() != ")":
                self.need(",")
                self.lines()
        return found

    def _subscripts(self) -> list[Any]:
        found = [self.expression()]
        while self.take(","):
            found.append(self.expression())
        self.need("]")
        return found


def parsed(source: str) -> Program:
    """A program as rules and functions; raises AwkError."""
    return _Parser(source).program()
