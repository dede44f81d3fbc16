"""Scripts in containers: when they go on, what they print, and how they end.

A script that only prints and waits (`while true; do date; sleep 1; done`) is known from its start: it is run ahead to see whether
it ends, and what it printed is worked out when somebody reads its log. Any other runs when its time comes, one event for each wait.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.records import EXITED, RUNNING, Container
from clusterlab.runtime.shell.box import TOOLS, Box
from clusterlab.runtime.shell.machine import FOREVER, Run, State
from clusterlab.runtime.shell.machine import begin as begin_state
from clusterlab.runtime.shell.parser import Instruction, compile_script
from clusterlab.runtime.shell.tools_node import TOOLS as NODE_TOOLS

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime
    from clusterlab.runtime.serving import Answer

__all__ = [
    "LOG_LINES", "answer", "begin", "call", "environment_in", "execute", "go_on", "go_on_with", "is_pure", "keep", "lines_of", "probe",
    "terminate", "why_no_exec",
]

Line = tuple[int, str, str]

AHEAD = 400  # commands that a script is run ahead
LOG_LINES = 2_000
SOON_MS = 10_000
_NET = frozenset(("wget", "curl", "nslookup", "dig", "host", "getent", "ping", "nc", "telnet"))
_PURE = frozenset((
    "echo", "printf", "date", "sleep", "true", "false", ":", "test", "[", "[[", "expr", "seq", "exit", "hostname", "export", "set",
    "cd", "trap", "unset", "local", "break", "continue", "return", "shift", "env", "printenv", "uname", "id", "whoami", "wait", "yes",
    "stress", "stress-ng", "nproc", "basename", "dirname", "perl", "exec", "pwd", "",
))
NOT_FOUND = 127
_LEAVING = frozenset(("exit", "break", "return", "exec", "kill", "eval", "set", "continue"))


def is_pure(source: str) -> bool:
    """Whether a script does nothing but print and wait."""
    program = compile_script(source)
    return not program.writes and not program.error and program.names <= _PURE


def _environment(container: Container) -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    found = {"PATH": path, "HOSTNAME": "", **dict(container.program.behaviour.env), **dict(container.config.env)}
    if container.config.tty:
        found["TERM"] = "xterm"
    return {**found, "HOME": found.get("HOME", "/root")}


def environment_in(runtime: Runtime, container: Container) -> dict[str, str]:
    """The environment of a program that is begun in a container."""
    sandbox = runtime.sandboxes[container.pod_uid]
    return {**_environment(container), "HOSTNAME": sandbox.hostname or sandbox.name}


def first_state(runtime: Runtime, container: Container) -> State:
    """A container's script before its first command."""
    program, env = container.program, environment_in(runtime, container)
    begun = begin_state(program.script, container.started_ms, env, container.config.working_dir, program.params, program.shell)
    return begun._replace(stdin_open=container.config.stdin or container.config.tty)


def begin(runtime: Runtime, container: Container) -> Container:
    """The script of a container that has just started: as far as it goes at once."""
    error = compile_script(container.program.script).error
    if error:
        keep(runtime, container, [(runtime.sim.time_ms, "stderr", f"{container.program.shell}: {error}\n")])
        return runtime._ended(container, 2, "")
    if container.program.pure:
        return _ahead(runtime, container, first_state(runtime, container))
    return _advance(runtime, container, first_state(runtime, container))


def _ahead(runtime: Runtime, container: Container, state: State) -> Container:
    """Runs a pure script ahead, to plan its end."""
    run = Run(state, Box(runtime, container), AHEAD)
    before_ms = state.time_ms
    far = run.until(1 << 60)
    container = container._replace(vm=far)
    if far.ended:
        program = container.program._replace(exit_after_ms=far.time_ms - container.started_ms, exit_code=far.status)
        runtime.containers[container.id] = container = container._replace(program=program)
        if far.time_ms <= runtime.sim.time_ms and not _over_limit(container):
            return runtime._ended(container, far.status, "")
        return runtime._plan_end(container)
    runtime.containers[container.id] = container
    container = runtime._plan_end(container)
    if run.exhausted and far.time_ms > before_ms and not _endless(far):
        timer = runtime.after(far.time_ms - runtime.sim.time_ms, "script", container.id, idle=True)
        container = _also(runtime, container, timer)
    return container


