"""clusterlab's own commands: the clock, causes, faults; and what the page does for a command line (breakpoints, bookmarks, forks)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clusterlab.machinery.scheme import BUILTIN
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.scenario.model import FAULT_KINDS
from clusterlab.stream.conditions import ConditionError, parse_condition
from clusterlab.web import runs
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.said.steps import step_said
from clusterlab.web.terminal import limits
from clusterlab.web.terminal.tools import own_tool, refused, usage
from clusterlab.web.terminal.tools_help import about

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["RAW", "object_key", "raw_line"]

#: Commands whose words are a condition, in which > and ( mean themselves.
RAW = {"break", "continue", "until"}
MAX_STEPS = 1000
_OPTION = re.compile(r"(for|from|to|latency|jitter|loss|container|rate|code|component)=(.+)", re.DOTALL)


def _clock(time_ms: int) -> str:
    minutes, rest_ms = divmod(time_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours:02}:" if hours else "") + f"{minutes:02}:{rest_ms / 1000:06.3f}"


def _told(step: Any, language: str) -> str:
    what = step_said(step.explain, language) or f"{step.verb} {step.object}"
    return f"{step.seq:>6}  {_clock(step.time_ms)}  {step.actor}: {what}\n"


def _state(lab: Lab) -> str:
    state = lab.state()
    words = "settled" if state["settled"] else "something is left to do"
    return f"step {state['seq']} of {state['last']}, {_clock(state['time'])}, {state['mode']}, {words}\n"


def _since(lab: Lab, seq: int, language: str, most: int = 40) -> str:
    sim = lab.cluster.sim
    new = [step for step in sim.steps[max(0, seq - sim.first_seq + 1):] if not step.routine]
    shown = "".join(_told(step, language) for step in new[-most:])
    return (f"… {len(new) - most} steps that are not shown\n" if len(new) > most else "") + shown


def _do(shell: Shell, argv: list[str], work: Any) -> Result:
    reason = limits.refusal(shell.desk.lab, argv)
    if reason:
        work.close()
        return Result(1, "", f"{argv[0]}: {reason}\n")
    try:
        answer = shell.wait_for(work)
        return answer if isinstance(answer, Result) else Result(0, answer or "")
    except LabError as error:
        return refused(argv[0], error)


def _number(argv: list[str], default: int = 1) -> int | None:
    if len(argv) < 2:
        return default
    return int(argv[1]) if argv[1].isdecimal() and len(argv[1]) < 10 else None


@own_tool("step")
def step(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`step [N]`: so many steps that matter; says what they did."""
    lab, count = shell.desk.lab, _number(argv)
    if count is None or not 1 <= count <= MAX_STEPS:
        return usage("step", f"[1 to {MAX_STEPS}]")

    async def work() -> str:
        seq = lab.cluster.sim.last_seq
        for _ in range(count):
            await runs.run(lab, {"until": "step"})
        return _since(lab, seq, shell.desk.language) or "nothing but routine is left to do\n"

    return _do(shell, argv, work())


