"""The shell of a lab's page. There is no real one: lines are read by the same small machine that runs scripts in containers
(`runtime.shell`), whose files are the lab's folder and whose only program is kubectl, in its jail.

A line runs in a worker thread, for the machine is not asynchronous; whatever touches the lab or a process goes through the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from clusterlab.runtime.shell.machine import FOREVER, Result, Run, begin
from clusterlab.runtime.shell.parser import Command, Instruction, compile_script, moved
from clusterlab.web.said import lines_said
from clusterlab.web.terminal.desk import Desk
from clusterlab.web.terminal.files import HOME, simulated
from clusterlab.web.terminal.tools import find_tool
from clusterlab.web.terminal.tools_help import about
from clusterlab.web.terminal.tools_shell import aliased, run_alias

__all__ = ["Interrupted", "Shell", "unfinished"]

T = TypeVar("T")
_log = logging.getLogger(__name__)
_HEREDOC = re.compile(r"(?<!<)<<(-?)\s*['\"]?([A-Za-z_]\w*)")
#: Commands of one line.
BUDGET = 3000
#: What a lab remembers of a line: variables, and the bytes of them.
MOST_VARIABLES, MOST_VARIABLE_BYTES = 200, 100_000
#: Functions that a terminal remembers and instructions in them all; `<(…)` of a line.
MOST_FUNCTIONS, MOST_CODE, MOST_PIPES = 100, 20_000, 16
KUBECONFIG = f"{HOME}/.kube/config"
#: Commands that pass on a stream line by line, so that `kubectl get -w | grep` speaks while it runs.
_STREAMING = {"grep", "egrep", "fgrep", "sed", "awk", "gawk", "cut", "tr", "cat"}
_COUNTING = {"-c", "-n", "-m", "-v0", "--count", "--line-number", "-A", "-B", "-C"}


class Interrupted(Exception):
    """Ctrl-C."""


def unfinished(line: str) -> bool:
    """Whether a line goes on in the next one: an open quote, a here-document, a loop without its end, a backslash."""
    error = compile_script(line + "\n").error
    for found in _HEREDOC.finditer(line):
        if found[2] not in (each.lstrip("\t") if found[1] else each for each in line.split("\n")[1:]):
            return True
    return line.endswith("\\") or any(word in error for word in ("end of file", "unterminated", "EOF", "(expecting"))


_ENDLESS = {"-w", "--watch", "--watch-only", "--watch=true", "-f", "--follow", "--follow=true", "watch"}
NO_JOBS = "nothing but kubectl port-forward and kubectl proxy goes on in the background here: open another terminal for it (+)"


class PageRun(Run):
    """The machine, with pipes that stream where the first command does."""

    def _op_pipeline(self, instruction: Instruction) -> bool:
        stages = instruction.arg
        if self.capture is None and self._streams(stages):
            return self._stream(stages)
        return super()._op_pipeline(instruction)

    def _op_background(self, instruction: Instruction) -> None:
        page: Shell = self.host  # type: ignore[assignment]
        if _ENDLESS & set(words := self._argv(instruction.arg)) and "apply" not in words and words[0] in ("kubectl", "k", "watch", "tail"):
            from clusterlab.web.terminal.tools import in_language

            self.emit(2, in_language(page, Result(1, "", f"{words[0]}: {NO_JOBS}\n")).err)
            self.status = 1
            return
        page.background = True
        try:
            super()._op_background(instruction)
        finally:
            page.background = False

    def _argv(self, stage: tuple[Instruction, ...]) -> list[str]:
        """The words of a stage that is one simple command without redirections; none otherwise."""
        runs = [each for each in stage if each.op != "ok"]
        if len(runs) != 1 or runs[0].op != "run":
            return []
        command: Command = runs[0].arg
        if not command.words or command.redirects or command.assignments:
            return []
        page: Shell = self.host  # type: ignore[assignment]
        return aliased(page, self.expander().fields(command.words))

    def _streams(self, stages: tuple[tuple[Instruction, ...], ...]) -> bool:
        first = self._argv(stages[0])
        if not first or first[0] not in ("kubectl", "k"):
            return False
        endless = any(word in ("-w", "--watch", "--watch-only", "-f", "--follow", "--watch=true", "--follow=true") for word in first)
        if not endless or ("-f" in first and "logs" not in first):
            return False
        rest = [self._argv(stage) for stage in stages[1:]]
        return all(words and words[0] in _STREAMING and not _COUNTING & set(words) for words in rest)

    def _stream(self, stages: tuple[tuple[Instruction, ...], ...]) -> bool:
        def through(text: str) -> None:
            for stage in stages[1:]:
                inner = self._inner(stage, text)
                text, self.status = inner.output(), inner.status
            self.budget = max(self.budget, 500)  # a watch may last
            self.emit(1, text)

        page: Shell = self.host  # type: ignore[assignment]
        page.stream(self, self._argv(stages[0]), through)
        return False


class Shell:
    """One session: variables, folder and status from line to line. The host of the machine."""

    #: For the tools of containers: `cat` alone waits for nobody here.
    tty = False
    #: Where `<(…)` leaves what a command wrote, and that `cd` can be told what there is not.
    PIPES, KNOWS_FOLDERS = "/dev/fd/", True
    #: Whose words they use.
    distribution = "busybox"

    def __init__(self, desk: Desk) -> None:
        self.desk, self.io = desk, desk.io
        self.variables = {"HOME": HOME, "USER": "learner", "PS1": "$ "}
        self.exported = ["HOME", "USER"]
        self.cwd, self.status = HOME, 0
        self.aliases: dict[str, str] = {}
        self.expanding: list[str] = []
        #: What `<(…)` of this line wrote, by path; and the functions that lines before have defined, as code.
        self.pipes: dict[str, str] = {}
        self.functions: dict[str, tuple[Instruction, ...]] = {}
        #: A command under way is one in the background.
        self.background = False

    # The machine's host.

    def read(self, path: str) -> str | None:
        if path in self.pipes:
            return self.pipes[path]
        if path == KUBECONFIG:
            return self.desk.space.kubeconfig.read_text(errors="replace")[:100_000]
        return self.desk.folder.read(path)

    def write(self, path: str, text: str, append: bool) -> str:
        if path.startswith(self.PIPES) and len(self.pipes) < MOST_PIPES:
            self.pipes[path] = text
            return ""
        return self.desk.folder.write(path, text, append)

    def names(self, pattern: str, cwd: str) -> list[str]:
        return self.desk.folder.names(pattern, cwd)

    def out(self, time_ms: int, stream: str, text: str) -> None:
        self.check()
        self.wait_for(self.io.out(text.encode()) if stream == "stdout" else self.io.err(text.encode()))

    def tool(self, run: Run, argv: list[str], stdin: str) -> Result:
        self.check()
        if argv[1:] in (["--help"], ["-h"]) and (text := about(argv[0])):
            return Result(0, lines_said(text, self.desk.language))
        if (done := run_alias(self, run, argv, stdin)) is not None:
            return done
        try:
            return find_tool(argv[0])(self, run, argv, stdin)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # A tool of containers has been asked for something that there is only in a container.
            _log.info("the command %s met an error", argv[0], exc_info=error)
            return Result(2, "", lines_said(f"{argv[0]}: this cannot be done here ({type(error).__name__})\n", self.desk.language))

    # What the commands need besides.

    def note(self, text: str) -> None:
        """Prints something from outside of the line under way, if there is one."""
        if not self.background and self.desk.loop.is_running():
            asyncio.run_coroutine_threadsafe(self.io.out(text.encode()), self.desk.loop)

    def check(self) -> None:
        """Raises Interrupted after Ctrl-C."""
        if self.desk.interrupted:
            raise Interrupted

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Does something on the event loop, from the worker thread. Raises what it raises."""
        return asyncio.run_coroutine_threadsafe(work, self.desk.loop).result()

    def sleep(self, wait_s: float) -> None:
        """Waits on the wall; Ctrl-C ends it."""
        until = time.monotonic() + wait_s
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    def date(self, form: str, _time_ms: int | None = None) -> str:
        return self.desk.folder.date(form, simulated(self.desk.lab))

    def exists(self, path: str) -> bool:
        return path in self.pipes or path == KUBECONFIG or self.desk.folder.exists(path)

    def is_directory(self, path: str) -> bool:
        return self.desk.folder.is_directory(path)

    def make_directory(self, path: str) -> str:
        return self.desk.folder.make_directory(path)

    def remove(self, path: str) -> str:
        return self.desk.folder.remove(path)

    def entries(self, path: str) -> list[str]:
        return self.desk.folder.entries(path)

    def tree(self, path: str) -> list[str]:
        return self.desk.folder.tree(path)

    def has_tool(self, name: str) -> bool:
        return find_tool(name, missing=None) is not None

    def stream(self, run: Run, argv: list[str], through: Any) -> None:
        """kubectl whose output goes on line by line."""
        from clusterlab.web.terminal.tools_kubectl import stream_kubectl

        stream_kubectl(self, run, argv, through)

    def is_direct(self, run: Run) -> bool:
        """Whether what the command under way prints goes straight to where the person looks."""
        if run.capture is not None or any(frame[0] == "redirect" for frame in run.frames):
            return False
        command = run.code[run.pc - 1].arg if run.pc else None
        return not (isinstance(command, Command) and any(each.op not in ("<", "<<") for each in command.redirects))

    # A line.

    def run(self, line: str) -> int:
        """Runs a line to its end, in a worker thread; its exit code."""
        program = compile_script(line)
        if program.error:
            self.out(0, "stderr", f"{program.error}\n")
            self.status = 2
            return 2
        self.pipes = {}
        run = self.prepared(line, program.code)
        try:
            self.drive(run)
            if run.budget <= 0:
                self.desk.interrupted = False
                self.out(0, "stderr", lines_said(f"clusterlab: a line runs at most {BUDGET} commands\n", self.desk.language))
                run.status = 1
        except Interrupted:
            run.status = 130
        self.pipes = {}
        self._keep(run)
        return self.status

    def prepared(self, source: str, code: tuple[Instruction, ...], params: tuple[str, ...] = (), budget: int = BUDGET) -> PageRun:
        """A run of a line or a script, which knows the functions of the lines before."""
        state = begin(source, 0, self.variables, self.cwd, params)._replace(
            status=self.status, exported=tuple(self.exported), shell="bash")
        run = PageRun(state, self, budget)  # type: ignore[arg-type]
        known: list[Instruction] = []
        for function in self.functions.values():
            known += [moved(each, len(known)) for each in function]
        run.code = (*known, *(moved(each, len(known)) for each in code))
        return run

    def drive(self, run: Run) -> None:
        """Runs on to the end, waiting as long as it waits."""
        now_ms = 0
        while not run.ended and run.budget > 0:
            run.until(now_ms)
            if run.wake_ms == FOREVER and not run.ended:
                break
            if not run.ended and run.wake_ms > now_ms:
                self.sleep((run.wake_ms - now_ms) / 1000)
                now_ms = run.wake_ms

    def _keep_functions(self, run: Run) -> None:
        found = {}
        for name, start in list(run.functions.items())[-MOST_FUNCTIONS:]:
            function = run.code[start - 1:run.code[start - 1].target]
            found[name] = tuple(moved(each, 1 - start) for each in function)
        if sum(map(len, found.values())) <= MOST_CODE:
            self.functions = found

    def _keep(self, run: Run) -> None:
        self._keep_functions(run)
        variables = dict(list(run.variables.items())[-MOST_VARIABLES:])
        if sum(len(name) + len(value) for name, value in variables.items()) <= MOST_VARIABLE_BYTES:
            self.variables = variables
        self.exported = run.exported[-MOST_VARIABLES:]
        self.cwd = run.cwd if self.desk.folder.is_directory(run.cwd) else HOME
        self.status = run.status
