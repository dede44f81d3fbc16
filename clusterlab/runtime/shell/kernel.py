"""What the kernel shows of a container: its part of /proc and its cgroup (version 2) under /sys/fs/cgroup.

Follows cgroups(7) and Documentation/admin-guide/cgroup-v2.rst in the names and shapes of the files; values come from the model: limits
from the pod, usage from `metrics`, throttling from the CPU that a container was refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.runtime.memory import leaked

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

__all__ = ["CGROUP", "NAMESPACES", "PROC", "cgroup", "cgroup_path", "cpu_weight", "namespace", "proc"]

CGROUP = (
    "cgroup.controllers", "cgroup.procs", "cpu.max", "cpu.stat", "cpu.weight", "cpuset.cpus.effective", "memory.current", "memory.events",
    "memory.high", "memory.max", "memory.min", "memory.peak", "memory.stat", "memory.swap.max", "pids.current", "pids.max",
)
PROC = (
    "cpuinfo", "meminfo", "loadavg", "mounts", "uptime", "version", "1/cgroup", "1/cmdline", "1/comm", "1/environ", "1/limits", "1/mounts",
    "1/oom_score_adj", "1/status", "1/maps", "1/attr/current", "1/uid_map", "1/gid_map", "net/dev", "net/tcp", "sys/kernel/hostname",
    "sys/net/core/somaxconn",
    "sys/kernel/pid_max",
)
PERIOD_US = 100_000
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


def cpu_weight(milli: int) -> int:
    """cgroup v2's weight for a CPU request (pkg/kubelet/cm: shares to weight)."""
    shares = max(2, milli * 1024 // 1000)
    return 1 + (shares - 2) * 9999 // 262_142


def cgroup_path(box: Box) -> str:
    """Where a node keeps the cgroup of a container (pkg/kubelet/cm/cgroup_manager_linux.go, systemd driver)."""
    config = box.container.config
    tier = {"guaranteed": ""}.get(config.qos, f"kubepods-{config.qos}.slice/")
    uid = box.sandbox.pod_uid.replace("-", "_")
    slice_name = f"kubepods-pod{uid}.slice" if not tier else f"kubepods-{config.qos}-pod{uid}.slice"
    prefix = {"containerd": "cri-containerd", "cri-o": "crio", "docker": "docker"}[box.runtime.flavour.name]
    return f"/kubepods.slice/{tier}{slice_name}/{prefix}-{box.container.id}.scope"


def _used(box: Box) -> tuple[int, int]:
    """(CPU in millionths of a core, memory in bytes) that the container uses now."""
    runtime, container = box.runtime, box.container
    traffic: Any = runtime.sim.components.get("traffic")
    busy = int(traffic.cpu_micro(container.id)) if traffic is not None else 0
    script = container.vm.cpu_milli * 1000 if container.vm is not None else 0
    wanted = container.program.cpu_milli * 1000 + script + busy
    return wanted, runtime.memory_now(container)


def cgroup(box: Box, name: str) -> str | None:
    """The text of a file of the container's cgroup."""
    config, runtime, container = box.container.config, box.runtime, box.container
    wanted, memory = _used(box)
    limit = config.cpu_limit_milli
    ran_us = max(0, runtime.sim.time_ms - container.started_ms) * 1000
    given = min(wanted, limit * 1000) if limit else wanted
    throttled = max(0, wanted - limit * 1000) if limit else 0
    periods = ran_us // PERIOD_US if limit else 0
    used_us = ran_us * given // 1_000_000
    memory = min(memory, config.memory_limit) if config.memory_limit else memory
    made: dict[str, Any] = {
        "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc",
        "cgroup.procs": "\n".join(str(pid) for pid, _ in box.processes()),
        "cpu.max": f"{limit * 100 if limit else 'max'} {PERIOD_US}", "cpu.weight": cpu_weight(config.cpu_request_milli),
        "cpu.stat": (
            f"usage_usec {used_us}\nuser_usec {used_us * 4 // 5}\nsystem_usec {used_us - used_us * 4 // 5}\nnr_periods {periods}\n"
            f"nr_throttled {periods if throttled else 0}\nthrottled_usec {ran_us * throttled // 1_000_000}"),
        "cpuset.cpus.effective": f"0-{box.cpus - 1}" if box.cpus > 1 else "0",
        "memory.current": memory, "memory.peak": memory, "memory.max": config.memory_limit or "max", "memory.high": "max", "memory.min": 0,
        "memory.swap.max": 0, "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0",
        "memory.stat": f"anon {memory * 9 // 10}\nfile {memory - memory * 9 // 10}\nkernel 0\nsock 0\nshmem 0",
        "pids.current": len(box.processes()) + leaked(box.container, "pids", box.runtime.sim.time_ms),
        "pids.max": "max" if box.runtime.pod_pids < 0 else box.runtime.pod_pids,
    }
    return f"{made[name]}\n" if name in made else None


def proc(box: Box, name: str) -> str | None:
    """The text of a file in /proc."""
    config, uptime = box.container.config, box.up_ms(box.runtime.sim.time_ms) // 1000
    name = name.replace("self/", "1/", 1) if name.startswith("self/") else name
    mounts = "overlay / overlay rw,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n" \
             "cgroup /sys/fs/cgroup cgroup2 ro,nosuid,nodev,noexec,relatime 0 0\n" + "".join(
        f"{'tmpfs' if mount.kind in _TMPFS else '/dev/sda1'} {mount.path} {'tmpfs' if mount.kind in _TMPFS else 'ext4'} "
        f"{'ro' if mount.read_only else 'rw'},relatime 0 0\n" for mount in config.mounts)
    made = {
        "cpuinfo": "".join(f"processor\t: {each}\nmodel name\t: clusterlab\n\n" for each in range(box.cpus)),
        "meminfo": f"MemTotal:       {box.memory_kib} kB\nMemFree:        {box.memory_kib * 3 // 4} kB\nMemAvailable:   "
                   f"{box.memory_kib * 3 // 4} kB\n",
        "1/cgroup": "0::/\n", "1/cmdline": "\0".join(box.container.program.argv) + "\0", "1/comm": _comm(box) + "\n",
        "1/environ": "\0".join(f"{key}={value}" for key, value in config.env) + "\0", "1/mounts": mounts, "mounts": mounts,
        "1/oom_score_adj": f"{config.oom_score_adj}\n", "1/status": _status(box),
        "1/maps": _maps(box),
        "1/attr/current": "unconfined\n" if config.privileged else f"{_APPARMOR[box.runtime.flavour.name]} (enforce)\n",
        "1/limits": "Limit                     Soft Limit           Hard Limit           Units\n"
                    "Max open files            1048576              1048576              files\n",
        "loadavg": "0.00 0.00 0.00 1/2 8\n", "uptime": f"{uptime}.00 {uptime}.00\n", "version": "Linux version 6.12.0\n",
        "net/dev": _NET_DEV + "".join(f"{name:>6}: " + " ".join("0" for _ in range(16)) + "\n" for name in ("lo", "eth0")),
        "net/tcp": "  sl  local_address rem_address   st\n" + "".join(
            f"{number:4}: 00000000:{port:04X} 00000000:0000 0A\n" for number, port in enumerate(box.listening())),
        "sys/kernel/hostname": box.hostname + "\n", "sys/net/core/somaxconn": "4096\n", "sys/kernel/pid_max": "4194304\n",
    }
    if name in {"1/uid_map", "1/gid_map"}:
        outside, count = (65_536 * (2 + int(box.sandbox.id[:3], 16)), 65_536) if box.sandbox.own_users else (0, 4_294_967_295)
        return f"{0:10} {outside:10} {count:10}\n"
    return made.get(name)


def namespace(box: Box, kind: str) -> str:
    """What a link under /proc/PID/ns leads to: each pod's own but that of users, unless the pod has its own users too (namespaces(7))."""
    if kind not in NAMESPACES:
        return ""
    shared = (kind == "user" and not box.sandbox.own_users) or kind == "time" or (kind in {"net", "uts"} and box.sandbox.host_network)
    first = {"time": 4_026_531_834, "cgroup": 4_026_531_835, "pid": 4_026_531_836, "user": 4_026_531_837, "uts": 4_026_531_838,
             "ipc": 4_026_531_839, "net": 4_026_531_840, "mnt": 4_026_531_841}[kind]
    owner = box.container.id if kind in {"mnt", "pid", "cgroup"} else box.sandbox.id
    return f"{kind}:[{first if shared else 4_026_532_000 + int(owner[:4], 16) * 8 + NAMESPACES.index(kind)}]"


_TMPFS = frozenset(("configMap", "secret", "projected", "downwardAPI"))


_NET_DEV = (
    "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed"
    " multicast|bytes    packets errs drop fifo colls carrier compressed\n"
)


def _comm(box: Box) -> str:
    return (box.container.program.argv or ("sh",))[0].rsplit("/", 1)[-1][:15]


def _status(box: Box) -> str:
    config = box.container.config
    uid, gid, caps = box.uid, box.gid, config.capabilities
    own = caps if uid == "0" else 0
    return (
        f"Name:\t{_comm(box)}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\nNgid:\t0\nPid:\t1\nPPid:\t0\nTracerPid:\t0\n"
        f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\nGroups:\t{' '.join(map(str, box.groups))}\n"
        f"VmRSS:\t{box.runtime.memory_now(box.container) >> 10} kB\nThreads:\t1\nCapInh:\t0000000000000000\nCapPrm:\t{own:016x}\n"
        f"CapEff:\t{own:016x}\nCapBnd:\t{caps:016x}\nCapAmb:\t0000000000000000\nNoNewPrivs:\t{config.no_new_privileges:d}\n"
        f"Seccomp:\t{2 if config.seccomp else 0}\nSeccomp_filters:\t{config.seccomp:d}\n"
    )


#: The profiles that runtimes load for containers that name none.
_APPARMOR = {"containerd": "cri-containerd.apparmor.d", "cri-o": "crio-default", "docker": "docker-default"}


def _maps(box: Box) -> str:
    """The memory of the main process: its program, its heap, its C library, its stack."""
    program = (box.processes()[0][1].split() or ["sh"])[0].rstrip(":")
    program = program if program.startswith("/") else f"/usr/bin/{program}"
    library = "/lib/ld-musl-x86_64.so.1" if box.distribution == "alpine" else "/usr/lib/x86_64-linux-gnu/libc.so.6"
    rows = (
        ("55d0c0000000-55d0c0020000 r--p", "00000000 08:01 1835", program),
        ("55d0c0020000-55d0c0120000 r-xp", "00020000 08:01 1835", program),
        ("55d0c1a00000-55d0c1b00000 rw-p", "00000000 00:00 0", "[heap]"),
        ("7f3a00000000-7f3a00028000 r--p", "00000000 08:01 2210", library),
        ("7f3a00028000-7f3a001bd000 r-xp", "00028000 08:01 2210", library),
        ("7ffd5c000000-7ffd5c021000 rw-p", "00000000 00:00 0", "[stack]"))
    return "".join(f"{span} {place:<24} {name}\n" for span, place, name in rows)
