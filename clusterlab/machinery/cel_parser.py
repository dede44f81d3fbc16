"""CEL read into a tree, each node with the place that cel-go names in its messages.

Follows the grammar of cel-go (parser/gen/CEL.g4) with optional fields (`a.?b`, `a[?b]`), and the words of its syntax errors.
A node is a tuple (kind, place, …), place an offset into the text:
("literal", at, type), ("ident", at, name), ("select", at, of, name, optional), ("index", at, of, key), ("list", at, items),
("map", at, [(key, value), …]), ("struct", at, [values]), ("call", at, name, args), ("member", at, of, name, args),
("unary", at, operator, of), ("binary", at, operator, left, right), ("if", at, condition, yes, no).
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["SyntaxProblem", "parse"]

Node = tuple[Any, ...]

_TOKEN = re.compile(
    r"""\s+|//[^\n]*"""
    r"""|(?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))"""
    r"""|(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|(?P<uint>(?:0x[0-9a-fA-F]+|\d+)[uU])"""
    r"""|(?P<int>0x[0-9a-fA-F]+|\d+)|(?P<name>[A-Za-z_]\w*)|(?P<quoted>`[^`\n]+`)"""
    r"""|(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""", re.S
)
_EXPECTED = "'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
_BINARY = ({"||"}, {"&&"}, {"<", "<=", ">", ">=", "==", "!=", "in"}, {"+", "-"}, {"*", "/", "%"})
_LITERALS = {"true": "bool", "false": "bool", "null": "null"}
_DEPTH_MOST = 60


