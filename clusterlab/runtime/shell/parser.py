"""Scripts as instructions for the machine: compound commands become jumps.

Follows the grammar of POSIX.1-2017, section 2.10.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from clusterlab.runtime.shell.lexer import LexError, Part, Token, Word, tokens

__all__ = ["Command", "Instruction", "Program", "compile_script", "moved"]


class Redirect(NamedTuple):
    """`op`: >, >>, <, <<, >& or &>. `fd` is what is redirected."""

    op: str
    fd: int
    word: Word


class Command(NamedTuple):
    """A simple command: assignments, words, redirections."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


class Instruction(NamedTuple):
    """`op`: pipe, jump, iffail, ifok, not, for, next, case, define, call end, push, pop, break and so on; `arg` belongs to it."""

    op: str
    arg: Any = None
    target: int = -1


class Program(NamedTuple):
    """A compiled script. `names` are the commands that it may run, as far as their names are plain."""

    code: tuple[Instruction, ...]
    names: frozenset[str]
    writes: bool
    error: str = ""


_ENDS = frozenset(("then", "do", "done", "fi", "elif", "else", "esac", "}"))
DEPTH = 60


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.at = 0
        self.code: list[Instruction] = []
        self.names: set[str] = set()
        self.writes = False
        self.depth = 0

    # Looking.

    def _peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _reserved(self) -> str:
        """The word that comes next, if it is a plain one."""
        token = self._peek()
        if token is None or token.kind != "word" or len(token.word) != 1:
            return ""
        part = token.word[0]
        return part.text if part.kind == "text" and not part.quoted else ""

    def _is(self, text: str) -> bool:
        token = self._peek()
        return token is not None and token.kind in {"op", "newline"} and token.text == text

    def _expect(self, word: str) -> None:
        if self._reserved() != word:
            token = self._peek()
            what = f'"{self._reserved() or token.text}"' if token is not None else "end of file"
            raise LexError(f'syntax error: unexpected {what} (expecting "{word}")')
        self.at += 1

    def _newlines(self) -> None:
        while self._is("\n"):
            self.at += 1

    def _emit(self, op: str, arg: Any = None, target: int = -1) -> int:
        self.code.append(Instruction(op, arg, target))
        return len(self.code) - 1

    def _land(self, number: int) -> None:
        """A jump made earlier leads here."""
        self.code[number] = self.code[number]._replace(target=len(self.code))

    # Grammar.

    def script(self) -> Program:
        self.list(())
        if self._peek() is not None:
            token = self._peek()
            raise LexError(f'syntax error: unexpected "{self._reserved() or (token.text if token else "")}"')
        return Program(tuple(self.code), frozenset(self.names), self.writes)

    def list(self, ends: tuple[str, ...]) -> None:
        self.depth += 1
        if self.depth > DEPTH:
            raise LexError("syntax error: nested too deeply")
        while True:
            while self._is("\n") or self._is(";"):
                self.at += 1
            token = self._peek()
            if token is None or self._is(")") or self._is(";;") or self._reserved() in _ENDS:
                break
            start = len(self.code)
            self.and_or()
            if self._is("&"):
                self.at += 1
                body = self.code[start:]
                del self.code[start:]
                self._emit("background", tuple(moved(each, -start) for each in body))
            elif not (self._is(";") or self._is("\n")):
                token = self._peek()
                if token is not None and not (self._is(")") or self._is(";;") or self._reserved() in _ENDS):
                    raise LexError(f'syntax error: unexpected "{token.text or self._reserved() or "word"}"')
        self.depth -= 1

    def and_or(self) -> None:
        self.pipeline()
        while self._is("&&") or self._is("||"):
            op = "iffail" if self._is("&&") else "ifok"
            self.at += 1
            self._newlines()
            jump = self._emit(op)
            self.pipeline()
            self._land(jump)

    def pipeline(self) -> None:
        negated = self._reserved() == "!"
        if negated:
            self.at += 1
        start = len(self.code)
        self.command()
        if self._is("|"):
            stages = [tuple(moved(each, -start) for each in self.code[start:])]
            del self.code[start:]
            while self._is("|"):
                self.at += 1
                self._newlines()
                self.command()
                stages.append(tuple(moved(each, -start) for each in self.code[start:]))
                del self.code[start:]
            self._emit("pipeline", tuple(stages))
        if negated:
            self._emit("not")

    def command(self) -> None:
        word = self._reserved()
        compound = {
            "if": self.if_, "while": self.while_, "until": self.while_, "for": self.for_, "case": self.case, "{": self.braces,
        }.get(word)
        if compound is None and self._is("("):
            compound = self.subshell
        token = self._peek()
        if token is not None and token.kind == "arith":
            self.at += 1
            self._arith(token.text)
            return
        if word == "function" and compound is None and self.at + 1 < len(self.tokens):
            self.at += 2
            self.function(_plain(self.tokens[self.at - 1].word))
            return
        if compound is None:
            self.simple()
            return
        start = len(self.code)
        compound()
        redirects = self.redirects()
        if redirects:
            body = [moved(each, 1) for each in self.code[start:]]
            self.code[start:] = [Instruction("redirect", redirects), *body, Instruction("unredirect")]

    def _arith(self, text: str) -> None:
        """((text)): true where it is not zero."""
        names = tuple((Part("text", each),) for each in ("-ne", "0", "]"))
        self._emit("run", Command((), ((Part("text", "["),), (Part("arithmetic", text, True),), *names), ()))
        self.names.add("[")

    def redirects(self) -> tuple[Redirect, ...]:
        found = []
        while (token := self._peek()) is not None and token.kind == "redirect":
            found.append(self._redirect(token))
            self.at += 1
        return tuple(found)

    def _redirect(self, token: Token) -> Redirect:
        fd = token.fd if token.fd >= 0 else (0 if token.text in {"<", "<<", "<&"} else 1)
        if token.text in {">", ">>", "&>", "&>>", ">|"} and _plain(token.word) != "/dev/null":
            self.writes = True
        return Redirect(token.text, fd, token.word)

    def simple(self) -> None:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while (token := self._peek()) is not None:
            if token.kind == "redirect":
                redirects.append(self._redirect(token))
            elif token.kind == "word":
                assignment = _assignment(token.word) if not words else None
                if assignment is not None:
                    assignments.append(assignment)
                else:
                    words.append(token.word)
            elif token.text == "(" and len(words) == 1 and not assignments:
                self.function(_plain(words[0]))
                return
            else:
                break
            self.at += 1
        if not assignments and not words and not redirects:
            token = self._peek()
            shown = "end of file" if token is None else "newline" if token.text == "\n" else f'"{token.text}"'
            raise LexError(f"syntax error: unexpected {shown}")
        if words:
            self.names.add(_plain(words[0]))
            if _plain(words[0]) in {"exec", "command", "time", "nohup", "eval", "timeout", "sudo"}:
                self.names.update(_plain(word) for word in words[1:3])
        for word in (*words, *(value for _, value in assignments)):
            for part in word:
                if part.kind in {"command", "process"}:
                    self.names.update(compile_script(part.text).names)
        self._emit("run", Command(tuple(assignments), tuple(words), tuple(redirects)))

    def function(self, name: str) -> None:
        if self._is("("):
            self.at += 1
            if not self._is(")"):
                raise LexError('syntax error: bad function definition')
            self.at += 1
        self._newlines()
        define = self._emit("define", name)
        self.command()
        self._emit("return")
        self._land(define)

    def if_(self) -> None:
        self.at += 1
        ends = []
        while True:
            self.list(("then",))
            self._expect("then")
            skip = self._emit("iffail")
            self.list(("fi", "elif", "else"))
            ends.append(self._emit("jump"))
            self._land(skip)
            word = self._reserved()
            if word == "elif":
                self.at += 1
                continue
            self._emit("ok")
            if word == "else":
                self.at += 1
                self.list(("fi",))
            break
        self._expect("fi")
        for each in ends:
            self._land(each)

    def while_(self) -> None:
        until = self._reserved() == "until"
        self.at += 1
        enter = self._emit("loop")
        head = len(self.code)
        self.list(("do",))
        self._expect("do")
        leave = self._emit("ifok" if until else "iffail")
        self._rest_of_loop(head, leave, enter)

    def _rest_of_loop(self, head: int, leave: int, enter: int) -> None:
        """The body up to `done`, the way back to `head`, and where `leave` and `enter` lead."""
        self.list(("done",))
        self._expect("done")
        self._emit("again", None, head)
        self._land(leave)
        self._emit("ok")
        self._land(enter)
        self._emit("leave")

    def for_(self) -> None:
        self.at += 1
        token = self._peek()
        if token is not None and token.kind == "arith":
            self._for_arith(token.text)
            return
        name = self._reserved()
        self.at += 1
        self._newlines()
        words: tuple[Word, ...] = ((Part("var", "@", True),),)
        if self._reserved() == "in":
            self.at += 1
            found = []
            while (token := self._peek()) is not None and token.kind == "word":
                found.append(token.word)
                self.at += 1
            words = tuple(found)
        while self._is(";") or self._is("\n"):
            self.at += 1
        self._expect("do")
        enter = self._emit("for", (name, words))
        head = self._emit("next", name)
        self.list(("done",))
        self._expect("done")
        self._emit("again", None, head)
        self._land(enter)
        self._land(head)
        self._emit("leave")

    def _for_arith(self, text: str) -> None:
        """for ((start; condition; step)): a loop whose step comes first from its second round on."""
        parts = [each.strip() for each in text.split(";")]
        if len(parts) != 3:
            raise LexError("syntax error: bad for loop")
        self.at += 1
        while self._is(";") or self._is("\n"):
            self.at += 1
        self._expect("do")
        self._arith(parts[0] or "1")
        enter = self._emit("loop")
        skip = self._emit("jump")
        head = len(self.code)
        self._arith(parts[2] or "1")
        self._land(skip)
        self._arith(parts[1] or "1")
        leave = self._emit("iffail")
        self._rest_of_loop(head, leave, enter)

    def case(self) -> None:
        self.at += 1
        token = self._peek()
        subject = token.word if token is not None else ()
        self.at += 1
        self._newlines()
        self._expect("in")
        self._newlines()
        ends = []
        while self._reserved() != "esac" and self._peek() is not None:
            if self._is("("):
                self.at += 1
            patterns = []
            while (token := self._peek()) is not None and not self._is(")"):
                if token.kind == "word":
                    patterns.append(token.word)
                self.at += 1
            self.at += 1
            skip = self._emit("case", (subject, tuple(patterns)))
            self.list((";;", "esac"))
            ends.append(self._emit("jump"))
            self._land(skip)
            if self._is(";;"):
                self.at += 1
            self._newlines()
        self._expect("esac")
        for each in ends:
            self._land(each)

    def braces(self) -> None:
        self.at += 1
        self.list(("}",))
        self._expect("}")

    def subshell(self) -> None:
        self.at += 1
        start = len(self.code)
        self.list((")",))
        if not self._is(")"):
            raise LexError('syntax error: unexpected end of file (expecting ")")')
        self.at += 1
        body = [moved(each, 1) for each in self.code[start:]]
        self.code[start:] = [Instruction("subshell", None, start + len(body) + 1), *body, Instruction("unsubshell")]