@own_tool("settle")
def settle(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """Runs until nothing is left to do."""
    lab = shell.desk.lab

    async def work() -> str:
        seq = lab.cluster.sim.last_seq
        await runs.run(lab, {"until": "settled"})
        return _since(lab, seq, shell.desk.language, 12) + _state(lab)

    return _do(shell, argv, work())


@own_tool("play", "pause", "back", "status")
def modes(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`play [SPEED]`, `pause`, `back`, and `status`, which only tells."""
    lab = shell.desk.lab

    async def work() -> str:
        if argv[0] == "play":
            try:
                body = {"speed": float(argv[1].removesuffix("x"))} if len(argv) > 1 else {}
            except ValueError:
                raise LabError("speed is a number of simulated seconds for each second, as in: play 10") from None
            await runs.play(lab, body)
        elif argv[0] == "pause":
            await lab.pause()
        elif argv[0] == "back":
            await lab.seek(await runs.before(lab))
        return _state(lab)

    return _do(shell, argv, work())


@own_tool("seek")
def seek(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`seek STEP`: stands after that step, paused."""
    lab, seq = shell.desk.lab, _number(argv, -1)
    if seq is None or seq < 0:
        return usage("seek", f"STEP, from 0 to {lab.history.last_seq}")

    async def work() -> str:
        await lab.seek(seq)
        return _state(lab)

    return _do(shell, argv, work())


# Causes and faults.


def object_key(words: list[str], namespace: str = "default") -> str:
    """pods/default/web-1 from any of: pod web-1, pod/web-1, pods/default/web-1, -n shop deploy web. "" where that is no object."""
    words = list(words)
    for flag in ("-n", "--namespace"):
        if flag in words[:-1]:
            at = words.index(flag)
            namespace = words[at + 1]
            del words[at:at + 2]
    parts = words[0].split("/") if len(words) == 1 else words[:2]
    if len(parts) < 2 or not all(parts):
        return ""
    kind = parts[0].lower()
    found = next((each for each in BUILTIN.resources if kind in (each.plural, each.kind.lower(), *each.short_names)
                  or kind == each.singular), None)
    if found is None:
        return "/".join(parts) if len(parts) in (2, 3) else ""
    if len(parts) == 3:
        namespace = parts[1]
    return f"{found.string}/{namespace}/{parts[-1]}" if found.namespaced else f"{found.string}/{parts[-1]}"


@own_tool("why")
def why(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`why OBJECT`: the chain of causes behind it, the newest step first."""
    lab, key = shell.desk.lab, object_key(argv[1:])
    if not key:
        return usage("why", "pod NAME, or deploy/NAME, or pods/NAMESPACE/NAME")

    async def work() -> Result:
        chain = lab.cluster.why(key)
        if not chain:
            there = f"{key} was there before the first step" if lab.cluster.find(key) else f"no step has touched {key}"
            return Result(1, "", f"why: {there}\n")
        told = (_told(step, shell.desk.language) for step in chain[:50])
        return Result(0, "".join(("       because of\n" if at else "") + each for at, each in enumerate(told)))

    return _do(shell, argv, work())


@own_tool("fault")
def fault(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`fault KIND [TARGET] [for=30s …]`; without words, what there is."""
    lab, words = shell.desk.lab, argv[1:]
    if not words:
        active = "".join(f"{name}  {each['kind']} {each.get('target', '')}\n" for name, each in lab.cluster.faults.items())
        kinds = ", ".join(FAULT_KINDS)
        return Result(0, f"{active or 'no faults'}{'' if active else chr(10)}usage: fault KIND [TARGET] [for=30s]; kinds: {kinds}\n")
    body: dict[str, Any] = {"kind": words[0]}
    for word in words[1:]:
        option = _OPTION.fullmatch(word)
        if option:
            body[option[1]] = int(option[2]) if option[1] == "code" and option[2].isdecimal() else option[2]
        elif "target" not in body:
            body["target"] = word
        else:
            return usage("fault", "KIND [TARGET] [for=30s] [latency=100ms] [loss=5%] …")

    async def work() -> str:
        return f"fault {await runs.fault(lab, body, shell.desk.key)} began; heal all, or heal and its name, takes it away\n"

    return _do(shell, argv, work())


@own_tool("heal")
def heal(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`heal ID`, or `heal all`."""
    lab = shell.desk.lab
    if len(argv) != 2:
        return usage("heal", "ID or all; fault lists them")

    async def work() -> str:
        ids = list(lab.cluster.faults) if argv[1] == "all" else [argv[1]]
        for one in ids:
            await runs.heal(lab, one, shell.desk.key)
        return f"healed: {', '.join(ids)}\n" if ids else "there are no faults\n"

    return _do(shell, argv, work())


# What the page does.


def _page(shell: Shell, argv: list[str], action: dict[str, Any], said: str) -> Result:
    async def work() -> Result:
        problem = await shell.io.page(action)
        return Result(1, "", f"{argv[0]}: {problem}\n") if problem else Result(0, said)

    return _do(shell, argv, work())


@own_tool("bookmark")
def bookmark(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`bookmark [NAME]`: marks the step that is on the stage."""
    return _page(shell, argv, {"do": "bookmark", "name": " ".join(argv[1:])[:80]}, "this step is marked on the timeline\n")


@own_tool("fork")
def fork(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`fork`: the same past in a new lab, for another future."""
    return _page(shell, argv, {"do": "fork"}, "a new lab opens with the same past\n")


def raw_line(shell: Shell, line: str) -> Result | None:
    """Lines of RAW commands are taken whole; None where this is none of them."""
    name, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if name not in RAW:
        return None
    if rest in ("--help", "-h"):
        return Result(0, about(name))
    if rest:
        try:
            parse_condition(rest)
        except ConditionError as error:
            return Result(2, "", f"{name}: {error}\n")
    lab = shell.desk.lab
    if name == "break":
        if not rest:
            return usage("break", "CONDITION, as in: break kind = Pod and status = CrashLoopBackOff")
        return _page(shell, [name], {"do": "break", "condition": rest}, "breakpoint set; continue runs to it\n")
    if name == "continue" and not rest:
        return _page(shell, [name], {"do": "continue"}, "")
    if not rest:
        return usage("until", "CONDITION, as in: until kind = Deployment and .status.readyReplicas >= 3")

    async def work() -> Result:
        seq = lab.cluster.sim.last_seq
        await runs.run(lab, {"until": {"condition": rest}})
        new = lab.cluster.sim.steps[-1:]
        return Result(0, (_told(new[0], shell.desk.language) if new and new[0].seq > seq else "") + _state(lab))

    return _do(shell, [name, rest], work())