def _endless(state: State) -> bool:
    """Whether a script is in a `while true` loop with no way out."""
    code = compile_script(state.source).code
    for frame in state.frames:
        if frame[0] != "loop" or state.strict:
            continue
        head, leave = frame[1], frame[2]
        if _name_of(code[head]) not in {"true", ":"} or code[head + 1].op != "iffail":
            continue
        names = [_name_of(each) for each in code[head + 2:leave] if each.op == "run"]
        others = {each.op for each in code[head + 2:leave]} - {"run", "iffail", "ifok", "jump", "again", "ok", "not", "loop", "leave"}
        if not others and all(name and name not in _LEAVING and name not in state.functions for name in names):
            return True
    return False


def _name_of(instruction: Instruction) -> str:
    """The command of an instruction; "=" where it only assigns, "" where that depends."""
    if instruction.op != "run":
        return ""
    words = instruction.arg.words
    if not words:
        return "="
    return words[0][0].text if len(words[0]) == 1 and words[0][0].kind == "text" else ""


def _also(runtime: Runtime, container: Container, timer: int) -> Container:
    """Keeps the handle of the event that goes on, unless the container's end is planned already."""
    if container.timer:
        runtime.sim.cancel(timer)
        return container
    made = runtime.containers[container.id] = container._replace(timer=timer)
    return made


def _over_limit(container: Container) -> bool:
    limit = container.config.memory_limit
    return bool(limit and container.vm is not None and container.vm.memory > limit)


def go_on(runtime: Runtime, container_id: str) -> None:
    """A wait of a script is over."""
    container = runtime.containers.get(container_id)
    if container is None or container.state != RUNNING or container.vm is None:
        return
    container = runtime.containers[container_id] = container._replace(timer=0)
    if container.program.pure:
        _ahead(runtime, container, container.vm)
        return
    before = container
    container = _advance(runtime, container, container.vm)
    if container.state == EXITED:
        sandbox = runtime.sandboxes[container.pod_uid]
        step = runtime.begin("exit", f"pods/{sandbox.namespace}/{sandbox.name}")
        said = "has finished" if container.exit_code == 0 else f"ended with exit code {container.exit_code}"
        step.explain = f"Container {container.name} of pod {sandbox.name} on {runtime.node} {said}."
        runtime.tell_kubelet(container.pod_uid)
    elif container.vm.listen != before.vm.listen or container.vm.serving != before.vm.serving or (
            container.config.probed and _watched(runtime, container)):
        runtime.tell_kubelet(container.pod_uid)


def go_on_with(runtime: Runtime, container: Container, state: State) -> None:
    """A script goes on in a state that it was given: more input has come."""
    if container.timer:
        runtime.sim.cancel(container.timer)
    container = runtime.containers[container.id] = container._replace(timer=0, vm=state)
    _advance(runtime, container, state)


def _watched(runtime: Runtime, container: Container) -> bool:
    """Whether what a script does may matter to a probe of its pod: it wrote files, and the kubelet may look at them."""
    return compile_script(container.program.script).writes or bool(
        compile_script(container.program.script).names & {"touch", "rm", "mv", "cp", "mkdir"})


def _advance(runtime: Runtime, container: Container, state: State) -> Container:
    """Runs a script up to now, and plans when it goes on."""
    now = runtime.sim.time_ms
    box = Box(runtime, container)
    run = Run(state, box)
    after = run.until(now)
    keep(runtime, container, box.lines)
    container = runtime.containers[container.id] = container._replace(vm=after)
    if after.ended:
        return runtime._ended(container, after.status, "")
    if _over_limit(container):
        return runtime._plan_end(container)
    if after.wake_ms == FOREVER:
        return container
    delay = max(after.wake_ms - now, 10 if run.exhausted else 1)
    looping = any(frame[0] in {"loop", "pipe"} for frame in after.frames)
    timer = runtime.after(delay, "script", container.id, idle=looping or delay > SOON_MS or run.exhausted or after.watching)
    made = runtime.containers[container.id] = container._replace(timer=timer)
    return made


