"""Commands that look at the container: processes, host name, environment, limits; and those that only take time or memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.runtime import disk
from clusterlab.runtime.shell import kernel
from clusterlab.runtime.shell.machine import FOREVER, Result, Run
from clusterlab.runtime.shell.tools_text import _flags

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS", "alone", "duration_ms"]

_UNITS = {"": 1000, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_MS = 366 * 86_400_000


def duration_ms(text: str) -> int | None:
    """"5", "0.5", "10m" of `sleep` in ms; None where it is no number."""
    found = re.fullmatch(r"(\d*\.?\d+)([smhd]?)", text)
    if found is None or len(text) > 20:
        return None
    return min(int(float(found[1]) * _UNITS[found[2]]), LONGEST_MS)


def sleep(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    if len(argv) < 2:
        return Result(1, "", "sleep: missing operand\n")
    if argv[1] in {"infinity", "inf"}:
        return Result(0, wait_ms=FOREVER)
    total = 0
    for each in argv[1:]:
        took = duration_ms(each)
        if took is None:
            return Result(1, "", f"sleep: invalid number '{each}'\n")
        total += took
    return Result(0, wait_ms=max(1, total) if total else 0)


def hostname(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    if "-i" in argv or "-I" in argv:
        return Result(0, box.ip + "\n")
    if "-f" in argv:
        return Result(0, box.fqdn + "\n")
    return Result(0, box.hostname + "\n")


def identity(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    uid, gid, name = box.uid, box.gid, box.user_name
    if argv[0] == "whoami":
        return Result(0, f"{name}\n") if not name.isdigit() else Result(1, "", f"whoami: unknown uid {uid}\n")
    if "-un" in argv:
        return Result(0, f"{name}\n")
    if "-u" in argv or "-g" in argv:
        return Result(0, f"{uid if '-u' in argv else gid}\n")
    if "-G" in argv:
        return Result(0, " ".join(map(str, box.groups)) + "\n")

    def shown(number: str | int) -> str:
        return f"{number}(root)" if str(number) == "0" else str(number)

    groups = ",".join(shown(each) for each in box.groups)
    who = f"uid={uid}({name})" if not name.isdigit() else f"uid={uid}"
    return Result(0, f"{who} gid={shown(gid)} groups={groups}\n")


def uname(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, _ = _flags(argv[1:])
    if "a" in flags:
        return Result(0, f"Linux {box.hostname} 6.12.0 #1 SMP x86_64 GNU/Linux\n")
    values = [("s", "Linux"), ("n", box.hostname), ("r", "6.12.0"), ("m", "x86_64")]
    return Result(0, " ".join(value for letter, value in values if letter in flags or (letter == "s" and not flags)) + "\n")


def env(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    args = argv[1:]
    if argv[0] == "printenv" and args:
        values = [run.variables[name] for name in args if name in run.variables]
        return Result(0 if len(values) == len(args) else 1, "".join(value + "\n" for value in values))
    if argv[0] == "env" and args and args[0] in {"-i", "-", "-u"}:
        return _with_less(box, run, args, stdin)
    while args and "=" in args[0]:
        name, _, value = args.pop(0).partition("=")
        run.assign(name, value)
        if name not in run.exported:
            run.exported.append(name)
    if args:
        return box.tool(run, args, stdin)
    return Result(0, "".join(f"{name}={run.variables[name]}\n" for name in run.exported if name in run.variables))


def _with_less(box: Box, run: Run, args: list[str], stdin: str) -> Result:
    """`env -i …` and `env -u NAME …`: none of the variables, or not that one."""
    before = run.variables, run.exported
    while args and args[0] in {"-i", "-", "-u"}:
        gone = set(run.exported) if args.pop(0) != "-u" else {args.pop(0) if args else ""}
        run.variables = {name: value for name, value in run.variables.items() if name not in gone}
        run.exported = [name for name in run.exported if name not in gone]
    try:
        return env(box, run, ["env", *args], stdin)
    finally:
        run.variables, run.exported = before


def ps(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    every = [*box.processes(), (box.next_pid, " ".join(argv))]
    user = box.user_name
    if box.distribution in {"busybox", "alpine"}:
        lines = ["PID   USER     TIME  COMMAND", *(f"{pid:5} {user:<8}  0:00 {command}" for pid, command in every)]
    elif any("u" in each for each in argv[1:2]):
        since = box.date("%H:%M")
        lines = ["USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND"]
        lines += [f"{user:<8} {pid:7}  0.0  0.0   4384   756 ?        Ss   {since}   0:00 {command}" for pid, command in every]
    elif any("f" in each for each in argv[1:2]):
        since = box.date("%H:%M")
        lines = ["UID          PID    PPID  C STIME TTY          TIME CMD"]
        lines += [f"{user:<8} {pid:7}       {0 if pid == 1 else 1}  0 {since} ?        00:00:00 {command}" for pid, command in every]
    else:
        lines = ["    PID TTY          TIME CMD", *(f"{pid:7} ?        00:00:00 {_program(command)}" for pid, command in every)]
    return Result(0, "".join(line + "\n" for line in lines))


def _program(command: str) -> str:
    return (command.split() or ["sh"])[0].rsplit("/", 1)[-1].rstrip(":")[:15]


def df(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    rows = [("overlay", "/"), ("tmpfs", "/dev"), ("shm", "/dev/shm"), *(("/dev/sda1", path) for path in box.mount_points())]
    plain = [run.path(each).rstrip("/") or "/" for each in argv[1:] if not each.startswith("-")]
    if plain:  # of the file systems that these lie on
        at = [max((row for row in rows if each == row[1] or row[1] == "/" or each.startswith(row[1] + "/")), key=lambda row: len(row[1]))
              for each in plain]
        rows = list(dict.fromkeys(at))
    human = any(each.startswith("-") and "h" in each for each in argv[1:])
    free = disk.used(box.runtime) >> 10 if box.runtime.disk_bytes else 0
    out = "Filesystem                Size      Used Available Use% Mounted on\n" if human else \
        "Filesystem           1K-blocks      Used Available Use% Mounted on\n"
    for name, path in rows:
        size = 65_536 if name != "overlay" and not name.startswith("/") else box.disk_kib
        used = 0 if size == 65_536 else min(size, free)
        shown = [_human(each * 1024) if human else str(each) for each in (size, used, size - used)]
        out += f"{name:<20} {shown[0]:>9} {shown[1]:>9} {shown[2]:>9} {used * 100 // size:3}% {path}\n"
    return Result(0, out)


def mount(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """The mounts of a container, as the kernel lists them; containers may not mount anything."""
    if [each for each in argv[1:] if not each.startswith("-")]:
        return Result(1, "", "mount: permission denied (are you root?)\n")
    lines = [line.split() for line in (kernel.proc(box, "mounts") or "").splitlines()]
    return Result(0, "".join(f"{each[0]} on {each[1]} type {each[2]} ({each[3]})\n" for each in lines if len(each) > 3))


def free(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    letters = "".join(each for each in argv[1:] if each.startswith("-"))
    total = box.memory_kib >> (20 if "g" in letters else 10 if "m" in letters or "h" in letters else 0)
    used = total // 4
    head = "              total        used        free      shared  buff/cache   available\n"
    return Result(0, f"{head}Mem:     {total:10}  {used:10}  {total - used:10}           0           0  {total - used:10}\n"
                     f"Swap:    {0:10}  {0:10}  {0:10}\n")


def kill(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    number = next((each for each in argv[1:] if each.startswith("-")), "-15").lstrip("-").removeprefix("SIG")
    pids = [each for each in argv[1:] if not each.startswith("-")]
    if "1" in pids:
        return box.signal_main({"9": "KILL", "15": "TERM", "2": "INT"}.get(number, number))
    return Result(0) if pids else Result(1, "", "sh: you need to specify whom to kill\n")


def killall(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    name = argv[-1] if len(argv) > 1 else ""
    if any(name in command for _, command in box.processes()):
        return box.signal_main("TERM")
    return Result(1, "", f"killall: {name}: no process killed\n")


def stress(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """stress and stress-ng: so many busy workers, so much memory, for so long."""
    args = [part for each in argv[1:] for part in (each.split("=", 1) if each.startswith("-") and "=" in each else [each])]
    given = dict(zip(args, [*args[1:], ""], strict=False))

    def get(*names: str) -> str:
        return next((given[name] for name in names if name in given), "")

    cpus, vms = int(re.sub(r"\D", "", get("--cpu", "-c", "-cpus", "--cpus"))[:4] or 0), int(re.sub(r"\D", "", get("--vm", "-m"))[:4] or 0)
    timeout = duration_ms(get("--timeout", "-t"))
    if "-mem-total" in given or "-cpus" in given:  # vish/stress
        return Result(0, "", "", FOREVER, memory=_size(get("-mem-total") or "0"), cpu_milli=cpus * 1000)
    size = _size(get("--vm-bytes") or "256M")
    head = f"stress: info: [1] dispatching hogs: {cpus} cpu, 0 io, {vms} vm, 0 hdd\n"
    held = "--vm-hang" in given or "--vm-keep" in given  # it only touches its memory now and then
    return Result(0, head, "", timeout if timeout else FOREVER, memory=vms * size, cpu_milli=cpus * 1000 + vms * (50 if held else 1000))


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d{1,12})([bBkKmMgG]?)i?[bB]?", text)
    if found is None:
        return 256 << 20
    return int(found[1]) << {"": 0, "b": 0, "k": 10, "m": 20, "g": 30}[found[2].lower()]


def shell(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """A shell within a shell: its script runs here and now."""
    args, given = list(argv[1:]), False
    while args and args[0].startswith("-") and len(args[0]) > 1:
        flag = args.pop(0)
        given |= "c" in flag and not flag.startswith("--")
        if "o" in flag and not flag.startswith("--") and args:
            args.pop(0)
    if given:
        inner = alone(run, args[0] if args else "", tuple(args[2:]), args[1] if len(args) > 1 else "")
    elif args:
        text = box.read(run.path(args[0]))
        if text is None:
            return Result(127, "", f"{argv[0]}: can't open '{args[0]}': No such file or directory\n")
        inner = alone(run, text, tuple(args[1:]))
    else:
        inner = alone(run, run.take(), ())
    return Result(inner.status, inner.output(), wait_ms=inner.waited_ms)


def alone(run: Run, source: str, params: tuple[str, ...], name: str = "") -> Run:
    """Runs a script as a shell of its own: with its parameters, and of the variables only those that are exported."""
    before = run.params, run.variables
    run.params = params
    run.variables = {each: value for each, value in run.variables.items() if each in run.exported or each in {"HOME", "PWD"}}
    run.variables |= {" 0": name} if name else {}
    try:
        return run.nested(source)
    finally:
        run.params, run.variables = before


def timeout(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    args = [each for each in argv[1:] if not each.startswith("-")]
    limit = duration_ms(args[0]) if args else None
    if limit is None or len(args) < 2:
        return Result(1, "", "timeout: invalid number\n")
    result = box.tool(run, args[1:], stdin)
    if result.wait_ms == FOREVER or result.wait_ms > limit:
        return result._replace(code=143, wait_ms=limit)
    return result


def run_rest(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return box.tool(run, argv[1:], stdin) if len(argv) > 1 else Result()


def install(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, f"{argv[0]}: nothing is installed in this model; the tools it knows are there already\n")


def ulimit(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    known = {"-n": "1048576", "-u": "unlimited", "-c": "unlimited", "-s": "8192", "-l": "8192"}
    return Result(0, "unlimited\n" if len(argv) < 2 else known[argv[1]] + "\n" if argv[1] in known else "")


def true(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return Result()


def false(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(1)


def top(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    lines = [f"Mem: {box.memory_kib // 4}K used, {box.memory_kib}K in all", "  PID  PPID USER     STAT   VSZ %VSZ CPU %CPU COMMAND"]
    lines += [f"{pid:5}     0 root     S     1320   0%   0   0% {command}" for pid, command in box.processes()]
    return Result(0, "".join(line + "\n" for line in lines))


def nproc(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, f"{box.cpus}\n")


def pids(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """pgrep and pidof."""
    name = argv[-1] if len(argv) > 1 else ""
    found = [str(pid) for pid, command in box.processes() if name and name in command.split()[0]]
    return Result(0 if found else 1, ("\n" if argv[0] == "pgrep" else " ").join(found) + ("\n" if found else ""))


def groups(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, " ".join("root" if each == 0 else str(each) for each in box.groups) + "\n")


def du(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, names = _flags(argv[1:], "d")
    out = ""
    for name in names or ["."]:
        kib = -(-sum(disk.size_of(box.read(each) or "") for each in box.tree(run.path(name))) // 1024)
        out += f"{_human(kib * 1024) if 'h' in flags else kib}\t{name}\n"
    return Result(0, out)


def _human(size: int) -> str:
    for unit, shift in (("G", 30), ("M", 20), ("K", 10)):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.1f}{unit}"
    return str(size)


def arch(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, "x86_64\n" if argv[0] == "arch" else f"Architecture:        x86_64\nCPU(s):              {box.cpus}\n")


def tty(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, "/dev/pts/0\n") if box.tty else Result(1, "not a tty\n")


def uptime(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return Result(0, f" {box.date('%H:%M:%S', run.time_ms)} up {box.up_ms(run.time_ms) // 60_000} min,  load average: 0.00, 0.00, 0.00\n")


TOOLS: dict[str, Tool] = {
    "sleep": sleep, "usleep": sleep, "hostname": hostname, "id": identity, "whoami": identity, "uname": uname,
    "env": env, "printenv": env, "ps": ps, "df": df, "du": du, "pgrep": pids, "pidof": pids, "groups": groups, "arch": arch, "lscpu": arch,
    "tty": tty,
    "free": free, "mount": mount, "kill": kill, "killall": killall, "pkill": killall,
    "stress": stress, "stress-ng": stress, "sh": shell, "bash": shell, "ash": shell, "dash": shell, "/bin/sh": shell,
    "timeout": timeout, "nohup": run_rest, "time": run_rest, "sudo": run_rest, "nice": run_rest, "setsid": run_rest,
    "apt-get": install, "apt": install, "apk": install, "yum": install, "true": true, "false": false, "top": top, "nproc": nproc,
    "uptime": uptime, "clear": true, "stty": true, "ulimit": ulimit, "umask": true, "hash": true, "sysctl": true, "jobs": true,
    "fg": true, "bg": true, "disown": true, "reset": true, "tput": true, "shopt": true, "alias": true,
}
