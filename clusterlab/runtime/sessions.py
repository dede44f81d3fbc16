"""Programs with somebody at their standard input: a container's own (attach), or one that was begun beside it (exec with a terminal).

A session of exec is the state of its script, kept by the runtime between two lines that are typed. A shell that is given no command runs
each line as a script of its own, with the variables, functions and folder of the line before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clusterlab.runtime import scripts
from clusterlab.runtime.applications import APPLICATIONS
from clusterlab.runtime.records import EXITED, RUNNING, Container
from clusterlab.runtime.shell.box import Box
from clusterlab.runtime.shell.machine import FOREVER, Run, State, begin
from clusterlab.runtime.shell.parser import compile_script

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["SHELLS", "Said", "Session", "give", "open_session", "prompt", "say"]

SHELLS = frozenset(("sh", "bash", "ash", "dash", "zsh"))
INPUT_MOST = 1 << 20
SESSIONS_MOST = 50
BUDGET = 5_000
#: A command that somebody waits for is over after so long at the latest, in ms of simulated time.
PATIENCE_MS = 3_600_000
INTERRUPTED = 130


class Session(NamedTuple):
    """A program under way. `shell`: it reads commands; `defined`: the functions that were defined in it, as source; `rest`: a command of
    which the end has not come yet. `attached`: it stands for the container's own shell, so what is seen of it is the container's log."""

    container_id: str
    state: State
    shell: bool
    tty: bool
    defined: str = ""
    rest: str = ""
    attached: bool = False


class Said(NamedTuple):
    """What came of a piece of input. `code` -1: the program goes on. `prompt`: of a shell, "folder" or ">" where a command goes on."""

    code: int
    out: str
    err: str
    session: str = ""
    prompt: str = ""


def prompt(shell: str, pod: str, where: str) -> str:
    """What busybox' shell and bash show before a line."""
    if where in ("", ">"):
        return "> " if where else ""
    return f"root@{pod[:63]}:{where}# " if shell.endswith("bash") else f"{where} # "


def open_session(runtime: Runtime, container: Container, command: tuple[str, ...], tty: bool, attached: bool = False) -> Said:
    """Begins a program beside a container's own, with open standard input; `attached`: the container's own shell."""
    refused = scripts.why_no_exec(runtime, container, command)
    if refused is not None:
        return Said(refused[0], "", refused[1])
    source, params, shell = scripts.script_of(command)
    error = compile_script(source).error
    if error:
        return Said(2, "", f"{shell}: {error}\n")
    env = scripts.environment_in(runtime, container)
    state = begin(source, runtime.sim.time_ms, env, container.config.working_dir, params, shell)._replace(stdin_open=True)
    is_shell = not source and command[0].rsplit("/", 1)[-1] in SHELLS
    session = Session(container.id, state, is_shell, tty, attached=attached)
    name = f"{container.id[:12]}-{runtime.opened}"
    runtime.opened += 1
    for gone in [key for key, each in runtime.sessions.items() if each.container_id not in runtime.containers] or (
            [next(iter(runtime.sessions))] if len(runtime.sessions) >= SESSIONS_MOST else []):
        del runtime.sessions[gone]
    if is_shell:
        runtime.sessions[name] = session
        _note(runtime, session, _before(runtime, session))
        return Said(-1, "", "", name, state.cwd)
    return _run(runtime, container, name, session)


def say(runtime: Runtime, name: str, text: str, close: bool = False, interrupt: bool = False) -> Said:
    """Gives a program under way some input, its end, or Ctrl-C."""
    session = runtime.sessions.get(name)
    container = runtime.containers.get(session.container_id) if session is not None else None
    if session is None or container is None or container.state != RUNNING:
        runtime.sessions.pop(name, None)
        return Said(137, "", "command terminated with exit code 137\n" if session is not None else "")
    state = session.state
    _note(runtime, session, "^C\r\n" if interrupt else text.replace("\n", "\r\n"))
    if interrupt:
        if not session.shell:
            del runtime.sessions[name]
            return Said(INTERRUPTED, "", "")
        state = state._replace(status=INTERRUPTED, asking=False, ended=True)
        runtime.sessions[name] = session._replace(state=state, rest="")
        _note(runtime, session, _before(runtime, session))
        return Said(-1, "", "", name, state.cwd)
    if state.asking:
        state = state._replace(stdin=(state.stdin + text)[:INPUT_MOST], stdin_open=not close, wake_ms=state.time_ms)
        return _run(runtime, container, name, session._replace(state=state))
    if close and not text:
        del runtime.sessions[name]
        return Said(state.status, "", "")
    return _typed(runtime, container, name, session, text)