def keep(runtime: Runtime, container: Container, lines: list[Line]) -> None:
    """Adds to the log of a container."""
    if lines:
        kept = (*runtime.logs.get(container.id, ()), *lines)
        runtime.logs[container.id] = kept[-LOG_LINES:]


def terminate(runtime: Runtime, container: Container) -> None:
    """SIGTERM for a script: its trap runs when the command that it waits for is over; without one it goes on as if nothing had happened."""
    state, now = container.vm, runtime.sim.time_ms
    if container.program.pure:
        state = _replay(runtime, container, Box(runtime, container), now)
        if "TERM" not in state.traps:
            runtime.containers[container.id] = container._replace(stopping_ms=now)
            return
        container = container._replace(vm=state, program=container.program._replace(pure=False))
        runtime.logs[container.id] = tuple(lines_of(runtime, runtime.containers[container.id])[-LOG_LINES:])
    if state is None or not ("TERM" in state.traps or state.serving):
        runtime.containers[container.id] = container._replace(stopping_ms=now)
        return
    if container.timer:
        runtime.sim.cancel(container.timer)
    container = runtime.containers[container.id] = container._replace(stopping_ms=now, timer=0)
    if state.wake_ms == FOREVER and "TERM" not in state.traps:  # the server that it waits for ends, and the script goes on
        container = container._replace(vm=state._replace(wake_ms=now))
        _advance(runtime, container, container.vm)
        return
    box = Box(runtime, container)
    run = Run(state, box)
    run.time_ms = now if state.wake_ms == FOREVER else max(now, state.wake_ms)  # the trap runs when the command under way is over
    run.signal("TERM")
    run.wake_ms = run.time_ms
    after = run.until(run.time_ms)
    keep(runtime, container, box.lines)
    program = container.program
    if after.ended:
        program = program._replace(stop_ms=run.time_ms - now, stop_code=after.status)
        runtime.containers[container.id] = container._replace(program=program, vm=after)
        return
    container = runtime.containers[container.id] = container._replace(vm=after)
    if after.wake_ms != FOREVER:
        timer = runtime.after(max(1, after.wake_ms - now), "script", container.id)
        runtime.containers[container.id] = container._replace(timer=timer)


def last_words(runtime: Runtime, container: Container, code: int) -> str:
    """The termination message: what the script left in its file, or the end of its log where the pod asks for that."""
    written = Box(runtime, container).read(container.config.termination_path)
    if written or not container.config.message_from_logs or not code:
        return (written or "")[-4096:]
    text = "".join(text for _, _, text in lines_of(runtime, container))
    return "".join(line + "\n" for line in text.splitlines()[-80:])[-2048:]


# Logs.


def lines_of(runtime: Runtime, container: Container) -> list[Line]:
    """What a script has printed, oldest first."""
    if not container.program.pure:
        return list(runtime.logs.get(container.id, ()))
    if compile_script(container.program.script).error:
        return list(runtime.logs.get(container.id, ()))
    box = Box(runtime, container)
    _replay(runtime, container, box, container.finished_ms if container.state == EXITED else runtime.sim.time_ms)
    typed = runtime.logs.get(container.id, ())  # of a shell that somebody was attached to
    return sorted([*box.lines, *typed], key=lambda line: line[0])[-LOG_LINES:] if typed else box.lines[-LOG_LINES:]


def _replay(runtime: Runtime, container: Container, box: Box, until_ms: int) -> State:
    """Runs a pure script from its start to a time. Rounds of an endless loop that nobody will see are skipped."""
    state = first_state(runtime, container)
    known: tuple[State, int] | None = None
    for _ in range(64):
        run = Run(state, box, 20_000)
        run.stop_loops = state.loops + 40
        state = run.until(until_ms)
        if not run.exhausted or state.ended:
            break
        if known is not None:
            state = _skip(known[0], state, until_ms)
        known = (state, 0)
    return state


