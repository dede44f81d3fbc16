"""`python -c`: the small part of Python that jobs and probes in teaching material use.

The program is read by Python's own parser and walked by an interpreter of ours, which knows only what stands here: numbers, texts,
lists, conditions, loops, print, sleep, sys.exit and os.environ. Nothing is imported or executed. A program that sleeps is run again from
its start at each wake, up to the moment: what it prints on the way is the same every time.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import sys
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.runtime.shell.machine import Run

__all__ = ["Outcome", "run_source"]

STEPS_MOST = 20_000
TEXT_MOST = 20_000
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}
_WIDE = re.compile(r"\d{3}")
_METHODS = frozenset(("get", "upper", "lower", "strip", "split", "join", "append", "startswith", "endswith", "replace", "keys", "items"))
_MODULES = frozenset(("os", "sys", "time", "os.environ", "random", "datetime", "socket", "math"))


class Unknown(Exception):
    """Something that this interpreter does not know."""


class _Leave(Exception):
    """The program ends, or has to wait beyond the moment."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Outcome:
    """What a program came to: pieces of output with their times, and its exit code, or when it goes on (ms; -1: never)."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, int, str]] = []  # (ms, file descriptor, text)
        self.code: int | None = None
        self.wake_ms = -1


class _Interpreter:
    def __init__(self, run: Run, start_ms: int, until_ms: int, args: list[str]) -> None:
        self.outcome, self.now, self.until = Outcome(), start_ms, until_ms
        self.names: dict[str, Any] = {"__name__": "__main__", "True": True, "False": False, "None": None}
        self.environ, self.args, self.left = dict(run.variables), args, STEPS_MOST

    # Statements.

    def block(self, body: list[ast.stmt]) -> None:
        for each in body:
            self.left -= 1
            if self.left < 0:
                raise _Leave
            handler = getattr(self, f"do_{type(each).__name__}", None)
            if handler is None:
                raise Unknown(type(each).__name__)
            handler(each)

    def do_Expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def do_Import(self, node: ast.Import) -> None:
        for each in node.names:
            if each.name not in _MODULES:
                if each.name.partition(".")[0] in sys.stdlib_module_names:
                    raise Unknown(each.name)
                self.fail(f"ModuleNotFoundError: No module named '{each.name}'")
            self.names[each.asname or each.name] = ("module", each.name)

    def do_ImportFrom(self, node: ast.ImportFrom) -> None:
        for each in node.names:
            self.names[each.asname or each.name] = ("member", f"{node.module}.{each.name}")

    def do_Assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value)

    def do_AugAssign(self, node: ast.AugAssign) -> None:
        self.assign(node.target, self.binary(type(node.op), self.value(ast.Name(ast.unparse(node.target))), self.value(node.value)))

    def assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, list | tuple) and len(value) == len(target.elts):
            for each, part in zip(target.elts, value, strict=True):
                self.assign(each, part)
        else:
            raise Unknown("assignment")

    def do_If(self, node: ast.If) -> None:
        self.block(node.body if self.value(node.test) else node.orelse)

    def do_While(self, node: ast.While) -> None:
        while self.value(node.test):
            if self.round(node.body):
                return

    def do_For(self, node: ast.For) -> None:
        for each in islice(self.value(node.iter), 10_000):
            self.assign(node.target, each)
            if self.round(node.body):
                return

    def round(self, body: list[ast.stmt]) -> bool:
        """One round of a loop; True where it is left."""
        self.left -= 1
        try:
            self.block(body)
        except _Break:
            return True
        except _Continue:
            pass
        return False

    def do_Break(self, node: ast.Break) -> None:
        raise _Break

    def do_Continue(self, node: ast.Continue) -> None:
        raise _Continue

    def do_Pass(self, node: ast.Pass) -> None:
        pass

    def do_Raise(self, node: ast.Raise) -> None:
        call = node.exc
        name = ast.unparse(call.func if isinstance(call, ast.Call) else call) if call is not None else "RuntimeError"
        text = " ".join(str(self.value(each)) for each in call.args) if isinstance(call, ast.Call) else ""
        if name == "SystemExit":
            self.exit(int(text) if text.isdigit() else int(bool(text)))
        self.fail(f"{name}: {text}" if text else name)

    def fail(self, text: str) -> None:
        self.outcome.lines.append((self.now, 2, f"Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>\n{text}\n"))
        self.exit(1)

    def exit(self, code: int) -> None:
        self.outcome.code = code & 255
        raise _Leave

    # Values.

    def value(self, node: ast.expr) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _Leave
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self.names.get(node.id, ("builtin", node.id))
        if isinstance(node, ast.JoinedStr):
            return "".join(str(self.value(each)) for each in node.values)
        if isinstance(node, ast.FormattedValue):
            spec = self.value(node.format_spec) if node.format_spec is not None else ""
            if _WIDE.search(spec):
                raise Unknown("so much")
            return format(self.value(node.value), spec[:20])
        if isinstance(node, ast.BinOp):
            return self.binary(type(node.op), self.value(node.left), self.value(node.right))
        if isinstance(node, ast.BoolOp):
            found: Any = None
            for each in node.values:
                found = self.value(each)
                if bool(found) != isinstance(node.op, ast.And):
                    return found
            return found
        if isinstance(node, ast.UnaryOp):
            inner = self.value(node.operand)
            return not inner if isinstance(node.op, ast.Not) else -inner
        if isinstance(node, ast.Compare):
            left = self.value(node.left)
            for op, right in zip(node.ops, map(self.value, node.comparators), strict=True):
                if not _COMPARE[type(op)](left, right):
                    return False
                left = right
            return True
        if isinstance(node, ast.IfExp):
            return self.value(node.body if self.value(node.test) else node.orelse)
        if isinstance(node, ast.List | ast.Tuple):
            return [self.value(each) for each in node.elts]
        if isinstance(node, ast.Subscript):
            return self.value(node.value)[self.value(node.slice)]
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        raise Unknown(type(node).__name__)

    def binary(self, op: type[ast.operator], left: Any, right: Any) -> Any:
        if op not in _BINARY:
            raise Unknown(op.__name__)
        big = (isinstance(left, str | list) and isinstance(right, int)) or (isinstance(right, str | list) and isinstance(left, int))
        if (op is ast.Mult and big and max(len(x) if isinstance(x, str | list) else abs(x) for x in (left, right)) > 1_000) or any(
                isinstance(each, int) and abs(each) > 1 << 256 for each in (left, right)):
            raise Unknown("so much")
        if op is ast.Mod and isinstance(left, str) and (len(left) > 1_000 or _WIDE.search(left)):
            raise Unknown("so much")
        if op is ast.Add and isinstance(left, str | list) and len(left) > TEXT_MOST:
            raise Unknown("so much")
        return _BINARY[op](left, right)

    def attribute(self, node: ast.Attribute) -> Any:
        owner = self.value(node.value)
        if isinstance(owner, tuple) and owner[0] == "module":
            full = f"{owner[1]}.{node.attr}"
            return {"os.environ": self.environ, "sys.argv": ["-c", *self.args]}.get(full, ("member", full))
        if node.attr in _METHODS and isinstance(owner, str | list | dict):
            return getattr(owner, node.attr)
        raise Unknown(node.attr)

    def call(self, node: ast.Call) -> Any:
        function = self.value(node.func)
        args = [self.value(each) for each in node.args]
        options = {each.arg: self.value(each.value) for each in node.keywords if each.arg}
        if callable(function):
            sizes = [len(each) for each in (getattr(function, "__self__", ""), *args) if isinstance(each, str | list | dict)]
            if math.prod(max(1, each) for each in sizes) > 1_000_000:
                raise Unknown("so much")
            return function(*args, **options)
        name = function[1] if isinstance(function, tuple) else ""
        if name in {"print", "sys.stdout.write", "sys.stderr.write"}:
            text = options.get("sep", " ").join(map(str, args))[:TEXT_MOST] + (options.get("end", "\n") if name == "print" else "")
            self.outcome.lines.append((self.now, 1, text))
            return None
        if name in {"sys.exit", "exit", "quit", "os._exit"}:
            code = args[0] if args else 0
            if isinstance(code, str):
                self.outcome.lines.append((self.now, 2, code + "\n"))
            self.exit(code if isinstance(code, int) else int(bool(code)))
        if name == "time.sleep":
            self.now += max(1, int(float(args[0]) * 1000))
            if self.now > self.until:
                self.outcome.wake_ms = self.now
                raise _Leave
            return None
        known: dict[str, Callable[..., Any]] = {
            "int": int, "str": str, "float": float, "len": len, "range": _short_range, "abs": abs, "min": min, "max": max, "sum": sum,
            "bool": bool, "list": list, "sorted": sorted,
            "round": lambda value, digits=0: round(value, max(-9, min(9, digits))), "enumerate": enumerate,
            "os.getenv": self.environ.get,
            "socket.gethostname": lambda: self.environ.get("HOSTNAME", ""), "time.time": lambda: self.now / 1000, "os.getpid": lambda: 1,
            "sys.stdout.flush": lambda: None, "repr": repr,
        }
        if name not in known:
            raise Unknown(name)
        if name == "int" and isinstance(args[0], str) and len(args[0]) > 100:
            raise Unknown("so much")
        return known[name](*args)


def _short_range(*bounds: int) -> range:
    return range(*bounds)[:10_000]


def run_source(run: Run, source: str, args: list[str], start_ms: int, until_ms: int) -> Outcome | None:
    """Runs a program up to a time; None where it needs more of Python than is known here."""
    try:
        body = ast.parse(source[:TEXT_MOST]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        outcome = Outcome()
        outcome.lines.append((start_ms, 2, "SyntaxError: invalid syntax\n"))
        outcome.code = 1
        return outcome
    interpreter = _Interpreter(run, start_ms, until_ms, args)
    outcome = interpreter.outcome
    try:
        interpreter.block(body)
        outcome.code = 0
    except _Leave:
        pass
    except (Unknown, RecursionError, MemoryError):
        return None
    except Exception as error:  # what the program did wrong itself, such as int("x")
        outcome.lines.append((interpreter.now, 2, f"Traceback (most recent call last):\n{type(error).__name__}: {error}\n"))
        outcome.code = 1
    return outcome
