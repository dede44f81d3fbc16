"""Commands that look at the cluster from its inside: etcdctl, what runs on the nodes, and requests as a client makes them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from clusterlab.etcd import ctl
from clusterlab.nodeshell import CLIENTS, VIEWS, view
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.said import lines_said
from clusterlab.web.terminal import limits
from clusterlab.web.terminal.tools import in_language, refused, tool, usage
from clusterlab.web.terminal.tools_forward import forwarded, through_proxy
from clusterlab.web.terminal.tools_services import UNITS, on_node

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["etcdctl_answer", "nodes_of"]


def nodes_of(lab: Lab) -> list[str]:
    """The nodes' names, workers first: where crictl and the like look unless told otherwise."""
    names = list(lab.cluster.network.node_addresses())
    return sorted(names, key=lambda name: ("control-plane" in name, name))


async def etcdctl_answer(lab: Lab, argv: list[str]) -> tuple[int, str, str]:
    """Answers etcdctl from the model; what changes something is a command of the lab."""
    if ctl.changes(argv):
        code, out, err = await lab.command({"kind": "etcdctl", "argv": argv})
    else:
        code, out, err = lab.cluster.etcd_shell.ask(argv)
    return code, out, err


async def _on_node(lab: Lab, node: str, argv: list[str], stdin: str) -> tuple[int, str, str]:
    if argv[0] in CLIENTS:
        data: dict[str, Any] = {"kind": "node", "node": node, "argv": [word[:4000] for word in argv[:100]]}
        code, out, err = await lab.command({**data, "stdin": stdin[:65_536]} if stdin else data)
        return code, out, err
    lab.tick_clock()
    return view(lab.cluster.sim, node or nodes_of(lab)[0], argv)


def _answered(shell: Shell, work: Any, argv: list[str]) -> Result:
    reason = limits.refusal(shell.desk.lab, argv)
    if reason:
        work.close()
        return in_language(shell, Result(1, "", f"{argv[0]}: {reason}\n"))
    try:
        return Result(*shell.wait_for(work))
    except LabError as error:
        return in_language(shell, refused(argv[0], error))


@tool("etcdctl")
def etcdctl(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    return _answered(shell, etcdctl_answer(shell.desk.lab, argv[1:]), argv)


@tool(*CLIENTS, *VIEWS)
def on_any_node(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """Clients ask from within the cluster; views are those of the first worker."""
    if argv[0] in ("curl", "wget") and (answer := through_proxy(shell, run, argv, stdin)) is not None:
        return answer
    node, words, used = forwarded(shell.desk.lab, argv) if argv[0] in ("curl", "wget", "nc") else ("", argv, [])
    for forward in used:
        forward.shell.note(f"Handling connection for {forward.local}\n")
    result = _answered(shell, _on_node(shell.desk.lab, node, words, stdin), argv)
    if argv[0] in VIEWS and shell.is_direct(run) and not result.code:
        note = f"(on {nodes_of(shell.desk.lab)[0]}; ssh NODE {argv[0]} looks at another node)\n"
        return result._replace(err=result.err + lines_said(note, shell.desk.language))
    return result


@tool("ssh", "node")
def ssh(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`ssh NODE COMMAND …`."""
    words = argv[1:]
    lab = shell.desk.lab
    if not words:
        return in_language(shell, usage("ssh", f"NODE COMMAND, with NODE one of {', '.join(nodes_of(lab)[:8])}"))
    node, rest = words[0].rpartition("@")[2], words[1:]
    if len(rest) == 1 and " " in rest[0]:
        try:
            rest = shlex.split(rest[0])
        except ValueError as error:
            return Result(2, "", f"bash: {error}\n")
    if rest[:1] == ["sudo"]:
        rest = rest[1:]
    if node not in nodes_of(lab):
        return Result(255, "", f"ssh: Could not resolve hostname {node}: Name or service not known\n")
    if rest and rest[0] in UNITS:
        return on_node(shell, node, rest)
    if not rest or rest[0] not in (*CLIENTS, *VIEWS, "hostname"):
        problem = f"ssh: on a node there are {', '.join((*VIEWS, *UNITS, *CLIENTS))}: write ssh {node} crictl ps\n"
        return in_language(shell, Result(127, "", problem))
    if rest[0] == "hostname":
        return Result(0, node + "\n") if node in nodes_of(lab) else Result(255, "", f"ssh: Could not resolve hostname {node}\n")
    return _answered(shell, _on_node(lab, node, rest, stdin), ["ssh", *words])