def _skip(before: State, after: State, until_ms: int) -> State:
    """Where a loop goes round and round, some of its rounds at once: variables that count go on counting."""
    took = after.time_ms - before.time_ms
    rounds = after.loops - before.loops
    same = before.pc == after.pc and before.frames == after.frames and before.traps == after.traps and rounds > 0
    if not same or took <= 0:
        return after
    keep_ms = took * 12
    times = (until_ms - after.time_ms - keep_ms) // took
    if times <= 0:
        return after
    variables: dict[str, str] = dict(after.variables)
    for name, value in after.variables.items():
        old = before.variables.get(name)
        if old != value:
            if old is None or not (old.lstrip("-").isdigit() and value.lstrip("-").isdigit()):
                return after
            variables[name] = str(int(value) + (int(value) - int(old)) * times)
    gap = took * times
    return after._replace(
        time_ms=after.time_ms + gap, wake_ms=after.wake_ms + gap, variables=variables, loops=after.loops + rounds * times,
    )


# Commands from outside.


#: How the runtime begins to say that a command cannot be run.
NO_EXEC = "OCI runtime exec failed: exec failed: "
PROBE_OUTPUT_MOST = 10_240  # bytes of a probe's output that are kept (pkg/probe/exec: maxReadLength)


def execute(
    runtime: Runtime, container: Container, command: tuple[str, ...], stdin: str = "", tty: bool = False,
) -> tuple[int, str, str, int]:
    """Runs a command in a container: (exit code, stdout, stderr, how long it takes in ms; -1 where it would never end)."""
    if not command:
        return 126, "", "", 0
    refused = why_no_exec(runtime, container, command)
    if refused is not None:
        return refused[0], "", refused[1], 0
    return _run(runtime, container, command, stdin, tty, environment_in(runtime, container))


def call(
    runtime: Runtime, container: Container, command: tuple[str, ...], env: dict[str, str] | None = None, stdin: str = "",
) -> tuple[int, str, str]:
    """What a program of a container does through a library: the client of a database or a queue, whose command says the same. Whether the
    image has that command does not matter. (exit code, stdout, stderr)."""
    return _run(runtime, container, command, stdin, False, {**environment_in(runtime, container), **(env or {})})[:3]


def _run(
    runtime: Runtime, container: Container, command: tuple[str, ...], stdin: str, tty: bool, env: dict[str, str],
) -> tuple[int, str, str, int]:
    box = Box(runtime, container, tty)
    box.asked = True
    source, params, shell = script_of(command)
    error = compile_script(source).error
    if error:
        return 2, "", f"{shell}: {error}\n", 0
    start = runtime.sim.time_ms
    run = Run(begin_state(source, start, env, container.config.working_dir, params, shell), box, 5_000)
    run.stdin = stdin
    state = run.until(start + 3_600_000)
    took = state.time_ms - start if state.ended else -1
    out = "".join(text for _, stream, text in box.lines if stream == "stdout")
    err = "".join(text for _, stream, text in box.lines if stream == "stderr")
    return state.status if state.ended else 0, out, err, took


def why_no_exec(runtime: Runtime, container: Container, command: tuple[str, ...]) -> tuple[int, str] | None:
    """Why a command cannot be run in a container, as (exit code, words); None where it can."""
    program, name = container.program, command[0].rsplit("/", 1)[-1]
    box = Box(runtime, container)
    on_node = "kube-proxy" in container.config.image and name in NODE_TOOLS  # the image has them, though no shell
    if name == "grpc_health_probe" and any(serve.protocol == "grpc" for serve in program.behaviour.serves):
        return None  # images that speak gRPC brought it along before kubelets could ask by themselves
    if (not program.behaviour.shell and not on_node) or (name not in TOOLS and not box.is_main(name) and box.read(command[0]) is None):
        lost = f"stat {command[0]}: no such file or directory"
        why = lost if command[0].startswith("/") else "executable file not found in $PATH"
        if program.behaviour.match != "*" or (name in {"sh", "bash"} and not program.behaviour.shell):
            said = f'{NO_EXEC}unable to start container process: exec: "{command[0]}": {why}\n'
            return 126 if command[0].startswith("/") else 127, said
    return None


