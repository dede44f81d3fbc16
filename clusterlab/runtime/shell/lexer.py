"""Scripts as tokens: words with their expansions, operators, redirections, here-documents.

Follows the Shell Command Language of POSIX.1-2017, sections 2.2 (quoting), 2.3 (token recognition) and 2.6 (expansions).
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["LexError", "Part", "Token", "Word", "tokens"]


class LexError(ValueError):
    """A script that cannot be read. The message is busybox's."""


class Part(NamedTuple):
    """A piece of a word. `kind`: text, var, command, process (bash's `<(…)`), arithmetic or array. `op` and `arg` belong to
    ${name op arg}, `subscript` to ${name[subscript]}."""

    kind: str
    text: str
    quoted: bool = False
    op: str = ""
    arg: str = ""
    subscript: str = ""


Word = tuple[Part, ...]


class Token(NamedTuple):
    """`kind`: word, op, redirect or newline. For a redirect, `text` is the operator and `fd` what it redirects."""

    kind: str
    text: str = ""
    word: Word = ()
    fd: int = -1


_OPERATORS = ("&&", "||", ";;", "&", "|", ";", "(", ")", "\n")
_REDIRECTS = ("<<<", "<<-", "<<", "&>>", "&>", ">>", ">&", ">|", "<&", ">", "<")
_NAME_FIRST = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME = _NAME_FIRST | set("0123456789")
_SPECIAL = set("?$#@*!-0123456789")
_ARRAY = re.compile(r"[A-Za-z_]\w*\+?=")
LONGEST = 200_000
_BEFORE_COMMANDS = frozenset(("if", "elif", "while", "until", "then", "else", "do", "!", "{", "for"))


_ANSI = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ANSI_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}


def _ansi(text: str) -> str:
    """What stands in $'…'."""
    return re.sub(r"\\(.)", lambda found: _ANSI_ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL)


