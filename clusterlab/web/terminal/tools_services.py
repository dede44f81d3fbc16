"""systemctl and journalctl on a node, for the units that a course stops and starts: the kubelet, and containerd to look at.

Stopping the kubelet is the fault kubelet-stop, and starting it takes that away, so that the page tells the same story. What journalctl
prints are the model's own steps of that kubelet. Exit codes follow systemctl(1): 3 where a unit is not active, 4 where there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell import journal
from clusterlab.runtime.shell.machine import Result
from clusterlab.web import runs
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.terminal import limits
from clusterlab.web.terminal.tools import in_language, own_tool, refused

if TYPE_CHECKING:
    from clusterlab.runtime.shell.machine import Run
    from clusterlab.web.terminal.shell import Shell

__all__ = ["UNITS", "on_node"]

#: What is answered here.
UNITS = ("systemctl", "journalctl")
_ABOUT = {"kubelet": "kubelet: The Kubernetes Node Agent", "containerd": "containerd container runtime"}
_CHANGES = {"start", "stop", "restart"}


@own_tool(*UNITS)
def here(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    line = " ".join(argv) if argv[1:] else "systemctl status kubelet"
    return Result(1, "", f"{argv[0]}: units are on the nodes: write ssh node-1 {line}\n")


def on_node(shell: Shell, node: str, argv: list[str]) -> Result:
    """`systemctl status|start|stop|restart|is-active UNIT` and `journalctl -u UNIT [-n LINES]` on a node that there is."""
    lab = shell.desk.lab
    runtime: Any = lab.cluster.sim.components.get(f"runtime/{node}")
    if runtime is not None and not runtime.up:
        return Result(255, "", f"ssh: connect to host {node} port 22: No route to host\n")
    words = [word for word in argv[1:] if not word.startswith("-")]
    lab.tick_clock()
    if argv[0] == "journalctl":
        return Result(0, journal.read(lab.cluster.sim, node, argv))
    verb, unit = words[0] if words else "", (words[1] if len(words) > 1 else "").removesuffix(".service")
    if verb in ("daemon-reload", "enable", "reset-failed"):
        return Result()
    if verb in ("", "list-units"):
        rows = (f"  {name}.service  loaded  {'active   running' if _active(lab, node, name) else 'inactive dead   '}  {about}\n"
                for name, about in _ABOUT.items())
        return Result(0, "  UNIT  LOAD  ACTIVE  SUB  DESCRIPTION\n" + "".join(rows))
    if unit not in _ABOUT:
        return Result(4, "", f"Unit {unit or verb or 'of that name'}.service could not be found.\n")
    if verb == "is-active":
        return Result(0, "active\n") if _active(lab, node, unit) else Result(3, "inactive\n")
    if verb == "status":
        return _status(lab, node, unit)
    if verb not in _CHANGES:
        return Result(1, "", f"Unknown command verb '{verb}'.\n")
    if unit != "kubelet":
        return in_language(shell, Result(1, "", f"systemctl: {unit} is always there in this model; the kubelet can be stopped\n"))
    if reason := limits.refusal(lab, ["ssh", node, *argv]):
        return in_language(shell, Result(1, "", f"systemctl: {reason}\n"))
    try:
        shell.wait_for(_change(shell, node, verb))
    except LabError as error:
        return in_language(shell, refused("systemctl", error))
    return Result()


def _faults(lab: Lab, node: str) -> list[str]:
    return [name for name, each in lab.cluster.faults.items() if each["kind"] == "kubelet-stop" and each.get("target") == node]


async def _change(shell: Shell, node: str, verb: str) -> None:
    lab, key = shell.desk.lab, shell.desk.key
    if verb in ("stop", "restart") and not _faults(lab, node):
        await runs.fault(lab, {"kind": "kubelet-stop", "target": node}, key)
    if verb in ("start", "restart"):
        for name in _faults(lab, node):
            await runs.heal(lab, name, key)


def _active(lab: Lab, node: str, unit: str) -> bool:
    component: Any = lab.cluster.sim.components.get(f"kubelet/{node}" if unit == "kubelet" else f"runtime/{node}")
    return bool(component is not None and component.up)


def _status(lab: Lab, node: str, unit: str) -> Result:
    active = _active(lab, node, unit)
    text = f"{'●' if active else '○'} {unit}.service - {_ABOUT[unit]}\n"
    text += f"     Loaded: loaded (/usr/lib/systemd/system/{unit}.service; enabled; preset: enabled)\n"
    text += f"     Active: {'active (running)' if active else 'inactive (dead)'}\n"
    if unit == "kubelet":
        text += "\n" + "".join(journal.lines(lab.cluster.sim, node)[-10:])
    return Result(0 if active else 3, text)
