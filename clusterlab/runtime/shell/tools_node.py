"""Tools of a node, as they are found in pods that share its network: iptables-save, ipvsadm, nft, crictl, docker, chroot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell.machine import Result, Run

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

_EMPTY = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"


def _proxy(box: Box) -> Any:
    """kube-proxy of the node whose network the container shares; None in a network of its own."""
    return box.runtime.sim.components.get(f"kube-proxy/{box.runtime.node}") if box.sandbox.host_network else None


def rules(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """iptables-save, and iptables -S or -L of a table: kube-proxy's rules, where it writes such."""
    proxy = _proxy(box)
    text = proxy.iptables_save() if proxy is not None and proxy.mode == "iptables" else _EMPTY
    table = argv[argv.index("-t") + 1] if "-t" in argv[:-1] else "" if argv[0] == "iptables-save" else "filter"
    named = next((argv[at + 1] for at, each in enumerate(argv[:-1]) if each in {"-L", "-S"} and not argv[at + 1].startswith("-")), "")
    if argv[0] != "iptables-save" and not {"-L", "-S", "-n", "-nL", "-nvL"} & set(argv):
        return Result(1, "", f"{argv[0]}: rules are kube-proxy's to write here; -S, -L and iptables-save show them\n")
    if table:
        parts = [part for part in text.split("*") if part.startswith(f"{table}\n")]
        text = "*" + parts[0] if parts else ""
    if named:
        text = "".join(line + "\n" for line in text.splitlines() if f" {named} " in f"{line} " or line.startswith(f":{named} "))
    return Result(0, text)


def ipvsadm(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    proxy = _proxy(box)
    if proxy is None or proxy.mode != "ipvs":
        return Result(0, "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
                         "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n")
    return Result(0, proxy.ipvsadm())


def nft(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    proxy = _proxy(box)
    return Result(0, proxy.nft() if proxy is not None and proxy.mode == "nftables" else "")


def runtime_client(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """crictl and docker: what the node's runtime has."""
    from clusterlab.runtime import view_images, views

    docker = box.runtime.flavour.name == "docker"
    if not box.sandbox.host_network or (argv[0] == "docker") != docker:
        return Result(127, "", f"{run.shell}: {argv[0]}: not found\n")
    words = [each for each in argv[1:] if not each.startswith("-")]
    command = words[0] if words else ""
    one = {"inspecti": view_images.inspect, "history": view_images.history}.get(command)
    if one is not None and (command == "history") == docker and len(words) > 1:
        text = one(box.runtime, words[-1])
        why = f"Error response from daemon: No such image: {words[-1]}" if docker else f'E: no such image "{words[-1]}" present'
        return Result(0, text) if text is not None else Result(1, "", why + "\n")
    shown = {"ps": views.ps, "images": views.images, "pods": views.pods, "info": views.info, "version": views.info}.get(command)
    if shown is None:
        known = "ps, images, history and info" if docker else "ps, images, inspecti, pods and info"
        return Result(1, "", f"{argv[0]}: {known} are known here\n")
    return Result(0, shown(box.runtime))


def chroot(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """chroot /host COMMAND: the node's own tools are the same here."""
    return box.tool(run, argv[2:], stdin) if len(argv) > 2 else Result()


def nsenter(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """nsenter … -- COMMAND: a pod on the node's network is in its namespaces already."""
    return box.tool(run, argv[argv.index("--") + 1:], stdin) if "--" in argv[:-1] else Result()


TOOLS: dict[str, Tool] = {
    "iptables-save": rules, "iptables": rules, "ipvsadm": ipvsadm, "nft": nft, "crictl": runtime_client, "docker": runtime_client,
    "chroot": chroot, "nsenter": nsenter,
}
