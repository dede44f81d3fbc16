"""Files that nobody wrote: those of the image, and those that a kubelet, a runtime or the kernel makes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell import kernel

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

__all__ = ["is_directory", "paths", "read"]

_RELEASES = {
    "debian": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nID=debian\n',
    "alpine": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.2\nPRETTY_NAME="Alpine Linux v3.22"\n',
}
_MADE = (
    "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/os-release", "/etc/passwd", *(f"/proc/{name}" for name in kernel.PROC),
    *(f"/sys/fs/cgroup/{name}" for name in kernel.CGROUP), "/usr/share/", "/usr/local/share/", "/var/cache/",
)


def paths(box: Box) -> list[str]:
    """Where such files are."""
    return [*_MADE, *(path for path, _ in box.container.program.behaviour.files), f"/bin/{'sh'}"]


def is_directory(box: Box, path: str) -> bool:
    return any(each.startswith(path + "/") for each in paths(box))


def read(box: Box, path: str) -> str | None:
    """The text of such a file."""
    for each, text in box.container.program.behaviour.files:
        if each == path:
            return text
    runtime = box.runtime
    if path == "/etc/hostname":
        return box.hostname + "\n"
    if path == "/etc/hosts":
        return hosts(box) + runtime.hosts.get(box.sandbox.pod_uid, "")
    if path == "/etc/resolv.conf":
        network: Any = runtime.sim.components.get("network")
        if network is None:
            return "nameserver 10.96.0.10\n"
        return str(network.resolver_of(network.source_of(box.sandbox.pod_uid, runtime.node)).text())
    if path == "/etc/os-release":
        return _RELEASES.get(box.distribution)
    if path == "/etc/passwd":
        own = box.user_name
        more = f"{own}:x:{box.uid}:{box.uid}::/home:/bin/false\n" if own not in {"root", "nobody"} and not own.isdigit() else ""
        return f"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n{more}"
    if path.startswith("/sys/fs/cgroup/"):
        return kernel.cgroup(box, path[len("/sys/fs/cgroup/"):])
    if path.startswith("/proc/"):
        return kernel.proc(box, path[len("/proc/"):])
    return "" if path == "/bin/sh" else None


def hosts(box: Box) -> str:
    """/etc/hosts as a kubelet writes it."""
    name = f"{box.fqdn}\t{box.hostname}" if box.sandbox.domain else box.hostname
    return (
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
        f"fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n{box.ip}\t{name}\n"
    )