class _Reader:
    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise LexError("script too long")
        self.source = source
        self.at = 0
        self.found: list[Token] = []
        self.documents: list[tuple[int, str, bool, bool]] = []  # token number, end, quoted, tabs stripped

    def run(self) -> list[Token]:
        source = self.source
        while self.at < len(source):
            char = source[self.at]
            if char in " \t\r":
                self.at += 1
            elif source.startswith("\\\n", self.at):
                self.at += 2
            elif char == "#":
                end = source.find("\n", self.at)
                self.at = len(source) if end < 0 else end
            elif source.startswith("((", self.at) and self._command_next():
                end = self._closing(self.at + 2, "((", "))")
                self.found.append(Token("arith", source[self.at + 2:end]))
                self.at = end + 2
            elif self._command_next() and source.startswith("[[", self.at) and source[self.at + 2:self.at + 3].isspace():
                self._condition()
            elif not self._redirect() and not self._operator():
                self.found.append(Token("word", "", self._word()))
        if self.documents:
            self._here()
        return self.found

    def _command_next(self) -> bool:
        """Whether a command may begin here."""
        if not self.found or self.found[-1].kind in {"op", "newline"}:
            return True
        word = self.found[-1].word
        return len(word) == 1 and word[0].kind == "text" and word[0].text in _BEFORE_COMMANDS

    def _condition(self) -> None:
        """[[ … ]]: operators are words there, and nothing is split."""
        while self.at < len(self.source):
            char = self.source[self.at]
            if char in " \t\r\n":
                self.at += 1
                continue
            if self.found and self.found[-1].word == (Part("text", "=~", True),):
                self.found.append(Token("word", "", self._pattern()))
                continue
            for each in ("&&", "||", "(", ")", "<", ">"):
                if self.source.startswith(each, self.at):
                    self.at += len(each)
                    self.found.append(Token("word", "", (Part("text", each, True),)))
                    break
            else:
                word = self._word()
                if not word:
                    raise LexError("syntax error in conditional expression")
                ends = len(word) == 1 and word[0] == Part("text", "]]")
                self.found.append(Token("word", "", word if ends else tuple(part._replace(quoted=True) for part in word)))
                if ends:
                    return
        raise LexError("syntax error: unexpected end of file (expecting \"]]\")")

    def _pattern(self) -> Word:
        """What comes after =~: a regular expression up to the next blank, in which parentheses and bars are its own."""
        parts: list[Part] = []
        while self.at < len(self.source) and self.source[self.at] not in " \t\r\n":
            if self.source[self.at] in "()|&;<>":
                parts.append(Part("text", self.source[self.at], True))
                self.at += 1
            else:
                parts += [part._replace(quoted=True) for part in self._word()]
        return tuple(parts)

    def _operator(self) -> bool:
        if self.source.startswith("|&", self.at):  # bash's short form
            self.at += 2
            self.found += [Token("redirect", ">&", (Part("text", "1"),), 2), Token("op", "|")]
            return True
        for each in _OPERATORS:
            if self.source.startswith(each, self.at):
                self.at += len(each)
                self.found.append(Token("newline" if each == "\n" else "op", each))
                if each == "\n" and self.documents:
                    self._here()
                return True
        return False

    def _redirect(self) -> bool:
        at, fd = self.at, -1
        if self.source.startswith("<(", at):
            return False  # a word: the file that a command writes
        if self.source[at].isdigit() and at + 1 < len(self.source) and self.source[at + 1] in "<>":
            fd, at = int(self.source[at]), at + 1
        for each in _REDIRECTS:
            if self.source.startswith(each, at):
                break
        else:
            return False
        self.at = at + len(each)
        while self.at < len(self.source) and self.source[self.at] in " \t":
            self.at += 1
        start = self.at
        if each == "<" and self.source.startswith("<(", self.at):  # what a command writes
            end = self._closing(self.at + 2, "(", ")")
            inner = self.source[self.at + 2:end]
            self.at = end + 1
            self.found.append(Token("redirect", "<<", (Part("command", inner, True), Part("text", "\n", True)), fd))
            return True
        word = self._word()
        if not word:
            raise LexError("syntax error: unexpected redirection")
        if each == "<<<":
            self.found.append(Token("redirect", "<<", (*word, Part("text", "\n", True)), fd))
            return True
        if each in {"<<", "<<-"}:
            raw = self.source[start:self.at]
            quoted = any(char in raw for char in "'\"\\")
            self.documents.append((len(self.found), raw.strip("'\"").replace("\\", ""), quoted, each == "<<-"))
        self.found.append(Token("redirect", each, word, fd))
        return True

    def _here(self) -> None:
        """The bodies of here-documents begin with the next line."""
        for number, end, quoted, tabs in self.documents:
            lines: list[str] = []
            while self.at < len(self.source):
                stop = self.source.find("\n", self.at)
                stop = len(self.source) if stop < 0 else stop
                line = self.source[self.at:stop]
                self.at = min(len(self.source), stop + 1)
                line = line.lstrip("\t") if tabs else line
                if line == end:
                    break
                lines.append(line)
            text = "".join(line + "\n" for line in lines)
            word: Word = (Part("text", text, True),) if quoted else expand_quoted(text)
            self.found[number] = self.found[number]._replace(text="<<", word=word)
        self.documents = []

    # Words.

    def _word(self) -> Word:
        parts: list[Part] = []
        text = ""
        source = self.source
        while self.at < len(source):
            char = source[self.at]
            if char == "(" and not parts and _ARRAY.fullmatch(text):
                end = self._closing(self.at + 1, "(", ")")
                parts = [Part("text", text), Part("array", source[self.at + 1:end])]
                text, self.at = "", end + 1
                break
            if source.startswith("<(", self.at):
                end = self._closing(self.at + 2, "(", ")")
                parts += [Part("text", text), Part("process", source[self.at + 2:end])]
                text, self.at = "", end + 1
                continue
            if char in " \t\r\n;&|()<>":
                break
            if char == "\\":
                if self.at + 1 < len(source):
                    if source[self.at + 1] != "\n":
                        parts += [Part("text", text), Part("text", source[self.at + 1], True)]
                        text = ""
                self.at += 2
            elif char == "'":
                end = source.find("'", self.at + 1)
                if end < 0:
                    raise LexError("syntax error: unterminated quoted string")
                parts += [Part("text", text), Part("text", source[self.at + 1:end], True)]
                text, self.at = "", end + 1
            elif char == '"':
                parts.append(Part("text", text))
                text = ""
                parts += self._double()
            elif source.startswith("$'", self.at) and (quoted := _ANSI.match(source, self.at)) is not None:
                parts += [Part("text", text), Part("text", _ansi(quoted[1]), True)]
                text, self.at = "", quoted.end()
            elif char in "$`":
                parts.append(Part("text", text))
                text = ""
                parts.append(self._dollar(False))
            else:
                text += char
                self.at += 1
        parts.append(Part("text", text))
        return tuple(part for part in parts if part.kind != "text" or part.text or part.quoted)

    def _double(self) -> list[Part]:
        self.at += 1
        parts, text, source = [Part("text", "", True)], "", self.source
        while True:
            if self.at >= len(source):
                raise LexError("syntax error: unterminated quoted string")
            char = source[self.at]
            if char == '"':
                self.at += 1
                break
            if char == "\\" and self.at + 1 < len(source) and source[self.at + 1] in '$`"\\\n':
                text += "" if source[self.at + 1] == "\n" else source[self.at + 1]
                self.at += 2
            elif char in "$`":
                parts += [Part("text", text, True), self._dollar(True)]
                text = ""
            else:
                text += char
                self.at += 1
        return [*parts, Part("text", text, True)]

    def _dollar(self, quoted: bool) -> Part:
        source = self.source
        if source[self.at] == "`":
            end = source.find("`", self.at + 1)
            if end < 0:
                raise LexError("syntax error: EOF in backquote substitution")
            inner = source[self.at + 1:end].replace("\\`", "`")
            self.at = end + 1
            return Part("command", inner, quoted)
        if source.startswith("$((", self.at):
            end = self._closing(self.at + 3, "((", "))")
            inner, self.at = source[self.at + 3:end], end + 2
            return Part("arithmetic", inner, quoted)
        if source.startswith("$(", self.at):
            end = self._closing(self.at + 2, "(", ")")
            inner, self.at = source[self.at + 2:end], end + 1
            return Part("command", inner, quoted)
        if source.startswith("${", self.at):
            return self._braces(quoted)
        self.at += 1
        if self.at < len(source) and source[self.at] in _NAME_FIRST:
            start = self.at
            while self.at < len(source) and source[self.at] in _NAME:
                self.at += 1
            return Part("var", source[start:self.at], quoted)
        if self.at < len(source) and source[self.at] in _SPECIAL:
            self.at += 1
            return Part("var", source[self.at - 1], quoted)
        return Part("text", "$", quoted)

    def _braces(self, quoted: bool) -> Part:
        end = self._closing(self.at + 2, "{", "}")
        inner, self.at = self.source[self.at + 2:end], end + 1
        if inner.startswith("#") and len(inner) > 1:
            name, index, _ = _indexed(inner[1:])
            return Part("var", name, quoted, "#len", "", index)
        if inner.startswith("!") and len(inner) > 1:
            name, index, _ = _indexed(inner[1:])
            return Part("var", name, quoted, "#keys" if index else "#indirect", "", index)
        length = 0
        while length < len(inner) and inner[length] in _NAME:
            length += 1
        length = length or (1 if inner[:1] in _SPECIAL else 0)
        name, rest, index = inner[:length], inner[length:], ""
        if not name:
            raise LexError("syntax error: bad substitution")
        if rest.startswith("["):
            _, index, rest = _indexed(inner)
        for op in (":-", ":=", ":+", ":?", "%%", "##", "^^", ",,", "-", "=", "+", "?", "%", "#", "/", ":", "^", ","):
            if rest.startswith(op):
                return Part("var", name, quoted, op, rest[len(op):], index)
        if rest:
            raise LexError("syntax error: bad substitution")
        return Part("var", name, quoted, "", "", index)

    def _closing(self, start: int, opening: str, closing: str) -> int:
        """Where what was opened before `start` is closed, quotes minded."""
        depth, at, source = 1, start, self.source
        single = opening[0]
        while at < len(source):
            char = source[at]
            if char == "\\":
                at += 2
                continue
            if char in "'\"":
                end = source.find(char, at + 1)
                if end < 0:
                    break
                at = end + 1
                continue
            if depth == 1 and source.startswith(closing, at):
                return at
            if char == single:
                depth += 1
            elif char == closing[0]:
                depth -= 1
                if depth == 0:
                    return at
            at += 1
        raise LexError(f"syntax error: unexpected end of file (expecting \"{closing}\")")


def _indexed(text: str) -> tuple[str, str, str]:
    """"items[3]-x" as its name, its index and what is left."""
    name, bracket, rest = text.partition("[")
    if not bracket:
        return text, "", ""
    index, closing, after = rest.partition("]")
    if not closing or not index:
        raise LexError("syntax error: bad substitution")
    return name, index, after


def tokens(source: str) -> list[Token]:
    """The tokens of a script."""
    return _Reader(source).run()


def expand_quoted(text: str) -> Word:
    """Text as if it stood in double quotes, where quotes themselves mean nothing: a here-document."""
    reader = _Reader(text.replace('"', '\\"') + '"')
    reader.at = -1
    parts = reader._double()
    return tuple(part for part in parts if part.text or part.kind != "text")
