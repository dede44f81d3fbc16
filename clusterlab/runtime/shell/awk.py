"""awk: patterns, fields, variables and arrays, control flow, functions of one's own, output to files and commands.

Follows POSIX.1-2017, awk. A program runs within a budget of steps; regular expressions are those of `network/patterns.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from clusterlab.runtime.shell.awk_parser import Program, parsed, unescaped
from clusterlab.runtime.shell.awk_places import ELEMENTS_MOST, Places
from clusterlab.runtime.shell.awk_values import (
    FUNCTIONS,
    TEXT_MOST,
    AwkError,
    Given,
    apply,
    compare,
    formatted,
    is_true,
    pattern_of,
    separated,
    to_number,
    to_text,
)

__all__ = ["AwkError", "Outside", "run_program"]

STEPS_MOST, OUTPUT_MOST, DEPTH_MOST, LINES_MOST, COMMANDS_MOST = 100_000, 200_000, 60, 20_000, 20
_SUBSEP = "\x1c"


class Outside(NamedTuple):
    """What a program can reach: files, commands (what they say to an input, and their code), the time as strftime has it, variables."""

    read: Callable[[str], str | None]
    write: Callable[[str, str, bool], str]
    command: Callable[[str, str], tuple[str, int]]
    date: Callable[[str], str]
    environment: dict[str, str]


class _Next(Exception):
    pass


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Exit(Exception):
    pass


class _Maybe(dict[str, Any]):
    """An argument that was never set: it may become an array."""


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Machine(Places):
    """Walks a program's tuples. Each statement is run by `_do_NAME`, each expression worked out by `_of_NAME`."""

    outside: Outside

    def __init__(self, program: Program, variables: dict[str, str], separator: str, outside: Outside) -> None:
        self.program, self.outside = program, outside
        self.vars: dict[str, Any] = {"FS": separator, "OFS": " ", "ORS": "\n", "RS": "\n", "NR": 0.0, "FNR": 0.0, "SUBSEP": _SUBSEP,
                                     "RSTART": 0.0, "RLENGTH": -1.0, "FILENAME": "", "CONVFMT": "%.6g", "OFMT": "%.6g"}
        self.vars.update({name: Given(unescaped(value)) for name, value in variables.items()})
        self.arrays: dict[str, dict[str, Any]] = {"ENVIRON": {name: Given(value) for name, value in outside.environment.items()}}
        self.frames: list[dict[str, Any]] = []  # the parameters of the functions under way: values, or arrays
        self.fields: list[str] = []
        self.line = ""
        self.out: list[str] = []
        self.errors: list[str] = []
        self.left, self.size, self.commands, self.code, self.seed = STEPS_MOST, 0, 0, 0, 0
        self.records: Iterator[tuple[str, int, str]] = iter(())
        self.inside: set[int] = set()  # ranges that have begun
        self.sinks: dict[str, list[str]] = {}  # what commands are given
        self.written: set[str] = set()
        self.sources: dict[str, list[str]] = {}  # what is still to be read of a file or a command

    # Running.

    def run(self, inputs: list[tuple[str, str]]) -> None:
        try:
            try:
                self._all("BEGIN")
                if any(kind != "BEGIN" for kind, _, _ in self.program.rules):
                    self.records = self._read(inputs)
                    while self._advance():
                        try:
                            self._all("line")
                        except _Next:
                            continue
            except _Exit:
                if self.left < 0 or self.size > OUTPUT_MOST:
                    return
            self._all("END")
        except _Exit:
            pass
        finally:
            for command in list(self.sinks):
                self._close(command)

    def _read(self, inputs: list[tuple[str, str]]) -> Iterator[tuple[str, int, str]]:
        count = 0
        for name, text in inputs:
            head, equals, value = name.partition("=")
            if equals and not text and head.isidentifier():  # NAME=VALUE among the files
                self.vars[head] = Given(unescaped(value))
                continue
            for number, record in enumerate(_records(text, to_text(self.vars["RS"])), 1):
                count += 1
                if count > LINES_MOST:
                    return
                yield name, number, record

    def _advance(self) -> bool:
        found = next(self.records, None)
        if found is None:
            return False
        self.vars["FILENAME"], self.vars["FNR"] = found[0], float(found[1])
        self.vars["NR"] = to_number(self.vars["NR"]) + 1
        self.set_line(found[2])
        return True

    def _all(self, wanted: str) -> None:
        for number, (kind, pattern, block) in enumerate(self.program.rules):
            if kind != wanted and not (wanted == "line" and kind == "range"):
                continue
            if kind == "range" and not self._within(number, pattern):
                continue
            if kind == "line" and pattern is not None and not is_true(self.value(pattern)):
                continue
            if block is None:
                self.emit(self.line + to_text(self.vars["ORS"]))
            else:
                self.do(block)

    def _within(self, number: int, ends: tuple[Any, Any]) -> bool:
        if number not in self.inside:
            if not is_true(self.value(ends[0])):
                return False
            self.inside.add(number)
        if is_true(self.value(ends[1])):
            self.inside.discard(number)
        return True

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

    def do(self, statement: Any) -> None:
        self.step()
        getattr(self, f"_do_{statement[0]}")(*statement[1:])

    def _do_block(self, statements: list[Any]) -> None:
        for each in statements:
            self.do(each)

    def _do_expression(self, expression: Any) -> None:
        self.value(expression)

    def _do_if(self, test: Any, yes: Any, no: Any) -> None:
        if is_true(self.value(test)):
            self.do(yes)
        elif no is not None:
            self.do(no)

    def _round(self, body: Any) -> bool:
        """One round of a loop; False where it breaks off."""
        self.step()
        try:
            self.do(body)
        except _Continue:
            pass
        except _Break:
            return False
        return True

    def _do_while(self, test: Any, body: Any) -> None:
        while is_true(self.value(test)) and self._round(body):
            pass

    def _do_do(self, body: Any, test: Any) -> None:
        while self._round(body) and is_true(self.value(test)):
            pass

    def _do_for(self, first: Any, test: Any, change: Any, body: Any) -> None:
        if first is not None:
            self.do(first)
        while (test is None or is_true(self.value(test))) and self._round(body):
            if change is not None:
                self.do(change)

    def _do_forin(self, name: str, array: str, body: Any) -> None:
        for key in list(self.array(array)):
            self.set(("var", name), Given(key))
            if not self._round(body):
                return

    def _do_break(self) -> None:
        raise _Break

    def _do_continue(self) -> None:
        raise _Continue

    def _do_next(self) -> None:
        raise _Next

    def _do_nextfile(self) -> None:
        name = self.vars["FILENAME"]
        for each in self.records:
            if each[0] != name:
                rest = self.records
                self.records = iter((each, *rest))
                break
        raise _Next

    def _do_exit(self, code: Any) -> None:
        self.code = int(to_number(self.value(code))) & 255 if code is not None else self.code
        raise _Exit

    def _do_return(self, value: Any) -> None:
        raise _Return(self.value(value) if value is not None else None)

    def _do_delete(self, name: str, subscripts: Any) -> None:
        if subscripts is None:
            self.array(name).clear()
        else:
            self.array(name).pop(self.key(subscripts), None)

    def _do_print(self, values: list[Any], sink: str, target: Any) -> None:
        text = to_text(self.vars["OFS"]).join(to_text(self.value(each)) for each in values) if values else self.line
        self._put(text + to_text(self.vars["ORS"]), sink, target)

    def _do_printf(self, values: list[Any], sink: str, target: Any) -> None:
        self._put(formatted([self.value(each) for each in values]), sink, target)

    def _put(self, text: str, sink: str, target: Any) -> None:
        name = to_text(self.value(target)) if sink else "/dev/stdout"
        if name in {"/dev/stdout", "-"}:
            self.emit(text)
            return
        self.size += len(text)
        if self.size > OUTPUT_MOST:
            raise _Exit
        if name == "/dev/stderr" or (sink == "|" and name == "cat 1>&2"):
            self.errors.append(text)
        elif sink == "|":
            self.sinks.setdefault(name, []).append(text)
        else:
            problem = self.outside.write(name, text, sink == ">>" or name in self.written)
            self.written.add(name)
            if problem:
                raise AwkError(f"cannot open \"{name}\" for output ({problem})")

    def _close(self, name: str) -> int:
        self.written.discard(name)
        self.sources.pop(name, None)
        given = self.sinks.pop(name, None)
        if given is None:
            return 0
        said, code = self._command(name, "".join(given))
        self.out.append(said)
        return code

    def _command(self, source: str, given: str) -> tuple[str, int]:
        self.commands += 1
        if self.commands > COMMANDS_MOST:
            raise AwkError("too many commands")
        return self.outside.command(source, given)

    # Expressions.

    def value(self, expression: Any) -> Any:
        self.step()
        return getattr(self, f"_of_{expression[0]}")(*expression[1:])

    def _of_value(self, value: Any) -> Any:
        return value

    def _of_group(self, inner: Any) -> Any:
        return self.value(inner)

    def _of_list(self, values: list[Any]) -> Any:
        raise AwkError("syntax error")

    def _of_regex(self, text: str) -> float:
        return float(pattern_of(text).search(self.line[:TEXT_MOST]) is not None)

    def _of_choice(self, test: Any, yes: Any, no: Any) -> Any:
        return self.value(yes if is_true(self.value(test)) else no)

    def _of_or(self, left: Any, right: Any) -> float:
        return float(is_true(self.value(left)) or is_true(self.value(right)))

    def _of_and(self, left: Any, right: Any) -> float:
        return float(is_true(self.value(left)) and is_true(self.value(right)))

    def _of_in(self, subscripts: list[Any], name: str) -> float:
        return float(self.key(subscripts) in self.array(name))

    def _of_match(self, negated: bool, left: Any, right: Any) -> float:
        text = to_text(self.value(left))[:TEXT_MOST]
        return float((pattern_of(self.pattern(right)).search(text) is not None) != negated)

    def _of_compare(self, op: str, left: Any, right: Any) -> float:
        return float(compare(op, self.value(left), self.value(right)))

    def _of_join(self, left: Any, right: Any) -> str:
        one = to_text(self.value(left))
        return (one + to_text(self.value(right)))[:TEXT_MOST]

    def _of_binary(self, op: str, left: Any, right: Any) -> float:
        one = self.value(left)
        return apply(op, one, self.value(right))

    def _of_not(self, inner: Any) -> float:
        return float(not is_true(self.value(inner)))

    def _of_minus(self, inner: Any) -> float:
        return -to_number(self.value(inner))

    def _of_plus(self, inner: Any) -> float:
        return to_number(self.value(inner))

    def _of_before(self, change: int, target: Any) -> float:
        return float(self.set(target, to_number(self.value(target)) + change))

    def _of_after(self, change: int, target: Any) -> float:
        old = to_number(self.value(target))
        self.set(target, old + change)
        return old

    def _of_assign(self, op: str, target: Any, value: Any) -> Any:
        made = self.value(value)
        return self.set(target, apply(op, self.value(target), made) if op else made)

    def _of_var(self, name: str) -> Any:
        if name == "NF":
            return float(len(self.fields))
        if self.frames and name in self.frames[-1]:
            found = self.frames[-1][name]
            if isinstance(found, _Maybe) and not found:
                return None
            if isinstance(found, dict):
                raise AwkError(f"attempt to use array `{name}' in a scalar context")
            return found
        return self.vars.get(name)

    def _of_element(self, name: str, subscripts: list[Any]) -> Any:
        array = self.array(name)
        key = self.key(subscripts)
        if key not in array and len(array) < ELEMENTS_MOST:
            array[key] = None
        return array.get(key)

    def _of_field(self, number: Any) -> Any:
        at = int(to_number(self.value(number)))
        if at < 0:
            raise AwkError(f"attempt to access field {at}")
        return Given(self.line) if at == 0 else Given(self.fields[at - 1]) if at <= len(self.fields) else None

    def _of_getline(self, kind: str, source: Any, place: Any) -> float:
        if not kind:
            if place is None:
                return float(self._advance())
            found = next(self.records, None)
            if found is None:
                return 0.0
            self.vars["NR"], self.vars["FNR"] = to_number(self.vars["NR"]) + 1, float(found[1])
            line = found[2]
        else:
            name = to_text(self.value(source))
            if name not in self.sources:
                text = self.outside.read(name) if kind == "<" else self._command(name, "")[0]
                if text is None:
                    return -1.0
                self.sources[name] = _records(text, to_text(self.vars["RS"]))[:LINES_MOST]
            if not self.sources[name]:
                return 0.0
            line = self.sources[name].pop(0)
        if place is None:
            self.set_line(line)
        else:
            self.set(place, Given(line))
        return 1.0

    def _of_user(self, name: str, args: list[Any]) -> Any:
        if name not in self.program.functions:
            raise AwkError(f"function `{name}' not defined")
        if len(self.frames) >= DEPTH_MOST:
            raise AwkError("functions nested too deeply")
        params, body = self.program.functions[name]
        if len(args) > len(params):
            raise AwkError(f"function `{name}' called with more arguments than declared")
        frame: dict[str, Any] = dict.fromkeys(params)
        for param, arg in zip(params, args, strict=False):
            frame[param] = self._passed(arg)
        self.frames.append(frame)
        try:
            self.do(body)
        except _Return as back:
            return back.value
        finally:
            self.frames.pop()
            for param, arg in zip(params, args, strict=False):
                self._became(arg, frame[param])
        return None

    def _passed(self, arg: Any) -> Any:
        """An argument: an array is handed over as it is, and what was never set may become one."""
        if arg[0] == "var":
            name = arg[1]
            if self.frames and name in self.frames[-1]:
                return self.frames[-1][name] if self.frames[-1][name] is not None else _Maybe()
            if name in self.arrays or (name not in self.vars and name != "NF"):
                return self.array(name) if name in self.arrays else _Maybe()
        return self.value(arg)

    def _became(self, arg: Any, found: Any) -> None:
        """What was handed over unset, and is an array now, is one for the caller too."""
        if isinstance(found, _Maybe) and found and arg[0] == "var":
            if self.frames and arg[1] in self.frames[-1]:
                self.frames[-1][arg[1]] = found
            else:
                self.arrays.setdefault(arg[1], found)

    def _of_call(self, name: str, args: list[Any]) -> Any:
        known = FUNCTIONS[name]
        if known is not None:
            return known([self.value(each) for each in args] or [self.line])
        return getattr(self, f"_call_{name}")(args)


def _records(text: str, separator: str) -> list[str]:
    """A text in records: lines, paragraphs ("") or what stands between other marks."""
    if not text:
        return []
    if separator == "\n":
        return text.removesuffix("\n").split("\n")
    if not separator:
        return [each.strip("\n") for each in separated(text.strip("\n"), "\n\n+") if each.strip("\n")]
    found = text.split(separator) if len(separator) == 1 else separated(text, separator)
    return found[:-1] if found and not found[-1] else found


def run_program(
    source: str, inputs: list[tuple[str, str]], variables: dict[str, str], separator: str, outside: Outside,
) -> tuple[str, str, int]:
    """What a program prints for these files, what it complains of, and its exit code; raises AwkError where it cannot be read."""
    machine = _Machine(parsed(source), variables, separator, outside)
    said = ""
    try:
        machine.run(inputs)
    except AwkError as error:
        said, machine.code = f"awk: {error}\n", 2
    except (_Next, _Break, _Continue, _Return, RecursionError, OverflowError, ValueError, IndexError) as error:
        said, machine.code = f"awk: {str(error) or 'syntax error'}\n", 2
    return "".join(machine.out), "".join(machine.errors) + said, machine.code
