"""Files that nobody wrote: those of the image, and those that a kubelet, a runtime or the kernel makes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

__all__ = ["is_directory", "paths", "read"]

_RELEASES = {
    "debian": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nID=debian\n',
    "alpine": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.2\nPRETTY_NAME="Alpine Linux v3.22"\n',
}
_MADE = (
    "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/os-release", "/etc/passwd", "/proc/cpuinfo", "/proc/meminfo", "/proc/1/cgroup",
    "/proc/1/cmdline", "/proc/loadavg", "/proc/mounts", "/proc/uptime", "/proc/version", "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu.weight", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max",
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
    config, runtime = box.container.config, box.runtime
    if path == "/etc/hostname":
        return box.hostname + "\n"
    if path == "/etc/hosts":
        return runtime.hosts.get(box.sandbox.pod_uid) or hosts(box)
    if path == "/etc/resolv.conf":
        network: Any = runtime.sim.components.get("network")
        if network is None:
            return "nameserver 10.96.0.10\n"
        return str(network.resolver_of(network.source_of(box.sandbox.pod_uid, runtime.node)).text())
    if path == "/etc/os-release":
        return _RELEASES.get(box.container.program.behaviour.distribution)
    if path == "/etc/passwd":
        return "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
    if path == "/sys/fs/cgroup/memory.max":
        return f"{config.memory_limit or 'max'}\n"
    if path == "/sys/fs/cgroup/memory.current":
        return f"{runtime.memory_now(box.container)}\n"
    if path == "/sys/fs/cgroup/cpu.max":
        return f"{config.cpu_limit_milli * 100 if config.cpu_limit_milli else 'max'} 100000\n"
    if path == "/sys/fs/cgroup/cpu.weight":
        return f"{cpu_weight(config.cpu_request_milli)}\n"
    return _proc(box, path)


def _proc(box: Box, path: str) -> str | None:
    uptime = box.up_ms(box.runtime.sim.time_ms) // 1000
    made = {
        "/proc/cpuinfo": "".join(f"processor\t: {each}\nmodel name\t: clusterlab\n\n" for each in range(box.cpus)),
        "/proc/meminfo": f"MemTotal:       {box.memory_kib} kB\nMemFree:        {box.memory_kib * 3 // 4} kB\n",
        "/proc/1/cgroup": "0::/\n", "/proc/1/cmdline": "\0".join(box.container.program.argv) + "\0",
        "/proc/loadavg": "0.00 0.00 0.00 1/2 8\n", "/proc/uptime": f"{uptime}.00 {uptime}.00\n",
        "/proc/version": "Linux version 6.12.0\n", "/sys/fs/cgroup/pids.max": "max\n", "/bin/sh": "",
        "/proc/mounts": "overlay / overlay rw 0 0\n" + "".join(
            f"/dev/sda1 {mount.path} ext4 {'ro' if mount.read_only else 'rw'} 0 0\n" for mount in box.container.config.mounts),
    }
    return made.get(path)


def cpu_weight(milli: int) -> int:
    """cgroup v2's weight for a CPU request (pkg/kubelet/cm: shares to weight)."""
    shares = max(2, milli * 1024 // 1000)
    return 1 + (shares - 2) * 9999 // 262_142


def hosts(box: Box) -> str:
    """/etc/hosts as a kubelet writes it."""
    return (
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n"
        f"fe00::\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n{box.ip}\t{box.hostname}\n"
    )
