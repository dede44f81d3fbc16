"""Tools of a node, as they are found in pods that share its network: iptables-save, ipvsadm, nft, crictl, docker, chroot, systemctl; and
those of its control plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell import journal
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
    if not docker:
        from clusterlab.runtime.crictl import crictl

        return Result(*crictl(box.runtime, argv[1:]))
    if box.runtime.refusal:
        return Result(1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n")
    words = [each for each in argv[1:] if not each.startswith("-")]
    command = words[0] if words else ""
    if command == "history" and len(words) > 1:
        text = view_images.history(box.runtime, words[-1])
        return Result(0, text) if text is not None else Result(1, "", f"Error response from daemon: No such image: {words[-1]}\n")
    shown = {"ps": views.ps, "images": views.images, "info": views.info, "version": views.info}.get(command)
    if shown is None:
        return Result(1, "", "docker: ps, images, history and info are known here\n")
    return Result(0, shown(box.runtime))


def chroot(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """chroot DIRECTORY COMMAND: the node's own tools are the same here, its files are those below the directory."""
    if len(argv) < 2:
        return Result(1, "", "Usage: chroot NEWROOT [PROG ARGS]\n")
    if not box.is_directory(argv[1]):
        return Result(1, "", f"chroot: can't change root directory to '{argv[1]}': No such file or directory\n")
    if len(argv) == 2:
        return Result()
    inside, outside = box.below(argv[1]), run.host
    run.host = inside  # a shell and what it runs are inside, too
    try:
        return inside.tool(run, argv[2:], stdin)
    finally:
        run.host = outside


def journalctl(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """journalctl -u kubelet on a node: what its kubelet did, step by step, as far back as the lab knows."""
    if not box.sandbox.host_network:
        return Result(1, "", "No journal files were found.\n")
    return Result(0, journal.read(box.runtime.sim, box.runtime.node, argv))


def nsenter(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """nsenter … -- COMMAND: a pod on the node's network is in its namespaces already."""
    return box.tool(run, argv[argv.index("--") + 1:], stdin) if "--" in argv[:-1] else Result()


def traceroute(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """The way to an address: the bridge of the own node, the node that has it, and the address itself."""
    words = [each for each in argv[1:] if not each.startswith("-") and not each.isdigit()]
    if not words:
        return Result(2, "", "Usage: traceroute HOST\n")
    answer = box.ping(run, words[0])
    if answer.error == "name":
        return Result(1, "", f"traceroute: bad address '{words[0]}'\n")
    network: Any = box.runtime.sim.components.get("network")
    nodes = network.node_addresses() if network is not None else {}
    target = answer.address
    inside = next((address for name, address in nodes.items() if target.startswith(
        getattr(box.runtime.sim.components.get(f"runtime/{name}"), "pod_cidr", "?").rsplit(".", 1)[0] + ".")), "")
    own = nodes.get(box.runtime.node, "")
    way = [] if box.sandbox.host_network else [box.gateway]
    way += [inside] if inside and inside != own else []
    lines = [*way, target] if not answer.error else [*way, *(["*"] * 3)]
    ms = max(answer.latency_us, 60) / 1000
    out = f"traceroute to {words[0]} ({target}), 30 hops max, 46 byte packets\n"
    for number, each in enumerate(dict.fromkeys(lines) if not answer.error else lines, 1):
        step = ms * number / max(1, len(lines))
        out += f"{number:2}  *  *  *\n" if each == "*" else f"{number:2}  {each} ({each})  {step:.3f} ms  {step:.3f} ms  {step:.3f} ms\n"
    return Result(0, out, "", 15_000 if answer.error else int(ms))


def systemctl(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """systemctl status and is-active of what runs on a node; it is stopped and started from the page's terminal or as a fault."""
    words = [each.removesuffix(".service") for each in argv[1:] if not each.startswith("-")]
    if not box.sandbox.host_network or len(words) < 2 or words[0] not in ("status", "is-active"):
        return Result(1, "", "systemctl: status and is-active of kubelet and containerd are known here, on a node\n")
    engine = {"cri-o": "crio"}.get(box.runtime.flavour.name, box.runtime.flavour.name)
    kubelet: Any = box.runtime.sim.components.get(f"kubelet/{box.runtime.node}")
    active = {"kubelet": kubelet is not None and kubelet.up, engine: box.runtime.up and not box.runtime.refusal}.get(words[1])
    if active is None:
        return Result(4, "", f"Unit {words[1]}.service could not be found.\n")
    if words[0] == "is-active":
        return Result(0 if active else 3, ("active" if active else "inactive") + "\n")
    about = {"kubelet": "kubelet: The Kubernetes Node Agent"}.get(words[1], f"{words[1]} container runtime")
    mark, state = ("●", "active (running)") if active else ("○", "inactive (dead)")
    return Result(0 if active else 3, (
        f"{mark} {words[1]}.service - {about}\n     Loaded: loaded (/lib/systemd/system/{words[1]}.service; enabled; preset: enabled)\n"
        f"     Active: {state}\n"))


def etcdctl(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """etcdctl and etcdutl, as the image of etcd has them: what they ask of the member beside them."""
    shell: Any = box.runtime.sim.components.get("etcdctl")
    name = box.container.config.image.rpartition("/")[2].partition(":")[0]
    if shell is None or name != "etcd" or box.sandbox.namespace != "kube-system":
        return Result(127, "", f"{run.shell}: {argv[0]}: not found\n")
    return Result(*shell.inside(argv[1:]))


TOOLS: dict[str, Tool] = {
    "iptables-save": rules, "iptables": rules, "ipvsadm": ipvsadm, "nft": nft, "crictl": runtime_client, "docker": runtime_client,
    "chroot": chroot, "nsenter": nsenter, "traceroute": traceroute, "systemctl": systemctl,
    "journalctl": journalctl,
    "etcdctl": etcdctl, "etcdutl": etcdctl,
}