def script_of(command: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
    """A command line as a script: (source, parameters, the shell's name)."""
    name = command[0].rsplit("/", 1)[-1]
    if name in {"sh", "bash", "ash", "dash", "zsh"}:
        rest = list(command[1:])
        strict, given = "", False
        while rest and rest[0].startswith(("-", "+")) and len(rest[0]) > 1:
            flag = rest.pop(0)
            if flag == "--":
                break
            if not flag.startswith("--"):
                on = flag.startswith("-")
                strict += "set -e\n" if on and "e" in flag else ""
                strict += "set -x\n" if on and "x" in flag else ""
                given |= on and "c" in flag  # the script is the first word that is no option
                if "o" in flag and rest:
                    rest.pop(0)  # the name of an option
        if given:
            return strict + (rest[0] if rest else ""), tuple(rest[2:]), name
        if rest:
            return f"{name} {shlex.join(rest)}", (), name
        return "", (), name
    return shlex.join(command), (), "sh"


def probe(runtime: Runtime, container: Container, command: tuple[str, ...], timeout_ms: int) -> tuple[bool, str, int | None, bool]:
    """Runs a command as a probe: (healthy, what it said, when that may change by itself, whether it could not be run at all)."""
    code, out, err, took = execute(runtime, container, command)
    until: int | None = None
    names = compile_script(script_of(command)[0]).names
    vm = container.vm
    if vm is not None and not vm.ended and vm.wake_ms > runtime.sim.time_ms:
        until = vm.wake_ms
    if names & _NET and not any("localhost" in each or "127.0.0.1" in each for each in command):
        until = runtime.sim.time_ms
    ready_ms = container.started_ms + container.program.ready_ms
    serving = container.program.acts or (container.vm is not None and container.vm.serving)
    if code == NOT_FOUND and serving and ready_ms <= runtime.sim.time_ms:
        return True, "", until, False  # a tool of an application's image, which only the real image has: it finds the application well
    if code and ready_ms > runtime.sim.time_ms:
        until = ready_ms if until is None else min(until, ready_ms)
    if took < 0 or took > timeout_ms:
        return False, f'command timed out: "{" ".join(command)}" timed out after {timeout_ms // 1000}s', until, False
    if code and err.startswith(NO_EXEC):
        head = f'failed to exec in container: failed to start exec "{container.id}": '
        return False, f"rpc error: code = Unknown desc = {head}{err.strip()}", until, True
    return code == 0, (out + err)[:PROBE_OUTPUT_MOST], until, False


_STATUS = re.compile(r"HTTP/1\.[01] (\d{3})[^\r\n]*")


def _http(text: str) -> tuple[int, str]:
    """What a small server writes, as an answer: its status line and headers are no part of the body."""
    found = _STATUS.match(text)
    if found is None:
        return 200, text
    _, empty, body = text.replace("\r\n", "\n").partition("\n\n")
    return int(found[1]), body if empty else ""


def answer(runtime: Runtime, container: Container, port: int, path: str) -> Answer | None:
    """What a request meets at a port that a script listens at."""
    from clusterlab.runtime.serving import Answer

    listen: Any
    for listen in container.vm.listen:
        number, kind, arg, _once = listen
        if number != port or kind.startswith("udp/"):
            continue
        if kind == "echo":
            return Answer(False, 200, f"GET {path} HTTP/1.1\r\n\r\n", 500, None, container.id, None)
        if kind == "exec":
            status, body = _http(execute(runtime, container, ("sh", "-c", arg), f"GET {path} HTTP/1.1\r\n\r\n")[1])
            return Answer(False, status, body, 500, None, container.id, None)
        if kind == "text":
            status, body = _http(arg)
            return Answer(False, status, body, 500, None, container.id, None)
        box = Box(runtime, container)
        name = path.partition("?")[0].strip("/")
        text = box.read(f"{arg.rstrip('/')}/{name or 'index.html'}")
        if text is None and not name:
            text = "".join(f"<li>{each}</li>\n" for each in box.entries(arg))
        return Answer(False, 200 if text is not None else 404, text or "Not Found\n", 500, None, container.id, None)
    return None