class SyntaxProblem(ValueError):
    """A text that is no expression: (offset, message) of each problem."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        super().__init__(problems[0][1])
        self.problems = problems


def parse(text: str) -> Node:
    """The tree of an expression; raises SyntaxProblem."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        self.bad: list[tuple[int, str]] = []
        self.depth = 0
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                at = self._unknown(text, at)
                continue
            if found.lastgroup:
                self.tokens.append((found.lastgroup, found.group(), at))
            at = found.end()
        self.tokens.append(("end", "<EOF>", len(text)))
        self.next = 0

    def _unknown(self, text: str, at: int) -> int:
        end = len(text) if text[at] in "'\"" else min(len(text), at + (2 if text[at] in "=&|" else 1))
        self.bad.append((at, f"token recognition error at: '{text[at:end]}'"))
        return end

    # Tokens.

    def peek(self) -> str:
        kind, text, _ = self.tokens[self.next]
        return text if kind in ("mark", "end", "name") else ""

    def take(self) -> tuple[str, str, int]:
        token = self.tokens[self.next]
        self.next += 1
        return token

    def fail(self, message: str, at: int | None = None) -> SyntaxProblem:
        return SyntaxProblem([*self.bad, (self.tokens[self.next][2] if at is None else at, message)])

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            kind, text, _ = self.tokens[self.next]
            raise self.fail(f"missing '{mark}' at '{text}'" if kind == "end" else f"mismatched input '{text}' expecting '{mark}'")
        self.next += 1

    # Grammar.

    def whole(self) -> Node:
        node = self.expression()
        kind, text, _ = self.tokens[self.next]
        if kind != "end":
            last = self.tokens[self.next + 1][0] == "end"
            raise self.fail(f"{'extraneous' if last else 'mismatched'} input '{text}' expecting <EOF>")
        if self.bad:
            raise SyntaxProblem(self.bad)
        return node

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > _DEPTH_MOST:
            raise self.fail("expression recursion limit exceeded")
        node = self.binary(0)
        if self.peek() == "?":
            at = self.take()[2]
            yes = self.binary(0)
            self.expect(":")
            node = ("if", at, node, yes, self.expression())
        self.depth -= 1
        return node

    def binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self.unary()
        node = self.binary(level + 1)
        while self.peek() in _BINARY[level]:
            _, operator, at = self.take()
            node = ("binary", at, operator, node, self.binary(level + 1))
        return node

    def unary(self) -> Node:
        if self.peek() not in ("!", "-"):
            return self.member()
        _, operator, at = self.take()
        self.depth += 1
        if self.depth > _DEPTH_MOST:
            raise self.fail("expression recursion limit exceeded")
        node = ("unary", at, operator, self.unary())
        self.depth -= 1
        return node

    def member(self) -> Node:
        node = self.primary()
        while self.peek() in (".", "["):
            _, mark, at = self.take()
            if mark == "[":
                if self.peek() == "?":
                    self.next += 1
                key = self.expression()
                self.expect("]")
                node = ("index", at, node, key)
                continue
            optional = self.peek() == "?"
            self.next += optional
            kind, name, place = self.take()
            if kind not in ("name", "quoted"):
                self.next -= 1
                what = f"no viable alternative at input '.{name}'" if kind == "mark" else f"mismatched input '{name}' expecting IDENTIFIER"
                raise self.fail(what, place)
            if self.peek() == "(" and not optional:
                at = self.take()[2]
                node = ("member", at, node, name, self.arguments(")"))
            else:
                node = ("select", at, node, name.strip("`"), optional)
        return node

    def arguments(self, end: str) -> list[Node]:
        found: list[Node] = []
        while self.peek() != end:
            if end == "]" and self.peek() == "?":
                self.next += 1
            found.append(self.expression())
            if self.peek() != ",":
                break
            self.next += 1
        self.expect(end)
        return found

    def primary(self) -> Node:
        kind, text, at = self.take()
        if kind in ("int", "uint"):
            return ("literal", at, kind)
        if kind == "float":
            return ("literal", at, "double")
        if kind == "string":
            return ("literal", at, "bytes" if "b" in re.split("['\"]", text)[0].lower() else "string", text)
        if kind == "name" and text in _LITERALS:
            return ("literal", at, _LITERALS[text])
        if text == "(":
            node = self.expression()
            self.expect(")")
            return node
        if text == "[":
            return ("list", at, self.arguments("]"))
        if text == "{":
            return ("map", at, self.entries())
        if text == "." and self.tokens[self.next][0] == "name":
            _, text, _ = self.take()
            kind = "name"
        if kind != "name" or text == "in":
            self.next -= 1
            expecting = "{" + _EXPECTED
            verb = "mismatched input" if kind == "end" else "extraneous input"
            if kind == "end" and self.next and self.tokens[self.next - 1][1] in ("(", "["):
                expecting = "{" + _EXPECTED.replace("'(', ", "'(', ')', ", 1) if self.tokens[self.next - 1][1] == "(" else expecting
            raise self.fail(f"{verb} '{text}' expecting {expecting}")
        if self.peek() == "(":
            return ("call", self.take()[2], text, self.arguments(")"))
        if self.peek() == "{":
            return ("struct", self.take()[2], [value for _, value in self.entries()])
        return self.dotted_struct(("ident", at, text))

    def dotted_struct(self, node: Node) -> Node:
        """A message type like `Object.spec{…}`, or the name that it began with."""
        ahead = self.next
        while self.tokens[ahead][1] == "." and self.tokens[ahead + 1][0] == "name":
            ahead += 2
        if self.tokens[ahead][1] != "{" or ahead == self.next:
            return node
        self.next = ahead
        return ("struct", self.take()[2], [value for _, value in self.entries()])

    def entries(self) -> list[tuple[Node, Node]]:
        found = []
        while self.peek() != "}":
            if self.peek() == "?":
                self.next += 1
            if self.tokens[self.next][0] == "quoted":
                self.take()
                key: Node = ("literal", 0, "string")
            else:
                key = self.expression()
            self.expect(":")
            found.append((key, self.expression()))
            if self.peek() != ",":
                break
            self.next += 1
        self.expect("}")
        return found