def _typed(runtime: Runtime, container: Container, name: str, session: Session, text: str) -> Said:
    """A line for a shell."""
    state, source = session.state, (session.rest + text)[:INPUT_MOST]
    program = compile_script(session.defined + source)
    if program.error and _unfinished(program.error):
        runtime.sessions[name] = session._replace(rest=source if source.endswith("\n") else source + "\n")
        _note(runtime, session, "> ")
        return Said(-1, "", "", name, ">")
    if program.error:
        runtime.sessions[name] = session._replace(rest="", state=state._replace(status=2))
        scripts.keep(runtime, container, [(state.time_ms, "stderr", f"{state.shell}: {program.error}\n")] if session.attached else [])
        _note(runtime, session, _before(runtime, session))
        return Said(-1, "", f"{state.shell}: {program.error}\n", name, state.cwd)
    fresh = begin(session.defined + source, runtime.sim.time_ms, {}, state.cwd, state.params, state.shell)
    fresh = fresh._replace(
        variables=state.variables, exported=state.exported, status=state.status, traps=state.traps, strict=state.strict,
        trace=state.trace, stdin_open=True)
    if any(each.op == "define" for each in compile_script(source).code):
        session = session._replace(defined=session.defined + source)
    return _run(runtime, container, name, session._replace(state=fresh, rest=""))


def _unfinished(error: str) -> bool:
    return any(word in error for word in ("end of file", "unterminated", "EOF", "(expecting"))


def _before(runtime: Runtime, session: Session) -> str:
    """The prompt of a shell that waits for a line."""
    container = runtime.containers[session.container_id]
    return prompt(session.state.shell, runtime.sandboxes[container.pod_uid].name, session.state.cwd)


def _note(runtime: Runtime, session: Session, text: str) -> None:
    """What a terminal shows besides the output of commands is in the log of a container whose own shell it is."""
    if session.attached and session.tty and text:
        scripts.keep(runtime, runtime.containers[session.container_id], [(runtime.sim.time_ms, "stdout", text)])


def _run(runtime: Runtime, container: Container, name: str, session: Session) -> Said:
    box = Box(runtime, container, session.tty)
    box.asked = True
    run = Run(session.state, box, BUDGET)
    after = run.until(session.state.time_ms + PATIENCE_MS)
    if session.attached:
        now = runtime.sim.time_ms  # commands are over at once for who typed them
        end = "\r\n" if session.tty else "\n"
        scripts.keep(runtime, container, [
            (now, "stdout" if session.tty else stream, text.replace("\n", end)) for _, stream, text in box.lines])
    out = "".join(text for _, stream, text in box.lines if stream == "stdout")
    err = "".join(text for _, stream, text in box.lines if stream == "stderr")
    if session.shell:
        if run.exited and after.ended:
            runtime.sessions.pop(name, None)
            return Said(after.status, out, err)
        session = runtime.sessions[name] = session._replace(state=after)
        if not after.asking:
            _note(runtime, session, _before(runtime, session))
        return Said(-1, out, err, name, "" if after.asking else after.cwd)
    if after.asking:
        runtime.sessions[name] = session._replace(state=after)
        return Said(-1, out, err, name)
    runtime.sessions.pop(name, None)
    return Said(after.status if after.ended else 0, out, err)


def give(runtime: Runtime, container_id: str, text: str, close: bool) -> None:
    """Input for a container's own program."""
    container = runtime.containers[container_id]
    state = container.vm
    application = APPLICATIONS.get(container.program.special)
    if application is not None and application.read is not None and container.state == RUNNING and container.config.stdin:
        for line in text.removesuffix("\n").split("\n") if text else ():
            application.read(runtime, container, line)
        return
    if container.state != RUNNING or state is None or not state.stdin_open or container.program.pure:
        return
    state = state._replace(stdin=(state.stdin + text)[:INPUT_MOST], stdin_open=not close)
    if not state.asking or state.wake_ms != FOREVER:
        runtime.containers[container_id] = container._replace(vm=state)
        return
    scripts.go_on_with(runtime, container, state._replace(wake_ms=max(state.time_ms, runtime.sim.time_ms)))
    if runtime.containers[container_id].state == EXITED:
        runtime.tell_kubelet(container.pod_uid)
