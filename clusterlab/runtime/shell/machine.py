"""The machine that runs compiled scripts. All its state is in `State`, an immutable record, so that a script can sleep for an hour
and be checkpointed meanwhile; `Run` is the worker that takes it from one wait to the next.

Left out: job control. A command in the background is run at once, as far as it goes without waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Protocol

from clusterlab.runtime.shell.commands import Commands
from clusterlab.runtime.shell.expand import ShellError, pack
from clusterlab.runtime.shell.flow import flows
from clusterlab.runtime.shell.lexer import LexError
from clusterlab.runtime.shell.parser import Instruction, compile_script
from clusterlab.runtime.shell.states import FOREVER, Exit, NeedsInput, Result, State

__all__ = ["FOREVER", "Host", "Result", "Run", "State", "begin"]

DEPTH = 12


class Host(Protocol):
    """Where a script runs."""

    def read(self, path: str) -> str | None: ...
    def write(self, path: str, text: str, append: bool) -> str: ...
    def names(self, pattern: str, cwd: str) -> list[str]: ...
    def tool(self, run: Run, argv: list[str], stdin: str) -> Result: ...
    def out(self, time_ms: int, stream: str, text: str) -> None: ...


def begin(source: str, time_ms: int, env: dict[str, str], cwd: str = "/", params: tuple[str, ...] = (), shell: str = "sh") -> State:
    """A script that is about to start."""
    return State(source, params, 0, time_ms, time_ms, dict(env), tuple(env), cwd=cwd or "/", shell=shell)


class Run(Commands):
    """One stretch of a script. `budget` bounds how many commands it runs in all."""

    def __init__(self, state: State, host: Host, budget: int = 2_000, depth: int = 0) -> None:
        self.host = host
        self.budget = budget
        self.depth = depth
        self.start = state
        self.code = compile_script(state.source).code
        self.homes, self.brought = {}, {}
        self.pc = state.pc
        self.time_ms = state.time_ms
        self.variables = dict(state.variables)
        self.exported = list(state.exported)
        self.functions = dict(state.functions)
        self.frames = list(state.frames)
        self.status = state.status
        self.cwd = state.cwd
        self.traps = dict(state.traps)
        self.params = state.params
        self.strict, self.trace = state.strict, state.trace
        self.ended = state.ended
        self.wake_ms = state.wake_ms
        self.listen = state.listen
        self.memory, self.cpu_milli = state.memory, state.cpu_milli
        self.serving = state.serving
        self.loops = state.loops
        self.shell = state.shell
        self.pending = state.pending
        self.tries = state.tries
        self.watching, self.running = state.watching, state.running
        self.capture: list[str] | None = None
        self.stdin, self.stdin_open, self.asking = state.stdin, state.stdin_open, False
        self.exited = False  # it was told to exit
        self.flowing = False  # its output is read while it goes on
        self.redirected = False  # the output of the command under way goes elsewhere
        self.waited_ms = 0
        self.exhausted = False
        self.stop_loops = -1  # the count of rounds after which to stop, at the head of a loop

    # Going on.

    def until(self, now_ms: int) -> State:
        """Runs everything that happens up to a time."""
        while not self.ended and self.wake_ms != FOREVER and self.wake_ms <= now_ms and self.budget > 0:
            self.time_ms = max(self.time_ms, self.wake_ms)
            if self.pending != (0, ""):
                self.status, text = self.pending
                self.pending = (0, "")
                self.emit(1, text)
            self._stretch()
        self.exhausted = self.budget <= 0
        return self.state()

    def state(self) -> State:
        return State(
            self.start.source, self.params, self.pc, self.time_ms, self.wake_ms, self.variables, tuple(self.exported), self.functions,
            tuple(self.frames), self.status, self.cwd, self.traps, self.strict, self.trace, self.ended, self.pending, self.listen,
            self.memory, self.cpu_milli, self.serving, self.loops, self.shell, self.tries,
            self.watching, self.running, self.stdin, self.stdin_open, self.asking,
        )

    def _stretch(self) -> None:
        """Runs until it has to wait, ends, or the budget is spent."""
        self.wake_ms, self.asking, at = self.time_ms, False, self.pc
        try:
            while self.budget > 0:
                if self.pc >= len(self.code):
                    raise Exit(self.status)
                at = self.pc
                if self.step(self.code[self.pc]):
                    return
        except NeedsInput:
            self.pc, self.wake_ms, self.asking = at, FOREVER, True
        except Exit as leave:
            self._leave(leave.code)
        except (ShellError, LexError) as error:
            self.emit(2, f"{self.shell}: {error}\n")
            self._leave(2)
        except RecursionError:
            self.emit(2, f"{self.shell}: nested too deeply\n")
            self._leave(2)

    def _leave(self, code: int) -> None:
        while self.frames:
            frame = self.frames.pop()
            if frame[0] == "subshell":
                self.variables, self.cwd = dict(frame[2]), frame[3]
                self.pc, self.status = frame[1], code & 255
                return
        trap = self.traps.pop("EXIT", "")
        if trap:
            self.stdin_open, self.status = False, code & 255
            try:
                self.emit(1, self.nested(trap).output())
            except (ShellError, LexError) as error:
                self.emit(2, f"{self.shell}: {error}\n")
                code = 2
        self.status, self.ended = code & 255, True

    def signal(self, name: str) -> bool:
        """Runs the trap for a signal; False where there is none."""
        trap = self.traps.get(name)
        if trap is None:
            return False
        if not trap:
            return True
        source, code, pc = self.start.source, self.code, self.pc
        self.pending = (0, "")
        homes, self.homes = self.homes, self.around()
        self.code, self.pc = compile_script(trap).code, 0
        frames, self.frames = self.frames, []
        opened, self.stdin_open = self.stdin_open, False
        try:
            while self.pc < len(self.code) and self.budget > 0:
                if self.step(self.code[self.pc]):
                    if self.wake_ms == FOREVER:
                        break
                    self.time_ms = max(self.time_ms, self.wake_ms)  # what the trap waits for passes before the script goes on
            self.code, self.pc, self.frames, self.stdin_open, self.homes = code, pc, frames, opened, homes
        except (ShellError, LexError) as error:
            self.emit(2, f"{self.shell}: {error}\n")
            self.code, self.pc, self.frames, self.stdin_open, self.homes = code, pc, frames, opened, homes
        except Exit as leave:
            self.frames = []
            self._leave(leave.code)
        assert source is self.start.source
        return True

    # Instructions.

    def step(self, instruction: Instruction) -> bool:
        """Runs one instruction; True where the script now waits."""
        op = instruction.op
        self.pc += 1
        if op == "run":
            self.budget -= 1
            return self._command(instruction.arg)
        if op == "iffail":
            if self.status:
                self.pc = instruction.target
        elif op == "ifok":
            if not self.status:
                self.pc = instruction.target
        elif op == "jump":
            self.pc = instruction.target
        elif op == "again":
            self.pc = instruction.target
            self.loops += 1
            self.budget -= 1
            if self.loops == self.stop_loops:
                self.budget = 0
        else:
            handler: Callable[[Instruction], bool | None] = getattr(self, f"_op_{op}")
            return bool(handler(instruction))
        return False

    def _op_loop(self, instruction: Instruction) -> None:
        self.frames.append(("loop", self.pc, instruction.target))

    def _op_leave(self, instruction: Instruction) -> None:
        self.frames.pop()

    def _op_ok(self, instruction: Instruction) -> None:
        self.status = 0

    def _op_not(self, instruction: Instruction) -> None:
        self.status = int(not self.status)

    def _op_for(self, instruction: Instruction) -> None:
        _, words = instruction.arg
        self.frames.append(("for", self.pc, instruction.target, tuple(self.expander().fields(words)), 0))

    def _op_next(self, instruction: Instruction) -> None:
        kind, head, leave, items, number = self.frames[-1]
        if number >= len(items):
            self.pc = instruction.target
            return
        self.frames[-1] = (kind, head, leave, items, number + 1)
        self.assign(instruction.arg, items[number])

    def _op_case(self, instruction: Instruction) -> None:
        subject, patterns = instruction.arg
        expander = self.expander()
        text = expander.text(subject)
        if not any(fnmatchcase(text, expander.text(pattern)) for pattern in patterns):
            self.pc = instruction.target

    def _op_define(self, instruction: Instruction) -> None:
        self.functions[instruction.arg] = self.pc
        self.homes.pop(instruction.arg, None)
        self.pc = instruction.target

    def _op_return(self, instruction: Instruction) -> None:
        self.leave_function()

    def leave_function(self) -> None:
        """Goes back to where the function was called."""
        while self.frames:
            frame = self.frames.pop()
            if frame[0] == "call":
                self.pc, self.params = frame[1], frame[2]
                back = {name: value for name, value in frame[4].items() if value is not None}
                self.variables = {**{name: value for name, value in self.variables.items() if name not in frame[4]}, **back}
                if frame[3]:
                    self._op_unredirect()
                return

    def _op_subshell(self, instruction: Instruction) -> None:
        self.frames.append(("subshell", instruction.target + 1, dict(self.variables), self.cwd))

    def _op_unsubshell(self, instruction: Instruction) -> None:
        frame = self.frames.pop()
        self.variables, self.cwd = dict(frame[2]), frame[3]

    def _op_pipeline(self, instruction: Instruction) -> bool:
        if self.capture is None and not self.stdin_open and flows(instruction.arg):
            return self._flow(instruction.arg)
        text, codes = self.stdin, []
        for number, stage in enumerate(instruction.arg):
            inner = self._inner(stage, text, self.stdin_open and not number)
            if not number:
                self.stdin = inner.stdin
            last = number == len(instruction.arg) - 1
            text = inner.output()
            self.status = inner.status
            codes.append(inner.status)
            self.waited_ms += inner.waited_ms
            served = inner.listen[len(self.listen):]
            if last:
                self.emit(1, text)
            if last and served:  # a small server: it answers what is piped into it, for as long as its loop goes round
                self.listen = (*(each for each in self.listen if each not in served), *served)
                self.wake_ms = FOREVER
                return True
        if self.shell == "bash":
            self.assign("PIPESTATUS", pack([str(each) for each in codes]))
        if self.variables.get(" pipefail"):
            self.status = next((each for each in reversed(codes) if each), 0)
        if self.strict and self.status and not self._tested():
            raise Exit(self.status)
        if self.waited_ms and self.capture is None:
            wait, self.waited_ms = self.waited_ms, 0
            self.wake_ms = self.time_ms + wait
            return True
        return False

    def _flow(self, stages: tuple[tuple[Instruction, ...], ...]) -> bool:
        """A pipeline whose first command goes on for long: what it has written by now goes through the others, line by line."""
        at = self.pc - 1
        known = self.frames.pop() if self.frames and self.frames[-1][:2] == ("pipe", at) else None
        head = Run(known[2] if known is not None else self.state(), self.host, min(self.budget, 500), self.depth + 1)
        budget = head.budget
        head.code, head.capture, head.flowing, head.time_ms, head.homes = stages[0], [], True, self.time_ms, self.around()
        if known is None:
            head.pc, head.frames, head.tries = 0, [], 0
        elif head.pending != (0, ""):
            head.status, text = head.pending
            head.pending = (0, "")
            head.emit(1, text)
        waits = head.until_wait()
        self.budget -= budget - head.budget
        text, self.status = head.output(), head.status
        for stage in stages[1:] if text or not waits else ():
            inner = self._inner(stage, text, tries=int(known is not None))
            text, self.status = inner.output(), inner.status
        self.emit(1, text)
        if waits:
            self.frames.append(("pipe", at, head.state()))
            self.pc, self.wake_ms, self.watching = at, head.wake_ms, head.watching
        return waits

    def until_wait(self) -> bool:
        """Runs until the next wait; False where it ended before."""
        try:
            while self.pc < len(self.code) and self.budget > 0:
                if self.step(self.code[self.pc]):
                    return True
        except Exit as leave:
            self.status = leave.code
        return False

    def _op_background(self, instruction: Instruction) -> None:
        inner = self._inner(instruction.arg, "")
        self.emit(1, inner.output())
        self.listen, self.serving = (*self.listen, *inner.listen), self.serving or inner.serving
        self.status = 0

    def _inner(self, code: tuple[Instruction, ...], stdin: str, opened: bool = False, tries: int = 0) -> Run:
        """A part of the script run for its output, without waiting. `opened`: more of `stdin` may come (NeedsInput is raised for it)."""
        inner = Run(self.state(), self.host, min(self.budget, 500), self.depth + 1)
        if inner.depth > DEPTH:
            raise ShellError("nested too deeply")
        inner.code, inner.pc, inner.frames, inner.tries = code, 0, [], tries
        inner.homes = self.around()
        inner.capture, inner.stdin, inner.stdin_open, inner.wake_ms = [], stdin, opened, self.time_ms
        inner._through()
        self.budget -= min(self.budget, 500) - inner.budget
        return inner

    def nested(self, source: str) -> Run:
        """Runs a script for its output, within this one."""
        program = compile_script(source)
        if program.error:
            raise ShellError(program.error)
        inner = self._inner(program.code, self.stdin, self.stdin_open)
        self.status, self.stdin = inner.status, inner.stdin
        return inner

    def _through(self) -> None:
        """Runs to the end; waits only add up."""
        try:
            while self.pc < len(self.code) and self.budget > 0 and not self.ended:
                if self.step(self.code[self.pc]):
                    if self.wake_ms == FOREVER:
                        return
                    self.waited_ms += self.wake_ms - self.time_ms
                    self.wake_ms = self.time_ms
                    if self.pending != (0, ""):
                        self.status, text = self.pending
                        self.pending = (0, "")
                        self.emit(1, text)
        except Exit as leave:
            self.status = leave.code