def moved(instruction: Instruction, by: int) -> Instruction:
    """The instruction where the code around it lies elsewhere."""
    return instruction._replace(target=instruction.target + by) if instruction.target >= 0 else instruction


def _plain(word: Word) -> str:
    return word[0].text if len(word) == 1 and word[0].kind == "text" else ""


def _assignment(word: Word) -> tuple[str, Word] | None:
    if not word or word[0].kind != "text" or word[0].quoted or "=" not in word[0].text:
        return None
    name, _, rest = word[0].text.partition("=")
    name, more = (name[:-1], "+") if name.endswith("+") else (name, "")
    base, bracket, index = name.partition("[")
    if bracket and index.endswith("]") and base.isidentifier() and len(index) > 1:
        return name + more, (Part("text", rest), *word[1:]) if rest else word[1:]
    if not name or not (name[0].isalpha() or name[0] == "_") or not all(char.isalnum() or char == "_" for char in name):
        return None
    return name + more, (Part("text", rest), *word[1:]) if rest else word[1:]


@lru_cache(maxsize=512)
def compile_script(source: str) -> Program:
    """A script as a program; one that cannot be read has only its error."""
    try:
        return _Parser(tokens(source)).script()
    except LexError as error:
        return Program((), frozenset(), False, str(error))
    except RecursionError:
        return Program((), frozenset(), False, "syntax error: nested too deeply")
